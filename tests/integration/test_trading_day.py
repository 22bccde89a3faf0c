"""The trading day from end to end with the clock passed in: nights and holidays, what an order belongs to,
what settlement leaves.

The real core, on a market made by the exchanges' hours or by hand, and the gateway's ledger, builder of bars
and ticks beside it. Every test runs on hosts in two zones.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ctpbee.constant import Exchange

from app.bee import fields
from app.counter.contracts import listed_on
from app.counter.core import Core
from app.counter.markets.generator import GeneratedMarket
from app.counter.state import State
from app.interfaces.ledger import Ledger
from app.lib.bars import BarBuilder, ClosedBar
from app.lib.calendar import SHANGHAI, compact, trading_day_of, wall_time
from app.lib.sessions import hours_named
from app.lib.symbols import product_of
from app.wire import frames as f
from tests.fakes.front import depth

BUY, SELL = "0", "1"
OPEN, CLOSE, CLOSE_TODAY, CLOSE_YESTERDAY = "0", "1", "3", "4"


@pytest.fixture(params=["Asia/Shanghai", "UTC"], autouse=True)
def host_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


class Desk:
    """A counter on the exchanges' hours which lists the products of what is watched (all, if nothing is), one
    trader with a login of each kind, and the gateway's ledger that hears all.
    """

    def __init__(self, folder: Path, start: str, *watched: str) -> None:
        self._now = at(start).astimezone(UTC)  # the host's clock may be in any zone
        self._path = folder / "counter.db"
        self._refs = itertools.count(1)
        self.ledger = Ledger()
        self.heard: list[f.Frame] = []
        self.ticks: list[f.DepthField] = []
        self.day = ""
        self._watched = list(watched)
        self._open()

    def _open(self) -> None:
        self.state = State(self._path)
        products = {product_of(symbol) for symbol in self._watched} or None
        self.market = GeneratedMarket(7, "exchange", wall=lambda: self._now, products=products)
        self.core = Core(self.state, self.market, 1_000_000.0)
        self.log_in()

    def log_in(self) -> None:
        for link in self.core.links():
            self.core.disconnected(link)
        self._hear(
            self.core.handle(
                "td", f.ReqUserLogin(front="td", BrokerID="9999", UserID="me", Password="secret")
            )
        )
        self._hear(self.core.handle("md", f.ReqUserLogin(front="md", BrokerID="9999", UserID="me")))
        self._hear(self.core.handle("md", f.ReqSubMarketData(InstrumentIDs=self._watched)))
        self.load()

    def kill_counter(self) -> None:
        self.state.close()
        self._open()

    def to(self, text: str) -> None:
        """The clock goes on to this moment; what that brings is heard."""
        assert at(text) > self._now
        self._now = at(text).astimezone(UTC)
        while out := self.core.advance():
            self._hear(out)

    def load(self) -> None:
        """As the gateway does at a login and when the day has turned."""
        (account,), details = self.rows("account"), self.rows("position_detail")
        self.day = account.TradingDay
        self.ledger.begin_day(self.day)
        self.ledger.set_contracts(self.rows("instrument"))
        self.ledger.rebuild(account, details, self.rows("order"), self.rows("trade"))
        assert self.ledger.reconcile(account, details, is_complete=True) == []

    def _hear(self, out: list[tuple[Any, f.Frame]]) -> None:
        for link, frame in out:
            if isinstance(frame, f.RtnDepthMarketData):
                self.ticks += frame.ticks
                for tick in frame.ticks:
                    self.ledger.set_price(tick.InstrumentID, tick.LastPrice, tick.PreSettlementPrice)
            elif link == "td":
                self.heard.append(frame)
                if isinstance(frame, f.RtnOrder):
                    self.ledger.apply_order(frame.order)
                elif isinstance(frame, f.RtnTrade):
                    self.ledger.apply_trade(frame.trade)
                elif isinstance(frame, f.Heartbeat) and frame.TradingDay != self.day:
                    self.load()

    def rows(self, what: str) -> list[Any]:
        answers = [
            frame for _, frame in self.core.handle("td", f.ReqQry(what=what)) if isinstance(frame, f.RspQry)
        ]
        return [row for answer in answers for row in answer.rows]

    def order(self, symbol: str, side: str, offset: str, volume: int = 1, away: int = 0) -> f.OrderField:
        """At the market, or `away` ticks from it; its newest row, or the refused one."""
        quote, contract = self.market.quote(symbol), self.market.instruments()[symbol]
        assert quote is not None
        price = (
            quote.AskPrice1 if side == BUY else quote.BidPrice1
        ) or quote.LastPrice  # in an auction there is no depth
        price += away * contract.PriceTick * (-1 if side == BUY else 1)
        del self.heard[:]
        request = f.ReqOrderInsert(
            InstrumentID=symbol,
            ExchangeID=contract.ExchangeID,
            OrderRef=str(next(self._refs)),
            Direction=side,
            CombOffsetFlag=offset,
            OrderPriceType="2",
            TimeCondition="3",
            VolumeCondition="1",
            LimitPrice=price,
            VolumeTotalOriginal=volume,
        )
        self._hear(self.core.handle("td", request))
        rows = [frame.order for frame in self.heard if isinstance(frame, f.RtnOrder | f.RspOrderInsert)]
        return rows[-1]

    def error(self) -> int:
        """Of the last order; 0 when it was taken."""
        return next((frame.ErrorID for frame in self.heard if isinstance(frame, f.RspOrderInsert)), 0)

    def volumes(self, symbol: str, direction: str = "long") -> tuple[int, int]:
        """Today's and yesterday's, as the gateway's page shows them."""
        position = self.ledger.book.position(symbol, direction)
        return (position.today_volume, position.yd_volume) if position is not None else (0, 0)


