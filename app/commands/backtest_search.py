"""`run.py backtest --grid …`: the search for parameters. A command's own process; its workers run the trials,
confined as a server's are, or those of a cluster.

What has ended is kept in `trials.jsonl` in the results' folder, by the units' ids: the same command goes on
where it was, and one over other inputs begins anew.
"""

from __future__ import annotations

import functools
import hashlib
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import click
import msgspec
import orjson
from tqdm import tqdm

from app.backtest.engine.job import Job
from app.backtest.jobs.driving import drive_search
from app.backtest.market_data.data import checked_day
from app.backtest.running.cluster import DaskEngine
from app.backtest.running.engines import engine_of
from app.backtest.running.units import DONE, Depot, Engine, Limits, Piece, Unit, limits_of
from app.backtest.search import search_report
from app.backtest.search.search import OBJECTIVES, Search, SearchRequest, Tried
from app.commands.results import CannotWrite, write
from app.lib.errors import AppError, BadInput
from app.lib.strategy_parameters import Value, parameters
from app.settings import Settings

KEPT = "trials.jsonl"
MOST_WORKERS = 64
EXIT_INTERRUPTED = 130


class AllFailed(AppError):
    """Every trial failed: mend the strategy, or choose other parameters."""

    default_code = "BACKTEST_FAILED"


class Sought(NamedTuple):
    """What is searched for, as the options say."""

    grid: tuple[str, ...]
    random: int
    seed: int
    where: tuple[str, ...]
    objective: str
    out_of_sample: str
    walk_forward: str
    anchored: bool
    warm_up: int
    workers: int

    @property
    def is_wanted(self) -> bool:
        """Whether it is a search at all. Raises BadInput for options of a search without one."""
        if not self.grid and (self.random or self.where or self.out_of_sample or self.walk_forward):
            raise BadInput("grid", "搜索参数要用 --grid 写明，如 --grid fast=5:50:5")
        return bool(self.grid)

    def request(self) -> SearchRequest:
        """Raises BadInput."""
        train, test = _days(self.walk_forward) if self.walk_forward else (0, 0)
        kind = "walk_forward" if self.walk_forward else "random" if self.random else "grid"
        return SearchRequest(
            kind=kind,  # type: ignore[arg-type]
            space=dict(pair(text, "grid") for text in self.grid),
            where=list(self.where),
            trials=self.random,
            seed=self.seed,
            objective=self.objective,
            out_of_sample=checked_day(self.out_of_sample, "out-of-sample"),
            train=train,
            test=test,
            anchored=self.anchored,
            warm_up=self.warm_up,
        )


def search_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say it; the command gets them as one argument, `sought`."""

    @functools.wraps(function)
    def command(*arguments: Any, **options: Any) -> Any:
        sought = Sought(*(options.pop(name) for name in Sought._fields))
        return function(*arguments, sought=sought, **options)

    for option in reversed(
        [
            click.option(
                "--grid",
                metavar="NAME=VALUES",
                multiple=True,
                help="搜索这个参数：first:last:step、first:last（小数，配 --random）或逗号隔开的值，可给几个",
            ),
            click.option("--random", metavar="N", type=int, default=0, help="不试全部，随机抽 N 组"),
            click.option("--seed", type=int, default=0, help="随机抽取的种子，缺省 0"),
            click.option("--where", metavar="CONDITION", multiple=True, help="只试满足的，如 'fast<slow'"),
            click.option(
                "--objective",
                type=click.Choice(OBJECTIVES),
                default="sharpe",
                help="按哪个指标挑，缺省 sharpe",
            ),
            click.option(
                "--out-of-sample",
                metavar="DAY",
                default="",
                help="从这个交易日起留作样本外，只试挑出的十组",
            ),
            click.option(
                "--walk-forward",
                metavar="TRAIN:TEST",
                default="",
                help="滚动优化：训练、检验各几个交易日，如 120:40；要写明 --start 与 --end",
            ),
            click.option("--anchored", is_flag=True, help="滚动优化：每一段都从头训练"),
            click.option(
                "--warm-up", metavar="DAYS", type=int, default=0, help="样本外之前只听不报单的交易日"
            ),
            click.option(
                "--workers",
                type=click.IntRange(1, MOST_WORKERS),
                default=min(os.cpu_count() or 1, MOST_WORKERS),
                help="同时几个进程，缺省为处理器的个数",
            ),
        ]
    ):
        command = option(command)
    return command


def run_search(job: Job, settings: Settings, sought: Sought, target: Path, folder: Path) -> int:
    """search.json and search.html in `target`; the exit code. `folder`: for what is needed meanwhile. Raises
    what the errors' tree has.
    """
    files = InPlace(folder)
    base = _unit(job, files, limits_of(settings))
    strategy = next(iter(job.strategies))
    search = Search(sought.request(), base, parameters(job.strategies[strategy]))
    with _kept_in(target / KEPT, search) as keep, _until_interrupted() as stopped:
        with closing(_engine(settings, files, sought.workers)) as engine, _bar(search) as bar:

            def on_ended(unit_id: str, found: Tried) -> None:
                keep(unit_id, found)
                bar.total = search.count
                bar.update()

            drive_search(search, engine, on_ended, lambda _progress: None, stopped, base.capital)
        document = search.document()
        write(target / "search.json", orjson.dumps(document, option=orjson.OPT_INDENT_2))
        write(target / "search.html", search_report.page(document).encode())
        for line in search_report.summary(document):
            click.echo(line)
        click.echo(f"结果：{target / 'search.html'}、{target / 'search.json'}")
        if document["best"]:
            best = " ".join(
                f"--set {name}={value}" for name, value in document["best"][0]["parameters"].items()
            )
            click.echo(f"最好的一组单独跑，得到完整的报告：去掉 --grid，加上 {best}")
        if stopped():
            click.echo(f"已中断：做完 {search.ended} 次，共 {search.count} 次；同样的命令接着做", err=True)
            return EXIT_INTERRUPTED
    if not any(row["state"] == DONE for row in document["trials"]):
        raise AllFailed(f"全部 {document['count']} 次试算都失败了：{document['trials'][0]['error']}")
    return 0


def pair(text: str, parameter: str) -> tuple[str, str]:
    """Of `NAME=VALUE`. Raises BadInput."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise BadInput(parameter, f"--{parameter} 应形如 名称=值，现在是 {text[:80]!r}")
    return name.strip(), value.strip()


