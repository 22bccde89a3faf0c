"""Each check is 通过 on a server that does what it should, and 未通过 for each way in which one may not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.filing import station
from app.filing.checks import CHECKS, Bench, connection, counts, logbooks, orders, run_check, stopping
from app.filing.desk import Desk
from app.filing.guide import Guide
from app.filing.outcome import FAILED, PASSED, Outcome
from app.filing.secrets import Secrets
from app.filing.trace import Camera, NoPicture, Trace
from tests.fakes.filing import FakeCamera, FakeStation

IDS = ["1.1", "1.2", "2.1", "2.2", "2.3", "3.1", "4.1", "4.2", "5.1", "5.2", "6.1"]
NEEDED = {"6.1": ["1.2", "2.3", "4.2"], "2.1": [], "1.1": []}
"""What has to have been done before a check; the account is logged in before each but the first."""


@pytest.fixture(autouse=True)
def _nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake answers at once: what is not there now never comes."""
    for module in (connection, counts, logbooks, orders, stopping):
        monkeypatch.setattr(module, "until", lambda probe, _seconds: _soon(probe))
    monkeypatch.setattr("app.filing.desk.until", lambda probe, _seconds: _soon(probe))
    monkeypatch.setattr(station, "POLL", 0.0)


def _soon(probe):  # type: ignore[no-untyped-def]
    for _ in range(5):
        if value := probe():
            return value
    return probe()


def outcomes_of(
    folder: Path, fake: FakeStation, ids: list[str], camera: Camera | None = None, guide: Guide | None = None
) -> dict[str, Outcome]:
    bench = Bench(fake, Desk(fake), guide or Guide(False))  # type: ignore[arg-type]
    found = {}
    secrets = Secrets([fake.ticket.password, fake.ticket.auth_code])
    for check in CHECKS:
        if check.id in ids:
            outcome = Outcome(check.id, check.name, check.expected)
            trace = Trace(outcome, folder, camera=camera or FakeCamera(), guide=bench.guide, secrets=secrets)
            found[check.id] = run_check(check, bench, trace)
    return found


def outcome_of(folder: Path, fake: FakeStation, id_: str, camera: Camera | None = None) -> Outcome:
    """Of one check, after what it needs, done without the fault."""
    before = ["1.1", *NEEDED.get(id_, [])] if id_ != "1.1" else []
    faults, fake.faults = fake.faults, set()
    bench = Bench(fake, Desk(fake), Guide(False))  # type: ignore[arg-type]
    found = None
    for check in CHECKS:
        if check.id not in (*before, id_):
            continue
        if check.id == id_:
            fake.faults = faults
        outcome = Outcome(check.id, check.name, check.expected)
        eye = camera if camera is not None and check.id == id_ else FakeCamera()
        trace = Trace(outcome, folder, camera=eye, guide=bench.guide, secrets=Secrets())
        found = run_check(check, bench, trace)
    assert found is not None
    return found


def test_the_eleven_are_those_of_the_guide_in_its_order() -> None:
    assert [check.id for check in CHECKS] == IDS


@pytest.mark.parametrize("interface", ["sim", "ctp"])
def test_all_are_passed_where_everything_is_as_it_should_be(tmp_path: Path, interface: str) -> None:
    found = outcomes_of(tmp_path, FakeStation(interface=interface), IDS)
    assert {id_: (outcome.state, outcome.reason) for id_, outcome in found.items()} == dict.fromkeys(
        IDS, (PASSED, "")
    )
    for outcome in found.values():
        assert outcome.pictures
        assert all((tmp_path / path).is_file() for path in outcome.evidence)


