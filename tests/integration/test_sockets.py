"""Pages over real sockets: a Flask-SocketIO server in threading mode, python-socketio's client and a raw
WebSocket.
"""

from __future__ import annotations

import importlib.metadata
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
import requests
import websocket
from engineio.packet import MESSAGE, Packet
from flask import Flask
from werkzeug.serving import make_server

from app import ext
from app.lib.errors import SettingsError
from app.model.sqlite import SqliteStore
from app.settings import Settings
from app.web import credentials, engine
from app.web.credentials import Tokens
from app.web.hub import Hub, PageLimits
from app.web.serving import listening_socket, serve
from app.wire.messages import Push
from tests.fakes.rpc_servers import snapshot
from tests.support.socket_client import ClientInOrder
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
LISTS = ["account", "position", "active_order", "order", "trade", "contract", "status", "snapshot"]


class FakeGateways:
    """Hands over a snapshot of its `seq` when asked for one."""

    def __init__(self, hub: Hub) -> None:
        self.seq = 5
        self._hub = hub

    def request_snapshot(self, account: str) -> None:
        self._hub.snapshot(account, snapshot(self.seq, account=[{"key": "userid", "value": account}]))


class Web:
    """One web with its pages."""

    def __init__(self, folder: Path, limits: PageLimits, **settings: Any) -> None:
        self.settings = Settings(data_dir=folder, async_mode="threading", **settings)
        self.app = Flask("web")
        self.hub = Hub(engine.encode, engine.Joined, limits)
        self.gateways = FakeGateways(self.hub)
        self.store = SqliteStore(folder / "server.db")
        self.tokens = Tokens(b"k" * 64, self.store, 1)
        ext.init_app(self.app, self.settings, self.hub, self.tokens, self.gateways)  # type: ignore[arg-type]
        self.app.add_url_rule("/plain", view_func=lambda: {"plain": True})
        self._listener = listening_socket("127.0.0.1", 0)
        self._listener.setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDBUF, 65536
        )  # a page that does not read is felt soon
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._server = make_server(
            "127.0.0.1", self.port, self.app, threaded=True, fd=self._listener.fileno()
        )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.pages: list[Page] = []

    def page(self, account: str = "", transport: str = "websocket", **connect: Any) -> Page:
        page = Page(self.url, self.tokens.issue(account) if account else "", transport, **connect)
        self.pages.append(page)
        return page

    def update(self, account: str, seq: int) -> None:
        self.hub.push(
            account, Push("order_update", orjson.dumps({"type": "order_update", "seq": seq, "data": {}}))
        )

    def tick(self, account: str, symbol: str, price: float = 1.0) -> None:
        payload = orjson.dumps({"type": "tick", "data": {"local_symbol": symbol, "last_price": price}})
        self.hub.push(account, Push("tick", payload, symbol))

    def close(self) -> None:
        self.app.extensions["sockets"].stop()
        for page in self.pages:
            page.wait_closed()
        self._server.shutdown()
        self._thread.join(30)
        self._server.server_close()
        self._listener.close()
        self.store.close()


class Page:
    """python-socketio's client as a page; with a token it identifies on every connect."""

    def __init__(self, url: str, token: str, transport: str, **connect: Any) -> None:
        self.events: list[tuple[str, Any]] = []
        self.reasons: list[str] = []
        self.client = ClientInOrder(reconnection=False)
        self.client.on("*", lambda event, data=None: self.events.append((event, data)))
        self.client.on("disconnect", self.reasons.append)
        self.client.connect(url, transports=[transport], **connect)
        self._queue, self._ws, self._http = self.client.eio.queue, self.client.eio.ws, self.client.eio.http
        self._threads = [self.client.eio.read_loop_task, self.client.eio.write_loop_task]
        if token:
            self.client.emit("identify", {"token": token})
            self.wait("snapshot")

    def all(self, name: str) -> list[Any]:
        return [data for heard, data in list(self.events) if heard == name]

    def names(self) -> list[str]:
        return [name for name, _ in list(self.events)]

    def wait(self, name: str, count: int = 1) -> list[Any]:
        eventually(lambda: len(self.all(name)) >= count, f"{count} of event {name}")
        return self.all(name)

    def answered(self) -> None:
        """Everything that the server had sent by now is here: its answer to this call comes behind it."""
        self.client.call("subscribe", {"symbols": None}, timeout=5)

    def wait_closed(self) -> None:
        """The server has closed it; its threads have ended (the writer, which this client sometimes forgets,
        is told to).
        """
        eventually(lambda: self.client.eio.state == "disconnected", "the page is closed")
        self._queue.put(None)
        for thread in self._threads:
            thread.join(30)
        if self._ws is not None:  # the client leaves closing these to the garbage collector
            self._ws.shutdown()
        if self._http is not None:
            self._http.close()


