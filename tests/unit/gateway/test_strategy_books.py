"""What each strategy has: the same after a restart, after a day's turn in a living gateway, and after one
that nobody saw.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ctpbee.constant import TradeData

from app.gateway.strategies.books import StrategyBooks
from app.interfaces.ledger import Ledger
from app.lib import rows
from app.model.sqlite import SqliteStore
from app.model.store import Store
from app.wire.frames import TradeField
from tests.fakes.front import DAY, account, detail, instrument, order, trade

NEXT = "20250610"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = SqliteStore(tmp_path / "account.db")
    yield store
    store.close()


class Gateway:
    """A ledger, and the books beside it, as the gateway has them; `owned` says who sent which order of
    session (1, 7).
    """

    def __init__(self, store: Store, owned: dict[int, str]) -> None:
        self.store = store
        self.owned = owned
        self.ledger = Ledger()
        self.books = StrategyBooks(store, self.ledger)

    def load(self, day: str, history: list[Any], trades: list[TradeField]) -> Gateway:
        """A login: the day's lots, orders and trades as the counter answers them."""
        if day != self.ledger.trading_day:
            self.ledger.begin_day(day)
        for ref, strategy in self.owned.items():
            self.ledger.own(f"1_7_{ref}", "", strategy)
        self.ledger.set_contracts([instrument()])
        orders = [order(ref, status="0", TradingDay=day, VolumeTraded=2) for ref in self.owned]
        for change in self.ledger.rebuild(account(TradingDay=day), history, orders, []):
            self.tell(change)
        for one in trades:
            self.hear(one)
        self.books.rebuild()
        return self

    def hear(self, one: TradeField) -> None:
        for change in self.ledger.apply_trade(one):
            self.tell(change)

    def tell(self, change: Any) -> None:
        """As the feed and the journal hear it."""
        if isinstance(change, TradeData):
            self.books.on_trade(change)
            self.store.save_trade(change.trading_day, change.trade_key, rows.row_of(change))

    def has(self, name: str) -> tuple[list[tuple[str, int, float]], dict[str, float]]:
        report = self.books.report(name)
        return [(row["open_date"], row["volume"], row["open_price"]) for row in report["positions"]], report[
            "profit"
        ]


def close(trade_id: str, ref: int, price: float, offset: str, volume: int = 1, day: str = DAY) -> TradeField:
    return trade(trade_id, ref, Direction="1", OffsetFlag=offset, Price=price, Volume=volume, TradingDay=day)


def test_a_strategy_has_what_it_opened_and_the_page_what_it_opened(store: Store) -> None:
    gateway = Gateway(store, {1: "a", 2: ""}).load(DAY, [detail(3)], [])
    gateway.hear(trade("t1", 1, Volume=2, Price=3000.0))
    gateway.hear(trade("t2", 2, Volume=1, Price=3001.0))
    gateway.hear(close("t3", 1, 3010.0, "3"))
    gateway.ledger.set_price("rb2510", 3020.0)
    lots, profit = gateway.has("a")
    assert lots == [(DAY, 1, 3000.0)]
    assert (profit["close_profit"], profit["float_pnl"]) == (100.0, 200.0)
    assert profit["net"] == 300.0 - profit["commission"]
    assert profit["commission"] > 0
    assert gateway.books.held("a", "rb2510") == 1
    assert gateway.has("b")[0] == []


def test_a_restart_on_the_same_day_counts_nothing_twice(store: Store) -> None:
    trades = [trade("t1", 1, Volume=2), close("t2", 1, 3010.0, "3")]
    first = Gateway(store, {1: "a"}).load(DAY, [detail(3)], trades)
    again = Gateway(store, {1: "a"}).load(DAY, [detail(3)], trades)
    assert again.has("a") == first.has("a")
    assert again.has("a")[1]["close_profit"] == 100.0
    again.load(DAY, [detail(3)], [])
    assert again.has("a") == first.has("a")


def day_after(owned: dict[int, str], gateway: Gateway) -> Gateway:
    """Yesterday's remaining lots, settled at 3005, are history."""
    gateway.owned = owned
    lots = [
        detail(3, OpenDate="20250606", TradeID="d1", TradingDay=NEXT, LastSettlementPrice=3005.0),
        detail(1, OpenDate=DAY, TradeID="t1", TradingDay=NEXT, OpenPrice=3000.0, LastSettlementPrice=3005.0),
    ]
    return gateway.load(NEXT, lots, [])


@pytest.mark.parametrize("lives", [True, False], ids=["the gateway lives through it", "nobody was there"])
def test_lots_and_profit_go_over_into_the_next_day(store: Store, lives: bool) -> None:
    trades = [trade("t1", 1, Volume=2), close("t2", 1, 3010.0, "3")]
    gateway = Gateway(store, {1: "a"}).load(DAY, [detail(3)], trades)
    gateway = day_after({5: "a"}, gateway if lives else Gateway(store, {}))
    lots, profit = gateway.has("a")
    assert lots == [(DAY, 1, 3000.0)]
    assert profit["close_profit"] == 100.0
    gateway.hear(close("n1", 5, 3050.0, "4", day=NEXT))
    lots, profit = gateway.has("a")
    assert lots == []
    assert profit["close_profit"] == 600.0, "by trade: against the open price, not the settlement"
    again = day_after({5: "a"}, Gateway(store, {}))
    again.hear(close("n1", 5, 3050.0, "4", day=NEXT))
    assert again.has("a") == (lots, profit)


def test_lots_that_the_account_has_lost_meanwhile_are_lost_to_the_strategy_too(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    Gateway(store, {1: "a"}).load(DAY, [], [trade("t1", 1, Volume=2)])
    later = Gateway(store, {}).load(NEXT, [detail(1, OpenDate=DAY, TradeID="t1", TradingDay=NEXT)], [])
    assert later.has("a")[0] == [(DAY, 1, 3000.0)]
    assert "策略 a 的 rb2510 少了 1 手" in caplog.text


def test_a_book_that_the_counter_corrected_takes_nothing_from_a_strategy(store: Store) -> None:
    """The corrected book begins with what is left of history: what the day has closed of it must not be
    closed twice.
    """
    Gateway(store, {1: "a"}).load(DAY, [], [trade("t1", 1, Volume=1)])
    history = [
        detail(2, OpenDate=DAY, TradeID="t1", TradingDay=NEXT)
    ]  # one is the strategy's, one the page's
    closed = close("n1", 5, 3050.0, "4", day=NEXT)
    gateway = Gateway(store, {5: ""}).load(NEXT, history, [closed])
    assert gateway.has("a")[0] == [(DAY, 1, 3000.0)]
    left = [detail(1, OpenDate=DAY, TradeID="t1", TradingDay=NEXT)]
    gateway.ledger._new_book(account(TradingDay=NEXT), [], [])
    gateway.ledger.reconcile(account(TradingDay=NEXT), left)
    gateway.books.rebuild()
    assert gateway.has("a")[0] == [(DAY, 1, 3000.0)]
