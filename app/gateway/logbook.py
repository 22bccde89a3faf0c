"""What happens to the account, as the page's log shows it. Gateway process; records come from any thread.

The page gets what is meant for the trader: what the loggers `account` and `ctpbee` say, and every warning or
error. The log file gets everything. Neither ever contains the account's password.
"""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Any

from app.lib.calendar import SHANGHAI

KEPT = 500
_LEVELS = {"INFO": "INFO", "DEBUG": "DEBUG", "WARNING": "WARNING", "ERROR": "ERROR", "CRITICAL": "ERROR"}


class Secret(logging.Filter):
    """Replaces the password wherever it stands in a record. A short one only where it is a word of its
    own.
    """

    def __init__(self, password: str) -> None:
        super().__init__()
        text = re.escape(password)
        self._pattern = (
            re.compile(text if len(password) >= 6 else rf"(?<!\w){text}(?!\w)") if password else None
        )

    def clean(self, text: str) -> str:
        return self._pattern.sub("***", text) if self._pattern else text

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self.clean(record.getMessage()), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = self.clean(record.exc_text)
        return True


class LogBook(logging.Handler):
    """Keeps the last 500 lines, oldest first, and tells each to `on_line` in the event thread (`post` runs it
    there).
    """

    def __init__(
        self, account: str, post: Callable[..., None], on_line: Callable[[dict[str, Any]], None]
    ) -> None:
        super().__init__(logging.INFO)
        self.lines: deque[dict[str, Any]] = deque(maxlen=KEPT)  # event thread only
        self._account = account
        self._post = post
        self._on_line = on_line

    def emit(self, record: logging.LogRecord) -> None:
        root, _, rest = record.name.partition(".")
        if root not in ("account", "ctpbee") and record.levelno < logging.WARNING:
            return
        line = {
            "created": datetime.fromtimestamp(record.created, SHANGHAI).strftime("%Y-%m-%d %H:%M:%S"),
            "name": self._account,
            "levelname": _LEVELS.get(record.levelname, "INFO"),
            "owner": getattr(record, "owner", "") or rest or root,
            "message": record.getMessage(),
        }
        self._post(self.keep, line)

    def keep(self, line: dict[str, Any]) -> None:
        """A line as the page gets it. Event thread only."""
        self.lines.append(line)
        self._on_line(line)
