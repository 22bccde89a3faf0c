"""Makes the recordings beside it: `python tests/recordings/make.py`, from the project's folder; the same
files each time, in a minute.

Prices, volumes and settlements come from the built-in counter's generator, in the exchanges' hours; a few
snapshots of each minute are kept. What real recorders and exchanges do and the generator does not is put on
here, as docs/domain.md (Time 1, 3, 4, 5) and real recordings have it: auction prints, the print at a
section's end and the empty one half a second later (SHFE), milliseconds of 000 with several rows a second,
login rows of the evening before, averages in whole yuan (CZCE), settlement snapshots after the close (CFFEX),
and each recorder's way to write that there is no value. Names, columns and days are those of the real
recordings in ../shared/data, so that the same tests run on both (tests/support/recorded.py).

The sections are written out here by hand, and so is the way from rows to bars: what the product makes of the
rows is compared with it. facts.json has what the generator says of each day.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from app.counter.markets.generator import GeneratedMarket
from app.counter.markets.market import DayTurn
from app.lib.calendar import SHANGHAI
from app.wire.frames import DepthField

FOLDER = Path(__file__).parent
SEED = 20181008
HALF, MINUTE = timedelta(seconds=0.5), timedelta(minutes=1)
FEWEST, MOST = 3, 6  # rows that are kept of a minute
THIN = 12  # lots at the best price, so that an order of a few is filled in parts

DAY = (("09:00", "10:15"), ("10:30", "11:30"), ("13:30", "15:00"))
INDEX_DAY = (("09:30", "11:30"), ("13:00", "15:00"))
NIGHT = (("21:00", "23:00"),)


class Part(NamedTuple):
    """A trading day, or the half of one: its sections lie on the evening before and on the day."""

    trading_day: str
    evening: str  # the date of its night; "" for a day without one
    has_day: bool = True

    def sections(self, day: Sequence[tuple[str, str]]) -> list[tuple[datetime, datetime]]:
        night = (
            [(at(self.evening, start), at(self.evening, end)) for start, end in NIGHT] if self.evening else []
        )
        return night + (
            [(at(self.trading_day, start), at(self.trading_day, end)) for start, end in day]
            if self.has_day
            else []
        )


RUBBER_DAYS = (
    Part("20181008", ""),  # after National Day: no night
    Part("20181009", "20181008"),
    Part("20181010", "20181009"),
    Part("20181011", "20181010"),
    Part("20181012", "20181011"),
    Part("20181015", "20181012", has_day=False),  # Friday night
)
APPLE_DAYS = tuple(Part(day, "") for day in ("20200806", "20200807", "20200810", "20200811"))
APPLE_LOGINS = ("20200805 19:29:00", "20200806 19:22:55", "20200807 19:26:52", "20200810 19:20:31")
INDEX_DAYS = tuple(Part(day, "") for day in ("20210104", "20210105", "20210106"))
REBAR_DAYS = (
    Part("20230925", ""),  # its night was not recorded
    Part("20230926", "20230925"),
    Part("20230927", "20230926"),
    Part("20230928", "20230927"),
    Part("20231009", ""),  # after National Day: no night
    Part("20231010", "20231009"),
)

CTP_COLUMNS = [
    "TradingDay",
    "InstrumentID",
    "ExchangeID",
    "ExchangeInstID",
    "LastPrice",
    "PreSettlementPrice",
    "PreClosePrice",
    "PreOpenInterest",
    "OpenPrice",
    "HighestPrice",
    "LowestPrice",
    "Volume",
    "Turnover",
    "OpenInterest",
    "ClosePrice",
    "SettlementPrice",
    "UpperLimitPrice",
    "LowerLimitPrice",
    "PreDelta",
    "CurrDelta",
    "UpdateTime",
    "UpdateMillisec",
    "BidPrice1",
    "BidVolume1",
    "AskPrice1",
    "AskVolume1",
    "BidPrice2",
    "BidVolume2",
    "AskPrice2",
    "AskVolume2",
    "BidPrice3",
    "BidVolume3",
    "AskPrice3",
    "AskVolume3",
    "BidPrice4",
    "BidVolume4",
    "AskPrice4",
    "AskVolume4",
    "BidPrice5",
    "BidVolume5",
    "AskPrice5",
    "AskVolume5",
    "AveragePrice",
    "ActionDay",
]
WT_COLUMNS = [
    "exchg",
    "code",
    "price",
    "open",
    "high",
    "low",
    "settle",
    "upper_limit",
    "lower_limit",
    "total_volume",
    "volume",
    "total_turnover",
    "turn_over",
    "open_interest",
    "diff_interest",
    "trading_date",
    "action_date",
    "action_time",
    "pre_close",
    "pre_settle",
    "pre_interest",
    "bid_price1",
    "bid_qty1",
    "ask_price1",
    "ask_qty1",
]


def at(day: str, clock: str) -> datetime:
    return datetime.strptime(
        f"{day} {clock}", "%Y%m%d %H:%M" if len(clock) == 5 else "%Y%m%d %H:%M:%S"
    ).replace(tzinfo=SHANGHAI)


class Snap(NamedTuple):
    """A snapshot and when it is said to have been. `auction`: it is the print of one."""

    moment: datetime
    depth: DepthField
    auction: bool = False


class Day(NamedTuple):
    part: Part
    sections: list[tuple[datetime, datetime]]
    snaps: list[Snap]
    settlement: float  # 0 while the day is not over


class Clock:
    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def generated(
    instrument: str,
    parts: Sequence[Part],
    hours: Sequence[tuple[str, str]],
    end: str,
    auctions: Sequence[str],
) -> list[Day]:
    """The days. `end`: what a section ends with, `print` (SHFE), `twice` (CZCE's last half second, told two
    times) or nothing.

    `auctions`: the trading days whose first print is an auction's; the generator's own first is put a minute
    back.
    """
    chance = random.Random(f"{SEED} {instrument}")
    clock = Clock(parts[0].sections(hours)[0][0] - MINUTE)
    market = GeneratedMarket(SEED, "exchange", wall=clock)
    market.watch({instrument})
    days = []
    for part in parts:
        sections, snaps = part.sections(hours), []
        for place, (start, stop) in enumerate(sections):
            found = list(streamed(market, clock, start, stop))
            kept = chosen(found, start, chance)
            if place == 0 and part.trading_day in auctions:
                kept[0] = Snap(start - MINUTE + HALF, kept[0].depth, auction=True)
            last = found[-1].depth
            if end == "print":
                kept += [Snap(stop, last), Snap(stop + HALF, last)]
            elif end == "twice" and place == len(sections) - 1:
                kept = [snap for snap in kept if snap.moment < stop - 2 * HALF] + [
                    Snap(stop - HALF, last)
                ] * 2
            snaps += kept
        settlement = 0.0
        if part.has_day:
            clock.now = at(part.trading_day, "20:30")
            (turn,) = market.poll()
            assert isinstance(turn, DayTurn)
            settlement = turn.settlement[instrument]
        days.append(Day(part, sections, snaps, settlement))
    return days


def streamed(market: GeneratedMarket, clock: Clock, start: datetime, stop: datetime) -> Iterator[Snap]:
    clock.now = start
    while clock.now < stop:
        for depth in market.poll():
            assert isinstance(depth, DepthField)
            yield Snap(clock.now, depth)
        clock.now += HALF


def chosen(found: list[Snap], start: datetime, chance: random.Random) -> list[Snap]:
    """Some of each minute, in pairs of half seconds now and then, and the section's first; its very last is
    left for the end.
    """
    minutes: dict[int, list[Snap]] = {}
    for snap in found[:-1]:
        minutes.setdefault((snap.moment - start) // MINUTE, []).append(snap)
    kept = [found[0]]
    for snaps in minutes.values():
        places = chance.sample(range(len(snaps)), chance.randint(FEWEST, MOST))
        if chance.random() < 0.2:
            places.append(min(places[0] ^ 1, len(snaps) - 1))
        kept += [snaps[place] for place in sorted(set(places)) if snaps[place] is not found[0]]
    return kept


# ── as recorders write them ──


def ctp_rows(days: Iterable[Day], nothing: str, stamped: bool) -> Iterator[list[str]]:
    """CTP's 44 columns. `nothing` is how no value is written; without `stamped` milliseconds are 000
    (CZCE).
    """
    for day in days:
        closing = day.snaps[-1].moment.replace(microsecond=0) if day.settlement else None
        for snap in day.snaps:
            over = closing is not None and snap.moment >= closing
            yield ctp_row(
                snap,
                nothing,
                stamped,
                snap.depth.LastPrice if over else None,
                day.settlement if over else None,
            )


def ctp_row(
    snap: Snap, nothing: str, stamped: bool, close: float | None, settlement: float | None
) -> list[str]:
    depth = snap.depth
    values: dict[str, str] = {name: "0" if "Volume" in name else nothing for name in CTP_COLUMNS}
    for name in (
        "LastPrice",
        "PreSettlementPrice",
        "PreClosePrice",
        "PreOpenInterest",
        "OpenPrice",
        "HighestPrice",
        "LowestPrice",
    ):
        values[name] = f"{getattr(depth, name):.2f}"
    for name in ("Turnover", "OpenInterest", "UpperLimitPrice", "LowerLimitPrice"):
        values[name] = f"{getattr(depth, name):.2f}"
    for side in ("Bid", "Ask"):
        if getattr(depth, f"{side}Volume1"):
            values[f"{side}Price1"] = f"{getattr(depth, f'{side}Price1'):.2f}"
            values[f"{side}Volume1"] = str(1 + getattr(depth, f"{side}Volume1") % THIN)
    if close is not None and settlement is not None:
        values |= {"ClosePrice": f"{close:.2f}", "SettlementPrice": f"{settlement:.2f}"}
    average = depth.AveragePrice
    if not stamped and depth.Volume:  # CZCE: the average in whole yuan, and the turnover that it makes
        average = float(round(average))
        values["Turnover"] = f"{average * depth.Volume:.2f}"
    values |= {
        "TradingDay": depth.TradingDay,
        "InstrumentID": depth.InstrumentID,
        "ExchangeID": "",
        "ExchangeInstID": "",
        "Volume": str(depth.Volume),
        "UpdateTime": f"{snap.moment:%H:%M:%S}",
        "UpdateMillisec": f"{snap.moment.microsecond // 1000 if stamped else 0:03d}",
        "AveragePrice": f"{average:.4f}" if stamped else f"{average:.2f}",
        "ActionDay": f"{snap.moment:%Y%m%d}",
    }
    return [values[name] for name in CTP_COLUMNS]


def apple_rows(days: Sequence[Day]) -> Iterator[list[str]]:
    """Each day begins with what a front sends at the login of the evening before: yesterday's prices, nothing
    traded.
    """
    for login, day in zip(APPLE_LOGINS, days, strict=True):
        first = day.snaps[0].depth
        row = dict(
            zip(CTP_COLUMNS, ctp_row(Snap(at(*login.split()), first), "0.00", False, None, None), strict=True)
        )
        row |= dict.fromkeys(
            ("HighestPrice", "LowestPrice", "Turnover", "BidPrice1", "AskPrice1", "AveragePrice"), "0.00"
        )
        row |= {"LastPrice": row["PreClosePrice"], "OpenInterest": row["PreOpenInterest"]}
        row |= dict.fromkeys(("Volume", "BidVolume1", "AskVolume1"), "0")
        yield list(row.values())
        yield from ctp_rows([day], "0.00", stamped=False)


def index_rows(days: Iterable[Day]) -> Iterator[list[str]]:
    """wondertrader's columns: prices with the noise of binary fractions, settlement snapshots after three."""
    for day in days:
        last: DepthField | None = None
        for snap in day.snaps:
            yield wt_row(snap, last, 0.0)
            last = snap.depth
        for clock, milli in (("15:27:29", 700), ("15:31:09", 700), ("15:44:33", 0)):
            moment = at(day.part.trading_day, clock) + timedelta(milliseconds=milli)
            yield wt_row(Snap(moment, day.snaps[-1].depth), day.snaps[-1].depth, day.settlement)