# ── Friday night, 2025-06-06 ──


@pytest.mark.parametrize(
    ("moment", "natural"),
    [
        ("2025-06-06 21:00:01", "20250606"),
        ("2025-06-07 00:45:00", "20250607"),
        ("2025-06-09 14:00:00", "20250609"),
    ],
)
def test_an_order_of_friday_night_and_saturday_morning_belongs_to_monday(
    tmp_path: Path, moment: str, natural: str
) -> None:
    desk = Desk(tmp_path, "2025-06-06 18:00:00", "ag2508")
    assert desk.day == "20250609"  # the day begins at the login before the night, not at midnight
    desk.to(moment)
    row = desk.order("ag2508", BUY, OPEN)
    assert (row.OrderStatus, row.TradingDay, row.InsertDate) == ("0", "20250609", natural)
    (trade,) = desk.rows("trade")
    assert (trade.TradingDay, trade.TradeDate) == ("20250609", natural)
    (shown,) = desk.ledger.orders.values()
    assert shown.datetime.startswith(f"{natural[:4]}-{natural[4:6]}-{natural[6:]} {moment[11:13]}")
    assert shown.trading_day == "20250609"


def test_lots_of_friday_night_are_todays_at_two_on_monday_and_yesterdays_at_nine_in_the_evening(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path, "2025-06-06 20:50:00", "ag2508")
    desk.to("2025-06-06 21:30:00")
    assert desk.order("ag2508", BUY, OPEN, 3).OrderStatus == "0"
    desk.to("2025-06-09 14:00:00")
    assert desk.volumes("ag2508") == (3, 0)
    desk.order("ag2508", SELL, CLOSE_YESTERDAY)
    assert desk.error() == 51
    desk.order("ag2508", SELL, CLOSE)  # on SHFE a plain close is of yesterday's
    assert desk.error() == 51
    assert desk.order("ag2508", SELL, CLOSE_TODAY).OrderStatus == "0"
    desk.to("2025-06-09 21:00:10")
    assert (desk.day, desk.volumes("ag2508")) == ("20250610", (0, 2))
    desk.order("ag2508", SELL, CLOSE_TODAY)
    assert desk.error() == 50
    assert desk.order("ag2508", SELL, CLOSE_YESTERDAY).OrderStatus == "0"
    assert desk.volumes("ag2508") == (0, 1)


