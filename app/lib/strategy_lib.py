"""What a strategy's text says of itself: its name, its class, whether it may be kept. Read by ast, never run.
Any process.

A text binds `ext = SomeClass("name", …)` once, at the top level; SomeClass is defined above it in the same
text and derives, maybe over other classes of the text, from ctpbee's CtpbeeApi. The name becomes a file's
name, so it has to match a safe pattern.

Hostile text can cost the parser seconds (a comparison of 100,000 members) and the interpreter its stack:
where others wait, as in the web, this is called in a child with a time limit (app/workshop).
"""

from __future__ import annotations

import ast
import io
import keyword
import re
import tokenize
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

from app.lib.errors import AppError

MAX_BYTES = 256 * 1024  # of a text in UTF-8
LONGEST_NAME = 64
SAFE_NAME = re.compile(
    r"(?!__)[A-Za-z0-9_\u3400-\u4dbf\u4e00-\u9fff][A-Za-z0-9_\-\u3400-\u4dbf\u4e00-\u9fff]{0,63}"
)
BASE = "CtpbeeApi"

_DEVICES = re.compile(
    r"con|prn|aux|nul|com[0-9]|lpt[0-9]", re.IGNORECASE
)  # on Windows these are no file names
_MODULES = ("ctpbee", "ctpbee.level")  # where CtpbeeApi can be imported from
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef, *_COMPREHENSIONS)


class BadCode(AppError):
    """The text is no strategy that could be kept: mend `line` (None: no line in particular) and send it
    again. Nothing was changed.
    """

    status = 400
    default_code = "BAD_CODE"

    def __init__(self, message: str, line: int | None = None, *, code: str = "", **extra: Any) -> None:
        super().__init__(message, code=code, **{"parameter": "text", "line": line} | extra)


class StrategyText(NamedTuple):
    """What `parse` found."""

    name: str
    """The first argument of ext: the strategy's name."""
    line: int
    """Where ext is bound, from 1."""
    args: tuple[Any, ...]
    """The further arguments, all literals."""
    keywords: dict[str, Any]


def is_safe_name(name: str) -> bool:
    """Whether a strategy may be called that: 1 to 64 of ASCII letters, digits, _ - and Chinese characters,
    not beginning with - or __; no keyword of Python, no device of Windows. It is a file name as it stands, in
    every directory.
    """
    return (
        SAFE_NAME.fullmatch(name) is not None
        and not keyword.iskeyword(name)
        and _DEVICES.fullmatch(name) is None
    )


def parse(text: str) -> StrategyText:
    """The strategy in `text`. Raises BadCode with the line and the reason. Nothing of the text is run."""
    tree = parse_tree(text)
    bindings = [node for node in _bound(tree.body) if _binds_ext(node)] + _global_ext(tree)
    if not bindings:
        raise BadCode('没有绑定 ext：末尾应有一行 ext = 类名("策略名")', code="NO_EXT")
    if len(bindings) > 1:
        line = sorted(node.lineno for node in bindings)[1]
        raise BadCode(f"第 {line} 行又绑定了一次 ext：一份代码只能绑定一次", line, code="EXT_TWICE")
    statement, call = _ext_statement(tree, bindings[0].lineno)
    line = statement.lineno
    derived = derived_classes(tree.body[: tree.body.index(statement)])
    if not isinstance(call.func, ast.Name) or call.func.id not in derived:
        what = f"的 {dotted(call.func)[:LONGEST_NAME]} " if dotted(call.func) else " ext 的值"
        raise BadCode(
            f"第 {line} 行{what}不是在它之前定义、从 ctpbee 的 {BASE} 派生的类", line, code="WRONG_CLASS"
        )
    args, keywords = _literals(call)
    name = args[0] if args else keywords.pop("extension_name", None)
    if not isinstance(name, str):
        raise BadCode(f"第 {line} 行 ext 的第一个参数应为策略名，写成文字", line, code="NO_NAME")
    if not is_safe_name(name):
        rule = (
            f"应为 1 至 {LONGEST_NAME} 个字母、数字、_、-（不在开头）或汉字，不以 __ 开头，且不是 Python "
            "关键字或 Windows 设备名"
        )
        raise BadCode(f"第 {line} 行的策略名不合法：{rule}", line, code="BAD_NAME")
    return StrategyText(name, line, args[1:], keywords)


def parse_tree(text: str) -> ast.Module:
    """The text as a tree; it is encoded as it will be read, not too long, and compiles. Raises BadCode."""
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        raise BadCode("代码不是 UTF-8", code="NOT_UTF8") from None
    if len(encoded) > MAX_BYTES:
        raise BadCode(f"代码过长：{len(encoded)} 字节，最多 {MAX_BYTES} 字节", code="CODE_TOO_LONG")
    for character, reason, code in (
        ("\0", "有 NUL 字符", "BAD_CODE"),
        ("\ufffd", "有不是 UTF-8 的字节", "NOT_UTF8"),
    ):
        before, found, _ = text.partition(character)
        if found:
            line = before.count("\n") + 1
            raise BadCode(f"第 {line} 行{reason}", line, code=code)
    _check_cookie(encoded)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the trader's text; /check_code tells them
        try:
            tree = ast.parse(text.removeprefix("\ufeff"), "strategy.py")
            compile(tree, "strategy.py", "exec", dont_inherit=True)
        except SyntaxError as error:
            where = f"第 {error.lineno} 行" if error.lineno else ""
            raise BadCode(f"{where}语法错误：{error.msg}", error.lineno, code="SYNTAX_ERROR") from None
        except (RecursionError, MemoryError, OverflowError, ValueError):
            raise BadCode("代码嵌套过深或数字过大，无法编译", code="TOO_COMPLEX") from None
    return tree


