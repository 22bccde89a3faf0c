"""/events: what a page missed. Web process."""

from __future__ import annotations

from flask import Blueprint, Response

from app.auth import auth_required
from app.views.asking import ask, parameters
from app.views.envelope import ours, succeed
from app.wire.messages import ReadEvents

MOST_EVENTS = 10_000

blueprint = Blueprint("events", __name__)


@blueprint.get("/events")
@auth_required
@ours
def read_events() -> Response:
    """GET /events: since (a `seq`), limit → what the account's journal has above it. Token."""
    sent = parameters()
    since = sent.integer("since", 0, least=0, most=2**53)
    limit = sent.integer("limit", 1000, least=1, most=MOST_EVENTS)
    return succeed(ask(ReadEvents(since, limit)))
