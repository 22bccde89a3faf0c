"""What processes say to each other, typed. Both ends import this and nothing else of each other.

Commands are imperative, replies are facts. JSON that a page will get is encoded once, where it arises, and
travels as bytes.
"""

from __future__ import annotations

from typing import Any

import msgspec

from app.lib.bars import Bar


class Message(msgspec.Struct, tag=True, tag_field="kind"):
    """Base of every request and reply; the class name is the tag on the wire."""


# ── asked of the host ──


class Credentials(msgspec.Struct):
    """Whose account it is, and what its counter takes for a login. Never shown: there is a password in it."""

    interface: str
    brokerid: str
    userid: str
    password: str
    auth_code: str = ""
    appid: str = ""
    td_address: str = ""
    md_address: str = ""
    new_password: str = ""  # to be set at the counter, in place of `password`

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.interface}, {self.brokerid}, {self.userid})"


class LogIn(Message, Credentials):
    """Start the account's gateway and log it in, or check the password of one that is logged in.

    Reply: LoggedIn, never before the counter has taken this password: by now, or before while the same host
    lived. Errors: LoginRefused (counter's id and text), FrontUnreachable, LoginDelayed.
    """

    front: str = ""  # the name of a listed broker: its addresses, whatever td_address and md_address say


class Visited(Message):
    """These accounts have a page open, or were asked for, since this web last said so. Reply: Done."""

    accounts: list[str]


class LogOut(Message):
    """End the account's gateway. `by`: who does so by force, and why, for its audit log. Reply: LoggedOut.
    Errors: NotFound when it is not logged in.
    """

    account: str
    by: str = ""


class ListAccounts(Message):
    """Reply: Accounts, all that the host watches."""


class ShutDown(Message):
    """End this process and everything below it. `by`: as of LogOut. Reply: Done, then the process ends."""

    by: str = ""


# ── asked of the host: strategies ──


class ListStrategies(Message):
    """Reply: Json `[row, …]`, the account's files and the shared ones, and what it makes of them, by name;
    with `name` that one's row alone, which then has `versions` too. Errors: NotFound.
    """

    account: str
    name: str = ""


class StartStrategy(Message):
    """Run the strategy's file as it stands now. Reply: Done once it runs, with a `note` where it runs already
    or still starts.

    Errors: NotFound, BadInput (broken file), NeedsLogin or NotReady (no gateway), StrategyFailed (it ended
    while it started).
    """

    account: str
    name: str


class StopStrategy(Message):
    """End it, within 2 s whatever it does. Reply: Done, with a `note` where it did not run. Errors:
    NotFound.
    """

    account: str
    name: str


class RestartStrategy(Message):
    """Stop it and run the file as it stands now. Reply and errors: as of StartStrategy."""

    account: str
    name: str


class DeleteStrategy(Message):
    """Remove the file; its versions stay. Reply: Done, with a `note` where a shared one of that name is seen
    now.

    Errors: NotFound, StrategyRuns, NotAllowed (a shared file, and there are other accounts), BadInput (no
    file that could be removed).
    """

    account: str
    name: str


class SaveCode(Message):
    """Make this text the newest version of the account's strategy. Reply: CodeSaved. Errors: BadCode,
    BadInput (too many); what was stored stays then.
    """

    account: str
    text: str


class ReadCode(Message):
    """Reply: Json `{name: source}`, of the file or of an earlier version. Errors: NotFound, BadInput
    (unreadable file).
    """

    name: str
    version: int = 0
    account: str = (
        ""  # whose; a web of before accounts had folders of their own says none, and is answered NotFound
    )


class ReadStrategyLog(Message):
    """Reply: Json `{"lines": [{created, levelname, message}, …], "before": cursor}`, newest first; the next
    page is before `cursor`, which is empty at the end. Errors: NotFound, BadInput (a cursor that was none).
    """

    account: str
    name: str
    before: str = ""
    limit: int = 100


class StartBacktests(Message):
    """Have the process of backtests run. Reply: Done once it listens. Errors: GatewayDown (BACKTEST_DOWN)."""


# ── asked of the process of backtests (docs/backtest.md) ──


