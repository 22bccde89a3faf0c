"""app/web/doorway.py: who is turned away by the host that he asks for, or the page that asks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
import pytest

from app.settings import Settings
from app.web.doorway import Doorway


def ask(
    settings: Settings, method: str = "GET", path: str = "/login", query: str = "", **headers: str
) -> tuple[int, Any]:
    """Status, and the body as it is or what its JSON says."""

    def application(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [b'"in"']

    said: list[str] = []
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "HTTP_HOST": "127.0.0.1:5000",
    }
    environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    body = b"".join(Doorway(application, settings)(environ, lambda status, _headers: said.append(status)))
    return int(said[0][:3]), orjson.loads(body)


PRIVATE = Settings()
PUBLIC = Settings(host="0.0.0.0", public=True, origins=["https://trade.example.com"])


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:5000", "[::1]:5000", "LOCALHOST:1", "localhost.", ""]
)
@pytest.mark.parametrize("path", ["/login", "/socket.io/"])
def test_this_machine_may_be_asked_by_its_names(host: str, path: str) -> None:
    assert ask(PRIVATE, path=path, host=host) == (200, "in")


FOREIGN = [
    "evil.example:5000",
    "127.0.0.1.evil.example",
    "localhost@evil.example",
    "127.0.0.2",
    "evil",
    "[::1",
    ":5000",
    "a b",
    "∞",
]


@pytest.mark.parametrize("host", FOREIGN)
@pytest.mark.parametrize("path", ["/login", "/socket.io/", "/metrics"])
def test_a_name_that_is_not_ours_is_turned_away(host: str, path: str) -> None:
    """A page whose own name points here is of the same origin to the browser, and could start strategies."""
    status, said = ask(PRIVATE, path=path, host=host)
    assert (status, said["success"], said["error"]) == (421, False, "FOREIGN_HOST")


def test_the_hosts_of_origins_and_the_address_that_is_listened_on_are_ours() -> None:
    assert ask(PUBLIC, host="trade.example.com")[0] == 200
    assert ask(PUBLIC, host="TRADE.example.com:8443")[0] == 200
    assert ask(PUBLIC, host="example.com")[0] == 421
    assert ask(Settings(host="192.168.1.5", origins=["http://x"]), host="192.168.1.5:5000")[0] == 200
    assert ask(Settings(origins=["*"]), host="anything")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_a_foreign_page_changes_nothing(method: str) -> None:
    for headers in (
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
        {"origin": ""},
    ):
        status, said = ask(PRIVATE, method, **headers)
        assert (status, said["error"]) == (403, "FOREIGN_ORIGIN"), headers


def test_our_pages_and_programs_that_are_none_may() -> None:
    for headers in (
        {},
        {"origin": "http://127.0.0.1:5000"},
        {"origin": "http://localhost:8080"},
        {"sec_fetch_site": "same-origin"},
    ):
        assert ask(PRIVATE, "POST", **headers)[0] == 200, headers
    ours = {
        "host": "trade.example.com",
        "origin": "https://trade.example.com",
        "sec_fetch_site": "cross-site",
    }
    assert ask(PUBLIC, "POST", **ours)[0] == 200


def test_reading_is_left_to_the_browsers_own_rules_but_not_on_sockets() -> None:
    assert ask(PRIVATE, "GET", origin="https://evil.example")[0] == 200
    assert ask(PRIVATE, "OPTIONS", origin="https://evil.example")[0] == 200
    for headers in ({"origin": "https://evil.example"}, {"sec_fetch_site": "cross-site"}):
        assert ask(PRIVATE, "GET", "/socket.io/", **headers)[0] == 403


def test_sockets_speak_neither_jsonp_nor_a_draft_of_websocket() -> None:
    assert ask(PRIVATE, path="/socket.io/", query="EIO=4&transport=polling&j=0")[1]["error"] == "NO_JSONP"
    assert ask(PRIVATE, path="/socket.io/", query="EIO=4&transport=polling&j")[1]["error"] == "NO_JSONP"
    assert ask(PRIVATE, path="/socket.io/", upgrade="WebSocket")[1]["error"] == "OLD_WEBSOCKET"
    assert ask(PRIVATE, path="/socket.io/", upgrade="websocket", sec_websocket_version="13")[0] == 200
