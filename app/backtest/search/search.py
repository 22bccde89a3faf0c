"""A search for parameters: which runs it is made of, what is best among them, and how much of that may be
chance. Pure; whoever drives an engine: the command, the process of backtests.

The trials choose by what is in the sample alone; out of it only the best are run, once, with warm-up days on
which no order is sent. Runs are units (running/units.py), known by their ids: one that has ended is not
run again. The same outcomes give the same document, in whichever order and on whichever machine they came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec
import orjson

from app.backtest.report import figures as figures_
from app.backtest.running.units import DONE, FAILED, Outcome, Unit
from app.backtest.search import search_map
from app.backtest.search.deflated import Deflated, Moments, deflated, moments, variance_of
from app.backtest.search.space import MOST_TRIALS, Point, Space, space_of
from app.backtest.search.windows import Stretch, Window, split, walk
from app.lib.errors import BadInput
from app.lib.strategy_parameters import Parameter, Value

FORMAT = 1
BEST = 10
MOST_WARM_UP = 250
OBJECTIVES = (
    *("sharpe", "sortino", "calmar", "net_profit", "return", "annual_return"),
    *("profit_factor", "win_rate", "expectancy"),
)
KEPT = (
    *("net_profit", "return", "annual_return", "max_drawdown", "max_drawdown_share", "sharpe", "sortino"),
    *("calmar", "trading_days", "trades", "round_trips", "win_rate", "profit_factor", "expectancy"),
    *("commission", "turnover"),
)
SHARED = ("version", "strategies", "contracts", "by", "data", "fills", "rates", "year_days")
"""What the settings of all trials have in common."""
MOST_MESSAGE = 500
MOST_DAYS = 10_000  # of a trial: forty years, more a strategy has written itself
MOST_SETTINGS = 256 * 1024  # bytes: a name and a hash for each file of data
MOST_WARNINGS = 20


class SearchRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is asked for. `space`: by parameter what space.py reads; `where`: `fast<slow`."""

    kind: Literal["grid", "random", "walk_forward"] = "grid"
    space: dict[str, str | list[bool | int | float | str]]
    where: list[str] = []
    strategy: str = ""  # whose parameters they are; "" where there is one
    trials: int = 0  # drawn at random: so many; of a walk forward 0 is the whole grid
    seed: int = 0
    objective: str = "sharpe"
    out_of_sample: str = ""  # the trading day from which on only the best are tried
    train: int = 0  # trading days of a walk forward
    test: int = 0
    anchored: bool = False  # each training from the start
    warm_up: int = 0  # trading days before what is out of the sample, on which no order is sent


class Days(msgspec.Struct, frozen=True):
    """Balances at the end of trading days."""

    names: list[str] = []
    balances: list[float] = []


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a unit's outcome."""

    state: str  # done failed
    figures: dict[str, float | int | None] = {}
    moments: tuple[float, float, float, int] | None = None
    days: Days = Days()
    settings: dict[str, Any] = {}
    warnings: list[str] = []
    error: str = ""

    def of(self, objective: str) -> float | None:
        return self.figures.get(objective) if self.state == DONE else None


class _Run(NamedTuple):
    """A unit, and which part of the search it is. Its id is a hash of all of it: counted once."""

    id: str
    unit: Unit
    point: Point
    window: int
    is_out: bool


def tried(outcome: Outcome, capital: float) -> Tried:
    """Of a unit that is done or has failed; what a strategy left is looked at before it is believed."""
    if outcome.state != DONE:
        said = outcome.failure
        where = f"策略 {said.strategy} 第 {said.line} 行：" if said and said.line else ""
        message = said.message if said else "没有结果"
        return Tried(state=FAILED, error=f"{where}{message}"[:MOST_MESSAGE])
    try:
        document = orjson.loads(outcome.result)
        found = {name: _number(document["figures"][name]) for name in KEPT}
        days = [(str(row["trading_day"])[:8], float(row["balance"])) for row in document["days"][:MOST_DAYS]]
        settings = {name: document["settings"][name] for name in SHARED if name in document["settings"]}
        if len(orjson.dumps(settings)) > MOST_SETTINGS:
            raise ValueError("more than the settings of any run")
        warnings = [str(one)[:MOST_MESSAGE] for one in document.get("warnings", [])[:MOST_WARNINGS]]
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return Tried(state=FAILED, error="回测没有留下可用的结果")
    rows = [figures_.Day(name, balance, 0.0, 0.0, 0.0, 0.0) for name, balance in days]
    return Tried(
        state=DONE,
        figures=found,
        moments=moments(figures_.daily_returns(capital, rows)),
        days=Days([name for name, _ in days], [balance for _, balance in days]),
        settings=settings,
        warnings=warnings,
    )


