"""The one shape of every answer, `{"success", "msg", "data"}`, and its status. Web process, inside a request.

The existing page reads only bodies of status 200, whatever they say: who comes with the `JWT` scheme, as it
does, and everybody at /login gets 200 for every envelope of a route of the reference (404, 405, 413 and 500
aside). Others, and our own routes, get the honest codes. A fail that the reference documents is 200 either
way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import orjson
from flask import Response, current_app, request

from app.auth import shown_token
from app.lib.advice import refused_by
from app.lib.errors import AppError, NeedsLogin, OrderRefused, TokenError
from app.wire.messages import Json

ALWAYS_HONEST = (404, 405, 413, 500)


def succeed(data: Any = "", msg: str = "", *, http_status: int = 200, **added: Any) -> Response:
    """A success. `data` of a gateway's Json goes in as the bytes it came as; `added` are top-level keys
    beside the three.
    """
    if isinstance(data, Json):
        data = orjson.Fragment(data.payload)
    return _response(
        {"success": True, "msg": msg, "data": data} | added, http_status if answers_honestly() else 200
    )


def fail(error: AppError) -> Response:
    """The envelope of an error, with its code as `error` and what else it carries."""
    if (
        isinstance(error, NeedsLogin) and shown_token()[0] == "jwt"
    ):  # the existing page goes to its login at these words alone
        error = AppError.rebuild(
            "NeedsLogin", error.code, TokenError().message, error.extra | {"reason": error.message}
        )
    own = {"success": False, "msg": error.message, "data": error.extra.get("data", ""), "error": error.code}
    added = {name: value for name, value in error.extra.items() if name not in own and name != "asked"}
    if isinstance(error, OrderRefused):
        added["refused_by"] = refused_by(error.code)
    response = _response(own | added, _status_of(error))
    if "retry_after" in error.extra:
        response.headers["Retry-After"] = str(error.extra["retry_after"])
    return response


def fail_plainly(status: int, msg: str, code: str, **added: Any) -> Response:
    """A fail that is HTTP's own affair rather than an AppError: no such route, a body too large."""
    honest = status in ALWAYS_HONEST or answers_honestly()
    return _response(
        {"success": False, "msg": msg, "data": "", "error": code} | added, status if honest else 200
    )


@contextmanager
def failing_as(msg: str, kind: type[AppError] = AppError, *, why: bool = False) -> Iterator[None]:
    """What fails inside in this way is told in the reference's words; the cause stands beside them as
    `reason`.

    With `why` the cause also ends the text. That the account must log in again is no fail of what was asked:
    it stays as it is.
    """
    try:
        yield
    except NeedsLogin:
        raise
    except kind as error:
        extra = error.extra | {"reason": error.message}
        text = f"{msg}：{error.message}" if why else msg
        raise AppError.rebuild(type(error).__name__, error.code, text, extra) from error


@contextmanager
def failing_in_data() -> Iterator[None]:
    """What fails inside is told in `data` too, for a place of the existing page that shows nothing else."""
    try:
        yield
    except AppError as error:
        error.extra["data"] = error.message
        raise


def ours(view: Callable[..., Any]) -> Callable[..., Any]:
    """Marks a route that the reference does not have."""
    view.ours = True  # type: ignore[attr-defined]
    return view


def answers_honestly() -> bool:
    """Whether this request gets the honest codes."""
    return _is_ours() or (request.endpoint != "login.log_in" and shown_token()[0] != "jwt")


def _status_of(error: AppError) -> int:
    if _is_ours():
        return error.status
    if error.documented:
        return 200
    return error.status if error.status in ALWAYS_HONEST or answers_honestly() else 200


def _is_ours() -> bool:
    return getattr(current_app.view_functions.get(request.endpoint or ""), "ours", False)


def _response(envelope: Mapping[str, Any], status: int) -> Response:
    text = orjson.dumps(envelope, option=orjson.OPT_APPEND_NEWLINE)  # for who reads it in a terminal
    return Response(text, status, mimetype="application/json")
