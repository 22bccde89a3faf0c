"""app/wire/channel.py: what waits for a slow peer, and in which order it leaves."""

from __future__ import annotations

import socket
import struct
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.wire import channel, door
from app.wire.channel import Connection, Server, forget_addresses, new_address
from tests.support.waiting import eventually

try:
    import resource
except ImportError:  # not POSIX
    resource = None  # type: ignore[assignment]

FILLING = b"x" * (
    4 * 1024 * 1024
)  # more than a socket takes at once: its writer stands still until the peer reads


@pytest.fixture
def ends() -> Iterator[tuple[Connection, Connection]]:
    ours, theirs = socket.socketpair()
    writer, reader = Connection(ours), Connection(theirs)
    yield writer, reader
    writer.close()
    reader.close()


def test_a_newer_frame_of_a_key_does_not_overtake_what_was_sent_before_it(
    ends: tuple[Connection, Connection],
) -> None:
    """A heartbeat with the new trading day must not come before the old day's last trade."""
    writer, reader = ends
    frames = reader.frames()
    writer.send(b"first")
    assert next(frames) == b"first"
    writer.send(FILLING)
    eventually(lambda: not writer._pending, "the writer has taken it and stands still")
    writer.send(b"old day", key="heartbeat")
    writer.send(b"trade of the old day")
    writer.send(b"new day", key="heartbeat")
    assert writer.conflated == 1
    assert writer.waiting_bytes == len(b"trade of the old daynew day")
    assert next(frames) == FILLING
    assert [next(frames), next(frames)] == [b"trade of the old day", b"new day"]


@pytest.mark.parametrize("piece", [1, 3, 5, 1000])
def test_frames_are_found_however_the_bytes_are_cut(piece: int) -> None:
    sent = [b"", b"a", b"bc" * 30, b"", b"d" * 5]
    stream = (
        b"".join(len(frame).to_bytes(4) + frame for frame in sent) + b"\0\0"
    )  # and the beginning of one that never comes
    ours, theirs = socket.socketpair()
    reader = Connection(theirs)

    def send() -> None:
        with ours:
            for at in range(0, len(stream), piece):
                ours.sendall(stream[at : at + piece])

    sender = threading.Thread(target=send)  # a socket holds only so many pieces that nobody has read
    sender.start()
    assert list(reader.frames()) == sent
    sender.join()
    assert reader.closed


@pytest.mark.skipif(resource is None, reason="limits the number of files")
def test_a_server_without_a_file_to_spare_takes_connections_again_once_it_has_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[bytes] = []
    server = Server(new_address(tmp_path, "s.sock"), lambda _connection, frame: heard.append(frame))
    server.start()
    callers = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(3)]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(caller.fileno() for caller in callers) + 1, hard))
    try:
        for caller in callers:
            caller.connect(server.address.removeprefix("unix:"))
            caller.sendall(b"\0\0\0\x02hi")
        eventually(lambda: "cannot be taken" in caplog.text, "a try that fails")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    eventually(lambda: heard == [b"hi"] * 3, "all who waited are heard")
    for caller in callers:
        caller.close()
    server.close()


def test_a_socket_is_closed_by_the_last_thread_that_waits_on_it() -> None:
    """Under eventlet a descriptor that is closed under a waiting reader keeps that reader: whoever closes
    only ends the waiting.
    """
    ours, theirs = socket.socketpair()
    connection, inside = Connection(ours), threading.Event()

    def read() -> None:
        for _frame in connection.frames():
            inside.set()
            release.wait(30)

    release = threading.Event()
    reader = threading.Thread(target=read)
    reader.start()
    theirs.sendall(struct.pack(">I", 1) + b"x")
    assert inside.wait(30)
    connection.close()
    assert theirs.recv(1) == b""  # the other side knows at once
    assert ours.fileno() >= 0
    release.set()
    reader.join(30)
    eventually(lambda: ours.fileno() < 0, "the reader has closed it")
    theirs.close()


@pytest.mark.skipif(not channel.HAS_UNIX, reason="no Unix sockets")
def test_the_folder_in_the_temp_directory_goes_with_the_last_process_and_never_under_one_that_starts(
    tmp_path: Path,
) -> None:
    """They stayed for ever: about ninety on a machine."""
    run_dir = tmp_path / ("deep" * 25) / "run"
    address = new_address(run_dir, "one.sock")
    folder = Path(address.removeprefix("unix:")).parent
    assert folder.name.startswith("ctpbee-")
    assert folder.is_dir()
    server = Server(address, lambda _connection, _frame: None)
    server.start()
    forget_addresses(run_dir)
    assert channel.connect(address)  # somebody listens: it stays
    server.close()
    left, _ = channel.listen(f"unix:{folder / 'killed.sock'}")
    left.close()  # as after kill -9: the file is there, and nobody listens
    assert list(folder.iterdir())
    starting = new_address(run_dir, "two.sock")
    forget_addresses(run_dir)
    assert not folder.exists()
    late, _ = channel.listen(starting)  # it had its address already
    late.close()
    forget_addresses(run_dir)
    assert not folder.exists()
    forget_addresses(run_dir)


@pytest.mark.skipif(not channel.HAS_UNIX, reason="no Unix sockets")
def test_the_folder_of_a_gateways_own_door_goes_with_the_others(tmp_path: Path) -> None:
    """One stayed for each account that was ever logged in."""
    run_dir = tmp_path / ("deep" * 25) / "run"
    address = door.address(run_dir, "sim-9999-demo")
    folder = door.folder(address)
    assert folder is not None
    other = channel.listen(new_address(run_dir, "other.sock"))[0]
    server = Server(address, lambda _connection, _frame: None)
    server.start()
    assert [path.name for path in folder.iterdir()] == ["gw.sock"], "a strategy sees this folder"
    assert folder.stat().st_mode & 0o077 == folder.parent.stat().st_mode & 0o077 == 0
    forget_addresses(run_dir)
    assert channel.connect(address)
    server.close()
    other.close()
    forget_addresses(run_dir)
    assert not folder.exists()
    assert not folder.parent.exists()
    assert folder.parent.parent == Path(tempfile.gettempdir())