def test_an_order_of_saturday_morning_lives_through_a_lost_front_and_a_killed_counter(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "2025-06-07 00:40:00", "ag2508")
    desk.to("2025-06-07 00:45:00")
    resting = desk.order("ag2508", BUY, OPEN, away=400)
    assert resting.OrderStatus == "3"
    desk.to("2025-06-07 01:10:00")
    desk.core.disconnected("td")
    desk.to("2025-06-07 01:12:00")
    desk.log_in()
    assert desk.day == "20250609"
    assert [order.trading_day for order in desk.ledger.active_orders()] == ["20250609"]
    desk.to("2025-06-08 12:00:00")
    desk.kill_counter()
    assert desk.day == "20250609"
    assert len(desk.ledger.active_orders()) == 1
    desk.to("2025-06-09 09:30:00")
    assert len(desk.ledger.active_orders()) == 1  # good for the day: until Monday 15:00
    desk.to("2025-06-09 20:00:00")
    assert desk.ledger.active_orders() == []
    assert desk.rows("order") == []


def test_outside_the_sections_the_exchange_takes_no_order(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "2025-06-06 20:00:00", "ag2508", "rb2510")
    for moment, symbol, taken in [
        ("2025-06-06 20:54:00", "ag2508", False),
        ("2025-06-06 20:57:00", "ag2508", True),  # auction
        ("2025-06-06 22:59:59", "rb2510", True),
        ("2025-06-06 23:00:01", "rb2510", False),
        ("2025-06-07 02:29:00", "ag2508", True),
        ("2025-06-07 02:31:00", "ag2508", False),
        ("2025-06-07 10:00:00", "ag2508", False),  # Saturday
        ("2025-06-08 21:00:00", "ag2508", False),  # Sunday evening has no night
        ("2025-06-09 10:20:00", "rb2510", False),
        ("2025-06-09 10:30:01", "rb2510", True),
    ]:
        desk.to(moment)
        row = desk.order(symbol, BUY, OPEN, away=20)
        assert (row.OrderStatus != "5") is taken, (moment, row.StatusMsg)


# ── evenings without a night ──


@pytest.mark.parametrize(
    ("afternoon", "following"),
    [
        ("2025-01-27", "20250205"),  # Spring Festival
        ("2025-04-03", "20250407"),
        ("2025-05-30", "20250603"),
        ("2025-09-30", "20251009"),
        ("2026-02-13", "20260224"),
        ("2026-06-18", "20260622"),
        ("2026-09-24", "20260928"),
    ],
)
def test_before_a_holiday_the_day_turns_in_the_afternoon_and_nothing_trades_until_its_morning(
    tmp_path: Path, afternoon: str, following: str
) -> None:
    (symbol, *_) = sorted(
        contract.instrument
        for contract in listed_on(date.fromisoformat(afternoon))
        if contract.product.code == "ag"
    )[3:]
    desk = Desk(tmp_path, f"{afternoon} 14:50:00", symbol)
    assert desk.day == afternoon.replace("-", "")
    assert desk.order(symbol, BUY, OPEN).OrderStatus == "0"
    desk.to(f"{afternoon} 21:30:00")
    assert (desk.day, desk.volumes(symbol)) == (following, (0, 1))
    assert desk.order(symbol, BUY, OPEN).StatusMsg.endswith("当前状态禁止此项操作")
    desk.to(f"{following[:4]}-{following[4:6]}-{following[6:]} 09:00:05")
    row = desk.order(symbol, SELL, CLOSE_YESTERDAY)
    assert (row.OrderStatus, row.TradingDay) == ("0", following)


@pytest.mark.parametrize("weekend", ["2025-09-28 10:00:00", "2025-10-11 10:00:00"])
def test_on_a_working_sunday_or_saturday_nothing_trades(tmp_path: Path, weekend: str) -> None:
    desk = Desk(tmp_path, weekend, "ag2602")
    assert desk.day == compact(trading_day_of(at(weekend)))
    assert desk.order("ag2602", BUY, OPEN).OrderStatus == "5"
    assert desk.market.phase("ag2602") == "closed"


def test_beyond_the_calendars_end_a_night_and_a_day_go_on_by_weekdays(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "2027-03-11 14:00:00")
    desk.to("2027-03-12 21:00:05")
    assert desk.day == "20270315"


