"""What is asked of a backtest's child, and what it leaves in its folder. Both sides.

The folder is the child's own; who reads what it left knows that a strategy may have written it.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from app.backtest.engine.fills import FillSettings

RESULT_FILE = "result.json"
REPORT_FILE = "report.html"  # what was made of a result, for people
ERROR_FILE = "error.json"
PROGRESS_FILE = "progress.json"
ENDED_FILE = "ended.json"
COLUMNS_FILE = "data.columns"  # what was made of a file of text
MOST_RESULT = 256 * 1024 * 1024  # bytes
MOST_BRIEF = 4 * 1024 * 1024  # of one that has the figures alone: twenty years have a fifth of that
EXIT_NOT_RUN = 2  # the job itself is wrong: error.json says how
EXIT_STRATEGY_FAILED = 5


class Risk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a trader has set in his account: the gate judges by it, as live."""

    rules: list[dict[str, Any]] = []  # his own, as PUT /risk has them
    limits: dict[str, dict[str, Any]] = {}  # by strategy, as PUT /strategy/limits has them


NO_RISK = Risk()


class Run(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said of a run wherever it runs: a Job says it to the child, a Unit (running/units.py) to an
    engine.
    """

    version: str  # of the program: another one may come to another result, and what is inside cannot look
    strategies: dict[str, str]  # name → text
    parameters: dict[str, dict[str, Any]] = {}  # by strategy: values in place of the text's own
    capital: float = 1_000_000.0
    start: str = ""  # trading days, YYYYMMDD, both included
    end: str = ""
    contracts: tuple[str, ...] = ()  # as rb2401.SHFE: of data that has more, these alone
    main: tuple[str, ...] = ()  # products, as rb: each day by their main contracts (rolling.py)
    main_warm_up: int = 10  # trading days that a new main contract warms up with
    symbol: str = ""  # of files that do not name it
    label: str = ""
    fills: FillSettings = FillSettings()
    risk: Risk = NO_RISK
    trade_from: str = ""  # trading day; before it no order is sent, and nothing counts
    keep: Literal["result", "figures"] = "result"  # figures: settings, figures, days and warnings alone

    def said(self) -> dict[str, Any]:
        """By name, for another that says the same run."""
        return {name: getattr(self, name) for name in Run.__struct_fields__}


class Job(Run, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A run as its child is asked for it. Paths are as the child sees them."""

    files: list[str]
    folder: str
    rates: str = ""  # a file
    calendar_file: str = ""
    recheck: bool = True  # of a result: the first half alone has to come to its beginning (recheck.py)
    parent: int = 0  # the process with which it ends, where no cage sees to that; 0 for none
    address_space: int = 4096  # MB, 0 for no limit


class Progress(msgspec.Struct):
    """How far it is."""

    stage: str  # reading running
    done: int = 0
    total: int = 0
    trading_day: str = ""


class Failure(msgspec.Struct):
    """Why there is no result."""

    message: str
    traceback: str = ""
    line: int = 0  # of the strategy's text, 0 for none
    strategy: str = ""
    code: str = ""  # for programs: STRATEGY_FAILED, NO_DATA, OUT_OF_MEMORY …


class Ended(msgspec.Struct):
    """What a worker says of the run that has just ended."""

    number: int  # from 1
    exit_code: int  # minus the signal that ended it
