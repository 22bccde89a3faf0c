"""Stand-ins for the binding's TdApi and MdApi, written by hand: they call back in a thread of their own, as
the binding does.

What they answer with are the rows of tests/fakes/front.py as dicts. `returns` are values that the next
requests of a name give back instead of 0, in order, or exceptions that they raise; such a request is not
answered.
"""

from __future__ import annotations

import queue
import threading
from collections import defaultdict
from typing import Any

import msgspec

from app.wire.frames import OrderField, TradeField
from tests.fakes import front

FINE: dict[str, Any] = {"ErrorID": 0, "ErrorMsg": ""}


def as_dict(row: Any) -> dict[str, Any]:
    """A row as the binding has it."""
    return msgspec.structs.asdict(row)


class Desk:
    """What both stand-ins of one account share with the test."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.returns: defaultdict[str, list[int | Exception]] = defaultdict(list)
        self.reachable = True
        self.silent: set[str] = set()  # requests that are taken and not answered
        self.errors: dict[
            str, dict[str, Any]
        ] = {}  # by the callback that tells it, `md.…` those of the market front alone
        self.entered: set[str] = (
            set()
        )  # trading days on which this user has logged in to trading: LoginVerify=yes
        self.login = {
            "TradingDay": front.DAY,
            "LoginTime": "09:30:00",
            "FrontID": 1,
            "SessionID": 7,
            "MaxOrderRef": "          0",
        }
        self.instruments = [as_dict(front.instrument())]
        self.orders: list[OrderField] = []
        self.trades: list[TradeField] = []
        self.details: list[dict[str, Any]] = []
        self.positions: list[dict[str, Any]] = []
        self.account = as_dict(front.account())
        self.quotes: list[dict[str, Any]] = []
        self.margins: list[dict[str, Any]] = []
        self.exchange_margins: list[dict[str, Any]] = []
        self.commissions: list[dict[str, Any]] = []
        self.statement: list[bytes] = []
        self.again: list[
            tuple[str, dict[str, Any]]
        ] = []  # callbacks of the day that each login brings: RESTART
        self.td: Any = None
        self.md: Any = None

    def asked(self, name: str) -> list[dict[str, Any]]:
        return [request for what, request in list(self.heard) if what == name]

    def classes(self) -> tuple[type, type]:
        """As native.native_classes gives them."""
        return type("MdApi", (FakeMd,), {"desk": self}), type("TdApi", (FakeTd,), {"desk": self})


class Binding:
    """A queue and the one thread that calls back."""

    desk: Desk
    front: str

    def __init__(self) -> None:
        self._calls: queue.Queue[tuple[str, tuple[Any, ...]] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.ended = False

    def call(self, name: str, *args: Any) -> None:
        """Call back."""
        self._calls.put((name, args))

    def catch_up(self) -> None:
        """Returns once everything so far has been called back."""
        done = threading.Event()
        self.call("_tell", done)
        assert done.wait(30), "the binding's thread is stuck"

    def _tell(self, done: threading.Event) -> None:
        done.set()

    def registerFront(self, address: str) -> None:
        self.desk.heard.append((f"{self.front}.registerFront", {"address": address}))

    def init(self) -> None:
        self._thread.start()
        if self.desk.reachable:
            self.call("onFrontConnected")

    def exit(self) -> int:
        self._calls.put(None)
        self._thread.join()
        self.ended = True
        return 1

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            name, args = call
            getattr(self, name, lambda *_args: None)(*args)

    def _note(self, name: str, request: dict[str, Any]) -> int:
        """The value to return."""
        self.desk.heard.append((name, request))
        planned = self.desk.returns[name]
        value = planned.pop(0) if planned else 0
        if isinstance(value, Exception):
            raise value
        return value

    def _answer(
        self, name: str, request: dict[str, Any], callback: str, rows: list[dict[str, Any]], reqid: int
    ) -> int:
        result = self._note(name, request)
        if result == 0 and name not in self.desk.silent:
            error = self._error(callback)
            if error["ErrorID"] or not rows:
                self.call(callback, {}, dict(error), reqid, True)
            else:
                for number, row in enumerate(rows, 1):
                    self.call(callback, dict(row), {}, reqid, number == len(rows))
        return result

    def _error(self, callback: str) -> dict[str, Any]:
        return self.desk.errors.get(callback, FINE)


class FakeTd(Binding):
    front = "td"

    def __init__(self) -> None:
        super().__init__()
        self.desk.td = self

    def createFtdcTraderApi(self, flow: str) -> None:
        self.desk.heard.append(("createFtdcTraderApi", {"flow": flow}))

    def subscribePrivateTopic(self, kind: int) -> None: ...

    def subscribePublicTopic(self, kind: int) -> None: ...

    def reqAuthenticate(self, request: dict[str, Any], reqid: int) -> int:
        return self._answer("reqAuthenticate", request, "onRspAuthenticate", [], reqid)

    def reqUserLogin(self, request: dict[str, Any], reqid: int) -> int:
        result = self._answer("reqUserLogin", request, "onRspUserLogin", [self.desk.login], reqid)
        if result == 0 and not self._error("onRspUserLogin")["ErrorID"]:
            self.desk.entered.add(self.desk.login["TradingDay"])
            for callback, row in self.desk.again:
                self.call(callback, dict(row))
        return result

    def reqUserLogout(self, request: dict[str, Any], reqid: int) -> int:
        return self._note("reqUserLogout", request)

    def reqSettlementInfoConfirm(self, request: dict[str, Any], reqid: int) -> int:
        return self._answer("reqSettlementInfoConfirm", request, "onRspSettlementInfoConfirm", [], reqid)

    def reqUserPasswordUpdate(self, request: dict[str, Any], reqid: int) -> int:
        return self._answer("reqUserPasswordUpdate", request, "onRspUserPasswordUpdate", [], reqid)

    def reqQryInstrument(self, request: dict[str, Any], reqid: int) -> int:
        return self._answer("reqQryInstrument", request, "onRspQryInstrument", self.desk.instruments, reqid)

    def reqQryOrder(self, request: dict[str, Any], reqid: int) -> int:
        return self._answer(
            "reqQryOrder", request, "onRspQryOrder", [as_dict(row) for row in self.desk.orders], reqid
        )

    def reqQryTrade(self, request: dict[str, Any], reqid: int) -> int:
        return self._answer(
            "reqQryTrade", request, "onRspQryTrade", [as_dict(row) for row in self.desk.trades], reqid
        )

    def reqQryInvestorPosition(self, request: dict[str, Any], reqid: int) -> int:
        return self._answer(
            "reqQryInvestorPosition", request, "onRspQryInvestorPosition", self.desk.positions, reqid
        )

    def reqQryInvestorPositionDetail(self, request: dict[str, Any], reqid: int) -> int:
        return self._answer(
            "reqQryInvestorPositionDetail",
            request,
            "onRspQryInvestorPositionDetail",
            self.desk.details,
            reqid,
        )

    def reqQryTradingAccount(self, request: dict[str, Any], reqid: int) -> int:
        return self._answer(
            "reqQryTradingAccount",
            request,
            "onRspQryTradingAccount",
            [self.desk.account] if self.desk.account else [],
            reqid,
        )

    def reqQryDepthMarketData(self, request: dict[str, Any], reqid: int) -> int:
        return self._answer(
            "reqQryDepthMarketData", request, "onRspQryDepthMarketData", self.desk.quotes, reqid
        )

    def reqQryInstrumentMarginRate(self, request: dict[str, Any], reqid: int) -> int:
        return self._answer(
            "reqQryInstrumentMarginRate", request, "onRspQryInstrumentMarginRate", self.desk.margins, reqid
        )

    def reqQryExchangeMarginRate(self, request: dict[str, Any], reqid: int) -> int:
        return self._answer(
            "reqQryExchangeMarginRate",
            request,
            "onRspQryExchangeMarginRate",
            self.desk.exchange_margins,
            reqid,
        )

    def reqQryInstrumentCommissionRate(self, request: dict[str, Any], reqid: int) -> int:
        return self._answer(
            "reqQryInstrumentCommissionRate",
            request,
            "onRspQryInstrumentCommissionRate",
            self.desk.commissions,
            reqid,
        )

    def reqQrySettlementInfo(self, request: dict[str, Any], reqid: int) -> int:
        parts = [{"TradingDay": "20250606", "Content": part} for part in self.desk.statement]
        return self._answer("reqQrySettlementInfo", request, "onRspQrySettlementInfo", parts, reqid)

    def reqOrderInsert(self, request: dict[str, Any], reqid: int) -> int:
        return self._note("reqOrderInsert", request)

    def reqOrderAction(self, request: dict[str, Any], reqid: int) -> int:
        return self._note("reqOrderAction", request)


class FakeMd(Binding):
    """It verifies: who has not logged in to trading on this day is refused, as the guide has it (HQLK 1)."""

    front = "md"

    def __init__(self) -> None:
        super().__init__()
        self.desk.md = self

    def _error(self, callback: str) -> dict[str, Any]:
        if callback == "onRspUserLogin" and self.desk.login["TradingDay"] not in self.desk.entered:
            return {"ErrorID": 3, "ErrorMsg": "CTP:不合法的登录"}
        return self.desk.errors.get(f"md.{callback}") or super()._error(callback)

    def createFtdcMdApi(self, flow: str) -> None:
        self.desk.heard.append(("createFtdcMdApi", {"flow": flow}))

    def reqUserLogin(self, request: dict[str, Any], reqid: int) -> int:
        return self._answer("md.reqUserLogin", request, "onRspUserLogin", [self.desk.login], reqid)

    def reqUserLogout(self, request: dict[str, Any], reqid: int) -> int:
        return self._note("md.reqUserLogout", request)

    def subscribeMarketData(self, symbol: str) -> int:
        return self._note("subscribeMarketData", {"symbol": symbol})

    def unSubscribeMarketData(self, symbol: str) -> int:
        return self._note("unSubscribeMarketData", {"symbol": symbol})
