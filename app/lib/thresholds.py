"""What the exchanges call abnormal, limit or charge for, and what a counter takes a second: rows of a dated
file (thresholds.toml), which an admin's own may override. Pure; any process.

No number here is law for a user: each row has its source, its date and how sure it is, and is shown with
`CAVEAT`. A row that is wrong is named, and nothing of its file is used.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError, field_validator, model_validator

from app.lib.symbols import EXCHANGES

CAVEAT = "以交易所、期货公司通知为准"
FILE = Path(__file__).with_name("thresholds.toml")

Measured = Literal["orders", "cancels", "large_cancels", "self_trades", "opened", "messages", "flow"]


class Threshold(BaseModel):
    """One row. Its fields are explained at the top of thresholds.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    measure: Measured
    exchange: str = ""
    products: tuple[str, ...] = Field((), strict=False)
    per: Literal["contract", "product"] = "contract"
    limit: int = Field(0, ge=0)
    lots: int = Field(0, ge=0)
    share: float = Field(0.0, ge=0, le=1)
    counts_fak: bool = False
    steps: tuple[int, ...] = Field((), strict=False)
    fee: tuple[Annotated[tuple[float, float], Strict(False)], ...] = Field((), strict=False)
    since: date | None = None
    source: str = Field(min_length=1)
    date: date
    confidence: Literal["H", "M", "L"]
    note: str = ""

    @field_validator("exchange")
    @classmethod
    def _a_known_exchange(cls, exchange: str) -> str:
        if exchange and exchange not in EXCHANGES:
            raise ValueError(f"不认识的交易所 {exchange}")
        return exchange

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.measure == "flow") == bool(self.exchange):
            raise ValueError("应写 exchange（flow 是柜台的，不写）")
        if self.measure == "messages":
            steps = list(self.steps)
            if len(self.fee) != len(steps) + 1 or steps != sorted(set(steps)) or min(steps, default=1) < 1:
                raise ValueError("steps 应递增，fee 应比 steps 多一档")
            if any(rate < 0 for pair in self.fee for rate in pair):
                raise ValueError("fee 应不小于 0")
        elif self.limit < 1:
            raise ValueError("limit 应为不小于 1 的整数")
        if self.measure == "large_cancels" and bool(self.lots) == bool(self.share):
            raise ValueError("large_cancels 应写 lots 或 share 之一")
        return self

    @property
    def key(self) -> tuple[object, ...]:
        """What another file's row must share to stand in its place."""
        return self.measure, self.exchange, tuple(sorted(self.products)), self.since

    @property
    def id(self) -> str:
        """Names the row for people and for overriding rules: `cancels.SHFE`, `opened.CFFEX.IC-IF`."""
        return ".".join(filter(None, (self.measure, self.exchange, "-".join(sorted(self.products)))))

    def is_large(self, lots: float, largest: float) -> bool:
        """Whether a cancel of so many lots is a large one; `largest`: of one order in that contract, 0 where
        that is not known.
        """
        if self.lots:
            return lots >= self.lots
        return largest > 0 and lots >= self.share * largest

    def cost(self, messages: int, otr: float) -> float:
        """The fee in yuan for so many messages in a contract and day, by steps."""
        paid, below = 0.0, 0
        for at, rates in enumerate(self.fee):
            above = self.steps[at] if at < len(self.steps) else messages
            paid += max(0, min(messages, above) - below) * rates[otr > 2]
            below = above
        return round(paid, 2)


class Thresholds:
    """The rows in force on a day."""

    def __init__(self, rows: Iterable[Threshold], day: date) -> None:
        newest: dict[tuple[object, ...], Threshold] = {}
        self._first, self._next = date.min, date.max  # the days on which rows come into force
        for row in sorted(rows, key=lambda row: row.since or date.min):
            since = row.since or date.min
            if since > day:
                self._next = since
                break
            self._first = since
            newest[row.key[:-1]] = row
        self.rows = tuple(newest.values())

    def hold_on(self, day: date) -> bool:
        """Whether those of another day are the same."""
        return self._first <= day < self._next

    def of(self, measure: str, exchange: str, product: str) -> Threshold | None:
        """The row for a product: one that names it goes before one for all of its exchange."""
        fitting = [row for row in self.rows if row.measure == measure and row.exchange == exchange]
        named = (row for row in fitting if product in row.products)
        return next(named, next((row for row in fitting if not row.products), None))


def load(override: Path | None = None) -> tuple[Threshold, ...]:
    """The rows of our file, and of the admin's, which go before. Raises ValueError, which names file and
    row.
    """
    rows = {row.key: row for row in _ours()}
    if override is not None:
        rows |= {row.key: row for row in read(override)}
    return tuple(rows.values())


@cache
def _ours() -> tuple[Threshold, ...]:
    """The rows of the file that comes with the program: read once, as it stays while that runs."""
    return tuple(read(FILE))


def read(path: Path) -> list[Threshold]:
    """The rows of a file. Raises ValueError, which names the first that is wrong."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ValueError(f"{path} 不能读取：{error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} 不是合法的 TOML：{error}") from None
    unknown = sorted(document.keys() - {"threshold"})
    entries = document.get("threshold", [])
    if unknown or not isinstance(entries, list):
        raise ValueError(f"{path} 应只有 [[threshold]] 各节{f'，不认识 {unknown[0]}' if unknown else ''}")
    found: dict[tuple[object, ...], Threshold] = {}
    for number, entry in enumerate(entries, 1):
        row = _row(path, number, entry)
        if row.key in found:
            raise ValueError(f"{path} 第 {number} 条（{row.id}）与前面的一条重复")
        found[row.key] = row
    return list(found.values())


def _row(path: Path, number: int, entry: Any) -> Threshold:
    try:
        return Threshold.model_validate(entry)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        named = (
            f"（{entry.get('measure', '?')} {entry.get('exchange', '')}）" if isinstance(entry, dict) else ""
        )
        raise ValueError(
            f"{path} 第 {number} 条{named}{f'的 {where}' if where else ''}不合法：{reason}"
        ) from None