class Search:
    """`base`: the run without the parameters that are searched for. Raises BadInput for a search that cannot
    be.
    """

    def __init__(self, request: SearchRequest, base: Unit, parameters: Sequence[Parameter]) -> None:
        _check(request)
        self.request = request
        self._base = base
        self._strategy = request.strategy or next(iter(base.strategies))
        if self._strategy not in base.strategies:
            raise BadInput("search", f"没有策略 {self._strategy}")
        self.space: Space = space_of(request.space, parameters, request.where)
        self.windows = _windows(request, base)
        most = MOST_TRIALS // len(self.windows)
        is_drawn = request.kind == "random" or request.trials > 0
        self.points = (
            self.space.drawn(request.trials, request.seed, most) if is_drawn else self.space.grid(most)
        )
        self._runs: dict[str, _Run] = {}
        self._tried: dict[str, Tried] = {}
        self._early: dict[str, Tried] = {}
        self._chosen: list[_Run] | None = None
        self.trials = [
            self._add(point, window.train, number, is_out=False)
            for number, window in enumerate(self.windows)
            for point in self.points
        ]

    # ── driving ──

    def due(self) -> list[Unit]:
        """The units that have not ended: the trials, and when all have, the best ones out of the sample."""
        waiting = self._open(self.trials)
        if not waiting and self._has_second:
            waiting = self._open(self._second())
        return [run.unit for run in waiting]

    @property
    def count(self) -> int:
        """Of all units, as far as it is known: of those out of the sample at most so many come."""
        if not self._has_second:
            return len(self.trials)
        most = len(self.windows) if self.request.kind == "walk_forward" else min(BEST, len(self.points))
        return len(self.trials) + (len(self._chosen) if self._chosen is not None else most)

    @property
    def ended(self) -> int:
        return len(self._tried)

    def take(self, unit_id: str, found: Tried) -> None:
        """One has ended: done or failed. One that is not known waits until it is, as those out of the sample
        are when a search goes on where it was; of another search it waits for ever.
        """
        (self._tried if unit_id in self._runs else self._early)[unit_id] = found

    # ── what comes of it ──

    def document(self) -> dict[str, Any]:
        """search.json; `partial` while units are missing."""
        missing = self._open(self.trials) or (self._has_second and self._open(self._second()))
        ranked = self._ranked(0) if self.request.kind != "walk_forward" else []
        by_point = self._by_point()
        settings: dict[str, Any] = next((one.settings for one in self._in_order() if one.settings), {})
        return {
            "format": FORMAT,
            "request": msgspec.to_builtins(self.request),
            "partial": bool(missing),
            "strategy": self._strategy,
            "settings": {
                **{name: settings[name] for name in SHARED if name in settings},
                "parameters": self._base.parameters,
                "start": self._base.start,
                "end": self._base.end,
                "capital": self._base.capital,
            },
            "axes": [{"name": axis.name, "values": list(axis.marks)} for axis in self.space.axes],
            "count": len(self.trials),
            "done": sum(self._is(run, DONE) for run in self.trials),
            "failed": sum(self._is(run, FAILED) for run in self.trials),
            "trials": [self._row(run) for run in self.trials if run.id in self._tried],
            "best": [self._best(run, by_point) for run in ranked[:BEST]],
            "deflated": _asdict(self._deflated(ranked[0])) if ranked else None,
            "map": search_map.maps(self.space, by_point),
            "walk_forward": self._walked() if self.request.kind == "walk_forward" else None,
            "warnings": self._warnings(ranked),
        }

    # ── how ──

    @property
    def _has_second(self) -> bool:
        return self.request.kind == "walk_forward" or bool(self.request.out_of_sample)

    def _add(self, point: Point, stretch: Stretch, window: int, is_out: bool) -> _Run:
        of_base = self._base.parameters
        unit = msgspec.structs.replace(
            self._base,
            parameters=of_base | {self._strategy: {**of_base.get(self._strategy, {}), **point}},
            start=stretch.start,
            end=stretch.end,
            trade_from=stretch.trade_from,
            keep="figures",
            number=len(self._runs),
        )
        run = _Run(unit.id, unit, point, window, is_out)
        self._runs[run.id] = run
        if run.id in self._early:
            self._tried[run.id] = self._early.pop(run.id)
        return run

    def _second(self) -> list[_Run]:
        """What is run out of the sample; decided once, when all trials have ended."""
        if self._chosen is None:
            if self.request.kind == "walk_forward":
                best = [self._ranked(number)[:1] for number in range(len(self.windows))]
            else:
                best = [self._ranked(0)[:BEST]]
            self._chosen = [
                self._add(run.point, self.windows[number].test, number, is_out=True)
                for number, runs in enumerate(best)
                for run in runs
            ]
        return self._chosen

    def _open(self, runs: Iterable[_Run]) -> list[_Run]:
        return [run for run in runs if run.id not in self._tried]

    def _is(self, run: _Run, state: str) -> bool:
        return run.id in self._tried and self._tried[run.id].state == state

    def _in_order(self) -> Iterable[Tried]:
        return (self._tried[unit_id] for unit_id in self._runs if unit_id in self._tried)

    def _ranked(self, window: int) -> list[_Run]:
        """The trials of a window that can be compared, the best first; of equal ones the first."""
        found = [
            (value, run)
            for run in self.trials
            if run.window == window and (value := self._value(run)) is not None
        ]
        return [run for _, run in sorted(found, key=lambda one: (-one[0], one[1].unit.number))]

    def _value(self, run: _Run) -> float | None:
        one = self._tried.get(run.id)
        return one.of(self.request.objective) if one is not None else None

    def _by_point(self) -> dict[tuple[Value, ...], float | None]:
        """The objective of each point that was tried; of a walk forward the mean of its windows."""
        found: dict[tuple[Value, ...], list[float]] = {}
        for run in self.trials:
            if run.id in self._tried:
                values = found.setdefault(tuple(run.point.values()), [])
                if (value := self._value(run)) is not None:
                    values.append(value)
        return {point: search_map.mean(values) for point, values in found.items()}

    def _row(self, run: _Run) -> dict[str, Any]:
        one = self._tried[run.id]
        row: dict[str, Any] = {"number": run.unit.number, "parameters": run.point, "state": one.state}
        if self.request.kind == "walk_forward":
            row["window"] = run.window
        return row | ({"figures": one.figures} if one.state == DONE else {"error": one.error})

    def _best(self, run: _Run, by_point: Mapping[tuple[Value, ...], float | None]) -> dict[str, Any]:
        row = {
            "number": run.unit.number,
            "parameters": run.point,
            "in_sample": self._tried[run.id].figures,
            "probability": chance.probability if (chance := self._deflated(run)) is not None else None,
            "neighbours": search_map.neighbours(self.space, by_point, run.point),
        }
        if self.request.out_of_sample:
            row["out_of_sample"] = self._out_of(run.point, 0)
        return row

    def _out_of(self, point: Point, window: int) -> dict[str, Any] | None:
        """Figures, or the error, of this point out of the sample; None while it is not there."""
        for run in self._chosen or ():
            one = self._tried.get(run.id)
            if run.point == point and run.window == window and one is not None:
                return dict(one.figures) if one.state == DONE else {"error": one.error}
        return None

    def _deflated(self, run: _Run) -> Deflated | None:
        """Against all trials of its window that have ended, also those that failed or never traded."""
        own = self._tried[run.id].moments
        of_window = [
            one
            for other in self.trials
            if other.window == run.window and (one := self._tried.get(other.id)) is not None
        ]
        sharpes = [one.moments[0] for one in of_window if one.moments is not None]
        return deflated(Moments(*own), variance_of(sharpes), len(of_window)) if own is not None else None

    def _walked(self) -> dict[str, Any]:
        rows, names, balances = [], list[str](), list[float]()
        balance = self._base.capital
        for number, window in enumerate(self.windows):
            best = next(iter(self._ranked(number)), None)
            row: dict[str, Any] = {
                "train": [window.train.start, window.train.end],
                "test": [window.test.trade_from, window.test.end],
                "parameters": best.point if best is not None else None,
                "in_sample": self._tried[best.id].figures if best is not None else None,
                "probability": None,
                "out_of_sample": None,
            }
            if best is not None:
                chance = self._deflated(best)
                row["probability"] = chance.probability if chance is not None else None
                row["out_of_sample"] = self._out_of(best.point, number)
            rows.append(row)
            out = self._days_of(number)
            returns = figures_.daily_returns(
                self._base.capital, [figures_.Day(name, end, 0, 0, 0, 0) for name, end in out]
            )
            for (name, _), one in zip(out, returns, strict=False):
                balance *= 1 + one
                names.append(name)
                balances.append(round(balance, 2))
        return {"windows": rows, "days": [list(one) for one in zip(names, balances, strict=True)]} | {
            "figures": _of_days(self._base.capital, names, balances)
        }

    def _days_of(self, window: int) -> list[tuple[str, float]]:
        for run in self._chosen or ():
            one = self._tried.get(run.id)
            if run.window == window and one is not None:
                return list(zip(one.days.names, one.days.balances, strict=True))
        return []

    def _shared_warnings(self) -> list[str]:
        """What is said of every run: of the fees and of the data, not of what one of them held in the end."""
        shared: list[str] | None = None
        for one in self._in_order():
            if one.state == DONE:
                shared = [
                    text for text in (one.warnings if shared is None else shared) if text in one.warnings
                ]
        return shared or []

    def _warnings(self, ranked: Sequence[_Run]) -> list[str]:
        found = self._shared_warnings()
        if self.request.kind == "walk_forward":
            found.append("每段检验各自从资金开始，段末的持仓按最后的价格估值；相接的是各日的收益率")
        failed = [one for one in self._in_order() if one.state == FAILED]
        if failed:
            found.append(f"{len(failed)} 次运行失败，第一次：{failed[0].error}")
        if ranked and not self._has_second:
            found.append("全部数据都用于挑选，没有样本外的检验：挑出来的结果偏好")
        if ranked and (chance := self._deflated(ranked[0])) is not None and chance.probability < 0.95:
            found.append(
                f"试了 {chance.trials} 组，最好的一组的夏普不足以排除只是碰巧"
                f"（缩水夏普的概率 {chance.probability:.1%}，一般要 95%）"
            )
        return found


