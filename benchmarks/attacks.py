"""Attacks on a server that somebody works with: `python -m benchmarks.attacks`. Our own server, on loopback,
bounded in count and time.

Each attack is a process of its own and comes from an address of its own (127.0.0.66; the flood of the lobby
from the trader's). Meanwhile another client goes on: /healthz, orders, new pages with a token, and a page
that counts its ticks. The first line is the same client without an attack, in the same run.
`tests/e2e/test_attacks.py` asserts what docs/security.md promises; the table there is printed here.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar
from urllib.parse import urlsplit

import psutil
import requests
import websocket

from benchmarks.parts.report import machine, percentile, table

ROOT = Path(__file__).parents[1]
STRANGER = "127.0.0.66"
POLLING = "/socket.io/?EIO=4&transport=polling"
RB = "rb2510.SHFE"
TICKING = ("m2509.DCE", "SR509.CZCE", "cu2507.SHFE", "au2508.SHFE")
REFERENCE = "没有攻击"
REFERENCE_SECONDS = 8.0
ATTACK_LIMIT = 100.0  # seconds
SETTLE_LIMIT = 20.0  # seconds that descriptors get to come back
HALF_WAVE = 500
# seconds: each of them makes the day's list longer, which goes to every page and would be what is measured
ORDER_PAUSE = 0.3
MB = 1024 * 1024


# ── the attacker's side, in a process of its own ──


class Target(NamedTuple):
    """What an attacker knows."""

    url: str
    certificate: str = ""  # of a test's own authority
    source: str = STRANGER

    def dial(self, timeout: float = 10.0) -> socket.socket:
        place = urlsplit(self.url)
        sock = socket.create_connection(
            ("127.0.0.1", place.port or 80), timeout, source_address=(self.source, 0)
        )
        return self._context().wrap_socket(sock, server_hostname="localhost") if self.certificate else sock

    def http(self) -> http.client.HTTPConnection:
        """One that is kept alive."""
        port = urlsplit(self.url).port
        if self.certificate:
            return http.client.HTTPSConnection(
                "localhost", port, timeout=30, source_address=(self.source, 0), context=self._context()
            )
        return http.client.HTTPConnection("127.0.0.1", port, timeout=30, source_address=(self.source, 0))

    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.certificate)


class Tried(NamedTuple):
    """What came of it: how many tries, and how many of them were refused or cut."""

    tries: int
    refused: int


def frame(data: bytes, opcode: int = 1, final: bool = True) -> bytes:
    """A client's WebSocket frame, with a mask that changes nothing."""
    size = len(data)
    if size < 126:
        length = struct.pack(">BB", opcode | final << 7, 0x80 | size)
    elif size < 1 << 16:
        length = struct.pack(">BBH", opcode | final << 7, 0xFE, size)
    else:
        length = struct.pack(">BBQ", opcode | final << 7, 0xFF, size)
    return length + b"\0\0\0\0" + data


