"""2.2 counts of orders and cancels, 2.3 duplicate orders, 3.1 thresholds and their warnings.
Command's own process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from app.filing.checks.base import Bench, Check
from app.filing.desk import said
from app.filing.station import until
from app.filing.trace import Trace

HEARD = 10.0  # seconds for the gate to have told of what it saw
SAME = 10.0  # seconds in which two equal orders are duplicates here: a front may take more than one to answer
REPEAT = {"id": "repeat", "seconds": SAME}
MEASURES = {"orders": "当日报单笔数", "cancels": "当日撤单笔数", "duplicates": "当日重复报单笔数"}


def order_counts(bench: Bench, trace: Trace) -> None:
    desk = bench.desk
    before = counts_of(bench, desk.symbol)
    trace.saw(f"之前：账户{in_words(before[0])}；{desk.symbol} {in_words(before[1])}")
    for at in range(2):
        price = desk.far() + at * desk.contract()["pricetick"]
        trace.did(f"报单再撤：{desk.symbol} 1 手，限价 {price:g}")
        order_id = desk.placed("long", "open", price, 1)
        desk.cancel(order_id)
        row = desk.ended(order_id)
        trace.need(row["status"] == "已撤销", f"没有撤成：{said(row)}")
    wanted = [count | {"orders": count["orders"] + 2, "cancels": count["cancels"] + 2} for count in before]
    until(lambda: counts_of(bench, desk.symbol) == wanted, HEARD)
    after = counts_of(bench, desk.symbol)
    trace.keep_rows(
        "counts.jsonl", [{"when": "before", "counts": before}, {"when": "after", "counts": after}]
    )
    trace.saw(f"之后：账户{in_words(after[0])}；{desk.symbol} {in_words(after[1])}")
    for whose, was, now in zip(("账户", desk.symbol), before, after, strict=True):
        for name in ("orders", "cancels"):
            trace.need(
                now[name] == was[name] + 2,
                f"{whose}的{MEASURES[name]}应从 {was[name]} 到 {was[name] + 2}，是 {now[name]}",
            )
    seen = [as_row(whose, counts) for whose, counts in zip(("账户", desk.symbol), after, strict=True)]
    trace.shot("counts", *MEASURES.values(), *seen, screen="/risk")


def duplicates(bench: Bench, trace: Trace) -> None:
    """Of orders: a cancel that is sent twice is another thing."""
    desk, station = bench.desk, bench.station
    station.do("PUT", "/risk", rules=[REPEAT])
    before, mark = counts_of(bench, desk.symbol), station.audit_end()
    price = desk.far() + 3 * desk.contract()["pricetick"]
    trace.did(f"{SAME:g} 秒内报两张相同的单：{desk.symbol} 1 手，限价 {price:g}")
    ids = [desk.placed("long", "open", price, 1) for _ in range(2)]
    until(lambda: counts_of(bench, desk.symbol)[0]["duplicates"] > before[0]["duplicates"], HEARD)
    after = counts_of(bench, desk.symbol)
    for order_id in ids:
        desk.cancel(order_id)
    for whose, was, now in zip(("账户", desk.symbol), before, after, strict=True):
        had, has = was["duplicates"], now["duplicates"]
        trace.need(has == had + 1, f"{whose}的重复报单笔数应从 {had} 到 {had + 1}，是 {has}")
        trace.saw(f"{whose}的重复报单笔数从 {had} 到 {has}")
    told = until(lambda: watched(station.audit(mark), "重复报单"), HEARD)
    trace.need(told, "监测日志里没有重复报单的提醒")
    trace.keep_rows("watch.jsonl", told)
    trace.saw(f"{told[0]['time']} {told[0]['text']}")
    trace.shot("duplicates", str(told[0]["text"]), tab="日志", search="风控")
    trace.shot("counts", *[as_row(whose, now) for whose, now in counted_now(bench)], screen="/risk")


def thresholds(bench: Bench, trace: Trace) -> None:
    desk, station = bench.desk, bench.station
    now, mark = counts_of(bench, desk.symbol)[0], station.audit_end()
    limits = {"orders": now["orders"] + 2, "cancels": now["cancels"] + 2, "duplicates": now["duplicates"] + 1}
    rules = [{"id": f"filing.{name}", "measure": name, "limit": limit} for name, limit in limits.items()]
    trace.did("设阈值：" + "，".join(f"{MEASURES[name]} {limit:g}" for name, limit in limits.items()))
    station.do("PUT", "/risk", rules=[REPEAT, *rules])
    in_force = {rule["id"]: rule["limit"] for rule in station.do("GET", "/risk")["rules"]}
    for rule in rules:
        trace.need(
            in_force.get(rule["id"]) == rule["limit"], f"阈值没有生效：{MEASURES[str(rule['measure'])]}"
        )
    price = desk.far() + 4 * desk.contract()["pricetick"]
    trace.did(f"报两张相同的单并撤掉，使三项都到阈值：{desk.symbol} 1 手，限价 {price:g}")
    for order_id in [desk.placed("long", "open", price, 1) for _ in range(2)]:
        desk.cancel(order_id)
        desk.ended(order_id)
    until(lambda: not unreached(station.do("GET", "/risk")["recent"], limits), HEARD)
    recent = station.do("GET", "/risk")["recent"]
    trace.keep_rows(
        "events.jsonl", [event for event in recent if str(event.get("rule", "")).startswith("filing.")]
    )
    missing = unreached(recent, limits)
    trace.need(not missing, f"到了阈值而没有预警：{'、'.join(MEASURES[name] for name in missing)}")
    until(lambda: all(watched(station.audit(mark), text) for text in MEASURES.values()), HEARD)
    for text in MEASURES.values():
        told = [entry for entry in watched(station.audit(mark), text) if "已到" in entry["text"]]
        trace.need(told, f"监测日志里没有“{text}”的预警")
        trace.saw(f"{told[-1]['time']} {told[-1]['text']}")
    trace.shot("warnings", *MEASURES.values(), tab="日志", search="已到")
    trace.shot(
        "screen",
        *(f"{text} {limits[name]:g}，限 {limits[name]:g}" for name, text in MEASURES.items()),
        screen="/risk",
    )
    station.do("PUT", "/risk", rules=[])
    trace.did("恢复原来的规则")


def counts_of(bench: Bench, symbol: str) -> list[dict[str, Any]]:
    """The day's counts of the account, and of the contract."""
    seen = bench.station.do("GET", "/risk")
    of_contract: dict[str, Any] = next(
        (row for row in seen["contracts"] if row["local_symbol"] == symbol), {}
    )
    return [{name: counts.get(name, 0) for name in MEASURES} for counts in (seen["account"], of_contract)]


