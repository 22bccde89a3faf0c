"""Who is asking: the token that a request shows, and the decorator of every protected view. Web process,
inside a request.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import g, request

from app.global_var import G
from app.lib.errors import TokenError


def shown_token() -> tuple[str, str]:
    """Scheme in lower case, and token, of this request's Authorization header; empty where there is none."""
    scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    return scheme.lower(), token.strip()


def auth_required(view: Callable[..., Any]) -> Callable[..., Any]:
    """Let in only who shows a living token (`JWT` or `Bearer`), as `flask.g.caller`. Raises TokenError.
    The view is marked, for /openapi.json.
    """

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        scheme, token = shown_token()
        if scheme not in ("jwt", "bearer"):
            raise TokenError()
        g.caller = G.tokens.verify(token)
        return view(*args, **kwargs)

    guarded.needs_token = True  # type: ignore[attr-defined]
    return guarded
