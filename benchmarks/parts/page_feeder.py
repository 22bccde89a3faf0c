"""A gateway whose market front calls it back for page.py: so many contracts, each so often, in turn. A
process of its own.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.parts.feeder import pace
from benchmarks.parts.hand_fed import HandFedGateway
from benchmarks.parts.stage import answering


class PageFed(HandFedGateway):
    """`feed` has ticks come in; `contracts` says of which contracts."""

    def act(self, do: str, what: dict[str, Any]) -> Any:
        if do == "contracts":
            return self.contracts(what["count"])
        if do == "feed":
            return self._feed(what["count"], what["rate"], what["seconds"])
        return {"watchers": self.gateway._publisher.watchers}

    def _feed(self, count: int, rate: float, seconds: float) -> dict[str, float]:
        symbols = self.contracts(count)
        self.stream(symbols)
        names = [symbol.partition(".")[0] for symbol in symbols]
        began = int(time.time())  # volume grows from one feed to the next

        def call_back(number: int) -> None:
            step, at = divmod(number, len(names))
            self.take([self.tick(names[at], began + step, 0.0)])

        return pace(rate, seconds, call_back)


if __name__ == "__main__":
    answering(PageFed(Path(sys.argv[1])).act)
