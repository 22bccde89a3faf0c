"""A gateway over the real binding that rests and wakes again and again, in a process of its own: `python -m
tests.ctp_front.resting`.

Arguments: a folder, and how often. Prints a JSON line a round: threads, open files and library objects once
all is quiet. What is logged as an error goes to stderr, and nothing else does.

The binding's threads are never idle when the libraries are let go: each is within a callback, and needs
Python's lock to get out.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partialmethod
from pathlib import Path
from typing import Any

import psutil

from app.interfaces.ctp import link
from app.lib.calendar import SHANGHAI
from app.model.sqlite import SqliteStore
from tests.ctp_front.build import MD, TD
from tests.fakes.app import Gateway
from tests.support.waiting import eventually

alive: set[int] = set()  # library objects that have not been freed


def begin(side_link: Any, api: Any, own: Callable[[Any, Any], None]) -> None:
    alive.add(id(api))
    own(side_link, api)


def busy(_api: object, *_args: object) -> None:
    """The answer to a logout: not read to its end before the library is being let go, and so held up for good
    should that hold the lock.
    """
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and not any(
        thread.name == "library-exit" for thread in threading.enumerate()
    ):
        time.sleep(0.01)


def main(folder: Path, rounds: int) -> None:
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr)
    for side_link in (link.NativeTraderLink, link.NativeMarketLink):
        side_link._begin = partialmethod(begin, own=side_link._begin)  # type: ignore[method-assign, assignment]
        side_link._callbacks.onRspUserLogout = busy  # type: ignore[attr-defined]
        side_link._callbacks.__del__ = lambda api: alive.discard(id(api))  # type: ignore[attr-defined]
    store = SqliteStore(folder / "account.db")
    info = {"auth_code": "", "appid": "", "new_password": "", "password_taken": False}
    info |= {"query_interval": 0.0, "settlement_confirm": True, "never_rests": False}
    fronts = {"td_address": TD, "md_address": MD, "flow_dir": folder / "flow", "userid": "rester"}
    gateway = Gateway("", store, folder, "ctp", **info, **fronts)
    gateway.start()
    gateway.ready()
    sides, process = (gateway.bee.trader, gateway.bee.market), psutil.Process()
    awake = process.num_threads()
    for number in range(1, rounds + 1):
        gateway.do(lambda: [side.rest(datetime.now(SHANGHAI) + timedelta(hours=1)) for side in sides])
        assert gateway.state("td") == gateway.state("md") == "resting"
        eventually(lambda: process.num_threads() < awake - 2, "the library's threads have ended")
        eventually(lambda: not alive, "the library's objects are freed")
        resting = process.num_threads()
        gateway.do(lambda: [side.wake() for side in sides])
        gateway.ready(times=number + 1)
        eventually(lambda: gateway.state("md") == "ready", "market ready")
        used = {"threads": process.num_threads(), "files": process.num_fds(), "objects": len(alive)}
        sys.stdout.write(json.dumps({"resting": resting, **used}) + "\n")
        sys.stdout.flush()
    gateway.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
    sys.stdout.flush()
    os._exit(0)  # the library's threads do not end by themselves