def values_of(text: str, pairs: Sequence[str]) -> dict[str, Value]:
    """Of `NAME=VALUE`s, as the strategy's parameters have them. Raises BadInput, BadCode."""
    known = {one.name: one for one in parameters(text)}
    values: dict[str, Value] = {}
    for name, value in (pair(one, "set") for one in pairs):
        if name not in known:
            raise BadInput("set", f"策略没有参数 {name[:80]}；它的参数：{'、'.join(known) or '没有参数'}")
        values[name] = known[name].checked(value)
    return values


class InPlace(Depot):
    """Files where they lie, by their hashes as they were when they were taken; what is made of them is kept
    in `folder`.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "depot")
        self._paths: dict[Piece, Path] = {}

    def add(self, source: Path) -> Piece:
        with source.open("rb") as file:
            piece = Piece(source.name, hashlib.file_digest(file, "sha256").hexdigest())
        self._paths[piece] = source
        return piece

    def path(self, piece: Piece) -> Path:
        return self._paths[piece] if piece in self._paths else super().path(piece)


def _unit(job: Job, files: InPlace, limits: Limits) -> Unit:
    """The run that the job says, without its paths."""
    return Unit(
        **job.said(),
        data=tuple(files.add(Path(name)) for name in job.files),
        rates=_text(job.rates),
        calendar=_text(job.calendar_file),
        limits=limits,
    )


def _text(path: str) -> str:
    try:
        return Path(path).read_text("utf-8-sig") if path else ""
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput("rates", f"读不了 {path}：{error}") from None


def _days(text: str) -> tuple[int, int]:
    try:
        train, test = (int(part) for part in text.split(":"))
    except ValueError:
        raise BadInput("walk-forward", f"--walk-forward 应形如 120:40，现在是 {text[:40]!r}") from None
    return train, test


def _engine(settings: Settings, files: InPlace, width: int) -> Engine:
    """Raises ClusterDown where there is a cluster that cannot be reached."""
    engine = engine_of(settings, files, width)
    if isinstance(engine, DaskEngine):
        try:
            engine.connect()
        except BaseException:
            engine.close()
            raise
    return engine


def _bar(search: Search) -> Any:
    return tqdm(
        total=search.count, initial=search.ended, unit=" 次", leave=False, disable=None, desc="参数搜索"
    )


@contextmanager
def _until_interrupted() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed, or SIGTERM has come: what runs is ended, what has ended is kept. A second
    one ends the command at once.
    """
    asked = threading.Event()
    before: dict[int, Any] = {}
    numbers: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM)

    def ask(number: int, _frame: Any) -> None:
        asked.set()
        signal.signal(number, before[number])

    for number in numbers:
        before[number] = signal.signal(number, ask)
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _kept_in(path: Path, search: Search) -> Iterator[Callable[[str, Tried], None]]:
    """Give the search what is kept already, and keep what comes. Raises CannotWrite."""
    for unit_id, found in _read(path).items():
        search.take(unit_id, found)
    search.due()  # with all trials taken, it knows what is out of the sample
    if search.ended:
        click.echo(f"{path.name} 里已有 {search.ended} 次的结果，接着做")
    try:
        with path.open("ab") as file:

            def keep(unit_id: str, found: Tried) -> None:
                _append(file, path, unit_id, found)

            yield keep
    except OSError as error:
        raise CannotWrite(f"不能写 {path}：{error}") from None


def _append(file: IO[bytes], path: Path, unit_id: str, found: Tried) -> None:
    try:
        file.write(msgspec.json.encode([unit_id, found]) + b"\n")
        file.flush()
    except OSError as error:
        raise CannotWrite(f"不能写 {path}：{error}") from None


def _read(path: Path) -> dict[str, Tried]:
    """By the unit's id. A line that was cut off is left out, and ended, so that the next one is its own."""
    kept: dict[str, Tried] = {}
    if not path.exists():
        return kept
    content = path.read_bytes()
    for line in content.splitlines():
        try:
            unit_id, found = msgspec.json.decode(line, type=tuple[str, Tried])
        except msgspec.DecodeError:
            continue
        kept[unit_id] = found
    if content and not content.endswith(b"\n"):
        path.write_bytes(content + b"\n")
    return kept
