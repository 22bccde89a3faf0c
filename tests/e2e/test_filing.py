"""The pack, made for real: on the built-in counter and over the C++ stand-in for CTP's library, with Chromium
and the built page; and with faults that a check must not be fooled by.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import closing

# Not `http.server.…`: eventlet leaves its green one in the package `http` of a process that has loaded it.
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType

import docx
import psutil
import pytest

from app.filing import desk
from app.filing.camera import NoCamera, PageCamera, Pass
from app.filing.checks import CHECKS, Bench, connection, run_check
from app.filing.guide import Guide
from app.filing.outcome import FAILED, PASSED, Outcome
from app.filing.secrets import Secrets
from app.filing.station import Station, Ticket
from app.filing.trace import Trace
from app.settings import Settings
from app.wire import channel
from tests.e2e.server import ROOT
from tests.support.faults import CounterFaults
from tests.support.kept_calendar import keep_calendar
from tests.support.waiting import eventually

pytestmark = [pytest.mark.full, pytest.mark.timeout(300)]
PASSWORD, AUTH_CODE = "Secret-9.pw", "code-7731-x"
IDS = ["1.1", "1.2", "2.1", "2.2", "2.3", "3.1", "4.1", "4.2", "5.1", "5.2", "6.1"]


def made(
    to: Path, *arguments: str, environment: Mapping[str, str] = MappingProxyType({})
) -> dict[str, object]:
    """The manifest of a pack that run.py has made, looked at in every way that is the same for all."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("CTPBEE_BACKEND_")}
    secret = {"FILING_PASSWORD": PASSWORD, "FILING_AUTH_CODE": AUTH_CODE}
    done = subprocess.run(
        [sys.executable, "run.py", "filing", "--to", str(to), *arguments],
        cwd=ROOT,
        env=plain | secret | dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    manifest: dict[str, object] = json.loads((to / "manifest.json").read_bytes())
    told = [(check["id"], check["state"], check["reason"]) for check in manifest["checks"]]  # type: ignore[attr-defined]
    assert told == [(id_, PASSED, "") for id_ in IDS], done.stdout + done.stderr
    assert done.returncode == 0
    return manifest


def look_at(to: Path, manifest: dict[str, object], interface: str) -> None:
    """Hashes, evidence, the docx read back, the logs whole, and no secret anywhere."""
    files = manifest["files"]
    assert isinstance(files, dict)
    with zipfile.ZipFile(to.with_name(f"{to.name}.zip")) as archive:
        assert set(archive.namelist()) == {*files, "manifest.json"}
        for name, digest in files.items():
            assert hashlib.sha256(archive.read(name)).hexdigest() == digest
    for check in manifest["checks"]:  # type: ignore[attr-defined]
        assert any(path.endswith(".png") for path in check["evidence"])
        assert set(check["evidence"]) <= set(files)
    document = docx.Document(str(to / "期货程序化交易系统功能测试过程记录报告.docx"))
    headings = [paragraph.text for paragraph in document.paragraphs if paragraph.style.name == "Heading 2"]  # type: ignore[union-attr]
    assert [heading.split(" ")[0] for heading in headings] == IDS
    assert all(heading.endswith("：通过") for heading in headings)
    pictures = [name for name in files if name.endswith(".png")]
    assert len(document.inline_shapes) == len(pictures)
    cells = " ".join(cell.text for table in document.tables for row in table.rows for cell in row.cells)
    assert "ErrorID 31：CTP:资金不足" in cells
    assert ("AppID client_x_1" in cells) == (interface == "ctp")
    lines = (to / "evidence" / "2.1" / "run.jsonl").read_text("utf-8").splitlines()
    states = [json.loads(line)["text"][:8] for line in lines if "交易前置" in line]
    assert states.index("交易前置：已断开"[:8]) < states.index("交易前置：就绪"[:8])
    for path in to.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            if path.suffix == ".docx":
                with zipfile.ZipFile(path) as archive:
                    content = b"".join(map(archive.read, archive.namelist()))
            assert PASSWORD.encode() not in content, path
            assert AUTH_CODE.encode() not in content, path
            assert not re.search(rb"eyJ[\w-]{10,}\.eyJ", content), f"a token in {path}"


def test_a_pack_on_the_built_in_counter(tmp_path: Path) -> None:
    look_at(tmp_path / "pack", made(tmp_path / "pack", "--sim"), "sim")


def test_a_pack_through_the_stand_in_of_ctps_front(tmp_path: Path) -> None:
    from tests.e2e.filing_front import TestFront  # needs ctpbee_api and a compiler

    front = TestFront()
    who = ["--brokerid", "9999", "--userid", "demo", "--appid", "client_x_1"]
    try:
        addresses = ["--td", front.td, "--md", front.md]
        found = made(tmp_path / "pack", "--ctp", "--i-know", *addresses, *who, environment=front.environment)
        look_at(tmp_path / "pack", found, "ctp")
    finally:
        front.close()


def test_a_command_that_is_killed_leaves_no_server(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="f") as place:  # short: sockets lie in it
        command = subprocess.Popen(
            [sys.executable, "run.py", "filing", "--sim", "--to", str(tmp_path / "pack")],
            cwd=ROOT,
            env=os.environ | {"TMPDIR": place},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

        def left() -> list[str]:
            """The programs that have its folder in what they were started with."""
            found = []
            for process in psutil.process_iter():
                with contextlib.suppress(psutil.Error):
                    if process != psutil.Process() and any(
                        place in text for text in (*process.cmdline(), *process.environ().values())
                    ):
                        found.append(f"{process.pid} {' '.join(process.cmdline())[:80]}")
            return found

        try:
            eventually(lambda: len(left()) >= 4, "itself, supervisor, host and web", 60.0)
            command.kill()
            command.wait()
            eventually(lambda: not left(), "nothing is left of it", 30.0)
        finally:
            command.kill()
            command.wait()
            for line in left():
                os.kill(int(line.split()[0]), signal.SIGKILL)


class Rig:
    """A station with the counter's faults at hand, and a record of what the checks come to."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        place = folder / "s"
        place.mkdir()
        (place / "data" / "run").mkdir(parents=True)
        keep_calendar(place / "data")
        self._address = channel.new_address(place / "data" / "run", "faults.sock")
        monkeypatch.setenv("COUNTER_TEST_SOCKET", self._address)
        self._folder = folder
        ticket = Ticket("sim", "9999", "filing", PASSWORD, what="内置柜台")
        self.station = Station(place, ticket, Settings(), Secrets())
        self.bench = Bench(self.station, desk.Desk(self.station), Guide(False))

    def faults(self) -> CounterFaults:
        return CounterFaults(self._address)

    def outcome(self, id_: str) -> Outcome:
        """Of one check, without pictures."""
        check = next(check for check in CHECKS if check.id == id_)
        outcome = Outcome(check.id, check.name, check.expected)
        trace = Trace(
            outcome, self._folder / "pack", camera=NoCamera("不看"), guide=Guide(False), secrets=Secrets()
        )
        return run_check(check, self.bench, trace)


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    made_ = Rig(tmp_path, monkeypatch)
    made_.station.start()
    yield made_
    made_.station.close()


def reasons(outcome: Outcome) -> list[str]:
    """All but that no picture was made."""
    assert outcome.state == FAILED
    return [lack for lack in outcome.lacks if "没有截图" not in lack]


def test_faults_for_real_are_not_taken_for_what_was_asked(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "PATIENCE", 1.0)
    monkeypatch.setattr(connection, "NOTICED", 2.0)
    assert reasons(rig.outcome("1.1")) == []
    assert reasons(rig.outcome("1.2")) == []
    with closing(rig.faults()) as counter:
        counter.delay_cancel()
        assert "没有撤成" in reasons(rig.outcome("1.2"))[0]
        counter.release_cancel()
        counter.refuse_next("order", 116, "CTP:报单流控超限")
        (told,) = reasons(rig.outcome("4.2"))
        assert "柜台拒绝的是别的原因：CTP_116" in told
    monkeypatch.setattr(rig.station, "cut", lambda: 2)
    assert "没有显示断开" in reasons(rig.outcome("2.1"))[0]


class Served(SimpleHTTPRequestHandler):
    """A page on which some words cannot be seen."""

    PAGE = """<!doctype html><meta charset=utf-8><body style="margin:0;height:100%">
    <p>看得见的字</p><p style="display:none">没有画的字</p><div style="height:40px;overflow:auto;width:300px">
    <p>顶上的字</p><p style="height:400px"></p><p>滚动之后的字</p></div>
    <div style="position:relative"><p>盖住的字</p>
    <div style="position:absolute;inset:0;background:#fff"></div></div>
    <p style="position:fixed;bottom:0;margin:0">底下的字</p>
    <table><tr><th>账户</th><td> 5 </td><td>3</td></tr></table>"""

    def do_GET(self) -> None:
        body = self.PAGE.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_said: object) -> None:
        return


def test_a_picture_tells_what_cannot_be_seen_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.filing.camera.PATIENCE", 4.0)  # a busy machine draws later
    server = ThreadingHTTPServer(("127.0.0.1", 0), Served)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    camera = PageCamera(lambda: Pass(f"http://127.0.0.1:{server.server_port}", "sim-9999-a", "token"))
    shown = ["看得见的字", "滚动之后的字", "账户 5 3", "底下的字"]
    hidden = ["没有画的字", "盖住的字", "不在的字", "账户 5 4"]
    try:
        missing = camera.take(tmp_path / "a.png", "1.1 连通性", "/", "日志", "", [*shown, *hidden])
    finally:
        camera.close()
        server.shutdown()
        server.server_close()
    assert missing == hidden
    picture = (tmp_path / "a.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert (int.from_bytes(picture[16:20]), int.from_bytes(picture[20:24])) == (1440, 936)
    eventually(
        lambda: not list(Path(tempfile.gettempdir()).glob("filing-chromium-*")), "its profile is gone", 5
    )