class RawPage:
    """A WebSocket without a library's help: Engine.IO packets as they are on the wire."""

    def __init__(self, web: Web, connect: bool = True, **options: Any) -> None:
        self.ws = websocket.create_connection(
            f"ws://127.0.0.1:{web.port}/socket.io/?EIO=4&transport=websocket", timeout=10, **options
        )
        assert self.read().startswith("0{")
        if connect:
            self.ws.send("40")
            assert self.read().startswith('40{"sid"')

    def say(self, event: str, data: Any) -> None:
        self.ws.send(f"42{orjson.dumps([event, data]).decode()}")

    def read(self) -> str:
        return str(self.ws.recv())

    def read_to_the_end(self) -> list[str]:
        packets = []
        try:
            while packet := self.read():
                packets.append(packet)
        except (websocket.WebSocketConnectionClosedException, ConnectionError):
            pass
        return packets

    def close(self) -> None:
        self.ws.shutdown()  # unlike its close() this always closes the socket


@contextmanager
def running(folder: Path, limits: PageLimits = PageLimits(), **settings: Any) -> Iterator[Web]:  # noqa: B008 - immutable
    web = Web(folder, limits, **settings)
    try:
        yield web
    finally:
        web.close()


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    with running(tmp_path, PageLimits(check_seconds=0.05, queued_packets=300)) as made:
        yield made


def test_the_insides_that_we_touch_are_those_of_the_pinned_versions() -> None:
    assert importlib.metadata.version("python-socketio") == engine.SOCKETIO_VERSION
    assert importlib.metadata.version("python-engineio") == engine.ENGINEIO_VERSION
    requirements = (ROOT / "requirements.txt").read_text("utf-8")
    assert f"python-socketio=={engine.SOCKETIO_VERSION}\n" in requirements
    assert f"python-engineio=={engine.ENGINEIO_VERSION}\n" in requirements


def test_our_packet_is_what_the_public_emit_would_have_sent(web: Web) -> None:
    page = web.page("alice")
    raw = RawPage(web)
    raw.say("identify", {"token": web.tokens.issue("alice")})
    while '"snapshot"' not in raw.read():
        pass
    data = {"type": "log", "data": {"message": '资金"不足"\\'}}
    web.hub.push("alice", Push("log", orjson.dumps(data)))
    ours = raw.read()
    web.app.extensions["socketio"].emit("log", data)
    theirs = raw.read()
    assert orjson.loads(ours.removeprefix("42")) == orjson.loads(theirs.removeprefix("42")) == ["log", data]
    assert ours[:2] == theirs[:2] == "42"
    assert page.wait("log", 2) == [data, data]
    raw.close()


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_a_page_that_identifies_gets_the_snapshot_and_then_what_is_newer(web: Web, transport: str) -> None:
    page = web.page("alice", transport)
    assert page.names() == LISTS
    assert page.all("account") == [{"type": "account", "data": [{"key": "userid", "value": "alice"}]}]
    assert page.all("snapshot") == [{"seq": 5}]
    assert page.all("status")[0]["gateway"]["state"] == "connected"
    for seq in range(6, 56):
        web.update("alice", seq)
    assert [event["seq"] for event in page.wait("order_update", 50)] == list(range(6, 56))


@pytest.mark.parametrize("prefix", ["", "JWT "])
def test_a_token_is_taken_from_the_header_and_from_auth_at_connect(web: Web, prefix: str) -> None:
    token = prefix + web.tokens.issue("alice")
    web.page(headers={"token": token}).wait("snapshot")
    web.page(auth={"token": token}).wait("snapshot")


