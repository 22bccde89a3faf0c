"""What a request's parameters may be, written once: a view's model is a `Request` whose fields are annotated
with one of the kinds below. It reads what was sent, and describes itself to /openapi.json and docs/api.md.
Web process. Pure.

Nothing is guessed: a value that is missing, given twice, of the wrong type or out of its range is a BadInput
that names the parameter. Fields are judged in the order in which they are declared, and the first that is
wrong is told. Parameters that are no fields are ignored.
"""

from __future__ import annotations

import json
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, ValidationInfo, field_validator
from pydantic_core import CoreSchema, core_schema

from app.lib import fronts
from app.lib.errors import BadInput
from app.lib.strategy_lib import LONGEST_NAME, MAX_BYTES, SAFE_NAME, is_safe_name
from app.lib.symbols import DIRECTION_TEXT as DIRECTIONS
from app.lib.symbols import (
    EXCHANGES,
    SYMBOL_PATTERN,
    LocalSymbol,
    agreed,
    parse_any_symbol,
    parse_direction,
    parse_exchange,
    parse_symbol,
)
from app.lib.truths import truth_of

_INTEGER = re.compile(r"[+-]?[0-9]{1,15}", re.ASCII)
_NUMBER = re.compile(
    r"[+-]?(?:[0-9]{1,15}(?:\.[0-9]{0,15})?|\.[0-9]{1,15})(?:[eE][+-]?[0-9]{1,2})?", re.ASCII
)
_SAFE = 2**53  # beyond it JSON numbers are not exact
_TWICE = object()
"""Stands for the values of a parameter that was given more than once: no kind takes it."""

MOST_LOTS = 1_000_000
LONGEST_TEXT = 200  # in a record
DEEPEST = 4  # objects and lists within each other, in a document
MOST_SYMBOLS = 500
_CONTRACT = rf"{SYMBOL_PATTERN}(?:\.(?:{'|'.join(EXCHANGES)}))?"


class Kind(ABC):
    """What one parameter may be. A field's annotation: `volume: Annotated[int, Whole(1, 100)]`."""

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """Its JSON schema."""

    @abstractmethod
    def judge(self, name: str, value: Any) -> Any:
        """The value as the view gets it; None is none at all. Raises BadInput naming the parameter."""

    def is_empty(self, value: Any) -> bool:
        """Whether that is as good as nothing sent: a field with a default then has it."""
        return value is None or (isinstance(value, str) and not value.strip(" "))

    def __get_pydantic_core_schema__(self, _source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(partial(self.judge, handler.field_name or ""))

    def __get_pydantic_json_schema__(self, _core: CoreSchema, _handler: Any) -> dict[str, Any]:
        return self.schema()


@dataclass(frozen=True)
class Text(Kind):
    """Printable text. `strip` drops blanks around it. A JSON integer is taken as its digits: ids and codes
    look like that. With `pattern` it matches that, and `example` says what that looks like.
    """

    longest: int = 64
    strip: bool = True
    pattern: str = ""
    example: str = ""

    def schema(self) -> dict[str, Any]:
        if self.pattern:
            return {"type": "string", "pattern": f"^{self.pattern}$", "examples": [self.example]}
        return {"type": "string", "maxLength": self.longest}

    def is_empty(self, value: Any) -> bool:
        return super().is_empty(value) if self.strip else value is None or value == ""

    def judge(self, name: str, value: Any) -> str:
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _SAFE:
            value = str(value)
        if not isinstance(value, str | None):
            raise BadInput(name, f"参数 {name} 应为文字")
        value = value.strip(" ") if value is not None and self.strip else value
        if not value:
            raise BadInput(name, f"缺少参数 {name}")
        if len(value) > self.longest:
            raise BadInput(name, f"参数 {name} 过长，最多 {self.longest} 个字符")
        if not value.isprintable():
            raise BadInput(name, f"参数 {name} 含有不可见字符")
        if self.pattern and not re.fullmatch(self.pattern, value, re.ASCII):
            raise BadInput(name, f"参数 {name} 应形如 {self.example}")
        return value


class Choice(Kind):
    """One of these words, to the letter."""

    def __init__(self, choices: Iterable[str]) -> None:
        self.choices = tuple(choices)

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.choices)}

    def judge(self, name: str, value: Any) -> str:
        word = Text().judge(name, value)
        if word not in self.choices:
            raise BadInput(name, f"参数 {name} 应为 {' '.join(self.choices)} 之一")
        return word