@pytest.mark.parametrize(
    ("id_", "fault", "reason"),
    [
        ("1.1", "login is refused", "CTP:不合法的登录"),
        ("1.1", "no appid in the log", "日志里没有"),
        ("1.2", "nothing is filled", "开仓没有成交"),
        ("1.2", "cancels fail", "没有撤成"),
        ("1.2", "the trade log lacks the price", "完整记录"),
        ("2.1", "nothing leads through the line", "没有一条连接经过转发"),
        ("2.1", "the cut is not noticed", "没有显示断开"),
        ("2.1", "the cut is not logged", "没有这次断开的记录"),
        ("2.1", "ready while it is cut", "断开的不是这条通路"),
        ("2.1", "it does not come back", "没有重新就绪"),
        ("2.1", "the reconnect is not logged", "没有这次断开之后的重连"),
        ("2.1", "the history has no end of it", "断线记录里没有这一次"),
        ("2.2", "contracts are not counted", "rb2701.SHFE的当日报单笔数"),
        ("2.2", "cancels fail", "没有撤成"),
        ("2.3", "duplicates are not found", "重复报单笔数应从 0 到 1"),
        ("3.1", "thresholds are not taken", "阈值没有生效"),
        ("3.1", "no warning at the threshold", "没有预警"),
        ("4.1", "our check lets it pass", "没有被拒绝"),
        ("4.1", "our refusal is not logged", "错误日志里没有"),
        ("4.2", "the counter takes everything", "报单被受理了"),
        ("4.2", "we refuse in the counter's place", "不是柜台拒绝的"),
        ("4.2", "another refusal", "柜台拒绝的是别的原因：CTP_116"),
        ("4.2", "the counter's refusal is not logged", "错误日志里没有"),
        ("4.2", "money enough", "请换一个资金少的测试账户"),
        ("5.1", "halted and yet sent", "没有因此被拒绝"),
        ("5.1", "no log of the state", "日志里没有这次限制"),
        ("5.1", "the strategy sends nothing", "没有报单"),
        ("5.1", "the strategy is not stopped", "没有被拒绝的记录"),
        ("5.1", "the strategy sends all the same", "策略的报单发出去了"),
        ("5.1", "forced logout does nothing", "仍登录着"),
        ("5.1", "cancels fail", "不能撤单"),
        ("5.2", "the selection is not looked at", "选中的应是"),
        ("5.2", "cancels fail", "没有撤成"),
        ("5.2", "filled at once", "没有得到部分成交"),
        ("6.1", "the log was changed", "日志核对不符"),
        ("6.1", "no trade log", "交易日志是空的"),
        ("6.1", "no run log", "运行日志是空的"),
        ("6.1", "no watch log", "监测日志是空的"),
        ("6.1", "no error log", "错误日志是空的"),
        ("6.1", "the export lacks the counter's refusals", "错误日志里没有 4.2 的拒绝"),
        *[(id_, "the server is gone", "服务器没有应答") for id_ in IDS if id_ not in ("1.1", "6.1")],
    ],
)
def test_a_check_is_not_passed_when(tmp_path: Path, id_: str, fault: str, reason: str) -> None:
    interface = "ctp" if "appid" in fault else "sim"
    outcome = outcome_of(tmp_path, FakeStation(fault, interface=interface), id_)
    assert outcome.state == FAILED
    assert reason in outcome.reason


@pytest.mark.parametrize("id_", IDS)
def test_a_check_is_not_passed_when_the_screen_does_not_show_it(tmp_path: Path, id_: str) -> None:
    camera = Blind()
    outcome = outcome_of(tmp_path, FakeStation(), id_, camera)
    assert camera.asked
    assert (outcome.state, "屏幕上没有看到" in outcome.reason) == (FAILED, True)


@pytest.mark.parametrize("id_", IDS)
def test_a_check_is_not_passed_without_a_picture(tmp_path: Path, id_: str) -> None:
    outcome = outcome_of(tmp_path, FakeStation(), id_, NoEyes())
    assert (outcome.state, "没有截图" in outcome.reason, "没有 Chromium" in outcome.reason) == (
        FAILED,
        True,
        True,
    )


