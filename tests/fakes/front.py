"""A hand-written front that speaks the counter's frames and does exactly what a test tells it. Rows are made
with defaults here too.

It answers logins and queries from its lists; orders and cancels it only writes down, unless `on_insert` or
`on_action` say more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.wire import frames
from app.wire.channel import Connection, Server
from app.wire.frames import (
    DepthField,
    InstrumentField,
    OrderField,
    PositionDetailField,
    PositionField,
    TradeField,
    TradingAccountField,
    decode_request,
    encode,
)

DAY = "20250609"


def instrument(symbol: str = "rb2510", exchange: str = "SHFE", **changes: Any) -> InstrumentField:
    values: dict[str, Any] = {
        "InstrumentID": symbol,
        "ExchangeID": exchange,
        "InstrumentName": "螺纹钢2510",
        "ProductID": symbol.rstrip("0123456789"),
        "DeliveryYear": 2025,
        "DeliveryMonth": 10,
        "MaxMarketOrderVolume": 30,
        "MinMarketOrderVolume": 1,
        "MaxLimitOrderVolume": 500,
        "MinLimitOrderVolume": 1,
        "VolumeMultiple": 10,
        "PriceTick": 1.0,
        "CreateDate": "20241015",
        "OpenDate": "20241016",
        "ExpireDate": "20251015",
        "StartDelivDate": "20251016",
        "EndDelivDate": "20251020",
        "PositionDateType": "1" if exchange in ("SHFE", "INE") else "2",
        "LongMarginRatio": 0.1,
        "ShortMarginRatio": 0.1,
        "OpenRatioByVolume": 2.0,
        "CloseRatioByVolume": 2.0,
        "CloseTodayRatioByVolume": 2.0,
        "UpperLimitPrice": 3300.0,
        "LowerLimitPrice": 2700.0,
        "PreSettlementPrice": 3000.0,
    }
    return InstrumentField(**values | changes)


def order(ref: int | str = 1, status: str = "a", **changes: Any) -> OrderField:
    """A buy of 2 lots of rb2510 at 3000, to open, by session (1, 7)."""
    values: dict[str, Any] = {
        "BrokerID": "9999",
        "InvestorID": "demo",
        "InstrumentID": "rb2510",
        "ExchangeID": "SHFE",
        "OrderRef": str(ref),
        "FrontID": 1,
        "SessionID": 7,
        "Direction": "0",
        "CombOffsetFlag": "0",
        "OrderPriceType": "2",
        "TimeCondition": "3",
        "VolumeCondition": "1",
        "LimitPrice": 3000.0,
        "VolumeTotalOriginal": 2,
        "OrderStatus": status,
        "OrderSubmitStatus": "0" if status == "a" else "3",
        "OrderSysID": "" if status == "a" else f"{ref:>12}",
        "TradingDay": DAY,
        "InsertDate": "20250609",
        "InsertTime": "09:30:01",
    }
    return OrderField(**values | changes)


def trade(trade_id: str = "t1", ref: int | str = 1, **changes: Any) -> TradeField:
    """A fill of one lot of `order(ref)` at 3000."""
    values: dict[str, Any] = {
        "BrokerID": "9999",
        "InvestorID": "demo",
        "InstrumentID": "rb2510",
        "ExchangeID": "SHFE",
        "OrderRef": str(ref),
        "OrderSysID": f"{ref:>12}",
        "TradeID": trade_id,
        "Direction": "0",
        "OffsetFlag": "0",
        "Price": 3000.0,
        "Volume": 1,
        "TradingDay": DAY,
        "TradeDate": "20250609",
        "TradeTime": "09:30:02",
    }
    return TradeField(**values | changes)


def detail(volume: int, open_date: str = "20250606", **changes: Any) -> PositionDetailField:
    """A long lot of rb2510, of the trading day before unless said otherwise."""
    values: dict[str, Any] = {
        "BrokerID": "9999",
        "InvestorID": "demo",
        "InstrumentID": "rb2510",
        "ExchangeID": "SHFE",
        "Direction": "0",
        "OpenDate": open_date,
        "TradeID": "d1",
        "TradingDay": DAY,
        "Volume": volume,
        "OpenPrice": 2950.0,
        "LastSettlementPrice": 3000.0,
    }
    return PositionDetailField(**values | changes)


def position(
    today: int, history: int, symbol: str = "rb2510", exchange: str = "SHFE", direction: str = "2"
) -> list[PositionField]:
    """Long, as CTP's query has it: two rows where lots are split by day, else one."""
    split = (
        [(today, today, "1"), (history, 0, "2")]
        if exchange in ("SHFE", "INE")
        else [(today + history, today, "1")]
    )
    return [
        PositionField(
            BrokerID="9999",
            InvestorID="demo",
            InstrumentID=symbol,
            ExchangeID=exchange,
            PosiDirection=direction,
            PositionDate=date,
            TradingDay=DAY,
            YdPosition=history,
            Position=volume,
            TodayPosition=of_today,
            LongFrozen=0,
            ShortFrozen=0,
            OpenVolume=today,
            CloseVolume=0,
            PositionCost=0.0,
            OpenCost=0.0,
            UseMargin=0.0,
            PositionProfit=0.0,
        )
        for volume, of_today, date in split
    ]