@pytest.mark.parametrize("header", ["null", "undefined", ""])
def test_a_page_before_its_first_login_is_anonymous_not_wrong(web: Web, header: str) -> None:
    page = web.page(headers={"token": header})
    page.answered()
    assert page.events == []
    page.client.emit("identify", {"token": web.tokens.issue("alice")})
    page.wait("snapshot")


@pytest.mark.parametrize("transport", ["websocket", "polling"])
@pytest.mark.parametrize("shown", ["header", "auth", "identify"])
def test_a_bad_token_is_told_and_the_page_stays_and_may_show_a_better_one(
    web: Web, transport: str, shown: str
) -> None:
    bad = {"token": "no.such.token"}
    connect: dict[str, Any] = {"header": {"headers": bad}, "auth": {"auth": bad}}.get(shown, {})
    page = web.page(transport=transport, **connect)
    if shown == "identify":
        page.client.emit("identify", bad)
    assert page.wait("error") == [{"error": "TOKEN_ERROR", "msg": "token error"}]
    web.update("alice", 6)
    page.answered()
    assert page.names() == ["error"]
    assert page.client.connected
    assert page.reasons == []
    page.client.emit("identify", {"token": web.tokens.issue("alice")})  # after a login, without F5
    page.wait("snapshot")
    web.update("alice", 7)
    assert page.wait("order_update") == [{"type": "order_update", "seq": 7, "data": {}}]


def test_a_bad_token_ends_what_a_page_heard_and_it_waits_with_the_anonymous(web: Web) -> None:
    page = web.page("alice")
    page.client.emit("identify", {"token": "no.such.token"})
    page.wait("error")
    web.update("alice", 6)
    page.answered()
    assert page.all("order_update") == []
    assert len(web.app.extensions["sockets"]._lobby._since) == 1


@pytest.mark.parametrize(
    "garbage", [None, {}, {"token": None}, {"token": 5}, {"token": []}, "x", ["x"], {"token": "x" * 5_000}]
)
def test_an_identify_of_any_shape_is_a_bad_token_and_nothing_worse(web: Web, garbage: Any) -> None:
    page = web.page()
    page.client.emit("identify", garbage)
    assert page.wait("error")[0]["error"] == "TOKEN_ERROR"


def test_an_anonymous_page_hears_nothing(web: Web) -> None:
    anonymous, known = web.page(), web.page("alice")
    web.update("alice", 6)
    web.tick("alice", "rb2510.SHFE")
    web.hub.lost("alice", "x")
    known.wait("status", 2)
    anonymous.answered()
    assert anonymous.events == []


def test_two_accounts_never_see_each_others_events(web: Web) -> None:
    alice, bob = web.page("alice"), web.page("bob")
    for seq in range(6, 26):
        web.update("alice", seq)
        web.update("bob", 1000 + seq)
        web.tick("alice", "rb2510.SHFE")
        web.tick("bob", "ag2512.SHFE")
    web.hub.lost("alice", "网关进程已退出")
    alice.wait("status", 2)
    bob.wait("order_update", 20)
    bob.answered()
    assert [event["seq"] for event in alice.all("order_update")] == list(range(6, 26))
    assert [event["seq"] for event in bob.all("order_update")] == list(range(1006, 1026))
    assert {event["data"]["local_symbol"] for event in alice.all("tick")} == {"rb2510.SHFE"}
    assert {event["data"]["local_symbol"] for event in bob.all("tick")} == {"ag2512.SHFE"}
    assert len(bob.all("status")) == 1


def test_a_page_that_shows_another_accounts_token_moves(web: Web) -> None:
    page = web.page("alice")
    page.client.emit("identify", {"token": web.tokens.issue("bob")})
    page.wait("snapshot", 2)
    web.update("alice", 6)
    web.update("bob", 7)
    assert page.wait("order_update") == [{"type": "order_update", "seq": 7, "data": {}}]
    page.answered()
    assert len(page.all("order_update")) == 1
    assert page.all("account")[-1]["data"] == [{"key": "userid", "value": "bob"}]


