"""What the counter knows of the world outside its accounts: quotes, clock, trading day, contracts. Counter
process.

Quotes, clock and trading day come from one object, since in a replay the file drives all three.
There are two, chosen by `counter_quotes`: the seeded generator (app/counter/markets/generator.py) and a
recorded file (app/counter/markets/replay.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol

from app.wire.frames import DepthField, InstrumentField

Phase = Literal["auction", "continuous", "closed"]


class DayTurn(NamedTuple):
    """The settlement of `old_day` is done and `new_day` has begun (both YYYYMMDD).

    `settlement` has a price for every contract that was listed on `old_day` and of which the market knows
    one.
    """

    old_day: str
    new_day: str
    settlement: Mapping[str, float]


class Market(Protocol):
    """See the module's docstring. One thread uses it; no call blocks."""

    def now(self) -> datetime:
        """The counter's clock, aware, Asia/Shanghai."""

    def trading_day(self) -> str:
        """YYYYMMDD; it changes only within `poll`, together with the DayTurn that poll returns."""

    def poll(self) -> list[DepthField | DayTurn]:
        """All that is due since the last poll, oldest first."""

    def watch(self, instruments: set[str]) -> None:
        """Who is subscribed, held or has working orders: only these need a stream. Replaces the set
        before.
        """

    def quote(self, instrument: str) -> DepthField | None:
        """The newest snapshot, made on demand; None where there is none (unknown, or not in the replayed
        file).
        """

    def instruments(self) -> dict[str, InstrumentField]:
        """What is listed on the trading day, by InstrumentID, with limits, pre-settlement and rates of that
        day.
        """

    def phase(self, instrument: str) -> Phase:
        """What the exchange takes just now: the auction, everything, or nothing."""

    def state(self) -> dict[str, Any]:
        """JSON-able: what `resume` needs, so that a restarted counter goes on where it was. Asked once a
        second and at a day's turn.
        """

    def progress(self) -> int:
        """How much of the trading day has been handed out: a number that only rises within it, cheap, kept
        with every order.

        0 where the wall's clock says so itself.
        """

    def resume(self, state: dict[str, Any], progress: int = 0) -> None:
        """Go on where `state` was taken; a state of another kind of market, seed or file is ignored.

        What was handed out after that, up to `progress`, is not handed out again: orders have met it already.
        """
