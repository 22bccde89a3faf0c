"""What strangers say over Socket.IO, to the web as it is really run: it is cut at once, and nobody else
notices.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator

import psutil
import pytest
import requests
import websocket

from tests.fakes.rpc_servers import FakeGateway
from tests.integration.test_async_modes import ACCOUNT, MODES, WebProcess
from tests.support.waiting import eventually

SELDOM = 10.0  # seconds between two lines about connections that were cut
OTHERS = 3.0  # seconds: with a busy machine's own pauses; the figures of a quiet one are in docs/security.md


@pytest.fixture(scope="module", params=MODES)
def web(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebProcess]:
    if request.param == "gevent":
        pytest.importorskip("gevent", reason="gevent is an option, not a requirement")
    folder = tmp_path_factory.mktemp("web")
    gateway = FakeGateway(folder, ACCOUNT)
    made = WebProcess(folder, request.param)
    assert _is_served(made)  # from here on it has what it keeps open itself
    yield made
    made.close()
    gateway.die()


class Others:
    """A second client, who asks all the time; the longest that it had to wait."""

    def __init__(self, web: WebProcess) -> None:
        self._url = web.url
        self._limit = (
            OTHERS if web.mode == "eventlet" else 3 * OTHERS
        )  # simple-websocket reads a whole burst before it yields
        self.longest = 0.0
        self.answers = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Others:
        self._thread.start()
        eventually(lambda: self.answers, "the other client is served")
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(30)

    @property
    def held_up(self) -> bool:
        return self.longest >= self._limit

    def _ask(self) -> None:
        with requests.Session() as session:
            while not self._ended.is_set():
                began = time.monotonic()
                assert session.get(f"{self._url}/healthz", timeout=30).status_code == 200
                self.longest = max(self.longest, time.monotonic() - began)
                self.answers += 1
                self._ended.wait(0.01)


def descriptors(web: WebProcess) -> int:
    return psutil.Process(web.process.pid).num_fds()


def resident(web: WebProcess) -> int:
    return psutil.Process(web.process.pid).memory_info().rss


def open_socket(web: WebProcess, connect: bool = True) -> websocket.WebSocket:
    ws = websocket.create_connection(
        f"ws://127.0.0.1:{web.port}/socket.io/?EIO=4&transport=websocket", timeout=10
    )
    assert str(ws.recv()).startswith("0{")
    if connect:
        ws.send("40")
        assert str(ws.recv()).startswith('40{"sid"')
    return ws


def is_cut(ws: websocket.WebSocket) -> bool:
    """Whether the server ends it, within the socket's time-out."""
    try:
        while ws.recv():
            pass
    except (websocket.WebSocketConnectionClosedException, ConnectionError, BrokenPipeError):
        return True
    except websocket.WebSocketTimeoutException:
        return False
    finally:
        ws.shutdown()
    return True


def about_packets(text: str) -> list[str]:
    """The lines of a log that bad packets can make: ours, and the library's with its tracebacks. Not those of
    other requests, which a busy machine has.
    """
    return [
        line
        for line in text.splitlines()
        if any(word in line.lower() for word in ("was cut", "packet", "engineio", "socketio"))
    ]


def frame(data: bytes, opcode: int = 1, final: bool = True) -> bytes:
    """A client's frame, with a mask that changes nothing."""
    size = len(data)
    length = (
        struct.pack(">BB", opcode | final << 7, 0x80 | size)
        if size < 126
        else struct.pack(">BBH", opcode | final << 7, 0xFE, size)
    )
    return length + b"\0\0\0\0" + data


BAD_BODIES = [
    b"9x",
    b"x",
    b"",
    b"4",
    b"4x",
    b"45-[]",
    b"bAAAA",
    b"\xff\xfe",
    b"42[",
    b"4" * 100_001,
    b"\x1e".join([b"3"] * 17),
    b"d=4x",
]


