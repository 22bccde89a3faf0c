"""One run: what happened, in its order and with the market's clock, to the counter, the account and the
strategies. Backtest's child.

A strategy is only ever told what is over: a bar when its minute has ended, a snapshot at its moment. Between
two of these the matcher may see more of a bar (fills.py); what is sent meanwhile arrives with
what comes after it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from ctpbee.constant import ContractData

from app.backtest.engine import fills
from app.backtest.engine.account import GATEWAY, Account
from app.backtest.engine.core import BacktestCore, OnItsWay, SettledDay
from app.backtest.engine.fills import FillSettings
from app.backtest.engine.job import NO_RISK, Risk
from app.backtest.engine.market import BarMarket, HistoricMarket, Rates, TickMarket, todays_table
from app.backtest.engine.strategies import BacktestApp, Program
from app.backtest.market_data.data import Data, TradingDays, minutes
from app.bee import entities, fields
from app.counter.markets.readers import Row
from app.lib.bars import CLOSE_GRACE, MINUTE, Bar, BarBuilder, ClosedBar
from app.lib.calendar import SHANGHAI
from app.lib.errors import BadInput
from app.lib.sessions import ExchangeHours
from app.lib.symbols import product_of
from app.wire.frames import DepthField

SECOND = timedelta(seconds=1)
MINUTE_MS = 60_000
NEVER = datetime.max.replace(tzinfo=SHANGHAI)
EQUITY_EVERY = 30 * 60_000
"""Milliseconds from one look at the balance to the next, while something is held; each settlement is one."""


class Plan(NamedTuple):
    """What a run is asked for; money in yuan."""

    programs: Sequence[Program]
    capital: float = 1_000_000.0
    fills: FillSettings = FillSettings()
    rates: Rates = todays_table
    risk: Risk = NO_RISK
    trade_from: str = ""  # trading day; on those before it strategies only listen, and nothing counts


class EquityPoint(NamedTuple):
    """The account at the end of a trading day, or while it held something."""

    moment: datetime
    balance: float
    margin: float


class Outcome(NamedTuple):
    """What came of a run. Days are settled ones and the last, which is valued as it stands."""

    account: Account
    days: list[SettledDay]
    equity: list[EquityPoint]
    events: int
    first: datetime
    last: datetime
    bars: dict[str, list[Bar]]  # by local symbol: those of the data, or made of its ticks
    unlisted: list[str]  # contracts with data that the counter did not list on some day
    continuous: dict[str, Any] | None = None  # of a run over main contracts: app/backtest/engine/rolling.py


Progress = Callable[[int, str], object]
"""Events done, and the trading day that they have reached."""


def no_progress(_done: int, _trading_day: str) -> None:
    """Nobody looks."""


Made = Callable[[Data, Plan], "_Run"]


def by_its_data(data: Data, plan: Plan) -> _Run:
    """The run as the data asks for it."""
    return BarRun(data, plan) if data.bars else TickRun(data, plan)


def run(data: Data, plan: Plan, on_progress: Progress = no_progress, made: Made = by_its_data) -> Outcome:
    """Raises BadInput for a plan that cannot be, and whatever the strategies raise."""
    fills.checked(plan.fills)
    if not 0 < plan.capital < 1e15:
        raise BadInput("capital", f"资金应大于 0，现在是 {plan.capital:g}")
    if not plan.programs:
        raise BadInput("strategy", "没有策略")
    names = [program.name for program in plan.programs]
    if len(set(names)) < len(names):
        raise BadInput("strategy", f"策略重名：{'、'.join(names)}")
    engine = made(data, plan)
    try:
        return engine.run(on_progress)
    finally:
        for app in engine.account.apps:
            app.release()


class _Run(ABC):
    """What both kinds have in common."""

    market: HistoricMarket

    def __init__(self, plan: Plan, cancels_travel: bool) -> None:
        self._plan = plan
        self.core = BacktestCore(self.market, plan.capital, cancels_travel)
        self.account = Account(self.core, self.market.now, self._limits, plan.trade_from, plan.risk)
        self.equity: list[EquityPoint] = []
        self.unlisted: set[str] = set()
        self.bars: dict[str, list[Bar]] = {}
        self._first = self.market.clock
        self._tickers: list[BacktestApp] = []

    @abstractmethod
    def _events(self, on_progress: Progress) -> int:
        """Everything; returns how much it was."""

    @abstractmethod
    def _learn(self, day: str) -> None:
        """What is known as a day begins, beyond what the market has of the day before."""

    @abstractmethod
    def _limits(self, symbol: str) -> tuple[float, float]:
        """The day's lower and upper price limit as the newest snapshot has them, 0 where it has none."""

    def run(self, on_progress: Progress) -> Outcome:
        self._begin()
        count = self._events(on_progress)
        money = self.account.ledger.book.money()
        self.equity.append(EquityPoint(self.market.clock, float(money.balance), float(money.margin)))
        last = SettledDay(self.market.trading_day(), money, money, self.account.ledger.book.open_lots())
        days = [day for day in (*self.core.settled, last) if day.trading_day >= self._plan.trade_from]
        if not days:
            raise BadInput("trade_from", f"{self._plan.trade_from} 起没有行情")
        return Outcome(
            self.account,
            days,
            self.equity,
            count,
            self._first,
            self.market.clock,
            self.bars,
            sorted(self.unlisted),
        )

    def _begin(self) -> None:
        for program in self._plan.programs:
            self._start(program)

    def _start(self, program: Program) -> BacktestApp:
        app = BacktestApp(program.name, self.account, lambda: self.market.clock.timestamp())
        self.account.join(app)
        app.run_file(program.path)
        self.account.tell()
        self._tickers = [app for app in self.account.apps if app.has_timer]
        return app

    def _turn(self, day: str, settlement: dict[str, float]) -> None:
        self.market.turn(day, settlement)
        self._learn(day)
        self.account.deliver(self.core.advance())
        settled = self.core.settled[-1]
        if settled.trading_day >= self._plan.trade_from:
            after = settled.after
            self.equity.append(EquityPoint(self.market.clock, float(after.balance), float(after.margin)))

    def _contract(self, local_symbol: str) -> ContractData | None:
        """None for one that the counter does not list on this day: its data says nothing to anybody."""
        contract: ContractData | None = self.account.contracts.get(local_symbol)
        if contract is None:
            self.unlisted.add(local_symbol)
        return contract

    def _note_equity(self) -> None:
        """While something is held."""
        if self.account.holds_something():
            money = self.account.ledger.book.money()
            self.equity.append(EquityPoint(self.market.clock, float(money.balance), float(money.margin)))

    def _pass_to(self, moment: datetime) -> None:
        """The market's time passes, and with it the timers of strategies that have one."""
        clock = self.market.clock
        if self._tickers:
            second = clock.replace(microsecond=0) + SECOND
            if moment - second > MINUTE:  # over a break: nobody is there
                second = moment.replace(microsecond=0)
            while second <= moment:
                self.market.clock = max(clock, second)
                for app in self._tickers:
                    app.on_timer()
                self.account.tell()
                second += SECOND
        self.market.clock = max(self.market.clock, moment)  # of equal ones the same: see `wire_clock`


