"""Real orders are sent: never to a front that is not known to be for tests, unless somebody has said so."""

from __future__ import annotations

import pytest

from app.filing.fronts import check_is_for_tests, known_test_hosts
from app.lib.brokers import Front
from app.lib.errors import BadInput

SIMNOW = Front(("tcp://182.254.243.31:30001",), ("tcp://182.254.243.31:30011",))
REAL = Front(("tcp://101.1.2.3:41205",), ("tcp://101.1.2.3:41213",))


def test_a_known_test_front_is_named() -> None:
    assert check_is_for_tests(SIMNOW, {}, i_know=False) == "SimNow"


@pytest.mark.parametrize(
    "front",
    [
        REAL,
        Front(SIMNOW.td, REAL.md),
        Front((*SIMNOW.td, *REAL.td), SIMNOW.md),
        Front(("tcp://127.0.0.1:41205",), ("tcp://127.0.0.1:41213",)),
        Front(("tcp://182.254.243.31.example.com:30001",), SIMNOW.md),
    ],
)
def test_one_address_that_is_not_known_is_enough_to_refuse(front: Front) -> None:
    with pytest.raises(BadInput, match="--i-know"):
        check_is_for_tests(front, {}, i_know=False)


def test_a_front_where_the_owner_trades_is_named_in_the_refusal() -> None:
    with pytest.raises(BadInput, match="设置 fronts 里的 某期货"):
        check_is_for_tests(REAL, {"某期货": str(REAL)}, i_know=False)


def test_that_a_test_front_stands_among_his_own_changes_nothing() -> None:
    assert check_is_for_tests(SIMNOW, {"sim": str(SIMNOW)}, i_know=False) == "SimNow"


def test_who_says_that_he_knows_is_written_down() -> None:
    assert "以 --i-know 声明" in check_is_for_tests(REAL, {}, i_know=True)


def test_every_known_host_says_whose_it_is() -> None:
    assert set(known_test_hosts().values()) == {"SimNow"}
