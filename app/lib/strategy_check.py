"""What pylint cannot know of a strategy: no ext, a wrong class, a callback with a wrong signature, one that
blocks or asks the machine for the time. Pure, any process.

Findings have the reference's shape, with codes of our own, B9xxx. Like strategy_lib this only reads; hostile
text takes its time.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypedDict

from app.lib import strategy_lib
from app.lib.strategy_lib import BadCode, dotted

CALLBACKS = {
    "on_init": 1,
    "on_tick": 1,
    "on_bar": 1,
    "on_order": 1,
    "on_trade": 1,
    "on_position": 1,
    "on_account": 1,
    "on_contract": 1,
    "on_realtime": 0,
}
"""How many arguments ctpbee gives to each, beside self."""

BLOCKING = frozenset(
    [
        "time.sleep",
        "os.system",
        "os.popen",
        "os.wait",
        "asyncio.run",
        "input",
        "requests",
        "urllib.request",
        "urllib3",
        "http.client",
        "httpx",
        "socket",
        "subprocess",
        "smtplib",
        "ftplib",
    ]
)
"""Functions that wait for somebody else, or modules whose every call does."""


WALL_CLOCK = frozenset(
    [
        "datetime.datetime.now",
        "datetime.datetime.today",
        "datetime.datetime.utcnow",
        "datetime.date.today",
        "time.time",
        "time.time_ns",
        "time.monotonic",
        "time.localtime",
        "time.gmtime",
        "pandas.Timestamp.now",
        "pandas.Timestamp.today",
    ]
)
"""Functions that tell the machine's time, which is the market's only while both are live."""


class Finding(TypedDict):
    """One row of /check_code's answer."""

    code: str
    error: str
    message: str
    line: int
    error_info: str
    """What this kind of finding means."""


class _Rule(NamedTuple):
    code: str
    error: str
    info: str


_REFUSED = {
    "NO_EXT": _Rule(
        "B9001", "no-ext", '策略由末尾的 ext = 类名("策略名") 认出来；没有它，代码不能保存，也不能运行。'
    ),
    "EXT_TWICE": _Rule(
        "B9002", "ext-twice", "一份代码是一个策略：ext 只能绑定一次，否则不知道该运行哪一个。"
    ),
    "WRONG_CLASS": _Rule(
        "B9003",
        "wrong-base-class",
        "ext 应是本文件中从 ctpbee 的 CtpbeeApi 派生的类的实例，只有它能收到行情与回报。",
    ),
    "BAD_EXT": _Rule(
        "B9004",
        "bad-ext",
        "ext 在最外层绑定，参数都写成字面量：服务器只读代码而不运行它，就要知道策略叫什么。",
    ),
    "NO_NAME": _Rule("B9005", "no-name", "ext 的第一个参数是策略名，报单、日志与记录都归在它名下。"),
    "BAD_NAME": _Rule(
        "B9006", "bad-name", "策略名会成为文件名，所以只能由字母、数字、_、- 与汉字组成，最多 64 个字符。"
    ),
}
UNREADABLE = "B9000"  # found on a text that nobody can read, so that there is nothing for pylint
_UNREADABLE = _Rule(UNREADABLE, "unreadable-code", "这份文字不能作为 Python 代码读入，也就不能保存或运行。")
_SIGNATURE = _Rule(
    "B9010",
    "wrong-callback-signature",
    "ctpbee 以固定的参数调用回调，例如 on_tick(self, tick)；参数不合时，第一次调用就会出错，策略随之停止。",
)
_ASYNC = _Rule(
    "B9011",
    "async-callback",
    "ctpbee 直接调用回调；async def 的回调只会得到一个没有人等待的协程，里面的代码不会运行。",
)
_BLOCKS = _Rule(
    "B9020",
    "blocking-call",
    "回调依次在一个线程里运行：它等待的时候，后面的行情与回报都在排队，策略看到的价格会过时。",
)
_ENDLESS = _Rule(
    "B9021", "endless-loop", "没有 break、return、raise 的 while True 永不结束，策略再也收不到行情与回报。"
)
_WALL_CLOCK = _Rule(
    "B9022",
    "wall-clock",
    "本机的钟只在实盘时是行情的时间：回测与回放时它说的是今天，同一段行情会得到不同的结果。"
    "时间取自 tick.datetime、bar.datetime，交易日取自 trading_day。",
)

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def check(text: str) -> list[Finding]:
    """Our findings in the order of the lines; a syntax error is not among them: pylint tells it."""
    try:
        tree = strategy_lib.parse_tree(text)
    except BadCode as error:
        return [] if error.code == "SYNTAX_ERROR" else [_refusal(error)]
    found: list[Finding] = []
    try:
        strategy_lib.parse(text)
    except BadCode as error:
        found.append(_refusal(error))
    for node in strategy_lib.derived_classes(tree.body).values():
        found += _signatures(node)
        found += _calls(tree, node)
    unique = {(finding["line"], finding["code"], finding["message"]): finding for finding in found}
    return [unique[key] for key in sorted(unique)]