@pytest.mark.parametrize("body", BAD_BODIES, ids=lambda body: repr(body[:8]))
def test_a_bad_body_of_long_polling_is_answered_at_once_and_leaves_nothing(
    web: WebProcess, body: bytes
) -> None:
    """Two bytes were never answered: their thread and their descriptor stayed for ever."""
    before = descriptors(web)
    url = f"{web.url}/socket.io/?EIO=4&transport=polling"
    began = time.monotonic()
    for _ in range(5):
        sid = requests.get(url, timeout=5).text.partition('"sid":"')[2].partition('"')[0]
        assert requests.post(f"{url}&sid={sid}", data=b"40", timeout=5).text == "OK"
        assert requests.post(f"{url}&sid={sid}", data=body, timeout=5).status_code == 400
        assert requests.get(f"{url}&sid={sid}", timeout=5).status_code == 400  # it is no more
    assert time.monotonic() - began < 15
    eventually(lambda: descriptors(web) <= before + 1, "every descriptor is back")


# that many binary packets were waited for, and all kept
ATTACHMENTS = '451000000000-["a",{"_placeholder":true,"num":0}]'
BAD_PACKETS = ["4x", "9x", "", "0", "2", "44", "45-[]", ATTACHMENTS, "bAAAA", "42[", "42{}", "42[]", "42[{}]"]


@pytest.mark.parametrize("packet", [*BAD_PACKETS, b"\1\2"], ids=repr)
def test_the_first_bad_packet_ends_a_connection(web: WebProcess, packet: str | bytes) -> None:
    ws = open_socket(web)
    ws.send(
        packet,
        opcode=websocket.ABNF.OPCODE_BINARY if isinstance(packet, bytes) else websocket.ABNF.OPCODE_TEXT,
    )
    assert is_cut(ws)


def test_a_burst_of_bad_packets_holds_up_nobody_and_is_one_line_in_the_log(web: WebProcess) -> None:
    """160 KB stopped everybody for nine seconds, and 3 MB wrote 421 MB of tracebacks."""
    burst = frame(b"4x") * 20_000
    before, began = len(web.said()), time.monotonic()
    with Others(web) as others:
        for _ in range(5):
            ws = open_socket(web)
            with contextlib.suppress(OSError):  # it is cut before it has said all
                ws.sock.sendall(burst)
            assert is_cut(ws)
    assert not others.held_up
    lines = about_packets(web.said()[before:])
    assert len(lines) <= 1 + (time.monotonic() - began) / SELDOM, lines


HARMLESS_ONCE = [
    '42["subscribe",{"symbols":null}]',
    '42["identify",{"token":"x"}]',
    "40",
    "40/x,",
    "3",
    '42["x",1]',
    "41",
]


@pytest.mark.parametrize("said", HARMLESS_ONCE)
def test_who_says_more_than_a_page_says_is_cut(web: WebProcess, said: str) -> None:
    with Others(web) as others:
        ws = open_socket(web)
        with contextlib.suppress(OSError):  # it is cut before it has said all
            ws.sock.sendall(frame(said.encode()) * 5_000)
        assert is_cut(ws)
    assert not others.held_up


def test_a_known_page_may_say_more_but_not_without_end(web: WebProcess) -> None:
    symbols = ",".join(f'"rb{number}.SHFE"' for number in range(2000))
    subscription = f'42["subscribe",{{"symbols":[{symbols}]}}]'
    with Others(web) as others:
        ws = open_socket(web)
        ws.send(f'42["identify",{{"token":"{web.token}"}}]')
        while '"snapshot"' not in str(ws.recv()):
            pass
        for number in range(4):
            ws.send(f'42{number}["subscribe",{{"symbols":[{symbols}]}}]')
            while not str(answer := ws.recv()).startswith(f"43{number}"):
                assert answer
        with contextlib.suppress(OSError):  # it is cut before it has said all
            for _ in range(100):
                ws.send(subscription)
        assert is_cut(ws)
    assert not others.held_up


@pytest.mark.parametrize("piece", [60_000, 1])
def test_a_message_that_never_ends_is_not_kept(web: WebProcess, piece: int) -> None:
    """A frame was bounded, a message over its fragments was not: 300 MB in three seconds."""
    before = resident(web)
    with Others(web) as others:
        ws = open_socket(web)
        with contextlib.suppress(OSError):  # it is cut before it has said all
            ws.sock.sendall(frame(b"4" * piece, final=False))
            for _ in range(500):
                ws.sock.sendall(frame(b"x" * piece, opcode=0, final=False))
        if (
            web.mode == "eventlet"
        ):  # simple-websocket keeps 100 KB in however many pieces and no more, until no pong comes
            assert is_cut(ws)
        else:
            ws.shutdown()
    assert not others.held_up
    assert resident(web) - before < 20 * 2**20


