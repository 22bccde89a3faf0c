"""The generated market: seeded prices for every listed contract, all day long or in the exchanges' hours.
Counter process.

Two snapshots a second of each watched contract, on half seconds of the counter's clock; one in minutes of
those that hardly anybody trades, more than a year ahead: fronts tell changes alone. Of contracts that nobody
watches one when somebody asks.

The trading day turns at 15:30, with the settlement. `counter_hours=always` is a market that no exchange has:
it never pauses, and its ticks carry the trading day and the natural date as SHFE's do; with `exchange` nights
are stamped as each exchange stamps them (docs/domain.md, Time 1). The clock is the wall's, or starts at
`counter_clock` and runs at its speed from then on, through restarts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from app.counter.contracts import Contract, listed_on
from app.counter.instruments import DayPrices, instrument_field
from app.counter.markets.market import DayTurn, Phase
from app.counter.markets.walk import Walk, fair_ticks, limit_ticks, mix
from app.counter.markets.wall import SteadyWall
from app.lib import sessions
from app.lib.calendar import (
    EVENING,
    SHANGHAI,
    SMALL_HOURS,
    compact,
    next_trading_day,
    parse_day,
    previous_trading_day,
    trading_day_of,
)
from app.lib.errors import SettingsError
from app.lib.prices import exact
from app.settings import Settings
from app.wire.frames import DepthField, InstrumentField

TURN = sessions.ALWAYS_TURN
SLOTS_A_SECOND = 2
# snapshots of a contract in one poll at most: a poll that comes late does not send what nobody could have
# seen
CATCH_UP = 4
EXCHANGES = ("CFFEX", "CZCE", "DCE", "GFEX", "INE", "SHFE")
LAST_HOUR = timedelta(hours=1)
STILL = 240  # slots from one change to the next, on average, of a contract that is more than a year ahead
BUSY, QUIET = 16, 4  # activity of the months ahead, and of the far and the expiring ones


class _Day(NamedTuple):
    """What holds of a contract for the trading day. In ticks, but for the prices that every snapshot
    repeats.
    """

    pre_settlement: int
    fair: int
    lower: int
    upper: int
    activity: int
    pause: int  # slots from one snapshot to the next, on average
    last_hour: int  # the slot from which the settlement price counts, where it is the last hour's; else 0
    scale: tuple[int, int]  # a price is ticks × first ÷ second: exact, and the float next to what is printed
    multiplier: int  # lots × this × price is the turnover
    # a price × this is the reported average: CZCE's own average is a price, CTP makes the others' of the
    # turnover
    average_size: int
    prices: DayPrices
    pre_close: float


class _Stamp(NamedTuple):
    """The time fields of a snapshot, alike for all contracts of an exchange."""

    trading_day: str
    action_day: str
    update_time: str
    millisec: int


class GeneratedMarket:
    """See app/counter/markets/market.py for what each method promises."""

    def __init__(
        self,
        seed: int,
        hours: str = "always",
        clock: str = "",
        wall: Callable[[], datetime] | None = None,
        products: Collection[str] | None = None,
    ) -> None:
        """`products`: the codes of those that are listed; None for all."""
        self._seed, self._hours, self._clock, self._wall = seed, hours, clock, wall or SteadyWall()
        self._offset = (_start(clock) - self._wall()) if clock else timedelta()
        self._products = products
        self._walks: dict[str, Walk] = {}
        self._watched: list[str] = []
        self._begin(trading_day_of(self.now(), TURN))
        self._slot = self._slot_now()

    @classmethod
    def open(cls, settings: Settings) -> GeneratedMarket:
        return cls(settings.counter_seed, settings.counter_hours, settings.counter_clock)

    # clock and day

    def now(self) -> datetime:
        return (self._wall() + self._offset).astimezone(SHANGHAI)

    def set_clock(self, moment: datetime) -> None:
        """The clock jumps forward to this moment and runs on from there."""
        self._offset += max(timedelta(), moment - self.now())

    def trading_day(self) -> str:
        return compact(self._day)

    def phase(self, instrument: str) -> Phase:
        contract = self._listed.get(instrument)
        return "closed" if contract is None else self._phase_of(contract, self.now())

    def _phase_of(self, contract: Contract, moment: datetime) -> Phase:
        if self._hours == "always":
            return "continuous"
        if trading_day_of(moment) != self._day:
            return "closed"
        return sessions.phase(contract.product.code, moment)

    def _slot_now(self) -> int:
        return int(self.now().timestamp() * SLOTS_A_SECOND)

    def _begin(self, day: date) -> None:
        self._day = day
        self._yesterday = previous_trading_day(day)
        self._listed = {contract.instrument: contract for contract in listed_on(day, self._products)}
        self._days: dict[str, _Day] = {}
        self._fields: dict[str, InstrumentField] = {}

    def _turn(self) -> DayTurn:
        """Settle the day and begin the next one. Days that passed while nobody polled turn one by one."""
        old_day, new_day = self._day, next_trading_day(self._day)
        prices: dict[str, float] = {}
        for instrument, contract in self._listed.items():
            walk = self._walks.get(instrument)
            if walk is None:
                settled = fair_ticks(self._seed, contract, old_day)
            else:
                day = self._day_of(contract)
                settled = walk.settlement(day.lower, day.upper, last_hour=day.last_hour > 0)
                walk.next_day(settled)
            prices[instrument] = _price(settled, contract)
        self._begin(new_day)
        self._walks = {
            instrument: walk for instrument, walk in self._walks.items() if instrument in self._listed
        }
        return DayTurn(compact(old_day), compact(new_day), prices)

    # quotes

    def watch(self, instruments: set[str]) -> None:
        self._watched = sorted(instruments)

    def poll(self) -> list[DepthField | DayTurn]:
        if trading_day_of(self.now(), TURN) > self._day:
            return [self._turn()]
        slot = self._slot_now()
        due = range(max(self._slot + 1, slot - CATCH_UP + 1), slot + 1)
        self._slot = max(slot, self._slot)
        return [depth for number in due for depth in self._snapshots(number)]

    def _snapshots(self, slot: int) -> list[DepthField | DayTurn]:
        moment = _moment(slot)
        stamps = {exchange: self._stamp(exchange, moment) for exchange in EXCHANGES}
        found: list[DepthField | DayTurn] = []
        for instrument in self._watched:
            contract = self._listed.get(instrument)
            if contract is None or self._is_still(contract, slot):
                continue
            if self._phase_of(contract, moment) == "continuous":
                found.append(
                    self._depth(contract, self._stepped(contract, slot), stamps[contract.product.exchange])
                )
        return found

    def _is_still(self, contract: Contract, slot: int) -> bool:
        """Whether nothing changes in this half second, which is then not told."""
        pause = self._day_of(contract).pause
        return pause > 1 and mix(self._walk(contract).seed + slot) % pause > 0

    def quote(self, instrument: str) -> DepthField | None:
        contract = self._listed.get(instrument)
        if contract is None:
            return None
        slot = self._slot_now()
        walk = self._walk(contract)
        streamed = walk.slot > 0 and instrument in self._watched
        if not streamed and self._phase_of(contract, _moment(slot)) == "continuous":
            walk = self._stepped(contract, slot)
        return self._depth(contract, walk, self._stamp(contract.product.exchange, _moment(walk.slot or slot)))

    def _walk(self, contract: Contract) -> Walk:
        walk = self._walks.get(contract.instrument)
        if walk is None:
            walk = self._walks[contract.instrument] = Walk.begin(
                self._seed, contract, self._pre_settlement(contract)
            )
        return walk

    def _stepped(self, contract: Contract, slot: int) -> Walk:
        walk = self._walk(contract)
        if slot > walk.slot:
            day = self._day_of(contract)
            if walk.slot < day.last_hour <= slot:
                walk.mark_volume, walk.mark_turnover = walk.volume, walk.turnover
            walk.step(slot, day.fair, day.lower, day.upper, day.activity)
        return walk

    def _depth(self, contract: Contract, walk: Walk, stamp: _Stamp) -> DepthField:
        day = self._day_of(contract)
        scale, per = day.scale
        turnover = walk.turnover * scale * day.multiplier / per
        return DepthField(
            InstrumentID=contract.instrument,
            ExchangeID=contract.product.exchange,
            TradingDay=stamp.trading_day,
            ActionDay=stamp.action_day,
            UpdateTime=stamp.update_time,
            UpdateMillisec=stamp.millisec,
            LastPrice=walk.last * scale / per,
            Volume=walk.volume,
            Turnover=turnover,
            OpenInterest=float(walk.open_interest),
            OpenPrice=walk.open * scale / per,
            HighestPrice=walk.high * scale / per,
            LowestPrice=walk.low * scale / per,
            PreSettlementPrice=day.prices.pre_settlement,
            PreClosePrice=day.pre_close,
            PreOpenInterest=float(walk.pre_open_interest),
            UpperLimitPrice=day.prices.upper_limit,
            LowerLimitPrice=day.prices.lower_limit,
            BidPrice1=walk.bid * scale / per,
            BidVolume1=walk.bid_volume,
            AskPrice1=walk.ask * scale / per,
            AskVolume1=walk.ask_volume,
            AveragePrice=round(turnover * day.average_size / day.multiplier / walk.volume, 4)
            if walk.volume
            else 0.0,
        )

    def _stamp(self, exchange: str, moment: datetime) -> _Stamp:
        """TradingDay, ActionDay and time as the exchange sends them."""
        trading_day, action_day = compact(self._day), compact(moment.date())
        if self._hours == "exchange" and (moment.time() >= EVENING or moment.time() < SMALL_HOURS):
            if exchange == "DCE":
                action_day = trading_day
            elif exchange == "CZCE":
                trading_day = action_day
        return _Stamp(
            trading_day,
            action_day,
            f"{moment:%H:%M:%S}",
            0 if exchange == "CZCE" else moment.microsecond // 1000,
        )

    # contracts

    def instruments(self) -> dict[str, InstrumentField]:
        if not self._fields:
            self._fields = {
                instrument: self._field(contract) for instrument, contract in self._listed.items()
            }
        return dict(self._fields)

    def _field(self, contract: Contract) -> InstrumentField:
        pre_settlement = self._pre_settlement(contract)
        return instrument_field(
            contract, _prices(contract, pre_settlement, *limit_ticks(contract, pre_settlement))
        )

    def _pre_settlement(self, contract: Contract) -> int:
        walk = self._walks.get(contract.instrument)
        return walk.pre_settlement if walk else fair_ticks(self._seed, contract, self._yesterday)

    def _day_of(self, contract: Contract) -> _Day:
        day = self._days.get(contract.instrument)
        if day is None:
            pre_settlement = self._pre_settlement(contract)
            lower, upper = limit_ticks(contract, pre_settlement)
            ahead = (contract.year - self._day.year) * 12 + contract.month - self._day.month
            last_hour = 0
            if contract.product.exchange == "CFFEX":
                end = sessions.section_ends(contract.product.code, self._day)[-1]
                last_hour = int((end - LAST_HOUR).timestamp() * SLOTS_A_SECOND)
            product = contract.product
            day = self._days[contract.instrument] = _Day(
                pre_settlement,
                fair_ticks(self._seed, contract, self._day),
                lower,
                upper,
                BUSY if 1 <= ahead <= 5 else QUIET,
                STILL if ahead > 12 else 1,
                last_hour,
                exact(product.price_tick).as_integer_ratio(),
                product.multiplier,
                1 if product.exchange == "CZCE" else product.multiplier,
                _prices(contract, pre_settlement, lower, upper),
                _price(
                    walk.pre_close if (walk := self._walks.get(contract.instrument)) else pre_settlement,
                    contract,
                ),
            )
        return day

    # restarts

    def state(self) -> dict[str, Any]:
        return {
            "kind": "generated",
            "seed": self._seed,
            "clock": self._clock,
            "offset": self._offset.total_seconds(),
            "day": compact(self._day),
            "walks": msgspec.to_builtins(self._walks),
        }

    def progress(self) -> int:
        return 0  # the clock is the wall's, and no slot of it comes twice

    def resume(self, state: dict[str, Any], progress: int = 0) -> None:
        """Prices, volumes and day go on. Raises SettingsError when the clock now asked for lies before the
        day already reached.
        """
        if state.get("kind") != "generated" or state.get("seed") != self._seed:
            return
        if state["clock"] == self._clock:
            self._offset = timedelta(seconds=state["offset"])
        day = parse_day(state["day"])
        if trading_day_of(self.now(), TURN) < day:
            raise SettingsError(
                f"柜台数据已到交易日 {state['day']}，时钟不能退回 {self.now():%Y-%m-%d %H:%M:%S}：换一个 "
                "data_dir，或改 counter_clock",
                parameter="counter_clock",
            )
        self._begin(day)
        self._walks = {
            name: Walk(**values) for name, values in state["walks"].items() if name in self._listed
        }
        self._slot = self._slot_now()


def _start(clock: str) -> datetime:
    try:
        moment = datetime.fromisoformat(clock)
    except ValueError:
        raise SettingsError(
            f"counter_clock 不是时刻：{clock!r}，应如 2025-06-06T21:00:00", parameter="counter_clock"
        ) from None
    return moment.replace(tzinfo=SHANGHAI) if moment.tzinfo is None else moment


def _moment(slot: int) -> datetime:
    return datetime.fromtimestamp(slot / SLOTS_A_SECOND, SHANGHAI)


def _prices(contract: Contract, pre_settlement: int, lower: int, upper: int) -> DayPrices:
    return DayPrices(_price(pre_settlement, contract), _price(upper, contract), _price(lower, contract))


def _price(ticks: int, contract: Contract) -> float:
    return float(ticks * exact(contract.product.price_tick))
