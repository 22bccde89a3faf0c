"""The shapes of what is answered, for /openapi.json: the types of `data`, and of the top-level keys beside
the three. Web process. Pure.

Rows are made where the account is (app/lib/rows.py); here are the fields that are promised, there may be
more. tests/integration/test_openapi.py holds answers to them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from msgspec import Meta

from app.views.pushed import (
    BacktestRow,
    Fund,
    LabelledFund,
    LogRow,
    OrderRow,
    PositionRow,
    RiskHappening,
    RiskStates,
    StrategyRow,
    TradeRow,
)

Row = dict[str, Any]
"""A flat object with ctpbee's field names (docs/api.md, 行)."""


class Lists(TypedDict):
    position_list: list[PositionRow]
    active_order_list: list[OrderRow]
    trade_list: list[TradeRow]
    order_list: list[OrderRow]
    log_history: list[LogRow]
    as_of: str  # when the lists were so, "" while they are of now


class Ordered(TypedDict):
    order_id: str
    status: NotRequired[str]  # 未成交, 全部成交, …
    traded: NotRequired[float]
    client_order_id: NotRequired[str]
    advice: NotRequired[str]


class MostLots(TypedDict):
    """By offset; null: no price is known."""

    open: int | None
    close: int
    closetoday: int
    closeyesterday: int


class Largest(TypedDict):
    """By the order's direction: long buys, and closes what is short."""

    long: MostLots
    short: MostLots


class Trouble(TypedDict):
    error: str
    msg: str
    parameter: str


class RiskFinding(TypedDict):
    what: Literal["refused", "limit", "warning"]
    error: str
    msg: str
    rule: str  # its id, "" for none


class Preview(TypedDict):
    price: float  # what it is counted by
    margin: float | None  # yuan, of all its lots
    fee: float | None
    available: float
    largest: Largest
    order_limit: int  # lots in one order, 0 for no limit
    rates: Literal["account", "listed"]
    problem: Trouble | None  # why it would not be sent as it stands
    risk: list[RiskFinding]  # what the gate would say of it


class Cancelled(TypedDict):
    order_id: NotRequired[str]
    voided: NotRequired[bool]
    state: NotRequired[str]


class RefusedLeg(TypedDict):
    order_id: str
    error: str
    msg: str


class Closed(TypedDict):
    order_id: str
    order_ids: list[str]
    refused: NotRequired[list[RefusedLeg]]
    advice: NotRequired[str]


class Funds(TypedDict):
    account: list[Fund]  # as the event of that name has them
    account_detail: list[LabelledFund]
    as_of: str


class Offer(TypedDict):
    """What a login may say here, without a secret and without an address."""

    interface: str  # what a login without one means
    paper: bool  # whether the built-in counter takes accounts
    fronts: list[str]  # names on the server's list; where there are any, no others are dialled
    free_addresses: bool  # whether a login may name addresses of its own
    ctp: bool  # whether CTP's library is installed
    public: bool
    default_code: bool  # whether the authorization code is still 000000
    settlement_confirm: bool  # whether statements are confirmed by the server; else a trader has to
    version: str


class ListedContract(TypedDict):
    local_symbol: str
    symbol: str
    exchange: str
    name: str
    product: str
    product_name: str
    size: float
    pricetick: float
    expire_date: str | None  # YYYY-MM-DD
    sessions: list[list[str]]  # of the trading day, [["21:00", "23:00"], …]


class ContractRow(TypedDict):
    local_symbol: str
    symbol: str
    exchange: str
    name: str
    gateway_name: str
    product: str  # ctpbee's word for the class
    product_id: str
    product_name: str
    size: float
    pricetick: float
    min_volume: float
    min_limit_order_volume: float
    max_limit_order_volume: float
    min_market_order_volume: float
    max_market_order_volume: float
    is_trading: bool
    inst_life_phase: str
    delivery_year: int
    delivery_month: int
    create_date: str | None  # YYYY-MM-DD
    open_date: str | None
    expire_date: str | None
    start_delivery_date: str | None
    end_delivery_date: str | None
    position_type: str
    position_date_type: str  # "1": today's lots and history are closed apart
    combination_type: str
    max_margin_side_algorithm: bool
    long_margin_ratio: float
    short_margin_ratio: float
    long_margin_by_volume: float
    short_margin_by_volume: float
    open_fee_by_money: float
    open_fee_by_volume: float
    close_fee_by_money: float
    close_fee_by_volume: float
    close_today_fee_by_money: float
    close_today_fee_by_volume: float
    rates: Literal["account", "listed"]
    limit_up: float
    limit_down: float
    pre_settlement_price: float
    trading_day: str
    sessions: list[list[str]]
    session_times: list[list[int]]  # ms
    order_types: list[Literal["limit", "market", "fak", "fok"]]
    if_last: bool
    net_position: bool
    stop_supported: bool
    option_expiry: str | None
    option_strike: float
    option_type: str | None
    option_underlying: str
    as_of: NotRequired[str]


