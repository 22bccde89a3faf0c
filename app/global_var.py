"""`G`: what the web's views share, as a typed view of `Flask.config`. Web process, inside an application
context.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import current_app

if TYPE_CHECKING:
    from app.model.store import Store
    from app.settings import Settings
    from app.web.attempts import LoginAttempts
    from app.web.credentials import AuthorizationCode, Tokens
    from app.web.gateways import Gateways
    from app.web.metrics import Metrics
    from app.workshop.workshop import Workshop


class Globals:
    """Each attribute stands in `Flask.config` under its upper-case name; create_app puts it there."""

    settings: Settings
    store: Store  # the server's own; each account's belongs to its gateway
    gateways: Gateways
    tokens: Tokens
    authorization: AuthorizationCode
    attempts: LoginAttempts
    metrics: Metrics
    workshop: Workshop

    def __getattr__(self, name: str) -> Any:
        try:
            return current_app.config[name.upper()]
        except KeyError:
            raise AttributeError(name) from None


G = Globals()
