"""Bars that are in no file: the reference's database, as a backtest asks it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from app.backtest.market_data.data import NoData, Span, bars_from_store
from app.commands.bar_sources import ReferenceBars, source_uri
from app.lib.errors import BadInput
from app.settings import Settings

SYMBOL = "rb2401.SHFE"


class Collections:
    """The reference's: naive exchange time, the newest document of a minute counts, one is no bar."""

    def collections(self) -> list[str]:
        return [SYMBOL]

    def documents(self, _collection: str) -> Iterator[dict[str, Any]]:
        prices = {"open_price": 1.0, "high_price": 2.0, "low_price": 1.0, "close_price": 2.0}
        for day in (9, 10):
            for minute in (0, 1):
                yield {"timestamp": datetime(2023, 10, day, 9, minute), **prices, "volume": 5}
        yield {"timestamp": datetime(2023, 10, 10, 9, 1), **prices, "volume": 7}
        yield {"timestamp": "soon", **prices, "volume": 7}


def test_an_address_with_a_password_stands_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings()
    assert source_uri(settings, "mongodb://there/") == "mongodb://there/"
    with pytest.raises(BadInput, match="SOURCE_MONGO_URI"):
        source_uri(settings, "-")
    with_own = Settings(mongo_uri="mongodb://own/")
    assert source_uri(with_own, "-") == "mongodb://own/"
    monkeypatch.setenv("SOURCE_MONGO_URI", "mongodb://me:secret@there/")
    assert source_uri(with_own, "-") == "mongodb://me:secret@there/"


def test_the_references_bars_are_a_store_for_a_backtest() -> None:
    store = ReferenceBars(Collections())  # type: ignore[arg-type]
    assert store.series() == [(SYMBOL, "1m")]
    found = bars_from_store(store, [SYMBOL], Span("20231010"))[SYMBOL]
    assert [bar.volume for bar in found] == [5, 7]
    assert store.read_bars(SYMBOL, "1m", limit=1) == found[-1:]
    with pytest.raises(NoData, match="有的是交易日 20231009 至 20231010"):
        bars_from_store(store, [SYMBOL], Span("20240101"))
    with pytest.raises(NoData, match="这个品种有：rb2401.SHFE"):
        bars_from_store(store, ["rb2405.SHFE"])
