"""AccountApi: what ctpbee calls back, turned into the account's events. Gateway process, event thread only.

It is an extension of ctpbee like a strategy, hears every contract whatever INSTRUMENT_INDEPEND says, and
never changes what it hears. Payload shapes are those of the reference, with what docs/api.md adds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from ctpbee.constant import AccountData, BarData, ContractData, OrderData, PositionData, TickData, TradeData

from app.bee.extensions import OwnExtension
from app.lib import rows
from app.lib.bars import BarBuilder, ClosedBar, bar_figures, bar_row
from app.lib.prices import has_multiplier


class AccountReader(Protocol):
    """The account as it is now; `row` is shared, and never changed."""

    def size_of(self, local_symbol: str) -> float: ...

    def holds(self, symbol: str) -> bool: ...

    def quote(self, local_symbol: str) -> TickData | None: ...

    def row(self, key: str, entity: Any) -> dict[str, Any]: ...


class EventPublisher(Protocol):
    """Hands events to the pages that watch. `changed` says which lists are not what they were."""

    def push(self, name: str, payload: bytes, symbol: str = "") -> None: ...

    def tick(self, local_symbol: str, payload: bytes) -> None: ...

    def forming_bar(self, local_symbol: str, payload: Callable[[], bytes | None]) -> None: ...

    def changed(self, *names: str) -> None: ...


class RowJournal(Protocol):
    """Keeps rows of orders and trades, and closed 1-minute bars. `order` returns whether it is news."""

    def order(self, trading_day: str, order_id: str, row: dict[str, Any]) -> bool: ...

    def trade(self, trading_day: str, key: str, row: dict[str, Any]) -> None: ...

    def bars(self, local_symbol: str, bars: Sequence[Any]) -> None: ...


class OrderWaiters(Protocol):
    """Those who wait for what becomes of an order. `is_news`: the journal did not know this row."""

    def on_order(self, row: dict[str, Any], is_news: bool) -> None: ...


class AccountApi(OwnExtension):
    """`app` is the account's ctpbee, with a trader that has the counter's clock."""

    def __init__(
        self,
        name: str,
        app: Any,
        *,
        account: AccountReader,
        publisher: EventPublisher,
        journal: RowJournal,
        bars: BarBuilder,
        desk: OrderWaiters,
        on_bar: Callable[[ClosedBar], None],
        folder: Path,
    ) -> None:
        super().__init__(name, app, folder)
        self._account = account
        self._publisher = publisher
        self._journal = journal
        self._bars = bars
        self._desk = desk
        self._on_bar = on_bar
        self._shared_minutes: dict[str, str] = {}

    # ── quotes ──

    def on_tick(self, tick: TickData) -> None:
        row = rows.row_of(tick)
        self._publisher.tick(tick.local_symbol, rows.event("tick", row))
        self._close_bars(self._bars.on_tick(tick, self.app.trader.counter_now()))
        if self._bars.forming_at(tick.local_symbol):
            self._publisher.forming_bar(tick.local_symbol, lambda: self._forming_bar(tick.local_symbol))
        if self._account.holds(tick.symbol):
            self._publisher.changed("position", "account")
        if self.app.config["SHARED_FUNC"]:
            self._share(row)

    def _share(self, row: dict[str, Any]) -> None:
        """Once per contract and minute, at its first tick. The average is a price here: CTP's has the
        multiplier in it, but for CZCE.
        """
        local_symbol, minute = row["local_symbol"], row["datetime"][:16]
        if self._shared_minutes.get(local_symbol) == minute:
            return
        self._shared_minutes[local_symbol] = minute
        size, average = self._account.size_of(local_symbol), row["average_price"]
        shared = {
            name: row[name] for name in ("local_symbol", "datetime", "open_interest", "volume", "last_price")
        }
        shared["average_price"] = round(
            average / size if has_multiplier(average, row["last_price"], size) else average, 4
        )
        self._publisher.push("shared", rows.event("shared", shared), local_symbol)

    def on_realtime(self) -> None:
        """Once a second: close the bars that no further tick will close."""
        self._close_bars(self._bars.on_clock(self.app.trader.counter_now()))

    def on_market_lost(self) -> None:
        """Ticks may be missing from now on."""
        self._bars.interrupted()

    def on_subscribed(self, local_symbols: list[str]) -> None:
        """Who asks for what is streamed already is told its newest quote: the next may be long in coming."""
        for local_symbol in local_symbols:
            quote = self._account.quote(local_symbol)
            if quote is not None:
                self._publisher.tick(local_symbol, rows.event("tick", rows.row_of(quote)))

    def on_unsubscribed(self, local_symbols: list[str]) -> None:
        """No more ticks of these, until somebody subscribes them again."""
        self._bars.interrupted(local_symbols)

    def _close_bars(self, closed: list[ClosedBar]) -> None:
        for one in closed:
            local_symbol, _trading_day, bar = one
            self._on_bar(one)
            self._journal.bars(local_symbol, [bar])
            self._publisher.push(
                "bar", rows.to_json({"local_symbol": local_symbol, "data": bar_row(bar)}), local_symbol
            )

    def _forming_bar(self, local_symbol: str) -> bytes | None:
        bar = self._bars.forming(local_symbol)
        if bar is None:
            return None  # closed meanwhile
        told = {"local_symbol": local_symbol, "interval": "1m", "data": bar_row(bar), **bar_figures(bar)}
        return rows.to_json(
            told
            | {"trading_day": self._bars.trading_day(local_symbol), "starts": self._bars.starts(local_symbol)}
        )

    # ── the account ──

    def on_order(self, order: OrderData) -> None:
        row = self._account.row(f"order {order.order_id}", order)
        is_news = self._journal.order(order.trading_day, order.order_id, row)
        self._publisher.changed("order", "active_order", "position", "account")
        self._desk.on_order(row, is_news)

    def on_trade(self, trade: TradeData) -> None:
        self._journal.trade(
            trade.trading_day, trade.trade_key, self._account.row(f"trade {trade.trade_key}", trade)
        )
        self._publisher.changed("trade", "position", "account")

    def on_position(self, position: PositionData) -> None:
        self._publisher.changed("position")

    def on_account(self, account: AccountData) -> None:
        self._publisher.changed("account")

    def on_contract(self, contract: ContractData) -> None:
        """Pushed as a whole once the account has loaded, and on PUT /market."""

    def on_bar(self, bar: BarData) -> None:
        """Bars are made here, from ticks."""
