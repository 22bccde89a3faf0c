"""What is listed on one trading day, and what the data has told of it so far: for markets that come out of
files. Counter process, backtests. Pure.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from app.counter.contracts import Contract, contract_named, listed_on
from app.counter.instruments import UNKNOWN, DayPrices, instrument_field
from app.lib.calendar import parse_day
from app.wire.frames import DepthField, InstrumentField


class ListedDay:
    """`products`: of these alone, by code; None for all."""

    def __init__(self, day: str, products: Collection[str] | None = None) -> None:
        self._day = parse_day(day)
        self._contracts: dict[str, Contract] = {
            contract.instrument: contract for contract in listed_on(self._day, products)
        }
        self.prices: dict[str, DayPrices] = {}
        self.settled: dict[str, float] = {}
        self._fields: dict[str, InstrumentField] = {}

    def __contains__(self, instrument: object) -> bool:
        return instrument in self._contracts

    def learn(self, depth: DepthField) -> None:
        """What a snapshot tells of its contract for the whole day."""
        prices = DayPrices(depth.PreSettlementPrice, depth.UpperLimitPrice, depth.LowerLimitPrice)
        self.know(depth.InstrumentID, prices)
        if depth.SettlementPrice:
            self.settled[depth.InstrumentID] = depth.SettlementPrice

    def know(self, instrument: str, prices: DayPrices) -> None:
        """A contract that the table does not list on this day, and data has, is listed all the same."""
        if self.prices.get(instrument) == prices:
            return
        self.prices[instrument] = prices
        self._fields = {}
        if instrument not in self._contracts:
            contract = contract_named(instrument, self._day)
            if contract is not None:
                self._contracts[instrument] = contract

    def instruments(self) -> dict[str, InstrumentField]:
        if not self._fields:
            self._fields = {
                name: instrument_field(contract, self.prices.get(name, UNKNOWN))
                for name, contract in self._contracts.items()
            }
        return dict(self._fields)

    # ── restarts ──

    def state(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "prices": {name: list(prices) for name, prices in self.prices.items()},
            "settled": self.settled,
        }

    def resume(self, state: dict[str, Any]) -> None:
        for name, values in state["prices"].items():
            self.know(name, DayPrices(*values))
        self.settled = dict(state["settled"])
