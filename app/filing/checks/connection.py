"""1.1 connectivity, 1.2 basic trading, 2.1 the state of the connection. Command's own process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from app.filing.checks.base import Bench, Check
from app.filing.desk import said
from app.filing.station import until
from app.filing.trace import Trace

LOGIN, NOTICED, BACK = 60.0, 200.0, 200.0  # seconds; CTP notices silence after two minutes
LOGGED = 10.0  # seconds for the log to have what a state has told already
LOST, READY, MARKET_READY = "交易前置：已断开", "交易前置：就绪", "行情前置：就绪"
TRADE_FIELDS = ("local_symbol", "direction", "offset", "price", "volume", "status")


def connectivity(bench: Bench, trace: Trace) -> None:
    station, ticket = bench.station, bench.station.ticket
    real = ticket.interface != "sim"
    trace.did(f"登录 {ticket.what}，账号 {ticket.userid}" + (f"，AppID {ticket.appid}" if real else ""))
    answer = station.log_in()
    trace.need(answer.get("success"), f"登录没有成功：{answer.get('msg', '')}")
    trace.need(until(lambda: both_ready(station), LOGIN), "登录之后前置没有就绪：交易、行情前置见运行日志")
    both = (READY, MARKET_READY)
    until(lambda: (entries := station.audit()) and all(line_of(entries, told) for told in both), LOGGED)
    entries = station.audit()
    trace.keep_rows("run.jsonl", [entry for entry in entries if entry["kind"] == "run"])
    for told in both:
        trace.need(line_of(entries, told), f"日志里没有“{told}”")
        trace.saw(line_of(entries, told))
    if real:
        for name, value in (("交易前置", ticket.td), ("行情前置", ticket.md), ("AppID", ticket.appid)):
            found = line_of(entries, value)
            trace.need(found, f"日志里没有{name} {value}")
        trace.saw(line_of(entries, ticket.appid))
    bench.desk.open()
    trace.saw(f"已订阅 {bench.desk.symbol}，有行情")
    trace.shot("login", ticket.account, "交易前置：就绪", "行情前置：就绪", tab="日志")
    trace.shot("front", line_of(entries, "登录：").partition(" 登录：")[2], tab="日志", search="登录：")


def basic_trading(bench: Bench, trace: Trace) -> None:
    desk, station = bench.desk, bench.station
    mark = station.audit_end()
    ids = []
    for direction, offset, what in (("long", "open", "开仓"), ("short", desk.close_offset(), "平仓")):
        price = desk.crossing(direction)
        trace.did(f"{what}：{desk.symbol} 1 手，限价 {price:g}")
        order_id = desk.placed(direction, offset, price, 1)
        row = desk.ended(order_id)
        trace.need(row["status"] == "全部成交", f"{what}没有成交：{said(row)}")
        trace.saw(said(row))
        ids.append((order_id, "全部成交"))
    trace.did(f"撤单：{desk.symbol} 1 手，限价 {desk.far():g} 挂单，再撤")
    order_id = desk.placed("long", "open", desk.far(), 1)
    answer = desk.cancel(order_id)
    row = desk.ended(order_id)
    trace.need(row["status"] == "已撤销", f"没有撤成：{said(row)}，{answer.get('msg', '')}")
    trace.saw(said(row))
    ids.append((order_id, "已撤销"))
    until(lambda: not unlogged(station.audit(mark), ids), LOGGED)
    entries = station.audit(mark)
    trace.keep_rows("trade.jsonl", [entry for entry in entries if entry["kind"] == "trade"])
    missing = unlogged(entries, ids)
    trace.need(not missing, f"交易日志里没有 {'、'.join(missing)} 的完整记录")
    trace.shot("orders", "全部成交", "已撤销", tab="委托")
    trace.shot("log", f"撤单已发出：{order_id}", tab="日志")


def connection_state(bench: Bench, trace: Trace) -> None:
    """The path is cut, not the login ended: the disconnect and the reconnect have to be those of that cut."""
    station = bench.station
    trace.did("注销，再经本机的转发登录：网关与前置之间由此可以断开")
    station.log_out()
    before = station.audit_end()
    answer = station.log_in(through_line=True)
    trace.need(answer.get("success"), f"经转发登录没有成功：{answer.get('msg', '')}")
    trace.need(until(lambda: both_ready(station), LOGIN), "经转发登录之后前置没有就绪")
    until(lambda: line_of(station.audit(before), READY), LOGGED)  # what follows is the cut's own
    trace.saw(f"转发：{station.line}")
    bench.desk.open()
    mark, known = station.audit_end(), cuts_of(station)
    by_hand = bench.guide.says_yes("由你自己断开网络（拔线、断网卡），而不用转发断开")
    if by_hand:
        bench.guide.wait("现在断开网络")
        trace.did("交易者自己断开了网络")
    else:
        cut = station.cut()
        trace.did(f"切断网络通路：结束 {cut} 条到前置的连接，之后的连接不再接受（不是注销）")
        trace.need(cut, "没有一条连接经过转发，切断没有意义")
    try:
        noticed = until(lambda: station.front("td") not in ("ready", ""), NOTICED)
        trace.need(noticed, "断开之后，交易前置没有显示断开")
        until(lambda: line_of(station.audit(mark), LOST), LOGGED)
        trace.saw(line_of(station.audit(mark), LOST) or f"交易前置的状态 {station.front('td')}")
        trace.shot("disconnected", "交易前置", "已断开", tab="日志", search="前置")
    finally:
        mended = station.audit_end()
        if by_hand:
            bench.guide.wait("现在恢复网络")
            trace.did("交易者自己恢复了网络")
        else:
            station.mend()
            trace.did("恢复网络通路")
    trace.need(until(lambda: both_ready(station), BACK), "恢复之后，交易前置没有重新就绪")
    until(lambda: line_of(station.audit(mended), READY), LOGGED)
    entries = station.audit(mark)
    trace.keep_rows("run.jsonl", entries)
    trace.need(*judged_cut(entries, mended))
    until(lambda: ended_cut(station, known), BACK)
    trace.keep_rows("connections.jsonl", [cut for cut in cuts_of(station) if cut not in known])
    kept = ended_cut(station, known)
    trace.need(kept, "断线记录里没有这一次，或没有它的恢复")
    trace.saw(f"断线记录：{kept}")
    trace.saw(line_of([entry for entry in entries if entry["seq"] > mended], READY))
    trace.shot("reconnected", "交易前置：就绪", tab="日志", search="前置")


def cuts_of(station: Any) -> list[dict[str, Any]]:
    """The account's history of cuts, the newest first."""
    return list(station.do("GET", "/risk/connections")["connections"])