class Choices(Kind):
    """Several of these words with commas between, each once, in the order in which they stand."""

    def __init__(self, choices: Iterable[str]) -> None:
        self.choices = tuple(choices)

    def schema(self) -> dict[str, Any]:
        one = f"(?:{'|'.join(self.choices)})"
        return {"type": "string", "pattern": f"^{one}(?:,{one})*$", "examples": [",".join(self.choices)]}

    def judge(self, name: str, value: Any) -> tuple[str, ...]:
        words = tuple(word.strip(" ") for word in Text(256).judge(name, value).split(","))
        if not set(words) <= set(self.choices):
            raise BadInput(name, f"参数 {name} 应为 {' '.join(self.choices)} 中的几个，用逗号隔开")
        if len(set(words)) < len(words):
            raise BadInput(name, f"参数 {name} 中有重复的")
        return words


class Word(Kind):
    """A word of the trade, English or Chinese, as `parse` reads it; `texts` are the Chinese of each."""

    def __init__(self, parse: Callable[[Any, str], str], texts: Mapping[str, str]) -> None:
        self.parse, self.texts = parse, texts

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(dict.fromkeys([*self.texts, *self.texts.values()]))}

    def judge(self, name: str, value: Any) -> str:
        return self.parse(value, name)


@dataclass(frozen=True)
class Whole(Kind):
    """A whole number in a range, both ends included."""

    least: int
    most: int

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}

    def judge(self, name: str, value: Any) -> int:
        number: int | None = None
        if isinstance(value, str):
            value = value.strip(" ")
            number = int(value) if _INTEGER.fullmatch(value) else None
        elif isinstance(value, int) and not isinstance(value, bool):
            number = value
        elif isinstance(value, float) and value.is_integer() and abs(value) < _SAFE:
            number = int(value)
        if number is None:
            raise BadInput(name, f"缺少参数 {name}" if self.is_empty(value) else f"参数 {name} 应为整数")
        if not self.least <= number <= self.most:
            raise BadInput(name, f"参数 {name} 应在 {self.least} 与 {self.most} 之间")
        return number


@dataclass(frozen=True)
class Number(Kind):
    """A finite number in a range, both ends included."""

    least: float
    most: float

    def schema(self) -> dict[str, Any]:
        return {"type": "number", "minimum": self.least, "maximum": self.most}

    def judge(self, name: str, value: Any) -> float:
        if self.is_empty(value):
            raise BadInput(name, f"缺少参数 {name}")
        if isinstance(value, str) and _NUMBER.fullmatch(value := value.strip(" ")):
            value = float(value)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(_as_float(value))
        ):
            raise BadInput(name, f"参数 {name} 应为数字")
        if not self.least <= value <= self.most:
            raise BadInput(name, f"参数 {name} 应在 {self.least:g} 与 {self.most:g} 之间")
        return float(value)


def _as_float(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:  # a JSON integer of hundreds of digits
        return math.inf


class Flag(Kind):
    """Yes or no."""

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}

    def judge(self, name: str, value: Any) -> bool:
        truth = truth_of(value)
        if truth is None:
            raise BadInput(name, f"缺少参数 {name}" if self.is_empty(value) else f"参数 {name} 应为 1 或 0")
        return truth


class AsSent(Kind):
    """Handed on as it came, empty or not: what it goes to judges it."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.described = schema

    def schema(self) -> dict[str, Any]:
        return self.described

    def judge(self, name: str, value: Any) -> Any:
        if value is _TWICE:
            raise BadInput(name, f"参数 {name} 重复")
        return value

    def is_empty(self, value: Any) -> bool:
        return False


# ── contracts
# ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Contract(Kind):
    """`rb2510.SHFE` or `rb2510`, as a LocalSymbol."""

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{_CONTRACT}$", "examples": ["rb2510.SHFE"]}

    def judge(self, name: str, value: Any) -> LocalSymbol:
        return parse_symbol("" if value is None else value, name)


class AnyContract(Contract):
    """Of any name that CTP may have, as a LocalSymbol."""

    def judge(self, name: str, value: Any) -> LocalSymbol:
        return parse_any_symbol(value, name)


class Exchange(Kind):
    """One of the six, "" for none given."""

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(EXCHANGES)}

    def judge(self, name: str, value: Any) -> str:
        return parse_exchange(value, name)


@dataclass(frozen=True)
class Contracts(Kind):
    """Several contracts with commas between, as a list of local symbols, each once. `gaps`: nothing between
    two commas is let pass.
    """

    gaps: bool

    def schema(self) -> dict[str, Any]:
        pattern = f"^{_CONTRACT}(?:,{_CONTRACT})*$"
        return {
            "type": "string",
            "pattern": pattern,
            "maxLength": MOST_SYMBOLS * 40,
            "examples": ["rb2510.SHFE,ag2512.SHFE"],
        }

    def judge(self, name: str, value: Any) -> list[str]:
        text = Text(MOST_SYMBOLS * 40).judge(name, value)
        parts = [part for part in text.split(",") if part.strip(" ") or not self.gaps]
        symbols = list(dict.fromkeys(str(parse_symbol(part, name)) for part in parts))
        if not symbols:
            raise BadInput(name, f"缺少参数 {name}")
        if len(symbols) > MOST_SYMBOLS:
            raise BadInput(name, f"一次最多 {MOST_SYMBOLS} 个合约")
        return symbols


# ── other things of their own
# ────────────────────────────────────────────────────────────────────────────────────────


class Addresses(Kind):
    """One side's fronts, with commas between."""

    def schema(self) -> dict[str, Any]:
        pattern = f"^{fronts.PATTERN}(,{fronts.PATTERN})*$"
        return {
            "type": "string",
            "maxLength": fronts.LONGEST,
            "pattern": pattern,
            "examples": [fronts.EXAMPLE.partition("，")[0]],
        }

    def judge(self, name: str, value: Any) -> str:
        addresses = fronts.split(Text(fronts.LONGEST).judge(name, value))
        if not all(map(fronts.is_address, addresses)):
            raise BadInput(name, f"参数 {name} 应形如 {fronts.EXAMPLE}")
        return ",".join(addresses)