def account(**changes: Any) -> TradingAccountField:
    """Balance and Available add up, unless they are given."""
    row = TradingAccountField(
        **{
            "BrokerID": "9999",
            "AccountID": "demo",
            "TradingDay": DAY,
            "PreBalance": 1_000_000.0,
            "Deposit": 0.0,
            "Withdraw": 0.0,
            "CurrMargin": 0.0,
            "FrozenMargin": 0.0,
            "FrozenCommission": 0.0,
            "Commission": 0.0,
            "CloseProfit": 0.0,
            "PositionProfit": 0.0,
            "Balance": 0.0,
            "Available": 0.0,
        }
        | changes
    )
    if "Balance" not in changes:
        row.Balance = (
            row.PreBalance
            + row.Deposit
            - row.Withdraw
            + row.CloseProfit
            + row.PositionProfit
            - row.Commission
        )
        row.Balance += row.CashIn + row.Mortgage
    if "Available" not in changes:
        row.Available = row.Balance - row.CurrMargin - row.FrozenMargin - row.FrozenCommission
        row.Available += row.Credit - row.FrozenCash - row.DeliveryMargin - row.Reserve
    return row


def depth(symbol: str = "rb2510", exchange: str = "SHFE", **changes: Any) -> DepthField:
    values: dict[str, Any] = {
        "InstrumentID": symbol,
        "ExchangeID": exchange,
        "TradingDay": DAY,
        "ActionDay": "20250609",
        "UpdateTime": "09:30:00",
        "UpdateMillisec": 500,
        "LastPrice": 3010.0,
        "Volume": 100,
        "Turnover": 3_010_000.0,
        "OpenInterest": 5000.0,
        "OpenPrice": 3000.0,
        "HighestPrice": 3015.0,
        "LowestPrice": 2999.0,
        "PreSettlementPrice": 3000.0,
        "PreClosePrice": 3001.0,
        "PreOpenInterest": 4900.0,
        "UpperLimitPrice": 3300.0,
        "LowerLimitPrice": 2700.0,
        "BidPrice1": 3009.0,
        "BidVolume1": 5,
        "AskPrice1": 3010.0,
        "AskVolume1": 6,
    }
    return DepthField(**values | changes)


