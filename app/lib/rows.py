"""Rows as the pages get them: ctpbee's entities and the book's positions as flat objects, and their JSON.
Pure; gateway process.

An entity is read through its `__dict__`, never through `_to_dict()` (which costs 56 µs a tick), and never
changed: whoever hears of it next gets the same object. Enums become their Chinese words, times naive exchange
time with milliseconds, and what has no value (NaN, infinity, CTP's 1.79769e+308) becomes 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import orjson
from msgspec.structs import asdict

from app.lib.book import Money, Position
from app.lib.calendar import SHANGHAI
from app.lib.product_names import PRODUCT_NAMES


class OtherStatus(Enum):
    """States of an order for which ctpbee has no word. To the first two only orders of other terminals
    come.
    """

    UNTRIGGERED = (
        "未触发"  # a conditional order that waits for its price: it freezes nothing, and can be cancelled
    )
    TRIGGERED = "已触发"  # one that has ended so: what it triggered is an order of its own
    UNKNOWN = "状态未知"
    """The counter has it, in a state that says nothing of it, or shows it no more: it freezes nothing, and
    can be cancelled.
    """


WORKING = ("提交中", OtherStatus.UNKNOWN.value, OtherStatus.UNTRIGGERED.value, "未成交", "部分成交")
"""Statuses of an order that may still trade: what `active_order` lists and what a cancel is for."""

_ABSENT = 1e300  # CTP writes DBL_MAX where there is no price; nothing real comes near


def time_text(moment: datetime) -> str:
    """`YYYY-MM-DD HH:MM:SS.mmm` in exchange time; a naive `moment` is taken to be in it already."""
    if moment.tzinfo is not None:
        moment = (moment if moment.tzinfo is SHANGHAI else moment.astimezone(SHANGHAI)).replace(tzinfo=None)
    return moment.isoformat(sep=" ", timespec="milliseconds")


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if -_ABSENT < value < _ABSENT else 0  # NaN fails both comparisons
    if isinstance(value, str | int) or value is None:
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return _plain(float(value))
    return str(value)


_defaults_of: dict[type, dict[str, Any]] = {}


def _defaults(kind: type) -> dict[str, Any]:
    """What an instance of this entity class has without its `__dict__` saying so."""
    known = _defaults_of.get(kind)
    if known is None:
        fields = (name for name in dir(kind) if not name.startswith(("_", "create")))
        known = _defaults_of[kind] = {
            name: _plain(getattr(kind, name)) for name in fields if not callable(getattr(kind, name))
        }
    return known


def row_of(entity: Any) -> dict[str, Any]:
    """The flat row of a ctpbee entity, extras included. On the path of every tick."""
    row = _defaults(type(entity)).copy()
    for name, value in vars(entity).items():
        kind = type(value)
        if kind is float:
            row[name] = value if -_ABSENT < value < _ABSENT else 0
        elif kind is str or kind is int:
            row[name] = value
        else:
            row[name] = _plain(value)
    row.pop("__name__", None)
    return row


def contract_row(contract: Any) -> dict[str, Any]:
    """A contract in ctpbee's words alone (on the object CTP's stand beside them), with the day's limits and
    the fees.
    """
    row = {name: value for name, value in row_of(contract).items() if name[0].islower()}
    fees = {
        f"{offset}_fee_by_{unit}": getattr(contract, f"{name}RatioBy{unit.capitalize()}")
        for offset, name in (("open", "Open"), ("close", "Close"), ("close_today", "CloseToday"))
        for unit in ("money", "volume")
    }
    margins = {
        f"{side}_margin_by_volume": getattr(contract, f"{side.capitalize()}MarginRatioByVolume")
        for side in ("long", "short")
    }
    limits = {"limit_up": contract.UpperLimitPrice, "limit_down": contract.LowerLimitPrice}
    return (
        row
        | fees
        | margins
        | limits
        | {
            "pre_settlement_price": contract.PreSettlementPrice,
            "product_id": contract.ProductID,
            "product_name": product_name(contract),
        }
    )


def listed_contract(contract: Any) -> dict[str, Any]:
    """A contract as one of the list: `{local_symbol, symbol, exchange, name, product, product_name, size,
    pricetick, expire_date}`.
    """
    return {
        "local_symbol": contract.local_symbol,
        "symbol": contract.symbol,
        "exchange": contract.exchange.value,
        "name": contract.name,
        "product": contract.ProductID,
        "product_name": product_name(contract),
        "size": contract.size,
        "pricetick": contract.pricetick,
        "expire_date": _plain(contract.expire_date),
    }


def product_name(contract: Any) -> str:
    """In Chinese. A product that has no name here is called as its contract is, without the month."""
    product = contract.ProductID
    return PRODUCT_NAMES.get(product) or contract.name.rstrip("0123456789") or product


def position_row(position: Position) -> dict[str, Any]:
    """A position in the words of ctpbee's `get_all_positions`; `position_profit` by date, `float_pnl` by
    trade.
    """
    row = {name: _plain(value) for name, value in position._asdict().items()}
    local_symbol = f"{position.symbol}.{position.exchange}"
    return row | {
        "local_symbol": local_symbol,
        "local_position_id": f"{local_symbol}.{position.direction}",
        "pnl": row["position_profit"],
    }


def account_row(money: Money, accountid: str, gateway_name: str, trading_day: str) -> dict[str, Any]:
    """The account in ctpbee's words (`balance`, `available`, `frozen`) and CTP's for the rest, in yuan."""
    row = {name: _plain(value) for name, value in asdict(money).items()}
    return {
        "accountid": accountid,
        "local_account_id": f"{gateway_name}.{accountid}",
        "gateway_name": gateway_name,
        "trading_day": trading_day,
        **row,
        "frozen": _plain(money.frozen_margin + money.frozen_commission),
        "risk_degree": round(row["margin"] / row["balance"], 6) if row["balance"] > 0 else 0,
    }


ACCOUNT_LABELS = {
    "accountid": "账号",
    "available": "可用资金",
    "balance": "动态权益",
    "frozen": "冻结资金",
    "gateway_name": "接口",
    "local_account_id": "本地账号",
    "trading_day": "交易日",
    "pre_balance": "昨结存",
    "deposit": "入金",
    "withdraw": "出金",
    "margin": "占用保证金",
    "frozen_margin": "冻结保证金",
    "frozen_commission": "冻结手续费",
    "commission": "手续费",
    "close_profit": "平仓盈亏",
    "position_profit": "持仓盈亏",
    "other_funds": "权利金质押等",
    "withheld": "其它占用",
    "withdraw_quota": "可取资金",
    "risk_degree": "风险度",
}
REFERENCE_ACCOUNT = ("accountid", "available", "balance", "frozen", "gateway_name", "local_account_id")
"""What ctpbee's account has, and the original page has labels for."""


