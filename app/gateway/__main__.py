"""`python -m app.gateway`: the gateway of one account, a process of its own.

Its account comes as one JSON line on stdin, everything else by environment. It listens, registers, logs in,
and answers until SIGTERM, Ctrl-C or a ShutDown call; working orders stay at the counter. Who started it may
die: nothing here depends on that. Exit codes: 0 asked to end, 2 not startable, 3 login refused (not to be
started again with the same password). Threads: the main one waits for the end, the event thread does
everything else; the channel and the journal have their own.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading

import msgspec

from app import logs
from app.data_dir import account_folder
from app.gateway.gateway import Gateway
from app.gateway.logbook import Secret
from app.lib import calendar
from app.lib.errors import AppError
from app.model import open_store
from app.process.end_signal import EndSignal
from app.process.private import hide_memory, keep_to_itself
from app.settings import Settings
from app.wire.messages import Login
from app.wire.registry import gateway_of

END_LIMIT = 1.0
"""Seconds that the event thread gets to finish what it is doing; a hung native library must not keep the
process.
"""

log = logging.getLogger(__name__)


def run(settings: Settings, login: Login) -> int:
    """Be the gateway until asked to end; returns the exit code."""
    end = EndSignal()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: end.set())
    folder = account_folder(settings.data_dir, login.account)
    for part in (settings.data_dir, folder.parent, folder):
        part.mkdir(mode=0o700, exist_ok=True)
    store = open_store(settings, login.account)
    gateway = Gateway(settings, login, store, folder, end.set)
    secret = Secret(login.password)
    gateway.log_book.addFilter(secret)
    gateway.audit.addFilter(secret)
    for handler in logging.getLogger().handlers:
        handler.addFilter(secret)
    logging.getLogger().addHandler(gateway.log_book)
    logging.getLogger().addHandler(gateway.audit)
    events = threading.Thread(target=gateway.loop.run, name="events", daemon=True)
    events.start()
    gateway.start()
    log.info("gateway of %s runs, pid %d", login.account, os.getpid())
    # here, while the fronts are dialled: the event thread would hold up orders for it at the first quote
    calendar.load()
    gateway.loop.post(gateway.listener.look_at_calendar)
    code = end.wait()
    logging.getLogger().removeHandler(gateway.log_book)
    gateway.loop.stop()
    events.join(END_LIMIT)
    gateway.stop()
    logging.getLogger().removeHandler(gateway.audit)
    gateway.audit.close_book(END_LIMIT)
    store.close()
    log.info("gateway of %s ends with %d", login.account, code)
    return code


def main() -> int:
    keep_to_itself()
    hide_memory()
    try:
        settings = Settings.load()
        calendar.keep_in(settings.data_dir)
        calendar.use_overrides(settings.calendar_file)
        login = msgspec.json.decode(sys.stdin.buffer.readline(), type=Login)
    except AppError as error:
        sys.stderr.write(f"{error.message}\n")
        return 2
    except msgspec.DecodeError:  # its text may quote the line, and the line has the password
        sys.stderr.write("stdin 上应有一行 JSON：账户与登录信息\n")
        return 2
    logs.set_up(settings, gateway_of(login.account))
    try:
        return run(settings, login)
    except AppError as error:
        log.error("the gateway cannot start: %s", error.message)
        return 2


if __name__ == "__main__":
    exit_code = main()
    logging.shutdown()
    os._exit(exit_code)  # a reader or native thread that does not end must not keep the process
