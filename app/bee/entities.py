"""ctpbee's entities on their way from a gateway to its strategies. Pure; gateway and strategy processes.

An entity travels as its `__dict__`, in msgpack: read directly (ctpbee's `_to_dict()` costs 56 µs) and written
directly, which leaves out `__init__` and its computed names, since these are in the dict. Enums travel as
their values, moments as UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from enum import Enum
from typing import Any

import msgspec
from ctpbee.constant import (
    AccountData,
    BarData,
    ContractData,
    Direction,
    Entity,
    Exchange,
    Interval,
    Offset,
    OptionType,
    OrderData,
    OrderType,
    PositionData,
    Product,
    Status,
    TickData,
    TradeData,
)

from app.lib.bars import Bar
from app.lib.book import Position
from app.lib.calendar import SHANGHAI
from app.lib.rows import OtherStatus

KINDS: dict[str, type[Entity]] = {
    kind.__name__: kind
    for kind in (TickData, BarData, OrderData, TradeData, PositionData, AccountData, ContractData)
}


class State(msgspec.Struct):
    """An account as a strategy finds it when it joins; entities as their dicts."""

    trading_day: str
    config: dict[str, Any]
    fronts: dict[str, dict[str, str]]
    contracts: list[dict[str, Any]]
    positions: list[Position]
    account: dict[str, Any] | None
    orders: list[dict[str, Any]]
    trades: list[dict[str, Any]]
    ticks: list[dict[str, Any]]
    cut: int = 0


class Book(msgspec.Struct, array_like=True):
    """The account's positions and money after a change.

    `cut` says how new they are: it rises with each cut that the gateway makes, over its restarts too. What
    comes to a strategy by two ways (an answer, and pushes that have waited since before it) is told apart by
    it.
    """

    positions: list[Position]
    account: dict[str, Any] | None
    cut: int = 0


_encoder = msgspec.msgpack.Encoder(enc_hook=str)
_fields = msgspec.msgpack.Decoder(dict[str, Any])


def encode(thing: Any) -> bytes:
    """Msgpack of an entity's dict, a State or a Book."""
    return _encoder.encode(vars(thing) if isinstance(thing, Entity) else thing)


def decode(payload: bytes) -> Any:
    """The entity again."""
    return entity(_fields.decode(payload))


def entity(fields: dict[str, Any]) -> Any:
    """The entity of its dict, which becomes the entity's own."""
    kind = KINDS[fields["__name__"]]
    for name, read in _readers[kind]:
        value = fields.get(name)
        if value is not None:
            fields[name] = read(value)
    made = object.__new__(kind)
    made.__dict__.update(fields)
    return made


def copy_of(one: Any) -> Any:
    """Another entity with the same values."""
    made = object.__new__(type(one))
    object.__setattr__(made, "__dict__", vars(one).copy())
    return made


def bar_data(bar: Bar, contract: ContractData, trading_day: str) -> BarData:
    """A closed 1-minute bar of this contract."""
    return bar_of(bar, bar_form(contract, trading_day), datetime.fromtimestamp(bar[0] / 1000, SHANGHAI))


def bar_form(contract: ContractData, trading_day: str) -> dict[str, Any]:
    """A BarData's `__dict__` with what all 1-minute bars of a contract and day share, for `bar_of`."""
    return {
        "__name__": "BarData",
        "symbol": contract.symbol,
        "exchange": contract.exchange,
        "local_symbol": contract.local_symbol,
        "datetime": None,
        "interval": Interval.MINUTE,
        "open_price": 0.0,
        "high_price": 0.0,
        "low_price": 0.0,
        "close_price": 0.0,
        "volume": 0,
        "turnover": 0.0,
        "open_interest": 0.0,
        "trading_day": trading_day,
        "gateway_name": contract.gateway_name,
    }


def bar_of(bar: Bar, form: dict[str, Any], start: datetime) -> BarData:
    """The bar that begins at `start`, aware. Past `__init__`, which takes longer than all of the rest."""
    made = object.__new__(BarData)
    values = made.__dict__
    values.update(form)
    (
        _,
        values["open_price"],
        values["high_price"],
        values["low_price"],
        values["close_price"],
        values["volume"],
        values["turnover"],
        values["open_interest"],
        _,
    ) = bar
    values["datetime"] = start
    return made


def dicts(entities: Iterable[Any]) -> list[dict[str, Any]]:
    return [vars(one) for one in entities]


def _values(*kinds: type[Enum]) -> Callable[[Any], Any]:
    members = {member.value: member for kind in kinds for member in kind}
    return lambda value: members.get(value, value)


def _moment(value: Any) -> Any:
    return value.astimezone(SHANGHAI) if isinstance(value, datetime) else value


_exchange, _direction, _offset = _values(Exchange), _values(Direction), _values(Offset)
_readers: dict[type[Entity], list[tuple[str, Callable[[Any], Any]]]] = {
    TickData: [("exchange", _exchange), ("datetime", _moment)],
    BarData: [("exchange", _exchange), ("datetime", _moment), ("interval", _values(Interval))],
    OrderData: [
        ("exchange", _exchange),
        ("direction", _direction),
        ("offset", _offset),
        ("type", _values(OrderType)),
        ("status", _values(Status, OtherStatus)),
    ],
    TradeData: [("exchange", _exchange), ("direction", _direction), ("offset", _offset)],
    PositionData: [("exchange", _exchange), ("direction", _direction)],
    AccountData: [],
    ContractData: [
        ("exchange", _exchange),
        ("product", _values(Product)),
        ("option_type", _values(OptionType)),
        *(
            (name, date.fromisoformat)
            for name in (
                "create_date",
                "open_date",
                "expire_date",
                "start_delivery_date",
                "end_delivery_date",
            )
        ),
    ],
}
