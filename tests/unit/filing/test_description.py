"""The system description: what the data directory knows, nothing made up, and what has changed since the
last.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import docx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.filing import description, pack
from app.gateway.risk.states import State, put_offline
from app.host.strategy_records import Record, scope
from app.lib.calendar import SHANGHAI
from app.lib.errors import AppError
from app.model import HOST, open_store
from app.model.identity import FRONTS, SCOPE
from app.model.store import Intent
from app.settings import Settings

NOW = datetime(2026, 11, 27, 15, 0, tzinfo=SHANGHAI)
ACCOUNT = "ctp-9999-u1"
CODE = "from ctpbee import CtpbeeApi\n\n\nclass A(CtpbeeApi):\n    pass\n\n\next = A('mine')\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", strategies_dir=tmp_path / "strategies")


def an_intent(number: int, moment: datetime, state: str = "accepted") -> Intent:
    request = {"local_symbol": "rb2701.SHFE"}
    return Intent(f"1_1_{number}", "", f"{moment:%Y%m%d}", moment.isoformat(), request, state)


def fill(settings: Settings) -> None:
    """An account at a front, with orders, a strategy of its own, rules and a state."""
    store = open_store(settings, ACCOUNT)
    store.put_setting(SCOPE, FRONTS, ["tcp://td:1 tcp://md:1"])
    store.put_setting("risk", "rules", [{"measure": "order_lots", "limit": 5, "action": "refuse"}])
    put_offline(store, "", State("reduce_only", "我", "2026-11-27 10:00:00.000", ""))
    moments = [NOW - timedelta(days=1, milliseconds=50 * at) for at in range(12)]
    for number, moment in enumerate(moments):
        store.write_intent(an_intent(number, moment))
    store.write_intent(an_intent(90, moments[0], "never_sent"))
    store.write_intent(an_intent(91, NOW - timedelta(days=200)))
    store.close()
    audit = settings.data_dir / "accounts" / ACCOUNT / "audit"
    audit.mkdir()
    lines = [("报单已发出：x", at * 50) for at in range(12)] + [("撤单已发出：x", 620)]
    entries = [
        {"kind": "trade", "text": text, "time": f"2026-11-26 10:00:00.{at:03d}", "data": {}}
        for text, at in lines
    ]
    (audit / "20261126.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries), "utf-8")
    own = settings.strategies_dir / ACCOUNT
    own.mkdir(parents=True)
    (own / "mine.py").write_text(CODE, "utf-8")
    host = open_store(settings, HOST)
    host.put_setting(scope(ACCOUNT), "mine", {"wanted": True, "state": "运行中", "version": 3})
    host.close()
    assert Record(version=3).version == 3


def rows_of(found: list[description.Section], title: str) -> dict[str, str]:
    return next(section.rows for section in found if section.title == title)


def test_what_the_data_directory_knows_is_told(settings: Settings) -> None:
    fill(settings)
    found = description.sections(settings, "client_x_1", 30, NOW)
    assert rows_of(found, "终端标识") == {"AppID": "client_x_1"}
    assert rows_of(found, "账户") == {ACCOUNT: "tcp://td:1 tcp://md:1"}
    (strategy,) = rows_of(found, "策略").values()
    for words in (f"归属 {ACCOUNT}", hashlib.sha256(CODE.encode()).hexdigest(), "运行过的版本 3", "运行中"):
        assert words in strategy
    assert rows_of(found, description.RATES) == {
        ACCOUNT: "报单最多 12 笔；报撤单合计最多 13 笔，10 笔以上 1 次"
    }
    risk = rows_of(found, "风控")
    assert risk[f"{ACCOUNT} 状态"] == "只可平仓"
    assert any("每笔手数 5" in text and "拒绝" in text for text in risk.values())


def test_what_is_not_known_is_said_to_be_not_known(settings: Settings) -> None:
    settings.data_dir.mkdir()
    found = description.sections(settings, "", 30, NOW)
    assert rows_of(found, "终端标识")["AppID"].startswith("不知道")
    assert rows_of(found, "服务器")["公网地址与机房"].startswith("不知道")
    for title in ("账户", "策略", description.RATES, "风控"):
        assert set(rows_of(found, title).values()) == {"没有"}


def described(settings: Settings, appid: str, now: datetime) -> dict[str, Any]:
    found = description.sections(settings, appid, 30, now)
    changed = description.compared(found, description.last(settings.data_dir))
    whole = description.whole([*found, changed], now)
    description.keep(settings.data_dir, whole)
    return changed.rows


def test_changes_since_the_last_one_are_listed_and_each_days_figures_are_none(settings: Settings) -> None:
    settings.data_dir.mkdir()
    assert "第一次" in described(settings, "client_x_1", NOW)["变更"]
    fill(settings)
    changed = described(settings, "client_x_2", NOW + timedelta(days=1))
    assert changed["终端标识：AppID"] == "client_x_1 → client_x_2"
    assert changed[f"账户：{ACCOUNT}"] == "（没有） → tcp://td:1 tcp://md:1"
    assert not any(name.startswith(description.RATES) for name in changed)
    assert described(settings, "client_x_2", NOW + timedelta(days=60)) == {"变更": "没有"}


def test_a_last_one_that_is_damaged_is_named(settings: Settings) -> None:
    (settings.data_dir / "filing").mkdir(parents=True)
    (settings.data_dir / "filing" / "1.json").write_text("{")
    with pytest.raises(AppError, match="1.json 已损坏"):
        description.last(settings.data_dir)


def test_it_is_written_as_docx_and_json(settings: Settings, tmp_path: Path) -> None:
    fill(settings)
    found = description.sections(settings, "client_x_1", 30, NOW)
    whole = description.whole([*found, description.compared(found, None)], NOW)
    folder = pack.new_folder(tmp_path / "out")
    pack.write_description(folder, whole)
    assert json.loads((folder / "程序化交易系统说明.json").read_bytes()) == whole
    document = docx.Document(str(folder / "程序化交易系统说明.docx"))
    headings = [paragraph.text for paragraph in document.paragraphs if paragraph.style.name == "Heading 1"]  # type: ignore[union-attr]
    assert headings == [section["title"] for section in whole["sections"]]
    cells = {cell.text for table in document.tables for row in table.rows for cell in row.cells}
    for section in whole["sections"]:
        assert set(section["rows"]) <= cells
        assert set(section["rows"].values()) <= cells


@pytest.mark.parametrize(
    ("gaps", "expected"),
    [
        ([], (0, 0)),
        ([0.0] * 9, (9, 0)),
        ([0.0] * 10, (10, 1)),
        ([0.1] * 10, (10, 1)),
        ([0.12] * 12, (9, 0)),
        ([0.0] * 10 + [5.0] + [0.0] * 9, (10, 2)),
        ([0.0] * 30, (30, 1)),
    ],
)
def test_the_highest_rate_is_of_any_second_and_occasions_are_counted_apart(
    gaps: list[float], expected: tuple[int, int]
) -> None:
    moments, at = [], 0.0
    for gap in gaps:
        at += gap
        moments.append(at)
    assert description.fastest(moments) == expected


@given(st.lists(st.integers(0, 3000), max_size=60))
def test_the_highest_rate_is_what_counting_by_hand_gives(milliseconds: list[int]) -> None:
    moments = sorted(ms / 1000 for ms in milliseconds)
    by_hand = max((sum(a <= b < a + 1.0 for b in moments) for a in moments), default=0)
    assert description.fastest(moments)[0] == by_hand
