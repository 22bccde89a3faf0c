"""The main job through nginx, uWSGI and supervisor, with one web and with three, over WebSocket and
long-polling. `make test-full`.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
import requests

from app.wire.registry import strategy_name
from tests.e2e import stack
from tests.e2e.server import Page, Quote, Trader
from tests.e2e.stack import CODE, ROOT, Stack
from tests.support.waiting import eventually

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(240),
    pytest.mark.skipif(
        bool(stack.missing()),
        reason=f"needs {stack.missing()} (apt-get install nginx supervisor; make uwsgi)",
    ),
    pytest.mark.skipif(
        not str(ROOT).isascii(), reason="uWSGI finds no virtualenv below a path that is not ASCII"
    ),
]

RB = "rb2510.SHFE"
TRANSPORTS = ("websocket", "polling")


@pytest.fixture(scope="module", params=[1, 3], ids=["one web", "three webs"])
def served(request: pytest.FixtureRequest) -> Iterator[Stack]:
    with stack.stack(request.param) as made, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(made.certificate))
        patch.setenv("WEBSOCKET_CLIENT_CA_BUNDLE", str(made.certificate))
        yield made


def log_in(served: Stack, userid: str) -> Trader:
    return Trader(served, userid).log_in(authorization=CODE)


def open_pages(trader: Trader, transport: str, count: int = 6) -> list[Page]:
    """Pages from as many networks: with several webs, nginx spreads them over these."""
    addresses = [f"10.0.{number}.1" for number in range(1, count + 1)]
    pages = [
        Page(trader.server.url, trader.token, transport=transport, headers={"X-Test-Address": text})
        for text in addresses
    ]
    for page in pages:
        page.wait("snapshot")
    return pages


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_main_job_through_nginx(served: Stack, transport: str) -> None:
    trader = log_in(served, f"main_{transport}")
    pages = open_pages(trader, transport)
    quote = trader.fix_quote(RB)
    opened = trader.order(RB, "long", "open", quote.ask, 2)
    assert opened["success"], opened
    resting = trader.order(RB, "long", "open", quote.bid - 5 * quote.tick, 1)["order_id"]
    for page in pages:
        page.wait("tick", lambda event: event["data"]["local_symbol"] == RB)
        page.wait("position", lambda event: [row["volume"] for row in event["data"]] == [2])
        page.wait("active_order", lambda event: [row["order_id"] for row in event["data"]] == [resting])
    assert trader.ask("DELETE", "/order_solve", local_symbol=RB, order_id=resting, exchange="SHFE")["success"]
    for page in pages:
        page.wait(
            "order_update",
            lambda event: event["data"]["order_id"] == resting and event["data"]["status"] == "已撤销",
        )
        eventually(
            lambda page=page: heard(page) == all_there_are(trader), "each event once, in order, no gap"
        )
        page.close()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_webs_are_restarted_one_after_the_other_and_no_event_is_lost(served: Stack, transport: str) -> None:
    trader = log_in(served, f"restart_{transport}")
    pages = open_pages(trader, transport)
    quote = trader.fix_quote(RB)
    trader.do("PUT", "/strategy", name="看着", operation="开启")
    names = ("host", "counter", f"gateway-{trader.key}", strategy_name(trader.key, "看着"))
    eventually(
        lambda: trader.do("GET", "/strategy", name="看着")["state"] == "运行中", "the strategy runs", 40
    )
    before = [served.entry(name) for name in names]
    assert None not in before
    for web in served.webs:
        resting = trader.order(RB, "long", "open", quote.bid - 3 * quote.tick, 1)["order_id"]
        for page in pages:
            eventually(
                lambda page=page: caught_up(page, trader) == all_there_are(trader),
                "the order at every page",
                40,
            )
        old = served.pid(f"web:{web}")
        served.control("stop", f"web:{web}")
        fill(served, quote)  # while this web is away
        served.control("start", f"web:{web}")
        assert served.pid(f"web:{web}") != old
        row = eventually(lambda order_id=resting: filled(trader, order_id), "the order has been filled", 30)
        assert row["traded"] == 1
        for page in pages:
            eventually(
                lambda page=page: caught_up(page, trader) == all_there_are(trader),
                "every event in between",
                40,
            )
    assert [served.entry(name) for name in names] == before  # the strategy among them
    assert trader.ask("GET", "/order_solve")["success"]  # the token is as good as before
    for page in pages:
        page.close()


def test_the_page_is_had_through_nginx_with_its_policy_and_packed(served: Stack) -> None:
    document = requests.get(f"{served.url}/", timeout=30)
    assert document.ok, document.text
    assert "default-src 'none'" in document.headers["Content-Security-Policy"]
    assert document.headers["Cache-Control"] == "no-cache"
    asked = {"If-None-Match": document.headers["ETag"]}
    assert requests.get(f"{served.url}/", headers=asked, timeout=30).status_code == 304
    name = re.search(r"assets/start-[^\"]+\.js", document.text)
    assert name is not None
    script = requests.get(f"{served.url}/{name[0]}", timeout=30)
    assert script.headers["Content-Encoding"] == "gzip"
    assert script.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert "immutable" in script.headers["Cache-Control"]
    assert script.text == (ROOT / "page" / "dist" / name[0]).read_text("utf-8")


def test_a_newer_web_takes_its_place_beside_the_running_host_and_nobody_is_logged_out(served: Stack) -> None:
    trader = log_in(served, "upgrade")
    page = open_pages(trader, "websocket", 1)[0]
    quote = trader.fix_quote(RB)
    resting = trader.order(RB, "long", "open", quote.bid - 3 * quote.tick, 1)["order_id"]
    names = ("host", "counter", f"gateway-{trader.key}")
    before = [served.entry(name) for name in names]
    code = served.tree / "app/views/health.py"
    old = code.read_text("utf-8")
    assert '"web": "up"' in old
    code.write_text(old.replace('"web": "up"', '"web": "newer"'), "utf-8")
    try:
        served.control("restart", "web:*")
        eventually(served.all_answer, "every web answers", 60)
    finally:
        code.write_text(old, "utf-8")
    webs = [
        requests.get(f"{served.web_url(web)}/healthz", timeout=10).json()["data"]["web"]
        for web in served.webs
    ]
    assert set(webs) == {"newer"}
    eventually(lambda: len(page.all("snapshot")) > 1, "the page is back", 40)
    eventually(
        lambda: trader.ask("GET", "/order_solve")["success"], "the web that is asked has found the gateway"
    )
    assert trader.order_row(resting)["status"] == "未成交"
    later = log_in(served, "after_the_upgrade")  # its gateway is of the newer code, started by the older host
    assert later.order(RB, "long", "open", later.fix_quote(RB).ask, 1)["success"]
    assert [served.entry(name) for name in names] == before
    page.close()


HANGING_ROUTE = """

