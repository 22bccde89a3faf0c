"""/settlement: the counter's statement of a day. Web process."""

from __future__ import annotations

import re

from flask import Blueprint, Response

from app.auth import auth_required
from app.lib.errors import BadInput
from app.views.asking import ask, parameters
from app.views.envelope import ours, succeed
from app.wire.messages import ConfirmSettlement, ReadSettlement

_DAY = re.compile(r"20[0-9]{6}", re.ASCII)

blueprint = Blueprint("settlement", __name__)


@blueprint.get("/settlement")
@auth_required
@ours
def read_settlement() -> Response:
    """GET /settlement: day (YYYYMMDD, the newest when left out) → `{day, text}`. Token."""
    day = parameters().text("day", "")
    if day and not _DAY.fullmatch(day):
        raise BadInput("day", "参数 day 应形如 20250606")
    return succeed(ask(ReadSettlement(day)))


@blueprint.post("/settlement")
@auth_required
@ours
def confirm_settlement() -> Response:
    """POST /settlement: the newest statement is accepted at the counter. Token."""
    ask(ConfirmSettlement())
    return succeed(msg="结算单已确认")