class BarRun(_Run):
    """By 1-minute bars."""

    market: BarMarket

    def __init__(self, data: Data, plan: Plan) -> None:
        self._data = data
        self._days = TradingDays()
        first = min(series[0].timestamp for series in data.bars.values())
        self.market = BarMarket(self._days.of(first), moment_of(first), data.codes, plan.rates)
        super().__init__(plan, cancels_travel=False)
        self.bars = data.bars
        self._names = {name: (name.partition(".")[0], name.partition(".")[2]) for name in data.bars}
        self._ends_at, self._end = 0, self.market.clock  # of the minute before
        self._forms: dict[str, dict[str, Any] | None] = {}  # of the day's bars: `_form`

    def _limits(self, symbol: str) -> tuple[float, float]:
        return self.market.limits(symbol)

    def _events(self, on_progress: Progress) -> int:
        count = until = 0
        for timestamp, bars in minutes(self._data.bars):
            if timestamp >= until:
                day = self._days.of(timestamp)
                until = self._days.end(day)
                on_progress(count, day)
                if day != self.market.trading_day():
                    settlement = self.market.settlement()
                    self._pass_to(moment_of(timestamp))
                    self._turn(day, settlement)
            self._minute(timestamp, bars)
            count += len(bars)
        return count

    def _learn(self, day: str) -> None:
        """Bars tell nothing before they come; the contracts may be other ones."""
        self._forms.clear()

    def _minute(self, timestamp: int, bars: list[tuple[str, Bar]]) -> None:
        """On the way of every bar: what nobody needs is not done. Where no order works or is on its way, the
        minute only passes.
        """
        market, account, names = self.market, self.account, self._names
        start = self._end if timestamp == self._ends_at else moment_of(timestamp)
        self._ends_at, self._end = timestamp + MINUTE_MS, start + MINUTE
        if self._tickers:
            self._pass_to(start)
        else:
            market.clock = start
        if not self.core.is_idle():
            self._match_all(start, bars)
        if self._tickers:
            self._pass_to(self._end)  # a timer in the minute knows nothing of how it went
        else:
            market.clock = self._end
        for local_symbol, bar in bars:
            symbol, exchange = names[local_symbol]
            market.passed(symbol, exchange, bar)
        account.set_prices(bars)
        forms = self._forms
        for local_symbol, bar in bars:
            if local_symbol not in forms:
                forms[local_symbol] = self._form(local_symbol)
            form = forms[local_symbol]
            if form is not None:
                account.hear("bar", local_symbol, entities.bar_of(bar, form, start))
        if not timestamp % EQUITY_EVERY:
            self._note_equity()

    def _form(self, local_symbol: str) -> dict[str, Any] | None:
        """What the day's bars of a contract share; None where strategies do not hear of it today."""
        contract = self._contract(local_symbol) if self._is_told(local_symbol) else None
        return None if contract is None else entities.bar_form(contract, self.market.trading_day())

    def _is_told(self, _local_symbol: str) -> bool:
        """Whether strategies hear this contract's bars on the day that it is."""
        return True

    def _match_all(self, start: datetime, bars: list[tuple[str, Bar]]) -> None:
        core, market = self.core, self.market
        traded = {self._names[local_symbol][0] for local_symbol, _ in bars}
        arriving = core.take_arriving(lambda one: one.symbol in traded)
        for local_symbol, bar in bars:
            symbol, exchange = self._names[local_symbol]
            market.take(symbol, exchange, bar)
            here = [one for one in arriving if one.symbol == symbol]
            if here or core.may_fill(symbol, bar.low, bar.high):
                self._match(symbol, start, bar, here)

    def _match(self, symbol: str, start: datetime, bar: Bar, arriving: list[OnItsWay]) -> None:
        """Show the bar's path to the orders that rest, and its open to those that come in. `start`: of its
        minute.
        """
        settings, market, account = self._plan.fills, self.market, self.account
        left = fills.room(bar, settings)
        for number, point in enumerate(fills.path(bar)):
            self._pass_to(start + timedelta(seconds=point.seconds))
            if self.core.is_working(symbol, apart_from=arriving):
                market.show(market.depth(symbol, point.price, 1, left))
                left -= account.deliver(self.core.advance())
            if number == 0 and arriving:
                away = settings.spread_ticks + settings.slippage_ticks
                market.show(market.depth(symbol, point.price, away, max(left, 0)))
                left -= account.deliver(self.core.advance())
                left -= account.deliver(self.core.arrive(arriving), point.price)
            left = max(left, 0)
            arriving = []
            if not self.core.is_working(symbol):
                break


