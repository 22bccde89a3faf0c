"""Whose lots an account's are: which strategy opened them, what they earned, what they cost. Pure; gateway
process.

The counter knows one account. Here each fill has an owner, the strategy that sent its order or "" for
everybody else (the pages, another terminal, the broker), and each lot belongs to who opened it. A close takes
its sender's own lots first, oldest first, then those that nobody in particular owns, then the other
strategies', oldest first: so the owners' lots always add up to the account's. What a lot earns is its
owner's, by trade (against its open price) and to the cent; the fee of a fill is its sender's.

The account's book (app/lib/book.py) closes by other rules, first in first out over everybody: volumes agree,
the lots' ages may not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from app.lib.lots import ZERO, Fill, Lot, Terms, cents, natural
from app.lib.prices import exact

NOBODY = ""
"""Owner of what no strategy opened."""


class OwnedLot(NamedTuple):
    """What one fill opened and nobody has closed yet. Price in yuan, volume in lots, `open_date` YYYYMMDD."""

    owner: str
    symbol: str
    direction: str  # long short
    open_date: str
    trade_id: str
    volume: int
    open_price: float


class Earned(NamedTuple):
    """Of one owner, in yuan, since it first traded."""

    close_profit: Decimal = ZERO
    commission: Decimal = ZERO


class _Waiting(NamedTuple):
    fill: Fill
    owner: str
    volume: int


class Owners:
    """`terms` gives None for a contract that is not listed (any more): its fills do not count here."""

    def __init__(
        self,
        terms: Callable[[str], Terms | None],
        trading_day: str,
        lots: Iterable[OwnedLot] = (),
        earned: Mapping[str, Earned] | None = None,
    ) -> None:
        self.trading_day = trading_day
        self.earned: defaultdict[str, Earned] = defaultdict(Earned, earned or {})
        self._terms = terms
        self._lots = sorted(lots, key=_age)
        self._waiting: list[_Waiting] = []  # closes for which no lot is there (yet)
        self._fills: set[tuple[str, str, str, str]] = set()

    # ── what there is ──

    def lots(self, owner: str | None = None) -> list[OwnedLot]:
        """Oldest first; of one owner, or of all."""
        return [lot for lot in self._lots if owner is None or lot.owner == owner]

    def held(self, owner: str, symbol: str) -> int:
        """Lots of one contract, both directions together."""
        return sum(lot.volume for lot in self._lots if lot.owner == owner and lot.symbol == symbol)

    def floating(self, lot: OwnedLot, price: float) -> Decimal:
        """What the lot would earn at this price; 0 without a price."""
        terms = self._terms(lot.symbol)
        return ZERO if terms is None or price <= 0 else _profit(terms, lot, price, lot.volume)

    # ── what happens ──

    def apply(self, fill: Fill, owner: str) -> bool:
        """Count a fill of the day; False when it was known, is of another day, or of a contract that is
        not.
        """
        terms = self._terms(fill.symbol)
        if fill.trading_day != self.trading_day or fill.key in self._fills or terms is None:
            return False
        self._fills.add(fill.key)
        if fill.offset == "open":
            self._pay(owner, terms.fee("open", exact(fill.price), fill.volume))
            self._add(
                OwnedLot(
                    owner,
                    fill.symbol,
                    fill.direction,
                    fill.trading_day,
                    fill.trade_id.strip(),
                    fill.volume,
                    fill.price,
                )
            )
            waiting, self._waiting = self._waiting, []
        else:
            waiting = [_Waiting(fill, owner, fill.volume)]
        for close in waiting:
            left = self._close(close)
            if left:
                self._waiting.append(close._replace(volume=left))
        return True

    def fit(self, lots: Iterable[Lot]) -> list[tuple[str, str, int]]:
        """Make what the owners have add up to the account's lots. What is missing is nobody's; what is too
        much goes from nobody's first, then from the strategies': these are returned as (owner, symbol, lots
        lost).
        """
        counted: defaultdict[tuple[str, str, bool], list[Lot]] = defaultdict(list)
        for lot in lots:
            counted[self._bucket(lot)].append(lot)
        owned: defaultdict[tuple[str, str, bool], int] = defaultdict(int)
        for own in self._lots:
            owned[self._bucket(own)] += own.volume
        lost: list[tuple[str, str, int]] = []
        for bucket in sorted(counted.keys() | owned.keys()):
            excess = owned[bucket] - sum(lot.volume for lot in counted[bucket])
            if excess > 0:
                takings = self._take(
                    [lot for lot in self._lots if self._bucket(lot) == bucket], NOBODY, excess
                )
                lost += [(lot.owner, lot.symbol, part) for lot, part in takings if lot.owner != NOBODY]
            for lot in sorted(counted[bucket], key=_age):
                part = min(-excess, lot.volume)
                if part > 0:
                    self._add(
                        OwnedLot(
                            NOBODY,
                            lot.symbol,
                            lot.direction,
                            lot.open_date,
                            lot.trade_id,
                            part,
                            lot.open_price,
                        )
                    )
                    excess += part
        return lost

    # ── how ──

    def _bucket(self, lot: Lot | OwnedLot) -> tuple[str, str, bool]:
        """What a close must not mix: today's and history apart where the exchange does so."""
        terms = self._terms(lot.symbol)
        return (
            lot.symbol,
            lot.direction,
            terms is not None and terms.splits_today and lot.open_date == self.trading_day,
        )

    def _close(self, close: _Waiting) -> int:
        """Take the lots that the close can reach; returns the volume for which there is none."""
        fill, owner, volume = close
        terms = self._terms(fill.symbol)
        assert terms is not None
        for reach in self._reaches(fill, terms):
            for lot, part in self._take(reach, owner, volume):
                today = lot.open_date == self.trading_day
                self._pay(owner, terms.fee("closetoday" if today else "close", exact(fill.price), part))
                earned = self.earned[lot.owner]
                self.earned[lot.owner] = earned._replace(
                    close_profit=earned.close_profit + _profit(terms, lot, fill.price, part)
                )
                volume -= part
        return volume

    def _reaches(self, fill: Fill, terms: Terms) -> list[list[OwnedLot]]:
        """The lots that a close can take, in groups of which the first goes first: as the book has it."""
        lots = [lot for lot in self._lots if lot.symbol == fill.symbol and lot.direction == fill.direction]
        if not terms.splits_today:
            return [lots]
        history = [lot for lot in lots if lot.open_date != self.trading_day]
        today = [lot for lot in lots if lot.open_date == self.trading_day]
        return (
            [history, today]
            if fill.offset == "forced"
            else [today if fill.offset == "closetoday" else history]
        )

    def _take(self, reach: list[OwnedLot], first: str, volume: int) -> list[tuple[OwnedLot, int]]:
        """Remove lots: `first`'s own, then nobody's, then the others'; returns each with how much of it
        went.
        """
        taken: list[tuple[OwnedLot, int]] = []
        for lot in sorted(reach, key=lambda lot: (lot.owner != first, lot.owner != NOBODY, _age(lot))):
            part = min(volume, lot.volume)
            if not part:
                break
            at = self._lots.index(lot)
            self._lots[at : at + 1] = [lot._replace(volume=lot.volume - part)] if part < lot.volume else []
            taken.append((lot, part))
            volume -= part
        return taken

    def _add(self, lot: OwnedLot) -> None:
        self._lots.append(lot)
        self._lots.sort(key=_age)

    def _pay(self, owner: str, fee: Decimal) -> None:
        earned = self.earned[owner]
        self.earned[owner] = earned._replace(commission=earned.commission + cents(fee))


def _age(lot: Lot | OwnedLot) -> tuple[str, tuple[int, str]]:
    return lot.open_date, natural(lot.trade_id)


def _profit(terms: Terms, lot: OwnedLot, price: float, volume: int) -> Decimal:
    sign = 1 if lot.direction == "long" else -1
    return cents((exact(price) - exact(lot.open_price)) * terms.multiplier * volume * sign)