def ended_cut(station: Any, known: list[dict[str, Any]]) -> str:
    """The trading front's cut that is new and over, in words; "" for none."""
    for cut in cuts_of(station):
        if cut["what"] == "td" and cut["end"] and cut not in known:
            return f"{cut['text']} {cut['begin']} 至 {cut['end']}，{cut['reason']}"
    return ""


def judged_cut(entries: Iterable[Mapping[str, Any]], mended: int) -> tuple[bool, str]:
    """Whether these entries, which begin before the cut, show it: a disconnect before the path was mended, a
    front that is ready after it and not in between. The reason where they do not.
    """
    lost = [entry["seq"] for entry in entries if str(entry["text"]).startswith(LOST)]
    ready = [entry["seq"] for entry in entries if str(entry["text"]).startswith(READY)]
    if not lost or min(lost) > mended:
        return False, "运行日志里没有这次断开的记录"
    if any(min(lost) < seq <= mended for seq in ready):
        return False, "网络断着的时候，日志里前置却又就绪了：断开的不是这条通路"
    if not any(seq > mended for seq in ready):
        return False, "运行日志里没有这次断开之后的重连"
    return True, ""


def both_ready(station: Any) -> bool:
    return all(station.front(side) == "ready" for side in ("td", "md"))


def line_of(entries: Iterable[Mapping[str, Any]], words: str) -> str:
    """The newest entry that has these words, with its time; "" for none."""
    found = [entry for entry in entries if words and words in str(entry["text"])]
    return f"{found[-1]['time']} {found[-1]['text']}" if found else ""


def unlogged(entries: Iterable[Mapping[str, Any]], orders: Iterable[tuple[str, str]]) -> list[str]:
    """The orders of which no entry of kind trade has the end that it should, with all that is asked for."""
    whole = {
        (entry["data"]["order_id"], entry["data"]["status"])
        for entry in entries
        if entry["kind"] == "trade"
        and entry["text"] == "委托"
        and all(entry["data"].get(name) not in (None, "") for name in TRADE_FIELDS)
    }
    return [order_id for order_id, status in orders if (order_id, status) not in whole]


CHECKS = (
    Check("1.1", "连通性", "登录成功；日志里有前置与 AppID", connectivity),
    Check("1.2", "基础交易功能", "开仓、平仓成交，撤单成功；交易日志各有记录", basic_trading),
    Check(
        "2.1",
        "系统连接状态异常监测",
        "切断网络通路后显示断开，恢复后显示重连；都是这一次切断的",
        connection_state,
    ),
)
