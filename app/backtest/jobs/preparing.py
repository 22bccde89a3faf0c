"""What somebody asks for made into a job that can run: everything that can be judged without running it is
judged here, before it is queued. The process of backtests, any thread; nothing of the strategy is run.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from app.backtest.engine import fills
from app.backtest.engine.job import NO_RISK, Risk
from app.backtest.jobs.jobs import MOST_RESULT, RUN, SEARCH, Record, fills_of
from app.backtest.market_data.data import NoData, Span, bars_from_store, bars_of_products, checked_day
from app.backtest.market_data.rates import BadRates, DatedRates
from app.backtest.running.units import MEGABYTE, Depot, Piece, Unit, limits_of
from app.backtest.search.search import Search, SearchRequest
from app.counter.contracts import product_code_of
from app.counter.markets.readers import BadFile, holds_ticks
from app.counter.products import products
from app.data_dir import ticks_folder
from app.gateway.tick_recorder import recorded_days
from app.lib import bar_columns
from app.lib.bars import Bar
from app.lib.calendar import SHANGHAI
from app.lib.errors import BadInput
from app.lib.program import version
from app.lib.strategy_lib import parse
from app.lib.strategy_parameters import parameters, with_parameters
from app.lib.symbols import parse_symbol
from app.model import open_store, store_path
from app.settings import Settings
from app.wire.messages import SubmitBacktest

MOST_CONTRACTS = 20
MOST_FILES = 20
MOST_NAMED = 20  # files that an error names
LARGEST_CAPITAL = 1e12
FILES = "files"  # in the folder of backtests: those of the setting's default
STORED = "store.bars"


class Preparing:
    """`now()`: exchange time, aware."""

    def __init__(self, settings: Settings, depot: Depot, folder: Path, now: Any = None) -> None:
        self._settings = settings
        self._depot = depot
        self._files = settings.backtest_files or folder / FILES
        self._now = now or (lambda: datetime.now(SHANGHAI))

    def record(self, asked: SubmitBacktest, number: int) -> Record:
        """A job that waits. Raises what SubmitBacktest says, and OSError and StoreFailed where data cannot be
        read or kept.
        """
        name = parse(asked.text).name
        with_parameters(asked.text, asked.parameters)  # it has them, and they are of their kinds
        unit = self._unit(asked, name)
        if asked.search is not None:
            search_of(asked.search, unit)
        return Record(
            id=secrets.token_hex(8),
            account=asked.account,
            number=number,
            title=asked.title or name,
            kind=RUN if asked.search is None else SEARCH,
            strategy=name,
            version=asked.version,
            contracts=asked.contracts,
            main=asked.main,
            files=asked.files,
            by=asked.by,
            unit=unit,
            search=asked.search,
            created=self._now().strftime("%Y-%m-%d %H:%M:%S"),
        )

    def data(self, account: str) -> dict[str, Any]:
        """What a backtest of the account can run over."""
        rows = []
        path = store_path(self._settings.data_dir, account)
        if path.exists():
            with closing(open_store(self._settings, account)) as store:
                for local_symbol, interval in store.series():
                    if interval == "1m":
                        first, last, count = store.extent(local_symbol, interval)
                        span = {"first": _minute(first), "last": _minute(last), "count": count}
                        rows.append({"local_symbol": local_symbol} | span)
        files = [
            {
                "name": path.name,
                "size": path.stat().st_size,
                "modified": datetime.fromtimestamp(path.stat().st_mtime, SHANGHAI).strftime(
                    "%Y-%m-%d %H:%M:%S"
                ),
            }
            for path in self._known_files()
        ]
        days = recorded_days(ticks_folder(self._settings.data_dir, account))
        return {"store": rows, "files": files, "ticks": [*days]}

    # ── how ──

    def _unit(self, asked: SubmitBacktest, name: str) -> Unit:
        if not 0 < asked.capital <= LARGEST_CAPITAL:
            raise BadInput("capital", f"资金应大于 0，至多 {LARGEST_CAPITAL:g} 元，现在是 {asked.capital:g}")
        settings = fills.checked(
            fills_of(asked.latency_ms, asked.spread_ticks, asked.slippage_ticks, asked.participation)
        )
        start, end = checked_day(asked.start, "start"), checked_day(asked.end, "end")
        if start and end and start > end:
            raise BadInput("start", f"开始的交易日 {start} 在结束的 {end} 之后")
        self._check_rates(asked.rates)
        calendar_file = self._settings.calendar_file
        return Unit(
            version=version(),
            strategies={name: asked.text},
            parameters={name: asked.parameters} if asked.parameters else {},
            data=self._data(asked, Span(start, end)),
            capital=asked.capital,
            start=start,
            end=end,
            contracts=tuple(asked.contracts),
            main=tuple(asked.main),
            main_warm_up=asked.main_warm_up,
            symbol=asked.symbol,
            label=asked.label,
            fills=settings,
            risk=self._risk(asked.account, name),
            rates=asked.rates,
            calendar=calendar_file.read_text("utf-8") if calendar_file is not None else "",
            limits=msgspec.structs.replace(limits_of(self._settings), result=MOST_RESULT // MEGABYTE),
        )

    def _risk(self, account: str, name: str) -> Risk:
        """What the account's trader has set: his own rules, and the limits of this strategy."""
        if not store_path(self._settings.data_dir, account).exists():
            return NO_RISK
        with closing(open_store(self._settings, account)) as store:
            limits = store.settings("strategy_limits").get(name)
            return Risk(rules=store.setting("risk", "rules", []), limits={name: limits} if limits else {})

    @staticmethod
    def _check_rates(text: str) -> None:
        if not text:
            return
        with tempfile.TemporaryDirectory(prefix="rates-") as folder:
            path = Path(folder) / "rates.csv"
            path.write_text(text, "utf-8", "surrogatepass")
            try:
                DatedRates(path)
            except BadRates as error:
                raise BadInput("rates", error.message, code="BAD_RATES") from None

    def _data(self, asked: SubmitBacktest, span: Span) -> tuple[Piece, ...]:
        _check_named(asked)
        if asked.files:
            paths = self._named(asked.files)
            _check_kind(paths, asked.by)
            return tuple(self._depot.add(path) for path in paths)
        if asked.by == "ticks":
            return tuple(self._depot.add(path) for path in self._recorded(asked.account, span))
        return (self._depot.put(STORED, bar_columns.encoded(self._stored(asked, span))),)

    def _stored(self, asked: SubmitBacktest, span: Span) -> dict[str, list[Bar]]:
        """The bars of the account's store. Raises BadInput("contracts" or "main") that says what is there."""
        parameter = "main" if asked.main else "contracts"
        if not store_path(self._settings.data_dir, asked.account).exists():
            raise BadInput(parameter, "这个账户还没有行情库，请先登录并导入 K 线", code="NO_BARS")
        with closing(open_store(self._settings, asked.account)) as store:
            try:
                if asked.main:
                    return bars_of_products(store, asked.main, span)
                return bars_from_store(store, asked.contracts, span)
            except NoData as error:
                raise BadInput(parameter, error.message, code="NO_BARS") from None

    def _recorded(self, account: str, span: Span) -> list[Path]:
        """The days that the account's gateway has recorded. Raises BadInput("start") that says which there
        are.
        """
        days = recorded_days(ticks_folder(self._settings.data_dir, account))
        found = [path for day, path in days.items() if span.has(day)]
        if not found:
            there = f"有的是 {min(days)} 至 {max(days)}" if days else "一天也没有，要先设 record_ticks = true"
            raise BadInput("start", f"没有录下这段时间的 tick；{there}", code="NO_TICKS")
        return found

    def _known_files(self) -> list[Path]:
        if not self._files.is_dir():
            return []
        return sorted(
            path for path in self._files.iterdir() if path.is_file() and not path.name.startswith(".")
        )

    def _named(self, names: Sequence[str]) -> list[Path]:
        """Raises BadInput("files")."""
        if len(names) > MOST_FILES:
            raise BadInput("files", f"一次至多用 {MOST_FILES} 个文件")
        known = {path.name: path for path in self._known_files()}
        for name in names:
            if name not in known:
                there = "、".join([*known][:MOST_NAMED]) or "没有文件"
                where = f"那里有：{there}（由管理员放入，设置 backtest_files）"
                raise BadInput("files", f"回测的行情文件里没有 {name[:100]}；{where}")
        return [known[name] for name in names]