class SubmitBacktest(Message, kw_only=True):
    """Queue a run, or a search of many. Reply: Json of its row. Errors: BadInput naming the parameter
    (NO_BARS and UNKNOWN_CONTRACT of contracts, BAD_RATES of rates), BadCode, NotAllowed, NotFound of
    rates_of, RateLimited (TOO_MANY_BACKTESTS).
    """

    account: str
    text: str  # of the strategy; it has been read in a child before
    version: int = 0  # of the saved strategy; 0 for a text that was sent
    title: str = ""  # "" for the strategy's name
    contracts: list[str] = []  # local symbols: of the account's store, or of files that have more
    main: list[str] = []  # products: each day by their main contracts
    main_warm_up: int = 10  # trading days that a new main contract warms up with
    files: list[str] = []  # names in the folder of files; empty: the account's bars, or its recorded ticks
    by: str = "bars"  # or ticks
    symbol: str = ""  # of files that do not name it
    label: str = ""  # of bars in files: start end
    start: str = ""  # trading days, both included
    end: str = ""
    capital: float = 1_000_000.0
    parameters: dict[str, Any] = {}
    spread_ticks: int = 1
    slippage_ticks: int = 0
    latency_ms: int | None = None
    participation: float = 0.25
    rates: str = ""  # the text of a rates.csv
    rates_of: str = ""  # the id of an earlier one of this account: by its rates
    search: dict[str, Any] | None = None  # app/backtest/search/search.py: SearchRequest


class ReadBacktests(Message):
    """Reply: Json `{"jobs": [row, …], "most_kept", "kept_bytes", "most_bytes", "at_once"}`, the newest first;
    with `ids` Json `[row, …]` of these. Errors: NotFound.
    """

    account: str
    ids: list[str] = []


class CompareBacktests(Message):
    """Reply: Json `[{row, figures, days, settings}, …]` of runs that are done. Errors: NotFound, NotDone."""

    account: str
    ids: list[str]


class ReadBacktest(Message):
    """`what`: result: Json of the document of result.json (of a search: search.json, partial while it runs);
    report: the bytes of report.html; log: those of what its strategies printed last. Errors: NotFound,
    NotDone.
    """

    account: str
    id: str
    what: str = "result"


class CancelBacktest(Message):
    """Reply: Json of its row, within 2 s. Errors: NotFound."""

    account: str
    id: str


class DeleteBacktest(Message):
    """Cancel it where it runs, and remove what it left. Reply: Done. Errors: NotFound."""

    account: str
    id: str


class ReadBacktestData(Message):
    """What a backtest of the account can run over. Reply: Json `{"store": [{local_symbol, first, last,
    count}, …], "files": [{name, size, modified}, …], "ticks": [trading day, …]}`.
    """

    account: str


# ── how a gateway begins and ends ──

EXIT_LOGIN_REFUSED = 3
"""A gateway's exit code: the counter refused the login. It is never started again with the same password."""


class Login(Credentials, kw_only=True, forbid_unknown_fields=True):
    """The one line that the host writes to a gateway's stdin: whose gateway it is. The gateway has the
    password from here and from nowhere else.
    """

    account: str
    counter_address: str = ""
    password_taken: bool = False  # the counter has taken this one before, while this host lived

    @classmethod
    def of(cls, credentials: Credentials, **more: Any) -> Login:
        """That of these credentials; `more` are its own fields."""
        shared = {name: getattr(credentials, name) for name in Credentials.__struct_fields__}
        return cls(**shared, **more)


# ── how a strategy begins and ends ──

EXIT_STRATEGY_FAILED = 5
"""A strategy's exit code: its own code is at fault. What went wrong is in ERROR_FILE."""
ERROR_FILE, READY_FILE = "error.json", "ready"
"""What a strategy says in its folder: a StrategyReport, and that on_init is done."""


class StrategyStart(msgspec.Struct, forbid_unknown_fields=True):
    """The one line that the host writes to a strategy's stdin."""

    account: str
    name: str
    path: str
    gateway: str  # its name in the registry
    secret: str = ""  # proves to the gateway that it is this strategy
    door: str = ""  # where the gateway listens for strategies; empty: the registry says
    version: int = 0
    address_space: int = 0  # MB, 0 for no limit


class StrategyReport(msgspec.Struct):
    """Why a strategy failed, as it has written it down itself: not to be trusted."""

    message: str
    traceback: str
    line: int  # the last of its own file that took part, 0 for none
    time: str  # YYYY-MM-DD HH:MM:SS, exchange time


# ── asked of a gateway ──


