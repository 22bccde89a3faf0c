"""The deflated Sharpe ratio, against the worked example of its paper (section "A numerical example") and a
simulation.
"""

from __future__ import annotations

import random
import statistics

import pytest

from app.backtest.search.deflated import Moments, deflated, expected_best, moments, variance_of

YEARLY = 2.5
DAYS = 1250  # five years of 250 days
VARIANCE = 0.5 / 250  # of the trials' yearly Sharpe ratios, by day


def example(trials: int, skew: float, kurtosis: float) -> float:
    found = deflated(Moments(YEARLY / 250**0.5, skew, kurtosis, DAYS), VARIANCE, trials)
    assert found is not None
    return found.probability


def test_the_papers_example() -> None:
    assert expected_best(VARIANCE, 100) == pytest.approx(0.1132, abs=5e-5)
    assert example(100, -3, 10) == pytest.approx(0.9004, abs=5e-5)
    assert example(46, -3, 10) == pytest.approx(0.9505, abs=5e-5)
    assert example(88, 0, 3) == pytest.approx(0.9505, abs=5e-5)


def test_what_the_best_of_many_has_by_chance() -> None:
    """The mean of the greatest of 50 draws, 4,000 times."""
    chance = random.Random(1)
    best = statistics.fmean(max(chance.gauss(0, 0.1) for _ in range(50)) for _ in range(4000))
    assert expected_best(0.01, 50) == pytest.approx(best, rel=0.02)


def test_one_trial_has_nothing_to_deflate() -> None:
    assert expected_best(0.01, 1) == 0.0
    assert deflated(Moments(0.0, 0.0, 3.0, 100), 0.01, 1).probability == 0.5  # type: ignore[union-attr]


def test_the_moments_of_returns_worked_by_hand() -> None:
    found = moments([0.01, -0.01, 0.03, 0.01])
    assert found is not None
    # mean 0.01; deviations 0, −0.02, 0.02, 0: m2 = 2e-4, m3 = 0, m4 = 8e-8; s = √(8e-4 ÷ 3)
    assert found.sharpe == pytest.approx(0.01 / (8e-4 / 3) ** 0.5)
    assert found.skew == pytest.approx(0.0, abs=1e-12)
    assert found.kurtosis == pytest.approx(2.0)
    assert found.days == 4


@pytest.mark.parametrize("returns", [[], [0.01], [0.01, 0.01, 0.01]])
def test_returns_without_spread_have_none(returns: list[float]) -> None:
    assert moments(returns) is None


def test_the_variance_is_that_of_a_sample() -> None:
    values = [0.1, 0.2, 0.4]
    assert variance_of(values) == pytest.approx(statistics.variance(values))
    assert variance_of([0.1]) == 0.0


def test_where_the_root_has_no_value_there_is_none() -> None:
    assert deflated(Moments(1.0, 3.0, 1.0, 100), 0.01, 10) is None
