"""What is taken of a run's result.json without unfolding it: a strategy may have written it itself, and 31 MB
of brackets are a gigabyte of objects. The process of backtests; pure.
"""

from __future__ import annotations

import codecs
from typing import Any, NamedTuple

import msgspec
import orjson
from msgspec import Raw

MOST_PARSED = 1024 * 1024  # bytes of what is made into objects here: a run's figures have some ten thousand
LARGE = 2 * MOST_PARSED  # of a result whose report is made elsewhere
CHUNK = 1024 * 1024
LONGEST_FIGURE = 64  # characters of a figure that is a text: a day
MOST_FIGURES = 100
LONGEST_WARNING = 500
MOST_WARNINGS = 50
NULL = Raw(b"null")


class _Brief(msgspec.Struct):
    """What runs are compared by."""

    figures: Raw
    days: Raw = NULL
    settings: Raw = NULL


class _Result(_Brief, kw_only=True):
    """What is looked at, as it stands there."""

    warnings: Raw


class Understood(NamedTuple):
    """The figures of a row, its warnings, and brief.json."""

    figures: dict[str, Any]
    warnings: list[str]
    brief: bytes


def understood(result: bytes) -> Understood:
    """Raises ValueError for one that is none."""
    try:
        _check_text(result)
        left = msgspec.json.decode(result, type=_Result)
        brief = msgspec.json.encode(_Brief(left.figures, left.days, left.settings))
        return Understood(
            brief_figures(_parsed(left.figures)),
            [str(one)[:LONGEST_WARNING] for one in _parsed(left.warnings)[:MOST_WARNINGS]],
            msgspec.json.format(brief, indent=-1),
        )
    except (msgspec.DecodeError, RecursionError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"no result: {error!r}") from None


def compared(row: dict[str, Any], brief: bytes) -> orjson.Fragment:
    """`{row, figures, days, settings}`, of a row and of brief.json as it is."""
    return orjson.Fragment(b'{"row":%b,%b' % (orjson.dumps(row), brief.removeprefix(b"{")))


def brief_figures(figures: dict[str, Any]) -> dict[str, Any]:
    """The figures of a result that a row shows, without the tables by contract, month and side. Raises
    AttributeError, TypeError, ValueError for what are none: a strategy may have written them.
    """
    found: dict[str, Any] = {}
    for name, value in list(figures.items())[:MOST_FIGURES]:
        if name == "drawdown":
            inner = [*dict(value).items()][:MOST_FIGURES]
            found[name] = {str(key)[:LONGEST_FIGURE]: _plain(one) for key, one in inner}
        elif not isinstance(value, dict | list):
            found[str(name)[:LONGEST_FIGURE]] = _plain(value)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value[:LONGEST_FIGURE]
    if value is None or isinstance(value, int | float):
        return value
    raise TypeError(type(value).__name__)


def _check_text(content: bytes) -> None:
    """What msgspec passes over it does not look at. Raises UnicodeDecodeError."""
    for _ in codecs.iterdecode((content[at : at + CHUNK] for at in range(0, len(content), CHUNK)), "utf-8"):
        pass


def _parsed(part: Raw) -> Any:
    """Raises ValueError."""
    size = memoryview(part).nbytes
    if size > MOST_PARSED:
        raise ValueError(f"{size} bytes")
    return orjson.loads(memoryview(part))
