"""What a view raised becomes an envelope, here and nowhere else; and what every request gets: an id, a log
line, headers. Web process.

No view has try/except. What is our own fault is logged with its traceback under an error id, and the caller
gets the id alone. The access log has no bodies and no query strings: parameters may hold passwords.
"""

from __future__ import annotations

import logging
import re
import secrets
import sqlite3
import time

from flask import Flask, Response, g, request
from flask.globals import request_ctx
from werkzeug.exceptions import HTTPException, LengthRequired, RequestEntityTooLarge

from app import logs
from app.global_var import G
from app.lib.errors import AppError, StoreDown
from app.model.store import StoreFailed
from app.views.envelope import fail, fail_plainly

_HTTP_FAILS = {
    400: ("BAD_REQUEST", "请求不合法"),
    404: ("NOT_FOUND", "没有这个接口"),
    405: ("METHOD_NOT_ALLOWED", "该接口不支持这个方法"),
    411: ("LENGTH_REQUIRED", "请求须带 Content-Length"),
    413: ("BODY_TOO_LARGE", "请求体过大"),
    429: ("RATE_LIMITED", "请求过于频繁，请稍后再试"),
}

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}", re.ASCII)

log = logging.getLogger(__name__)
access = logging.getLogger("app.access")


def register(app: Flask) -> None:
    """Put the handlers in place."""
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(_forget)
    app.register_error_handler(AppError, _app_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(StoreFailed, _store_failed)
    app.register_error_handler(sqlite3.OperationalError, _store_failed)
    app.register_error_handler(Exception, _our_fault)


def _begin() -> None:
    asked = request_ctx.request  # the proxy `request` looks it up anew at every use
    shown = asked.environ.get("HTTP_X_REQUEST_ID", "")
    g.began = time.monotonic()
    g.request_id = shown if _REQUEST_ID.fullmatch(shown) else secrets.token_hex(8)
    logs.request_id.set(g.request_id)
    if "HTTP_TRANSFER_ENCODING" in asked.environ:
        raise LengthRequired()  # no server of ours limits such a body: some give it as empty, some cut it off
    limit = asked.max_content_length
    if limit is not None and (asked.content_length or 0) > limit:
        raise RequestEntityTooLarge()  # before anything of it is read


def _end(response: Response) -> Response:
    asked = request_ctx.request
    response.headers["X-Request-Id"] = g.request_id
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault("Cache-Control", "no-store")  # the page's own files may be kept
    caller = g.get("caller")
    seconds = time.monotonic() - g.began
    method = asked.method if asked.method in METHODS else "other"  # what clients make up is without number
    G.metrics.answered(
        method, asked.url_rule.rule if asked.url_rule is not None else "none", response.status_code, seconds
    )
    fields = {
        "method": asked.method,
        "path": asked.path,
        "status": response.status_code,
        "ms": round(seconds * 1000, 1),
        "address": asked.remote_addr,
        "account": caller.account if caller is not None else "-",
    }
    access.info("%s %r %d %.1f ms, %s %s", *fields.values(), extra={"fields": fields})
    return response


def _forget(_error: BaseException | None) -> None:
    """What this thread logs next is of no request, or of another."""
    logs.request_id.set("")


def _app_error(error: AppError) -> Response:
    if error.status == 500:
        return _our_fault(error)
    return fail(error)


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    if status >= 500:
        return _our_fault(error)
    code, msg = _HTTP_FAILS.get(status, (f"HTTP_{status}", "请求未能处理"))
    response = fail_plainly(status, msg, code)
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after"):
            response.headers[name] = value
    return response


def _store_failed(error: Exception) -> Response:
    log.error("the store failed at %s %r: %s", request.method, request.path, error)
    return fail(StoreDown())


def _our_fault(error: Exception) -> Response:
    log.error("error %s at %s %r", g.request_id, request.method, request.path, exc_info=error)
    return fail_plainly(500, f"服务内部错误，编号 {g.request_id}", "INTERNAL", error_id=g.request_id)