def test_crude_that_expires_on_the_eve_of_a_holiday_is_settled_and_gone(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "2025-05-29 14:00:00", "sc2506", "sc2507")
    assert desk.rows("instrument")
    assert {"sc2506", "sc2507"} <= {row.InstrumentID for row in desk.rows("instrument")}
    desk.to("2025-05-30 14:50:00")
    assert desk.order("sc2507", BUY, OPEN).OrderStatus == "0"
    desk.to("2025-05-30 20:00:00")
    assert desk.day == "20250603"
    listed = {row.InstrumentID for row in desk.rows("instrument")}
    assert "sc2506" not in listed
    assert "sc2507" in listed
    assert "sc2506.INE" not in desk.ledger.contracts
    desk.to("2025-06-03 09:10:00")
    assert desk.volumes("sc2507") == (0, 1)


@pytest.mark.parametrize("day", ["2025-05-30", "2025-06-03", "2026-02-13"])
def test_the_contract_list_of_a_day_holds_what_is_listed_on_it_and_nothing_else(
    tmp_path: Path, day: str
) -> None:
    desk = Desk(tmp_path, f"{day} 10:00:00")
    rows = desk.rows("instrument")
    assert {row.InstrumentID for row in rows} == {
        contract.instrument for contract in listed_on(date.fromisoformat(day))
    }
    assert all(row.OpenDate <= desk.day <= row.ExpireDate for row in rows)


# ── settlement ──


def test_the_day_settles_at_the_average_not_the_close_and_everything_starts_anew(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "2025-06-09 09:00:00", "rb2510")
    desk.to("2025-06-09 10:00:00")
    assert desk.order("rb2510", BUY, OPEN, 4).OrderStatus == "0"
    desk.order("rb2510", SELL, CLOSE_TODAY, 2, away=150)
    desk.order("rb2510", BUY, OPEN, 3, away=150)
    for minute in range(1, 60):
        desk.to(f"2025-06-09 14:{minute:02d}:00")
    before, (row,) = desk.ledger.money(), desk.rows("account")
    assert before.frozen_margin > 0
    assert row.FrozenMargin == float(before.frozen_margin)
    assert row.FrozenCommission > 0
    position = desk.ledger.book.position("rb2510", "long")
    assert position is not None
    assert (position.frozen, position.today_volume) == (2, 4)
    last = desk.ticks[-1].LastPrice

    desk.to("2025-06-09 16:00:00")
    settled = desk.market.instruments()["rb2510"].PreSettlementPrice
    assert settled != last
    (account,) = desk.rows("account")
    opened = position.open_price
    expected = 1_000_000 + (settled - opened) * 40 - float(before.commission)
    assert account.PreBalance == pytest.approx(expected, abs=0.005)
    assert account.Balance == pytest.approx(
        account.PreBalance + (last - settled) * 40, abs=0.005
    )  # shown at the close until it trades
    assert (account.FrozenMargin, account.FrozenCommission, account.Commission, account.CloseProfit) == (
        0,
        0,
        0,
        0,
    )
    assert account.CurrMargin == pytest.approx(
        settled * 40 * desk.market.instruments()["rb2510"].LongMarginRatio, abs=0.005
    )
    (detail,) = desk.rows("position_detail")
    assert (detail.Volume, detail.OpenDate, detail.OpenPrice, detail.LastSettlementPrice) == (
        4,
        "20250609",
        opened,
        settled,
    )
    assert desk.rows("order") == desk.rows("trade") == []
    shown = desk.ledger.book.position("rb2510", "long")
    assert shown is not None
    assert (shown.yd_volume, shown.today_volume, shown.frozen) == (4, 0, 0)
    assert shown.position_profit - shown.float_pnl == pytest.approx((opened - settled) * 40, abs=0.005)
    assert not desk.ledger.orders
    assert not desk.ledger.trades
    assert float(desk.ledger.money().balance) == account.Balance


# ── quotes of a night, as three exchanges stamp it ──


STAMPS = {
    "rb2510": ("SHFE", "20250609", "20250606"),
    "m2509": ("DCE", "20250609", "20250609"),
    "SR509": ("CZCE", "20250606", "20250606"),
}


