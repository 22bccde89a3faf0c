"""What a strategy prints and logs: to its own rotating file, and to its gateway for the page. Strategy
process, any thread.

Everything ends here: `print`, `logging`, ctpbee's loggers, warnings, and what native code or a child writes
to file descriptors 1 and
2. All of it is bounded: a line by its length, the file by its size and by lines a second, what is passed on
  by lines a second. What
is left out is counted and said.
"""

from __future__ import annotations

import codecs
import io
import json
import logging
import logging.handlers
import os
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from app.lib.calendar import SHANGHAI
from app.logs import mask

FILE = "strategy.log"
LINE_LIMIT = 2_000  # characters
MAX_BYTES = 5 * 1024 * 1024
BACKUPS = 4
FILE_LINES = 2_000  # a second
SAID_LINES = 50  # a second
PUMP_LIMIT = 0.2  # seconds for what is still in the pipes at the end
LEVELS = {"DEBUG": "DEBUG", "INFO": "INFO", "WARNING": "WARNING", "ERROR": "ERROR", "CRITICAL": "ERROR"}

Say = Callable[[str, str, str], None]
"""(level, created, message); raises nothing."""


class Allowance:
    """So many a second; the rest is counted. Any thread, one lock."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._since = clock()
        self._used = 0
        self._lock = threading.Lock()
        self.left_out = 0

    def take(self) -> bool:
        """Whether one more may pass."""
        with self._lock:
            now = self._clock()
            if now - self._since >= 1.0:
                self._since, self._used = now, 0
            if self._used >= self._limit:
                self.left_out += 1
                return False
            self._used += 1
            return True

    def settle(self) -> int:
        """How many were left out, once the second in which they were is over; 0 before and after."""
        with self._lock:
            if self._clock() - self._since < 1.0:
                return 0
            count, self.left_out = self.left_out, 0
            return count


class Output(logging.Handler):
    """The root logger's only handler in this process. `say` passes a line on to the gateway."""

    def __init__(self, folder: Path, say: Say) -> None:
        super().__init__(logging.DEBUG)
        self._file = logging.handlers.RotatingFileHandler(
            folder / FILE,
            maxBytes=MAX_BYTES,
            backupCount=BACKUPS,
            encoding="utf-8",
            errors="backslashreplace",
        )
        self._file.setFormatter(logging.Formatter("%(message)s"))
        self._say = say
        self._writable, self._sayable = Allowance(FILE_LINES), Allowance(SAID_LINES)
        self._streams: list[Stream] = []
        self._pumps: list[threading.Thread] = []
        self._closing = threading.Event()

    def begin(self, level: str) -> None:
        """Take over logging, `sys.stdout`, `sys.stderr` and the descriptors behind them. Our own loggers are
        kept from `level` on.
        """
        root = logging.getLogger()
        for old in root.handlers[:]:
            root.removeHandler(old)
        root.addHandler(self)
        root.setLevel(level)
        logging.getLogger("strategy").setLevel(logging.DEBUG)
        logging.captureWarnings(True)
        logging.raiseExceptions = False  # a full disk: the complaint would come back here
        for number, name in ((1, "stdout"), (2, "stderr")):
            read, write = os.pipe()
            os.dup2(write, number)
            os.close(write)
            self._pumps.append(
                threading.Thread(target=self._pump, args=(read, name), name=f"pump-{name}", daemon=True)
            )
            self._pumps[-1].start()
        sys.stdout = Stream("INFO", self.line)
        sys.stderr = Stream("ERROR", self.line)
        self._streams = [sys.stdout, sys.stderr]
        threading.Thread(target=self._count, name="output", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
            if record.exc_info:
                text += "\n" + logging.Formatter().formatException(record.exc_info)
        except Exception as error:
            text = f"{record.msg!r}（日志格式有误：{error}）"
        self.line(LEVELS.get(record.levelname, "INFO"), text)

    def line(self, level: str, text: str) -> None:
        """One line, or a few that belong together."""
        if self._writable.take():
            self._write(level, text)
        if self._sayable.take():
            self._pass_on(level, text)

    def end(self) -> None:
        """Write what has no end of line yet, and say what was left out."""
        self._closing.set()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for number in (1, 2):
            os.dup2(nowhere, number)  # the pipes' last writer, unless a child of the strategy's lives on
        for pump in self._pumps:
            pump.join(PUMP_LIMIT)
        for stream in self._streams:
            stream.finish()
        self._settle(self._writable.left_out, self._sayable.left_out)
        self._file.close()

    def _write(self, level: str, text: str) -> None:
        row = {"created": _now(), "levelname": level, "message": _cut(text)}
        self._file.handle(
            logging.makeLogRecord({"msg": "%s", "args": (json.dumps(row, ensure_ascii=False),)})
        )

    def _pass_on(self, level: str, text: str) -> None:
        self._say(level, _now(), _cut(text))

    def _pump(self, read: int, name: str) -> None:
        """What was written past `sys.stdout` and `sys.stderr`."""
        level = "INFO" if name == "stdout" else "ERROR"
        stream = Stream(level, self.line)
        decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        while chunk := os.read(read, 64 * 1024):
            stream.write(decoder.decode(chunk))
        stream.finish()

    def _count(self) -> None:
        while not self._closing.wait(1.0):
            self._settle(self._writable.settle(), self._sayable.settle())

    def _settle(self, not_written: int, not_said: int) -> None:
        if not_written:
            self._write("WARNING", f"输出过多：{not_written} 行未写入日志")
        if not_said:
            self._pass_on("WARNING", f"输出过多：{not_said} 行未显示，可查策略日志")


class Stream(io.TextIOBase):
    """A text stream whose lines go to `line`. Any thread."""

    def __init__(self, level: str, line: Callable[[str, str], None]) -> None:
        self._level = level
        self._line = line
        self._rest = ""
        self._lock = threading.RLock()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 1 if self._level == "INFO" else 2

    def write(self, text: Any) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        with self._lock:
            *lines, self._rest = (self._rest + text).split("\n")
            if len(self._rest) > LINE_LIMIT:
                lines, self._rest = [*lines, self._rest], ""
        for one in lines:
            if one:
                self._line(self._level, one)
        return len(text)

    def finish(self) -> None:
        """The line that has no end yet is one."""
        with self._lock:
            rest, self._rest = self._rest, ""
        if rest:
            self._line(self._level, rest)


def _now() -> str:
    return datetime.now(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


def _cut(text: str) -> str:
    """As it may be written and passed on: not too long, without secrets, and what is no Unicode (half a
    surrogate pair) in escapes.
    """
    text = mask(text.encode("utf-8", "backslashreplace").decode())
    return text if len(text) <= LINE_LIMIT else f"{text[:LINE_LIMIT]}…（截断，共 {len(text)} 字符）"
