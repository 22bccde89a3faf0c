"""A gateway whose quotes are fed by hand, stamped where its callbacks begin. A process of its own, a part of
strategies.py.

The first extension that ctpbee calls writes a stamp (nanoseconds of the monotonic clock) on the tick, the
last one says how long a tick takes in this process: the reference. What strategies hear carries the stamp
with it.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from ctpbee import CtpbeeApi
from ctpbee.constant import TickData

from app.bee.extensions import Everything
from app.gateway.app import BackendApp
from benchmarks.parts.hand_fed import HandFedGateway
from benchmarks.parts.report import percentile
from benchmarks.parts.stage import answering


class Stamp(CtpbeeApi):
    """With `taken`, the last extension: it reads the stamp that the first has written."""

    def __init__(self, name: str, folder: Path, taken: list[int] | None = None) -> None:
        super().__init__(name, cache_path=str(folder))
        self.instrument_set = Everything()
        self._taken = taken

    def on_tick(self, tick: TickData) -> None:
        if self._taken is None:
            tick.__dict__["stamp"] = time.monotonic_ns()
        else:
            self._taken.append(time.monotonic_ns() - tick.__dict__["stamp"])


class StampingGateway(HandFedGateway):
    """`feed` has ticks come in."""

    def prepare(self, app: BackendApp) -> None:
        self._taken: list[int] = []
        extensions = dict(app._extensions)
        app._extensions.clear()
        for extension in (
            Stamp("first", self.folder),
            *extensions.values(),
            Stamp("last", self.folder, self._taken),
        ):
            app._extensions[extension.extension_name] = extension

    def act(self, do: str, what: dict[str, Any]) -> Any:
        if do == "feed":
            return self._feed(what["contracts"], what["rate"], what["seconds"], what["burst"])
        return self.contracts(what["count"])

    def _feed(self, symbols: list[str], rate: float, seconds: float, burst: bool) -> dict[str, float]:
        """`rate` ticks a second of each contract: all of them at one moment, or spread evenly over the time
        between.
        """
        names = [symbol.partition(".")[0] for symbol in symbols]
        self.stream(symbols)
        self._taken.clear()
        steps = round(rate * seconds)
        began = time.monotonic()
        for step in range(steps):
            ticks = [self.tick(name, step, 1e6 + step) for name in names]
            for at, batch in enumerate([ticks] if burst else [[tick] for tick in ticks]):
                due = began + (step + (0 if burst else at / len(ticks))) / rate
                time.sleep(max(0.0, due - time.monotonic()))
                self.take(batch)
        time.sleep(1.0)
        taken = [nanoseconds / 1000 for nanoseconds in self._taken]
        return {"sent": steps * len(names), "p50": percentile(taken, 0.5), "p99": percentile(taken, 0.99)}


if __name__ == "__main__":
    answering(StampingGateway(Path(sys.argv[1])).act)