def night_tick(symbol: str, clock: str, millisec: int, volume: int, price: float) -> Any:
    """TradingDay and ActionDay as that exchange sends them, through the gateway's conversion."""
    exchange, trading_day, action_day = STAMPS[symbol]
    row = depth(
        symbol,
        exchange,
        TradingDay=trading_day,
        ActionDay=action_day,
        UpdateTime=clock,
        UpdateMillisec=millisec,
        Volume=volume,
        LastPrice=price,
    )
    now = wall_time(date(2025, 6, 9), clock, millisec)
    return fields.tick_of(
        row, name=symbol, exchange=Exchange[exchange], trading_day="20250609", now=now, gateway_name="sim"
    )


def test_three_stamps_of_friday_nine_in_the_evening_are_one_trading_day_and_three_right_times() -> None:
    ticks = {
        symbol: night_tick(symbol, "21:00:00", 0 if symbol == "SR509" else 500, 10, 3000) for symbol in STAMPS
    }
    assert {tick.trading_day for tick in ticks.values()} == {"20250609"}
    assert {symbol: tick.datetime.astimezone(UTC).isoformat() for symbol, tick in ticks.items()} == {
        "rb2510": "2025-06-06T13:00:00.500000+00:00",
        "m2509": "2025-06-06T13:00:00.500000+00:00",
        "SR509": "2025-06-06T13:00:00+00:00",
    }


def test_their_bars_begin_at_nine_on_friday_and_belong_to_monday() -> None:
    made = BarBuilder(hours_named("exchange"), product_of)
    closed: list[ClosedBar] = []
    for symbol in STAMPS:
        for clock, millisec, volume, price in (
            ("20:59:00", 500, 100, 3000),
            ("21:00:30", 0, 130, 3010),
            ("22:59:59", 0, 140, 3005),
        ):
            closed += made.on_tick(night_tick(symbol, clock, millisec, volume, price))
    closed += made.on_clock(at("2025-06-06 23:00:05"))
    for symbol, (exchange, _, _) in STAMPS.items():
        bars = [
            (item.trading_day, item.bar) for item in closed if item.local_symbol == f"{symbol}.{exchange}"
        ]
        assert {day for day, _ in bars} == {"20250609"}
        starts = [datetime.fromtimestamp(bar.timestamp / 1000, SHANGHAI) for _, bar in bars]
        assert starts == [at("2025-06-06 21:00"), at("2025-06-06 22:59")]
        assert [(bar.open, bar.close, bar.volume) for _, bar in bars] == [(3000, 3010, 130), (3005, 3005, 10)]


def test_ticks_that_come_two_in_a_second_without_milliseconds_are_two_ticks() -> None:
    made = BarBuilder(hours_named("exchange"), product_of)
    for volume, price in ((100, 3000), (105, 3001), (105, 2999)):
        made.on_tick(night_tick("SR509", "21:00:01", 0, volume, price))
    forming = made.forming("SR509.CZCE")
    assert forming is not None
    assert (forming.high, forming.low, forming.close) == (3001, 2999, 2999)


def test_a_generated_night_comes_out_of_the_counter_with_its_stamps_and_goes_into_mondays_bars(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path, "2025-06-06 20:50:00", "rb2510", "m2509", "SR509")
    made = BarBuilder(hours_named("exchange"), product_of)
    closed: list[ClosedBar] = []
    del desk.ticks[:]
    moment = at("2025-06-06 20:59:58")
    while moment < at("2025-06-06 21:02:10"):
        moment += timedelta(seconds=0.5)
        desk.to(moment.replace(tzinfo=None).isoformat())
        for row in desk.ticks:
            exchange = row.ExchangeID
            assert (row.TradingDay, row.ActionDay) == STAMPS[row.InstrumentID][1:]
            tick = fields.tick_of(
                row,
                name="",
                exchange=Exchange[exchange],
                trading_day=desk.day,
                now=moment,
                gateway_name="sim",
            )
            assert timedelta() <= moment - tick.datetime <= timedelta(seconds=1)
            closed += made.on_tick(tick)
        del desk.ticks[:]
    assert {(item.local_symbol, item.trading_day) for item in closed} == {
        (f"{symbol}.{stamp[0]}", "20250609") for symbol, stamp in STAMPS.items()
    }
    assert {item.bar.timestamp for item in closed} == {
        int(at(f"2025-06-06 21:0{minute}").timestamp() * 1000) for minute in (0, 1)
    }
