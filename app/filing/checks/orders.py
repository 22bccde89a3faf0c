"""4.1 what the program refuses itself, 4.2 what the counter refuses. Command's own process."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from app.filing.checks.base import Bench, Check
from app.filing.station import until
from app.filing.trace import Trace

LOGGED = 10.0  # seconds for the log to have it
NO_MONEY, NO_POSITION = ("CTP_31",), ("CTP_30", "CTP_50", "CTP_51")
"""Of CTP's error list: 资金不足; 平仓量超过持仓量, 平今仓位不足, 平昨仓位不足."""


def order_check(bench: Bench, trace: Trace) -> None:
    """Nothing of these three leaves: no order is added by them."""
    desk, station = bench.desk, bench.station
    contract, mark, known = desk.contract(), station.audit_end(), len(desk.rows())
    tick, largest = contract["pricetick"], int(contract["max_limit_order_volume"])
    wrong = years_on(desk.symbol)
    tried = [
        ("错误的合约", f"{wrong} 1 手", desk.order("long", "open", desk.far(), 1, symbol=wrong)),
        (
            "错误的最小变动价位",
            f"{desk.symbol} 限价 {desk.far() + tick / 2:g}",
            desk.order("long", "open", desk.far() + tick / 2, 1),
        ),
        (
            "超过单笔最大手数",
            f"{desk.symbol} {largest + 1} 手",
            desk.order("long", "open", desk.far(), largest + 1),
        ),
    ]
    trace.keep_rows(
        "answers.jsonl", [{"what": what, "order": order} | answer for what, order, answer in tried]
    )
    for what, order, answer in tried:
        trace.did(f"{what}：{order}")
        trace.need(not answer.get("success"), f"{what}没有被拒绝")
        trace.need(not answer.get("order_id"), f"{what}的报单发出去了，编号 {answer.get('order_id')}")
        trace.need(answer.get("msg"), f"{what}被拒绝而没有说原因")
        trace.saw(f"拒绝：{answer['msg']}")
    trace.need(len(desk.rows()) == known, "被拒绝的报单里有发出去的")
    reasons = [str(answer["msg"]) for _what, _order, answer in tried]
    until(lambda: not unlogged(station.audit(mark), reasons), LOGGED)
    missing = unlogged(station.audit(mark), reasons)
    trace.need(not missing, f"错误日志里没有：{'；'.join(missing)}")
    trace.shot("refused", *reasons, tab="日志", search="报单未发出")


def years_on(local_symbol: str, years: int = 5) -> str:
    """The same month so many years later: well written, and listed by nobody yet."""
    symbol, _, exchange = local_symbol.rpartition(".")
    year, month = re.findall(r"(\d{1,2})(\d{2})$", symbol)[0]
    later = (int(year) + years) % 10 ** len(year)
    return f"{symbol[: -len(year) - 2]}{later:0{len(year)}d}{month}.{exchange}"


def counters_errors(bench: Bench, trace: Trace) -> None:
    """By the counter's own ErrorID and text: our checks let these orders through. The order that is to cost
    too much is at the day's lowest price, so that it rests should the money be enough after all.
    """
    desk, mark = bench.desk, bench.station.audit_end()
    bench.refused.clear()
    beyond = desk.beyond_means()
    if beyond is None:
        trace.lack("资金不足：没有一个合约的单笔最大手数超过这个账户的资金，请换一个资金少的测试账户")
    else:
        details, volume = beyond
        _refused(bench, trace, "资金不足", NO_MONEY, details, "long", "open", details["limit_down"], volume)
    contract = desk.contract()
    _refused(
        bench, trace, "持仓不足", NO_POSITION, contract, "short", desk.close_offset(), contract["limit_up"], 1
    )
    closed = desk.closed_now()
    if closed is None:
        trace.lack(
            "市场关闭：此刻没有休市的合约（日盘里各品种都开市），请在夜盘（如 21:00 至 23:00，股指休市）再做"
        )
    else:
        _refused(bench, trace, "市场关闭", (), closed, "long", "open", closed["limit_down"], 1)
    until(lambda: not unlogged(bench.station.audit(mark), bench.refused), LOGGED)
    entries = bench.station.audit(mark)
    trace.keep_rows("error.jsonl", [entry for entry in entries if entry["kind"] == "error"])
    missing = unlogged(entries, bench.refused)
    trace.need(not missing, f"错误日志里没有：{'；'.join(missing)}")
    trace.need(bench.refused, "柜台一次也没有拒绝")
    trace.shot("errors", *bench.refused, tab="日志", search="被拒")


def _refused(
    bench: Bench,
    trace: Trace,
    what: str,
    codes: tuple[str, ...],
    contract: Mapping[str, Any],
    direction: str,
    offset: str,
    price: float,
    volume: int,
) -> None:
    """An order that the counter has to refuse, with one of its codes; `()`: the exchange may, too, which has
    texts and no codes.
    """
    symbol = str(contract["local_symbol"])
    trace.did(f"{what}：{symbol} {volume} 手，限价 {price:g}")
    answer = bench.desk.order(direction, offset, price, volume, symbol=symbol)
    text, code, by = str(answer.get("msg", "")), str(answer.get("error", "")), answer.get("refused_by")
    if answer.get("success"):
        bench.desk.cancel(str(answer["order_id"]))
        trace.lack(f"{what}：没有被拒绝，报单被受理了（已撤）")
    elif by not in ("counter", "exchange"):
        trace.lack(f"{what}：不是柜台拒绝的，是程序自己或没有应答：{code} {text}")
    elif codes and code not in codes:
        trace.lack(f"{what}：柜台拒绝的是别的原因：{code} {text}")
    else:
        told = f"ErrorID {code.removeprefix('CTP_')}：{text}" if by == "counter" else text
        bench.refused.append(told)
        trace.saw(f"{what}：{'柜台拒绝，' if by == 'counter' else '交易所拒绝（没有 ErrorID）：'}{told}")


def unlogged(entries: list[dict[str, Any]], reasons: list[str]) -> list[str]:
    """The reasons that no entry of kind error has."""
    told = [str(entry["text"]) for entry in entries if entry["kind"] == "error"]
    return [reason for reason in reasons if not any(reason in text for text in told)]


CHECKS = (
    Check("4.1", "交易指令检查", "错误的合约、最小变动价位、超过单笔最大手数：不发出，说出原因", order_check),
    Check("4.2", "错误提示", "资金不足、持仓不足、市场关闭：显示柜台自己的 ErrorID 与原文", counters_errors),
)
