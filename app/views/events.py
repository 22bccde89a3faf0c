"""/events: what a page missed. Web process."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, Response
from pydantic import Field

from app.auth import auth_required
from app.views import answers
from app.views.asking import ask
from app.views.described import described
from app.views.envelope import ours, succeed
from app.views.parameters import Request, Whole
from app.wire.messages import ReadEvents

MOST_EVENTS = 10_000

blueprint = Blueprint("events", __name__)


class EventsRequest(Request):
    since: Annotated[int, Whole(0, 2**53)] = Field(0, description="上次见到的 seq")
    limit: Annotated[int, Whole(1, MOST_EVENTS)] = Field(1000, description="最多几条")


@blueprint.get("/events")
@auth_required
@ours
@described("漏掉的 order_update 与 trade_update", EventsRequest, data=answers.Events)
def read_events(sent: EventsRequest) -> Response:
    """GET /events → what the account's journal has above `since`. Token."""
    return succeed(ask(ReadEvents(sent.since, sent.limit)))