class TickRun(_Run):
    """By snapshots, as a replay has them."""

    market: TickMarket

    def __init__(self, data: Data, plan: Plan) -> None:
        self._data = data
        first = data.ticks[0]
        self.market = TickMarket(first.trading_day, first.moment, data.codes, plan.rates)
        self._firsts: dict[str, dict[str, DepthField]] = {}
        for row in data.ticks:
            self._firsts.setdefault(row.trading_day, {}).setdefault(row.depth.InstrumentID, row.depth)
        self._learn(first.trading_day)
        super().__init__(plan, cancels_travel=True)
        latency = plan.fills.latency_ms
        self._latency = None if latency is None else timedelta(milliseconds=latency)
        self._bars = BarBuilder(ExchangeHours(), product_of, self._size_of)
        self._closes_at: dict[str, datetime] = {}  # when the bar that forms is closed, by contract
        self._forming: dict[str, int] = {}  # that bar's timestamp
        self._next_close = NEVER

    def _size_of(self, local_symbol: str) -> float:
        contract = self.account.contracts.get(local_symbol)
        return 1.0 if contract is None else float(contract.size)

    def _limits(self, symbol: str) -> tuple[float, float]:
        depth = self.market.quote(symbol)
        if depth is None or depth.TradingDay != self.market.trading_day():
            return 0.0, 0.0
        return depth.LowerLimitPrice, depth.UpperLimitPrice

    def _events(self, on_progress: Progress) -> int:
        for number, row in enumerate(self._data.ticks):
            if row.trading_day != self.market.trading_day():
                on_progress(number, row.trading_day)
                self._until(row.moment)
                self._pass_to(row.moment)
                self._turn(row.trading_day, self._settlement(row.trading_day))
            self._row(row)
        return len(self._data.ticks)

    def _settlement(self, next_day: str) -> dict[str, float]:
        """What the day before settled at, as that one's first snapshots tell it."""
        told = {symbol: depth.PreSettlementPrice for symbol, depth in self._firsts[next_day].items()}
        return self.market.settlement() | told

    def _learn(self, day: str) -> None:
        for depth in self._firsts[day].values():
            self.market.learn(depth)

    def _row(self, row: Row) -> None:
        """On the way of every tick: where nothing is due, the clock only passes on."""
        core, account, market = self.core, self.account, self.market
        moment, _, kind, depth = row
        symbol = depth.InstrumentID
        if self._is_due(moment):
            self._until(moment)
        if self._tickers:
            self._pass_to(moment)
        elif moment > market.clock:
            market.clock = moment
        is_idle = core.is_idle()
        arriving = (
            []
            if is_idle or self._latency is not None
            else core.take_arriving(lambda one: one.symbol == symbol)
        )
        market.take(depth)
        if kind == "login":
            return
        if not is_idle and (arriving or core.is_working(symbol)):
            market.show(depth)
            account.deliver(core.advance())
        if arriving:
            self._arrive(symbol, arriving)
        account.set_price(symbol, depth.LastPrice, depth.PreSettlementPrice)
        self._tell(row)
        if self._is_due(moment):
            self._until(moment)

    def _is_due(self, moment: datetime) -> bool:
        """Whether `_until` this moment has anything to do."""
        return self._next_close < moment or (self._latency is not None and self.core.first_sent is not None)

    def _arrive(self, symbol: str, arriving: list[OnItsWay]) -> None:
        depth = self.market.quote(symbol)
        if depth is not None and self._plan.fills.slippage_ticks:
            self.market.show(self.market.slipped(depth, self._plan.fills.slippage_ticks))
            self.account.deliver(self.core.advance())
        met = fills.middle(depth) if depth is not None else 0.0
        self.account.deliver(self.core.arrive(arriving), met)

    def _until(self, moment: datetime) -> None:
        """What happens by itself before the snapshot of this moment, in its order: bars that no snapshot
        closed are closed, and with a latency, what has been on its way long enough arrives.
        """
        while True:
            closing = min(self._closes_at.values(), default=moment)
            arriving = self._next_arrival()
            if arriving is not None and arriving <= min(closing, moment):
                self._pass_to(arriving)
                for one in self.core.take_first():
                    self._arrive(one.symbol, [one])
            elif closing < moment:
                self._pass_to(closing)
                self._tell_bars(self._bars.on_clock(self.market.clock))
                self._closes_at = {name: at for name, at in self._closes_at.items() if at > closing}
                self._forming = {name: at for name, at in self._forming.items() if name in self._closes_at}
                self._note_closes()
            else:
                return

    def _note_closes(self) -> None:
        self._next_close = min(self._closes_at.values(), default=NEVER)

    def _next_arrival(self) -> datetime | None:
        sent = self.core.first_sent
        return sent + self._latency if sent is not None and self._latency is not None else None

    # ── what strategies hear ──

    def _tell(self, row: Row) -> None:
        """As a gateway does: the bars that the snapshot closes, then itself."""
        depth, market, account = row.depth, self.market, self.account
        contract = self._contract(f"{depth.InstrumentID}.{depth.ExchangeID}")
        if contract is None:
            return
        tick = fields.tick_of(
            depth,
            name=contract.name,
            exchange=contract.exchange,
            trading_day=fields.day_of(depth, market.trading_day()),
            now=market.clock,
            gateway_name=GATEWAY,
        )
        self._tell_bars(self._bars.on_tick(tick, market.clock))
        forming = self._bars.forming_at(tick.local_symbol)
        if forming and self._forming.get(tick.local_symbol) != forming:
            self._forming[tick.local_symbol] = forming
            self._closes_at[tick.local_symbol] = moment_of(forming) + MINUTE + CLOSE_GRACE
            self._note_closes()
        account.hear("tick", tick.local_symbol, tick)

    def _tell_bars(self, closed: list[ClosedBar]) -> None:
        for local_symbol, trading_day, bar in closed:
            self._closes_at.pop(local_symbol, None)
            self._forming.pop(local_symbol, None)
            self._note_closes()
            self.bars.setdefault(local_symbol, []).append(bar)
            contract = self._contract(local_symbol)
            if contract is not None:
                bar_data = entities.bar_data(bar, contract, trading_day)
                self.account.hear("bar", local_symbol, bar_data)
            if not bar.timestamp % EQUITY_EVERY:
                self._note_equity()


def moment_of(timestamp: int) -> datetime:
    return datetime.fromtimestamp(timestamp / 1000, SHANGHAI)
