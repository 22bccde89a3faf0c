"""A disk that is full, and one that has become read-only, under a server that trades. Needs to mount one:
`make test-full`, as root.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

import pytest
import requests

from tests.e2e.server import ROOT, BackendServer, Trader
from tests.support.waiting import eventually

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="mounting a disk takes root"),
]

RB = "rb2510.SHFE"


class Disk:
    """A small file system of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._mount("-t", "tmpfs", "-o", "size=40m,mode=0700", "none")

    def _mount(self, *arguments: str) -> None:
        done = subprocess.run(["mount", *arguments, str(self.folder)], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"cannot mount here: {done.stderr}")

    def fill(self) -> None:
        def write_on(file: FileIO, size: int) -> None:
            while True:
                file.write(bytes(size))

        for mode, size in (("wb", 64 * 1024), ("ab", 1)):
            with (
                open(self.folder / "filler", mode, buffering=0) as file,
                pytest.raises(OSError, match="No space"),
            ):
                write_on(file, size)

    def free(self) -> None:
        (self.folder / "filler").unlink()

    def make_readonly(self, readonly: bool) -> None:
        self._mount("-o", "remount,ro" if readonly else "remount,rw")

    def close(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=False)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path / "disk")
    yield made
    made.close()


@pytest.fixture
def server(disk: Disk) -> Iterator[BackendServer]:
    made = BackendServer(disk.folder / "data").start()
    yield made
    made.clean()


def test_on_a_full_disk_no_order_leaves_and_everybody_is_told_and_with_room_again_all_goes_on(
    server: BackendServer, disk: Disk
) -> None:
    trader = Trader(server).log_in()
    page = trader.open_page()
    quote = trader.fix_quote(RB)
    resting = trader.order(RB, "long", "open", quote.bid - 5 * quote.tick, 1)["order_id"]
    other = trader.order(RB, "long", "open", quote.bid - 6 * quote.tick, 1)["order_id"]
    page.wait(
        "order_update",
        lambda event: event["data"]["order_id"] == other and event["data"]["status"] == "未成交",
    )
    disk.fill()
    answer = trader.order(RB, "long", "open", quote.ask, 1)
    assert (answer["success"], answer["error"]) == (False, "JOURNAL_FAILED")
    assert "磁盘" in answer["msg"]
    for path, fields in (
        ("/config", {"SLIPPAGE_COVER": 2}),
        ("/auth_code", {"password": "secret-9", "authorization": "new-code"}),
    ):
        refused = trader.ask("PUT", path, **fields)
        assert (refused["success"], refused["error"]) == (False, "STORE_FAILED"), refused
    assert [row["order_id"] for row in trader.lists()["active_order_list"]] == [
        resting,
        other,
    ]  # what there is can be seen
    assert store_of(server) == (503, "full")
    trader.log_in()  # to cancel what there is, with the disk as it is
    cancelled = trader.ask("DELETE", "/order_solve", order_id=other, local_symbol=RB, exchange="SHFE")
    assert cancelled["error"] == "CANCEL_STATE_UNKNOWN", (
        cancelled
    )  # it has left; the built-in counter's own disk is this one too
    disk.free()
    filled = eventually(
        lambda: (answer := trader.order(RB, "long", "open", quote.ask, 1))["success"] and answer,
        "orders leave again",
    )
    eventually(lambda: store_of(server) == (200, "up"), "ready again")
    page.wait(
        "order_update",
        lambda event: (
            event["data"]["order_id"] == filled["order_id"] and event["data"]["status"] == "全部成交"
        ),
    )
    assert {row["order_id"] for row in trader.lists()["order_list"]} == {resting, other, filled["order_id"]}
    trader.close_page()


def store_of(server: BackendServer) -> tuple[int, str]:
    """What /readyz says, and what of the store."""
    answer = requests.get(f"{server.url}/readyz", timeout=10)
    return answer.status_code, answer.json()["data"]["store"]


def test_on_a_read_only_disk_a_server_says_why_it_does_not_start(server: BackendServer, disk: Disk) -> None:
    server.stop()
    disk.make_readonly(True)
    for command in ([], ["web"], ["host"]):
        arguments = [
            sys.executable,
            str(ROOT / "run.py"),
            *command,
            "--port",
            "0",
            "--data-dir",
            str(server.data_dir),
        ]
        done = subprocess.run(
            arguments, cwd=ROOT, env=server.environment(), capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 2
        assert "文件系统只读" in done.stderr
        assert "Traceback" not in done.stderr
    disk.make_readonly(False)
    server.start()
