"""Who may see what: tokens, logins, logouts, and two accounts beside each other."""

from __future__ import annotations

import stat
import subprocess
import sys

import pytest

from tests.e2e.server import ROOT, BackendServer, Page, Refused, Trader
from tests.support.waiting import eventually

RB = "rb2510.SHFE"


def test_neither_of_two_accounts_sees_the_others_events(shared_server: BackendServer) -> None:
    alice, bob = Trader(shared_server, "alice").log_in(), Trader(shared_server, "bob", "other-pass").log_in()
    alices, bobs = alice.open_page(), bob.open_page()
    quote = alice.fix_quote(RB)
    bob.do("POST", "/market", symbol="ag2512.SHFE")
    alices.wait("tick")
    bobs.wait("tick")
    order_id = alice.order(RB, "long", "open", quote.ask, 1)["order_id"]
    alices.wait("trade_update", lambda event: event["data"]["order_id"] == order_id)
    bobs.wait("tick", lambda event: event["data"]["local_symbol"] == "ag2512.SHFE")
    assert bobs.all("order_update") == bobs.all("trade_update") == []
    assert all(
        event["data"] == []
        for name in ("order", "trade", "position", "active_order")
        for event in bobs.all(name)
    )
    assert {event["data"]["local_symbol"] for event in bobs.all("tick")} == {"ag2512.SHFE"}
    assert {event["data"]["local_symbol"] for event in alices.all("tick")} == {RB}
    foreign = bob.ask("DELETE", "/order_solve", order_id=order_id, local_symbol=RB, exchange="SHFE")
    assert not foreign["success"]
    assert foreign["error"] == "ORDER_NOT_FOUND"
    alice.close_page()
    bob.close_page()


def test_an_anonymous_socket_hears_nothing(shared_server: BackendServer) -> None:
    trader = Trader(shared_server, "heard").log_in()
    known, anonymous = trader.open_page(), Page(shared_server.url, "", identify=False)
    trader.do("POST", "/market", symbol=RB)
    known.wait("tick")
    assert anonymous.events == []
    anonymous.close()
    trader.close_page()


def test_a_socket_with_a_bad_token_is_told_stays_anonymous_and_may_show_a_better_one(
    shared_server: BackendServer,
) -> None:
    trader = Trader(shared_server, "badtoken").log_in()
    page = Page(shared_server.url, "not.a.token")
    assert page.wait("error")["error"] == "TOKEN_ERROR"
    assert page.client.connected
    assert not page.all("status")
    page.show(trader.token)
    page.wait("status")
    page.close()


@pytest.mark.parametrize("way", ["header", "auth"])
def test_a_token_is_taken_at_connect(shared_server: BackendServer, way: str) -> None:
    trader = Trader(shared_server, "connector").log_in()
    shown = {"headers": {"token": trader.token}} if way == "header" else {"auth": {"token": trader.token}}
    page = trader.open_page(identify=False, **shown)
    page.wait("account")
    page.close()


def test_a_paper_account_keeps_the_password_of_its_first_login(shared_server: BackendServer) -> None:
    Trader(shared_server, "keeper", "right").log_in().do("POST", "/logout", authorization="000000")
    with pytest.raises(Refused) as refused:
        Trader(shared_server, "keeper", "wrong").log_in()
    assert refused.value.body["error"] == "CTP_3"
    assert "不合法的登录" in refused.value.body["msg"]
    Trader(shared_server, "keeper", "right").log_in()


def test_a_second_page_of_the_same_account_gets_a_token_of_its_own_and_a_wrong_password_none(
    shared_server: BackendServer,
) -> None:
    first, second = Trader(shared_server, "twice").log_in(), Trader(shared_server, "twice").log_in()
    assert first.token != second.token
    with pytest.raises(Refused):
        Trader(shared_server, "twice", "wrong").log_in()
    assert first.ask("GET", "/config")["success"]
    assert second.ask("GET", "/config")["success"]


