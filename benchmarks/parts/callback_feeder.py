"""A gateway that is called back as fast as it is told, for ticks.py: everything between a callback and a page
is the product's own.

The stamp is the tick's turnover, as in feeder.py; so is the number of contracts. A process of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from benchmarks.parts.feeder import pace, stamp
from benchmarks.parts.hand_fed import HandFedGateway
from benchmarks.parts.stage import answering


class CalledBack(HandFedGateway):
    """`feed` has ticks come in, one at a time."""

    def act(self, do: str, what: dict[str, Any]) -> Any:
        if do == "feed":
            return self._feed(what["rate"], what["seconds"])
        return {"watchers": self.gateway._publisher.watchers}

    def _feed(self, rate: float, seconds: float) -> dict[str, float]:
        symbols = self.contracts(max(20, round(rate / 10)))
        self.stream(symbols)
        names = [symbol.partition(".")[0] for symbol in symbols]

        def call_back(number: int) -> None:
            step, at = divmod(number, len(names))
            self.take([self.tick(names[at], step, float(stamp()))])

        return pace(rate, seconds, call_back)


if __name__ == "__main__":
    answering(CalledBack(Path(sys.argv[1])).act)
