"""What a run earned and risked, with formulas that docs/backtest.md gives. Pure.

Money is yuan. Returns are of trading days, from settlement to settlement, on the balance at the day's
start: no other length of time enters a ratio. What cannot be counted (no trades, no losses, a day's start
at nothing) is None and never a number that looks like one.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

MINUTE = 60_000  # ms
YEAR_DAYS = 242  # trading days of a year in China
OPEN = "开"


class Day(NamedTuple):
    """A trading day as it was settled."""

    trading_day: str
    balance: float  # at its end
    margin: float
    commission: float
    close_profit: float  # by date
    position_profit: float  # by date


class Fill(NamedTuple):
    """One trade. `moment`: naive exchange time, ISO."""

    trading_day: str
    moment: str
    symbol: str
    side: str  # 多 空
    offset: str  # 开 平 平今 平昨
    volume: int
    price: float
    multiplier: int
    commission: float
    strategy: str = ""
    slippage: float = 0.0  # yuan that it paid beyond the middle of the quote


class RoundTrip(NamedTuple):
    """Lots that were opened by one trade and closed by another."""

    symbol: str
    direction: str  # long short
    opened: str
    closed: str
    volume: int
    open_price: float
    close_price: float
    profit: float  # by trade, without fees
    commission: float  # of both sides
    month: str  # of the closing trading day, YYYYMM

    @property
    def net(self) -> float:
        return self.profit - self.commission

    @property
    def seconds(self) -> float:
        return (datetime.fromisoformat(self.closed) - datetime.fromisoformat(self.opened)).total_seconds()


class Held(NamedTuple):
    """A time in which lots of a contract were held, without a break. Naive exchange time, ISO."""

    symbol: str
    start: str
    end: str  # "" for what nobody closed


class Drawdown(NamedTuple):
    """The deepest fall of the balance below its highest so far, at settlements."""

    amount: float
    share: float  # of the peak
    peak_day: str  # "" for the start
    lowest_day: str
    recovered_day: str  # "" while it is not
    days_under_water: int  # the longest, trading days from a peak until it is reached again


def daily_returns(capital: float, days: Sequence[Day]) -> list[float]:
    """r_t = B_t ÷ B_{t−1} − 1; ends where the balance is gone."""
    found, before = [], capital
    for day in days:
        if before <= 0:
            break
        found.append(day.balance / before - 1)
        before = day.balance
    return found


def annual_return(returns: Sequence[float], year_days: int = YEAR_DAYS) -> float | None:
    """(∏(1 + r))^(N ÷ n) − 1."""
    whole = math.prod(1 + one for one in returns)
    if not returns or whole <= 0:
        return None
    try:
        return float(whole ** (year_days / len(returns)) - 1)
    except OverflowError:
        return None


def sharpe(returns: Sequence[float], year_days: int = YEAR_DAYS, free: float = 0.0) -> float | None:
    """(mean(r) − free ÷ N) ÷ s(r) × √N, s with n − 1."""
    deviation = _deviation(returns)
    if not deviation:
        return None
    return (_mean(returns) - free / year_days) / deviation * math.sqrt(year_days)


def sortino(returns: Sequence[float], year_days: int = YEAR_DAYS) -> float | None:
    """mean(r) ÷ √mean(min(r, 0)²) × √N."""
    downside = math.sqrt(_mean([min(one, 0.0) ** 2 for one in returns])) if returns else 0.0
    return _mean(returns) / downside * math.sqrt(year_days) if downside else None


def calmar(returns: Sequence[float], fall: Drawdown, year_days: int = YEAR_DAYS) -> float | None:
    """Annual return ÷ the deepest drawdown's share."""
    annual = annual_return(returns, year_days)
    return annual / fall.share if annual is not None and fall.share else None


def drawdown(capital: float, days: Sequence[Day]) -> Drawdown:
    peak, peak_day, peak_at = capital, "", -1
    deepest = Drawdown(0.0, 0.0, "", "", "", 0)
    longest, open_fall = 0, False
    for number, day in enumerate(days):
        if day.balance >= peak:
            if open_fall:
                deepest, open_fall = deepest._replace(recovered_day=day.trading_day), False
            peak, peak_day, peak_at = day.balance, day.trading_day, number
            continue
        longest = max(longest, number - peak_at)
        amount = _yuan(peak - day.balance)
        share = amount / peak if peak > 0 else 0.0
        if share > deepest.share:
            deepest, open_fall = Drawdown(amount, share, peak_day, day.trading_day, "", 0), True
    return deepest._replace(days_under_water=longest)


def round_trips(fills: Iterable[Fill]) -> list[RoundTrip]:
    """Closes take the oldest lots first; closing today takes the day's, closing yesterday's the rest. Fees
    are shared out by lots.
    """
    lots: dict[tuple[str, str], deque[list[Any]]] = defaultdict(deque)  # [fill, lots left]
    found = []
    for fill in fills:
        opens = fill.offset == OPEN
        direction = "long" if (fill.side == "多") == opens else "short"
        queue = lots[fill.symbol, direction]
        if opens:
            queue.append([fill, fill.volume])
            continue
        left = fill.volume
        for lot in list(queue):
            opened, volume = lot
            of_today = opened.trading_day == fill.trading_day
            if fill.offset == "平今" and not of_today or fill.offset == "平昨" and of_today:
                continue
            part = min(left, volume)
            sign = 1 if direction == "long" else -1
            found.append(
                RoundTrip(
                    fill.symbol,
                    direction,
                    opened.moment,
                    fill.moment,
                    part,
                    opened.price,
                    fill.price,
                    (fill.price - opened.price) * part * fill.multiplier * sign,
                    opened.commission * part / opened.volume + fill.commission * part / fill.volume,
                    fill.trading_day[:6],
                )
            )
            lot[1] -= part
            left -= part
            if not lot[1]:
                queue.remove(lot)
            if not left:
                break
    return found


