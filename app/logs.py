"""Logging of every process: a rotating file `<data>/logs/<name>.log`, and the console where somebody looks at it. Any process.

No password, authorization code or token reaches a log: what looks like one is masked in the finished line, wherever it came
from. What bypasses logging altogether (a crash of the interpreter or of a native library) goes to the process's stderr, which
for processes that we start is `<data>/logs/<name>.out.log` (app/gateway/process.py).
"""

from __future__ import annotations

import faulthandler
import logging
import logging.handlers
import re
import sys
import threading
from pathlib import Path
from types import TracebackType

MAX_BYTES = 10 * 1024 * 1024
BACKUPS = 5
FORMAT = "%(asctime)s %(levelname)s %(name)s [%(threadName)s] %(message)s"

_SECRET = re.compile(
    r"""(?ix)
    (?P<name> ["']? \b (?: password | passwd | authorization | auth_code | token | secret ) \b ["']? \s* [:=] \s* )
    (?: "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | (?:JWT|Bearer)\s+[^\s,;&)}\]]+ | [^\s,;&)}\]]+ )
    | (?P<scheme> \b (?:JWT|Bearer) \s+ ) [\w-]+\.[\w-]+\.[\w-]+
    | (?P<channel> tcp://[\w.:]+\# ) [0-9a-f]+
    """
)


class MaskingFormatter(logging.Formatter):
    """The usual line, with secrets masked, those in tracebacks too."""

    def format(self, record: logging.LogRecord) -> str:
        return mask(super().format(record))


def mask(text: str) -> str:
    """`text` with the values of passwords, codes and tokens replaced by `***`."""
    return _SECRET.sub(lambda match: f"{match['name'] or match['scheme'] or match['channel']}***", text)


def set_up(data_dir: Path, name: str, level: str = "INFO", console: bool | None = None) -> None:
    """Send everything that is logged to `<data_dir>/logs/<name>.log`. `console`: to stderr too; by default when it is a terminal."""
    folder = data_dir / "logs"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    formatter = MaskingFormatter(FORMAT)
    handlers: list[logging.Handler] = [
        logging.handlers.RotatingFileHandler(folder / f"{name}.log", maxBytes=MAX_BYTES, backupCount=BACKUPS, encoding="utf-8", delay=True)
    ]
    if sys.stderr.isatty() if console is None else console:
        handlers.append(logging.StreamHandler())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        handler.setFormatter(formatter)
        root.addHandler(handler)
    root.setLevel(level)
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
    logging.getLogger("uncaught").critical("the process ends with an error", exc_info=(kind, error, traceback))


def _log_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not issubclass(args.exc_type, SystemExit):
        name = args.thread.name if args.thread is not None else "?"
        logging.getLogger("uncaught").error("thread %s died", name, exc_info=(args.exc_type, args.exc_value, args.exc_traceback))