class FakeFront:
    """Trading and market front at one address. What it answers with are its public lists; `heard` is what it
    was asked.
    """

    def __init__(self, folder: Path) -> None:
        self.address = f"unix:{folder / 'front.sock'}"
        self.trading_day = DAY
        self.now = "2025-06-09T09:30:00.000"
        self.session = 6
        self.max_order_ref = "0"
        self.login_error: tuple[int, str] = (0, "")
        self.instruments = [instrument()]
        self.orders: list[OrderField] = []
        self.trades: list[TradeField] = []
        self.details: list[PositionDetailField] = []
        self.positions: list[PositionField] = []
        self.account = account()
        self.on_insert: Callable[[frames.ReqOrderInsert], None] = lambda _request: None
        self.before_answer: Callable[[frames.ReqQry], None] = lambda _request: None
        self.heard: list[frames.AnyRequestFrame] = []
        self.links: dict[str, Connection] = {}
        self._lock = threading.RLock()
        self._server: Server | None = None

    def start(self) -> None:
        self._server = Server(self.address, self._on_frame)
        self._server.start()

    def stop(self) -> None:
        """As if the counter had been killed: nothing listens any more."""
        if self._server is not None:
            self._server.close(flush=0.2)
            self._server = None

    def drop(self, side: str) -> None:
        """Cut one connection; the front goes on listening."""
        self.links.pop(side).close(flush=0.5)

    def send(self, *answers: frames.AnyCallbackFrame, side: str = "td") -> None:
        for answer in answers:
            self.links[side].send(encode(answer))

    def inserted(self) -> list[frames.ReqOrderInsert]:
        return [frame for frame in self.heard if isinstance(frame, frames.ReqOrderInsert)]

    def asked(self, what: str) -> int:
        """How often this query was asked."""
        return sum(isinstance(frame, frames.ReqQry) and frame.what == what for frame in self.heard)

    @contextmanager
    def holds_back(self, what: str, after: int) -> Iterator[None]:
        """Until the end of the block no such query is answered but the next so many."""
        gate, last, plain = threading.Event(), self.asked(what) + after, self.before_answer

        def wait(request: frames.ReqQry) -> None:
            if request.what == what and self.asked(what) > last:
                assert gate.wait(30)
            plain(request)

        self.before_answer = wait
        try:
            yield
        finally:
            self.before_answer = plain
            gate.set()

    def beat(self) -> None:
        """Tell both sides the time and the day."""
        for side in list(self.links):
            self.send(frames.Heartbeat(now=self.now, TradingDay=self.trading_day), side=side)

    def _on_frame(self, connection: Connection, data: bytes) -> None:
        request = decode_request(data)
        with self._lock:
            self.heard.append(request)
            if isinstance(request, frames.ReqUserLogin):
                self._log_in(connection, request)
            elif isinstance(request, frames.ReqQry):
                self.before_answer(request)
                answers: dict[str, list[Any]] = {
                    "instrument": self.instruments,
                    "order": self.orders,
                    "trade": self.trades,
                    "position": self.positions,
                    "position_detail": self.details,
                    "account": [self.account],
                }
                rows = answers[request.what]
                connection.send(
                    encode(
                        frames.RspQry(what=request.what, RequestID=request.RequestID, rows=rows, last=True)
                    )
                )
            elif isinstance(request, frames.ReqOrderInsert):
                self.on_insert(request)

    def _log_in(self, connection: Connection, request: frames.ReqUserLogin) -> None:
        error_id, text = self.login_error
        if error_id:
            connection.send(encode(frames.RspUserLogin(front=request.front, ErrorID=error_id, ErrorMsg=text)))
            return
        if request.front == "td":
            self.session += 1
        self.links[request.front] = connection
        answer = frames.RspUserLogin(
            front=request.front,
            TradingDay=self.trading_day,
            FrontID=1,
            SessionID=self.session,
            MaxOrderRef=self.max_order_ref,
            now=self.now,
        )
        connection.send(encode(answer))
        if request.front == "td":
            self.send(
                *(frames.RtnOrder(order=row) for row in self.orders),
                *(frames.RtnTrade(trade=row) for row in self.trades),
            )