class ContractList(TypedDict):
    contracts: list[ListedContract]
    as_of: str


class Settings(TypedDict):
    REFRESH_INTERVAL: float
    INSTRUMENT_INDEPEND: bool
    SLIPPAGE_SHORT: float
    SLIPPAGE_BUY: float
    SLIPPAGE_COVER: float
    SLIPPAGE_SELL: float
    CLOSE_PATTERN: str
    SHARED_FUNC: bool


_ROWS = {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("OrderRow", "TradeRow")]}


class JournalEvent(TypedDict):
    seq: int
    event: Literal["order_update", "trade_update"]
    data: Annotated[Any, Meta(extra_json_schema=_ROWS)]  # msgspec takes no union of two TypedDicts


class Events(TypedDict):
    seq: int
    events: list[JournalEvent]


class Equity(TypedDict):
    fields: list[str]  # what the elements of a row are: timestamp (ms), trading_day, then yuan
    rows: list[list[int | float | str | None]]


class Statement(TypedDict):
    day: str
    text: str


class LogLine(TypedDict):
    created: str
    levelname: str
    message: str


class LogPage(TypedDict):
    lines: list[LogLine]
    before: str


class Version(TypedDict):
    version: int
    sha: str
    time: str
    source: str


class OwnedPosition(TypedDict):
    """A lot of a strategy's."""

    local_symbol: str
    direction: Literal["long", "short"]
    volume: int
    open_date: str
    open_price: float
    last_price: float
    float_pnl: float


class Profit(TypedDict):
    """Of a strategy since it first traded, in yuan."""

    close_profit: float
    float_pnl: float
    commission: float
    net: float


class StrategyDetail(StrategyRow):
    """The last five are null where the gateway is not there."""

    versions: NotRequired[list[Version]]
    orders: list[OrderRow] | None
    trades: list[TradeRow] | None
    positions: list[OwnedPosition] | None
    profit: Profit | None
    limits: Limits | None


class RiskRule(TypedDict):
    """A rule in force; `source` and `date` are where its number is from, "" for the trader's own; `entry` is
    which of `own` says so, from 1, 0 for none.
    """

    id: str
    measure: str
    text: str  # the measure in words
    scope: Literal["account", "strategy", "exchange", "product", "contract"]
    name: str  # which one of the scope, "" for each by itself
    exchange: str
    products: list[str]
    limit: float
    warn: float
    action: str  # warn delay refuse cancel reduce_only halt
    seconds: float
    source: str
    date: str
    entry: int


class RiskMeasure(TypedDict):
    """What a rule may be about, with the scopes and actions that it may have."""

    measure: str
    text: str
    of: Literal["day", "rate", "order", "held", "money"]  # of a rate a rule has `seconds`
    scopes: list[Literal["account", "strategy", "exchange", "product", "contract"]]
    actions: list[str]


class RiskUse(TypedDict):
    """How far a rule is used by what it counts: `name` is the contract, product, … or "" for the account."""

    rule: str
    measure: str
    text: str
    scope: Literal["account", "strategy", "exchange", "product", "contract"]
    name: str
    value: float
    limit: float
    share: float | None  # null where the limit is 0
    level: Literal[0, 1, 2]  # below, warned of, at the limit
    action: str
    source: str
    date: str


class RiskCounts(TypedDict):
    """Of the trading day: orders and lots."""

    orders: int
    refusals: int
    cancels: int
    fak_cancels: int
    large_cancels: int
    opened: int
    filled: int
    messages: int
    working: int
    opening: int
    self_trades: int
    duplicates: int
    otr: float


class ContractCounts(RiskCounts):
    local_symbol: str
    fee: float | None  # yuan, null where no steps are known
    uses: list[RiskUse]  # of the limits of this contract and of its product


class StrategyCounts(RiskCounts):
    name: str


class DuplicateOrder(TypedDict):
    """One that was equal to an earlier order of the same moment."""

    order_id: str
    local_symbol: str
    side: Literal["buy", "sell"]
    price: float
    volume: int
    strategy: str


class RiskMoney(TypedDict):
    """Only while a rule is about money: yuan, and shares of the equity."""

    day_loss: NotRequired[float]
    drawdown: NotRequired[float]
    margin_ratio: NotRequired[float]


