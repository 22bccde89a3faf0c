"""A run over main contracts: each day strategies hear the real contract that is the main one then, and what
is held in the one before is rolled, as orders, at their price. Backtest's child.

At a roll the account closes what it holds in the old contract and opens the same in the new one at the first
bars of the new day (its night), with the same distance from the open as any order, until nothing is left; no
strategy runs meanwhile. Then each strategy that is about the product begins anew, as a strategy does that is
started again on another contract: its text with the new contract in the old one's place, a fresh instance,
the new contract's own bars of the days before as warm-up, without orders, and the position there.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ctpbee.constant import OrderData

from app.backtest.engine.engine import BarRun, Made, Outcome, Plan, Progress, by_its_data, moment_of
from app.backtest.engine.strategies import BacktestApp, Program
from app.backtest.market_data import continuous
from app.backtest.market_data.continuous import Main
from app.backtest.market_data.data import Data, minutes
from app.bee import entities
from app.counter.contracts import product_code_of
from app.counter.products import products
from app.lib.bars import Bar
from app.lib.errors import AppError, BadInput
from app.lib.strategy_parameters import with_texts
from app.wire.messages import PlaceOrder

ROLLER = "移仓"  # whose orders those of a roll are
OPPOSITE = {"long": "short", "short": "long"}
REFUSED = "拒单"
MOST_WARM_UP = 250  # trading days
MOST_MINUTES = 60  # with both contracts trading
CONTRACT = re.compile(r"([A-Za-z]{1,2})\d{3,4}(\.[A-Z]+)?")


class Mains(NamedTuple):
    """The main contracts of some products, and for how many trading days a new one's bars warm up."""

    by_product: Mapping[str, Main]
    warm_up: int = 10

    def on(self, trading_day: str) -> dict[str, str]:
        """By product."""
        return {product: main.on(trading_day) for product, main in self.by_product.items()}

    def decided_on(self, trading_day: str) -> list[str]:
        """Those that follow on the next day."""
        rolls = (roll for main in self.by_product.values() for roll in main.rolls)
        return [roll.new for roll in rolls if roll.decided == trading_day]


class NotRolled(NamedTuple):
    """What could not be rolled: lots that stayed in the old contract, and lots that were not opened anew."""

    trading_day: str
    old: str
    new: str
    direction: str
    not_closed: int
    not_opened: int


def mains(data: Data, names: Sequence[str], warm_up: int) -> Mains:
    """Raises BadInput and NoData, as continuous.py does."""
    by_product = {
        name: continuous.main_of(continuous.dailies({one: data.bars[one] for one in contracts}))
        for name, contracts in continuous.products_of(names, data.bars).items()
    }
    return Mains(by_product, warm_up)


def made(data: Data, names: Sequence[str], warm_up: int) -> Made:
    """The run of these products' main contracts; of none, the run that the data asks for. Raises BadInput and
    NoData.
    """
    if not names:
        return by_its_data
    if not 0 <= warm_up <= MOST_WARM_UP:
        raise BadInput("main_warm_up", f"预热的交易日应为 0 至 {MOST_WARM_UP}，现在是 {warm_up}")
    if not data.bars:
        raise BadInput("main", "主力连续只用 1 分钟 K 线，不用 tick")
    wanted = mains(data, names, warm_up)
    return lambda data, plan: RollingRun(data, plan, wanted)


def text_on(text: str, contracts: Mapping[str, str]) -> str:
    """A strategy's text with these contracts, by product, wherever it names one of their products' (`rb2401`
    or `rb2401.SHFE`, as a text of its own).
    """

    def put(said: str) -> str:
        found = CONTRACT.fullmatch(said)
        new = contracts.get(found[1], "") if found else ""
        if found is None or not new:
            return said
        return new if found[2] else new.partition(".")[0]

    return with_texts(text, put)


def products_named(text: str) -> set[str]:
    """The products of which the text names a contract."""
    named: set[str] = set()

    def look(said: str) -> str:
        found = CONTRACT.fullmatch(said)
        if found and found[1] in products():
            named.add(found[1])
        return said

    with_texts(text, look)
    return named


