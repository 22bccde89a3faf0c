"""A web whose loop hangs ends itself, so that whoever keeps it (run.py, uWSGI's master, systemd) starts another. Web process.

The watch is the interpreter's own (`faulthandler.dump_traceback_later`): a thread that needs neither our loop nor the interpreter's
lock. A thread of ours, green where the others are, puts it off again and again; when it has not been put off for LIMIT seconds, the
line at which every thread stands goes to stderr, where the log's lines go too, and the process ends with code 1.

What is watched is that threads get their turn, not that anybody is served: a web all of whose places are taken by good pages goes
on. In the mode `threading`, where one thread that hangs stops no other, that says only that nothing keeps the interpreter's lock.
What else can be seen from outside alone is run.py's Pulse's to see.

Time that the machine sleeps is not counted, nor do changes of its clock matter: that holds where the interpreter waits by a clock
that only runs on (CPython's Python/thread_pthread.h); elsewhere, on macOS for one, nothing is watched. A process that was stopped
(SIGSTOP) for longer than LIMIT ends when it goes on.
"""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import sys
import sysconfig
import threading

LIMIT = 15.0  # seconds
BEATS = 6  # within them

log = logging.getLogger(__name__)


class HangWatch:
    """Over the process in which it is started: one at a time, and only once the process serves, after any fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="hang-watch", daemon=True)

    def start(self) -> None:
        if not _waits_by_a_steady_clock():
            log.info("this interpreter waits by the wall's clock: a loop that hangs is not noticed from within")
            return
        try:
            sys.stderr.fileno()
        except (AttributeError, OSError, ValueError):
            log.warning("stderr has no file behind it: a loop that hangs is not noticed from within")
            return
        self._thread.start()

    def stop(self) -> None:
        """From here on the process may take its time: it is ending. Does nothing when it never began."""
        with self._lock:
            self._stopped.set()
            faulthandler.cancel_dump_traceback_later()

    def _beat(self) -> None:
        while not self._stopped.is_set():
            with self._lock:
                if not self._stopped.is_set():
                    _put_off()
            self._stopped.wait(LIMIT / BEATS)


def _put_off() -> None:
    with contextlib.suppress(RuntimeError):  # no thread to be had for it just now: unwatched until the next beat
        faulthandler.dump_traceback_later(LIMIT, exit=True)


def _waits_by_a_steady_clock() -> bool:
    return sys.platform == "win32" or bool(sysconfig.get_config_var("HAVE_SEM_CLOCKWAIT"))
