"""app/gateway/subscriptions.py: all or none, kept over restarts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.gateway.subscriptions import Subscriptions
from app.lib.errors import BadInput
from app.model.sqlite import SqliteStore


class Front:
    def __init__(self) -> None:
        self.heard: list[str] = []

    def subscribe(self, symbol: str) -> None:
        self.heard.append(f"+{symbol}")

    def unsubscribe(self, symbol: str) -> None:
        self.heard.append(f"-{symbol}")


class House:
    def __init__(self, path: Path) -> None:
        self.store = SqliteStore(path / "account.db")
        self.listed = {"rb2501.SHFE", "ag2502.SHFE"}
        self.front = Front()
        self.subscriptions = self.again()

    def again(self) -> Subscriptions:
        self.front = Front()
        self.subscriptions = Subscriptions(self.store, self.resolve, lambda: self.front)
        return self.subscriptions

    def resolve(self, symbol: str) -> str | None:
        return next((name for name in self.listed if symbol in (name, name.partition(".")[0])), None)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.store.close()


def test_a_contract_may_be_named_with_or_without_its_exchange_and_twice(house: House) -> None:
    assert house.subscriptions.add(["rb2501", " rb2501.SHFE ", "ag2502"]) == ["rb2501.SHFE", "ag2502.SHFE"]
    assert house.front.heard == ["+rb2501.SHFE", "+ag2502.SHFE"]


@pytest.mark.parametrize(
    "symbols", [["rb2501", "nope"], ["rb2501.DCE"], [], ["", " "], ["rb2501", "\x00" * 9999]]
)
def test_one_unknown_symbol_and_none_is_subscribed(house: House, symbols: list[str]) -> None:
    with pytest.raises(BadInput) as bad:
        house.subscriptions.add(symbols)
    assert bad.value.extra["parameter"] == "symbol"
    assert len(bad.value.message) < 200
    assert house.front.heard == []
    assert len(house.again()) == 0


def test_what_was_subscribed_is_asked_for_again_after_a_restart(house: House) -> None:
    house.subscriptions.add(["rb2501", "ag2502"])
    house.subscriptions.remove(["ag2502"])
    house.again().restore()
    assert house.front.heard == ["+rb2501.SHFE"]


def test_a_contract_that_has_expired_meanwhile_is_let_go(house: House) -> None:
    house.subscriptions.add(["rb2501", "ag2502"])
    house.listed.discard("rb2501.SHFE")
    house.again().restore()
    assert house.front.heard == ["+ag2502.SHFE"]
    assert len(house.again()) == 1


def test_unsubscribing_what_was_not_subscribed_tells_the_market_nothing(house: House) -> None:
    assert house.subscriptions.remove(["rb2501"]) == ["rb2501.SHFE"]
    assert house.front.heard == []
