"""The price walk of one generated contract: from snapshot to snapshot, from day to day. Counter process.
Pure.

Everything is a function of (seed, instrument, time): the same seed and the same moments give the same prices
on any machine. Prices are whole numbers of ticks inside. `fair_ticks` is where a contract belongs on a day,
without any history, so that a contract nobody has watched has a settlement price too; a watched one strays
from it and is drawn back to it.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from app.counter.contracts import Contract
from app.lib.prices import exact, limits

WAVES = (
    (97.0, 0.6),
    (41.0, 0.3),
    (17.0, 0.15),
)  # period in days, amplitude in price limits: at most a seventh of a limit a day
CARRY = 0.01  # how far a month's contract may lie from the one before, in price limits
LEAST_INTEREST = 100
MASK = (1 << 64) - 1


def digest(*parts: object) -> int:
    """64 bits that depend on all parts and on nothing else."""
    return int.from_bytes(hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=8).digest(), "big")


def mix(number: int) -> int:
    """64 well-shuffled bits of a number (splitmix64): a random stream without any state."""
    number = (number + 0x9E3779B97F4A7C15) & MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & MASK
    return number ^ (number >> 31)


class _Temper(NamedTuple):
    """How a product moves, whatever the day."""

    phases: tuple[float, ...]  # of each of WAVES, in periods
    slope: float  # -1 … 1: backwardation or contango


@lru_cache(maxsize=1024)  # all products, of a few seeds
def _temper(seed: int, product: str) -> _Temper:
    return _Temper(
        tuple(digest(seed, product, period) / 2**64 for period, _ in WAVES),
        digest(seed, product, "carry") / 2**63 - 1,
    )


def fair_ticks(seed: int, contract: Contract, day: date) -> int:
    """Where the contract belongs at the end of `day`, in ticks."""
    product = contract.product
    temper = _temper(seed, product.code)
    swing = sum(
        share * math.sin(2 * math.pi * (day.toordinal() / period + phase))
        for (period, share), phase in zip(WAVES, temper.phases, strict=True)
    )
    months = (contract.year - day.year) * 12 + contract.month - day.month
    price = product.reference_price * (1 + product.limit_ratio * (swing + CARRY * temper.slope * months))
    return max(1, round(price / product.price_tick))


@dataclass(slots=True)
class Walk:
    """One contract between its first snapshot and its expiry. Prices in ticks, turnover in ticks × lots."""

    seed: int  # of this contract
    last: int
    pre_settlement: int
    pre_close: int
    open_interest: int
    pre_open_interest: int
    slot: int = 0  # of the newest snapshot
    volume: int = 0  # of the trading day
    turnover: int = 0
    open: int = 0  # 0: not traded today
    high: int = 0
    low: int = 0
    bid: int = 0  # 0: nobody bids
    ask: int = 0
    bid_volume: int = 0
    ask_volume: int = 0
    mark_volume: int = 0  # volume and turnover when the last hour began, for those settled by it
    mark_turnover: int = 0

    @classmethod
    def begin(cls, seed: int, contract: Contract, pre_settlement: int) -> Walk:
        own = digest(seed, contract.instrument)
        interest = 2_000 + own % 50_000
        return cls(own, pre_settlement, pre_settlement, pre_settlement, interest, interest)

    def step(self, slot: int, fair: int, lower: int, upper: int, activity: int) -> None:
        """The snapshot number `slot`: a print or none, then the quotes around it. Limits and `fair` in
        ticks.
        """
        bits = mix(self.seed + slot * 0x9E3779B97F4A7C15)
        self.slot = slot
        if not self.volume or bits & 3:  # three in four half seconds trade
            pull = (fair - self.last) / max(4, (upper - lower) // 8) * 0.3
            pull = 0.3 if pull > 0.3 else -0.3 if pull < -0.3 else pull
            draw = (bits >> 2 & 0xFFFF) / 65536
            move = 1 if draw < 0.35 + pull else -1 if draw > 0.65 + pull else 0
            if not bits >> 18 & 31:
                move *= 2
            last = self.last + move
            self.last = last = lower if last < lower else upper if last > upper else last
            traded = 1 + (bits >> 23 & 0xFF) * (bits >> 31 & 0xFF) * activity // 65536
            self.volume += traded
            self.turnover += traded * last
            self.open_interest += (bits >> 39 & 0xFF) % (2 * traded + 1) - traded
            if self.open_interest < LEAST_INTEREST:
                self.open_interest = LEAST_INTEREST
            if not self.open:
                self.open = self.high = self.low = last
            elif last > self.high:
                self.high = last
            elif last < self.low:
                self.low = last
        spread = 1 + (bits >> 47 & 3 == 0)
        self.bid = self.last - spread * (bits >> 49 & 1)
        self.ask = self.bid + spread
        self.bid_volume = 1 + (bits >> 50 & 0x7F) * activity // 16
        self.ask_volume = 1 + (bits >> 57 & 0x7F) * activity // 16
        if self.bid < lower:
            self.bid = self.bid_volume = 0
        if self.ask > upper:
            self.ask = self.ask_volume = 0

    def settlement(self, lower: int, upper: int, last_hour: bool) -> int:
        """The average price by volume, of the whole day or of its last hour; of the last price where nothing
        traded.
        """
        volume, turnover = self.volume, self.turnover
        if last_hour and volume > self.mark_volume:
            volume, turnover = volume - self.mark_volume, turnover - self.mark_turnover
        average = turnover // volume if volume else self.last
        return min(upper, max(lower, average))

    def next_day(self, settlement: int) -> None:
        """The day's figures start again."""
        self.pre_settlement, self.pre_close, self.pre_open_interest = (
            settlement,
            self.last,
            self.open_interest,
        )
        self.volume = self.turnover = self.open = self.high = self.low = self.mark_volume = (
            self.mark_turnover
        ) = 0


def limit_ticks(contract: Contract, pre_settlement: int) -> tuple[int, int]:
    """Lower and upper limit in ticks."""
    product = contract.product
    tick = exact(product.price_tick)
    day = limits(float(pre_settlement * tick), product.limit_ratio, product.price_tick, product.exchange)
    return int(exact(day.lower) / tick), int(exact(day.upper) / tick)
