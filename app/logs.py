"""Logging of every process: a rotating file `<data>/logs/<name>.log`, and warnings on the console where
somebody looks at it. Any process. Times of plain lines are exchange time, and say so: `+08:00`.

With the setting `log_to = "stdout"` there are no files: every process writes to its stdout, which those that
we start share with us. `log_format = "json"` makes each line one object. A line that is written while a
request is worked on has the request's id, in whichever process: the id travels with the call
(app/wire/rpc.py).

No password, authorization code or token reaches a log: what looks like one is masked in the finished line,
wherever it came from. What bypasses logging altogether (a crash of the interpreter or of a native library)
goes to the process's stderr, which for processes that we start is `<data>/logs/<name>.out.log`
(app/process/child.py).
"""

from __future__ import annotations

import faulthandler
import logging
import logging.handlers
import math
import os
import re
import sys
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import orjson

from app.settings import Settings

MAX_BYTES = 10 * 1024 * 1024
BACKUPS = 5
UTC_PLUS_8 = 8 * 3600  # seconds
FORMAT = "%(asctime)s %(levelname)s %(name)s [%(threadName)s%(request)s] %(message)s"

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that is being worked on here; empty outside any."""

_SECRET = re.compile(
    r"""(?ix)
    (?P<name> ["']? \b (?: password | passwd | authorization | auth_code | token | secret ) \b ["']?
        \s* [:=] \s* )
    (?: "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | (?:JWT|Bearer)\s+[^\s,;&)}\]]+ | [^\s,;&)}\]]+ )
    | (?P<scheme> \b (?:JWT|Bearer) \s+ ) [\w-]+\.[\w-]+\.[\w-]+
    | (?P<channel> tcp://[\w.:]+\# ) [0-9a-f]+
    """
)
_SECRET_NAMES = (
    "passw",
    "auth",
    "token",
    "secret",
    "jwt",
    "bearer",
    "tcp://",
)  # a line without any of them has none


class MaskingFormatter(logging.Formatter):
    """The usual line at exchange time, with secrets masked, those in tracebacks too."""

    default_msec_format = "%s,%03d+08:00"

    @staticmethod
    def converter(seconds: float | None) -> time.struct_time:
        """China has had no daylight saving time since 1991."""
        return time.gmtime((time.time() if seconds is None else seconds) + UTC_PLUS_8)

    def format(self, record: logging.LogRecord) -> str:
        shown = request_id.get()
        record.request = f" {shown}" if shown else ""
        return mask(super().format(record))


class JsonFormatter(logging.Formatter):
    """One object a line: time (UTC), level, logger, process, thread, message, and request_id, exception, and
    `extra={"fields": …}` where there are any. Secrets are masked before they are encoded.
    """

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "process": self._process,
            "thread": record.threadName,
            "message": mask(record.getMessage()),
        }
        if shown := request_id.get():
            line["request_id"] = shown
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            line["exception"] = mask(record.exc_text)
        fields: dict[str, Any] = getattr(record, "fields", {})
        line |= {key: mask(value) if isinstance(value, str) else value for key, value in fields.items()}
        return orjson.dumps(line, default=str).decode()


class Rotating(logging.handlers.RotatingFileHandler):
    """The library's asks three times about the file and formats the line once more before each line; one look
    at its size is enough.
    """

    def shouldRollover(self, record: logging.LogRecord) -> bool:
        """Once the file has its size, after the line that brought it there."""
        if self.stream is None:
            self.stream = self._open()
        return os.fstat(self.stream.fileno()).st_size >= self.maxBytes


class Seldom:
    """Warnings that a stranger can bring about: one line in `seconds`, which says how many went before it
    unsaid. Any thread.
    """

    def __init__(
        self, log: logging.Logger, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = log
        self._seconds = seconds
        self._clock = clock
        self._quiet_until = -math.inf
        self._unsaid = 0
        self._lock = threading.Lock()

    def warning(self, text: str, *args: object) -> None:
        with self._lock:
            now = self._clock()
            if now < self._quiet_until:
                self._unsaid += 1
                return
            unsaid, self._unsaid, self._quiet_until = self._unsaid, 0, now + self._seconds
        self._log.warning(
            text + (" (and %d more like it before)" if unsaid else ""), *args, *([unsaid] if unsaid else [])
        )


def mask(text: str) -> str:
    """`text` with the values of passwords, codes and tokens replaced by `***`."""
    folded = text.casefold()
    if not any(name in folded for name in _SECRET_NAMES):
        return text
    return _SECRET.sub(lambda match: f"{match['name'] or match['scheme'] or match['channel']}***", text)


def set_up(settings: Settings, name: str, console: bool | None = None) -> None:
    """Send everything that is logged to where the settings say. `console`: warnings to stderr beside the
    file; by default when it is a terminal.
    """
    formatter = JsonFormatter(name) if settings.log_format == "json" else MaskingFormatter(FORMAT)
    handlers: list[logging.Handler]
    if settings.log_to == "stdout":
        handlers = [logging.StreamHandler(sys.stdout)]
    else:
        folder = settings.data_dir / "logs"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{name}.log"
        handlers = [Rotating(path, maxBytes=MAX_BYTES, backupCount=BACKUPS, encoding="utf-8", delay=True)]
        if sys.stderr.isatty() if console is None else console:
            console_handler = logging.StreamHandler()
            console_handler.setLevel(logging.WARNING)
            handlers.append(console_handler)
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        handler.setFormatter(formatter)
        root.addHandler(handler)
    root.setLevel(settings.log_level)
    # no line of ours names its source, and looking for it is a sixth of a line's cost (logging's HOWTO)
    logging._srcfile = None
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread
    try:
        faulthandler.enable()
    except (AttributeError, OSError, ValueError):
        logging.getLogger(__name__).debug("stderr has no file behind it: no faulthandler")


def _log_uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    logging.getLogger("uncaught").critical(
        "the process ends with an error", exc_info=(kind, error, traceback)
    )


def _log_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not issubclass(args.exc_type, SystemExit):
        name = args.thread.name if args.thread is not None else "?"
        logging.getLogger("uncaught").error(
            "thread %s died", name, exc_info=(args.exc_type, args.exc_value, args.exc_traceback)
        )
