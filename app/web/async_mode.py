"""Which concurrency the web runs on, and putting it in place. The web process, as the very first thing it
does.

eventlet and gevent replace parts of the standard library, which is only safe before other modules have taken
hold of them. So this module imports next to nothing, and finds the one setting that it needs by itself;
Settings.load judges its value later.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path


def patch(config: Path | None) -> str:
    """Monkey-patch the process for the async_mode that the environment or the file names, and return that
    mode.
    """
    mode = _configured(config)
    if mode == "eventlet":
        import warnings

        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", message=r"\s*Eventlet is deprecated"
            )  # known; docs/architecture.md says why it stays
            import eventlet

        eventlet.monkey_patch()
    elif mode in ("gevent", "gevent_uwsgi"):
        import gevent.monkey

        gevent.monkey.patch_all()
    return mode


def _configured(config: Path | None) -> str:
    mode = os.environ.get("CTPBEE_BACKEND_ASYNC_MODE", "")
    config = config or (Path(text) if (text := os.environ.get("CTPBEE_BACKEND_CONFIG")) else None)
    if not mode and config is not None:
        try:
            mode = str(tomllib.loads(config.expanduser().read_text("utf-8")).get("async_mode", ""))
        except (OSError, ValueError):
            return ""  # Settings.load will name what is wrong with the file
    return mode or "eventlet"
