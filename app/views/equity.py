"""/equity: the history of what the account and its strategies are worth. Web process."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, Response
from pydantic import Field, model_validator

from app.auth import auth_required
from app.lib.errors import BadInput
from app.views import answers
from app.views.asking import ask
from app.views.described import described
from app.views.envelope import ours, succeed
from app.views.parameters import Choice, Request, StrategyName, Whole
from app.wire.messages import ReadEquity

LATEST = 10**13  # ms; the year 2286
MOST_POINTS = 1_000_000

blueprint = Blueprint("equity", __name__)


class EquityRequest(Request):
    interval: Annotated[str, Choice(("minute", "day"))] = Field("minute", description="每分钟或每交易日一点")
    start: Annotated[int, Whole(0, LATEST)] = Field(0, description="起，毫秒，含")
    end: Annotated[int, Whole(0, LATEST)] = Field(0, description="止，毫秒，不含；0 为不限")
    limit: Annotated[int, Whole(0, MOST_POINTS)] = Field(0, description="最新的几点；0 为不限")
    strategy: Annotated[str, StrategyName()] = Field("", description="策略名，答它的盈亏；不给则为账户的权益")

    @model_validator(mode="after")
    def _in_order(self) -> EquityRequest:
        if self.end and self.end <= self.start:
            raise BadInput("end", "参数 end 应晚于 start")
        return self


@blueprint.get("/equity")
@auth_required
@ours
@described(
    "权益曲线，旧在前；缺省每分钟一点，最近 3 天；给出 strategy 则为它的盈亏",
    EquityRequest,
    data=answers.Equity,
)
def read_equity(sent: EquityRequest) -> Response:
    """GET /equity → `{fields, rows}`. Token."""
    wanted = ReadEquity(
        interval=sent.interval, start=sent.start, end=sent.end, limit=sent.limit, strategy=sent.strategy
    )
    return succeed(ask(wanted))