def _check(request: SearchRequest) -> None:
    if request.objective not in OBJECTIVES:
        raise BadInput(
            "search", f"objective 应为 {'、'.join(OBJECTIVES)} 之一，现在是 {request.objective[:40]}"
        )
    if request.kind == "random" and request.trials < 1:
        raise BadInput("search", "随机搜索要写明抽取几组（trials）")
    if request.kind == "grid" and request.trials:
        raise BadInput("search", "网格是全部各组；只抽几组的写 kind = random")
    if request.kind == "walk_forward" and request.out_of_sample:
        raise BadInput("search", "滚动优化的每一段自有样本外，不再给 out_of_sample")
    if request.kind != "walk_forward" and (request.train or request.test or request.anchored):
        raise BadInput("search", "train、test、anchored 只用于滚动优化")
    if not 0 <= request.warm_up <= MOST_WARM_UP:
        raise BadInput("search", f"预热应为 0 至 {MOST_WARM_UP} 个交易日，现在是 {request.warm_up}")
    if request.warm_up and not request.out_of_sample and request.kind != "walk_forward":
        raise BadInput("search", "预热用于样本外：请同时给出 out_of_sample")


def _windows(request: SearchRequest, base: Unit) -> list[Window]:
    if request.kind == "walk_forward":
        return walk(base.start, base.end, request.train, request.test, request.warm_up, request.anchored)
    if request.out_of_sample:
        return [split(base.start, base.end, request.out_of_sample, request.warm_up)]
    whole = Stretch(base.start, base.end)
    return [Window(whole, whole)]


def _of_days(capital: float, names: Sequence[str], balances: Sequence[float]) -> dict[str, Any] | None:
    """What the stitched days of a walk forward earned and risked."""
    if not names:
        return None
    days = [
        figures_.Day(name, balance, 0.0, 0.0, 0.0, 0.0) for name, balance in zip(names, balances, strict=True)
    ]
    returns, fall = figures_.daily_returns(capital, days), figures_.drawdown(capital, days)
    return {
        "net_profit": round(balances[-1] - capital, 2),
        "return": balances[-1] / capital - 1,
        "annual_return": figures_.annual_return(returns),
        "max_drawdown": fall.amount,
        "max_drawdown_share": fall.share,
        "sharpe": figures_.sharpe(returns),
        "sortino": figures_.sortino(returns),
        "calmar": figures_.calmar(returns, fall),
        "trading_days": len(days),
    }


def _asdict(found: Deflated | None) -> dict[str, Any] | None:
    return found._asdict() if found is not None else None


def _number(value: object) -> float | int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise TypeError("no figure")
    return value
