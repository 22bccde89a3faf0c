"""The line that can be cut, over real sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from app.filing.forwarder import Forwarder
from tests.support.waiting import eventually


class Echo:
    """A front that says back what it hears."""

    def __init__(self, family: int, place: object) -> None:
        self.listening = socket.socket(family, socket.SOCK_STREAM)
        self.listening.bind(place)  # type: ignore[arg-type]
        self.listening.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        try:
            while True:
                near, _ = self.listening.accept()
                threading.Thread(target=self._say_back, args=(near,), daemon=True).start()
        except OSError:
            return

    def _say_back(self, near: socket.socket) -> None:
        with near:
            try:
                while chunk := near.recv(65536):
                    near.sendall(chunk)
            except OSError:
                return


@pytest.fixture(params=["tcp", "unix"])
def line(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forwarder]:
    folder = tmp_path_factory.mktemp("l")
    if request.param == "tcp":
        echo = Echo(socket.AF_INET, ("127.0.0.1", 0))
        target = f"tcp://127.0.0.1:{echo.listening.getsockname()[1]}#secret"
    else:
        echo = Echo(socket.AF_UNIX, str(folder / "e.sock"))
        target = f"unix:{folder / 'e.sock'}"
    made = Forwarder(target, folder)
    yield made
    made.close()
    echo.listening.close()


def connected(line: Forwarder) -> socket.socket:
    if line.address.startswith("unix:"):
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(5)
        try:
            made.connect(line.address.removeprefix("unix:"))
        except OSError:
            made.close()
            raise
        return made
    return socket.create_connection(("127.0.0.1", urlsplit(line.address).port or 0), timeout=5)


def says_back(end: socket.socket, what: bytes) -> bool:
    end.sendall(what)
    heard = b""
    while len(heard) < len(what):
        heard += end.recv(65536) or b"\0" * len(what)
    return heard == what


def test_what_goes_in_comes_out_at_the_front(line: Forwarder) -> None:
    with connected(line) as end:
        assert says_back(end, b"x" * 1_000_000)
        assert line.connections == line.passed_on == 1


def test_the_address_has_the_secret_of_the_one_behind_it(line: Forwarder) -> None:
    assert line.address.partition("#")[2] == line.target.partition("#")[2]


def test_a_cut_ends_what_leads_through_it_and_takes_nothing_new(line: Forwarder) -> None:
    with connected(line) as end, connected(line) as other:
        assert says_back(end, b"a")
        assert says_back(other, b"b")
        assert line.cut() == 2
        assert is_gone(end)
        assert is_gone(other)
        with pytest.raises(OSError, match="."), connected(line) as new:
            says_back(new, b"c")
        assert line.cut() == 0
        line.mend()
        with connected(line) as again:
            assert says_back(again, b"d")


def test_a_mended_line_has_the_address_that_it_had(line: Forwarder) -> None:
    before = line.address
    line.cut()
    line.mend()
    line.mend()
    assert line.address == before
    with connected(line) as end:
        assert says_back(end, b"a")


def test_the_end_of_one_side_is_the_end_of_the_other(line: Forwarder) -> None:
    end = connected(line)
    assert says_back(end, b"a")
    end.close()
    eventually(lambda: line.connections == 0, "the front's side is closed too")


def test_who_connects_while_the_front_is_away_is_dropped(tmp_path: Path) -> None:
    with socket.socket() as gone:
        gone.bind(("127.0.0.1", 0))
        port = gone.getsockname()[1]
    line = Forwarder(f"tcp://127.0.0.1:{port}", tmp_path)
    try:
        with connected(line) as end:
            assert is_gone(end)
    except OSError:
        pass  # it was dropped before the connect was told of
    line.close()
    assert line.passed_on == 0


def is_gone(end: socket.socket) -> bool:
    try:
        return end.recv(1) == b""
    except ConnectionError:
        return True
