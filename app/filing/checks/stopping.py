"""5.1 pausing trading, 5.2 batch cancels. Command's own process."""

from __future__ import annotations

from typing import Any

from app.filing.checks.base import Bench, Check
from app.filing.checks.connection import both_ready, line_of
from app.filing.desk import WORKING, said
from app.filing.outcome import NotReached
from app.filing.station import until
from app.filing.trace import Trace

PATIENCE = 30.0  # seconds
MOST_TRIES = 5  # to have an order filled in part
STRATEGY = "filing"
CODE = '''"""报备检查 5.1 用：约每秒在跌停价附近报一张 1 手的买单，只为了看它被暂停。"""

import time

from ctpbee import CtpbeeApi


class Filing(CtpbeeApi):
    def __init__(self, name):
        super().__init__(name)
        self.instrument_set = {{"{symbol}"}}
        self.next = 0.0
        self.count = 0

    def on_tick(self, tick):
        if tick.local_symbol != "{symbol}" or time.monotonic() < self.next:
            return
        self.next = time.monotonic() + 1.2
        self.count += 1
        self.action.buy_open({far} + self.count % 20 * {pricetick}, 1, tick)


ext = Filing("{name}")
'''


def pausing(bench: Bench, trace: Trace) -> None:
    _restrict_account(bench, trace)
    _pause_strategy(bench, trace)
    _log_out_by_force(bench, trace)


def _restrict_account(bench: Bench, trace: Trace) -> None:
    desk, station = bench.desk, bench.station
    resting = desk.placed("long", "open", desk.far(), 1)
    mark, known = station.audit_end(), len(desk.rows())
    trace.did("限制账户：POST /risk/state halted")
    try:
        station.do("POST", "/risk/state", state="halted", why="报备检查 5.1")
        trace.did(f"在限制之下报单：{desk.symbol} 1 手")
        answer = desk.order("long", "open", desk.far() + desk.contract()["pricetick"], 1)
        trace.need(answer.get("error") == "RISK_HALTED", f"限制之下的报单没有因此被拒绝：{answer.get('msg')}")
        trace.need(len(desk.rows()) == known, "限制之下的报单发出去了")
        trace.saw(f"拒绝：{answer['msg']}")
        until(lambda: line_of(station.audit(mark), "报备检查 5.1"), PATIENCE)
        trace.keep_rows("account.jsonl", station.audit(mark))
        trace.need(line_of(station.audit(mark), "报备检查 5.1"), "日志里没有这次限制")
        trace.shot("account", "暂停交易", str(answer["msg"]), tab="日志", search="暂停交易")
        desk.cancel(resting)
        row = desk.ended(resting)
        trace.need(row["status"] == "已撤销", f"限制之下不能撤单：{said(row)}")
        trace.saw(f"限制之下撤单照常：{said(row)}")
    finally:
        station.do("POST", "/risk/state", state="active", why="报备检查 5.1 完")


def _pause_strategy(bench: Bench, trace: Trace) -> None:
    desk, station = bench.desk, bench.station
    text = CODE.format(
        symbol=desk.symbol, far=desk.far(), pricetick=desk.contract()["pricetick"], name=STRATEGY
    )
    trace.did(f"启动策略 {STRATEGY}，它约每秒报一张单")
    station.do("POST", "/code", text=text)
    station.do("PUT", "/strategy", name=STRATEGY, operation="开启")
    try:
        trace.need(until(lambda: _orders_of(bench), PATIENCE), f"策略 {STRATEGY} 没有报单")
        mark = station.audit_end()
        trace.did(f"暂停策略：POST /risk/state halted，strategy={STRATEGY}")
        station.do("POST", "/risk/state", state="halted", strategy=STRATEGY, why="报备检查 5.1")
        known = len(_orders_of(bench))
        trace.need(
            until(lambda: _refusal_of(station.audit(mark)), PATIENCE), "暂停之后，策略的报单没有被拒绝的记录"
        )
        trace.need(len(_orders_of(bench)) == known, "暂停之后，策略的报单发出去了")
        trace.saw(_refusal_of(station.audit(mark)))
        trace.keep_rows("strategy.jsonl", station.audit(mark))
        trace.shot("strategy", f"策略 {STRATEGY}", tab="日志", search="暂停交易")
    finally:
        station.do("PUT", "/strategy", name=STRATEGY, operation="关闭")
        station.do("POST", "/risk/state", state="active", strategy=STRATEGY)
        station.ask("POST", "/risk/cancel", strategy=STRATEGY)


def _log_out_by_force(bench: Bench, trace: Trace) -> None:
    station = bench.station
    trace.did("强制退出：run.py halt logout")
    code, text = station.command("halt", "logout", station.ticket.account)
    trace.need(code == 0, f"强制退出没有成功：{text}")
    trace.need(until(lambda: station.front("td") == "", PATIENCE), "强制退出之后，账户仍登录着")
    trace.keep("logout.txt", text + "\n")
    trace.saw(text)
    trace.shot("logout", f"账户 {station.ticket.account} 须重新登录")
    answer = station.log_in(through_line=True)
    trace.need(answer.get("success"), f"强制退出之后不能再登录：{answer.get('msg', '')}")
    trace.need(until(lambda: both_ready(station), PATIENCE), "再登录之后前置没有就绪")
    bench.desk.open()
    trace.did("再登录")


