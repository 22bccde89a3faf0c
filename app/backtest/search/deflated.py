"""How likely the best of many trials is better than nothing: the deflated Sharpe ratio of Bailey and López de
Prado (The Deflated Sharpe Ratio, Journal of Portfolio Management 40(5), 2014). Pure.

Sharpe ratios here are of one trading day, not of a year. The formulas are in docs/backtest.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

EULER = 0.5772156649015329
_NORMAL = NormalDist()


class Moments(NamedTuple):
    """Of daily returns; of the population, as the paper has them. A normal distribution has kurtosis 3."""

    sharpe: float  # of a day
    skew: float
    kurtosis: float
    days: int


class Deflated(NamedTuple):
    """`probability`: that the true Sharpe ratio is above 0, seeing how many were tried."""

    probability: float
    expected_best: float  # daily Sharpe that the best of so many has by chance alone
    sharpe: float
    skew: float
    kurtosis: float
    days: int
    trials: int
    variance: float  # of the trials' daily Sharpe ratios


def moments(returns: Sequence[float]) -> Moments | None:
    """None where there is no spread. The Sharpe ratio's deviation is with n − 1, as in the figures."""
    count = len(returns)
    if count < 2:
        return None
    mean = math.fsum(returns) / count
    second = math.fsum((one - mean) ** 2 for one in returns) / count
    if second <= 1e-24:
        return None
    third = math.fsum((one - mean) ** 3 for one in returns) / count
    fourth = math.fsum((one - mean) ** 4 for one in returns) / count
    sharpe = mean / math.sqrt(second * count / (count - 1))
    return Moments(sharpe, third / second**1.5, fourth / second**2, count)


def expected_best(variance: float, trials: int) -> float:
    """SR₀ = √V × ((1 − γ) Φ⁻¹(1 − 1/N) + γ Φ⁻¹(1 − 1/(N e))); 0 for one trial."""
    if trials < 2 or variance <= 0:
        return 0.0
    upper, lower = _NORMAL.inv_cdf(1 - 1 / trials), _NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    return math.sqrt(variance) * ((1 - EULER) * upper + EULER * lower)


def deflated(best: Moments, variance: float, trials: int) -> Deflated | None:
    """Φ((SR − SR₀) √(T − 1) ÷ √(1 − γ₃ SR + (γ₄ − 1)/4 × SR²)); None where the root is not of a positive
    number.
    """
    against = expected_best(variance, trials)
    under = 1 - best.skew * best.sharpe + (best.kurtosis - 1) / 4 * best.sharpe**2
    if under <= 0:
        return None
    score = (best.sharpe - against) * math.sqrt(best.days - 1) / math.sqrt(under)
    return Deflated(_NORMAL.cdf(score), against, *best, trials, variance)


def variance_of(sharpes: Sequence[float]) -> float:
    """With n − 1; 0 for fewer than two."""
    if len(sharpes) < 2:
        return 0.0
    mean = math.fsum(sharpes) / len(sharpes)
    return math.fsum((one - mean) ** 2 for one in sharpes) / (len(sharpes) - 1)
