"""A counter that listens and notes that it was started; nobody trades on it."""

from __future__ import annotations

import os
import signal
import sys
import threading

from app.settings import Settings
from app.wire import channel
from app.wire.registry import Registry


def main() -> None:
    settings = Settings.load()
    with open(settings.data_dir / "starts-counter", "a") as starts:
        starts.write(f"{os.getpid()}\n")
    registry = Registry(settings.data_dir)
    server = channel.Server(
        channel.new_address(registry.run_dir, "counter.sock"), lambda _connection, _frame: None
    )
    server.start()
    registry.register(name="counter", kind="counter", address=server.address)
    try:
        threading.Event().wait()
    finally:
        server.close()
        registry.unregister("counter")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    main()
