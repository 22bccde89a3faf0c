"""6.1 the logs, exported by day. Command's own process."""

from __future__ import annotations

import csv
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from app.filing.checks.base import Bench, Check
from app.filing.outcome import NotReached
from app.filing.station import until
from app.filing.trace import Trace
from app.lib.audit import COLUMN_TEXT, COLUMNS, ERROR, KIND_TEXT, TRADE

SETTLED = 10.0  # seconds for the audit log's newest lines to be written
ASKED = ("time", "local_symbol", "direction", "offset", "price", "volume", "status")
"""What a trade log has to have."""


def logbooks(bench: Bench, trace: Trace) -> None:
    station = bench.station
    seen: list[int] = []
    until(lambda: seen.append(station.audit_end()) or seen[-1:] == seen[-2:-1], SETTLED)  # type: ignore[func-returns-value]
    code, text = station.command("audit", "verify", station.ticket.account)
    trace.did("核对日志没有被改过：run.py audit verify")
    trace.need(code == 0, f"日志核对不符：{text}")
    trace.keep("verify.txt", text + "\n")
    trace.saw(text)
    days = sorted({entry["time"][:10].replace("-", "") for entry in station.audit()})
    trace.need(days, "没有日志")
    exported = dict.fromkeys(KIND_TEXT, "")
    asked = [(day, kind) for day in days for kind in KIND_TEXT]
    with ThreadPoolExecutor(len(KIND_TEXT)) as pool:  # each is a process of its own
        texts = pool.map(lambda one: _export(bench, *one), asked)
        for (day, kind), text in zip(asked, texts, strict=True):
            trace.did(f"按日导出{KIND_TEXT[kind]}日志：run.py audit export --day {day} --kind {kind}")
            trace.keep(f"{day}-{kind}.csv", text)
            exported[kind] += text
    for kind, name in KIND_TEXT.items():
        lines = len(list(csv.reader(io.StringIO(exported[kind]))))
        trace.need(lines > len(days), f"{name}日志是空的")
        trace.saw(f"{name}日志 {lines - len(days)} 条")
    trace.need(*whole_trade_log(exported[TRADE]))
    trace.need(bench.refused, "4.2 没有柜台的拒绝，不能核对错误日志")
    missing = [text for text in bench.refused if text not in exported[ERROR]]
    trace.need(not missing, f"错误日志里没有 4.2 的拒绝：{'；'.join(missing)}")
    trace.saw(f"错误日志里有 4.2 的 {len(bench.refused)} 次拒绝")
    trace.shot("log", tab="日志", screen="/")


def _export(bench: Bench, day: str, kind: str) -> str:
    """The CSV of a day and kind. Raises NotReached."""
    station = bench.station
    with TemporaryDirectory() as folder:
        path = Path(folder) / "export.csv"
        options = ("--day", day, "--kind", kind, "--format", "csv", "--to", str(path))
        code, said = station.command("audit", "export", station.ticket.account, *options)
        if code or not path.exists():
            raise NotReached(f"{KIND_TEXT[kind]}日志导出没有成功：{said}")
        return path.read_text("utf-8-sig")


def whole_trade_log(text: str) -> tuple[bool, str]:
    """Whether it has a line with everything that is asked for; the reason when not."""
    wanted = dict(zip(COLUMNS, COLUMN_TEXT, strict=True))
    rows = list(csv.DictReader(io.StringIO(text)))
    names = rows[0].keys() if rows else []
    missing = [wanted[name] for name in ASKED if wanted[name] not in names]
    if missing:
        return False, f"交易日志没有这些栏：{'、'.join(missing)}"
    whole = any(all(row[wanted[name]] for name in ASKED) for row in rows)
    return whole, "" if whole else "交易日志没有一条写全了时间、合约、方向、开平、价格、手数、状态"


CHECKS = (
    Check(
        "6.1",
        "日志记录",
        "交易、运行、监测、错误四类日志按日导出；错误日志里有 4.2 的拒绝",
        logbooks,
    ),
)
