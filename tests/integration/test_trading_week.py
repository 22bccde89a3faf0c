"""A week of rubber as it was, traded at random: at every settlement the counter's money is what its fills
alone come to, to the cent.

The real core on recorded ticks (five days and the Friday night; really recorded, 192,164), its clock driven
by the test. Orders of every kind are sent, filled, partly filled, cancelled; lots of today and of yesterday
are closed, also at night; the counter is killed once and each day somebody logs in anew. Beside it two
reckonings: the gateway's ledger, fed by the callbacks, and `Reckoning`, which shares no code with the books:
cash for every fill, and lots in a list.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import asdict

from app.counter.core import Core
from app.counter.markets.replay import ReplayedMarket
from app.counter.state import State
from app.interfaces.ledger import Ledger
from app.lib.calendar import SHANGHAI
from app.wire import frames as f
from tests.support.recorded import Recordings, on_each

SYMBOL, TICK, LOT, FEE, MARGIN = "ru1901", 5, 10, Decimal("0.000045"), Decimal("0.17")
CAPITAL = Decimal(8_000_000)
STEP = timedelta(seconds=30)
BUY, SELL = "0", "1"
OPEN, CLOSE, CLOSE_TODAY, CLOSE_YESTERDAY = "0", "1", "3", "4"
LIMIT, FAK, FOK = ("2", "3", "1"), ("2", "1", "1"), ("2", "1", "3")
DAYS = ["20181008", "20181009", "20181010", "20181011", "20181012", "20181015"]


def yuan(value: float | Decimal) -> Decimal:
    return Decimal(str(value)).quantize(Decimal("0.01"), ROUND_HALF_UP)


@dataclass
class OwnLot:
    long: bool
    day: str
    opened_at: Decimal
    base: Decimal  # what profit by date counts from: the open price, after a settlement its price
    volume: int

    def worth(self, price: Decimal, since: Decimal) -> Decimal:
        return (price - since) * self.volume * LOT * (1 if self.long else -1)


class Reckoning:
    """The account from its fills alone."""

    def __init__(self) -> None:
        self.day = DAYS[0]
        self.cash = CAPITAL  # every buy taken off, every sale put on, fees taken off
        self.pre_balance = CAPITAL
        self.fees_today = self.fees = Decimal(0)
        self.closed_by_date_today = self.closed_by_trade = Decimal(0)
        self.lots: list[OwnLot] = []
        self.seen: set[str] = set()
        self.happened: Counter[str] = Counter()

    def fill(self, trade: f.TradeField) -> None:
        key = f"{trade.TradingDay} {trade.TradeID} {trade.Direction}"
        if key in self.seen:
            return
        self.seen.add(key)
        assert trade.TradingDay == self.day
        price, bought = Decimal(str(trade.Price)), trade.Direction == BUY
        amount = price * trade.Volume * LOT
        fee = yuan(amount * FEE)
        self.cash += (-amount if bought else amount) - fee
        self.fees_today += fee
        self.fees += fee
        self.happened[f"{'night' if trade.TradeTime >= '20:00:00' else 'day'} {trade.OffsetFlag}"] += 1
        if trade.OffsetFlag == OPEN:
            self.lots.append(OwnLot(bought, self.day, price, price, trade.Volume))
            return
        left = trade.Volume
        for lot in self.lots:
            if (
                lot.long == (not bought)
                and (lot.day == self.day) == (trade.OffsetFlag == CLOSE_TODAY)
                and left
            ):
                part = OwnLot(lot.long, lot.day, lot.opened_at, lot.base, min(left, lot.volume))
                self.closed_by_date_today += part.worth(price, part.base)
                self.closed_by_trade += part.worth(price, part.opened_at)
                lot.volume -= part.volume
                left -= part.volume
        assert left == 0, "closed more than there was"
        self.lots = [lot for lot in self.lots if lot.volume]

    def held(self, long: bool, today: bool) -> int:
        return sum(lot.volume for lot in self.lots if lot.long == long and (lot.day == self.day) == today)

    def floating(self, price: Decimal, by_trade: bool) -> Decimal:
        return sum(
            (lot.worth(price, lot.opened_at if by_trade else lot.base) for lot in self.lots), Decimal(0)
        )

    def equity(self, price: Decimal) -> Decimal:
        """Cash, and what everything held would bring: no lot is looked at but for its sign."""
        return self.cash + sum(
            (price * lot.volume * LOT * (1 if lot.long else -1) for lot in self.lots), Decimal(0)
        )

    def margin(self) -> Decimal:
        """The larger side of the product."""
        sides = {True: Decimal(0), False: Decimal(0)}
        for lot in self.lots:
            sides[lot.long] += yuan(lot.base * lot.volume * LOT * MARGIN)
        return max(sides.values())

    def settle(self, price: Decimal, next_day: str) -> None:
        self.pre_balance = self.equity(price)
        for lot in self.lots:
            lot.base = price
        self.day = next_day
        self.fees_today = self.closed_by_date_today = Decimal(0)


class Wall:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 12, 0, tzinfo=SHANGHAI)

    def __call__(self) -> datetime:
        return self.now


class Week:
    """The counter, who trades at it, and who reckons."""

    def __init__(self, path: Path, ticks: Path, seed: int) -> None:
        self.ticks = ticks
        self.path, self.chance, self.wall = path, random.Random(seed), Wall()
        self.own = Reckoning()
        self.ledger = Ledger()
        self.tick: f.DepthField | None = None  # the newest of this trading day
        self.settlements: dict[str, float] = {}
        self.statuses: Counter[str] = Counter()
        self.refused: Counter[int] = Counter()
        self.logins = self.ref = 0
        self._open()
        self.log_in()
        self.begin_ledgers_day()

    def _open(self) -> None:
        self.state = State(self.path)
        self.market = ReplayedMarket(self.ticks, 1.0, self.wall)
        self.core = Core(self.state, self.market, float(CAPITAL))

    def kill_the_counter(self) -> None:
        """Only what is on disk is left, and the market goes on from there."""
        self.core.keep_market()  # as the server does once a second: a step is longer
        self.state.close()
        self._open()
        self.log_in()

    def log_in(self) -> None:
        """As after a lost connection: the login tells the whole day again."""
        for link in self.core.links():
            self.core.disconnected(link)
        self.logins += 1
        self.ref = 0
        self.link = f"td{self.logins}"
        self.hear(
            self.core.handle(
                self.link, f.ReqUserLogin(front="td", BrokerID="9999", UserID="me", Password="secret")
            )
        )
        self.hear(self.core.handle("md", f.ReqUserLogin(front="md", BrokerID="9999", UserID="me")))
        self.hear(self.core.handle("md", f.ReqSubMarketData(InstrumentIDs=[SYMBOL])))

    # ── what the counter says ──

    def hear(self, out: list[tuple[Any, f.Frame]]) -> None:
        for link, frame in out:
            match frame:
                case f.RtnDepthMarketData(ticks=ticks) if link == "md":
                    self.tick = ticks[-1] if ticks[-1].TradingDay == self.own.day else self.tick
                    self.ledger.set_price(SYMBOL, ticks[-1].LastPrice, ticks[-1].PreSettlementPrice)
                case f.RtnOrder(order=row) if link == self.link:
                    self.statuses[row.OrderStatus] += 1
                    self.ledger.apply_order(row)
                case f.RtnTrade(trade=trade) if link == self.link:
                    self.own.fill(trade)
                    self.ledger.apply_trade(trade)
                case f.RspOrderInsert(ErrorID=error_id):
                    self.refused[error_id] += 1
                case f.Heartbeat(TradingDay=day) if link == self.link and day != self.own.day:
                    self.the_day_has_turned(day)

    def rows(self, what: str) -> list[Any]:
        answers = [
            frame
            for _, frame in self.core.handle(self.link, f.ReqQry(what=what))
            if isinstance(frame, f.RspQry)
        ]
        return [row for answer in answers for row in answer.rows]

    # ── the day ──

    def the_day_has_turned(self, day: str) -> None:
        settled = self.market.instruments()[SYMBOL].PreSettlementPrice
        closed_day = self.own.day
        assert self.tick is not None
        self.settlements[closed_day] = settled
        price = Decimal(str(settled))
        by_trade = (
            CAPITAL + self.own.closed_by_trade + self.own.floating(price, by_trade=True) - self.own.fees
        )
        by_date = (
            self.own.pre_balance
            + self.own.closed_by_date_today
            + self.own.floating(price, by_trade=False)
            - self.own.fees_today
        )
        self.own.settle(price, day)
        assert by_trade == by_date == self.own.pre_balance
        self.tick = None
        (money,) = self.rows("account")
        assert yuan(money.PreBalance) == self.own.pre_balance, closed_day
        assert (money.TradingDay, money.CloseProfit, money.PositionProfit, money.Commission) == (day, 0, 0, 0)
        assert (money.FrozenMargin, money.FrozenCommission) == (0, 0)
        assert self.rows("order") == self.rows("trade") == []
        self.begin_ledgers_day()
        self.compare()

    def begin_ledgers_day(self) -> None:
        """As the gateway loads the account."""
        (account,), details = self.rows("account"), self.rows("position_detail")
        self.ledger.begin_day(account.TradingDay)
        self.ledger.set_contracts(self.rows("instrument"))
        self.ledger.rebuild(account, details, self.rows("order"), self.rows("trade"))
        if self.tick is None:
            self.ledger.set_price(SYMBOL, self.market.instruments()[SYMBOL].PreSettlementPrice)
        assert self.ledger.reconcile(account, details, is_complete=True) == []

    def compare(self) -> None:
        """Counter, ledger and reckoning, every amount and every lot, at the newest price."""
        (account,), details = self.rows("account"), self.rows("position_detail")
        price = Decimal(
            str(self.tick.LastPrice if self.tick else self.market.instruments()[SYMBOL].PreSettlementPrice)
        )
        own, money = self.own, self.ledger.money()
        assert self.ledger.reconcile(account, details) == []
        counter = {name: yuan(value) for name, value in asdict(account).items() if isinstance(value, float)}
        assert counter["Balance"] == money.balance == own.equity(price)
        assert counter["PreBalance"] == money.pre_balance == own.pre_balance
        assert counter["CloseProfit"] == money.close_profit == own.closed_by_date_today
        assert counter["PositionProfit"] == money.position_profit == own.floating(price, by_trade=False)
        assert counter["Commission"] == money.commission == own.fees_today
        assert counter["CurrMargin"] == money.margin == own.margin()
        assert counter["FrozenMargin"] == money.frozen_margin
        assert counter["FrozenCommission"] == money.frozen_commission
        assert (
            counter["Available"]
            == money.available
            == own.equity(price) - own.margin() - money.frozen_margin - money.frozen_commission
        )
        live = sorted(
            (row.Direction == "0", row.OpenDate, yuan(row.OpenPrice), row.Volume)
            for row in details
            if row.Volume
        )
        assert live == sorted((lot.long, lot.day, yuan(lot.opened_at), lot.volume) for lot in own.lots)
        by_side = {position.direction: position for position in self.ledger.book.positions()}
        for long, word in ((True, "long"), (False, "short")):
            held = [lot for lot in own.lots if lot.long == long]
            assert (word in by_side) == bool(held)
            if held:
                position = by_side[word]
                assert (position.today_volume, position.yd_volume) == (
                    own.held(long, True),
                    own.held(long, False),
                )
                assert yuan(position.float_pnl) == sum(lot.worth(price, lot.opened_at) for lot in held)
                assert yuan(position.position_profit) == sum(lot.worth(price, lot.base) for lot in held)

    # ── who trades ──

    def act(self) -> None:
        """One order or cancel, or nothing."""
        assert self.tick is not None
        chance, ask, bid = self.chance, self.tick.AskPrice1, self.tick.BidPrice1
        choice = chance.random()
        if not ask or not bid:
            return
        if choice < 0.15:
            working = self.ledger.active_orders()
            if working:
                self.cancel(chance.choice(working).order_id)
            return
        buys = chance.random() < 0.5
        away = chance.choice((0, 0, 0, 1, 2, 4)) * TICK
        price = (ask if not away else bid - away + TICK) if buys else (bid if not away else ask + away - TICK)
        if choice < 0.55:
            self.order(
                buys, OPEN, price, chance.randint(1, 20), chance.choice((LIMIT, LIMIT, LIMIT, FAK, FOK))
            )
            return
        today = chance.random() < 0.5
        held = self.own.held(not buys, today)
        offset = CLOSE_TODAY if today else chance.choice((CLOSE, CLOSE_YESTERDAY))
        if held:
            self.order(buys, offset, price, chance.randint(1, min(held, 4)), LIMIT)

    def order(self, buys: bool, offset: str, price: float, volume: int, kind: tuple[str, str, str]) -> None:
        self.ref += 1
        request = f.ReqOrderInsert(
            InstrumentID=SYMBOL,
            ExchangeID="SHFE",
            OrderRef=str(self.ref),
            Direction=BUY if buys else SELL,
            CombOffsetFlag=offset,
            OrderPriceType=kind[0],
            TimeCondition=kind[1],
            VolumeCondition=kind[2],
            LimitPrice=price,
            VolumeTotalOriginal=volume,
        )
        self.hear(self.core.handle(self.link, request))

    def cancel(self, order_id: str) -> None:
        row = self.ledger.order_row(order_id)
        assert row is not None
        request = f.ReqOrderAction(InstrumentID=SYMBOL, ExchangeID="SHFE", OrderSysID=row.OrderSysID)
        self.hear(self.core.handle(self.link, request))

    def run(self) -> None:
        """Until the file is over."""
        steps = 0
        kill_in, logins_left = "20181010", set(DAYS)
        while self.market._next is not None:
            self.wall.now += STEP
            self.hear(self.core.advance())
            steps += 1
            assert steps < 20_000, "the week does not end"
            if self.tick is None:
                continue
            if self.chance.random() < 0.25:
                self.act()
            if steps % 100 == 0:
                self.compare()
            if self.own.day in logins_left and self.own.fees_today and self.chance.random() < 0.02:
                logins_left.discard(self.own.day)
                self.log_in()
            if (
                self.own.day == kill_in
                and self.own.happened[f"night {CLOSE_YESTERDAY}"]
                and self.chance.random() < 0.02
            ):
                kill_in = ""
                self.kill_the_counter()
                self.compare()
        self.compare()
        assert not kill_in
        assert self.own.day == DAYS[-1]


@on_each
@pytest.mark.timeout(300)  # some 20 s of work, on a machine that may have other things to do
@pytest.mark.parametrize("seed", [20181008])
def test_a_week_of_trading_adds_up_to_the_cent_by_date_and_by_trade(
    tmp_path: Path, recorded: Recordings, seed: int
) -> None:
    week = Week(tmp_path / "counter.db", recorded.rubber, seed)
    week.run()
    week.state.close()
    assert list(week.settlements) == DAYS[:-1]
    days = recorded.days["rubber"]
    assert week.settlements == {day: days[day].settlement for day in DAYS[:-1]}  # it closed at others
    for when in ("night", "day"):
        for offset in (OPEN, CLOSE, CLOSE_TODAY, CLOSE_YESTERDAY):
            assert week.own.happened[f"{when} {offset}"] >= 5, week.own.happened
    assert week.statuses["1"] > 20, week.statuses  # part fills
    assert week.statuses["5"] > 50, week.statuses  # cancels
    assert week.refused, "nothing was ever refused"