def test_pictures_of_the_traders_own_take_the_place_of_a_browser(tmp_path: Path) -> None:
    own = tmp_path / "mine.png"
    own.write_bytes(b"\x89PNG\r\n\x1a\nmine")
    answers = {"截图": str(own)}
    guide = Guide(True, lambda text: next((answer for word, answer in answers.items() if word in text), ""))
    outcome = outcomes_of(tmp_path / "pack", FakeStation(), ["1.1"], NoEyes(), guide)["1.1"]
    assert outcome.state == PASSED
    assert (tmp_path / "pack" / outcome.pictures[0]).read_bytes() == own.read_bytes()
    assert any("程序没有核对画面" in step.text for step in outcome.steps)


def test_what_goes_wrong_in_a_check_is_its_reason_and_the_next_is_run(tmp_path: Path) -> None:
    fake = FakeStation()
    fake._get_tick = lambda symbol: {}  # type: ignore[method-assign, assignment]
    found = outcomes_of(tmp_path, fake, ["1.1", "1.2"])
    assert [outcome.state for outcome in found.values()] == [FAILED, FAILED]
    assert "程序出错：KeyError" in found["1.1"].reason


def test_no_secret_is_in_what_a_check_leaves(tmp_path: Path) -> None:
    fake = FakeStation(interface="ctp")
    fake.log("run", "password secret-9, code code-7731")
    found = outcomes_of(tmp_path, fake, ["1.1"])
    texts = [path.read_text("utf-8") for path in tmp_path.rglob("*.jsonl")]
    assert any("〔已隐去〕" in text for text in texts)
    assert not any(secret in text for text in texts for secret in ("secret-9", "code-7731"))
    assert found["1.1"].state == PASSED


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (["已断开（x）", "|", "就绪"], ""),
        (["|", "已断开（x）", "就绪"], "没有这次断开的记录"),
        (["|", "就绪"], "没有这次断开的记录"),
        (["已断开（x）", "就绪", "|", "就绪"], "断开的不是这条通路"),
        (["就绪", "已断开（x）", "|", "正在连接", "就绪"], ""),
        (["已断开（x）", "|", "正在连接"], "没有这次断开之后的重连"),
    ],
)
def test_a_cut_is_seen_by_the_order_of_the_log_and_the_mending(texts: list[str], why: str) -> None:
    mended = texts.index("|")
    states = [f"交易前置：{text}" for text in texts if text != "|"]
    entries = [{"seq": seq, "text": text} for seq, text in enumerate(states, 1)]
    seen, reason = connection.judged_cut(entries, mended)
    assert (seen, why in reason, bool(reason)) == (not why, True, bool(why))


def test_what_is_kept_of_a_cut_begins_with_it(tmp_path: Path) -> None:
    """Not with the login before it, of which the log may tell later than the front does."""
    assert outcome_of(tmp_path, FakeStation(), "2.1").state == PASSED
    lines = (tmp_path / "evidence" / "2.1" / "run.jsonl").read_text("utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    assert [text for text in texts if text.startswith("交易前置")] == [
        "交易前置：已断开（与前置的连接已断开）",
        "交易前置：就绪",
    ]


def test_a_year_further_on_is_a_contract_that_is_well_written_and_not_there() -> None:
    assert orders.years_on("rb2701.SHFE") == "rb3201.SHFE"
    assert orders.years_on("AP612.CZCE") == "AP112.CZCE"
    assert orders.years_on("IF9712.CFFEX") == "IF0212.CFFEX"


class Blind:
    """Sees nothing of what is asked for."""

    def __init__(self) -> None:
        self.asked = False

    def take(self, path: Path, caption: str, screen: str, tab: str, search: str, texts) -> list[str]:  # type: ignore[no-untyped-def]
        path.write_bytes(b"\x89PNG\r\n\x1a\nfake")
        self.asked = True
        return list(texts) or ["什么也没有"]


class NoEyes:
    def take(self, *_asked: object) -> list[str]:
        raise NoPicture("本机没有 Chromium")
