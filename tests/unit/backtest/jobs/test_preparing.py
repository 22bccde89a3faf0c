"""What is asked for made into a job: all that can be wrong is said by name before anything is queued."""

from __future__ import annotations

from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from app.backtest.engine.gate import Owned, gate_of
from app.backtest.jobs.jobs import Record
from app.backtest.jobs.preparing import Preparing
from app.backtest.market_data.data import load
from app.backtest.running.units import Depot
from app.gateway.risk.limits import StrategyLimits
from app.gateway.risk.rulebook import RuleBook
from app.interfaces.ledger import Ledger
from app.lib import thresholds
from app.lib.bars import Bar
from app.lib.calendar import SHANGHAI
from app.lib.errors import AppError, BadInput
from app.lib.strategy_lib import BadCode
from app.model import open_store
from app.settings import Settings
from app.wire.messages import SubmitBacktest

TEXT = """from ctpbee import CtpbeeApi
class Mine(CtpbeeApi):
    every = 60
ext = Mine("mine")
"""
ACCOUNT = "sim-9999-a"
NINE = 1_704_157_200_000  # 2024-01-02 09:00
RATES = "product,since,margin,open,close,close_today\n"


def bars(price: float) -> list[Bar]:
    return [
        Bar(NINE + minute * 60_000, price, price + 1, price - 1, price, 10, 0.0, 0.0, True)
        for minute in range(5)
    ]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings.load(environment={}, data_dir=tmp_path / "data")
    with closing(open_store(made, ACCOUNT)) as store:
        store.save_bars("rb2405.SHFE", "1m", bars(3900.0))
        store.save_bars("rb2410.SHFE", "1m", bars(3800.0))
    return made


@pytest.fixture
def preparing(settings: Settings, tmp_path: Path) -> Preparing:
    files = tmp_path / "data" / "backtest" / "files"
    files.mkdir(parents=True)
    (files / "m.csv").write_text("datetime,open,high,low,close,volume\n")
    (files / "broken.csv.gz").write_bytes(b"no gzip")
    (tmp_path / "secret.csv").write_text("x")
    return Preparing(settings, Depot(tmp_path / "depot"), tmp_path / "data" / "backtest")


def asked(**more: Any) -> SubmitBacktest:
    return SubmitBacktest(**({"account": ACCOUNT, "text": TEXT, "contracts": ["rb2405.SHFE"]} | more))


def test_bars_of_the_store_are_in_the_depot_and_the_unit_names_no_path(
    preparing: Preparing, tmp_path: Path
) -> None:
    record: Record = preparing.record(
        asked(start="2024-01-01", parameters={"every": 40}, rates=RATES + "rb,2024-01-01,0.1,,,\n"), 1
    )
    unit = record.unit
    assert (record.strategy, record.title, unit.start) == ("mine", "mine", "20240101")
    assert unit.limits.result == 31  # MB
    assert unit.parameters == {"mine": {"every": 40}}
    (piece,) = unit.data
    data = load([Depot(tmp_path / "depot").path(piece)])
    assert data.bars == {"rb2405.SHFE": bars(3900.0)}
    assert str(tmp_path) not in repr(unit)
    assert preparing.record(asked(start="20240101"), 2).unit.data == unit.data


def test_main_contracts_take_all_that_the_store_has_of_the_product(
    preparing: Preparing, tmp_path: Path
) -> None:
    unit = preparing.record(asked(contracts=[], main=["rb"]), 1).unit
    assert unit.main == ("rb",)
    data = load([Depot(tmp_path / "depot").path(piece) for piece in unit.data])
    assert sorted(data.bars) == ["rb2405.SHFE", "rb2410.SHFE"]


def test_what_there_is_is_listed(preparing: Preparing) -> None:
    found = preparing.data(ACCOUNT)
    span = {"first": "2024-01-02 09:00", "last": "2024-01-02 09:04", "count": 5}
    assert found["store"] == [{"local_symbol": name} | span for name in ("rb2405.SHFE", "rb2410.SHFE")]
    assert [file["name"] for file in found["files"]] == ["broken.csv.gz", "m.csv"]
    assert preparing.data("sim-9999-nobody")["store"] == []


FILES = {"contracts": [], "files": ["m.csv"]}


