"""A market written by hand for the counter's tests: prices, clock and day are what the test says."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from app.counter.markets.market import DayTurn, Phase
from app.wire.frames import DepthField, InstrumentField

SHANGHAI = ZoneInfo("Asia/Shanghai")


def contract(symbol: str, exchange: str, **changes: Any) -> InstrumentField:
    """rb by default: 10 t, tick 1, margin 10 %, fee one ten-thousandth, close today twice as much."""
    values: dict[str, Any] = {
        "InstrumentID": symbol,
        "ExchangeID": exchange,
        "InstrumentName": symbol,
        "ProductID": symbol.rstrip("0123456789"),
        "DeliveryYear": 2025,
        "DeliveryMonth": 10,
        "MaxMarketOrderVolume": 30,
        "MinMarketOrderVolume": 1,
        "MaxLimitOrderVolume": 500,
        "MinLimitOrderVolume": 1,
        "VolumeMultiple": 10,
        "PriceTick": 1.0,
        "CreateDate": "20241016",
        "OpenDate": "20241016",
        "ExpireDate": "20251015",
        "StartDelivDate": "20251016",
        "EndDelivDate": "20251020",
        "PositionDateType": "1" if exchange in ("SHFE", "INE") else "2",
        "LongMarginRatio": 0.1,
        "ShortMarginRatio": 0.1,
        "OpenRatioByMoney": 0.0001,
        "CloseRatioByMoney": 0.0001,
        "CloseTodayRatioByMoney": 0.0002,
        "UpperLimitPrice": 3300.0,
        "LowerLimitPrice": 2700.0,
        "PreSettlementPrice": 3000.0,
    }
    return InstrumentField(**values | changes)


CONTRACTS = [
    contract("rb2510", "SHFE"),
    contract("m2509", "DCE"),
    contract("SR509", "CZCE", MinLimitOrderVolume=2),
    contract("old2506", "DCE", ExpireDate="20250605"),
    contract("halted2510", "DCE", IsTrading=0),
]


class FakeMarket:
    """A Market. The test sets `moment`, `phases` and quotes; `depth` makes the next snapshot."""

    def __init__(self) -> None:
        self.moment = datetime(2025, 6, 6, 10, 0, tzinfo=SHANGHAI)
        self.day = "20250606"
        self.listed = {row.InstrumentID: row for row in CONTRACTS}
        self.phases: dict[str, Phase] = {}
        self.quotes: dict[str, DepthField] = {}
        self.due: list[DepthField | DayTurn] = []
        self.watched: set[str] = set()
        self.count = 0
        self.states = 0  # how often the whole state was asked for

    def now(self) -> datetime:
        return self.moment

    def trading_day(self) -> str:
        return self.day

    def poll(self) -> list[DepthField | DayTurn]:
        due, self.due = self.due, []
        for event in due:
            if isinstance(event, DayTurn):
                self.day = event.new_day
        return due

    def watch(self, instruments: set[str]) -> None:
        self.watched = set(instruments)

    def quote(self, instrument: str) -> DepthField | None:
        return self.quotes.get(instrument)

    def instruments(self) -> dict[str, InstrumentField]:
        return dict(self.listed)

    def phase(self, instrument: str) -> Phase:
        return self.phases.get(instrument, "continuous")

    def state(self) -> dict[str, Any]:
        self.states += 1
        return {"day": self.day, "count": self.count}

    def progress(self) -> int:
        return self.count

    def resume(self, state: dict[str, Any], progress: int = 0) -> None:
        self.count = max(state.get("count", 0), progress)
        self.day = state.get("day", self.day)

    # ── the test's hands ──

    def depth(
        self,
        symbol: str,
        bid: float,
        bid_volume: int,
        ask: float,
        ask_volume: int,
        last: float = 0.0,
        traded: int = 0,
    ) -> DepthField:
        """The contract's next snapshot, to be polled."""
        self.count += 1
        row, before = self.listed[symbol], self.quotes.get(symbol)
        snapshot = DepthField(
            InstrumentID=symbol,
            ExchangeID=row.ExchangeID,
            TradingDay=self.day,
            ActionDay=self.day,
            UpdateTime="10:00:00",
            UpdateMillisec=self.count,
            LastPrice=last or bid or ask,
            Volume=(before.Volume if before else 0) + traded,
            Turnover=0.0,
            OpenInterest=0.0,
            OpenPrice=3000.0,
            HighestPrice=3000.0,
            LowestPrice=3000.0,
            PreSettlementPrice=row.PreSettlementPrice,
            PreClosePrice=3000.0,
            PreOpenInterest=0.0,
            UpperLimitPrice=row.UpperLimitPrice,
            LowerLimitPrice=row.LowerLimitPrice,
            BidPrice1=bid,
            BidVolume1=bid_volume,
            AskPrice1=ask,
            AskVolume1=ask_volume,
        )
        self.quotes[symbol] = snapshot
        self.due.append(snapshot)
        return snapshot

    def turn(self, new_day: str, settlement: dict[str, float]) -> None:
        """The day's end, to be polled; the new day's pre-settlements are these."""
        self.due.append(DayTurn(self.day, new_day, settlement))
        for symbol, price in settlement.items():
            self.listed[symbol] = replace(self.listed[symbol], PreSettlementPrice=price)