def counted_now(bench: Bench) -> list[tuple[str, dict[str, Any]]]:
    return list(zip(("账户", bench.desk.symbol), counts_of(bench, bench.desk.symbol), strict=True))


def as_row(whose: str, counts: Mapping[str, Any]) -> str:
    """As the page's 风控 screen has them, in the order of its columns."""
    return " ".join([whose, *(f"{counts[name]:g}" for name in MEASURES)])


def in_words(counts: Mapping[str, Any]) -> str:
    return "，".join(f"{text} {counts[name]:g}" for name, text in MEASURES.items())


def watched(entries: Iterable[Mapping[str, Any]], words: str) -> list[dict[str, Any]]:
    """The entries of kind watch that have these words."""
    return [dict(entry) for entry in entries if entry["kind"] == "watch" and words in entry["text"]]


def unreached(recent: Iterable[Mapping[str, Any]], limits: Mapping[str, float]) -> list[str]:
    """The thresholds of which no warning says that they were reached."""
    told = {event.get("rule") for event in recent if event["what"] == "limit"}
    return [name for name in limits if f"filing.{name}" not in told]


CHECKS = (
    Check("2.2", "报撤单笔数监测", "屏幕上显示报单、撤单笔数，合计的与每个合约的", order_counts),
    Check("2.3", "重复报单监测", "发现重复报单并计数，屏幕上有提醒", duplicates),
    Check("3.1", "阈值设置及预警", "设报单、撤单、重复报单的阈值，到阈值时屏幕上预警", thresholds),
)