def test_logout_revokes_every_token_tells_the_sockets_and_leaves_the_orders(
    shared_server: BackendServer,
) -> None:
    trader = Trader(shared_server, "leaver").log_in()
    other = Trader(shared_server, "leaver").log_in()
    page = trader.open_page()
    page.wait("status")
    quote = trader.fix_quote(RB)
    resting = trader.order(RB, "long", "open", quote.bid - 5 * quote.tick, 1)["order_id"]
    wrong = trader.ask("POST", "/logout", authorization="111111")
    assert not wrong["success"]
    assert wrong["error"] == "AUTH_CODE_WRONG"
    left = trader.ask("POST", "/logout", authorization="000000")
    assert left["success"]
    assert "1" in left["msg"]
    assert page.wait("error")["error"] == "TOKEN_ERROR"
    for revoked in (trader, other):
        answer = revoked.ask("GET", "/order_solve")
        assert (answer["status"], answer["msg"]) == (401, "token error")
    assert shared_server.entry(f"gateway-{trader.key}") is None
    trader.log_in()
    assert trader.order_row(resting)["status"] == "未成交"
    page.close()


def test_tokens_survive_their_web_and_end_with_their_accounts_login(
    server: BackendServer, trader: Trader
) -> None:
    assert stat.S_IMODE((server.data_dir / "secret.key").stat().st_mode) == 0o600
    server.wait_replaced(server.kill("web"))
    eventually(lambda: server._answers(), "the next web answers")
    assert trader.ask("GET", "/config")["success"]
    old = trader.token
    server.stop()  # and with it the gateway, whose password nobody knows then
    server.start()
    assert trader.ask("GET", "/config")["error"] == "TOKEN_ERROR"
    trader.log_in()
    assert trader.ask("GET", "/config")["success"]
    trader.token = old
    assert trader.ask("GET", "/config")["error"] == "TOKEN_ERROR"


def test_the_authorization_code_can_be_changed_and_holds_after_a_restart(
    server: BackendServer, trader: Trader
) -> None:
    wrong = trader.ask("POST", "/auth_code", password="no", authorization="new-code")
    assert (wrong["success"], wrong["msg"]) == (False, "修改失败")
    short = trader.ask("POST", "/auth_code", password=trader.password, authorization="12345")
    assert not short["success"]
    assert short["parameter"] == "authorization"
    changed = trader.ask("POST", "/auth_code", password=trader.password, authorization="new-code")
    assert (changed["success"], changed["msg"]) == (True, "修改成功")
    server.stop()
    server.start()
    with pytest.raises(Refused) as refused:
        trader.log_in()
    assert refused.value.body["error"] == "AUTH_CODE_WRONG"
    trader.log_in(authorization="new-code")


def test_no_password_and_no_code_is_on_disk_or_in_a_log(server: BackendServer) -> None:
    trader = Trader(server, "secretive", "Pa55-very-particular").log_in()
    trader.do("POST", "/auth_code", password="Pa55-very-particular", authorization="c0de-particular")
    with pytest.raises(Refused):
        Trader(server, "secretive", "Wr0ng-particular").log_in(authorization="c0de-particular")
    server.stop()
    for path in server.data_dir.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for secret in (b"Pa55-very-particular", b"c0de-particular", b"Wr0ng-particular"):
                assert secret not in content, f"{secret!r} stands in {path}"


def test_attempts_to_log_in_are_limited_before_the_counter_would_lock_the_account(make_server) -> None:  # type: ignore[no-untyped-def]
    server = make_server(login_per_account=3).start()
    Trader(server).log_in()
    answers = []
    for _ in range(5):
        try:
            Trader(server, password="guess").log_in()
        except Refused as refused:
            answers.append(refused.body["error"])
    assert answers == ["PASSWORD_DIFFERS"] * 3 + ["RATE_LIMITED"] * 2


def test_a_public_server_does_not_start_with_the_default_code_and_takes_only_its_own(make_server) -> None:  # type: ignore[no-untyped-def]
    server = make_server(public=True, origins="https://desk.example")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "run.py"), "--data-dir", str(server.data_dir), *arguments]
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=60,
            env=server.environment(),
            stdin=subprocess.DEVNULL,
        )

    refused = run("--port", "0")
    assert refused.returncode == 2
    assert "auth-code" in refused.stderr
    assert run("auth-code", "--code", "000000").returncode != 0
    assert run("auth-code", "--code", "desk-code").returncode == 0
    server.start()
    with pytest.raises(Refused) as answer:
        Trader(server).log_in(authorization="000000")
    assert answer.value.body["error"] == "AUTH_CODE_WRONG"
    Trader(server).log_in(authorization="desk-code")
