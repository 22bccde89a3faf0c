"""The outcome of a run as one JSON document: the same inputs give the same bytes, so it has no time of the
wall and no path in it. Pure; backtest's child.

Times are naive exchange time; what each name means: docs/backtest.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import orjson

from app.backtest.engine.engine import Outcome, Plan
from app.backtest.market_data.data import Data
from app.backtest.report import figures
from app.backtest.report.candles import candles
from app.counter.products import TABLE
from app.lib.calendar import SHANGHAI
from app.lib.rows import row_of

FORMAT = 1
MINUTE = 60_000  # ms
MOST_EQUITY = 5000  # points; of more, evenly many and the last


class Made(NamedTuple):
    """What is told of the inputs beside plan and data."""

    version: str  # of the program
    texts: dict[str, str]  # by strategy
    start: str = ""
    end: str = ""
    rates: str = ""  # of which file; "" for the table that comes along
    unrated: Sequence[str] = ()  # products for which that file has nothing on some day
    parameters: Mapping[str, Mapping[str, Any]] = {}  # by strategy: what was set in place of the text's own


def brief(outcome: Outcome, plan: Plan, data: Data, made: Made) -> dict[str, Any]:
    """What a search compares: all but what happened one by one."""
    account = outcome.account
    fills = fills_of(outcome)
    days = [
        figures.Day(
            day.trading_day,
            float(day.after.balance),
            float(day.after.margin),
            float(day.before.commission),
            float(day.before.close_profit),
            float(
                day.after.balance - day.before.pre_balance - day.before.close_profit + day.before.commission
            ),
        )
        for day in outcome.days
    ]
    margin_peak = max([account.margin_peak, *(point.margin for point in outcome.equity)])
    return {
        "format": FORMAT,
        "settings": _settings(outcome, plan, data, made),
        "figures": figures.figures(plan.capital, days, fills, margin_peak, exposure=exposure(outcome, fills)),
        "warnings": warnings(outcome, data, made),
        **({"continuous": outcome.continuous} if outcome.continuous is not None else {}),
        "days": [day._asdict() for day in days],
    }


def document(outcome: Outcome, plan: Plan, data: Data, made: Made) -> dict[str, Any]:
    """All of it."""
    account = outcome.account
    fills = fills_of(outcome)
    return brief(outcome, plan, data, made) | {
        "equity": [
            [point.moment.replace(tzinfo=None).isoformat(), round(point.balance, 2), round(point.margin, 2)]
            for point in thinned(outcome.equity)
        ],
        "candles": candles(outcome.bars),
        "trades": [fill._asdict() for fill in fills],
        "round_trips": [trip._asdict() for trip in figures.round_trips(fills)],
        "orders": [_order(order) for order in account.orders.values()],
        "not_sent": [
            {
                "time": one.moment[:19],
                "strategy": one.strategy,
                "symbol": one.request.local_symbol,
                "price": one.request.price,
                "volume": one.request.volume,
                "reason": one.reason,
            }
            for one in account.not_sent
        ],
        "positions": [lot._asdict() for lot in outcome.days[-1].lots],
    }


def hashed(path: Path) -> str:
    """A file by its name and its bytes."""
    return f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"


def encoded(document: dict[str, Any]) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)


def fills_of(outcome: Outcome) -> list[figures.Fill]:
    return [
        figures.Fill(
            one.trade.trading_day,
            one.trade.datetime[:19],
            one.trade.symbol,
            one.trade.direction.value,
            one.trade.offset.value,
            int(one.trade.volume),
            one.trade.price,
            outcome.account.sizes[one.trade.symbol],
            one.commission,
            one.trade.strategy,
            one.slippage,
        )
        for one in outcome.account.trades
    ]


def exposure(outcome: Outcome, fills: Sequence[figures.Fill]) -> float | None:
    """Of the minutes with a bar in any contract, the share in which something was held."""
    minutes = sorted({bar[0] for bars in outcome.bars.values() for bar in bars})
    ends = {name.partition(".")[0]: bars[-1][0] + MINUTE for name, bars in outcome.bars.items() if bars}
    held = [
        (milliseconds(span.start), milliseconds(span.end) if span.end else ends[span.symbol])
        for span in figures.held(fills)
        if span.symbol in ends
    ]
    return figures.covered(minutes, held)


def milliseconds(moment: str) -> int:
    """Of naive exchange time, ISO."""
    return int(datetime.fromisoformat(moment).replace(tzinfo=SHANGHAI).timestamp() * 1000)


def thinned(points: list[Any]) -> list[Any]:
    """Evenly many, the last among them."""
    step = -(-len(points) // MOST_EQUITY) or 1
    return points[::-1][::step][::-1]


def warnings(outcome: Outcome, data: Data, made: Made) -> list[str]:
    """What a reader of the figures has to know."""
    found = []
    if made.unrated:
        found.append(f"费率文件里没有当时的 {'、'.join(made.unrated)}：按随程序的合约表计算")
    if not made.rates:
        found.append("手续费与保证金按随程序的合约表（见其日期），不是当时的：费率变过的品种，结果会不同")
    if data.bars:
        found.append("K 线没有涨跌停与结算价：以品种的幅度与当日均价代替；一分钟之内的先后是假定的")
    if outcome.unlisted:
        found.append(f"有行情而当日合约表中没有，没有交易：{'、'.join(outcome.unlisted)}")
    if outcome.continuous is not None:
        found += _of_rolls(outcome.continuous)
    else:
        found += _of_absent_contracts(outcome, data)
    if outcome.days[-1].lots:
        found.append("结束时仍有持仓，按最后的价格估值，没有平仓")
    if any(day.after.available < 0 for day in outcome.days):
        found.append("有的交易日结算后可用资金为负（追加保证金）：实盘会被要求入金或强平")
    return found


def _of_absent_contracts(outcome: Outcome, data: Data) -> list[str]:
    """A strategy that chose its contract by itself may have chosen one without data: it then does nothing."""
    without_bars = [
        app for app in outcome.account.apps if app.watched and app.watched.isdisjoint(outcome.bars)
    ]
    there = data.local_symbols if without_bars else []  # ticks of less than a minute make no bar
    return [
        f"策略 {app.name} 关注的 {'、'.join(sorted(app.watched))} 没有行情，有的是 {'、'.join(there)}"
        for app in without_bars
        if app.watched.isdisjoint(there)
    ]


def _of_rolls(continuous: dict[str, Any]) -> list[str]:
    """What a reader has to know of a run over main contracts."""
    counts = "、".join(f"{name} {len(one['rolls'])} 次" for name, one in continuous["products"].items())
    found = [f"主力连续：换月 {counts}，持仓按开盘价移仓并付手续费；价格没有复权，两个合约的差价见换月表"]
    for one in continuous["not_rolled"]:
        left = f"{one['not_closed']} 手没有平掉，{one['not_opened']} 手没有在 {one['new']} 重新开仓"
        found.append(f"{one['trading_day']} 移仓没有做完：{one['old']} {left}")
    return found


def _order(order: Any) -> dict[str, Any]:
    row = row_of(order)
    names = (
        "trading_day",
        "order_id",
        "strategy",
        "symbol",
        "direction",
        "offset",
        "type",
        "price",
        "volume",
    )
    more = ("traded", "status", "status_msg", "error_code", "error_message", "datetime")
    return {name: row[name] for name in (*names, *more)}


def _settings(outcome: Outcome, plan: Plan, data: Data, made: Made) -> dict[str, Any]:
    fills = {name: getattr(plan.fills, name) for name in plan.fills.__struct_fields__}
    return {
        "version": made.version,
        "capital": plan.capital,
        "strategies": {
            name: hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
            for name, text in made.texts.items()
        },
        "parameters": {
            name: dict(sorted(values.items())) for name, values in sorted(made.parameters.items())
        },
        "contracts": data.local_symbols,
        "by": "bars" if data.bars else "ticks",
        "data": data.hashes,
        "start": made.start,
        "end": made.end,
        "first": outcome.first.replace(tzinfo=None).isoformat(),
        "last": outcome.last.replace(tzinfo=None).isoformat(),
        "events": outcome.events,
        "trade_from": plan.trade_from,
        "fills": fills,
        "risk": msgspec.to_builtins(plan.risk),
        "rates": made.rates or hashed(TABLE),
        "year_days": figures.YEAR_DAYS,
    }
