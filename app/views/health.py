"""/healthz and /readyz, for whoever watches the server: states only, no account names. Web process."""

from __future__ import annotations

import logging

from flask import Blueprint, Response

from app.gateway.messages import ReadStatus
from app.gateway.registry import Registry
from app.global_var import G
from app.lib.errors import AppError
from app.views.envelope import fail_plainly, ours, succeed

PATIENCE = 1.0  # seconds for each gateway

log = logging.getLogger(__name__)
blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@ours
def healthz() -> Response:
    """GET /healthz: the web answers. Open."""
    return succeed({"web": "up"})


@blueprint.get("/readyz")
@ours
def readyz() -> Response:
    """GET /readyz: 200 when host, store and every gateway answer, else 503. Open."""
    gateways = [_gateway_answers(entry.account) for entry in G.gateways.accounts()]
    parts = {
        "host": "up" if Registry(G.settings.data_dir).find("host") is not None else "down",
        "store": "up" if _store_answers() else "down",
        "gateways": {"up": gateways.count(True), "down": gateways.count(False)},
    }
    ready = parts["host"] == parts["store"] == "up" and all(gateways)
    return succeed(parts) if ready else fail_plainly(503, "部分服务不可用", "NOT_READY", data=parts)


def _gateway_answers(account: str) -> bool:
    try:
        G.gateways.call(account, ReadStatus(), timeout=PATIENCE)
    except AppError as error:
        log.warning("gateway of %s does not answer: %s", account, error.message)
        return False
    return True


def _store_answers() -> bool:
    try:
        G.store.setting("server", "authorization")
    except Exception:  # whatever the store is made of: this is where its state is told
        log.exception("the store does not answer")
        return False
    return True
