"""A gateway over the real binding that rests and wakes again and again, in a process of its own: `python -m tests.ctp_front.resting`.

Arguments: a folder, and how often. Prints a JSON line a round: threads and open files once all is quiet.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import datetime, timedelta
from pathlib import Path

import psutil

from app.lib.calendar import SHANGHAI
from app.model.sqlite import SqliteStore
from tests.ctp_front.build import MD, TD
from tests.fakes.app import Gateway
from tests.waiting import eventually


def main(folder: Path, rounds: int) -> None:
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
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
        resting = process.num_threads()
        gateway.do(lambda: [side.wake() for side in sides])
        gateway.ready(times=number + 1)
        eventually(lambda: gateway.state("md") == "ready", "market ready")
        sys.stdout.write(json.dumps({"resting": resting, "awake": process.num_threads(), "files": process.num_fds()}) + "\n")
        sys.stdout.flush()
    gateway.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
    sys.stdout.flush()
    os._exit(0)  # the library's threads do not end by themselves
