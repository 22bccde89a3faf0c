"""What `run.py doctor` finds, on data directories and machines as a test makes them."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from app.commands import doctor
from app.commands.doctor import FAILED, OK, WARNING, Line
from app.interfaces.ctp import preflight
from app.lib import calendar
from app.lib.calendar import SHANGHAI
from app.settings import Settings

Examine = Callable[..., dict[str, Line]]


@pytest.fixture
def examine(tmp_path: Path) -> Iterator[Examine]:
    def run(
        at: str = "2026-06-01T10:00", tried: dict[str, str] | None = None, **settings: Any
    ) -> dict[str, Line]:
        moment = datetime.fromisoformat(at).replace(tzinfo=SHANGHAI)
        lines = doctor.examine(
            Settings(data_dir=tmp_path / "data", **settings), tried or {}, moment.timestamp
        )
        return {line.name: line for line in lines}

    yield run
    calendar.use_overrides(None)


def test_a_machine_that_is_well_has_nothing_but_rows_that_say_so(
    examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        preflight, "of_this_machine", lambda: iter([preflight.Finding("locale", "zh_CN.GB18030")])
    )
    monkeypatch.setattr(doctor.Containment, "said", lambda _self: (True, "在 bubblewrap 里隔离运行"))
    lines = examine()
    assert {line.state for line in lines.values()} == {OK}
    assert {"交易日历", "系统时钟", "数据目录", "磁盘", "存储", "策略", "locale"} == lines.keys()
    assert not doctor.failed(list(lines.values()))


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ("2026-12-01T10:00", "还有 30 天；之后到 2027-12-31 的休市日是按放假办法推定的"),
        ("2028-02-01T10:00", "按工作日推算"),
    ],
)
def test_the_calendars_end_is_told_ahead_and_beyond(examine: Examine, at: str, words: str) -> None:
    line = examine(at)["交易日历"]
    assert line.state == WARNING
    assert words in line.text
    assert "calendar_file" in line.text


def test_a_calendar_file_extends_it_and_a_broken_one_is_named(examine: Examine, tmp_path: Path) -> None:
    file = tmp_path / "days.toml"
    file.write_text("sure_until = 2027-12-31")
    assert examine("2026-12-30T10:00", calendar_file=file)["交易日历"] == Line(
        OK, "交易日历", "确知到 2027-12-31"
    )
    file.write_text("closed = 3")
    line = examine(calendar_file=file)["交易日历"]
    assert line.state == FAILED
    assert "days.toml" in line.text


def test_a_clock_that_is_plainly_wrong_and_a_full_disk_are_told(
    examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert examine("1970-01-02T10:00")["系统时钟"].state == FAILED
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=1000))
    assert examine()["磁盘"].state == WARNING


def test_what_ctp_lacks_is_a_failure_only_where_ctp_is_served(
    examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = preflight.Finding("ctpbee_api", "", "没有安装", "请执行 make ctp", "INTERFACE_UNAVAILABLE")
    monkeypatch.setattr(preflight, "of_this_machine", lambda: iter([missing]))
    assert examine()["ctpbee_api"].state == WARNING
    line = examine(interface="ctp")["ctpbee_api"]
    assert line.state == FAILED
    assert "make ctp" in line.text


def test_a_store_that_is_no_store_is_told(examine: Examine, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "server.db").write_bytes(
        b"not a database at all, but long enough to be looked at" * 100
    )
    assert examine()["存储"].state == FAILED


def test_fronts_are_tried(examine: Examine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        assert examine(tried={"交易前置": address})["交易前置"] == Line(OK, "交易前置", f"{address} 可连接")
    assert "连不上" in examine(tried={"交易前置": address})["交易前置"].text
    with socket.create_server(("127.0.0.1", 0)) as server:
        both = f"tcp://127.0.0.1:{server.getsockname()[1]},tcp://127.0.0.1:1"
        assert "127.0.0.1:1 连不上" in examine(tried={"交易前置": both})["交易前置"].text
    assert "不合规" in examine(tried={"行情前置": "ssl://127.0.0.1:1"})["行情前置"].text


def test_a_public_server_is_told_that_it_lacks_the_list_of_fronts(examine: Examine) -> None:
    public: dict[str, Any] = {"public": True, "origins": ["https://desk.example"]}
    listed = {"simnow": "tcp://127.0.0.1:1 tcp://127.0.0.1:2"}
    assert "前置名单" not in examine()
    assert examine(**public)["前置名单"].state == WARNING
    assert examine(**public, interface="ctp")["前置名单"].state == FAILED
    assert examine(**public, interface="ctp", fronts=listed)["前置名单"] == Line(OK, "前置名单", "simnow")


def test_each_front_of_a_list_is_tried() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        there = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        lines = list(doctor.fronts_tried({"交易前置": f"{there}, ssl://127.0.0.1:1"}))
    assert [(line.state, line.name) for line in lines] == [(OK, "交易前置"), (FAILED, "交易前置")]
    assert there in lines[0].text
    assert "ssl://127.0.0.1:1" in lines[1].text


def test_a_library_that_cannot_be_loaded_is_a_failure_though_it_is_there(
    examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        preflight, "of_this_machine", lambda: iter([preflight.Finding("ctpbee_api", "/there")])
    )
    monkeypatch.setattr(doctor, "LOAD", "raise ImportError('libthosttraderapi_se.so: invalid ELF header')")
    line = examine(interface="ctp")["ctpbee_api"]
    assert line.state == FAILED
    assert "invalid ELF header" in line.text
    assert "make ctp" in line.text
    monkeypatch.setattr(
        doctor, "LOAD", "import os; os.abort()"
    )  # an empty library ends the process that loads it
    assert examine(interface="ctp")["ctpbee_api"].state == FAILED
    monkeypatch.setattr(doctor, "LOAD", "pass")
    assert examine(interface="ctp")["ctpbee_api"] == Line(OK, "ctpbee_api", "/there，可以载入")


def test_the_table_is_even_with_chinese_and_latin_names() -> None:
    assert list(doctor.table([Line(OK, "磁盘", "a"), Line(FAILED, "locale", "b")])) == [
        "正常  磁盘    a",
        "异常  locale  b",
    ]


# ── the checks of a login ──


def info(tmp_path: Path, **changes: Any) -> dict[str, Any]:
    fronts = {"td_address": "tcp://127.0.0.1:41205", "md_address": "tcp://127.0.0.1:41213"}
    who = {
        "brokerid": "9999",
        "userid": "demo",
        "password": "secret",
        "auth_code": "",
        "appid": "",
        "new_password": "",
    }
    return fronts | who | {"flow_dir": tmp_path / "flow"} | changes


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"td_address": "127.0.0.1:41205"}, "FRONT_ADDRESS"),
        ({"md_address": "tcp://127.0.0.1"}, "FRONT_ADDRESS"),
        ({"md_address": "ssl://127.0.0.1:41213"}, "FRONT_ADDRESS"),
        ({"td_address": "tcp://127.0.0.1:70000"}, "FRONT_ADDRESS"),
        ({"td_address": "tcp://127.0.0.1:41205,127.0.0.1:41206"}, "FRONT_ADDRESS"),
        ({"td_address": "tcp://127.0.0.1:41205,"}, "FRONT_ADDRESS"),
        ({"password": "x" * 41}, "FIELD_TOO_LONG"),
        ({"userid": "密" * 6}, "FIELD_TOO_LONG"),
        ({"auth_code": "0" * 17, "appid": "a"}, "FIELD_TOO_LONG"),
        ({"auth_code": "0" * 16}, "AUTH_FIELDS"),
        ({"appid": "client"}, "AUTH_FIELDS"),
    ],
)
def test_a_login_that_the_library_would_stumble_over_is_named_with_its_remedy(
    tmp_path: Path, changes: dict[str, Any], code: str
) -> None:
    finding = preflight.first_problem(info(tmp_path, **changes))
    assert finding is not None
    assert finding.code == code
    assert finding.remedy


def test_a_flow_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "flow").write_text("a file is in the way")
    finding = preflight.first_problem(info(tmp_path))
    assert finding is not None
    assert finding.code == "FLOW_DIRECTORY"


@pytest.mark.parametrize("broken", ["missing", "empty"])
def test_a_vendor_library_that_is_missing_or_empty_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    for name in ("vnctptd.so", "vnctpmd.so", *preflight.LIBRARIES):
        (tmp_path / name).write_bytes(b"code")
    monkeypatch.setattr(preflight, "_folder", lambda: tmp_path)
    monkeypatch.setattr(preflight, "has_locale", lambda: True)
    monkeypatch.setattr(preflight.sys, "platform", "linux")
    assert preflight.first_problem(info(tmp_path)) is None
    library = tmp_path / "libthostmduserapi_se.so"
    library.unlink()
    if broken == "empty":
        library.touch()
    finding = preflight.first_problem(info(tmp_path))
    assert finding is not None
    assert (finding.name, finding.code) == (
        "libthostmduserapi_se.so",
        "VENDOR_LIBRARY",
    )


def test_without_the_binding_or_the_locale_the_command_that_mends_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "_folder", lambda: None)
    finding = preflight.first_problem(info(tmp_path))
    assert finding is not None
    assert finding.code == "INTERFACE_UNAVAILABLE"
    assert "make ctp" in finding.remedy
    monkeypatch.setattr(preflight, "_binding", lambda: preflight.Finding("ctpbee_api", "here"))
    monkeypatch.setattr(preflight, "has_locale", lambda: False)
    finding = preflight.first_problem(info(tmp_path))
    assert finding is not None
    assert finding.code == "LOCALE_MISSING"
    assert "localedef" in finding.remedy


def test_strategies_that_are_not_closed_in_are_warned_of(
    examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = examine(strategies="uncontained")["策略"]
    assert line.state == WARNING
    assert "没有隔离" in line.text