class AwaitLogin(Message):
    """Reply: Done once the account is ready, at the latest after `timeout` seconds. Errors: LoginRefused,
    FrontUnreachable.
    """

    timeout: float


class ChangePassword(Message):
    """Change the account's password at its counter. Reply: Done. Errors: LoginRefused (old password, or the
    counter's refusal), NotReady, BadInput for an interface whose passwords are not changed here.
    """

    old: str
    new: str


class ReadSettlement(Message):
    """Reply: Json `{"day", "text"}`: the settlement statement of `day` (YYYYMMDD), or the newest. Errors:
    NotFound, NotReady.
    """

    day: str = ""


class ConfirmSettlement(Message):
    """Accept the newest statement at the counter. Reply: Done. Errors: NotReady, OrderRefused (the counter's
    id and text).
    """


class CheckPassword(Message):
    """Reply: Done when this is the account's password, which the counter has taken, and these are its fronts.
    Errors: LoginRefused, with `is_judged` False as long as the counter has not taken the account's own;
    LoginDelayed when it is the same as the account's own, which the counter has not taken yet.
    """

    password: str
    td_address: str = ""
    md_address: str = ""


class GiveWay(Message):
    """End, and log in no more, unless the counter has taken the password. Reply: Done. Errors: LoginRefused:
    it has, or is about to.
    """


class Beat(Message):
    """Are you there? Asked by each web every second. `has_pages`: a page of the account's is connected to it,
    which is a sign of life (app/lib/switches.py). Reply: Done, from the thread that orders go through.
    """

    has_pages: bool = False


class Watch(Message):
    """From now on push me this account's events. Reply: Json of the snapshot, from the same cut as the first
    push.

    Snapshot: `{"seq", "account", "position", "active_order", "order", "trade", "contract", "status"}`, each
    value the data of the event of that name, and `strategy`, a list of such events.
    """


class ReadLists(Message):
    """Reply: Json `{position_list, active_order_list, trade_list, order_list, log_history, as_of}`; `as_of`:
    when the lists were so, "" while they are of now.
    """


class PlaceOrder(Message):
    """Reply: OrderOutcome. Errors: BadInput, NotReady (nothing was sent). A refusal is an outcome, not an
    error.
    """

    local_symbol: str
    direction: str  # long short
    offset: str  # open close closetoday closeyesterday
    type: str  # limit market fak fok
    price: float
    volume: int
    client_order_id: str = ""
    strategy: str = ""  # who sends it, "" for a page; that of a joined connection wins
    wait: bool = True  # False: the answer comes as soon as it has left, with state sent
    deadline: float = (
        0.0  # of app/wire/deadlines.py: later it is not sent; 0: whenever the gateway gets to it
    )


class PreviewOrder(Message):
    """What such an order would freeze, and how many lots there could be at most. Nothing is sent. Reply: Json
    `{"price", "margin", "fee", "available", "largest", "order_limit", "rates", "problem"}`.

    `price`: what it is counted by; `margin`, `fee`: yuan, null where they are not known; `largest`: lots by
    direction and offset, null where that is not known; `order_limit`: lots in one order, 0 for no
    limit; `rates`: account, or listed as long as the account's own are not known; `problem`: `{error, msg,
    parameter}`, why it would not be sent as it stands, or null. Errors: BadInput (unknown contract or word),
    NotReady.
    """

    local_symbol: str
    direction: str
    offset: str
    type: str
    price: float
    volume: int


class CancelOrder(Message):
    """Reply: Done once the cancel is confirmed or has left. Errors: NotFound (not this account's),
    OrderRefused (CTP_26…).
    """

    order_id: str
    local_symbol: str = ""
    wait: bool = True  # False: the answer comes as soon as it has left


class CancelAll(Message):
    """Reply: Counted, how many cancels left."""


class ClosePosition(Message):
    """Close `volume` lots of the position, split by CLOSE_PATTERN. Reply: CloseOutcome. Errors: BadInput,
    OrderRefused.
    """

    local_symbol: str
    direction: str  # long or short, of the position
    volume: int
    price: float = 0.0  # 0: where the opposite side stands, less slippage
    client_order_id: str = ""  # of the first leg; a second one's is `<id>.2`
    deadline: float = 0.0  # as of PlaceOrder, of each leg


class Subscribe(Message):
    """All or none. Reply: Symbols (local symbols). Errors: BadInput with the unknown ones."""

    symbols: list[str]