def account_pairs(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """An account's row as the page's table has it: `[{"key", "value"}, …]` of ctpbee's own alone."""
    return [{"key": key, "value": row[key]} for key in REFERENCE_ACCOUNT]


def account_detail(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All of an account's row, with what a trader calls it: `[{"key", "label", "value"}, …]`."""
    return [{"key": key, "label": ACCOUNT_LABELS.get(key, key), "value": value} for key, value in row.items()]


def is_working(row: Mapping[str, Any]) -> bool:
    """Whether this order may still trade."""
    return row["status"] in WORKING


def progress(row: Mapping[str, Any]) -> tuple[int, float]:
    """How far an order has come; it never goes back (docs/domain.md, Orders 5).

    A refusal that is not the exchange's says that the counter has no such order: whatever the counter shows
    of it later is newer.
    """
    status = row["status"]
    if status == "拒单" and row.get("error_code") not in (None, "", "EXCHANGE_REJECT"):
        return 0, 0
    return (WORKING.index(status) if status in WORKING else len(WORKING)), row.get("traded") or 0


def is_older(row: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Whether the order had come further `before` than `row` says. An order out of sight has not come
    anywhere: whatever may still trade may get there, and what is heard of it next counts, but for lots that
    were filled.
    """
    unknown = OtherStatus.UNKNOWN.value
    if before["status"] == unknown or (row["status"] == unknown and is_working(before)):
        return (row.get("traded") or 0) < (before.get("traded") or 0)
    return progress(row) < progress(before)


def to_json(value: Any) -> bytes:
    """JSON of rows and of what is made of them."""
    return orjson.dumps(value)


def event(kind: str, data: Any, **more: Any) -> bytes:
    """The payload of most events: `{"type", "data"}`."""
    return orjson.dumps({"type": kind, **more, "data": data})
