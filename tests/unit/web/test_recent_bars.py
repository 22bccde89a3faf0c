"""The bars that a web holds for a moment: never older than what the gateway has said, and never of an account
that is out of reach.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.lib.errors import GatewayDown
from app.web.recent_bars import HELD_SECONDS, MOST_HELD, RecentBars
from app.wire.messages import Json, ReadBars

WANTED = ReadBars("rb2510")


class Gateway:
    """Answers differently every time; `meanwhile` happens between its answer and that it arrives."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked = 0
        self.meanwhile: Callable[[], object] = lambda: None
        self.held = RecentBars(lambda: self.now)

    def answer(self) -> Json:
        self.asked += 1
        self.meanwhile()
        return Json(b"[%d]" % self.asked)

    def read(self, wanted: ReadBars = WANTED, account: str = "alice") -> bytes:
        return self.held.read(account, wanted, self.answer).payload


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


def test_whoever_asks_again_within_the_moment_gets_the_same(gateway: Gateway) -> None:
    assert [gateway.read(), gateway.read()] == [b"[1]", b"[1]"]
    gateway.now = HELD_SECONDS / 2
    assert gateway.read() == b"[1]"


def test_bars_that_are_cut_otherwise_are_others(gateway: Gateway) -> None:
    assert gateway.read(ReadBars("rb2510", "1h")) == b"[1]"
    assert gateway.read(ReadBars("rb2510", "1h", cut="clock")) == b"[2]"
    assert gateway.read(ReadBars("rb2510", "1h", fields=("turnover",))) == b"[3]"
    assert gateway.read(ReadBars("rb2510", "1h")) == b"[1]"


def test_after_the_moment_the_gateway_is_asked_again_since_old_bars_leave_the_range(gateway: Gateway) -> None:
    gateway.read()
    gateway.now = HELD_SECONDS
    assert gateway.read() == b"[2]"


@pytest.mark.parametrize(
    "wanted", [ReadBars("rb2510", start=1), ReadBars("rb2510", end=1), ReadBars("rb2510", limit=1)]
)
def test_a_range_of_ones_own_is_asked_for_every_time(gateway: Gateway, wanted: ReadBars) -> None:
    assert [gateway.read(wanted), gateway.read(wanted)] == [b"[1]", b"[2]"]


def test_accounts_contracts_and_intervals_are_held_apart(gateway: Gateway) -> None:
    gateway.read()
    assert gateway.read(account="bob") == b"[2]"
    assert gateway.read(ReadBars("rb2511")) == b"[3]"
    assert gateway.read(ReadBars("rb2510", "5m")) == b"[4]"
    assert gateway.read() == b"[1]"


@pytest.mark.parametrize("asked", ["rb2510", "rb2510.SHFE"])
def test_bars_that_are_saved_are_in_the_next_answer_whichever_way_the_contract_was_named(
    gateway: Gateway, asked: str
) -> None:
    gateway.read(ReadBars(asked))
    gateway.read(ReadBars(asked, "1d"))
    gateway.held.saved("alice", "rb2510.SHFE")
    assert [gateway.read(ReadBars(asked)), gateway.read(ReadBars(asked, "1d"))] == [b"[3]", b"[4]"]


def test_what_is_saved_of_another_contract_or_account_changes_nothing(gateway: Gateway) -> None:
    gateway.read()
    gateway.held.saved("alice", "rb2511.SHFE")
    gateway.held.saved("bob", "rb2510.SHFE")
    gateway.held.forget("bob")
    assert gateway.read() == b"[1]"


def test_an_answer_that_was_overtaken_by_a_bar_is_given_and_not_held(gateway: Gateway) -> None:
    gateway.meanwhile = lambda: gateway.held.saved("alice", "rb2510.SHFE")
    assert gateway.read() == b"[1]"
    gateway.meanwhile = lambda: None
    assert gateway.read() == b"[2]"


def test_nothing_outlives_the_connection_to_the_gateway(gateway: Gateway) -> None:
    gateway.read()
    gateway.held.forget("alice")
    assert gateway.read() == b"[2]"
    gateway.held.forget("alice")
    gateway.meanwhile = lambda: gateway.held.forget("alice")
    assert gateway.read() == b"[3]"
    assert gateway.read() == b"[4]"


def test_an_error_is_not_held(gateway: Gateway) -> None:
    def fail() -> Json:
        raise GatewayDown("网关没有应答", asked=False)

    with pytest.raises(GatewayDown):
        gateway.held.read("alice", WANTED, fail)
    assert gateway.read() == b"[1]"


def test_a_bounded_number_of_answers_is_held(gateway: Gateway) -> None:
    for number in range(MOST_HELD + 1):
        gateway.read(ReadBars(f"rb{number}"))
    assert gateway.read(ReadBars(f"rb{MOST_HELD}")) == b"[%d]" % (MOST_HELD + 1)
    assert gateway.read(ReadBars("rb0")) == b"[%d]" % (MOST_HELD + 2)
