"""/settlement: the counter's statement of a day. Web process."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, Response
from pydantic import Field

from app.auth import auth_required
from app.views import answers
from app.views.asking import ask
from app.views.described import described
from app.views.envelope import ours, succeed
from app.views.parameters import Request, Text
from app.wire.messages import ConfirmSettlement, ReadSettlement

blueprint = Blueprint("settlement", __name__)


class SettlementRequest(Request):
    day: Annotated[str, Text(pattern="20[0-9]{6}", example="20250606")] = Field(
        "", description="交易日；不给为最新一份"
    )


@blueprint.get("/settlement")
@auth_required
@ours
@described("某日的结算单，缺省为最新一份", SettlementRequest, data=answers.Statement)
def read_settlement(sent: SettlementRequest) -> Response:
    """GET /settlement → `{day, text}`. Token."""
    return succeed(ask(ReadSettlement(sent.day)))


@blueprint.post("/settlement")
@auth_required
@ours
@described("确认最新的结算单")
def confirm_settlement() -> Response:
    """POST /settlement: the newest statement is accepted at the counter. Token."""
    ask(ConfirmSettlement())
    return succeed(msg="结算单已确认")
