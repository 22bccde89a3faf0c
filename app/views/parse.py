"""What a caller sent, as typed values: form fields, query string or JSON body under the same names. Web
process.

Nothing is guessed: a value that is missing, given twice, of the wrong type or out of its range is a BadInput
that names the parameter. Parameters that nobody asks for are ignored.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl

from flask import Request

from app.lib.errors import BadInput
from app.lib.truths import truth_of

_INTEGER = re.compile(r"[+-]?[0-9]{1,15}", re.ASCII)
_NUMBER = re.compile(
    r"[+-]?(?:[0-9]{1,15}(?:\.[0-9]{0,15})?|\.[0-9]{1,15})(?:[eE][+-]?[0-9]{1,2})?", re.ASCII
)
MOST_FIELDS = 200  # 340,000 empty ones in a megabyte took a second of everybody's time
_SAFE = 2**53  # beyond it JSON numbers are not exact


class _Required:
    """The default of a parameter that has none."""


REQUIRED: Final = _Required()


class Parameters:
    """Typed reads. Each takes a name and raises BadInput; one with a `default` may be left out, or be
    empty.
    """

    def __init__(self, values: Mapping[str, Sequence[Any]]) -> None:
        self._values = values

    @classmethod
    def of(cls, request: Request) -> Parameters:
        """The parameters of this request, wherever they stand. Raises BadInput("body") for JSON that is no
        object, for no UTF-8.
        """
        values: dict[str, list[Any]] = {}
        for name, texts in request.args.lists():
            values[name] = [*texts]
        if request.mimetype == "application/x-www-form-urlencoded":
            members: Iterable[tuple[str, Any]] = read_form(request.get_data())
        elif request.is_json:
            members = read_json_object(request.get_data())
        else:
            members = request.form.items(multi=True)
        for name, value in members:
            values.setdefault(name, []).append(value)
        return cls(values)

    def one(self, name: str) -> Any:
        """The value as it came, None where there is none."""
        found = self._values.get(name, ())
        if len(found) > 1:
            raise BadInput(name, f"参数 {name} 重复")
        return found[0] if found else None

    def given(self, names: Iterable[str]) -> dict[str, Any]:
        """Those of `names` that were sent, as they came."""
        return {name: self.one(name) for name in names if name in self._values}

    def text(
        self, name: str, default: str | _Required = REQUIRED, *, longest: int = 64, strip: bool = True
    ) -> str:
        """Printable text. `strip` drops blanks around it. A JSON integer is taken as its digits: ids and
        codes look like that.
        """
        value = self.one(name)
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _SAFE:
            value = str(value)
        if not isinstance(value, str | None):
            raise BadInput(name, f"参数 {name} 应为文字")
        value = value.strip(" ") if value is not None and strip else value
        if not value:
            return _default(name, default)
        if len(value) > longest:
            raise BadInput(name, f"参数 {name} 过长，最多 {longest} 个字符")
        if not value.isprintable():
            raise BadInput(name, f"参数 {name} 含有不可见字符")
        return value

    def choice(self, name: str, choices: Iterable[str], default: str | _Required = REQUIRED) -> str:
        """One of `choices`, to the letter."""
        value = self.text(name, default)
        if value not in (choices := list(choices)):
            raise BadInput(name, f"参数 {name} 应为 {' '.join(choices)} 之一")
        return value

    def integer(self, name: str, default: int | _Required = REQUIRED, *, least: int, most: int) -> int:
        """A whole number in a range, both ends included."""
        value = self._filled(name)
        if value is None:
            return _default(name, default)
        number: int | None = None
        if isinstance(value, str) and _INTEGER.fullmatch(value):
            number = int(value)
        elif isinstance(value, int) and not isinstance(value, bool):
            number = value
        elif isinstance(value, float) and value.is_integer() and abs(value) < _SAFE:
            number = int(value)
        if number is None:
            raise BadInput(name, f"参数 {name} 应为整数")
        if not least <= number <= most:
            raise BadInput(name, f"参数 {name} 应在 {least} 与 {most} 之间")
        return number

    def number(self, name: str, default: float | _Required = REQUIRED, *, least: float, most: float) -> float:
        """A finite number in a range, both ends included."""
        value = self._filled(name)
        if value is None:
            return _default(name, default)
        if isinstance(value, str) and _NUMBER.fullmatch(value):
            value = float(value)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(_as_float(value))
        ):
            raise BadInput(name, f"参数 {name} 应为数字")
        if not least <= value <= most:
            raise BadInput(name, f"参数 {name} 应在 {least:g} 与 {most:g} 之间")
        return float(value)

    def flag(self, name: str, default: bool | _Required = REQUIRED) -> bool:
        """Yes or no."""
        value = self._filled(name)
        if value is None:
            return _default(name, default)
        truth = truth_of(value)
        if truth is None:
            raise BadInput(name, f"参数 {name} 应为 1 或 0")
        return truth

    def _filled(self, name: str) -> Any:
        value = self.one(name)
        if isinstance(value, str):
            value = value.strip(" ")
        return None if value == "" else value


def _default(name: str, default: Any) -> Any:
    if isinstance(default, _Required):
        raise BadInput(name, f"缺少参数 {name}")
    return default


def _as_float(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:  # a JSON integer of hundreds of digits
        return math.inf


def read_form(body: bytes) -> Sequence[tuple[str, str]]:
    """The fields of an urlencoded form, those without a value too. Raises BadInput("body") for one that is
    not UTF-8, or has too many.
    """
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except UnicodeDecodeError:
        raise BadInput("body", "请求体不是 UTF-8", code="NOT_UTF8") from None
    except ValueError:
        raise BadInput("body", f"请求体的字段多于 {MOST_FIELDS} 个", code="TOO_MANY_FIELDS") from None


class _Members(tuple[tuple[str, Any], ...]):
    """A JSON object as its members, so that a name given twice is seen."""


def read_json_object(body: bytes) -> Iterable[tuple[str, Any]]:
    """The members of a JSON object; an empty body has none. Raises BadInput("body")."""
    if not body.strip():
        return ()
    try:
        document = json.loads(body, object_pairs_hook=_Members)
    except (ValueError, RecursionError):
        raise BadInput("body", "请求体不是合法的 JSON", code="BAD_JSON") from None
    if not isinstance(document, _Members):
        raise BadInput("body", "请求体应为一个 JSON 对象", code="BAD_JSON")
    return document