def derived_classes(body: list[ast.stmt]) -> dict[str, ast.ClassDef]:
    """The classes of these statements that derive from CtpbeeApi, under whatever name it was imported."""
    bases: set[str] = set()  # as they are written: `CtpbeeApi`, `X`, `ctpbee.CtpbeeApi`
    found: dict[str, ast.ClassDef] = {}
    for node in _bound(body):
        if isinstance(node, ast.Import):
            bases.update(_imported_as(node))
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module in _MODULES:
            bases.update(_imported_from_as(node))
        elif isinstance(node, ast.ClassDef):
            if any(dotted(base) in bases for base in node.bases):
                bases.add(node.name)
                found[node.name] = node
            else:
                bases.discard(node.name)
                found.pop(node.name, None)
    return found


def _imported_as(node: ast.Import) -> Iterator[str]:
    """How CtpbeeApi may be written after it."""
    for alias in node.names:
        if alias.name in _MODULES:
            yield f"{alias.asname or alias.name}.{BASE}"
            if alias.asname is None:
                yield f"ctpbee.{BASE}"


def _imported_from_as(node: ast.ImportFrom) -> Iterator[str]:
    for alias in node.names:
        if alias.name in (BASE, "*"):
            yield alias.asname or BASE
        elif f"{node.module}.{alias.name}" in _MODULES:
            yield f"{alias.asname or alias.name}.{BASE}"


def dotted(node: ast.expr) -> str:
    """`a.b.c` of such an expression; empty of any other."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _check_cookie(encoded: bytes) -> None:
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(encoded).readline)
    except SyntaxError:
        encoding = "?"
    if encoding not in ("utf-8", "utf-8-sig"):
        raise BadCode("代码以 UTF-8 保存，开头的 coding 声明与此不符", 1, code="NOT_UTF8")


def _bound(body: list[ast.stmt]) -> Iterator[Any]:
    """Every node of these statements that can bind a name in their own scope, in the order of the text."""
    for statement in body:
        stack: list[ast.AST] = [statement]
        while stack:
            node = stack.pop()
            yield node
            if isinstance(node, _COMPREHENSIONS):  # a walrus in it binds outside of it
                stack.extend(inner.target for inner in ast.walk(node) if isinstance(inner, ast.NamedExpr))
            elif not isinstance(node, _SCOPES):
                stack.extend(reversed(list(ast.iter_child_nodes(node))))


def _binds_ext(node: Any) -> bool:
    match node:
        case (
            ast.Name(id="ext", ctx=ast.Store() | ast.Del())
            | ast.ClassDef(name="ext")
            | ast.ExceptHandler(name="ext")
        ):
            return True
        case (
            ast.FunctionDef(name="ext")
            | ast.AsyncFunctionDef(name="ext")
            | ast.MatchAs(name="ext")
            | ast.MatchStar(name="ext")
        ):
            return True
        case ast.MatchMapping(rest="ext"):
            return True
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return any((alias.asname or alias.name.partition(".")[0]) == "ext" for alias in names)
    return False


def _global_ext(tree: ast.Module) -> list[Any]:
    """Functions that say `global ext` can bind it too."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.Global) and "ext" in node.names]


def _ext_statement(tree: ast.Module, line: int) -> tuple[ast.stmt, ast.Call]:
    """The statement `ext = SomeClass(…)` at the top level, and its call."""
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="ext")], value=ast.Call() as call):
                return statement, call
            case ast.AnnAssign(target=ast.Name(id="ext"), value=ast.Call() as call):
                return statement, call
    raise BadCode(f'第 {line} 行的 ext 应在最外层写成 ext = 类名("策略名")', line, code="BAD_EXT")


def _literals(call: ast.Call) -> tuple[tuple[Any, ...], dict[str, Any]]:
    try:
        args = tuple(ast.literal_eval(arg) for arg in call.args)
        keywords = {
            keyword.arg: ast.literal_eval(keyword.value)
            for keyword in call.keywords
            if keyword.arg is not None
        }
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        raise BadCode(
            f"第 {call.lineno} 行 ext 的参数应为文字、数字等字面量", call.lineno, code="BAD_EXT"
        ) from None
    if len(keywords) < len(call.keywords):
        raise BadCode(f"第 {call.lineno} 行 ext 的参数不能用 ** 展开", call.lineno, code="BAD_EXT")
    return args, keywords
