"""The description of this program that brokers ask for, out of what the data directory knows, and what has
changed since the last one. Nothing is made up: what is not known stands there as not known.
Command's own process.
"""

from __future__ import annotations

import bisect
import hashlib
import importlib.metadata
import json
import platform
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import psutil

from app.data_dir import account_folder, accounts
from app.files import write_whole
from app.filing.form import DESCRIPTION_TITLE
from app.gateway.risk.states import States
from app.host.strategy_files import StrategyFiles
from app.host.strategy_records import Record, scope
from app.lib import audit, risk, rows, thresholds
from app.lib.calendar import SHANGHAI, compact
from app.lib.errors import AppError
from app.lib.program import ROOT, version
from app.model import HOST, open_store, store_path
from app.model.identity import Identity
from app.model.store import Store, StoreFailed
from app.settings import Settings

PACKAGES = ("ctpbee", "ctpbee_api", "flask", "flask-socketio", "python-socketio")
UNKNOWN, NONE = "不知道", "没有"
OFTEN = 10  # orders and cancels within a second: the exchanges' line for who has to report (docs/filing.md)
REPORT_WITHIN = 30  # trading days
RATES = "最高报单速度"
CHANGES = f"自上一次说明以来的变更（应在 {REPORT_WITHIN} 个交易日内报告）"
NOT_COMPARED = (RATES, CHANGES)  # figures of each day, and what was compared before: no change of the system
Moments = list[float]  # epoch seconds, rising


@dataclass
class Section:
    title: str
    rows: dict[str, str] = field(default_factory=dict)
    note: str = ""


def sections(settings: Settings, appid: str, days: int, now: datetime) -> list[Section]:
    """Everything but the changes. Reads; the server may run meanwhile."""
    known = accounts(settings.data_dir)
    return [
        Section("软件", _software()),
        Section("服务器", _machine(settings)),
        Section("终端标识", {"AppID": appid or f"{UNKNOWN}：登录时才给出，请以 --appid 写明"}),
        Section("账户", {account: _fronts(settings, account) for account in known} or {"账户": NONE}),
        Section("策略", dict(_strategies(settings, known)) or {"策略": NONE}),
        Section(
            RATES,
            dict(_rates(settings, known, days, now)) or {"账户": NONE},
            f"最近 {days} 天，任意一秒之内；报单由流水，报撤单合计由审计日志。交易所要求报告的标准（一秒内"
            f"报撤单 {OFTEN} 笔以上、一日 10 次以上等）以交易所、期货公司通知为准。",
        ),
        Section("风控", dict(_risk(settings, known)) or {"账户": NONE}),
    ]


def facts_of(found: Iterable[Section]) -> dict[str, dict[str, str]]:
    """What two descriptions are compared by."""
    return {section.title: dict(section.rows) for section in found if section.title not in NOT_COMPARED}


