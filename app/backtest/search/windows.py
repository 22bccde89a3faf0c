"""The trading days of a search: what is in the sample, what is out of it, and the windows of a walk forward.
Pure but for the calendar.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from app.lib.calendar import compact, next_trading_day, parse_day, previous_trading_day
from app.lib.errors import BadInput

MOST_WINDOWS = 200
MOST_DAYS = 5_000


class Stretch(NamedTuple):
    """Trading days YYYYMMDD, both included; "" for open. Orders are sent from `trade_from` on ("" from the
    first): the days before only warm up.
    """

    start: str
    end: str
    trade_from: str = ""


class Window(NamedTuple):
    train: Stretch
    test: Stretch


def split(start: str, end: str, day: str, warm_up: int) -> Window:
    """In the sample until the day before `day`, out of it from then on. Raises BadInput."""
    if start and day <= start or end and day > end:
        raise BadInput("search", f"样本外从 {day} 起，应在 {start or '开始'} 之后、{end or '结束'} 之前")
    first = parse_day(day)
    before = compact(previous_trading_day(first))
    return Window(Stretch(start, before), Stretch(_earlier(first, warm_up), end, day))


def walk(start: str, end: str, train: int, test: int, warm_up: int, anchored: bool = False) -> list[Window]:
    """Windows of so many trading days: trained on `train`, tried on the `test` days after them, then moved on
    by `test`; `anchored`: each training begins at the start. What is left at the end is tried too, shorter.
    Raises BadInput.
    """
    if not start or not end:
        raise BadInput("search", "滚动优化要写明开始与结束的交易日（start、end）")
    if train < 1 or test < 1:
        raise BadInput("search", f"滚动优化的训练与检验应各至少 1 个交易日，现在是 {train} 与 {test}")
    days = _days(parse_day(start), parse_day(end))
    if len(days) <= train:
        raise BadInput("search", f"从 {start} 到 {end} 只有 {len(days)} 个交易日，训练就要 {train} 个")
    if -(-(len(days) - train) // test) > MOST_WINDOWS:
        raise BadInput("search", f"滚动优化至多 {MOST_WINDOWS} 段：加长检验的天数 {test}")
    found = []
    for at in range(train, len(days), test):
        tested = days[at : at + test]
        trained = days[0 if anchored else at - train : at]
        warm = _earlier(parse_day(tested[0]), warm_up)
        found.append(Window(Stretch(trained[0], trained[-1]), Stretch(warm, tested[-1], tested[0])))
    return found


def _earlier(day: date, count: int) -> str:
    for _ in range(count):
        day = previous_trading_day(day)
    return compact(day)


def _days(first: date, last: date) -> list[str]:
    day = next_trading_day(previous_trading_day(first))
    found = []
    while day <= last:
        found.append(compact(day))
        if len(found) > MOST_DAYS:
            raise BadInput("search", f"滚动优化至多 {MOST_DAYS} 个交易日")
        day = next_trading_day(day)
    return found