class StrategyName(Kind):
    """A strategy's name. The texts for none and for what is none may be others."""

    def __init__(self, missing: str = "缺少参数 name", wrong: str = "参数 name 不是策略名") -> None:
        self.missing, self.wrong = missing, wrong

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": LONGEST_NAME, "pattern": f"^{SAFE_NAME.pattern}$"}

    def judge(self, name: str, value: Any) -> str:
        if self.is_empty(value):
            raise BadInput(name, self.missing)
        text = Text(LONGEST_NAME).judge(name, value)
        if not is_safe_name(text):
            raise BadInput(name, self.wrong)
        return text


@dataclass(frozen=True)
class Records(Kind):
    """A list of flat JSON objects, as JSON or as its text, as dicts of texts, numbers and flags. What they
    mean is for whom they go to.
    """

    most: int

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "object"}, "maxItems": self.most}

    def judge(self, name: str, value: Any) -> list[dict[str, Any]]:
        if isinstance(value, str) and value.strip(" "):
            try:
                value = json.loads(value, object_pairs_hook=tuple)
            except (ValueError, RecursionError):
                raise BadInput(name, f"参数 {name} 不是合法的 JSON") from None
        if self.is_empty(value):
            raise BadInput(name, f"缺少参数 {name}")
        if not isinstance(value, list) or len(value) > self.most:
            raise BadInput(name, f"参数 {name} 应为至多 {self.most} 个对象的列表")
        return [self._flat(name, number, entry) for number, entry in enumerate(value, 1)]

    @staticmethod
    def _flat(name: str, number: int, entry: Any) -> dict[str, Any]:
        if not isinstance(entry, tuple):  # how an object is read: its members, one after the other
            raise BadInput(name, f"参数 {name} 的第 {number} 个应为对象")
        if len(dict(entry)) < len(entry) or not all(_is_plain(part) for member in entry for part in member):
            raise BadInput(name, f"参数 {name} 的第 {number} 个应只有文字、数字与真假，每个名字一次")
        return dict(entry)


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return value.isprintable() and len(value) <= LONGEST_TEXT
    if isinstance(value, int):
        return abs(value) < _SAFE
    return value is None or isinstance(value, float)


@dataclass(frozen=True)
class Document(Kind):
    """A JSON object, as JSON or as its text, as a dict; objects and lists in it, up to some depth. What it
    means is for whom it goes to.
    """

    most: int = 2_000  # values

    def schema(self) -> dict[str, Any]:
        return {"type": "object"}

    def judge(self, name: str, value: Any) -> dict[str, Any]:
        if isinstance(value, str) and value.strip(" "):
            try:
                value = json.loads(value, object_pairs_hook=tuple)
            except (ValueError, RecursionError):
                raise BadInput(name, f"参数 {name} 不是合法的 JSON") from None
        if self.is_empty(value):
            raise BadInput(name, f"缺少参数 {name}")
        if not isinstance(value, tuple):  # how an object is read: its members, one after the other
            raise BadInput(name, f"参数 {name} 应为一个 JSON 对象")
        left = [self.most]
        found: dict[str, Any] = self._plain(name, value, DEEPEST, left)
        return found

    def _plain(self, name: str, part: Any, depth: int, left: list[int]) -> Any:
        """`left[0]`: how many more values there may be."""
        left[0] -= 1
        if not depth or left[0] < 0:
            raise BadInput(name, f"参数 {name} 过大：至多 {self.most} 个值、{DEEPEST} 层")
        if isinstance(part, tuple):
            keys = [key for key, _ in part]
            if len(set(keys)) < len(keys) or not all(map(_is_plain, keys)):
                raise BadInput(name, f"参数 {name} 里的名字应为文字，每个一次")
            return {key: self._plain(name, one, depth - 1, left) for key, one in part}
        if isinstance(part, list):
            return [self._plain(name, one, depth - 1, left) for one in part]
        if not _is_plain(part) or (isinstance(part, float) and not math.isfinite(part)):
            raise BadInput(name, f"参数 {name} 里应只有文字、数字与真假")
        return part


