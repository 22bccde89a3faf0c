"""What is asked of a backtest's child, and what it leaves in its folder. Both sides.

The folder is the child's own; who reads what it left knows that a strategy may have written it.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from app.backtest.engine.fills import FillSettings

RESULT_FILE = "result.json"
ERROR_FILE = "error.json"
PROGRESS_FILE = "progress.json"
ENDED_FILE = "ended.json"
MOST_RESULT = 256 * 1024 * 1024  # bytes
MOST_BRIEF = 4 * 1024 * 1024  # of one that has the figures alone: twenty years have a fifth of that
EXIT_NOT_RUN = 2  # the job itself is wrong: error.json says how
EXIT_STRATEGY_FAILED = 5


class Risk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a trader has set in his account: the gate judges by it, as live."""

    rules: list[dict[str, Any]] = []  # his own, as PUT /risk has them
    limits: dict[str, dict[str, Any]] = {}  # by strategy, as PUT /strategy/limits has them


NO_RISK = Risk()


class Job(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One run. Paths are as the child sees them."""

    version: str  # of the program: what is inside cannot look
    strategies: dict[str, str]  # name → text
    files: list[str]
    folder: str
    capital: float = 1_000_000.0
    start: str = ""  # trading days, YYYYMMDD, both included
    end: str = ""
    contracts: list[str] = []  # as rb2401.SHFE: of files that have more, these alone
    main: list[str] = []  # products, as rb: each day by their main contracts (app/backtest/engine/rolling.py)
    main_warm_up: int = 10  # trading days that a new main contract warms up with
    symbol: str = ""  # of files that do not name it
    label: str = ""
    fills: FillSettings = FillSettings()
    risk: Risk = NO_RISK
    rates: str = ""  # a file
    calendar_file: str = ""
    parameters: dict[str, dict[str, Any]] = {}  # by strategy: values in place of the text's own
    trade_from: str = ""  # trading day; before it no order is sent, and nothing counts
    keep: Literal["result", "figures"] = "result"  # figures: what a search compares, and nothing more
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
