"""What data a job of the server runs over: bars of the account's store, main contracts, recorded ticks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.backtest.jobs.preparing import Preparing
from app.backtest.market_data.data import load
from app.backtest.running.units import Depot, Unit
from app.gateway.tick_recorder import TickRecorder
from app.lib.bars import Bar
from app.lib.errors import BadInput
from app.model import store_path
from app.model.sqlite import SqliteStore
from app.settings import Settings
from app.wire.frames import DepthField
from app.wire.messages import SubmitBacktest

ACCOUNT = "sim-9999-demo"
TEXT = """
from ctpbee import CtpbeeApi

class Mine(CtpbeeApi):
    pass

ext = Mine("mine")
"""
START = 1_696_899_600_000  # 2023-10-10 09:00


class World:
    def __init__(self, folder: Path) -> None:
        self.data_dir = folder / "data"
        self.depot = Depot(folder / "depot")
        self.preparing = Preparing(Settings(data_dir=self.data_dir), self.depot, folder / "backtest")

    def keep(self, *local_symbols: str) -> None:
        store = SqliteStore(store_path(self.data_dir, ACCOUNT))
        for name in local_symbols:
            bars = [Bar(START + 60_000 * at, 1, 2, 1, 2, 5, 0.0, 100.0) for at in range(3)]
            store.save_bars(name, "1m", bars)
        store.close()

    def unit(self, **asked: Any) -> Unit:
        return self.preparing.record(SubmitBacktest(account=ACCOUNT, text=TEXT, **asked), 1).unit

    def loaded(self, unit: Unit) -> Any:
        return load([self.depot.path(piece) for piece in unit.data], contracts=unit.contracts)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_main_contracts_take_all_months_of_the_product_from_the_store(world: World) -> None:
    world.keep("rb2401.SHFE", "rb2405.SHFE", "m2401.DCE")
    unit = world.unit(main=["rb"])
    assert unit.main == ("rb",)
    assert world.loaded(unit).local_symbols == ["rb2401.SHFE", "rb2405.SHFE"]
    assert world.loaded(world.unit(contracts=["m2401.DCE"])).local_symbols == ["m2401.DCE"]


@pytest.mark.parametrize(
    ("asked", "parameter", "said"),
    [
        ({"main": ["zz"]}, "main", "不认识的品种 zz"),
        ({"main": ["SR"]}, "main", "没有品种 SR"),
        ({"main": ["rb"], "start": "20240101"}, "main", "没有品种 rb 这段时间"),
        ({"main": ["rb"], "contracts": ["rb2401.SHFE"]}, "main", "只给一种"),
        ({"by": "ticks", "contracts": ["rb2401.SHFE"]}, "start", "record_ticks"),
        ({"by": "ticks"}, "contracts", "缺少参数 contracts"),
    ],
)
def test_data_that_is_not_there_is_said(
    world: World, asked: dict[str, Any], parameter: str, said: str
) -> None:
    world.keep("rb2401.SHFE")
    with pytest.raises(BadInput, match=said) as refused:
        world.unit(**asked)
    assert refused.value.extra["parameter"] == parameter


def test_recorded_ticks_of_the_range_and_of_the_contracts_alone(world: World) -> None:
    folder = world.data_dir / "accounts" / ACCOUNT / "ticks"
    for day in ("20231009", "20231010", "20231011"):
        recorder = TickRecorder(folder, lambda day=day: day, 0, 0)  # type: ignore[misc]
        recorder.take([tick(symbol, day) for symbol in ("rb2401", "rb2405")])
        recorder._write_safely(at_once=True)
        recorder._give_up()
    unit = world.unit(by="ticks", contracts=["rb2405.SHFE"], start="20231010", end="20231011")
    assert unit.contracts == ("rb2405.SHFE",)
    rows = world.loaded(unit).ticks
    assert [(row.trading_day, row.depth.InstrumentID) for row in rows] == [
        ("20231010", "rb2405"),
        ("20231011", "rb2405"),
    ]
    with pytest.raises(BadInput, match="有的是 20231009 至 20231011"):
        world.unit(by="ticks", contracts=["rb2405.SHFE"], start="20240101")


def tick(symbol: str, day: str) -> DepthField:
    prices = dict.fromkeys(
        (
            *("LastPrice", "OpenPrice", "HighestPrice", "LowestPrice", "PreSettlementPrice"),
            *("PreClosePrice", "UpperLimitPrice", "LowerLimitPrice"),
        ),
        3700.0,
    )
    return DepthField(
        InstrumentID=symbol,
        ExchangeID="SHFE",
        TradingDay=day,
        ActionDay=day,
        UpdateTime="09:30:00",
        UpdateMillisec=0,
        Volume=1,
        Turnover=37_000.0,
        OpenInterest=1.0,
        PreOpenInterest=1.0,
        **prices,
    )
