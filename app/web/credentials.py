"""What shows who somebody is: the signing key, tokens, and the server's authorization code. Web process; the
command `auth-code` changes the code.

A token names an account and that account's session (app/model/sessions.py). While it stands, tokens outlive a
restart of the web; it goes, and every token of the account with it, with a logout and when the account is
logged in no more.
"""

from __future__ import annotations

import hmac
import logging
import os
import secrets
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jwt
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from app.files import make_once
from app.lib.errors import AuthCodeWrong, BadInput, SettingsError, TokenError
from app.lib.program import command
from app.model.sessions import Sessions
from app.model.store import Store

ALGORITHM = "HS256"
CLAIMS = ["exp", "iat", "jti", "sub", "sid"]
KEY_BYTES = 64
MAX_TOKEN = 2048  # characters; ours have about 350
MOST_KNOWN = 1024
CLOCK_STEP = 300
"""Seconds; a clock that is set right by so much makes no token of a moment ago one of the future."""
DEFAULT_CODE = "000000"
SHORTEST_CODE = 6
LONGEST_CODE = 128

log = logging.getLogger(__name__)


# ── the signing key ──


def signing_key(path: Path) -> bytes:
    """The key at `path`, made there if there is none: owner-only, whole or not at all, one for all processes
    that ask at once.
    """
    if not path.exists():
        make_once(path, secrets.token_bytes(KEY_BYTES))
    if os.name == "posix" and path.stat().st_mode & 0o077:
        log.warning("%s was open to others, now it is the owner's alone", path)
        path.chmod(0o600)
    key = path.read_bytes()
    if len(key) < KEY_BYTES:
        raise SettingsError(
            f"令牌密钥 {path} 已损坏：删除后重新启动即可生成新的，已登录的页面须重新登录",
            parameter="data_dir",
        )
    return key


# ── tokens ──


class Caller(NamedTuple):
    """What a good token says."""

    account: str  # the account's key, e.g. sim-9999-demo
    token_id: str


class Tokens:
    """Issues, verifies and revokes. `clock` is the wall's, in epoch seconds; it stamps what is issued."""

    def __init__(
        self, key: bytes, store: Store, hours: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._key = key
        self._sessions = Sessions(store)
        self._seconds = hours * 3600
        self._clock = clock
        self._known: dict[
            str, dict[str, Any]
        ] = {}  # tokens whose signature has been found good: that never changes

    def issue(self, account: str) -> str:
        """A new token of the account; earlier ones stay good."""
        now = self._clock()
        claims = {
            "sub": account,
            "sid": self._sessions.join(account),
            "jti": uuid.uuid4().hex,
            "iat": int(now),
            "exp": int(now + self._seconds),
        }
        return jwt.encode(claims, self._key, algorithm=ALGORITHM)

    def verify(self, text: Any) -> Caller:
        """Who showed this token. Raises TokenError for whatever is not a living token of ours, of any type
        and shape.
        """
        if not isinstance(text, str) or not text.isascii() or len(text) > MAX_TOKEN:
            raise TokenError()
        claims = self._known.get(text)
        if claims is None:
            try:
                claims = jwt.decode(
                    text, self._key, algorithms=[ALGORITHM], options={"require": CLAIMS, "verify_iat": False}
                )
                if claims["iat"] > time.time() + CLOCK_STEP:
                    raise TokenError()
            except (jwt.PyJWTError, ValueError, RecursionError):  # the latter two out of hostile headers
                raise TokenError() from None
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[text] = claims
        elif claims["exp"] <= time.time():
            raise TokenError()
        if self._sessions.current(claims["sub"]) != claims["sid"]:
            raise TokenError()
        return Caller(claims["sub"], claims["jti"])

    def revoke_account(self, account: str) -> None:
        """End the account's session: none of its tokens is good any more."""
        self._sessions.end(account)


# ── the authorization code ──


class AuthorizationCode:
    """One code per server: whoever logs in or out has to know it. Kept as a hash; the documented default
    until it is set.
    """

    _SCOPE, _KEY = "server", "authorization"

    def __init__(self, store: Store, public: bool) -> None:
        self._store = store
        self._public = public
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._judged: tuple[str | None, bool] = (None, True)

    @property
    def is_default(self) -> bool:
        """Whether the code is the one that everybody can read in the reference. Anybody may ask as often as
        he likes: a hash is tried once.
        """
        stored = self._stored()
        if self._judged[0] != stored:
            self._judged = (stored, self._fits(DEFAULT_CODE, stored))
        return self._judged[1]

    def check(self, code: str) -> None:
        """Raises AuthCodeWrong. A public server takes no code at all before it has one of its own."""
        if self._public and self.is_default:
            raise AuthCodeWrong(
                f"对外服务须先设置授权码，请在服务器上运行：{command('auth-code')}", code="AUTH_CODE_UNSET"
            )
        if not self._fits(code, self._stored()):
            raise AuthCodeWrong("授权码错误")

    def check_new(self, code: str) -> None:
        """Raises BadInput unless `code` may become the server's."""
        if not SHORTEST_CODE <= len(code) <= LONGEST_CODE:
            raise BadInput("authorization", f"授权码应为 {SHORTEST_CODE} 至 {LONGEST_CODE} 个字符")
        if self._public and code == DEFAULT_CODE:
            raise BadInput("authorization", "对外服务不能使用默认授权码")

    def change(self, code: str) -> None:
        """Make `code` the server's. Raises BadInput."""
        self.check_new(code)
        self._store.put_setting(self._SCOPE, self._KEY, self._hasher.hash(code))

    def _stored(self) -> str | None:
        """Its hash, None before one was set."""
        stored: str | None = self._store.setting(self._SCOPE, self._KEY)
        return stored

    def _fits(self, code: str, stored: str | None) -> bool:
        if stored is None:
            return hmac.compare_digest(code.encode(), DEFAULT_CODE.encode())
        try:
            return self._hasher.verify(stored, code)
        except VerifyMismatchError:
            return False
