"""What of a strategy's text can be set without touching the file: read by ast, never run. Any process, but as
app/lib/strategy_lib.py says: hostile text is parsed in a child.

Parameters are the arguments of `ext = X("name", …)` by their names in `X.__init__`, with its defaults, and
the constants of X's body, also of its base classes in the same text. Only plain literals count: whole
numbers, numbers, texts, True and False. Values are put into the text itself, in the places of the old ones:
a run with other parameters is a run of another text, and every line keeps its number.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from app.lib.errors import BadInput
from app.lib.strategy_lib import derived_classes, dotted, parse, parse_tree

Value = bool | int | float | str
KINDS: dict[str, type] = {"bool": bool, "int": int, "float": float, "text": str}
WORDS = {"true": True, "1": True, "false": False, "0": False}
MOST_TEXT = 200  # characters of a value
MOST_WHOLE = 10**15


class Parameter(NamedTuple):
    """One that can be set. `kind`: one of KINDS."""

    name: str
    default: Value
    kind: str

    def checked(self, value: object) -> Value:
        """The value as this parameter's kind; a text is read. Raises BadInput."""
        found = self._read(value)
        if found is None:
            wanted = {"bool": "true 或 false", "int": "整数", "float": "数字", "text": "文字"}[self.kind]
            raise BadInput("parameters", f"参数 {self.name} 应为{wanted}，现在是 {str(value)[:MOST_TEXT]!r}")
        return found

    def _read(self, value: object) -> Value | None:
        if self.kind == "text":
            return value if isinstance(value, str) and len(value) <= MOST_TEXT else None
        if self.kind == "bool":
            return value if isinstance(value, bool) else WORDS.get(str(value).strip().lower())
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return None
        try:
            number = float(value)
        except (ValueError, OverflowError):
            return None
        if not math.isfinite(number):
            return None
        if self.kind == "float":
            return number
        return int(number) if number.is_integer() and abs(number) <= MOST_WHOLE else None


class _Found(NamedTuple):
    parameter: Parameter
    place: ast.expr | None  # the constant's value; None for an argument of ext


def parameters(text: str) -> list[Parameter]:
    """In the order of the text: the arguments, then the constants. Raises BadCode for what is no strategy."""
    return [found.parameter for found in _find(text)[2].values()]


def with_parameters(text: str, values: Mapping[str, object]) -> str:
    """The text with these values in their places. Raises BadCode, and BadInput for a parameter that it has
    not, or a value that is not of its kind.
    """
    if not values:
        return text
    call, names, found = _find(text)
    unknown = [name for name in values if name not in found]
    if unknown:
        has = "、".join(found) or "没有参数"
        raise BadInput(
            "parameters", f"策略没有参数 {'、'.join(map(str, unknown))[:MOST_TEXT]}；它的参数：{has}"
        )
    checked = {name: found[name].parameter.checked(value) for name, value in values.items()}
    source = _Source(text)
    arguments = {name: value for name, value in checked.items() if found[name].place is None}
    if arguments:
        source.replace(call, _call_with(call, names, arguments))
    for name, value in checked.items():
        place = found[name].place
        if place is not None:
            source.replace(place, _literal(value))
    return source.text()


def with_texts(text: str, changed: Callable[[str], str]) -> str:
    """The strategy's text with each text in it, as far as it is a plain literal, as `changed` has it. Raises
    BadCode for what is no strategy.
    """
    parse(text)
    source = _Source(text)
    tree = parse_tree(text)
    inside = {id(one) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for one in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            new = changed(node.value)
            if new != node.value:
                source.replace(node, _literal(new))
    return source.text()


# ── where they are ──


def _find(text: str) -> tuple[ast.Call, list[str], dict[str, _Found]]:
    """The call of ext, the names of `__init__`'s arguments by place, and the parameters."""
    parse(text)
    tree = parse_tree(text)
    call = _ext_call(tree)
    classes = derived_classes(tree.body)
    assert isinstance(call.func, ast.Name)
    chain = list(_with_bases(call.func.id, classes))
    found: dict[str, _Found] = {}
    for name, place in _arguments(call, chain):
        if (parameter := _parameter(name, place)) is not None:
            found[name] = _Found(parameter, None)
    for node in chain:
        for name, place in _constants(node):
            if name not in found and (parameter := _parameter(name, place)) is not None:
                found[name] = _Found(parameter, place)
    init = _init_of(chain)
    return call, _by_place(init) if init is not None else [], found


def _ext_call(tree: ast.Module) -> ast.Call:
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="ext")], value=ast.Call() as call):
                return call
            case ast.AnnAssign(target=ast.Name(id="ext"), value=ast.Call() as call):
                return call
    raise AssertionError("parse() found it")


