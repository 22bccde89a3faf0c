"""ctpbee's logger on the standard logging. Gateway and strategy processes, any thread."""

from __future__ import annotations

import logging
from typing import Any


class BeeLogger:
    """ctpbee's logger on the standard logging: `owner` goes along as `record.owner`, nothing is printed."""

    def __init__(self, name: str) -> None:
        self._log = logging.getLogger(name)

    def _write(self, level: int, message: Any, owner: str = "") -> None:
        self._log.log(level, "%s", message, extra={"owner": owner or self._log.name})

    def debug(self, message: Any, **kwargs: Any) -> None:
        self._write(logging.DEBUG, message, kwargs.get("owner", ""))

    def info(self, message: Any, **kwargs: Any) -> None:
        self._write(logging.INFO, message, kwargs.get("owner", ""))

    success = info

    def warning(self, message: Any, **kwargs: Any) -> None:
        self._write(logging.WARNING, message, kwargs.get("owner", ""))

    def error(self, message: Any, **kwargs: Any) -> None:
        self._write(logging.ERROR, message, kwargs.get("owner", ""))