def test_a_flood_of_control_frames_is_cut(web: WebProcess) -> None:
    with Others(web) as others:
        ws = open_socket(web)
        with contextlib.suppress(OSError):  # it is cut before it has said all
            for _ in range(50):
                ws.sock.sendall(frame(b"ping", opcode=9) * 1_000)
        ws.shutdown()
    assert not others.held_up


def test_whoever_was_cut_has_left_nothing(web: WebProcess) -> None:
    before = descriptors(web)
    sockets = [open_socket(web) for _ in range(15)]
    for ws in sockets:
        ws.send("9x")
    assert all(is_cut(ws) for ws in sockets)
    eventually(lambda: descriptors(web) <= before, "every descriptor is back")


def test_a_stranger_who_comes_and_goes_leaves_no_memory(web: WebProcess) -> None:
    """Each left 11 KB for the 25 seconds until it would have been pinged, and a thread with them."""
    url = f"{web.url}/socket.io/?EIO=4&transport=polling"
    with requests.Session() as session:

        def come_and_go(times: int) -> int:
            for _ in range(times):
                sid = session.get(url, timeout=5).text.partition('"sid":"')[2].partition('"')[0]
                assert session.post(f"{url}&sid={sid}", data=b"9x", timeout=5).status_code == 400
            return resident(web)

        before = come_and_go(200)
        assert come_and_go(1_200) - before < 5 * 2**20


def test_an_old_websocket_without_a_version_is_not_spoken(web: WebProcess) -> None:
    """Those before RFC 6455 have no bound on what they keep."""
    with socket.create_connection(("127.0.0.1", web.port), timeout=5) as old:
        old.sendall(
            b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: "
            b"WebSocket\r\nConnection: Upgrade\r\n"
            b"Origin: http://localhost\r\n\r\n"
        )
        assert old.recv(100).startswith((b"HTTP/1.1 400", b"HTTP/1.1 426", b"HTTP/1.0 400"))


def test_a_head_that_comes_in_pieces_is_answered_when_it_is_whole(web: WebProcess) -> None:
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as sock:
        sock.setblocking(False)
        for piece in (HEAD[:3], HEAD[3:-1], HEAD[-1:]):
            sock.sendall(piece)
            assert _is_served(web)  # it has had its turn, and has seen the piece
            with pytest.raises(BlockingIOError):
                sock.recv(1)
        sock.settimeout(10)
        sock.sendall(b"\r\n")
        sock.shutdown(socket.SHUT_WR)  # who asks with a pipe says so before the answer
        assert sock.recv(1024).startswith(b"HTTP/1.1 200 OK\r\n")


# ── connections, under eventlet ──

HASTY = (
    "import gc; gc.disable(); from app.web import eventlet_server as s; s.HEADER_SECONDS, "
    "s.BODY_SECONDS, s.IDLE_SECONDS = 1.0, 1.0, 1.0"
)
HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"


@pytest.fixture(scope="module")
def small_web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebProcess]:
    """It has 400 descriptors, gives a request a second to arrive, and has no garbage collector that would
    close what was left open.
    """
    made = WebProcess(tmp_path_factory.mktemp("small"), "eventlet", HASTY, descriptors=400)
    assert _is_served(made)
    yield made
    made.close()


def half_open(web: WebProcess, count: int, said: bytes) -> list[socket.socket]:
    made = []
    for _ in range(count):
        sock = socket.create_connection(("127.0.0.1", web.port), timeout=10)
        with contextlib.suppress(OSError):  # turned away at once
            sock.sendall(said)
        made.append(sock)
    return made


def test_connections_that_never_become_requests_keep_nobody_out_and_the_web_lives(
    small_web: WebProcess,
) -> None:
    """1,010 of them ended the process: no descriptor was left for the next one."""
    before = descriptors(small_web)
    with Others(small_web) as others:
        crowd = half_open(small_web, 1_200, HEAD)
        eventually(lambda: sum(_is_ended(sock) for sock in crowd) == len(crowd), "all are ended in time", 20)
    for sock in crowd:
        sock.close()
    assert not others.held_up
    assert small_web.process.poll() is None
    eventually(lambda: descriptors(small_web) <= before + 2, "every descriptor is back")
    eventually(lambda: _is_served(small_web), "their address has its places again")