class _Roller:
    """Who sends the orders of a roll, to the account."""

    name = ROLLER
    wanted: frozenset[str] | None = frozenset()

    def know(self, order: OrderData) -> None:
        """It asks the account."""


@dataclass(slots=True)
class _Leg:
    """One side of one contract on its way into another one."""

    old: str
    new: str
    direction: str  # long short
    to_open: int
    sent: str = ""  # the newest order that opens
    minutes: int = 0


class RollingRun(BarRun):
    """By 1-minute bars of main contracts, and of what the data has of other products. The market gets those
    that are the main ones, will be tomorrow (their settlement makes tomorrow's limits), or are held.
    """

    def __init__(self, data: Data, plan: Plan, wanted: Mains) -> None:
        self._mains = wanted
        self._texts = {
            program.name: program.path.read_text("utf-8", "surrogatepass") for program in plan.programs
        }
        self._named = {name: products_named(text) for name, text in self._texts.items()}
        self._today: dict[str, str] = {}  # main contracts by product
        self._shown: set[str] = set()
        self._legs: list[_Leg] = []
        self._waiting: list[Program] = []
        self._day = ""
        self.not_rolled: list[NotRolled] = []
        self._roller = _Roller()
        self._others = {
            name for name in data.bars if product_code_of(name.partition(".")[0]) not in wanted.by_product
        }
        super().__init__(data, plan)
        bars = {name: list(self._as_main(name, series)) for name, series in data.bars.items()}
        self.bars = {name: series for name, series in bars.items() if series}

    def _as_main(self, name: str, series: Sequence[Bar]) -> Sequence[Bar]:
        if name in self._others:
            return series
        spans = [
            (one.first, one.last)
            for main in self._mains.by_product.values()
            for one in main.segments
            if one.local_symbol == name
        ]
        days = ((bar, self._days.of(bar.timestamp)) for bar in series) if spans else ()
        return [bar for bar, day in days if any(first <= day <= last for first, last in spans)]

    def run(self, on_progress: Progress) -> Outcome:
        outcome = super().run(on_progress)
        return outcome._replace(
            continuous={
                "products": {
                    product: {
                        "segments": [one._asdict() for one in main.segments],
                        "rolls": [one._asdict() for one in main.rolls],
                    }
                    for product, main in self._mains.by_product.items()
                },
                "warm_up": self._mains.warm_up,
                "not_rolled": [one._asdict() for one in self.not_rolled],
            }
        )

    # ── the day ──

    def _begin(self) -> None:
        """Strategies begin on the first day that has a main contract."""

    def _minute(self, timestamp: int, bars: list[tuple[str, Bar]]) -> None:
        if self._day != self.market.trading_day():
            self._begin_day(self.market.trading_day())
        bars = [one for one in bars if one[0] in self._shown]
        if not bars:
            return
        if self._legs:
            self._pass_to(moment_of(timestamp))
            trading = {local_symbol for local_symbol, _ in bars}
            for leg in self._legs:
                if {leg.old, leg.new} <= trading:
                    self._move(leg)
        super()._minute(timestamp, bars)
        if self._legs:
            self._legs = [leg for leg in self._legs if not self._is_over(leg)]
        if self._waiting and not self._legs:
            self._start_waiting(timestamp + 1)

    def _is_told(self, local_symbol: str) -> bool:
        return local_symbol in self._others or local_symbol in self._today.values()

    def _begin_day(self, day: str) -> None:
        self._day = day
        for leg in self._legs:
            self._give_up(leg)
        self._legs = []
        before, self._today = (
            self._today,
            {product: name for product, name in self._mains.on(day).items() if name},
        )
        changed = {product for product, name in self._today.items() if before.get(product) != name}
        for product in sorted(changed & before.keys()):
            self._legs += self._legs_of(before[product], self._today[product])
        tomorrow = self._mains.decided_on(day)
        self._shown = {*self._today.values(), *tomorrow, *(leg.old for leg in self._legs), *self._others}
        if not before and changed:
            self._waiting = list(self._plan.programs)
        elif changed:
            self._stop_those_about(changed)
        if self._waiting and not self._legs:
            self._start_waiting(self._until_now())

    def _until_now(self) -> int:
        return int(self.market.clock.timestamp() * 1000)

    def _stop_those_about(self, changed: Collection[str]) -> None:
        for program in self._plan.programs:
            named = self._named[program.name]
            if named and not named & set(changed):
                continue
            for app in [app for app in self.account.apps if app.name == program.name]:
                self.account.part(app)
            if program not in self._waiting:
                self._waiting.append(program)
        self._tickers = [app for app in self.account.apps if app.has_timer]

    def _start_waiting(self, until: int) -> None:
        """`until`: epoch ms; bars that began before it are over."""
        waiting, self._waiting = self._waiting, []
        for program in waiting:
            text = text_on(self._texts[program.name], self._today)
            program.path.write_text(text, "utf-8", "surrogatepass")
            self._warm(self._start(program), until)

    def _warm(self, app: BacktestApp, until: int) -> None:
        """Its contracts' own bars of the days before, without orders."""
        self.account.is_warming = True
        try:
            for _, bars in minutes(self._warming_bars(app, until)):
                for local_symbol, bar in bars:
                    contract = self._contract(local_symbol)
                    if contract is not None:
                        day = self._days.of(bar.timestamp)
                        app.hear("bar", entities.bar_data(bar, contract, day))
        finally:
            self.account.is_warming = False

    def _warming_bars(self, app: BacktestApp, until: int) -> dict[str, list[Bar]]:
        names = sorted({*self._today.values(), *self._others})
        names = [one for one in names if app.wanted is None or one in app.wanted]
        found = {}
        for name in names:
            series = self._data.bars[name]
            over = series[: bisect_left(series, until, key=lambda bar: bar.timestamp)]
            days = sorted({self._days.of(bar.timestamp) for bar in over} - {self._day})
            first = days[-self._mains.warm_up :][:1] if self._mains.warm_up else []
            found[name] = [bar for bar in over if first and self._days.of(bar.timestamp) >= first[0]]
        return {name: bars for name, bars in found.items() if bars}

    # ── rolling ──

    def _legs_of(self, old: str, new: str) -> list[_Leg]:
        return [_Leg(old, new, direction, volume) for direction, volume in self._held(old).items()]

    def _held(self, local_symbol: str) -> dict[str, int]:
        """Lots by side."""
        symbol = local_symbol.partition(".")[0]
        return {one.direction: one.volume for one in self.account.positions() if one.symbol == symbol}

    def _move(self, leg: _Leg) -> None:
        """What is left to do of it, as orders that are filled at this minute's open or not at all."""
        leg.minutes += 1
        held = self._held(leg.old).get(leg.direction, 0)
        if held:
            offset = "closeyesterday" if leg.old.endswith((".SHFE", ".INE")) else "close"
            self._send(leg.old, OPPOSITE[leg.direction], offset, held)
        if leg.to_open:
            leg.sent = self._send(leg.new, leg.direction, "open", leg.to_open)

    def _is_over(self, leg: _Leg) -> bool:
        """After a minute: counts what it opened. One that cannot be finished is given up, and told."""
        refused = False
        if leg.sent:
            order = self.account.orders[self._day, leg.sent]
            leg.to_open -= int(order.traded)
            leg.sent = ""
            refused = order.status.value == REFUSED
        if refused or leg.minutes >= MOST_MINUTES:
            self._give_up(leg)
            return True
        return not leg.to_open and not self._held(leg.old).get(leg.direction, 0)

    def _give_up(self, leg: _Leg) -> None:
        held = self._held(leg.old).get(leg.direction, 0)
        if held or leg.to_open:
            told = NotRolled(self._day, leg.old, leg.new, leg.direction, held, leg.to_open)
            self.not_rolled.append(told)

    def _send(self, local_symbol: str, direction: str, offset: str, volume: int) -> str:
        """Its order_id, "" where it could not be sent."""
        lower, upper = self.market.limits(local_symbol.partition(".")[0])
        request = PlaceOrder(
            local_symbol=local_symbol,
            direction=direction,
            offset=offset,
            type="fak",
            price=upper if direction == "long" else lower,
            volume=volume,
        )
        try:
            outcome = self.account.call(self._roller, request)
        except AppError:
            return ""  # the account has noted it
        return str(outcome.order_id)