@pytest.mark.parametrize(
    ("more", "parameter", "code", "said"),
    [
        ({"text": "x = 1"}, "text", "NO_EXT", "ext"),
        ({"capital": 0.0}, "capital", "BAD_INPUT", "大于 0"),
        ({"capital": -5.0}, "capital", "BAD_INPUT", "-5"),
        ({"capital": float("nan")}, "capital", "BAD_INPUT", "nan"),
        ({"start": "20240201", "end": "20240101"}, "start", "BAD_INPUT", "20240201 在结束的 20240101 之后"),
        (FILES | {"start": "20240201", "end": "20240101"}, "start", "BAD_INPUT", "20240201 在结束的"),
        ({"start": "2024-02-31"}, "start", "BAD_INPUT", "2024-02-31"),
        ({"participation": 0.0}, "participation", "BAD_INPUT", "participation"),
        ({"spread_ticks": -1}, "spread_ticks", "BAD_INPUT", "-1"),
        ({"parameters": {"fast": 5}}, "parameters", "BAD_INPUT", "没有参数 fast；它的参数：every"),
        ({"parameters": {"every": "x"}}, "parameters", "BAD_INPUT", "every 应为整数"),
        ({"contracts": []}, "contracts", "BAD_INPUT", "缺少参数 contracts"),
        ({"contracts": ["rb2405"]}, "contracts", "BAD_INPUT", "带上交易所"),
        ({"contracts": ["zz2405.SHFE"]}, "contracts", "UNKNOWN_CONTRACT", "zz2405.SHFE"),
        ({"contracts": ["rb2405.DCE"]}, "contracts", "UNKNOWN_CONTRACT", "rb2405.DCE"),
        ({"contracts": ["../../x.SHFE"]}, "contracts", "BAD_INPUT", "不合法"),
        ({"contracts": ["rb2405.SHFE"] * 21}, "contracts", "BAD_INPUT", "20 个"),
        (
            {"contracts": ["rb2501.SHFE"]},
            "contracts",
            "NO_BARS",
            "没有 rb2501.SHFE .*这个品种有：rb2405.SHFE",
        ),
        ({"contracts": ["m2405.DCE"]}, "contracts", "NO_BARS", "一根也没有"),
        ({"start": "20240201"}, "contracts", "NO_BARS", "有的是交易日 20240102 至 20240102"),
        ({"account": "sim-9999-new"}, "contracts", "NO_BARS", "还没有行情库"),
        ({"main": ["rb"]}, "main", "BAD_INPUT", "只给一种"),
        ({"contracts": [], "main": ["zz"]}, "main", "UNKNOWN_CONTRACT", "zz"),
        ({"contracts": [], "main": ["m"]}, "main", "NO_BARS", "品种 m"),
        ({"by": "ticks"}, "start", "NO_TICKS", "record_ticks"),
        (FILES | {"files": ["../secret.csv"]}, "files", "BAD_INPUT", "那里有：broken.csv.gz、m.csv"),
        (FILES | {"files": ["nothing.csv"]}, "files", "BAD_INPUT", "没有 nothing.csv"),
        (FILES | {"by": "ticks"}, "by", "BAD_INPUT", "m.csv 里是 K 线"),
        (FILES | {"files": ["m.csv"] * 21}, "files", "BAD_INPUT", "20 个"),
        ({"rates": "a,b\n"}, "rates", "BAD_RATES", "rates.csv:1: 缺少列"),
        ({"rates": RATES + "rb,2024-01-01,0.1,,,\nrb,2024-13-01,,,,\n"}, "rates", "BAD_RATES", "rates.csv:3"),
        ({"rates": RATES + "rb,2024-01-01,5,,,\n"}, "rates", "BAD_RATES", "rates.csv:2: margin"),
        ({"search": {"kind": "grid"}}, "search", "BAD_INPUT", "space"),
        ({"search": {"kind": "magic", "space": {"every": [1]}}}, "search", "BAD_INPUT", "magic"),
        ({"search": {"space": {"fast": [1, 2]}}}, "search", "BAD_INPUT", "fast"),
        ({"search": {"space": {"every": "1:1000000:1"}}}, "search", "BAD_INPUT", "every"),
    ],
)
def test_what_is_wrong_is_refused_by_name(
    preparing: Preparing, more: dict[str, Any], parameter: str, code: str, said: str
) -> None:
    with pytest.raises(AppError, match=said) as caught:
        preparing.record(asked(**more), 1)
    assert isinstance(caught.value, BadInput | BadCode)
    assert (caught.value.extra["parameter"], caught.value.code) == (parameter, code)


def test_the_accounts_own_rules_and_the_strategys_limits_go_with_it_as_the_gateway_keeps_them(
    preparing: Preparing, settings: Settings
) -> None:
    rule = {"id": "mine", "measure": "day_loss", "limit": 100, "action": "refuse"}
    with closing(open_store(settings, ACCOUNT)) as store:
        limits = StrategyLimits(store, lambda *_: 0, lambda *_: 0, lambda *_: 0)
        limits.put("mine", {"max_position": 2})
        limits.put("other", {"max_position": 9})
        RuleBook(store, thresholds.load(), date(2024, 1, 2)).write([rule])
    risk = preparing.record(asked(), 1).unit.risk
    assert list(risk.limits) == ["mine"]
    ledger = Ledger()
    now = datetime(2024, 1, 2, tzinfo=SHANGHAI)
    gate = gate_of(ledger, lambda: now, lambda _: None, lambda _: None, Owned(ledger, True), risk)
    assert gate.limits.of("mine").max_position == 2
    assert [(own.id, own.limit) for own in gate.book.rules if own.measure == "day_loss"] == [("mine", 100)]
