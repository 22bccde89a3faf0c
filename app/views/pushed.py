"""The shapes of rows, and of what comes over Socket.IO, for /openapi.json: `SocketEvents` there has a member
for each event. Web process. Pure.

Rows are made where the account is (app/lib/rows.py, app/host/strategy_keeper.py);
tests/integration/test_shapes.py holds rows and events of a real gateway to these. Yuan, lots, exchange time;
what has no value is 0.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

Direction = Literal["多", "空"]
Offset = Literal["开", "平", "平今", "平昨"]
OrderType = Literal["限价", "市价", "FAK", "FOK"]
OrderStatus = Literal[
    "提交中", "未成交", "部分成交", "全部成交", "已撤销", "拒单", "未触发", "已触发", "状态未知"
]
BarRow = list[float | str | None]
"""[ms, open, high, low, close, volume]; a day's has its trading day behind, then the fields asked for."""


class Tick(TypedDict):
    local_symbol: str  # rb2510.SHFE
    symbol: str
    exchange: str
    name: str
    gateway_name: str
    datetime: str  # YYYY-MM-DD HH:MM:SS.mmm
    trading_day: str  # YYYYMMDD
    last_price: float
    last_volume: float
    volume: float
    turnover: float
    open_interest: float
    pre_open_interest: float
    average_price: float
    open_price: float
    high_price: float
    low_price: float
    pre_close: float
    pre_settlement_price: float
    settlement_price: float
    limit_up: float
    limit_down: float
    bid_price_1: float
    bid_volume_1: int
    bid_price_2: float
    bid_volume_2: int
    bid_price_3: float
    bid_volume_3: int
    bid_price_4: float
    bid_volume_4: int
    bid_price_5: float
    bid_volume_5: int
    ask_price_1: float
    ask_volume_1: int
    ask_price_2: float
    ask_volume_2: int
    ask_price_3: float
    ask_volume_3: int
    ask_price_4: float
    ask_volume_4: int
    ask_price_5: float
    ask_volume_5: int


class OrderRow(TypedDict):
    order_id: str
    local_order_id: str
    client_order_id: str
    order_sys_id: str
    order_local_id: str
    local_symbol: str
    symbol: str
    exchange: str
    gateway_name: str
    strategy: str  # who sent it, "" for a page
    is_local: bool  # sent by this gateway's session
    direction: Direction
    offset: Offset
    type: OrderType
    price: float
    volume: float
    traded: float
    status: OrderStatus
    status_msg: str
    error_code: str
    error_message: str
    time: str  # HH:MM:SS
    datetime: str | None
    trading_day: str


class TradeRow(TypedDict):
    tradeid: str
    trade_key: str
    local_trade_id: str
    order_id: str
    local_order_id: str
    local_symbol: str
    symbol: str
    exchange: str
    gateway_name: str
    strategy: str
    is_local: bool
    direction: Direction
    offset: Offset
    price: float
    volume: float
    forced: str  # 强平, 强减, 本地强平, "" for none
    time: str
    order_time: str
    datetime: str | None
    trading_day: str


class PositionRow(TypedDict):
    local_symbol: str
    local_position_id: str
    symbol: str
    exchange: str
    direction: Literal["long", "short"]
    volume: int
    yd_volume: int
    today_volume: int
    frozen: int
    available: int
    price: float
    open_price: float
    position_profit: float  # by date
    float_pnl: float  # by trade
    pnl: float
    margin: float


class Fund(TypedDict):
    key: str
    value: str | float


class LabelledFund(Fund):
    label: str


class LogRow(TypedDict):
    created: str  # YYYY-MM-DD HH:MM:SS
    name: str
    levelname: Literal["INFO", "ERROR", "DEBUG", "WARNING"]
    owner: str
    message: str


class StrategyError(TypedDict):
    message: str
    line: int
    traceback: str
    time: str
    version: int


class StrategyRow(TypedDict):
    name: str
    status: Literal["停止", "运行中"]
    state: Literal["停止", "启动中", "运行中", "异常", "停止中"]
    version: int
    running_version: int
    pid: int
    memory: int  # MB
    started: str
    updated: str
    restarts: int
    shared: bool
    contained: bool
    error: StrategyError | None
    deleted: NotRequired[bool]  # in the event alone


class StrategyLogLine(TypedDict):
    name: str
    created: str
    levelname: Literal["INFO", "ERROR", "DEBUG", "WARNING"]
    message: str


class PartStatus(TypedDict):
    state: str
    reason: str
    since: str


class Status(TypedDict):
    """All but `gateway` are missing as long as there is none that says them."""

    gateway: PartStatus
    td: NotRequired[PartStatus]
    md: NotRequired[PartStatus]
    store: NotRequired[PartStatus]
    calendar: NotRequired[PartStatus]


class SharedPoint(TypedDict):
    local_symbol: str
    datetime: str
    open_interest: float
    volume: float
    last_price: float
    average_price: float


