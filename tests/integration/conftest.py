"""The web by itself: an app on a data directory of its own, and gateways written by hand that record what
reaches them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from ctpbee.constant import Exchange
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.bee.fields import contract_of, tick_of
from app.lib import account_config, risk, rows, switches
from app.lib.account_names import account_key
from app.lib.calendar import SHANGHAI
from app.lib.errors import BadInput, LoginRefused, NeedsLogin, NotFound, OrderRefused
from app.lib.risk_counts import Counts
from app.lib.strategy_lib import parse
from app.settings import Settings
from app.wire.messages import (
    AccountInfo,
    Accounts,
    AnyRequest,
    CancelAll,
    CancelBacktest,
    CancelOrder,
    CancelSelected,
    CheckPassword,
    CloseOutcome,
    ClosePosition,
    CodeSaved,
    CompareBacktests,
    ConfirmSettlement,
    Counted,
    DeleteBacktest,
    DeleteStrategy,
    DescribeContract,
    Done,
    GiveSign,
    Json,
    ListAccounts,
    ListContracts,
    ListStrategies,
    LoggedIn,
    LoggedOut,
    LogIn,
    OrderOutcome,
    PlaceOrder,
    PreviewOrder,
    PushContracts,
    ReadAccount,
    ReadAudit,
    ReadBacktest,
    ReadBacktestData,
    ReadBacktests,
    ReadBars,
    ReadCode,
    ReadConfig,
    ReadConnections,
    ReadEquity,
    ReadEvents,
    ReadLists,
    ReadMetrics,
    ReadRisk,
    ReadSettlement,
    ReadStatus,
    ReadStrategy,
    ReadStrategyLog,
    ReadTick,
    RestartStrategy,
    SaveCode,
    SetRiskState,
    SetStrategyLimits,
    StartStrategy,
    StopStrategy,
    SubmitBacktest,
    Subscribe,
    Symbols,
    Unsubscribe,
    VoidOrder,
    WriteConfig,
    WriteRisk,
)
from app.wire.registry import Entry
from tests.fakes import front
from tests.fakes.workshop import FakeWorkshop

LISTS = (
    b'{"position_list":[],"active_order_list":[],"trade_list":[],"order_list":[],"log_history":[],"as_of":""}'
)
FUNDS = (
    b'{"account":[{"key":"available","value":1.0}],'
    b'"account_detail":[{"key":"available","label":"\xe5\x8f\xaf\xe7\x94\xa8\xe8\xb5\x84\xe9\x87\x91","value":1.0}],"as_of":""}'
)
RB2501 = {
    **{"local_symbol": "rb2501.SHFE", "symbol": "rb2501", "exchange": "SHFE", "name": "螺纹钢2501"},
    **{"product": "rb", "product_name": "螺纹钢", "size": 10, "pricetick": 1.0},
    **{"expire_date": "2025-01-15", "sessions": [["21:00", "23:00"], ["09:00", "10:15"]]},
}
TICK = rows.row_of(
    tick_of(
        front.depth("rb2501"),
        name="螺纹钢2501",
        exchange=Exchange.SHFE,
        trading_day=front.DAY,
        now=datetime(2025, 6, 9, 9, 30, tzinfo=SHANGHAI),
        gateway_name="sim",
    )
)
CONTRACT = rows.contract_row(contract_of(front.instrument("rb2501"), "sim")) | {
    **{"trading_day": front.DAY, "sessions": [["09:00", "10:15"]], "session_times": [[1, 2]]},
    **{"order_types": ["limit", "fak", "fok"], "rates": "account"},
}
STRATEGY = {
    **{"name": "双均线", "status": "停止", "state": "停止", "version": 1, "running_version": 0, "pid": 0},
    **{"memory": 0, "started": "", "updated": "2025-06-09 09:30:00", "restarts": 0},
    **{"shared": False, "contained": False, "error": None, "versions": []},
}
BOOK = {
    **{"orders": [], "trades": [], "positions": [], "limits": {}},
    "profit": {"close_profit": 0.0, "float_pnl": 0.0, "commission": 0.0, "net": 0.0},
}
PREVIEW = {
    **{"price": 3500.0, "margin": 3500.0, "fee": 3.5, "available": 990_000.0, "order_limit": 500},
    "largest": dict.fromkeys(
        ("long", "short"), {"open": 282, "close": 0, "closetoday": 2, "closeyesterday": 0}
    ),
    "rates": "account",
    "problem": {"error": "BAD_INPUT", "msg": "价格不在最小变动价位上", "parameter": "price"},
    "risk": [],
}
EQUITY = {
    "fields": ["timestamp", "trading_day", "balance"],
    "rows": [[1733100000000, "20241202", 1_000_000.0], [1733100060000, "20241202", None]],
}
CONTRACTS = {
    "rb2501.SHFE": (1.0, 3000.0, 4000.0),
    "ag2412.SHFE": (1.0, 7000.0, 8000.0),
}  # tick, lower and upper limit
WRONG_PASSWORD = "CTP:不合法的登录"


FRONTS = {
    front: {"state": "ready", "reason": "", "since": "2025-06-05 10:00:00.000"} for front in ("td", "md")
}


RISK: dict[str, Any] = {
    "trading_day": "20250609",
    "states": {"account": {"state": "active", "who": "", "when": "", "why": ""}, "strategies": {}},
    "measures": [],
    **dict.fromkeys(
        (
            "own",
            "rules",
            "contracts",
            "strategies",
            "duplicates",
            "uses",
            "thresholds",
            "recent",
            "switches",
            "group",
        ),
        [],
    ),
    "account": Counts().as_dict(),
    "money": {},
    "caveat": "以交易所、期货公司通知为准",
}


AUDIT: dict[str, Any] = {
    "days": ["20250609"],
    "day": "20250609",
    "entries": [
        {
            "seq": 7,
            "time": "2025-06-09 10:00:00.000",
            "kind": "trade",
            "text": "委托",
            "data": {"local_symbol": "rb2510.SHFE", "price": 3000.0, "status": "未成交"},
            "prev": "a",
            "hash": "b",
        }
    ],
    "place": None,
}


BACKTEST: dict[str, Any] = {
    **{"id": "0123456789abcdef", "title": "双均线", "kind": "run", "state": "排队", "strategy": "双均线"},
    **{"version": 1, "contracts": ["rb2401.SHFE"], "main": [], "files": [], "by": "bars", "start": ""},
    **{"end": "", "capital": 1_000_000.0, "parameters": {}, "rates": False, "search": None, "place": 1},
    **{"symbol": "", "label": "", "main_warm_up": 10},
    **{"created": "2025-06-09 09:30:00", "started": "", "ended": "", "progress": None, "error": None},
    **{"figures": None, "warnings": [], "size": 0},
    "fills": {"latency_ms": None, "spread_ticks": 1, "slippage_ticks": 0, "participation": 0.25},
}


class FakeGateways:
    """Stands where app.web.gateways.Gateways does: answers as a gateway would, and remembers.

    `heard` is all that was asked; `sent` what would have gone on to a counter. `answers` overrides a kind of
    request: a reply, an exception to raise, or a function of the request.
    """

    def __init__(self) -> None:
        self.host_lives = True
        self.host_limits: list[float | None] = []  # how long each question of the host may take
        self.forget()

    def forget(self) -> None:
        """As new."""
        self.heard: list[tuple[str, AnyRequest]] = []
        self.sent: list[AnyRequest] = []
        self.answers: dict[type, Any] = {}
        self.passwords: dict[str, str] = {}
        self.running: set[str] = set()
        self.orders: dict[str, str] = {}  # order_id → account
        self.working = 0

    def log_in(self, request: LogIn) -> LoggedIn:
        account = account_key(request.interface, request.brokerid, request.userid)
        self.heard.append((account, request))
        if LogIn in self.answers:
            return self._overridden(request)
        if self.passwords.setdefault(account, request.password) != request.password:
            raise LoginRefused(WRONG_PASSWORD, code="CTP_3")
        fresh = account not in self.running
        self.running.add(account)
        return LoggedIn(account, fresh)

    def log_out(self, account: str, by: str = "") -> LoggedOut:
        self.logged_out_by = by
        if account not in self.running:
            raise NotFound("账户未登录")
        self.running.discard(account)
        return LoggedOut(self.working)

    def accounts(self) -> list[Entry]:
        return [
            Entry(name=f"gateway-{account}", kind="gateway", pid=0, started=0.0, account=account)
            for account in sorted(self.running)
        ]

    def request_snapshot(self, account: str) -> None:
        return None

    def call(self, account: str, request: AnyRequest, timeout: float | None = None) -> Any:
        self.heard.append((account, request))
        if type(request) in self.answers:
            return self._overridden(request)
        if account not in self.running:
            raise NeedsLogin("账户的网关已退出，请重新登录")
        return self._answer(account, request)

    def host_is_there(self) -> bool:
        return self.host_lives

    def ask_host(self, request: AnyRequest, timeout: float | None = None) -> Any:
        self.heard.append(("", request))
        self.host_limits.append(timeout)
        if type(request) in self.answers:
            return self._overridden(request)
        match request:
            case ListAccounts():
                return Accounts(
                    [AccountInfo(account, "sim", "9999", "demo", "ready") for account in sorted(self.running)]
                )
            case ListStrategies(name=""):
                return Json(b"[]")
            case ListStrategies():
                return Json(orjson.dumps(STRATEGY | {"name": request.name}))
            case StartStrategy() | StopStrategy() | RestartStrategy() | DeleteStrategy():
                self.sent.append(request)
                return Done()
            case ReadStrategyLog():
                return Json(b'{"lines":[],"before":""}')
            case SaveCode():
                return CodeSaved(parse(request.text).name, 3, False)
            case ReadCode():
                return Json(orjson.dumps({request.name: "source"}))
        raise AssertionError(f"the web has no business asking the host {request!r}")

    def ask_backtests(self, request: AnyRequest) -> Any:  # noqa: C901 - a list
        self.heard.append((getattr(request, "account", ""), request))
        if type(request) in self.answers:
            return self._overridden(request)
        match request:
            case SubmitBacktest():
                self.sent.append(request)
                return Json(orjson.dumps(BACKTEST))
            case ReadBacktests(ids=[]):
                bounds = {"most_kept": 100, "kept_bytes": 0, "most_bytes": 1 << 30, "at_once": 1}
                return Json(orjson.dumps({"jobs": [BACKTEST]} | bounds))
            case ReadBacktests():
                return Json(orjson.dumps([BACKTEST]))
            case CompareBacktests():
                return Json(orjson.dumps([{"row": BACKTEST, "figures": {}, "days": [], "settings": {}}]))
            case ReadBacktest(what="report"):
                return Json(b"<!doctype html>")
            case ReadBacktest(what="log"):
                return Json("打印".encode())
            case ReadBacktest():
                return Json(b'{"format":1}')
            case CancelBacktest():
                return Json(orjson.dumps(BACKTEST))
            case DeleteBacktest():
                return Done()
            case ReadBacktestData():
                return Json(b'{"store":[],"files":[],"ticks":[]}')
        raise AssertionError(f"the web has no business asking for backtests by {request!r}")

    def asked(self, kind: type) -> list[Any]:
        """What was asked of this kind."""
        return [request for _, request in self.heard if isinstance(request, kind)]

    def _overridden(self, request: AnyRequest) -> Any:
        answer = self.answers[type(request)]
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else answer

    def _answer(self, account: str, request: AnyRequest) -> Any:  # noqa: C901 - a list, one case per request
        match request:
            case CheckPassword():
                if request.password != self.passwords[account]:
                    raise LoginRefused(WRONG_PASSWORD, code="CTP_3")
                return Done()
            case PlaceOrder():
                self._check_order(request)
                order_id = f"1_77_{len(self.sent) + 1}"
                self.orders[order_id] = account
                self.sent.append(request)
                return OrderOutcome(order_id, "accepted")
            case PreviewOrder():
                self._resolve(request.local_symbol, "local_symbol")
                return Json(orjson.dumps(PREVIEW))
            case ClosePosition():
                self._resolve(request.local_symbol, "local_symbol")
                if request.volume > 5:
                    raise OrderRefused("平仓量超过持仓量", code="CLOSABLE_EXCEEDED")
                self.sent.append(request)
                return CloseOutcome([OrderOutcome("1_77_8", "accepted"), OrderOutcome("1_77_9", "accepted")])
            case VoidOrder():
                return OrderOutcome("", "voided")
            case CancelOrder():
                if self.orders.get(request.order_id) != account:
                    raise NotFound("本账户没有这笔委托")
                self.sent.append(request)
                return Done()
            case CancelAll():
                self.sent.append(request)
                return Counted(2)
            case Subscribe() | Unsubscribe():
                symbols = [self._resolve(symbol, "symbol") for symbol in request.symbols]
                self.sent.append(request)
                return Symbols(symbols)
            case PushContracts():
                return Counted(len(CONTRACTS))
            case DescribeContract():
                return Json(orjson.dumps(CONTRACT | {"local_symbol": self._known(request.symbol)}))
            case ReadLists():
                return Json(LISTS)
            case ReadAccount():
                return Json(FUNDS)
            case ReadTick():
                return Json(orjson.dumps(TICK | {"local_symbol": self._known(request.symbol)}))
            case ListContracts():
                return Json(orjson.dumps({"contracts": [RB2501], "as_of": ""}))
            case ReadBars():
                self._resolve(request.local_symbol, "local_symbol")
                return Json(b"[[1733100000000,3300.0,3310.0,3295.0,3305.0,120]]")
            case ReadEquity():
                return Json(orjson.dumps(EQUITY))
            case ReadConfig():
                return Json(orjson.dumps(account_config.DEFAULTS))
            case WriteConfig():
                self.sent.append(request)
                return Done()
            case ReadSettlement():
                return Json(b'{"day":"20250606","text":"\xe7\xbb\x93\xe7\xae\x97\xe5\x8d\x95"}')
            case ConfirmSettlement():
                self.sent.append(request)
                return Done()
            case ReadEvents():
                return Json(b'{"seq":7,"events":[]}')
            case ReadStatus():
                return Json(orjson.dumps(FRONTS))
            case ReadMetrics():
                return Json(b"[]")
            case ReadStrategy():
                return Json(orjson.dumps(BOOK))
                return Json(
                    orjson.dumps({"orders": [], "trades": [], "positions": [], "profit": {}, "limits": {}})
                )
            case ReadRisk():
                return Json(orjson.dumps(RISK))
            case WriteRisk():
                risk.checked_rules(request.rules or [], risk.GUARDS)
                switches.checked_switches(request.switches or [])
                self.sent.append(request)
                return Done()
            case ReadAudit():
                return Json(orjson.dumps(AUDIT))
            case ReadConnections():
                return Json(b'{"connections":[]}')
            case GiveSign():
                return Json(b'{"watched":true,"seconds":30.0}')
            case SetRiskState() | CancelSelected():
                self.sent.append(request)
                return Json(orjson.dumps({"states": RISK["states"], "orders": []}))
            case SetStrategyLimits():
                self.sent.append(request)
                return Done()
        raise AssertionError(f"the web has no business asking {request!r}")

    def _known(self, symbol: str) -> str:
        try:
            return self._resolve(symbol, "symbol")
        except BadInput:
            raise NotFound("不认识的合约") from None

    @staticmethod
    def _resolve(symbol: str, parameter: str) -> str:
        found = [name for name in CONTRACTS if symbol in (name, name.partition(".")[0])]
        if not found:
            raise BadInput(parameter, "不认识的合约", code="UNKNOWN_SYMBOL")
        return found[0]

    def _check_order(self, request: PlaceOrder) -> None:
        tick, lower, upper = CONTRACTS[self._resolve(request.local_symbol, "local_symbol")]
        if request.volume > 500:
            raise BadInput("volume", "手数超过每笔上限")
        if request.type != "market" and request.price % tick:
            raise BadInput("price", "价格不是最小变动价位的整数倍")
        if request.type != "market" and not lower <= request.price <= upper:
            raise BadInput("price", "价格超出涨跌停")


class Auth:
    """A trader at the client: `auth.log_in()` is one line, then `auth.get(...)` and the rest carry the
    token.
    """

    def __init__(self, client: FlaskClient) -> None:
        self.client: Any = client
        self.token = ""
        self.scheme = "Bearer"

    def log_in(self, userid: str = "demo", password: str = "secret-pass", **fields: str) -> Auth:
        answer = self.try_log_in(userid=userid, password=password, **fields)
        assert answer.json["success"], answer.json
        self.token = answer.json["data"]
        return self

    def try_log_in(self, **fields: str) -> Any:
        return self.client.post(
            "/login", data={"authorization": "000000", "brokerid": "9999", "interface": "sim"} | fields
        )

    def ask(self, method: str, path: str, **how: Any) -> Any:
        headers = {"Authorization": f"{self.scheme} {self.token}"} | how.pop("headers", {})
        return self.client.open(path, method=method, headers=headers, **how)


@pytest.fixture
def gateways() -> FakeGateways:
    return FakeGateways()


@contextmanager
def apps(data_dir: Path, gateways: FakeGateways) -> Iterator[Callable[..., Flask]]:
    """`make(**settings)`: apps on one data directory, as servers are that are started one after the other."""
    made: list[Flask] = []

    def make(**options: Any) -> Flask:
        values = {
            "data_dir": data_dir,
            "async_mode": "threading",
            "login_per_address": 1_000_000,
            "login_per_account": 1_000_000,
        } | options
        app = create_app(Settings.load(environment={}, **values), gateways)  # type: ignore[arg-type]
        app.config["WORKSHOP"] = FakeWorkshop()
        app.testing = True
        made.append(app)
        return app

    yield make
    for app in made:
        app.extensions["sockets"].stop()
        app.config["STORE"].close()


@pytest.fixture
def make_app(tmp_path: Path, gateways: FakeGateways) -> Iterator[Callable[..., Flask]]:
    with apps(tmp_path / "data", gateways) as make:
        yield make


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app()


@pytest.fixture
def client(app: Flask) -> Any:
    return app.test_client()


@pytest.fixture
def auth(client: FlaskClient) -> Auth:
    return Auth(client)
