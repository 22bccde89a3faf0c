"""Asking the gateway of whoever sent this request, and the host. Web process, inside an authenticated
request.
"""

from __future__ import annotations

from typing import Any

from flask import g

from app.global_var import G
from app.lib.errors import AppError, GatewayDown
from app.wire.messages import AnyRequest


def ask(message: AnyRequest) -> Any:
    """The gateway's reply, or the error that it raised. Never asked twice."""
    return G.gateways.call(g.caller.account, message)


def ask_host(message: AnyRequest, timeout: float | None = None) -> Any:
    """The host's reply, or the error that it raised. Never asked twice."""
    return G.gateways.ask_host(message, timeout)


def ask_or_none(message: AnyRequest) -> Any:
    """For what must not be taken for failed once it has left: None where it did and no answer came."""
    try:
        return ask(message)
    except GatewayDown as error:
        if error.extra.get("asked"):
            return None
        raise


def ask_or_why(message: AnyRequest) -> tuple[Any, AppError | None]:
    """For what an answer can do without: the gateway's reply, or None and the reason."""
    try:
        return ask(message), None
    except AppError as error:
        return None, error
