"""Fees and margins as they were: a CSV file with the day since which each row holds. Pure but for reading the
file; backtest's child.

`product,since,margin,open,close,close_today`, and more columns are left alone. `product` is a product's code
(`rb`) or one contract (`rb2401`), which goes before its product. `since` is a trading day. `margin` is a
share of the turnover (0.09), of both directions; a fee is a share of it (0.0001) or yuan a lot (`3/lot`).
What is left empty stays as the contract table has it.
"""

from __future__ import annotations

import csv
from bisect import bisect_right
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from app.counter.contracts import product_code_of
from app.counter.products import products
from app.lib.calendar import compact, parse_day
from app.lib.errors import AppError
from app.wire.frames import InstrumentField

COLUMNS = ("product", "since", "margin", "open", "close", "close_today")
FEES = {"open": "Open", "close": "Close", "close_today": "CloseToday"}
PER_LOT = "/lot"
HIGHEST_SHARE = 1.0
HIGHEST_LOT = 10_000.0  # yuan


class BadRates(AppError):
    """The file of rates is not what it should be: mend the row that the message names."""

    default_code = "BAD_RATES"


class _Row(NamedTuple):
    since: str
    changes: dict[str, Any]  # of InstrumentField


class DatedRates:
    """Gives a contract's row with the rates of a day. `unknown`: what was asked for and has no row for its
    day.
    """

    def __init__(self, path: Path) -> None:
        """Raises BadRates."""
        self._rows: dict[str, list[_Row]] = {}
        self.unknown: set[str] = set()
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                self._read(path.name, csv.DictReader(file))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise BadRates(f"{path.name}: 读不了：{error}") from None
        for name, rows in self._rows.items():
            rows.sort(key=_since)
            days = [row.since for row in rows]
            if len(set(days)) < len(days):
                raise BadRates(f"{path.name}: {name} 的同一天有两行")

    def __call__(self, row: InstrumentField, trading_day: str) -> InstrumentField:
        for name in (row.InstrumentID, row.ProductID):
            rows = self._rows.get(name, [])
            place = bisect_right(rows, trading_day, key=_since)
            if place:
                return replace(row, **rows[place - 1].changes)
        self.unknown.add(row.ProductID)
        return row

    def _read(self, file: str, reader: csv.DictReader[str]) -> None:
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or [])]
        if missing:
            raise BadRates(f"{file}:1: 缺少列 {'、'.join(missing)}；应有 {','.join(COLUMNS)}")
        for values in reader:
            try:
                name, row = _row_of(values)
            except ValueError as error:
                raise BadRates(f"{file}:{reader.line_num}: {error}") from None
            self._rows.setdefault(name, []).append(row)
        if not self._rows:
            raise BadRates(f"{file}: 没有一行费率")


def _since(row: _Row) -> str:
    return row.since


def _row_of(values: dict[str, Any]) -> tuple[str, _Row]:
    """Raises ValueError, in words for who wrote the row."""
    if None in values or any(values[column] is None for column in COLUMNS):
        raise ValueError("列数与表头不同：没有的数留空，逗号不能省")
    name = _text(values, "product")
    if name not in products() and product_code_of(name) not in products():
        raise ValueError(f"不认识的品种或合约 {name!r}")
    since = _text(values, "since")
    try:
        day = compact(parse_day(since.replace("-", "").replace("/", "")))
    except ValueError:
        raise ValueError(f"since 应形如 2024-01-31，现在是 {since!r}") from None
    changes: dict[str, Any] = {}
    margin = _text(values, "margin")
    if margin:
        share = _number("margin", margin, HIGHEST_SHARE)
        changes |= {"LongMarginRatio": share, "ShortMarginRatio": share}
    for column, word in FEES.items():
        text = _text(values, column)
        if text:
            per_lot = text.endswith(PER_LOT)
            most = HIGHEST_LOT if per_lot else HIGHEST_SHARE
            amount = _number(column, text.removesuffix(PER_LOT), most)
            changes |= {
                f"{word}RatioByMoney": 0.0 if per_lot else amount,
                f"{word}RatioByVolume": amount if per_lot else 0.0,
            }
    return name, _Row(day, changes)


def _text(values: dict[str, Any], column: str) -> str:
    return str(values.get(column) or "").strip()


def _number(column: str, text: str, most: float) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ValueError(
            f"{column} 不是数：{text!r}（占成交额的比例如 0.0001，或每手几元如 3/lot）"
        ) from None
    if not 0 <= number < most:  # NaN compares false
        raise ValueError(f"{column} 应在 0 与 {most:g} 之间，现在是 {text}")
    return number