@blueprint.get("/hang")
def the_line_that_hangs() -> Any:
    while True:
        pass
"""


def test_a_worker_whose_loop_hangs_ends_itself_and_its_master_starts_another(served: Stack) -> None:
    web = served.webs[0]
    route, limit = served.tree / "app/views/health.py", served.tree / "app/web/hang.py"
    old = {path: path.read_text("utf-8") for path in (route, limit)}
    assert "\nLIMIT = 15.0" in old[limit]
    route.write_text(old[route] + HANGING_ROUTE, "utf-8")
    limit.write_text(old[limit].replace("\nLIMIT = 15.0", "\nLIMIT = 3.0"), "utf-8")
    try:
        served.control("restart", f"web:{web}")
        eventually(served.all_answer, "every web answers", 60)
        master = psutil.Process(served.pid(f"web:{web}"))
        before = {child.pid for child in master.children()}
        with contextlib.suppress(requests.RequestException):
            assert requests.get(f"{served.web_url(web)}/hang", timeout=30).status_code >= 500
        eventually(lambda: {child.pid for child in master.children()} - before, "another worker", 30)
        eventually(served.all_answer, "every web answers again", 60)
        assert master.is_running()
        assert served.pid(f"web:{web}") == master.pid
        assert "in the_line_that_hangs" in served.logs()
    finally:
        for path, text in old.items():
            path.write_text(text, "utf-8")
        served.control("restart", f"web:{web}")
        eventually(served.all_answer, "every web answers", 60)


def test_a_killed_host_is_started_again_and_finds_accounts_and_strategies_as_they_were(served: Stack) -> None:
    trader = log_in(served, "host_killed")
    trader.do("PUT", "/strategy", name="看着", operation="开启")
    eventually(
        lambda: trader.do("GET", "/strategy", name="看着")["state"] == "运行中", "the strategy runs", 40
    )
    names = ("counter", f"gateway-{trader.key}", strategy_name(trader.key, "看着"))
    before = [served.entry(name) for name in names]
    old = served.entry("host")
    assert old is not None
    assert None not in before
    os.kill(old.pid, signal.SIGKILL)
    eventually(lambda: (new := served.entry("host")) and new.pid != old.pid, "a new host", 40)
    assert trader.order(RB, "long", "open", trader.fix_quote(RB).ask, 1)["success"]
    eventually(
        lambda: (
            (row := trader.ask("GET", "/strategy", name="看着"))["success"]
            and row["data"]["state"] == "运行中"
        ),
        "adopted",
        40,
    )
    assert [served.entry(name) for name in names] == before


def heard(page: Page) -> list[int]:
    """The numbers of the events that the page was told one by one."""
    return [data["seq"] for name, data in list(page.events) if name in ("order_update", "trade_update")]


def all_there_are(trader: Trader) -> list[int]:
    return list(range(1, trader.do("GET", "/events", since=0)["seq"] + 1))


def caught_up(page: Page, trader: Trader) -> list[int]:
    """What a page knows that does as docs/api.md says: after each snapshot it reads what it may have
    missed.
    """
    known = 0
    numbers: list[int] = []
    for name, data in list(page.events):
        if name in ("order_update", "trade_update"):
            assert data["seq"] == known + 1, f"{data['seq']} after {known}: a gap that no snapshot explains"
            known = data["seq"]
            numbers.append(known)
        elif name == "snapshot":
            missed = [
                event["seq"]
                for event in trader.do("GET", "/events", since=known)["events"]
                if event["seq"] <= data["seq"]
            ]
            numbers += missed
            known = data["seq"]
    return numbers


def fill(served: Stack, quote: Quote) -> None:
    """The market falls to where the order rests, and comes back."""
    down = quote.bid - 3 * quote.tick
    faults = served.faults()
    faults.set_quote(quote.symbol, down - quote.tick, 100, down, 100, down)
    faults.set_quote(quote.symbol, quote.bid, 100, quote.ask, 100, quote.bid)
    faults.close()


def filled(trader: Trader, order_id: str) -> Any:
    try:
        row = trader.order_row(order_id)
    except requests.RequestException:  # the only web has not come back yet
        return None
    return row if row["status"] == "全部成交" else None


def test_everything_runs_as_an_ordinary_user(served: Stack) -> None:
    trader = log_in(served, "ordinary")
    trader.do("PUT", "/strategy", name="看着", operation="开启")
    eventually(
        lambda: trader.do("GET", "/strategy", name="看着")["state"] == "运行中", "the strategy runs", 40
    )
    assert trader.do("POST", "/check_code", text="x = 1\n")[0]["error"] == "no-ext"
    if not served.is_an_ordinary_users:
        pytest.skip("root cannot become somebody who reaches this Python here")
    assert all(0 not in process.uids() + process.gids() for process in served.processes())
    names = {entry.kind for entry in served.registry.living()}
    assert {"host", "counter", "gateway", "strategy"} <= names


def test_whoever_comes_by_plain_http_is_sent_to_https_and_metrics_stay_inside(served: Stack) -> None:
    sent = requests.get(f"{served.plain_url}/healthz", allow_redirects=False, timeout=10)
    assert (sent.status_code, sent.headers["Location"]) == (301, "https://localhost/healthz")
    assert requests.get(f"{served.url}/metrics", timeout=10).status_code == 403


def test_pages_of_other_origins_are_refused_and_addresses_are_the_real_ones(served: Stack) -> None:
    url = f"{served.url}/socket.io/?EIO=4&transport=polling"
    assert requests.get(url, headers={"Origin": "https://evil.example"}, timeout=10).status_code == 403
    assert requests.get(url, headers={"Origin": served.url}, timeout=10).status_code == 200
    forged = {"X-Test-Address": "10.99.98.97", "X-Forwarded-For": "1.2.3.4"}
    requests.get(f"{served.url}/config", headers=forged, timeout=10)
    eventually(lambda: re.search(r"/config.*10\.99\.98\.97", served.logs()), "the address in the log")
    assert "1.2.3.4" not in served.logs()


def test_a_logout_at_one_web_ends_the_tokens_and_pages_of_all(served: Stack) -> None:
    trader = log_in(served, "leaver")
    pages = open_pages(trader, "websocket")
    assert trader.ask("POST", "/logout", authorization=CODE)["success"]
    for page in pages:
        assert page.wait("error", seconds=10)["error"] == "TOKEN_ERROR"
        page.close()
    for web in served.webs:
        answer = requests.get(
            f"{served.web_url(web)}/order_solve",
            headers={"Authorization": f"Bearer {trader.token}"},
            timeout=10,
        )
        assert (answer.status_code, answer.json()["msg"]) == (401, "token error")


def test_attempts_to_log_in_count_at_all_webs_together(served: Stack) -> None:
    log_in(served, "guessed")
    form = {"authorization": CODE, "userid": "guessed", "password": "guess", "interface": "sim"}
    urls = [served.web_url(web) for web in served.webs] * 6
    errors = [
        requests.post(f"{url}/login", data=form, headers={"X-Forwarded-For": "10.77.0.1"}, timeout=30).json()[
            "error"
        ]
        for url in urls[:6]
    ]
    assert errors == ["PASSWORD_DIFFERS"] * 5 + ["RATE_LIMITED"]


def test_several_webs_share_the_pages(served: Stack) -> None:
    for number in range(6):
        requests.get(f"{served.url}/config", headers={"X-Test-Address": f"10.0.{number}.1"}, timeout=10)
    logs = [(served.data_dir / "logs" / f"{name}.log").read_text("utf-8") for name in served.webs]
    assert all("/config" in text for text in logs)


def test_no_log_of_any_program_has_a_secret(served: Stack) -> None:
    trader = log_in(served, "secretive")
    page = open_pages(trader, "polling", 1)[0]
    trader.ask("PUT", "/config", SLIPPAGE_COVER=1)
    page.close()
    logs = served.logs()
    assert "/login" in logs
    assert trader.key in logs
    assert not [secret for secret in (CODE, trader.password, trader.token) if secret in logs]


def test_why_a_web_does_not_start_is_what_supervisor_shows(served: Stack) -> None:
    web, config = f"web:{served.webs[-1]}", served.tree / "config.toml"
    good = config.read_text("utf-8")
    served.control("stop", web)
    config.write_text(f"{good}\nprot = 1\n", "utf-8")
    try:
        served.control("start", web)
        eventually(lambda: "不认识的设置项 prot" in served.control("tail", "-8000", web), "the reason", 40)
    finally:
        config.write_text(good, "utf-8")
        served.control("stop", web)
        served.control("start", web)
    eventually(served.all_answer, "every web answers", 60)
