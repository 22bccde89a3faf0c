"""What each strategy of the account has and has earned, kept over restarts and days. Gateway process, event
thread only.

The rules are app/lib/owners.py's. On disk is one setting: the owners' lots and earnings at the start of a
trading day. What happened since is the day's trades: those the counter replays at a login, and after the day
is over those in the journal.
"""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import Any

from ctpbee.constant import Direction, Offset, TradeData

from app.bee.fields import OFFSET_WORD
from app.interfaces.ledger import Ledger
from app.lib.book import Fill, Terms
from app.lib.owners import NOBODY, Earned, OwnedLot, Owners
from app.model.store import Store

SCOPE = "strategy_book"
START = "start_of_day"

log = logging.getLogger("account")


class StrategyBooks:
    """`rebuild` whenever the account has loaded; then `on_trade` for each that comes."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self._store = store
        self._ledger = ledger
        self._owners: Owners | None = None

    def rebuild(self) -> None:
        """From the day's start, the day's trades and the account's lots as they are now."""
        start = self._start_of_day()
        if start is None or start.trading_day != self._ledger.trading_day:
            lots, earned = (start.lots(), start.earned) if start is not None else ([], {})
            start = Owners(self._terms, self._ledger.trading_day, lots, earned)
            self._report_lost(start.fit(self._ledger.book.start_lots()))
            self._store.put_setting(SCOPE, START, _to_setting(start))
        owners = start
        for trade in self._ledger.trades:
            owners.apply(_fill(trade), trade.strategy)
        self._report_lost(owners.fit(self._ledger.book.open_lots()))
        self._owners = owners

    def on_trade(self, trade: TradeData) -> None:
        if self._owners is not None:
            self._owners.apply(_fill(trade), trade.strategy)

    def held(self, name: str, symbol: str) -> int:
        """Lots of one contract that the strategy holds, both directions together."""
        return self._owners.held(name, symbol) if self._owners is not None else 0

    def owners(self) -> set[str]:
        """The strategies that hold something."""
        return {lot.owner for lot in self._owners.lots()} - {NOBODY} if self._owners is not None else set()

    def report(self, name: str) -> dict[str, Any]:
        """`{"positions": [row, …], "profit": {close_profit, float_pnl, commission, net}}` in yuan, lots
        oldest first.
        """
        owners = self._owners or Owners(self._terms, self._ledger.trading_day)
        earned, floating = owners.earned.get(name, Earned()), Decimal(0)
        positions = []
        for lot in owners.lots(name):
            price = self._ledger.last_price(lot.symbol)
            worth = owners.floating(lot, price)
            floating += worth
            instrument = self._ledger.instrument(lot.symbol)
            positions.append(
                {
                    "local_symbol": f"{lot.symbol}.{instrument.ExchangeID}" if instrument is not None else lot.symbol,
                    "direction": lot.direction,
                    "volume": lot.volume,
                    "open_date": lot.open_date,
                    "open_price": lot.open_price,
                    "last_price": price,
                    "float_pnl": float(worth),
                }
            )
        profit = {
            "close_profit": float(earned.close_profit),
            "float_pnl": float(floating),
            "commission": float(earned.commission),
            "net": float(earned.close_profit + floating - earned.commission),
        }
        return {"positions": positions, "profit": profit}

    def _start_of_day(self) -> Owners | None:
        """As it stands on disk, or, when a day has passed since, as that day ended; None where there is
        nothing on disk.
        """
        stored = self._store.setting(SCOPE, START)
        if stored is None:
            return None
        start = _of_setting(stored, self._terms)
        if start.trading_day == self._ledger.trading_day:
            return start
        if self._owners is not None and self._owners.trading_day == start.trading_day:
            return self._owners
        for row in self._store.trades(start.trading_day):
            start.apply(_fill_of_row(row), row.get("strategy", ""))
        return start

    def _terms(self, symbol: str) -> Terms | None:
        return self._ledger.terms(symbol) if self._ledger.instrument(symbol) is not None else None

    @staticmethod
    def _report_lost(lost: list[tuple[str, str, int]]) -> None:
        for owner, symbol, volume in lost:
            log.warning("策略 %s 的 %s 少了 %d 手：账户里已经没有，从它的持仓中去掉", owner, symbol, volume)


def _to_setting(owners: Owners) -> dict[str, Any]:
    return {
        "trading_day": owners.trading_day,
        "lots": [list(lot) for lot in owners.lots()],
        "earned": {owner: [str(amount) for amount in earned] for owner, earned in owners.earned.items()},
    }


def _of_setting(stored: dict[str, Any], terms: Any) -> Owners:
    return Owners(
        terms,
        stored["trading_day"],
        [OwnedLot(*lot) for lot in stored["lots"]],
        {owner: Earned(*map(Decimal, amounts)) for owner, amounts in stored["earned"].items()},
    )


def _fill(trade: TradeData) -> Fill:
    return Fill(
        trading_day=trade.trading_day,
        exchange=trade.exchange.value,
        trade_id=trade.tradeid,
        side="buy" if trade.direction is Direction.LONG else "sell",
        order_id=trade.order_id,
        symbol=trade.symbol,
        offset="forced" if trade.forced else OFFSET_WORD[trade.offset],
        price=trade.price,
        volume=int(trade.volume),
        time=trade.time,
    )


def _fill_of_row(row: dict[str, Any]) -> Fill:
    return Fill(
        trading_day=row["trading_day"],
        exchange=row["exchange"],
        trade_id=row["tradeid"],
        side="buy" if row["direction"] == Direction.LONG.value else "sell",
        order_id=row["order_id"],
        symbol=row["symbol"],
        offset="forced" if row.get("forced") else OFFSET_WORD[Offset(row["offset"])],
        price=row["price"],
        volume=int(row["volume"]),
        time=row["time"],
    )