def wt_row(snap: Snap, before: DepthField | None, settlement: float) -> list[str]:
    depth = snap.depth
    turnover_before, volume_before = (before.Turnover, before.Volume) if before else (0.0, 0)
    interest_before = before.OpenInterest if before else depth.PreOpenInterest

    def noisy(price: float) -> float:
        return round(price / 0.2) * 0.2  # 5806.4 becomes 5806.400000000001

    values: dict[str, Any] = {
        "exchg": "CFFEX",
        "code": depth.InstrumentID,
        "price": noisy(depth.LastPrice),
        "open": noisy(depth.OpenPrice),
        "high": noisy(depth.HighestPrice),
        "low": noisy(depth.LowestPrice),
        "settle": settlement,
        "upper_limit": noisy(depth.UpperLimitPrice),
        "lower_limit": noisy(depth.LowerLimitPrice),
        "total_volume": depth.Volume,
        "volume": depth.Volume - volume_before,
        "total_turnover": round(depth.Turnover, 1),
        "turn_over": round(depth.Turnover - turnover_before, 1),
        "open_interest": int(depth.OpenInterest),
        "diff_interest": int(depth.OpenInterest - interest_before),
        "trading_date": depth.TradingDay,
        "action_date": f"{snap.moment:%Y%m%d}",
        "action_time": int(f"{snap.moment:%H%M%S}{snap.moment.microsecond // 1000:03d}"),
        "pre_close": noisy(depth.PreClosePrice),
        "pre_settle": noisy(depth.PreSettlementPrice),
        "pre_interest": int(depth.PreOpenInterest),
        "bid_price1": noisy(depth.BidPrice1),
        "bid_qty1": depth.BidVolume1,
        "ask_price1": noisy(depth.AskPrice1),
        "ask_qty1": depth.AskVolume1,
    }
    return [str(values[name]) for name in WT_COLUMNS]