def held(fills: Iterable[Fill]) -> list[Held]:
    """When which contract was held, long or short."""
    lots: dict[tuple[str, str], int] = defaultdict(int)
    since: dict[tuple[str, str], str] = {}
    found = []
    for fill in fills:
        opens = fill.offset == OPEN
        key = fill.symbol, "long" if (fill.side == "多") == opens else "short"
        lots[key] += fill.volume if opens else -fill.volume
        if lots[key] > 0:
            since.setdefault(key, fill.moment)
        elif key in since:
            found.append(Held(fill.symbol, since.pop(key), fill.moment))
    return found + [Held(symbol, start, "") for (symbol, _), start in since.items()]


def covered(minutes: Sequence[int], spans: Iterable[tuple[int, int]]) -> float | None:
    """The share of these minutes (their starts, rising) that a span reaches into; None without minutes."""
    if not minutes:
        return None
    count, done = 0, 0
    for start, end in sorted(spans):
        first = max(bisect_right(minutes, start - MINUTE), done)
        last = bisect_left(minutes, end)
        if last > first:
            count += last - first
            done = last
    return count / len(minutes)


def figures(
    capital: float,
    days: Sequence[Day],
    fills: Sequence[Fill],
    margin_peak: float,
    year_days: int = YEAR_DAYS,
    exposure: float | None = None,
) -> dict[str, Any]:
    """All of them, by name; money and shares as floats, None for what cannot be counted."""
    returns = daily_returns(capital, days)
    trips = round_trips(fills)
    fall = drawdown(capital, days)
    commission = _yuan(sum(fill.commission for fill in fills))
    closed = _yuan(sum(trip.profit for trip in trips))
    end = days[-1].balance if days else capital
    turnover = math.fsum(fill.price * fill.volume * fill.multiplier for fill in fills)
    return {
        "capital": capital,
        "balance": end,
        "net_profit": _yuan(end - capital),
        "net_profit_closed": _yuan(closed - commission),
        "open_profit": _yuan(end - capital - closed + commission),
        "commission": commission,
        "slippage_cost": _yuan(math.fsum(fill.slippage for fill in fills)),
        "return": end / capital - 1,
        "annual_return": annual_return(returns, year_days),
        "max_drawdown": fall.amount,
        "max_drawdown_share": fall.share,
        "drawdown": fall._asdict(),
        "volatility": deviation * math.sqrt(year_days) if (deviation := _deviation(returns)) else None,
        "sharpe": sharpe(returns, year_days),
        "sortino": sortino(returns, year_days),
        "calmar": calmar(returns, fall, year_days),
        "trading_days": len(days),
        "days_won": sum(one > 0 for one in returns),
        "days_lost": sum(one < 0 for one in returns),
        "trades": len(fills),
        "lots": sum(fill.volume for fill in fills),
        "turnover": turnover,
        "turnover_ratio": turnover / capital,
        "margin_peak": margin_peak,
        "margin_peak_share": margin_peak / capital,
        "exposure": exposure,
        **_of_trips(trips),
        "by_contract": _by(trips, lambda trip: trip.symbol),
        "by_side": _by(trips, lambda trip: trip.direction),
        "by_month": _months(capital, days),
    }


def _of_trips(trips: Sequence[RoundTrip]) -> dict[str, Any]:
    """Of round trips, after fees; a trip that came to nothing is neither won nor lost."""
    won = [trip.net for trip in trips if trip.net > 0]
    lost = [trip.net for trip in trips if trip.net < 0]
    return {
        "round_trips": len(trips),
        "win_rate": len(won) / len(trips) if trips else None,
        "profit_factor": sum(won) / -sum(lost) if lost else None,
        "expectancy": _mean([trip.net for trip in trips]) if trips else None,
        "average_win": _mean(won) if won else None,
        "average_loss": _mean(lost) if lost else None,
        "average_holding_seconds": _mean([trip.seconds for trip in trips]) if trips else None,
    }


def _by(trips: Sequence[RoundTrip], key: Any) -> dict[str, dict[str, Any]]:
    groups: dict[str, list[RoundTrip]] = defaultdict(list)
    for trip in trips:
        groups[key(trip)].append(trip)
    return {
        name: {"net": _yuan(sum(trip.net for trip in group)), "lots": sum(trip.volume for trip in group)}
        | _of_trips(group)
        for name, group in sorted(groups.items())
    }


def _months(capital: float, days: Sequence[Day]) -> dict[str, dict[str, float | None]]:
    """Net profit of each month's trading days, and its share of the balance before."""
    found: dict[str, dict[str, float | None]] = {}
    before = capital
    for number, day in enumerate(days):
        month = day.trading_day[:6]
        if number + 1 == len(days) or days[number + 1].trading_day[:6] != month:
            net = _yuan(day.balance - before)
            found[month] = {"net": net, "return": net / before if before > 0 else None}
            before = day.balance
    return found


def _yuan(amount: float) -> float:
    """To the cent: sums of floats are not."""
    return round(amount, 2)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _deviation(values: Sequence[float]) -> float:
    """With n − 1; 0 for fewer than two, and for what is only rounding."""
    if len(values) < 2:
        return 0.0
    mean = _mean(values)
    found = math.sqrt(math.fsum((one - mean) ** 2 for one in values) / (len(values) - 1))
    return found if found > 1e-12 else 0.0