def changes(before: Mapping[str, Mapping[str, str]], now: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """What is other than it was, by `section：name`."""
    found = {}
    for title in dict.fromkeys((*before, *now)):
        old, new = before.get(title, {}), now.get(title, {})
        for name in dict.fromkeys((*old, *new)):
            if old.get(name) != new.get(name):
                found[f"{title}：{name}"] = f"{old.get(name, '（没有）')} → {new.get(name, '（没有）')}"
    return found


def last(data_dir: Path) -> dict[str, Any] | None:
    """The newest description that was written here; None for none. Raises AppError for one that is
    damaged.
    """
    files = sorted(_folder(data_dir).glob("*.json"))
    if not files:
        return None
    try:
        found = json.loads(files[-1].read_text("utf-8"))
        return {"time": str(found["time"]), "facts": dict(found["facts"])}
    except (OSError, ValueError, KeyError, TypeError):
        raise AppError(f"上一次的说明 {files[-1]} 已损坏，不能比较：请移走它再做") from None


def compared(found: list[Section], before: Mapping[str, Any] | None) -> Section:
    """The section of changes."""
    if before is None:
        return Section(CHANGES, {"变更": "这是第一次说明，没有可比的"})
    differing = changes(before["facts"], facts_of(found))
    return Section(CHANGES, differing or {"变更": NONE}, f"上一次：{before['time']}")


def whole(found: list[Section], now: datetime) -> dict[str, Any]:
    """A description as JSON has it."""
    return {
        "title": DESCRIPTION_TITLE,
        "time": rows.time_text(now),
        "facts": facts_of(found),
        "sections": [
            {"title": section.title, "rows": section.rows, "note": section.note} for section in found
        ],
    }


def keep(data_dir: Path, described: Mapping[str, Any]) -> None:
    """Have it as the one that the next is compared with."""
    name = str(described["time"]).translate(str.maketrans("", "", "-:. "))
    write_whole(_folder(data_dir) / f"{name}.json", as_json(described))


def as_json(described: Mapping[str, Any]) -> bytes:
    return json.dumps(described, ensure_ascii=False, indent=2).encode() + b"\n"


def fastest(moments: Moments) -> tuple[int, int]:
    """The most within any one second, and how often OFTEN or more came within one, counted apart."""
    most, times, free = 0, 0, 0
    for at, moment in enumerate(moments):
        end = bisect.bisect_left(moments, moment + 1.0)
        most = max(most, end - at)
        if at >= free and end - at >= OFTEN:
            times, free = times + 1, end
    return most, times


def _folder(data_dir: Path) -> Path:
    return data_dir / "filing"


def _software() -> dict[str, str]:
    digest = hashlib.sha256()
    for path in sorted((ROOT / "app").rglob("*.py")):
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    named = {name: _version_of(name) for name in PACKAGES}
    return {
        "名称": "ctpbee_backend",
        "版本": version(),
        "程序（app/ 全部 .py）的 SHA-256": digest.hexdigest(),
        "Python": platform.python_version(),
    } | named


def _version_of(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "没有安装"


def _machine(settings: Settings) -> dict[str, str]:
    known = [address for network in psutil.net_if_addrs().values() for address in network]
    internet = (socket.AF_INET, socket.AF_INET6)
    found = {address.address for address in known if address.family in internet} - {"127.0.0.1", "::1"}
    cards = {address.address for address in known if address.family == psutil.AF_LINK} - {"00:00:00:00:00:00"}
    return {
        "主机名": socket.gethostname(),
        "操作系统": platform.platform(),
        "处理器": f"{platform.machine()}，{psutil.cpu_count() or 0} 核",
        "内存": f"{psutil.virtual_memory().total / 2**30:.1f} GB",
        "本机地址": "、".join(sorted(found)) or NONE,
        "网卡": "、".join(sorted(cards)) or NONE,
        "公网地址与机房": f"{UNKNOWN}：程序看不到，请自己填写",
        "监听": f"{settings.host}:{settings.port}，{'对外' if settings.is_public else '只在本机'}",
    }


def _fronts(settings: Settings, account: str) -> str:
    if not store_path(settings.data_dir, account).exists():
        return UNKNOWN
    with closing(open_store(settings, account, ship=False)) as store:
        return "；".join(Identity(store).fronts) or ("内置柜台" if account.startswith("sim-") else UNKNOWN)


def _strategies(settings: Settings, known: Iterable[str]) -> Iterator[tuple[str, str]]:
    if not store_path(settings.data_dir, HOST).exists():
        return
    with closing(open_store(settings, HOST, ship=False)) as store:
        files = StrategyFiles(settings.strategies_dir, store)
        for account in known:
            records = store.settings(scope(account))
            for file in files.listed(account):
                record = msgspec.convert(records.get(file.name, {}), Record)
                text = files.source(account, file.name)
                yield (
                    f"{account} {file.name}",
                    f"{'各账户共享' if file.shared else '账户自有'}，归属 {account}；"
                    f"全自动（程序自行报单）；代码 SHA-256 {hashlib.sha256(text.encode()).hexdigest()}；"
                    f"运行过的版本 {record.version or NONE}；{record.state}",
                )


def _rates(settings: Settings, known: Iterable[str], days: int, now: datetime) -> Iterator[tuple[str, str]]:
    first = (now.astimezone(SHANGHAI) - timedelta(days=days)).date()
    for account in known:
        if not store_path(settings.data_dir, account).exists():
            continue
        with closing(open_store(settings, account, ship=False)) as store:
            orders, _times = fastest(_intended(store, first, now.astimezone(SHANGHAI).date()))
        both, times = fastest(_sent(account_folder(settings.data_dir, account) / "audit", first))
        yield account, f"报单最多 {orders} 笔；报撤单合计最多 {both} 笔，{OFTEN} 笔以上 {times} 次"


def _intended(store: Store, first: date, today: date) -> Moments:
    """When the journal's orders of these trading days left; a night's belong to the day after, or to a
    holiday's end.
    """
    ahead = range((today - first).days + 15)
    intents = [intent for at in ahead for intent in store.intents(compact(first + timedelta(days=at)))]
    return sorted(
        datetime.fromisoformat(intent.created).timestamp()
        for intent in intents
        if intent.state != "never_sent"
    )


def _sent(folder: Path, first: date) -> Moments:
    """When orders and cancels left, by the audit log."""
    moments = []
    for path in sorted(folder.glob(audit.FILES)):
        if path.stem < compact(first):
            continue
        for entry in audit.entries(path.read_bytes().splitlines(), audit.TRADE):
            if str(entry["text"]).startswith(("报单已发出", "撤单已发出")):
                moments.append(datetime.fromisoformat(entry["time"]).timestamp())
    return sorted(moments)


def _risk(settings: Settings, known: Iterable[str]) -> Iterator[tuple[str, str]]:
    numbers = thresholds.Thresholds(thresholds.load(settings.risk_thresholds), datetime.now(SHANGHAI).date())
    defaults = risk.default_rules(numbers.rows)
    for account in known:
        if not store_path(settings.data_dir, account).exists():
            continue
        with closing(open_store(settings, account, ship=False)) as store:
            try:
                own = store.setting("risk", "rules", [])
                states = States(store, lambda: datetime.now(SHANGHAI))
            except StoreFailed as error:
                raise AppError(f"{account} 的设置读不了：{error}") from error
        yield f"{account} 状态", risk.STATE_TEXT[states.of().state]
        for rule in risk.merged(own, defaults):
            warn = f"，{rule.warn:.0%} 时先提醒" if rule.warn else ""
            source = f"，{rule.source}" if rule.source else ""
            yield (
                f"{account} 规则 {rule.id}",
                f"{rule.text} {rule.limit:g}{f' / {rule.seconds:g} 秒' if rule.seconds else ''}，"
                f"到了{risk.ACTION_TEXT[rule.action]}{warn}{source}",
            )
