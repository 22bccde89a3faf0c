"""The signing key, tokens, the authorization code, and how often one may try."""

from __future__ import annotations

import base64
import json
import sqlite3
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.attempts import LoginAttempts
from app.auth import CLOCK_STEP, AuthorizationCode, Tokens, signing_key
from app.lib.errors import AuthCodeWrong, BadInput, FrontUnreachable, LoginDelayed, LoginRefused, RateLimited, SettingsError, TokenError
from app.model.store import StoreFailed

KEY = b"k" * 64
ACCOUNT = "sim-9999-demo"


class DictStore:
    """The settings part of a store."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], Any] = {}

    def setting(self, scope: str, key: str, default: Any = None) -> Any:
        return self.values.get((scope, key), default)

    def put_setting(self, scope: str, key: str, value: Any) -> None:
        self.values[scope, key] = value

    def delete_setting(self, scope: str, key: str) -> None:
        self.values.pop((scope, key), None)


@pytest.fixture
def store() -> Any:
    return DictStore()


@pytest.fixture
def tokens(store: Any) -> Tokens:
    return Tokens(KEY, store, hours=1)


# ── the key ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_key_is_made_once_and_is_the_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "secret.key"
    key = signing_key(path)
    assert len(key) >= 32
    assert signing_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["secret.key"]


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: signing_key(tmp_path / "secret.key"), range(32)))
    assert len(keys) == 1


def test_a_key_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    signing_key(path)
    path.chmod(0o644)
    signing_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_damaged_key_is_an_error_that_names_its_file(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    path.write_bytes(b"short")
    with pytest.raises(SettingsError, match="secret.key"):
        signing_key(path)


# ── tokens ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def claims(store: Any, **changed: Any) -> dict[str, Any]:
    now = int(time.time())
    sid = store.setting("session", ACCOUNT)
    return {"sub": ACCOUNT, "sid": sid, "jti": "j", "iat": now, "exp": now + 60} | changed


def refused(tokens: Tokens, text: Any) -> bool:
    with pytest.raises(TokenError, match="^token error$"):
        tokens.verify(text)
    return True


def test_a_token_says_whose_it_is(tokens: Tokens) -> None:
    first, second = tokens.issue(ACCOUNT), tokens.issue(ACCOUNT)
    assert tokens.verify(first).account == tokens.verify(second).account == ACCOUNT
    assert tokens.verify(first).token_id != tokens.verify(second).token_id


def test_a_token_carries_its_claims_and_one_algorithm(tokens: Tokens) -> None:
    text = tokens.issue(ACCOUNT)
    assert jwt.get_unverified_header(text)["alg"] == "HS256"
    assert set(jwt.decode(text, options={"verify_signature": False})) == {"sub", "sid", "jti", "iat", "exp"}


def test_tokens_survive_a_restart(tokens: Tokens, store: Any) -> None:
    text = tokens.issue(ACCOUNT)
    assert Tokens(KEY, store, hours=1).verify(text).account == ACCOUNT


def test_an_expired_token_is_refused(store: Any) -> None:
    early = Tokens(KEY, store, hours=1, clock=lambda: time.time() - 3601)
    assert refused(early, early.issue(ACCOUNT))
    living = Tokens(KEY, store, hours=1, clock=lambda: time.time() - 3500)
    assert living.verify(living.issue(ACCOUNT)).account == ACCOUNT


def test_a_token_that_was_good_is_refused_once_it_has_expired(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = Tokens(KEY, store, hours=1)
    text = tokens.issue(ACCOUNT)
    assert tokens.verify(text) == tokens.verify(text)
    later = time.time() + 3601
    monkeypatch.setattr("app.auth.time.time", lambda: later)
    assert refused(tokens, text)


def test_revoking_an_account_ends_all_its_tokens_and_no_others(tokens: Tokens) -> None:
    mine, also_mine, others = tokens.issue(ACCOUNT), tokens.issue(ACCOUNT), tokens.issue("sim-9999-other")
    tokens.revoke_account(ACCOUNT)
    assert refused(tokens, mine) and refused(tokens, also_mine)
    assert tokens.verify(others).account == "sim-9999-other"
    assert tokens.verify(tokens.issue(ACCOUNT)).account == ACCOUNT
    assert refused(tokens, mine)


def test_a_token_of_another_key_is_refused(tokens: Tokens, store: Any) -> None:
    assert refused(tokens, Tokens(b"x" * 64, store, hours=1).issue(ACCOUNT))


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_another_algorithm_is_refused_even_with_the_right_key(tokens: Tokens, store: Any, algorithm: str) -> None:
    tokens.issue(ACCOUNT)
    assert refused(tokens, jwt.encode(claims(store), KEY, algorithm=algorithm))


def test_a_token_signed_with_none_is_refused(tokens: Tokens, store: Any) -> None:
    tokens.issue(ACCOUNT)
    assert refused(tokens, jwt.encode(claims(store), None, algorithm="none"))  # type: ignore[arg-type]


@pytest.mark.parametrize("missing", ["sub", "sid", "jti", "iat", "exp"])
def test_a_token_without_one_of_its_claims_is_refused(tokens: Tokens, store: Any, missing: str) -> None:
    tokens.issue(ACCOUNT)
    whole = claims(store)
    assert tokens.verify(jwt.encode(whole, KEY, algorithm="HS256")).account == ACCOUNT
    del whole[missing]
    assert refused(tokens, jwt.encode(whole, KEY, algorithm="HS256"))


def test_a_token_of_a_moment_ago_is_good_after_the_clock_was_set_back_a_little(tokens: Tokens, store: Any) -> None:
    tokens.issue(ACCOUNT)
    ahead = jwt.encode(claims(store, iat=int(time.time()) + CLOCK_STEP - 10), KEY, algorithm="HS256")
    assert tokens.verify(ahead).account == ACCOUNT


def test_a_token_from_the_future_is_refused(tokens: Tokens, store: Any) -> None:
    tokens.issue(ACCOUNT)
    assert refused(tokens, jwt.encode(claims(store, iat=int(time.time()) + CLOCK_STEP + 10), KEY, algorithm="HS256"))


def test_an_account_that_never_logged_in_has_no_session(tokens: Tokens, store: Any) -> None:
    assert refused(tokens, jwt.encode(claims(store, sid="made-up"), KEY, algorithm="HS256"))


def nested_header(tokens: Tokens) -> str:
    header = base64.urlsafe_b64encode(b"[" * 1500).decode().rstrip("=")
    return f"{header}.e30.c2ln"


@pytest.mark.parametrize("text", ["", "null", "x", "a.b.c", "....", "é.é.é", "\ud800", "x" * 5000, None, 5, b"bytes", ["list"], {}])
def test_garbage_of_any_type_is_refused(tokens: Tokens, text: Any) -> None:
    assert refused(tokens, text)


def test_a_header_nested_without_end_is_refused(tokens: Tokens) -> None:
    assert refused(tokens, nested_header(tokens))


@given(st.data())
def test_a_changed_token_is_refused(data: st.DataObject) -> None:
    tokens = Tokens(KEY, DictStore(), hours=1)  # type: ignore[arg-type]
    text = tokens.issue(ACCOUNT)
    at = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.characters(min_codepoint=33, max_codepoint=126))
    changed = text[:at] + letter + text[at + 1 :]
    try:
        who = tokens.verify(changed)
    except TokenError:
        return
    # The last letter of a base64 part has bits that nothing reads: another letter may mean the same bytes.
    assert decoded(changed) == decoded(text) and who.account == ACCOUNT


def decoded(text: str) -> list[bytes]:
    return [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in text.split(".")]


def test_the_header_of_a_token_cannot_choose_another_key(tokens: Tokens, store: Any) -> None:
    tokens.issue(ACCOUNT)
    header = {"alg": "HS256", "typ": "JWT", "jwk": {"kty": "oct", "k": "eA"}}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, claims(store))]
    assert refused(tokens, f"{parts[0]}.{parts[1]}.c2ln")


def test_on_a_full_disk_a_login_has_a_token_and_a_logout_ends_it(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = Tokens(KEY, store, hours=1)
    older = tokens.issue(ACCOUNT)

    def fail(*_args: object) -> None:
        raise StoreFailed("database or disk is full")

    monkeypatch.setattr(store, "put_setting", fail)
    monkeypatch.setattr(store, "delete_setting", fail)
    first = tokens.issue("sim-9999-other")
    assert tokens.verify(first).account == "sim-9999-other"
    tokens.revoke_account(ACCOUNT)
    assert refused(tokens, older)
    again = tokens.issue(ACCOUNT)
    assert tokens.verify(again).account == ACCOUNT and refused(tokens, older)
    monkeypatch.undo()
    tokens.revoke_account(ACCOUNT)
    assert refused(tokens, again) and refused(tokens, older)


# ── the authorization code ───────────────────────────────────────────────────────────────────────────────────────────


def test_the_default_code_holds_until_another_is_set(store: Any) -> None:
    code = AuthorizationCode(store, public=False)
    assert code.is_default
    code.check("000000")
    for wrong in ("", "000001", "00000", "授权码"):
        with pytest.raises(AuthCodeWrong):
            code.check(wrong)
    code.change("new-code")
    again = AuthorizationCode(store, public=False)
    assert not again.is_default
    again.check("new-code")
    with pytest.raises(AuthCodeWrong):
        code.check("000000")


def test_the_code_is_kept_as_a_hash(store: Any) -> None:
    AuthorizationCode(store, public=False).change("particular")
    assert "particular" not in repr(store.values) and "argon2" in repr(store.values)


@pytest.mark.parametrize("short", ["", "12345", "x" * 129])
def test_a_code_too_short_or_too_long_is_refused(store: Any, short: str) -> None:
    with pytest.raises(BadInput):
        AuthorizationCode(store, public=False).change(short)
    assert store.values == {}


def test_a_public_server_takes_no_code_before_it_has_its_own(store: Any) -> None:
    code = AuthorizationCode(store, public=True)
    for tried in ("000000", "anything"):
        with pytest.raises(AuthCodeWrong, match="python run.py auth-code"):
            code.check(tried)
    with pytest.raises(BadInput):
        code.change("000000")
    code.change("our-own")
    code.check("our-own")
    with pytest.raises(AuthCodeWrong):
        code.check("000000")


def test_the_default_code_set_on_purpose_is_still_the_default_when_the_server_goes_public(store: Any) -> None:
    AuthorizationCode(store, public=False).change("000000")
    public = AuthorizationCode(store, public=True)
    assert public.is_default
    with pytest.raises(AuthCodeWrong, match="auth-code"):
        public.check("000000")


# ── attempts ─────────────────────────────────────────────────────────────────────────────────────────────────────────


HOME = "10.0.0.1"


def wrong_password(attempts: LoginAttempts, account: str = ACCOUNT, address: str = HOME) -> None:
    with pytest.raises(LoginRefused), attempts.count_if_refused(account, address):
        raise LoginRefused("不合法的登录", code="CTP_3")


def test_an_address_may_try_so_often_a_minute_and_another_is_free(tmp_path: Path) -> None:
    attempts = LoginAttempts(tmp_path / "attempts.db", per_address=3, per_account=5)
    for _ in range(3):
        attempts.count_address("10.0.0.1")
    with pytest.raises(RateLimited) as limited:
        attempts.count_address("10.0.0.1")
    assert 1 <= limited.value.extra["retry_after"] <= 60
    attempts.count_address("10.0.0.2")


def test_wrong_passwords_of_an_account_are_limited_and_right_ones_are_not_counted(tmp_path: Path) -> None:
    attempts = LoginAttempts(tmp_path / "attempts.db", per_address=100, per_account=2)
    for _ in range(5):
        with attempts.count_if_refused(ACCOUNT, HOME):
            pass
    wrong_password(attempts)
    wrong_password(attempts)
    with pytest.raises(RateLimited) as limited, attempts.count_if_refused(ACCOUNT, HOME):
        raise AssertionError("it must not get as far as the counter")
    assert 540 < limited.value.extra["retry_after"] <= 600
    with attempts.count_if_refused("sim-9999-other", HOME):
        pass


@pytest.mark.parametrize("code", ["AUTH_FIELDS", "FRONT_DIFFERS", "FRONT_ADDRESS", "VENDOR_LIBRARY", "CTP_63", "CTP_60", "CTP_140"])
def test_a_login_that_is_refused_for_another_reason_than_its_password_is_not_counted(tmp_path: Path, code: str) -> None:
    attempts = LoginAttempts(tmp_path / "attempts.db", per_address=100, per_account=1)
    for _ in range(3):
        with pytest.raises(LoginRefused), attempts.count_if_refused(ACCOUNT, HOME):
            raise LoginRefused("不是密码的错", code=code)


@pytest.mark.parametrize("code", ["CTP_3", "PASSWORD_DIFFERS", ""])
def test_a_wrong_password_and_a_refusal_that_does_not_say_why_are_counted(tmp_path: Path, code: str) -> None:
    attempts = LoginAttempts(tmp_path / "attempts.db", per_address=100, per_account=1)
    with pytest.raises(LoginRefused), attempts.count_if_refused(ACCOUNT, HOME):
        raise LoginRefused("登录被拒", code=code)
    with pytest.raises(RateLimited), attempts.count_if_refused(ACCOUNT, HOME):
        raise AssertionError("it must not get as far as the counter")


def test_a_login_that_takes_the_place_of_one_that_nobody_has_judged_counts_whatever_comes_of_it(tmp_path: Path) -> None:
    attempts = LoginAttempts(tmp_path / "attempts.db", per_address=100, per_account=2)
    for error in (LoginDelayed("不在交易时段", replaced=True), FrontUnreachable("前置不可达", replaced=True)):
        with pytest.raises(type(error)), attempts.count_if_refused(ACCOUNT, HOME):
            raise error
    with pytest.raises(RateLimited), attempts.count_if_refused(ACCOUNT, HOME):
        raise AssertionError("it must not get as far as the gateway")


def test_a_front_that_cannot_be_reached_is_not_the_traders_fault(tmp_path: Path) -> None:
    attempts = LoginAttempts(tmp_path / "attempts.db", per_address=100, per_account=1)
    for _ in range(3):
        with pytest.raises(FrontUnreachable), attempts.count_if_refused(ACCOUNT, HOME):
            raise FrontUnreachable("前置不可达")
    with attempts.count_if_refused(ACCOUNT, HOME):
        pass


def test_a_burst_of_parallel_guesses_does_not_slip_through(tmp_path: Path) -> None:
    attempts = LoginAttempts(tmp_path / "attempts.db", per_address=100, per_account=2)
    with attempts.count_if_refused(ACCOUNT, HOME), attempts.count_if_refused(ACCOUNT, HOME):
        with pytest.raises(RateLimited), attempts.count_if_refused(ACCOUNT, HOME):
            raise AssertionError("two are under way already")
    with attempts.count_if_refused(ACCOUNT, HOME):
        pass  # neither was refused, so the account is free again


def locked(attempts: LoginAttempts, address: str) -> bool:
    try:
        with attempts.count_if_refused(ACCOUNT, address):
            pass
    except RateLimited:
        return True
    return False


def test_guesses_from_elsewhere_do_not_keep_the_trader_out(tmp_path: Path) -> None:
    attempts = LoginAttempts(tmp_path / "attempts.db", per_address=100, per_account=3)
    for _ in range(3):
        wrong_password(attempts, address="6.6.6.6")
    assert locked(attempts, "6.6.6.6") and not locked(attempts, HOME)


def test_many_strange_addresses_share_a_limit_and_one_that_was_in_lately_is_let_through(tmp_path: Path) -> None:
    now = 1_000_000.0
    attempts = LoginAttempts(tmp_path / "attempts.db", per_address=100, per_account=3, clock=lambda: now)
    assert not locked(attempts, HOME)  # he has been in
    for number in range(6):
        wrong_password(attempts, address=f"6.6.6.{number}")
    assert locked(attempts, "6.6.6.6") and locked(attempts, "10.0.0.2")
    assert not locked(attempts, HOME)
    for _ in range(3):
        wrong_password(attempts, address=HOME)
    assert locked(attempts, HOME)  # there too no more than anywhere
    now += 31 * 86400
    for number in range(6):
        wrong_password(attempts, address=f"6.6.6.{number}")
    assert locked(attempts, HOME)  # that was long ago


@pytest.mark.parametrize("how", ["full", "broken"])
def test_where_the_file_cannot_be_written_the_limits_hold_in_memory_and_nobody_is_kept_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    path = tmp_path / "attempts.db"
    attempts = LoginAttempts(path, per_address=2, per_account=1)
    if how == "broken":
        path.write_bytes(b"this is no database at all" * 100)
    else:
        monkeypatch.setattr(attempts, "_in_file", _full)
    attempts.count_address(HOME)
    assert not locked(attempts, HOME)
    wrong_password(attempts)
    assert locked(attempts, HOME)
    attempts.count_address(HOME)
    with pytest.raises(RateLimited):
        attempts.count_address(HOME)
    monkeypatch.undo()
    path.unlink(missing_ok=True)
    attempts.count_address(HOME)  # the file is there again
    assert attempts._memory is None and path.exists()


def _full(_work: object) -> None:
    raise sqlite3.OperationalError("database or disk is full")


def test_two_webs_count_together(tmp_path: Path) -> None:
    one, other = (LoginAttempts(tmp_path / "attempts.db", per_address=3, per_account=2) for _ in range(2))
    for attempts in (one, other, one):
        attempts.count_address("10.0.0.1")
    with pytest.raises(RateLimited):
        other.count_address("10.0.0.1")
    wrong_password(one)
    with one.count_if_refused(ACCOUNT, HOME), pytest.raises(RateLimited), other.count_if_refused(ACCOUNT, HOME):
        raise AssertionError("one was refused, one is under way at the other web")
    wrong_password(other)
    with pytest.raises(RateLimited), one.count_if_refused(ACCOUNT, HOME):
        raise AssertionError("it must not get as far as the counter")


def test_a_clock_that_is_set_back_locks_nobody_out_for_longer(tmp_path: Path) -> None:
    now = 1_000_000.0
    attempts = LoginAttempts(tmp_path / "attempts.db", per_address=1, per_account=1, clock=lambda: now)
    attempts.count_address("10.0.0.1")
    wrong_password(attempts)
    now -= 86400
    attempts.count_address("10.0.0.1")
    with attempts.count_if_refused(ACCOUNT, HOME):
        pass
    now += 86400 * 7
    attempts.count_address("10.0.0.1")
