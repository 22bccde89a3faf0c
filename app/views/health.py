"""/healthz, /readyz and /metrics, for whoever watches the server. Web process.

The first two are open and have states only, no account names. /metrics has these, so it is for programs on
this machine, or for whoever shows the token of the setting `metrics_token`.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
from typing import Any

import msgspec
import orjson
from flask import Blueprint, Flask, Response, current_app, g, request
from prometheus_client import CONTENT_TYPE_LATEST

from app.auth import shown_token
from app.global_var import G
from app.lib.errors import AppError, NotAllowed
from app.views import answers
from app.views.described import described
from app.views.envelope import fail_plainly, ours, succeed
from app.web.readiness import Part, add_check, check_all, counted, room, up
from app.wire.figures import Figure
from app.wire.messages import Accounts, ListAccounts, ReadMetrics, ReadStatus
from app.wire.registry import Entry

CALENDAR_STATES = ("unknown", "sure", "assumed", "guessed", "broken")
PATIENCE = 1.0  # seconds for each gateway
PROXIED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via")

log = logging.getLogger(__name__)
blueprint = Blueprint("health", __name__)
_figures = msgspec.json.Decoder(list[Figure])


def register_checks(app: Flask) -> None:
    """The parts that every server has."""
    add_check(app, "host", lambda: up(_kept() is not None))
    add_check(app, "store", _store)
    add_check(app, "gateways", lambda: counted([status is not None for status in _statuses()]))
    add_check(app, "fronts", _fronts)
    add_check(app, "calendar", _calendar)


@blueprint.get("/healthz")
@ours
@described("web 与主机在否，各账户的前置在何状态", data=answers.Health)
def healthz() -> Response:
    """GET /healthz: the web answers, whether the host's process lives, and where each account's fronts stand,
    trading and market apart. Nobody is asked for it, so it is always 200. Open: no names, no reasons.
    """
    host = "up" if G.gateways.host_is_there() else "down"
    return succeed({"web": "up", "host": host, "fronts": [_told(entry) for entry in G.gateways.accounts()]})


@blueprint.get("/readyz")
@ours
@described("主机、存储、网关、前置是否就绪", data=answers.Row, added=answers.Readiness)
def readyz() -> Response:
    """GET /readyz: 200 when every part is ready and orders can be sent, else 503 and in `not_ready` which are
    not. Open.
    """
    parts = check_all()
    data = {name: part.data for name, part in parts.items()}
    failed = [name for name, part in parts.items() if not part.ready]
    if not failed:
        return succeed(data)
    return fail_plainly(503, f"部分服务不可用：{'、'.join(failed)}", "NOT_READY", data=data, not_ready=failed)


@blueprint.get("/metrics")
@ours
@described("Prometheus 的指标（文本）；只许本机直接取，或出示 metrics_token", bare="text/plain")
def metrics() -> Response:
    """GET /metrics: Prometheus' text. On this machine, or with `metrics_token` as Bearer."""
    _check_who_asks(G.settings.metrics_token)
    hub = current_app.extensions["hub"]
    gateways = {
        entry.account: figures for entry in G.gateways.accounts() if (figures := _figures_of(entry.account))
    }
    return Response(G.metrics.exposition(hub.figures(), gateways), content_type=CONTENT_TYPE_LATEST)


def _check_who_asks(token: str) -> None:
    """Raises NotAllowed. Without a token of its own: whoever comes from this machine, and not through a proxy
    on it.
    """
    if token:
        if not hmac.compare_digest(shown_token()[1].encode(), token.encode()):
            raise NotAllowed("须出示设置 metrics_token 的令牌")
        return
    forwarded = any(name in request.headers for name in PROXIED)
    try:
        here = ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        here = False
    if forwarded or not here:
        raise NotAllowed("/metrics 只许本机直接取；从别处取须设置 metrics_token")


def _figures_of(account: str) -> list[Figure]:
    """What the account's gateway has counted; nothing when it does not answer, which /readyz tells."""
    try:
        return _figures.decode(G.gateways.call(account, ReadMetrics(), timeout=PATIENCE).payload)
    except AppError as error:
        log.warning("gateway of %s does not answer: %s", account, error.message)
        return []


def _fronts() -> Part:
    """Both fronts of every account: only then can it be traded."""
    answered = [status for status in _statuses() if status is not None]
    return counted([status[front]["state"] == "ready" for status in answered for front in ("td", "md")])


def _calendar() -> Part:
    """How far the trading days are known, by the gateway that knows least. Orders can be sent all the same;
    somebody has to look ahead.
    """
    told = [
        status["calendar"]["state"] for status in _statuses() if status is not None and "calendar" in status
    ]
    return Part(True, max(told, key=CALENDAR_STATES.index, default="unknown"))


def _told(entry: Entry) -> dict[str, Any]:
    """`{"interface", "td": {"state", "since"}, "md": {…}}`, or `gateway` down."""
    status = _status_of(entry.account)
    if status is None:
        return {"interface": entry.interface, "gateway": "down"}
    return {"interface": entry.interface} | {
        front: {name: status[front][name] for name in ("state", "since")} for front in ("td", "md")
    }


def _kept() -> list[str] | None:
    """The accounts that the host keeps logged in, None when it does not answer. One that waits for its
    trader's login, or is just logging in for the first time, is none of them. Asked once a request.
    """
    if "kept" not in g:
        try:
            known: Accounts = G.gateways.ask_host(ListAccounts())
            g.kept = [
                account.account for account in known.accounts if account.state in ("ready", "restarting")
            ]
        except AppError as error:
            log.warning("the host does not answer: %s", error.message)
            g.kept = None
    found: list[str] | None = g.kept
    return found


def _statuses() -> list[dict[str, Any] | None]:
    """Of every gateway that runs or is to run, None for one that does not answer. Asked once a request."""
    if "statuses" not in g:
        running = [entry.account for entry in G.gateways.accounts()]
        g.statuses = [_status_of(account) for account in sorted({*running, *(_kept() or [])})]
    found: list[dict[str, Any] | None] = g.statuses
    return found


def _status_of(account: str) -> dict[str, Any] | None:
    try:
        status: dict[str, Any] = orjson.loads(
            G.gateways.call(account, ReadStatus(), timeout=PATIENCE).payload
        )
    except AppError as error:
        log.warning("gateway of %s does not answer: %s", account, error.message)
        return None
    return status


def _store() -> Part:
    """`up`, `full` or `readonly`: no order leaves then; where MongoDB is the store also `down` and `refused`:
    what is written waits on this disk then, and trading goes on.
    """
    try:
        G.store.setting("server", "authorization")
        state = G.store.state().state
        if state == "up":
            state = room(G.settings.data_dir)
    except Exception:  # whatever the store is made of: this is where its state is told
        log.exception("the store does not answer")
        state = "down"
    return Part(state == "up", state)