class Unsubscribe(Message):
    """Reply: Symbols."""

    symbols: list[str]


class PushContracts(Message):
    """Push `contract`, the sorted list of local symbols. Reply: Counted."""


class ReadAccount(Message):
    """Reply: Json `{"account", "account_detail", "as_of"}`: the data of the events of these names; `as_of` as
    of ReadLists.
    """


class ReadTick(Message):
    """Reply: Json, the contract's newest tick, the data of its event. Errors: NotFound, UNKNOWN_SYMBOL or
    NO_TICK: none has come since the gateway started.
    """

    symbol: str


class ListContracts(Message):
    """Reply: Json `{"contracts": [{local_symbol, symbol, exchange, name, product, product_name, size,
    pricetick, expire_date, sessions}, …], "as_of"}`, of this exchange and product (code or Chinese name),
    "" for all; sorted as PushContracts has them. Errors: BadInput for a product of which there is none.
    """

    exchange: str = ""
    product: str = ""


class DescribeContract(Message):
    """Reply: Json, the contract's details as a flat object. Errors: NotFound."""

    symbol: str


class ReadBars(Message):
    """Reply: Json `[[ms, open, high, low, close, volume], …]`, oldest first: those that begin in the range,
    each whole. `fields`, of app/lib/bars.py's FIGURES, stand behind, in their order; null: not known.

    `start` and `end` are epoch milliseconds, `end` exclusive, 0 for none; with `limit` the newest that many
    of the range. Neither `start` nor `limit`: the last 3 days. `cut`: of app/lib/bars.py's CUTS. Bars of 1d
    have their trading day behind. Errors: BadInput (unknown contract, interval or cut).
    """

    local_symbol: str
    interval: str = "1m"
    start: int = 0
    end: int = 0
    limit: int = 0
    cut: str = "session"
    fields: tuple[str, ...] = ()


class SaveBars(Message):
    """Keep 1-minute bars of one contract, in place of those of the same minutes. Reply: Counted, with
    `waiting`. Errors: BadInput.
    """

    local_symbol: str  # with its exchange
    bars: list[Bar]


class ReadConfig(Message):
    """Reply: Json, the eight keys."""


class WriteConfig(Message):
    """All or nothing; in force when the reply comes. Reply: Done. Errors: BadInput naming the key."""

    values: dict[str, Any]


class ReadEvents(Message):
    """Reply: Json `{"seq": newest, "events": [{"seq", "event": "order_update"|"trade_update", "data": row},
    …]}` above `since`.
    """

    since: int
    limit: int = 1000


class ReadEquity(Message):
    """Reply: Json `{"fields": ["timestamp", "trading_day", …], "rows": [[…], …]}`, oldest first: the history
    of what the account, or the strategy, is worth. `interval`: minute or day; `start`, `end`, `limit`: as of
    ReadBars, neither start nor limit: of minutes the last 3 days, of days all. Errors: BadInput.
    """

    interval: str = "minute"
    start: int = 0
    end: int = 0
    limit: int = 0
    strategy: str = ""


class ReadMetrics(Message):
    """Reply: Json, a list of Figure (app/wire/figures.py): what this gateway has counted."""


class ReadStatus(Message):
    """Reply: Json, the data of the `status` event."""


class StrategyChanged(Message):
    """From the host: push `strategy` with this payload to the account's pages. Reply: Done."""

    name: str
    payload: bytes
    deleted: bool = False
    stopped: bool = False  # by hand: no sign of it is awaited


class BacktestChanged(Message):
    """From the process of backtests: push `backtest` with this payload to the account's pages. Reply:
    Done.
    """

    payload: bytes


# ── asked of a gateway by and for strategies ──


class JoinStrategy(Message):
    """This connection is the strategy's from now on. Reply: StrategyState, from the same cut as the first
    push that follows.

    Pushes to a strategy are `tick` `bar` `order` `trade` `position` `account` `contract` (msgpack of the
    entity, app/bee/entities.py), `book` (`{"positions", "account"}`, before the order or trade that changed
    it), `day`, `config`, `fronts`. Errors: NotReady; NotAllowed where the secret is not that of this
    account's strategy of that name (app/wire/door.py).
    """

    name: str
    version: int = 0
    secret: str = ""
    protocol: int = 1  # of the strategy's process: registry.PROTOCOL


