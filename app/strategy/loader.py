"""The strategy's file made into its extension, and what went wrong in it put into words. Strategy process."""

from __future__ import annotations

import importlib.util
import linecache
import sys
import traceback
from datetime import datetime
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

from ctpbee import CtpbeeApi
from ctpbee import level as ctpbee_level
from ctpbee import log as ctpbee_log

from app.bee.logger import BeeLogger
from app.wire.messages import StrategyReport

MODULE = "ctpbee_strategy"
MOST_TEXT = 20_000  # characters of an error's text


class NotAStrategy(Exception):
    """The file binds no `ext`, or not to a strategy."""


class _ItsName:
    """`self.name` of a strategy that has not set it. No data descriptor: one that sets it has its own."""

    def __get__(self, extension: CtpbeeApi | None, _owner: type) -> Any:
        return self if extension is None else extension.extension_name


def prepare(folder: Path) -> None:
    """Fit ctpbee to one strategy alone in its process: its files go to `folder`, its logger to ours. What
    ctpbee's own examples use of the API and it has not is there too: `success` (spread_arbitrage), and `name`
    that nobody has set (rsi and bollinger).
    """
    ctpbee_level.get_ctpbee_path = lambda: str(folder)
    ctpbee_log.VLogger = BeeLogger("strategy")
    if not hasattr(CtpbeeApi, "success"):
        CtpbeeApi.success = CtpbeeApi.info
    if not hasattr(CtpbeeApi, "name"):
        CtpbeeApi.name = _ItsName()


class _Fresh(SourceFileLoader):
    """From the text alone. Python takes bytecode that it has kept for the text's own where size and second
    are the same: as they are of a file that is written anew at once, with one contract in another's place.
    """

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = self.source_to_code(self.get_data(self.path), self.path)
        return code


def load(path: Path) -> CtpbeeApi:
    """Run the file and return its `ext`. Raises NotAStrategy, and whatever the file raises."""
    linecache.cache.pop(str(path), None)
    spec = importlib.util.spec_from_file_location(MODULE, path, loader=_Fresh(MODULE, str(path)))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[MODULE] = module  # dataclasses and pickle look a class's module up there
    spec.loader.exec_module(module)
    extension: Any = getattr(module, "ext", None)
    if extension is None:
        raise NotAStrategy('没有 ext：文件末尾应有一行 ext = 策略类("名称", …)')
    if not isinstance(extension, CtpbeeApi):
        raise NotAStrategy(f"ext 应为 CtpbeeApi 子类的实例，现在是 {type(extension).__name__}")
    return extension


def failure(error: BaseException, path: Path, now: datetime) -> StrategyReport:
    """What is said of an error that came out of the strategy whose file is at `path`."""
    file = str(path)
    frames = traceback.extract_tb(error.__traceback__)
    own = [index for index, frame in enumerate(frames) if frame.filename == file]
    line = (frames[own[-1]].lineno or 0) if own else 0
    shown = frames[own[0] :] if own else frames  # how we came to call it says nothing
    message = type(error).__name__
    said = traceback.format_exception_only(error)
    if text := _text(error):
        message += f": {text}"
    if isinstance(error, SyntaxError) and error.filename == file:
        line, shown = error.lineno or 0, []
    elif isinstance(error, NotAStrategy):
        message, shown = str(error), []
    elif isinstance(error, SystemExit):
        message = f"策略调用了 sys.exit({'' if error.code is None else repr(error.code)})"
    head = (
        ["Traceback (most recent call last):\n", *traceback.StackSummary.from_list(shown).format()]
        if shown
        else []
    )
    return StrategyReport(
        _cut(message), _cut("".join([*head, *said])), line, now.strftime("%Y-%m-%d %H:%M:%S")
    )


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "（它的 __str__ 也抛出了异常）"


def _cut(text: str) -> str:
    text = text.encode(
        "utf-8", "backslashreplace"
    ).decode()  # half a surrogate pair is no Unicode, and could not be written
    return text if len(text) <= MOST_TEXT else f"{text[: MOST_TEXT // 2]}\n…\n{text[-MOST_TEXT // 2 :]}"
