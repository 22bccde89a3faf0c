"""A check: what it asks for, the function that runs it, and how it is run.

A check trades on the server that the pack is made on, and says what it did and saw. It ends early by
NotReached, and lacks what it names: either makes it 未通过. None fills anything in. Command's own process.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from app.filing.desk import Desk
from app.filing.guide import Guide
from app.filing.outcome import NotReached, Outcome
from app.filing.station import Station
from app.filing.trace import Trace

log = logging.getLogger(__name__)


@dataclass
class Bench:
    """What the checks have at hand, and what later ones know of earlier ones."""

    station: Station
    desk: Desk
    guide: Guide
    refused: list[str] = field(default_factory=list)  # the counter's own texts of 4.2, for 6.1


class Check(NamedTuple):
    id: str
    name: str
    expected: str
    run: Callable[[Bench, Trace], None]


def run_check(check: Check, bench: Bench, trace: Trace) -> Outcome:
    """Whatever goes wrong is the reason of its 未通过; the checks after it are run all the same."""
    outcome = trace.outcome
    try:
        bench.guide.wait(f"{check.id} {check.name}")
        check.run(bench, trace)
        outcome.finished = True
    except NotReached as error:
        trace.lack(error.reason)
    except Exception as error:  # the edge of a check: a pack tells of it, the checks after it go on
        log.exception("check %s failed", check.id)
        trace.lack(f"程序出错：{type(error).__name__}：{error}")
    return outcome