def test_symbols_narrow_and_batch_collects(tmp_path: Path) -> None:
    with running(tmp_path, PageLimits(flush_seconds=0.5)) as web:
        narrow, batched = web.page("alice"), web.page("alice")
        narrow.client.call("subscribe", {"symbols": ["rb2510.SHFE"]}, timeout=5)
        batched.client.call("subscribe", {"symbols": None, "batch": True}, timeout=5)
        for price in range(20):
            web.tick("alice", "rb2510.SHFE", price)
            web.tick("alice", "ag2512.SHFE", price)
        eventually(
            lambda: narrow.all("tick") and narrow.all("tick")[-1]["data"]["last_price"] == 19,
            "the newest tick",
        )
        assert {event["data"]["local_symbol"] for event in narrow.all("tick")} == {"rb2510.SHFE"}
        newest = {"local_symbol": "ag2512.SHFE", "last_price": 19}
        eventually(
            lambda: newest in [row for event in batched.all("ticks") for row in event],
            "the newest tick in a batch",
        )
        assert len(batched.all("ticks")) < 20
        assert batched.all("tick") == []


@pytest.mark.parametrize(
    "bad",
    [
        None,
        [],
        "rb2510",
        {"symbols": "rb2510"},
        {"symbols": [5]},
        {"symbols": [""]},
        {"symbols": ["x"] * 3000},
        {"batch": "yes"},
    ],
)
def test_a_bad_subscription_is_told_and_changes_nothing(web: Web, bad: Any) -> None:
    page = web.page("alice")
    page.client.emit("subscribe", bad)
    error = page.wait("error")[0]
    assert error["error"] == "BAD_INPUT"
    assert error["msg"]
    assert error["parameter"]
    web.tick("alice", "ag2512.SHFE")
    page.wait("tick")


def test_after_a_logout_the_accounts_pages_are_told_and_hear_nothing_until_they_show_a_new_token(
    web: Web,
) -> None:
    page, other = web.page("alice"), web.page("bob")
    web.tokens.revoke_account("alice")
    with web.app.app_context():
        ext.disconnect_account("alice")
    assert page.wait("error")[0]["error"] == "TOKEN_ERROR"
    web.update("alice", 6)
    page.answered()
    assert page.all("order_update") == other.all("error") == []
    assert page.client.connected
    page.client.emit("identify", {"token": web.tokens.issue("alice")})
    page.wait("snapshot", 2)


