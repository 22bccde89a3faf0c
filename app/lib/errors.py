"""The error tree. Everything that can go wrong for a caller is one of these; a view never builds a failure by
hand.

Each class says what the caller does next. `status` is the honest HTTP code; `documented` marks the fails that
the reference answers with 200 whatever the scheme (an order refused, a wrong code). They cross the channel
between processes as `(class name, code, message, extra)` and come out as the same class on the other side.
Any process, any thread.
"""

from __future__ import annotations

from typing import Any, ClassVar


class AppError(Exception):
    """Base of all. `message` is Chinese and meant for the trader; `code` is stable and meant for programs."""

    status: ClassVar[int] = 500
    documented: ClassVar[bool] = False
    default_code: ClassVar[str] = "INTERNAL"
    kinds: ClassVar[dict[str, type[AppError]]] = {}

    def __init__(self, message: str, *, code: str = "", **extra: Any) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.extra = extra  # top-level keys added to the envelope, JSON-able

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        AppError.kinds[cls.__name__] = cls

    @staticmethod
    def rebuild(kind: str, code: str, message: str, extra: dict[str, Any]) -> AppError:
        """The error as its own class again, after it crossed a process border. An unknown kind becomes
        AppError.
        """
        error = AppError.kinds.get(kind, AppError).__new__(AppError.kinds.get(kind, AppError))
        AppError.__init__(error, message, code=code, **extra)
        return error


class BadInput(AppError):
    """A parameter is missing or wrong: mend the one that `parameter` names and call again. Nothing was
    sent.
    """

    status = 400
    default_code = "BAD_INPUT"

    def __init__(self, parameter: str, message: str, *, code: str = "", **extra: Any) -> None:
        super().__init__(message, code=code, parameter=parameter, **extra)


class TokenError(AppError):
    """The token is absent, garbled, expired or revoked: log in again. The page matches this message to the
    letter.
    """

    status = 401
    default_code = "TOKEN_ERROR"

    def __init__(self, message: str = "token error", *, code: str = "", **extra: Any) -> None:
        super().__init__(message, code=code, **extra)


class AuthCodeWrong(AppError):
    """The authorization code is not this server's: ask whoever runs it."""

    documented = True
    status = 401
    default_code = "AUTH_CODE_WRONG"


class LoginRefused(AppError):
    """The counter said no, with its id and text. A refused password is never retried by us."""

    documented = True
    status = 401
    default_code = "LOGIN_REFUSED"


class FrontUnreachable(AppError):
    """No front answered within the limit: check the addresses and the network, then log in again."""

    documented = True
    status = 503
    default_code = "FRONT_UNREACHABLE"


class LoginDelayed(AppError):
    """The counter cannot take logins just now, so nobody has judged the password; the gateway goes on asking
    it: log in again later.
    """

    documented = True
    status = 503
    default_code = "LOGIN_DELAYED"


class OrderRefused(AppError):
    """The order or the cancel has not happened: refused by us before sending, by the counter (CTP_n) or by
    the exchange.
    """

    documented = True
    status = 200
    default_code = "ORDER_REFUSED"


class NotAllowed(AppError):
    """This is not for whoever asks from where you ask."""

    status = 403
    default_code = "FORBIDDEN"


class NotFound(AppError):
    """No such thing of this account."""

    documented = True
    status = 404
    default_code = "NOT_FOUND"


class StrategyFailed(AppError):
    """The strategy ended while it started: mend its code. `line` is that of its file, 0 where none is
    known.
    """

    documented = True
    status = 200
    default_code = "STRATEGY_FAILED"


class StrategyRuns(AppError):
    """This cannot be done to a strategy that runs: stop it first."""

    documented = True
    status = 409
    default_code = "STRATEGY_RUNS"


class NotDone(AppError):
    """It has no result, or none yet: wait until it is done, or see why it is not."""

    status = 409
    default_code = "BACKTEST_NOT_DONE"


class RunCodeUnavailable(AppError):
    """This server does not try out code, or cannot confine it: the message says why. /check_code is there all
    the same.
    """

    status = 503
    default_code = "RUN_CODE_UNAVAILABLE"


class RateLimited(AppError):
    """Too many attempts: wait `retry_after` seconds."""

    status = 429
    default_code = "RATE_LIMITED"

    def __init__(self, message: str, retry_after: int = 60, *, code: str = "", **extra: Any) -> None:
        super().__init__(message, code=code, retry_after=retry_after, **extra)


class GatewayDown(AppError):
    """The account's gateway does not answer just now. Nothing was sent; it is being restarted: try again
    shortly.
    """

    status = 503
    default_code = "GATEWAY_DOWN"


class NeedsLogin(AppError):
    """The account's gateway is gone and nobody holds its password any more: log in again."""

    status = 503
    default_code = "NEEDS_LOGIN"


class TooManyAccounts(AppError):
    """As many accounts are logged in as this server takes: log one out, or have the setting raised. Nothing
    was started.
    """

    status = 503
    default_code = "TOO_MANY_ACCOUNTS"


class NotReady(AppError):
    """The front is lost, or the account is still loading: quotes may move, orders cannot be sent. Nothing was
    sent.
    """

    status = 503
    default_code = "NOT_READY"


class StoreDown(AppError):
    """What was to be kept could not be written or read, and nothing of it has happened: see to the disk, then
    try again.
    """

    status = 503
    default_code = "STORE_FAILED"

    def __init__(
        self,
        message: str = "服务器的存储读写失败，请检查磁盘空间与数据目录的权限",
        *,
        code: str = "",
        **extra: Any,
    ) -> None:
        super().__init__(message, code=code, **extra)


class SettingsError(AppError):
    """A setting has an unknown key or a bad value: mend it and start again."""

    default_code = "BAD_SETTING"