class RiskThreshold(TypedDict):
    """A number of an exchange's or a counter's; to be shown with `caveat`."""

    id: str
    measure: str
    exchange: str
    products: list[str]
    per: Literal["contract", "product"]
    limit: int
    lots: int
    share: float
    counts_fak: bool
    steps: list[int]
    fee: list[list[float]]
    since: str | None
    source: str
    date: str
    confidence: Literal["H", "M", "L"]
    note: str


class RiskSwitch(TypedDict):
    """A dead man's switch; the first five are what PUT /risk takes."""

    watch: Literal["page", "script", "strategy", "market"]
    name: str  # which script or strategy
    seconds: float
    action: Literal["warn", "reduce_only", "cancel"]
    contracts: str  # whose quotes count, "" for all that are subscribed
    text: str  # `watch` in words
    state: Literal["watching", "silent", "closed", "stopped"]
    silent: float | None  # seconds since the last sign, null where nothing is counted


class GroupMember(TypedDict):
    """Another account that must not trade with this one; unknown: not there since the gateway began."""

    account: str
    state: Literal["connected", "away", "unknown"]
    orders: int  # of its resting ones that are known


class Risk(TypedDict):
    trading_day: str
    states: RiskStates
    own: list[Row]  # the trader's own rules, as PUT /risk takes them
    rules: list[RiskRule]
    measures: list[RiskMeasure]
    account: RiskCounts
    contracts: list[ContractCounts]
    strategies: list[StrategyCounts]
    duplicates: list[DuplicateOrder]  # of the day, the oldest first, at most 200
    uses: list[RiskUse]
    money: RiskMoney
    thresholds: list[RiskThreshold]
    caveat: str
    recent: list[RiskHappening]  # the oldest first
    switches: list[RiskSwitch]
    group: list[GroupMember]


class ConnectionCut(TypedDict):
    what: Literal["td", "md", "store", "gateway"]
    text: str  # in words
    begin: str  # exchange time
    end: str | None  # null while it lasts
    reason: str


class Connections(TypedDict):
    connections: list[ConnectionCut]


class AuditEntry(TypedDict):
    seq: int
    time: str
    kind: Literal["trade", "run", "watch", "error"]
    text: str
    data: Row
    prev: str
    hash: str


class AuditFault(TypedDict):
    line: int  # of the day's file, from 1; 0: at its end
    why: str


class AuditVerdict(TypedDict):
    """Of the day's chain of hashes."""

    entries: int  # that are whole, from the day's begin on
    fault: AuditFault | None  # the first


class AuditPage(TypedDict):
    days: list[str]  # that there is a log of, YYYYMMDD
    day: str
    entries: list[AuditEntry]  # the newest first
    place: int | None  # for the next page; null at the end
    verified: NotRequired[AuditVerdict]  # where that was asked for


class Heartbeat(TypedDict):
    watched: bool  # whether a switch waits for this script's signs
    seconds: float | None  # how often one is due


class BatchedCancel(TypedDict):
    order_id: str
    local_symbol: str
    state: str  # cancelled failed sent queued
    msg: str
    error: NotRequired[str]


class Batch(TypedDict):
    orders: list[BatchedCancel]


class Stopped(Batch):
    states: RiskStates


class Problem(TypedDict):
    code: str
    error: str
    message: str
    line: int
    error_info: str


class Ran(TypedDict):
    limit: str  # time, memory, output, or "" where none ended it
    exit_code: int | None


class Limits(TypedDict, total=False):
    contracts: list[str]
    max_order_volume: int
    max_position: int
    max_orders_per_minute: int


class Health(TypedDict):
    web: str
    host: str  # up or down: whether its process lives
    fronts: list[Row]


class Readiness(TypedDict):
    not_ready: NotRequired[list[str]]


class Started(TypedDict):
    id: str


class Backtests(TypedDict):
    jobs: list[BacktestRow]
    most_kept: int
    kept_bytes: int
    most_bytes: int
    at_once: int


class Compared(TypedDict):
    row: BacktestRow
    figures: Row
    days: list[Row]
    settings: Row


class Printed(TypedDict):
    text: str


class StrategyParameter(TypedDict):
    name: str
    default: bool | int | float | str
    kind: Literal["bool", "int", "float", "text"]


class StrategyParameters(TypedDict):
    name: str
    parameters: list[StrategyParameter]


class StoredBars(TypedDict):
    local_symbol: str
    first: str  # YYYY-MM-DD HH:MM
    last: str
    count: int


class DataFile(TypedDict):
    name: str
    size: int
    modified: str


class BacktestData(TypedDict):
    store: list[StoredBars]
    files: list[DataFile]
    ticks: list[str]  # trading days of which the account has recorded them