@dataclass(frozen=True)
class Names(Kind):
    """Several names with commas between, as a list, each once."""

    most: int = 20

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": self.most * LONGEST_TEXT}

    def judge(self, name: str, value: Any) -> list[str]:
        text = Text(self.most * LONGEST_TEXT).judge(name, value)
        names = [part.strip(" ") for part in text.split(",")]
        if not all(names) or len(set(names)) < len(names):
            raise BadInput(name, f"参数 {name} 应为用逗号隔开的名字，每个一次")
        if len(names) > self.most:
            raise BadInput(name, f"参数 {name} 至多 {self.most} 个")
        return names


@dataclass(frozen=True)
class LongText(Kind):
    """Text of several lines, as it was sent."""

    longest: int

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": self.longest}

    def is_empty(self, value: Any) -> bool:
        return value is None or value == ""

    def judge(self, name: str, value: Any) -> str:
        if not isinstance(value, str | None):
            raise BadInput(name, f"参数 {name} 应为文字")
        if not value:
            raise BadInput(name, f"缺少参数 {name}")
        if len(value) > self.longest:
            raise BadInput(name, f"参数 {name} 过长，最多 {self.longest} 个字符")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise BadInput(name, f"参数 {name} 不是 UTF-8", code="NOT_UTF8") from None
        return value


class Source(Kind):
    """A strategy's text as it was sent, blanks and all."""

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": MAX_BYTES}

    def is_empty(self, value: Any) -> bool:
        return value is None or value == ""

    def judge(self, name: str, value: Any) -> str:
        if not isinstance(value, str | None):
            raise BadInput(name, f"参数 {name} 应为文字")
        if not value:
            raise BadInput(name, f"缺少参数 {name}")
        if len(value) > MAX_BYTES:
            raise BadInput(name, f"代码过长，最多 {MAX_BYTES} 字节", code="CODE_TOO_LONG")
        return value


# ── models
# ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Request(BaseModel):
    """Base of every view's parameters. A field without a default must be sent; one whose default is to be
    judged too (since it depends on another field) says `validate_default=True`.
    """

    model_config = ConfigDict(frozen=True)

    _reads: ClassVar[tuple[tuple[str, bool, Callable[[Any], bool]], ...]] = ()
    """Of each field: its name, whether it must be sent, what tells an empty value of it."""

    @classmethod
    def __pydantic_init_subclass__(cls, **_options: Any) -> None:
        cls._reads = tuple(
            (name, field.is_required(), next(k for k in field.metadata if isinstance(k, Kind)).is_empty)
            for name, field in cls.model_fields.items()
        )

    @classmethod
    def of(cls, values: Mapping[str, Sequence[Any]]) -> Self:
        """The model of what was sent: all values by name. Raises BadInput for the first field that is
        wrong.
        """
        given: dict[str, Any] = {}
        for name, required, is_empty in cls._reads:
            found = values.get(name)
            if found is None:
                if required:
                    given[name] = None
            else:
                value = found[0] if len(found) == 1 else _TWICE
                if required or not is_empty(value):
                    given[name] = value
        try:
            return cls.__pydantic_validator__.validate_python(given)
        except BadInput as refused:
            name = refused.extra["parameter"]
            if given.get(name) is _TWICE:
                raise BadInput(name, f"参数 {name} 重复") from None
            raise


LocalSymbolField = Annotated[LocalSymbol, Contract(), Field(description="合约，rb2510.SHFE 或 rb2510")]
ExchangeField = Annotated[
    str, Exchange(), Field(description="交易所；合约名称未带交易所时给出，都给出时须一致")
]
Direction = Annotated[str, Word(parse_direction, DIRECTIONS), Field(description="方向；平仓时为持仓方向")]
Volume = Annotated[int, Whole(1, MOST_LOTS), Field(description="手数")]


class OfContract(Request):
    """Of one contract, whose exchange may be a parameter of its own; where both are given they must agree."""

    local_symbol: LocalSymbolField
    exchange: ExchangeField = Field("", validate_default=True)

    @field_validator("exchange")
    @classmethod
    def _agrees(cls, exchange: str, info: ValidationInfo) -> str:
        return agreed(info.data["local_symbol"], exchange).exchange

    @property
    def contract(self) -> str:
        """The contract, with its exchange where either of both says it."""
        symbol = self.local_symbol.symbol
        return f"{symbol}.{self.exchange}" if self.exchange else symbol
