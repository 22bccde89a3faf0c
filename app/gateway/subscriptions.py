"""Which contracts the account has asked for, kept over restarts. Gateway process, event thread.

What the account holds or works in is streamed by the interface itself (its price moves the account) and is
none of this.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from app.lib.errors import BadInput
from app.model.store import Store
from app.wire.messages import Subscribe, Symbols, Unsubscribe

SCOPE = "subscription"

log = logging.getLogger("account.market")


class MarketFront(Protocol):
    def subscribe(self, symbol: str) -> Any: ...

    def unsubscribe(self, symbol: str) -> Any: ...


class Subscriptions:
    """`resolve` gives a known contract's local symbol (None: unknown); `front` the market as it is now;
    `on_added` hears of what somebody has asked for, `on_removed` of what no more ticks come.
    """

    def __init__(
        self,
        store: Store,
        resolve: Callable[[str], str | None],
        front: Callable[[], MarketFront],
        on_added: Callable[[list[str]], object] = lambda _local_symbols: None,
        on_removed: Callable[[list[str]], object] = lambda _local_symbols: None,
    ) -> None:
        self._store = store
        self._resolve = resolve
        self._front = front
        self._on_added = on_added
        self._on_removed = on_removed
        self._wanted = set(store.settings(SCOPE))

    def __contains__(self, local_symbol: str) -> bool:
        return local_symbol in self._wanted

    def __iter__(self) -> Iterator[str]:
        return iter(self._wanted)

    def __len__(self) -> int:
        return len(self._wanted)

    def subscribe(self, request: Subscribe) -> Symbols:
        added = self.add(request.symbols)
        self._on_added(added)
        return Symbols(added)

    def unsubscribe(self, request: Unsubscribe) -> Symbols:
        removed = self.remove(request.symbols)
        self._on_removed(removed)
        return Symbols(removed)

    def add(self, symbols: Iterable[str]) -> list[str]:
        """Subscribe all of them or none; returns their local symbols. Raises BadInput with the unknown
        ones.
        """
        found = self._known(symbols)
        new = [symbol for symbol in found if symbol not in self._wanted]
        if new:
            self._store.put_settings(SCOPE, dict.fromkeys(new, True))
            self._wanted.update(new)
        for symbol in found:
            self._front().subscribe(symbol)
        log.info("已订阅 %s", "、".join(found))
        return found

    def remove(self, symbols: Iterable[str]) -> list[str]:
        """Unsubscribe all of them or none. Raises BadInput with the unknown ones."""
        found = self._known(symbols)
        for symbol in found:
            if symbol in self._wanted:
                self._store.delete_setting(SCOPE, symbol)
                self._wanted.discard(symbol)
                self._front().unsubscribe(symbol)
        log.info("已退订 %s", "、".join(found))
        return found

    def restore(self) -> None:
        """Ask the market for everything again: after a restart, a reconnect, a new trading day. The expired
        are let go.
        """
        for symbol in sorted(self._wanted):
            if self._resolve(symbol) is None:
                log.info("合约 %s 已不在合约表中，取消订阅", symbol)
                self._store.delete_setting(SCOPE, symbol)
                self._wanted.discard(symbol)
            else:
                self._front().subscribe(symbol)

    def _known(self, symbols: Iterable[str]) -> list[str]:
        asked = list(dict.fromkeys(symbol.strip() for symbol in symbols if symbol.strip()))
        if not asked:
            raise BadInput("symbol", "缺少合约代码")
        unknown = [symbol for symbol in asked if self._resolve(symbol) is None]
        if unknown:
            shown = "、".join(repr(symbol[:30])[1:-1] for symbol in unknown[:10])
            raise BadInput("symbol", f"不认识的合约：{shown}", code="UNKNOWN_SYMBOL")
        return list(dict.fromkeys(found for symbol in asked if (found := self._resolve(symbol)) is not None))