def _is_served(web: WebProcess) -> bool:
    try:
        return requests.get(f"{web.url}/healthz", timeout=10).status_code == 200
    except requests.ConnectionError:
        return False


def _is_ended(sock: socket.socket) -> bool:
    sock.setblocking(False)
    try:
        return not sock.recv(1024)
    except BlockingIOError:
        return False
    except OSError:
        return True


@pytest.mark.parametrize(
    "drip",
    [
        HEAD,
        POST + b"Content-Length: 100\r\n\r\nuserid=",
        POST + b"Transfer-Encoding: chunked\r\n\r\n",
        HEAD + b"\r\n" + HEAD,
    ],
    ids=["header", "body", "chunks", "second request"],
)
def test_a_request_that_comes_a_byte_at_a_time_has_a_deadline(small_web: WebProcess, drip: bytes) -> None:
    with socket.create_connection(("127.0.0.1", small_web.port), timeout=10) as sock:
        began = time.monotonic()
        sock.sendall(drip)
        ended = threading.Event()

        def go_on() -> None:
            with contextlib.suppress(OSError):
                while not ended.wait(0.2):
                    sock.sendall(b"x")

        dripping = threading.Thread(target=go_on)
        dripping.start()
        with contextlib.suppress(ConnectionError):
            while sock.recv(4096):
                pass
        ended.set()
        dripping.join()
        assert time.monotonic() - began < 9  # it would go on for ever


@pytest.mark.parametrize("said", [b"\x16\x03\x01\x02\x00\x01\n", b"\r\n\r\n"], ids=["TLS", "empty lines"])
def test_what_is_no_request_of_http_is_ended_at_once(small_web: WebProcess, said: bytes) -> None:
    """A browser that was told https:// says so at once instead of waiting."""

    def before_its_deadline() -> bool:
        with socket.create_connection(("127.0.0.1", small_web.port), timeout=10) as sock:
            began = time.monotonic()
            sock.sendall(said)
            with contextlib.suppress(ConnectionError):
                while sock.recv(1024):
                    pass
            return time.monotonic() - began < 0.9

    eventually(before_its_deadline, "one try without a busy machine's pauses")


def test_a_connection_that_takes_no_answer_gives_its_descriptor_back(small_web: WebProcess) -> None:
    """Of 2,000 that were closed 321 stayed for minutes."""
    before = descriptors(small_web)
    for _ in range(60):
        with socket.create_connection(("127.0.0.1", small_web.port), timeout=10) as sock:
            sock.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )  # closed with a reset
            sock.sendall((HEAD + b"\r\n") * 3)
    eventually(lambda: descriptors(small_web) <= before + 1, "every descriptor is back")


def test_a_request_that_is_cut_off_in_its_head_is_none(small_web: WebProcess) -> None:
    """What had come was taken for a whole request: hundreds of half connections were as many requests when
    they went.
    """
    for said in (HEAD, HEAD[:-5], b"GET /healthz HTTP/1.1\r\n"):
        with socket.create_connection(("127.0.0.1", small_web.port), timeout=10) as sock:
            answer = b""
            sock.sendall(said)
            with contextlib.suppress(OSError):  # it may be reset instead
                sock.shutdown(socket.SHUT_WR)
                answer = sock.recv(1024)
            assert answer == b""


def test_a_request_that_is_whole_may_take_its_time(small_web: WebProcess) -> None:
    """A login waits for its counter for twenty seconds; only what has not arrived has a deadline."""
    began = time.monotonic()
    page = requests.get(f"{small_web.url}/socket.io/?EIO=4&transport=polling", timeout=5).text
    sid = page.partition('"sid":"')[2].partition('"')[0]
    url = f"{small_web.url}/socket.io/?EIO=4&transport=polling&sid={sid}"
    assert requests.post(url, data=b"40", timeout=5).text == "OK"
    assert requests.get(url, timeout=5).text.startswith("40")
    with pytest.raises(requests.ReadTimeout):  # a poll waits until there is something to say
        requests.get(url, timeout=3)
    assert time.monotonic() - began > 3