def _with_bases(name: str, classes: Mapping[str, ast.ClassDef]) -> Iterator[ast.ClassDef]:
    """The class, then those of the text that it derives from."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        name = waiting.pop(0)
        if name in classes and name not in seen:
            seen.add(name)
            yield classes[name]
            waiting += [dotted(base) for base in classes[name].bases]


def _arguments(call: ast.Call, chain: list[ast.ClassDef]) -> Iterator[tuple[str, ast.expr]]:
    """What `__init__` takes beside the strategy's name, with the value that is in force."""
    init = _init_of(chain)
    if init is None:
        return
    spec = init.args
    names = _by_place(init)
    defaults = dict(zip(reversed(names), reversed(spec.defaults), strict=False))
    given = dict(zip(names, call.args, strict=False))
    for name, default in zip([one.arg for one in spec.kwonlyargs], spec.kw_defaults, strict=True):
        names.append(name)
        if default is not None:
            defaults[name] = default
    given |= {one.arg: one.value for one in call.keywords if one.arg is not None}
    only_by_place = {argument.arg for argument in spec.posonlyargs}
    for name in names[1:]:
        if name in given:
            yield name, given[name]
        elif name in defaults and name not in only_by_place:
            yield name, defaults[name]


def _init_of(chain: list[ast.ClassDef]) -> ast.FunctionDef | None:
    methods = (node for owner in chain for node in owner.body if isinstance(node, ast.FunctionDef))
    return next((node for node in methods if node.name == "__init__"), None)


def _by_place(init: ast.FunctionDef) -> list[str]:
    """The names of its arguments without self."""
    return [argument.arg for argument in (*init.args.posonlyargs, *init.args.args)][1:]


def _constants(node: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    """Each once, as it is bound last."""
    found: dict[str, ast.expr] = {}
    for statement in node.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found[name] = value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                found[name] = value
    yield from ((name, value) for name, value in found.items() if not name.startswith("_"))


def _parameter(name: str, place: ast.expr) -> Parameter | None:
    try:
        value = ast.literal_eval(place)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None
    kind = next((kind for kind, type_ in KINDS.items() if type(value) is type_), "")
    return Parameter(name, value, kind) if kind else None


# ── the text with others ──


def _call_with(call: ast.Call, names: list[str], values: Mapping[str, Value]) -> str:
    """The call of ext as text, over as many lines as before. `names`: of `__init__`'s arguments by place."""
    args = [
        _node(values[names[at]]) if at < len(names) and names[at] in values else value
        for at, value in enumerate(call.args)
    ]
    by_place = set(names[: len(call.args)])
    keywords = [
        ast.keyword(one.arg, _node(values[one.arg]) if one.arg in values else one.value)
        for one in call.keywords
        if one.arg is not None
    ]
    there = by_place | {one.arg for one in keywords}
    keywords += [ast.keyword(name, _node(value)) for name, value in values.items() if name not in there]
    made = ast.unparse(ast.Call(call.func, args, keywords))
    lines = (call.end_lineno or call.lineno) - call.lineno - made.count("\n")
    return made[:-1] + "\n" * max(lines, 0) + ")"


def _node(value: Value) -> ast.expr:
    return ast.parse(_literal(value), mode="eval").body


def _literal(value: Value) -> str:
    return repr(value)


class _Source:
    """A text in which expressions are replaced. ast counts lines, and bytes in them."""

    def __init__(self, text: str) -> None:
        self._mark = "\ufeff" if text.startswith("\ufeff") else ""
        self._bytes = text.removeprefix("\ufeff").encode()
        self._starts = [0, *(match.end() for match in re.finditer(rb"\r\n|\r|\n", self._bytes))]
        self._changes: list[tuple[int, int, bytes]] = []

    def replace(self, node: ast.expr, by: str) -> None:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self._starts[node.lineno - 1] + node.col_offset
        end = self._starts[node.end_lineno - 1] + node.end_col_offset
        self._changes.append((start, end, by.encode()))

    def text(self) -> str:
        made = self._bytes
        for start, end, by in sorted(self._changes, reverse=True):
            made = made[:start] + by + made[end:]
        return self._mark + made.decode()
