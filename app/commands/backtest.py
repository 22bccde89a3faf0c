"""`run.py backtest`: strategies over files of bars or ticks, without a server. A process of its own, whose
child runs the strategies, confined as a server's are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec
import orjson
from tqdm import tqdm

from app.backtest.engine.fills import FillSettings, checked
from app.backtest.engine.job import NO_RISK, Job, Progress, Risk
from app.backtest.market_data.data import checked_day
from app.backtest.report import report
from app.backtest.running import guard
from app.commands.backtest_search import Sought, run_search, search_options, values_of
from app.commands.bar_sources import Kept, files_of, store_options
from app.commands.common import settings_of, settings_options
from app.commands.results import make, write
from app.lib import memory
from app.lib.errors import BadInput
from app.lib.program import version
from app.lib.strategy_lib import parse
from app.settings import Settings
from app.workshop.containment import Containment

STAGES = {"reading": "读取行情", "running": "回测"}


@click.command("backtest")
@settings_options
@click.argument("strategies", metavar="STRATEGY…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--data",
    "files",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="行情文件，可给几个：1 分钟 K 线或 tick，格式见 docs/replay.md",
)
@store_options
@click.option(
    "--to", "target", metavar="DIR", required=True, type=click.Path(path_type=Path), help="结果写到这里"
)
@click.option("--capital", metavar="YUAN", type=float, default=1_000_000.0, help="资金，缺省 1000000 元")
@click.option("--start", metavar="DAY", default="", help="从这个交易日起，如 2024-01-31")
@click.option("--end", metavar="DAY", default="", help="到这个交易日为止（含）")
@click.option("--symbol", metavar="SYMBOL", default="", help="文件中没有合约列时，是哪个合约，如 rb2401.SHFE")
@click.option("--label", type=click.Choice(["start", "end"]), help="K 线的时间是开始还是结束；缺省自己判断")
@click.option(
    "--rates",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="当时的手续费与保证金（CSV，见 docs/backtest.md）；不给则用随程序的合约表",
)
@click.option(
    "--risk",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="自己的风控规则与策略的限制（JSON，见 docs/backtest.md）；不给则只有缺省的规则",
)
@click.option("--spread-ticks", type=int, default=1, help="K 线：进场的委托离开盘价几个最小变动价位，缺省 1")
@click.option("--slippage-ticks", type=int, default=0, help="再加几个最小变动价位的滑点，缺省 0")
@click.option("--latency-ms", type=int, help="tick：委托在途的毫秒；不给则遇到下一笔快照")
@click.option(
    "--set",
    "values",
    metavar="NAME=VALUE",
    multiple=True,
    help="（第一个）策略的参数，代替文件里的值，如 fast=5，可给几个",
)
@search_options
@click.option("--participation", type=float, default=0.25, help="K 线：一边至多占一根成交量的多少，缺省 0.25")
@click.pass_context
def backtest_command(
    ctx: click.Context,
    strategies: tuple[Path, ...],
    files: tuple[Path, ...],
    kept: Kept,
    sought: Sought,
    values: tuple[str, ...],
    target: Path,
    capital: float,
    start: str,
    end: str,
    symbol: str,
    label: str | None,
    rates: Path | None,
    risk: Path | None,
    **options: Any,
) -> None:
    """回测：策略在 K 线或 tick 文件上照柜台的规矩走一遍，不必启动服务。

    结果是 DIR 里的 result.json 与 report.html；成交的假定与指标的公式见 docs/backtest.md。
    给出 --grid 就是参数搜索：search.json 与 search.html；做了一半再执行一次，接着做。
    """
    memory.bound()
    fills = checked(FillSettings(**{name: options.pop(name) for name in FillSettings.__struct_fields__}))
    settings = settings_of(ctx, options)
    texts = _texts(strategies)
    first = next(iter(texts))
    job = Job(
        version=version(),
        strategies=texts,
        parameters={first: values_of(texts[first], values)} if values else {},
        files=[str(_existing(path, "data")) for path in files],
        folder="",
        capital=capital,
        start=checked_day(start, "start"),
        end=checked_day(end, "end"),
        **kept.of_job(),
        symbol=symbol,
        label=label or "",
        fills=fills,
        risk=_risk_of(risk),
        rates=str(_existing(rates, "rates")) if rates is not None else "",
        calendar_file=str(settings.calendar_file or ""),
    )
    if bool(files) == kept.is_wanted:
        raise BadInput(
            "data", "请用 --data 给出文件，或用 --from-store、--from-mongo、--recorded 取已有的行情，只选一种"
        )
    make(target)
    if sought.is_wanted:
        ctx.exit(_search(job, settings, kept, sought, target))
    result = _run(job, settings, kept)
    document = orjson.loads(result)
    write(target / "result.json", result)
    write(target / "report.html", report.page(document).encode())
    for line in report.summary(document):
        click.echo(line)
    click.echo(f"结果：{target / 'report.html'}、{target / 'result.json'}")


def _risk_of(path: Path | None) -> Risk:
    """Raises BadInput for what is none; whether the rules can be is judged when they are taken."""
    if path is None:
        return NO_RISK
    try:
        return msgspec.json.decode(_existing(path, "risk").read_bytes(), type=Risk)
    except msgspec.DecodeError as error:
        raise BadInput("risk", f'{path.name} 应为 {{"rules": […], "limits": {{…}}}}：{error}') from None


def _search(job: Job, settings: Settings, kept: Kept, sought: Sought, target: Path) -> int:
    settings = settings.model_copy(update={"log_to": "stdout"})
    with guard.own_folder(settings.data_dir) as folder:
        job = msgspec.structs.replace(job, files=files_of(settings, kept, job, folder))
        return run_search(job, settings, sought, target, folder)


def _run(job: Job, settings: Settings, kept: Kept) -> bytes:
    containment = Containment(settings)
    containment.check()
    settings = settings.model_copy(update={"log_to": "stdout"})  # no data directory of a server is needed
    with guard.own_folder(settings.data_dir) as folder:
        files = files_of(settings, kept, job, folder)
        job = msgspec.structs.replace(job, folder=str(folder), files=files)
        seen = [Path(name) for name in [*job.files, job.rates, job.calendar_file] if name]
        confined = guard.around(containment, folder, seen)
        with tqdm(unit=" 根", leave=False, disable=None, desc="启动") as bar:
            return guard.run(job, settings, *confined, lambda progress: _show(bar, progress))


def _show(bar: Any, progress: Progress) -> None:
    bar.set_description(f"{STAGES.get(progress.stage, '')} {progress.trading_day}".rstrip())
    bar.total = progress.total or None
    bar.n = progress.done
    bar.refresh()


def _texts(paths: tuple[Path, ...]) -> dict[str, str]:
    """By the name in the text; raises BadCode for a text that is no strategy's."""
    found: dict[str, str] = {}
    for path in paths:
        text = _existing(path, "strategy").read_bytes().decode("utf-8", "surrogateescape")
        name = parse(text).name
        if name in found:
            raise BadInput("strategy", f"两个策略都叫 {name}，请改其中一个的名称")
        found[name] = text
    return found


def _existing(path: Path, parameter: str) -> Path:
    if not path.is_file():
        raise BadInput(parameter, f"没有文件 {path}")
    return path.resolve()