def upgraded(target: Target, connect: bool = True) -> socket.socket:
    """A WebSocket, after its first frames."""
    sock = target.dial()
    sock.sendall(
        b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: "
        b"websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    _until(sock, b'"sid"')
    if connect:
        sock.sendall(frame(b"40"))
        _until(sock, b"40{")
    return sock


def _until(sock: socket.socket, what: bytes) -> None:
    heard = b""
    while what not in heard:
        chunk = sock.recv(4096)
        if not chunk:
            raise ConnectionError("closed")
        heard = heard[-64:] + chunk


def is_cut(sock: socket.socket, seconds: float = 10.0) -> bool:
    """Whether the server ends it."""
    sock.settimeout(seconds)
    try:
        while sock.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    finally:
        sock.close()
    return True


def said(target: Target, connections: int, data: Sequence[bytes], count: int) -> Tried:
    """On each of so many connections the same, until the server has had enough of it. `count`: messages in
    `data`.
    """
    cut = tries = 0
    for _ in range(connections):
        try:
            sock = upgraded(target)
        except OSError:
            tries, cut = tries + count, cut + 1
            continue
        with contextlib.suppress(OSError):  # it is cut before it has said all
            for piece in data:
                sock.sendall(piece)
        tries += count
        cut += is_cut(sock)
    return Tried(tries, cut)


def bad_polls(target: Target) -> Tried:
    """Two bytes by long polling, which were never answered."""
    return together(_bad_polls, target, 4, 10_000)


def together(attack: Callable[[Target, int], Tried], target: Target, threads: int, count: int) -> Tried:
    results: list[Tried] = []
    running = [
        threading.Thread(target=lambda: results.append(attack(target, count // threads)))
        for _ in range(threads)
    ]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return Tried(sum(result.tries for result in results), sum(result.refused for result in results))


def _bad_polls(target: Target, count: int) -> Tried:
    connection = target.http()
    refused = 0
    for _ in range(count):
        try:
            sid = json.loads(_ask(connection, "GET", POLLING)[1][1:]).get("sid", "")
            refused += _ask(connection, "POST", f"{POLLING}&sid={sid}", b"9x")[0] == 400
        except (OSError, http.client.HTTPException, ValueError):
            connection.close()
    return Tried(count, refused)


def _ask(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, bytes]:
    connection.request(method, path, body or None, {"Host": "localhost"} | headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def bad_packets(target: Target) -> Tried:
    """100,000 packets that nothing is."""
    return said(target, 50, [frame(b"4x") * 2_000], 2_000)


def subscriptions(target: Target) -> Tried:
    return said(target, 20, [frame(b'42["subscribe",{"symbols":["rb2510","m2509"]}]') * 1_000], 1_000)


def identifications(target: Target) -> Tried:
    return said(target, 20, [frame(b'42["identify",{"token":"%s"}]' % (b"x" * 300)) * 500], 500)


def large_messages(target: Target) -> Tried:
    return said(target, 20, [frame(b'42["subscribe",{"symbols":["%s"]}]' % (b"x" * 99_000))] * 10, 10)


def endless_fragments(target: Target) -> Tried:
    return said(
        target,
        10,
        [frame(b"4" * 60_000, final=False), *[frame(b"x" * 60_000, opcode=0, final=False)] * 500],
        500,
    )


def endless_attachments(target: Target) -> Tried:
    promise = frame(b'451000000000-["a",{"_placeholder":true,"num":0}]')
    return said(target, 10, [promise, *[frame(b"x" * 60_000, opcode=2)] * 500], 500)


def half_connections(target: Target) -> Tried:
    """5,000 that never become a request, so many at a time."""
    refused = 0
    for _ in range(10):
        wave = []
        for _ in range(HALF_WAVE):
            try:
                sock = target.dial(5.0)
                wave.append(sock)
                sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
            except OSError:
                refused += 1
        for sock in wave:
            refused += _is_ended(sock)
            sock.close()
    return Tried(10 * HALF_WAVE, refused)


def _is_ended(sock: socket.socket) -> bool:
    sock.settimeout(0.0)
    try:
        return not sock.recv(1024)
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True


FOREIGN: list[dict[str, str]] = [
    {"Host": "evil.example:5000", "Origin": "http://evil.example:5000"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
]


def foreign_logins(target: Target) -> Tried:
    """What the browser of somebody who visits a foreign page sends for it: logins, each of which would start
    a gateway.
    """
    connection, refused = target.http(), 0
    for number in range(400):
        body = f"userid=csrf{number}&password=x&authorization=000000&interface=sim".encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        status, _ = _ask(connection, "POST", "/login", body, **kind, **FOREIGN[number % len(FOREIGN)])
        refused += status in (403, 421, 429)
    return Tried(400, refused)


def lobby(target: Target) -> Tried:
    """Images of a page, from the trader's own address: of browsers that say so, and of older ones that do
    not.
    """
    connection, refused = target.http(), 0
    for number in range(600):
        says_so = {"Sec-Fetch-Site": "cross-site"} if number % 2 else {}
        status, _ = _ask(connection, "GET", POLLING, b"", **says_so)
        refused += status in (400, 403, 429)
    return Tried(600, refused)


T = TypeVar("T")


class Attack(NamedTuple):
    name: str
    run: Callable[[Target], Tried]
    source: str = STRANGER


ATTACKS = [
    Attack("长轮询的坏请求体", bad_polls),
    Attack("读不懂的包", bad_packets),
    Attack("subscribe 成堆", subscriptions),
    Attack("identify 成堆", identifications),
    Attack("99 KB 的消息", large_messages),
    Attack("没有结尾的分片", endless_fragments),
    Attack("没有结尾的附件", endless_attachments),
    Attack("只说一半的连接", half_connections),
    Attack("别处网页的登录", foreign_logins),
    Attack("别处网页占位", lobby, "127.0.0.1"),
]


# ── the other client ──


class Trader(Protocol):
    """tests/e2e/server.py's, logged in."""

    token: str

    def do(self, method: str, path: str, **fields: Any) -> Any: ...

    def fix_quote(self, symbol: str) -> Any: ...


class Others:
    """A trader who works while somebody attacks: what he waited for."""

    def __init__(self, target: Target, trader: Trader, low: float) -> None:
        self._target = target
        self._token = trader.token
        self._low = low
        self.health: list[float] = []
        self.orders: list[float] = []
        self.joins: list[float] = []
        self.ticks = 0
        self.lost = 0  # pages that had to connect again, as a browser's does by itself
        self.failed: list[str] = []
        self._ended = threading.Event()
        parts = (self._ask_health, self._order, self._join, self._listen)
        self._threads = [threading.Thread(target=self._guarded, args=(part,)) for part in parts]

    def __enter__(self) -> Others:
        for thread in self._threads:
            thread.start()
        self._began = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self._began
        self._ended.set()
        for thread in self._threads:
            thread.join(60)

    def _guarded(self, part: Callable[[], None]) -> None:
        try:
            part()
        except Exception as error:
            self.failed.append(f"{part.__name__}: {error!r}")

    def _session(self) -> requests.Session:
        session = requests.Session()
        session.verify = self._target.certificate or True
        session.headers["Authorization"] = f"Bearer {self._token}"
        return session

    def _ask_health(self) -> None:
        with self._session() as session:
            while not self._ended.wait(0.01):
                began = time.monotonic()
                assert session.get(f"{self._target.url}/healthz", timeout=30).status_code == 200
                self.health.append(time.monotonic() - began)

    def _order(self) -> None:
        """Orders that the exchange takes and ends at once: far from the market, and only for now."""
        fields: dict[str, str | float] = {
            "local_symbol": RB,
            "exchange": "SHFE",
            "direction": "long",
            "offset": "open",
            "type": "fak",
            "price": self._low,
        }
        with self._session() as session:
            while not self._ended.wait(ORDER_PAUSE):
                began = time.monotonic()
                answer = session.post(
                    f"{self._target.url}/order_solve", json=fields | {"volume": 1}, timeout=30
                ).json()
                assert answer["success"], answer
                assert "error" not in answer, answer
                self.orders.append(time.monotonic() - began)

    def _join(self) -> None:
        while not self._ended.wait(0.5):
            began = time.monotonic()
            self._again_and_again(self._page).close()
            self.joins.append(time.monotonic() - began)

    def _listen(self) -> None:
        while not self._ended.is_set():
            self._again_and_again(self._hear)

    def _hear(self) -> None:
        page = self._page()
        page.settimeout(5.0)
        while not self._ended.is_set():
            heard = str(page.recv())
            self.ticks += heard.count('["tick"')
            if heard == "2":
                page.send("3")
        page.close()

    def _again_and_again(self, attempt: Callable[[], T]) -> T:
        while True:
            try:
                return attempt()
            except (websocket.WebSocketException, OSError):
                self.lost += 1
                if self._ended.is_set():
                    raise

    def _page(self) -> websocket.WebSocket:
        """One that has its snapshot."""
        url = f"{self._target.url.replace('http', 'ws', 1)}/socket.io/?EIO=4&transport=websocket"
        page = websocket.create_connection(
            url, timeout=30, sslopt={"ca_certs": self._target.certificate} if self._target.certificate else {}
        )
        page.send("40" + json.dumps({"token": self._token}))
        while '"snapshot"' not in str(page.recv()):
            pass
        return page


# ── a run ──


class Figures(NamedTuple):
    """Of one attack, and of the time without one. Times in ms, memory in MB."""

    name: str
    tries: int
    refused: int
    seconds: float
    health: float  # the longest
    order_p99: float
    order: float  # the longest
    join: float  # the longest
    lost: int  # pages that had to connect again
    ticks: float  # a second
    memory: tuple[float, float]
    descriptors: tuple[int, int]
    back: float  # seconds until the descriptors were back
    failed: list[str]


class Scene:
    """A server that runs, and a trader who is logged in at it."""

    def __init__(
        self, url: str, trader: Trader, webs: Callable[[], list[psutil.Process]], certificate: str = ""
    ) -> None:
        self._target = Target(url, certificate)
        self._trader = trader
        self._webs = webs
        quote = trader.fix_quote(RB)
        self._low = quote.bid - 20 * quote.tick
        trader.do("POST", "/market", symbol=",".join(TICKING))

    def reference(self) -> Figures:
        return self._measured(REFERENCE, self._rest)

    def under(self, attack: Attack) -> Figures:
        return self._measured(attack.name, lambda: self._attack(attack))

    def _rest(self) -> Tried:
        time.sleep(REFERENCE_SECONDS)
        return Tried(0, 0)

    def _attack(self, attack: Attack) -> Tried:
        target = json.dumps(self._target._replace(source=attack.source))
        command = [sys.executable, "-m", "benchmarks.attacks", "--attack", attack.name, "--target", target]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=ATTACK_LIMIT, check=False
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        time.sleep(1.0)  # the others have to be served after it too
        return Tried(*json.loads(done.stdout))

    def _measured(self, name: str, act: Callable[[], Tried]) -> Figures:
        before = self._memory(), self._descriptors()
        with Others(self._target, self._trader, self._low) as others:
            tried = act()
        ended = time.monotonic()
        while self._descriptors() > before[1] + 2 and time.monotonic() - ended < SETTLE_LIMIT:
            time.sleep(0.1)
        back = time.monotonic() - ended
        return Figures(
            name,
            *tried,
            seconds=others.seconds,
            health=max(others.health, default=0.0) * 1000,
            order_p99=percentile(others.orders, 0.99) * 1000,
            order=max(others.orders, default=0.0) * 1000,
            join=max(others.joins, default=0.0) * 1000,
            lost=others.lost,
            ticks=others.ticks / others.seconds,
            memory=(before[0], self._memory()),
            descriptors=(before[1], self._descriptors()),
            back=back,
            failed=others.failed,
        )

    def _memory(self) -> float:
        return sum(process.memory_info().rss for process in self._webs()) / MB

    def _descriptors(self) -> int:
        return sum(process.num_fds() for process in self._webs())


HEAD = (
    "攻击",
    "次数",
    "被拒、被断",
    "/healthz 最长 ms",
    "报单 p99 ms",
    "报单最长",
    "新页面最长",
    "重连",
    "行情/秒",
    "内存 MB",
    "描述符",
    "归还 s",
)


def shown(title: str, figures: Sequence[Figures]) -> str:
    """The table of docs/security.md."""
    rows = [
        (
            one.name,
            f"{one.tries:,}" if one.tries else "—",
            f"{one.refused:,}" if one.tries else "—",
            f"{one.health:.0f}",
            f"{one.order_p99:.0f}",
            f"{one.order:.0f}",
            f"{one.join:.0f}",
            f"{one.lost}",
            f"{one.ticks:.0f}",
            f"{one.memory[0]:.0f} → {one.memory[1]:.0f}",
            f"{one.descriptors[0]} → {one.descriptors[1]}",
            f"{one.back:.1f}",
        )
        for one in figures
    ]
    return table(f"{title}（{machine()}）", HEAD, rows)


@contextlib.contextmanager
def run_py(folder: Path) -> Iterator[Scene]:
    """A: `python3 run.py` with its defaults."""
    from tests.e2e import server as real

    made = real.BackendServer(folder)
    try:
        made.start()
        trader = real.Trader(made, "attacked").log_in()
        entry = made.entry("web")
        assert entry is not None
        yield Scene(made.url, trader, lambda: [psutil.Process(entry.pid)])
    finally:
        made.clean()


@contextlib.contextmanager
def deployed() -> Iterator[Scene]:
    """B: nginx with TLS, uWSGI and supervisor from the files of deploy/."""
    import os

    from tests.e2e import server as real
    from tests.e2e import stack

    with stack.stack(1) as made:
        before = dict(os.environ)
        os.environ |= {
            "REQUESTS_CA_BUNDLE": str(made.certificate),
            "WEBSOCKET_CLIENT_CA_BUNDLE": str(made.certificate),
        }
        try:
            trader = real.Trader(made, "attacked").log_in(authorization=stack.CODE)

            def webs() -> list[psutil.Process]:
                return [process for process in made.processes() if process.name() == "uwsgi"]

            yield Scene(made.url, trader, webs, str(made.certificate))
        finally:
            os.environ.clear()
            os.environ |= before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attack", help="one of them, as the process that does it")
    parser.add_argument("--target")
    parser.add_argument("--only", choices=["A", "B"])
    chosen = parser.parse_args()
    if chosen.attack:
        attack = next(attack for attack in ATTACKS if attack.name == chosen.attack)
        print(json.dumps(attack.run(Target(*json.loads(chosen.target)))))
        return
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        scenes = {"A：python3 run.py": lambda: run_py(folder), "B：nginx（TLS）+ uWSGI": deployed}
        for title, scene in scenes.items():
            if chosen.only in (None, title[0]):
                with scene() as stage:
                    figures = [stage.reference(), *map(stage.under, ATTACKS)]
                print(shown(title, figures), flush=True)
                for one in figures:
                    for failure in one.failed:
                        print(f"{one.name}: {failure}", flush=True)


if __name__ == "__main__":
    main()