# ── bars ──


class MinuteBar(NamedTuple):
    trading_day: str
    start: datetime
    open: float
    high: float
    low: float
    close: float
    volume: int
    turnover: float
    open_interest: float


def minute_of(day: Day, snap: Snap, auctions_apart: bool) -> datetime:
    if snap.auction:
        return snap.moment.replace(second=0, microsecond=0) if auctions_apart else day.sections[0][0]
    ends = [stop for start, stop in day.sections if snap.moment - HALF <= stop <= snap.moment]
    return ends[0] - MINUTE if ends else snap.moment.replace(second=0, microsecond=0)


def bars_of(days: Iterable[Day], auctions_apart: bool = False) -> Iterator[MinuteBar]:
    """Open, high, low and close of the last prices of a minute's rows; volume and turnover are what the
    cumulative figures rose by.
    """
    for day in days:
        volume, turnover = 0, 0.0
        minutes: dict[datetime, list[DepthField]] = {}
        for snap in day.snaps:
            minutes.setdefault(minute_of(day, snap, auctions_apart), []).append(snap.depth)
        for start, rows in minutes.items():
            prices = [row.LastPrice for row in rows]
            last = rows[-1]
            amount = last.Turnover - turnover
            shape = prices[0], max(prices), min(prices), prices[-1]
            yield MinuteBar(
                day.part.trading_day, start, *shape, last.Volume - volume, amount, last.OpenInterest
            )
            volume, turnover = last.Volume, last.Turnover