class WatchTicks(Message):
    """Which contracts the joined strategy hears ticks and bars of: these local symbols, or all (None). Reply:
    Done.
    """

    symbols: list[str] | None


class FindOrder(Message):
    """What became of an order whose answer its strategy never had. Reply: OrderOutcome as things are now,
    without waiting.

    Errors: NotFound: it was not sent, nor will it be, if the connection that it was asked for on is gone.
    """

    client_order_id: str


class VoidOrder(Message):
    """What became of an order whose answer its sender never had; where there is none, none is sent by this
    client_order_id any more. Reply: OrderOutcome as things are now, without waiting, `voided` where there is
    none. Errors: BadInput; NotReady: it could not be written down, nothing has changed.
    """

    client_order_id: str


class StrategySaid(Message):
    """A line of a strategy, for the page's log. Reply: Done."""

    name: str
    level: str  # INFO ERROR DEBUG WARNING
    created: str  # YYYY-MM-DD HH:MM:SS, exchange time
    message: str


class StrategyBeat(Message):
    """The strategy's event thread turns: said every second. Reply: Done."""

    name: str


class ReadStrategy(Message):
    """Reply: Json `{"name", "orders", "trades", "positions", "profit", "limits"}`: what this strategy alone
    has and did.

    Orders and trades are the day's rows; positions its lots, first in first out; profit in yuan since it
    first traded.
    """

    name: str


class SetStrategyLimits(Message):
    """What the strategy may do at most; a key that is left out is not limited. Reply: Done. Errors: BadInput
    naming the key.

    `{"contracts": [local symbols], "max_order_volume", "max_position" (lots per contract),
    "max_orders_per_minute"}`.
    """

    name: str
    limits: dict[str, Any]


# ── asked of a gateway: risk ──


class ReadRisk(Message):
    """Reply: Json `{trading_day, states, rules, account, contracts, strategies, uses, money, thresholds,
    caveat, recent, switches}`: see docs/api.md, 风控.
    """


class WriteRisk(Message):
    """The trader's own rules, or the dead man's switches, or both: all of them anew; None leaves them. Reply:
    Done. Errors: BadInput naming the entry, nothing is changed then.
    """

    rules: list[dict[str, Any]] | None = None
    switches: list[dict[str, Any]] | None = None


class ReadConnections(Message):
    """Reply: Json `{"connections": [{what, text, begin, end, reason}, …]}`, the newest cut first; `what`: td
    md store gateway; `end` null while it lasts.
    """


class ReadAudit(Message):
    """The audit log of a natural day (YYYYMMDD, "" the newest), of one kind or ("") all. Reply: Json `{days,
    day, entries: [{seq, time, kind, text, data, prev, hash}, …], place}`: the newest first, or onward; where
    it goes on, null at the end. With `verify` also `verified`: `{entries, fault}`, how many entries of that
    day are whole from its begin on, and the first fault as `{line, why}` or null. Errors: BadInput.
    """

    day: str = ""
    of_kind: str = ""
    limit: int = 500
    place: int = 0  # an earlier answer's
    onward: bool = False
    verify: bool = False


class WatchResting(Message):
    """From the gateway of `account`, which is in a group with this one: from now on push me what rests here.
    Reply: Json, as of the push (app/gateway/risk/group.py). Errors: NotAllowed.
    """

    account: str


class GiveSign(Message):
    """The script of this name lives. Reply: Json `{"watched": bool, "seconds": float | null}`: whether a
    switch waits for its signs, and how often one is due.
    """

    name: str


class SetRiskState(Message):
    """Stop or let go on: the account ("") or one strategy. With `cancel` its working orders are cancelled
    then. Reply: Json `{states, orders}`, as of CancelSelected. Errors: BadInput.
    """

    state: str  # active reduce_only halted
    strategy: str = ""
    why: str = ""
    who: str = ""
    cancel: bool = False


class CancelSelected(Message):
    """Cancel the working orders that fit all that is given. Reply: Json `{orders: [{order_id, local_symbol,
    state, msg, error}, …]}`, state: cancelled, failed, sent (not confirmed yet), queued. Errors: BadInput.
    """

    local_symbol: str = ""
    direction: str = ""  # long short
    strategy: str = ""
    older: float = 0.0  # seconds since it was placed, at least
    filled: str = ""  # none: not at all, part: in part
    order_ids: list[str] = []  # of these alone; empty: of all