def _refusal(error: BadCode) -> Finding:
    return _finding(_REFUSED.get(error.code, _UNREADABLE), error.extra["line"] or 1, error.message)


def _finding(rule: _Rule, line: int, message: str) -> Finding:
    return {"code": rule.code, "error": rule.error, "message": message, "line": line, "error_info": rule.info}


# ── signatures ──


def _signatures(strategy: ast.ClassDef) -> Iterator[Finding]:
    for function in _functions(strategy.body):
        given = CALLBACKS.get(function.name)
        if given is None:
            continue
        if isinstance(function, ast.AsyncFunctionDef):
            yield _finding(_ASYNC, function.lineno, f"回调 {function.name} 不能是 async def")
        if not function.decorator_list and not _takes(function.args, given + 1):
            right = "self" if given == 0 else f"self, {function.name.removeprefix('on_')}"
            yield _finding(_SIGNATURE, function.lineno, f"回调 {function.name} 的参数应为 ({right})")


def _takes(arguments: ast.arguments, count: int) -> bool:
    """Whether it can be called with so many positional arguments, self included."""
    positional = len(arguments.posonlyargs) + len(arguments.args)
    if positional - len(arguments.defaults) > count or None in arguments.kw_defaults:
        return False
    return positional >= count or arguments.vararg is not None


# ── what blocks, and what is not the market's time ──


def _calls(tree: ast.Module, strategy: ast.ClassDef) -> Iterator[Finding]:
    """In the callbacks, and in the methods and functions of this text that they call."""
    imported = _imported(tree)
    methods = {function.name: function for function in _functions(strategy.body)}
    functions = {function.name: function for function in _functions(tree.body)}
    for callback in CALLBACKS:
        seen: set[int] = set()
        waiting = [methods[callback]] if callback in methods else []
        while waiting:
            function = waiting.pop()
            if id(function) in seen:
                continue
            seen.add(id(function))
            for node in _own(function.body):
                if isinstance(node, ast.While) and _is_endless(node):
                    yield _finding(_ENDLESS, node.lineno, f"回调 {callback} 会进入一个没有出口的循环")
                if not isinstance(node, ast.Call):
                    continue
                called = dotted(node.func)
                head, _, rest = called.partition(".")
                full = ".".join(part for part in (imported.get(head, head), rest) if part)
                told = _told_of(full) if head in imported or full == "input" else None
                if told is not None:
                    rule, what = told
                    yield _finding(rule, node.lineno, f"回调 {callback} 中的 {full}() {what}")
                elif head == "self" and rest in methods:
                    waiting.append(methods[rest])
                elif called in functions:
                    waiting.append(functions[called])


def _told_of(full: str) -> tuple[_Rule, str] | None:
    """Of a call of this function, by its whole name."""
    if full in WALL_CLOCK:
        return _WALL_CLOCK, "是本机的钟"
    if any(full == name or full.startswith(f"{name}.") for name in BLOCKING):
        return _BLOCKS, "会阻塞"
    return None


def _imported(tree: ast.Module) -> dict[str, str]:
    """What each imported name stands for, wherever in the text it is imported."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                head = alias.name.partition(".")[0]
                names[alias.asname or head] = alias.name if alias.asname else head
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _functions(body: Iterable[ast.stmt]) -> Iterator[_Function]:
    return (node for node in body if isinstance(node, _Function))


def _own(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All nodes below that run when the function does: those of functions that it defines do not."""
    stack: list[Any] = list(body)
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, _Function | ast.Lambda | ast.ClassDef):
            stack.extend(ast.iter_child_nodes(node))


def _is_endless(loop: ast.While) -> bool:
    if not isinstance(loop.test, ast.Constant) or not loop.test.value:
        return False
    if any(isinstance(node, ast.Return | ast.Raise) for node in _own(loop.body)):
        return False
    stack: list[Any] = list(loop.body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Break):
            return False
        if isinstance(node, ast.For | ast.AsyncFor | ast.While):
            stack.extend(node.orelse)  # a break in its body is its own
        elif not isinstance(node, _Function | ast.Lambda | ast.ClassDef):
            stack.extend(ast.iter_child_nodes(node))
    return True