def search_of(asked: dict[str, Any], unit: Unit) -> Search:
    """Raises BadInput("search") for one that cannot be."""
    try:
        request = msgspec.convert(asked, SearchRequest)
    except msgspec.ValidationError as error:
        raise BadInput("search", f"参数 search 不合法：{error}") from None
    text = next(iter(unit.strategies.values()))
    return Search(request, unit, parameters(text))


def _check_kind(paths: Sequence[Path], by: str) -> None:
    """The files have what they are said to have. Raises BadInput."""
    for path in paths:
        try:
            found = "ticks" if holds_ticks(path) else "bars"
        except (BadFile, OSError) as error:
            text = error.message if isinstance(error, BadFile) else error.strerror
            raise BadInput("files", f"{path.name} 读不了：{text}") from None
        if found != by:
            kind, other = ("tick", "bars") if found == "ticks" else ("K 线", "ticks")
            raise BadInput("by", f"{path.name} 里是 {kind}：一次回测用一种，不是 by={other}")


def _check_named(asked: SubmitBacktest) -> None:
    """Which contracts, or products, are meant, and that there are such. Raises BadInput."""
    if asked.contracts and asked.main:
        raise BadInput("main", "contracts（合约）与 main（主力连续的品种）请只给一种")
    if asked.main and asked.by == "ticks":
        raise BadInput("main", "主力连续只用于 K 线")
    if not asked.files and not asked.main and not asked.contracts:
        raise BadInput("contracts", "缺少参数 contracts：哪个合约，如 rb2401.SHFE；或用 files 给出文件")
    if len(asked.contracts) > MOST_CONTRACTS:
        raise BadInput("contracts", f"一次至多 {MOST_CONTRACTS} 个合约")
    for name in asked.main:
        if name not in products():
            raise BadInput("main", f"不认识的品种 {name[:64]}，应形如 rb", code="UNKNOWN_CONTRACT")
    for name in asked.contracts:
        contract = parse_symbol(name, "contracts")
        if not contract.exchange:
            raise BadInput("contracts", f"合约请带上交易所，如 rb2401.SHFE，现在是 {name[:64]}")
        known = products().get(product_code_of(contract.symbol))
        if known is None or known.exchange != contract.exchange:
            text = f"没有合约 {name[:64]}：不认识的品种或交易所"
            raise BadInput("contracts", text, code="UNKNOWN_CONTRACT")


def _minute(timestamp: int) -> str:
    return datetime.fromtimestamp(timestamp / 1000, SHANGHAI).strftime("%Y-%m-%d %H:%M")