# ── replies ──


class Done(Message):
    """It has happened."""

    note: str = ""


class Counted(Message):
    count: int
    waiting: int = 0  # rows that are not at MongoDB yet
    note: str = ""  # what else is to be said of them


class Symbols(Message):
    symbols: list[str]


class Json(Message):
    """Encoded where it arose; spliced into the envelope as it is."""

    payload: bytes


class LoggedIn(Message):
    account: str  # the account's key, e.g. sim-9999-demo: names its gateway, its room and its files
    fresh: bool  # the account was not logged in before: it is a new session


class LoggedOut(Message):
    working_orders: int


class CodeSaved(Message):
    name: str
    version: int
    running: bool  # it runs with an earlier version until it is restarted


class AccountInfo(Message):
    account: str
    interface: str
    brokerid: str
    userid: str
    state: str  # starting ready restarting needs_login
    pid: int = 0
    address: str = ""


class Accounts(Message):
    accounts: list[AccountInfo]


class OrderOutcome(Message):
    """What became of an order by the time of the answer."""

    order_id: str
    # accepted, refused, sent (nobody waited), unknown (sent, no word from the counter in time: never to be
    # reported as failed), voided (to VoidOrder alone: none was sent, nor will be)
    state: str
    code: str = ""  # CTP_31, EXCHANGE_REJECT, NEVER_SENT, ORDER_STATE_UNKNOWN
    message: str = ""
    status: str = ""  # the order's as its row has it, with `accepted`
    traded: float = 0  # lots, by then
    order: bytes = b""  # for a strategy: msgpack of its entity (app/bee/entities.py) ...
    book: bytes = b""  # ... and of the Book that counts its freeze, both as they are at the answer


class StrategyState(Message):
    """The account as a strategy finds it: msgpack of app/gateway/entities.State."""

    payload: bytes


class CloseOutcome(Message):
    outcomes: list[OrderOutcome]


AnyRequest = (
    LogIn
    | LogOut
    | Visited
    | ListAccounts
    | ShutDown
    | ListStrategies
    | StartStrategy
    | StopStrategy
    | RestartStrategy
    | DeleteStrategy
    | SaveCode
    | ReadCode
    | ReadStrategyLog
    | AwaitLogin
    | ChangePassword
    | CheckPassword
    | GiveWay
    | ConfirmSettlement
    | ReadSettlement
    | Watch
    | ReadLists
    | PlaceOrder
    | PreviewOrder
    | CancelOrder
    | CancelAll
    | ClosePosition
    | Subscribe
    | Unsubscribe
    | PushContracts
    | ReadAccount
    | ReadTick
    | ListContracts
    | DescribeContract
    | ReadBars
    | SaveBars
    | ReadConfig
    | WriteConfig
    | ReadEvents
    | ReadEquity
    | ReadMetrics
    | ReadStatus
    | StrategyChanged
    | StartBacktests
    | SubmitBacktest
    | ReadBacktests
    | CompareBacktests
    | ReadBacktest
    | CancelBacktest
    | DeleteBacktest
    | ReadBacktestData
    | BacktestChanged
    | JoinStrategy
    | WatchTicks
    | FindOrder
    | VoidOrder
    | StrategySaid
    | ReadStrategy
    | SetStrategyLimits
    | ReadRisk
    | WriteRisk
    | SetRiskState
    | CancelSelected
    | GiveSign
    | WatchResting
    | ReadConnections
    | ReadAudit
    | StrategyBeat
    | Beat
)
AnyReply = (
    Done
    | Counted
    | Symbols
    | Json
    | LoggedIn
    | LoggedOut
    | CodeSaved
    | Accounts
    | OrderOutcome
    | CloseOutcome
    | StrategyState
)


class Push(msgspec.Struct, tag=True, array_like=True, frozen=True):
    """One event of one account on its way to the pages.

    `name` is the Socket.IO event, `payload` its JSON, encoded once. `symbol` is set on ticks and bars alone:
    it is what subscriptions filter by. Ticks conflate per contract wherever they wait, everything else is
    never dropped.
    """

    name: str
    payload: bytes
    symbol: str = ""


BARS_SAVED = "bars_saved"
"""The name of a push that is for the webs themselves: bars of its `symbol` have been saved, /bar has others
now.

Its payload is `{}`: a web of before there was this push hands it on to its pages.
"""