def test_a_token_that_ends_while_the_page_is_connected_ends_its_events(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, other = web.page("alice"), web.page("bob")
    short = web.page()
    short.client.emit("identify", {"token": Tokens(b"k" * 64, web.store, 0.5).issue("carol")})
    short.wait("snapshot")
    monkeypatch.setattr(credentials, "time", SimpleNamespace(time=lambda: time.time() + 1801))
    web.tokens.revoke_account("alice")  # by somebody who does not know this page
    assert page.wait("error")[0]["error"] == "TOKEN_ERROR"
    assert short.wait("error")[0]["error"] == "TOKEN_ERROR"
    web.update("alice", 6)
    web.update("carol", 6)
    page.answered()
    short.answered()
    assert page.all("order_update") == short.all("order_update") == other.all("error") == []


def test_a_lost_gateway_and_its_return_are_told(web: Web) -> None:
    page = web.page("alice")
    web.hub.lost("alice", "网关进程已退出")
    status = page.wait("status", 2)[-1]
    assert (status["gateway"]["state"], status["gateway"]["reason"], status["td"]["state"]) == (
        "lost",
        "网关进程已退出",
        "ready",
    )
    web.gateways.seq = 8
    web.gateways.request_snapshot("alice")
    assert page.wait("snapshot", 2) == [{"seq": 5}, {"seq": 8}]
    assert page.all("status")[-1]["gateway"]["state"] == "connected"


def test_a_page_that_stops_reading_is_cut_and_costs_the_others_nothing(web: Web) -> None:
    healthy = web.page("alice")
    small = socket.create_connection(("127.0.0.1", web.port))
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    stuck = RawPage(web, socket=small)
    stuck.say("identify", {"token": web.tokens.issue("alice")})
    eventually(lambda: len(web.hub.members()) == 2, "both pages are known")
    padding = "x" * 4_000
    seq = 5
    slowest = 0.0
    while len(web.hub.members()) == 2:
        seq += 1
        assert seq < 5000, "it was never cut"
        began = time.monotonic()
        web.hub.push(
            "alice", Push("order_update", orjson.dumps({"type": "order_update", "seq": seq, "data": padding}))
        )
        slowest = max(slowest, time.monotonic() - began)
        if seq % 20 == 0:
            healthy.wait("order_update", seq - 5)
    assert slowest < 5  # who waits for the page waits until it is cut
    packets = stuck.read_to_the_end()
    assert packets[-1] == "1"  # Engine.IO's close: a page reconnects after it
    assert not any(packet.startswith("41") for packet in packets)  # Socket.IO's disconnect: it would not
    assert [event["seq"] for event in healthy.wait("order_update", seq - 5)] == list(range(6, seq + 1))
    web.update("alice", seq + 1)
    eventually(lambda: healthy.all("order_update")[-1]["seq"] == seq + 1, "the healthy page goes on")
    stuck.close()


def test_ticks_and_lists_of_a_page_that_stops_reading_are_the_newest_when_it_reads_again(web: Web) -> None:
    small = socket.create_connection(("127.0.0.1", web.port))
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    page = RawPage(web, socket=small)
    page.say("identify", {"token": web.tokens.issue("alice")})
    eventually(lambda: web.hub.members(), "it is known")
    padding = "x" * 4_000
    for price in range(2000):
        payload = orjson.dumps(
            {"type": "tick", "data": {"local_symbol": "rb2510.SHFE", "last_price": price, "x": padding}}
        )
        web.hub.push("alice", Push("tick", payload, "rb2510.SHFE"))
        web.hub.push("alice", Push("position", orjson.dumps({"type": "position", "data": [price, padding]})))
    assert web.hub.members()  # neither ever cuts a page
    prices: list[int] = []
    lists: list[int] = []
    while prices[-1:] != [1999] or lists[-1:] != [1999]:
        packet = page.read()
        if packet.startswith('42["tick"'):
            prices.append(orjson.loads(packet[2:])[1]["data"]["last_price"])
        elif packet.startswith('42["position",{"type":"position","data":['):
            lists.append(next(iter(orjson.loads(packet[2:])[1]["data"]), -1))
    assert len(prices) < 1500
    assert prices == sorted(prices)
    assert len(lists) < 1500
    assert lists == sorted(lists)
    page.close()


def test_an_address_may_have_so_many_anonymous_sockets_and_they_are_closed_in_time(tmp_path: Path) -> None:
    with running(
        tmp_path, PageLimits(anonymous_per_address=3, anonymous_seconds=600, check_seconds=0.05)
    ) as web:
        lobby = web.app.extensions["sockets"]._lobby
        silent = RawPage(web, connect=False)  # never says a word of Socket.IO
        known = web.page("alice")
        waiting = [RawPage(web), RawPage(web), RawPage(web)]  # for the third the silent one has to go
        assert silent.read_to_the_end()[-1] == "1"
        silent.close()
        lobby._seconds = 0  # their time is up
        for page in waiting:
            packets = page.read_to_the_end()
            assert packets[-1] == "1"  # Engine.IO's close, and no Socket.IO disconnect before it
            assert not any(packet.startswith("41") for packet in packets)
            page.close()
        lobby._seconds = 600
        again = RawPage(web)  # there is room again
        web.update("alice", 6)
        known.wait("order_update")
        assert known.client.connected
        again.close()


def test_what_a_page_had_on_its_way_when_it_was_closed_is_not_heard_and_leaves_nothing_behind(
    web: Web,
) -> None:
    server = web.app.extensions["socketio"].server
    page = RawPage(web, connect=False)
    ((_, client),) = server.eio.sockets.items()
    client.close()
    client.receive(Packet(MESSAGE, "0"))  # Socket.IO's CONNECT: of what it makes nobody would hear the end
    assert server.manager.rooms == {}
    assert server.environ == {}
    assert web.hub.members() == []
    assert page.read_to_the_end()[-1] == "1"
    page.close()


def test_a_page_that_is_closed_while_its_connect_is_handled_leaves_nothing_behind(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = web.app.extensions["socketio"].server
    page = RawPage(web, connect=False)
    ((_, client),) = server.eio.sockets.items()
    send = server._send_packet

    def closed_meanwhile(*arguments: Any) -> None:
        client.close()
        send(*arguments)

    monkeypatch.setattr(
        server, "_send_packet", closed_meanwhile
    )  # between the two halves of the library's connecting
    client.receive(Packet(MESSAGE, "0"))
    assert server.manager.rooms == {}
    assert server.manager.pending_connect == {}
    page.read_to_the_end()
    page.close()


def test_compression_is_not_negotiated_and_packets_leave_at_once(web: Web) -> None:
    raw = RawPage(web, header=["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"])
    assert "sec-websocket-extensions" not in (
        raw.ws.getheaders() or {"sec-websocket-extensions": "no headers at all"}
    )
    raw.close()
    listener = listening_socket("127.0.0.1", 0)
    client = socket.create_connection(listener.getsockname())
    accepted, _ = listener.accept()
    assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    for sock in (accepted, client, listener):
        sock.close()


def test_under_uwsgi_our_own_server_refuses_and_says_who_serves() -> None:
    with pytest.raises(SettingsError, match="uWSGI"), socket.socket() as unused:
        serve(Flask("web"), Settings(async_mode="gevent_uwsgi"), unused)


@pytest.mark.parametrize(
    ("origin", "origins", "welcome"),
    [
        ("http://localhost:8080", [], True),
        ("https://127.0.0.1:3000", [], True),
        ("same", [], True),
        ("https://evil.example", [], False),
        ("http://localhost.evil.example", [], False),
        ("null", [], False),
        ("https://desk.example", ["https://desk.example"], True),
        ("same", ["https://desk.example"], True),
        ("http://localhost:8080", ["https://desk.example"], False),
        ("https://anybody.example", ["*"], True),
    ],
)
def test_who_may_connect_from_where(tmp_path: Path, origin: str, origins: list[str], welcome: bool) -> None:
    with running(tmp_path, origins=origins) as web:
        headers = {"Origin": web.url if origin == "same" else origin}
        polled = requests.get(f"{web.url}/socket.io/?EIO=4&transport=polling", headers=headers, timeout=5)
        assert polled.status_code == (200 if welcome else 403)
        plain = requests.get(f"{web.url}/plain", headers=headers, timeout=5)
        if origin != "same":  # a page of ours needs no permission
            assert plain.headers.get("Access-Control-Allow-Origin") in (
                (headers["Origin"], "*") if welcome else (None,)
            )


@pytest.mark.parametrize("transport", ["polling", "websocket"])
@pytest.mark.parametrize("origin", ["http://localhost:8080", "same", None])
def test_a_client_of_socket_io_2_can_read_why_it_is_refused(
    web: Web, transport: str, origin: str | None
) -> None:
    sent = web.url if origin == "same" else origin
    headers = {"Origin": sent} if sent else {}
    path = f"{web.url}/socket.io/?EIO=3&transport={transport}&t=1"
    refused = requests.get(path, headers=headers, timeout=5)
    assert refused.status_code == 400
    assert refused.headers["Content-Type"] == "application/json"
    assert refused.headers.get("Access-Control-Allow-Origin") == sent
    answer = refused.json()
    assert (answer["success"], answer["error"]) == (False, "SOCKET_CLIENT_TOO_OLD")
    assert "socket.io-client 4" in answer["msg"]
    assert "EIO=3" in answer["msg"]
    asked = requests.options(path, headers=headers | {"Access-Control-Request-Headers": "token"}, timeout=5)
    assert asked.ok
    assert asked.headers.get("Access-Control-Allow-Origin") == sent
    assert asked.headers["Access-Control-Allow-Headers"] == "token"
    assert web.page().client.connected


def test_no_token_is_logged(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    token = web.tokens.issue("alice")
    page = web.page(headers={"token": token})
    page.wait("snapshot")
    page.client.emit("identify", {"token": token})
    page.wait("snapshot", 2)
    ours = [
        record.getMessage()
        for record in caplog.records
        if re.match(r"app|socketio\.server|engineio\.server", record.name)
    ]
    assert not any(token in message for message in ours)


def test_a_handler_that_fails_is_told_with_an_id_that_is_in_the_log(
    web: Web, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    page = web.page()

    def fail(_account: str) -> None:
        raise RuntimeError("our own fault")

    monkeypatch.setattr(web.gateways, "request_snapshot", fail)
    page.client.emit("identify", {"token": web.tokens.issue("alice")})
    error = page.wait("error")[0]
    assert error["error"] == "INTERNAL"
    assert error["error_id"] in caplog.text