def batch_cancel(bench: Bench, trace: Trace) -> None:
    desk, station = bench.desk, bench.station
    tick = desk.contract()["pricetick"]
    mark = station.audit_end()
    resting = [desk.placed("long", "open", desk.far() + at * tick, 1) for at in range(3)]
    try:
        part = _cancel_part(bench, trace)
        for order_id in resting:
            row = desk.row(order_id)
            trace.need(row["status"] in WORKING, f"没有选的也被撤了：{said(row)}")
        trace.did("批量撤单，从未成交的里选两张：POST /risk/cancel filled=none order_ids=…")
        results = station.do("POST", "/risk/cancel", filled="none", order_ids=",".join(resting[:2]))["orders"]
        trace.keep_rows("resting.jsonl", results)
        _need_cancelled(bench, trace, results, resting[:2])
        row = desk.row(resting[2])
        trace.need(row["status"] in WORKING, f"没有选的也被撤了：{said(row)}")
        trace.saw(f"没有选的仍在：{said(row)}")
        until(lambda: line_of(station.audit(mark), f"撤单已发出：{resting[1]}"), PATIENCE)
        trace.keep_rows("log.jsonl", [entry for entry in station.audit(mark) if entry["kind"] == "trade"])
        trace.shot("orders", "已撤销", "未成交", tab="委托")
        trace.shot("log", f"撤单已发出：{part}", f"撤单已发出：{resting[0]}", tab="日志", search="撤单")
    finally:
        desk.cancel(resting[2])


def _cancel_part(bench: Bench, trace: Trace) -> str:
    """The order that was filled in part, and cancelled because it was: of more lots than are offered at its
    price. The market may fill the rest before the cancel is there: then it is tried again. Raises NotReached.
    """
    desk = bench.desk
    for _attempt in range(MOST_TRIES):
        ask, volume = desk.more_than_offered()
        trace.did(f"报 {volume} 手，多于卖一 {ask:g} 所有的")
        order_id = desk.placed("long", "open", ask, volume)
        try:
            until(lambda placed=order_id: desk.row(placed)["traded"] > 0, 1.0)  # type: ignore[misc]
            trace.saw(said(desk.row(order_id)))
            trace.did("批量撤单，只选部分成交的：POST /risk/cancel filled=part")
            results = bench.station.do("POST", "/risk/cancel", filled="part", local_symbol=desk.symbol)[
                "orders"
            ]
            row = desk.row(order_id)
            if results or row["status"] == "部分成交":
                trace.keep_rows("part.jsonl", results)
                _need_cancelled(bench, trace, results, [order_id])
                trace.need(row["traded"], f"撤的不是部分成交的：{said(row)}")
                return order_id
            trace.saw(f"已不是部分成交，再试：{said(row)}")
        finally:
            _close(bench, trace, order_id)
    raise NotReached(f"{MOST_TRIES} 次都没有得到部分成交的委托")


def _need_cancelled(bench: Bench, trace: Trace, results: list[dict[str, Any]], wanted: list[str]) -> None:
    """These and no others were cancelled, by what was answered and by the orders' own rows."""
    chosen = [result["order_id"] for result in results]
    trace.need(
        sorted(chosen) == sorted(wanted), f"选中的应是 {'、'.join(wanted)}，是 {'、'.join(chosen) or '没有'}"
    )
    for order_id in wanted:
        row = bench.desk.ended(order_id)
        trace.need(row["status"] == "已撤销", f"没有撤成：{said(row)}")
        trace.saw(said(row))


def _close(bench: Bench, trace: Trace, order_id: str) -> None:
    """What the check has opened; whether that worked says nothing of the check. Nothing of it rests after it:
    the next try would trade with it.
    """
    desk = bench.desk
    row = desk.row(order_id)
    if row["status"] in WORKING:
        desk.cancel(order_id)
        row = desk.ended(order_id)
    if row["traded"]:
        answer = desk.order("short", desk.close_offset(), desk.crossing("short"), int(row["traded"]))
        trace.did(f"平掉本项成交的 {row['traded']:g} 手：{answer.get('msg', '')}")
        if answer.get("success"):
            closing = str(answer["order_id"])
            if desk.ended(closing)["status"] in WORKING:
                desk.cancel(closing)
                desk.ended(closing)


def _orders_of(bench: Bench) -> list[dict[str, Any]]:
    return [row for row in bench.desk.rows() if row.get("strategy") == STRATEGY]


def _refusal_of(entries: list[dict[str, Any]]) -> str:
    """The entry that tells of the strategy's refused order; "" for none."""
    refusals = [
        entry for entry in entries if entry["kind"] in ("error", "watch") and "未发出" in entry["text"]
    ]
    return line_of(refusals, f"策略 {STRATEGY}")


CHECKS = (
    Check("5.1", "暂停交易", "限制账户、暂停策略后不再报单，撤单照常；强制退出", pausing),
    Check("5.2", "批量撤单", "从所选的里撤：部分成交的、未成交的；没有选的不动", batch_cancel),
)