class TickEvent(TypedDict):
    type: Literal["tick"]
    data: Tick


class PositionEvent(TypedDict):
    type: Literal["position"]
    data: list[PositionRow]


class OrderEvent(TypedDict):
    type: Literal["order", "active_order"]
    data: list[OrderRow]


class TradeEvent(TypedDict):
    type: Literal["trade"]
    data: list[TradeRow]


class AccountEvent(TypedDict):
    type: Literal["account"]
    data: list[Fund]


class AccountDetailEvent(TypedDict):
    type: Literal["account_detail"]
    data: list[LabelledFund]


class BarEvent(TypedDict):
    local_symbol: str
    data: list[float]


class BarUpdate(TypedDict):
    local_symbol: str
    interval: str
    data: list[float]
    turnover: float | None
    open_interest: float | None
    trading_day: str
    starts: dict[str, int]


class OrderUpdate(TypedDict):
    type: Literal["order_update"]
    seq: int
    data: OrderRow


class TradeUpdate(TypedDict):
    type: Literal["trade_update"]
    seq: int
    data: TradeRow


class StrategyEvent(TypedDict):
    type: Literal["strategy"]
    data: StrategyRow


class BacktestProgress(TypedDict):
    stage: Literal["reading", "running"]
    percent: float
    trading_day: str
    rate: float  # bars or ticks a second
    rest: float | None  # seconds
    units: int  # runs: of a search, how many
    units_done: int


class BacktestError(TypedDict):
    message: str
    traceback: str
    line: int  # of the strategy's text, 0 for none
    strategy: str
    code: str


class BacktestFills(TypedDict):
    latency_ms: int | None
    spread_ticks: int
    slippage_ticks: int
    participation: float


class BacktestRow(TypedDict):
    id: str
    title: str
    kind: Literal["run", "search"]
    state: Literal["排队", "运行", "完成", "失败", "已取消"]
    strategy: str
    version: int  # 0: a text that is no saved version
    contracts: list[str]
    main: list[str]
    files: list[str]
    by: Literal["bars", "ticks"]
    start: str  # YYYYMMDD, "" for open
    end: str
    capital: float
    parameters: dict[str, Any]
    fills: BacktestFills
    rates: bool
    symbol: str
    label: str
    main_warm_up: int
    search: dict[str, Any] | None
    created: str
    started: str
    ended: str
    place: int  # in the queue, from 1; 0: not in it
    progress: BacktestProgress | None
    error: BacktestError | None
    figures: dict[str, Any] | None
    warnings: list[str]
    size: int  # bytes
    deleted: NotRequired[bool]  # in the event alone


class BacktestEvent(TypedDict):
    type: Literal["backtest"]
    data: BacktestRow


class SharedEvent(TypedDict):
    type: Literal["shared"]
    data: SharedPoint


class SnapshotEvent(TypedDict):
    seq: int
    states: NotRequired[RiskStates]  # of the gate; a gateway of an earlier version tells none


class ErrorEvent(TypedDict):
    """There may be more, as `order_id`."""

    error: str
    msg: str


class RiskState(TypedDict):
    state: Literal["active", "reduce_only", "halted"]
    who: str
    when: str
    why: str


class RiskStates(TypedDict):
    account: RiskState
    strategies: dict[str, RiskState]


class RiskHappening(TypedDict):
    """What the gate has to tell; what does not apply is not there."""

    time: str
    what: Literal["warning", "limit", "refused", "duplicate", "state", "cancel", "switch", "group"]
    code: str
    msg: str
    rule: NotRequired[str]
    scope: NotRequired[str]
    name: NotRequired[str]
    value: NotRequired[float]
    limit: NotRequired[float]
    local_symbol: NotRequired[str]
    side: NotRequired[Literal["buy", "sell"]]
    price: NotRequired[float]
    volume: NotRequired[float]
    strategy: NotRequired[str]
    order_id: NotRequired[str]
    state: NotRequired[str]  # of a cancel: cancelled failed sent
    watch: NotRequired[Literal["page", "script", "strategy", "market"]]


class RiskNews(RiskHappening):
    states: RiskStates


class RiskEvent(TypedDict):
    type: Literal["risk"]
    data: RiskNews


class SocketEvents(TypedDict):
    """What the server sends, by the event's name."""

    tick: TickEvent
    ticks: list[Tick]
    position: PositionEvent
    active_order: OrderEvent
    order: OrderEvent
    trade: TradeEvent
    account: AccountEvent
    account_detail: AccountDetailEvent
    bar: BarEvent
    bar_update: BarUpdate
    contract: list[str]
    log: LogRow
    shared: SharedEvent
    order_update: OrderUpdate
    trade_update: TradeUpdate
    status: Status
    snapshot: SnapshotEvent
    strategy: StrategyEvent
    strategy_log: StrategyLogLine
    backtest: BacktestEvent
    risk: RiskEvent
    error: ErrorEvent