def rubber_bar(bar: MinuteBar) -> list[str]:
    figures = (bar.open, bar.high, bar.low, bar.close, float(bar.volume), bar.turnover, bar.open_interest)
    return ["ru1901", bar.trading_day, f"{bar.start:%Y-%m-%d %H:%M:%S}", *map(str, figures)]


def rebar_bar(bar: MinuteBar) -> list[str]:
    """ctpbee's recorder labels a bar with its end."""
    figures = (bar.open, bar.close, bar.high, bar.low, float(bar.volume), bar.turnover, bar.open_interest)
    return ["rb2401.SHFE", f"{bar.start + MINUTE:%Y-%m-%d %H:%M:%S}", *map(str, figures)]


def write(name: str, columns: Iterable[str], rows: Iterable[list[str]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    with (FOLDER / name).open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write(text.getvalue().encode())


def facts(days: Iterable[Day]) -> dict[str, dict[str, float]]:
    """By trading day: what the generator said of its end, and how many rows it has."""
    return {
        day.part.trading_day: {
            "settlement": day.settlement,
            "close": day.snaps[-1].depth.LastPrice,
            "volume": day.snaps[-1].depth.Volume,
            "pre_settlement": day.snaps[0].depth.PreSettlementPrice,
            "rows": len(day.snaps),
        }
        for day in days
    }


def main() -> None:
    rubber = generated("ru1901", RUBBER_DAYS, DAY, "print", [part.trading_day for part in RUBBER_DAYS[1:]])
    apple = generated("AP010", APPLE_DAYS, DAY, "twice", [part.trading_day for part in APPLE_DAYS])
    index = generated("IF2101", INDEX_DAYS, INDEX_DAY, "", [part.trading_day for part in INDEX_DAYS])
    rebar = generated("rb2401", REBAR_DAYS, DAY, "print", [part.trading_day for part in REBAR_DAYS[1:]])
    write("SHFE.ru1901_20181008-20181012.ctp.csv.gz", CTP_COLUMNS, ctp_rows(rubber, "N/A", stamped=True))
    write("CZCE.AP010_20200806-20200811.ctp.csv.gz", CTP_COLUMNS, apple_rows(apple))
    write("CFFEX.IF.HOT_20210104-20210106.wt.csv.gz", WT_COLUMNS, index_rows(index))
    columns = [
        "symbol",
        "trading_day",
        "datetime",
        "open",
        "high",
        "low",
        "close",
        "volume",
        "turnover",
        "open_interest",
    ]
    write("SHFE.ru1901.from_ticks.1m.csv.gz", columns, map(rubber_bar, bars_of(rubber)))
    columns = [
        "local_symbol",
        "datetime",
        "open_price",
        "close_price",
        "high_price",
        "low_price",
        "volume",
        "turnover",
        "open_interest",
    ]
    write("SHFE.rb2401.1m.csv.gz", columns, map(rebar_bar, bars_of(rebar, auctions_apart=True)))
    told = {"rubber": facts(rubber), "apple": facts(apple), "index": facts(index), "rebar": facts(rebar)}
    (FOLDER / "facts.json").write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
