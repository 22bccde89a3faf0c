"""/bar: K-lines. Web process."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, Response
from pydantic import Field, model_validator

from app.auth import auth_required
from app.lib.bars import CUTS, FIGURES, INTERVALS
from app.lib.errors import BadInput
from app.views.asking import ask
from app.views.described import described
from app.views.envelope import succeed
from app.views.parameters import Choice, Choices, OfContract, Whole
from app.wire.messages import ReadBars

LATEST = 10**13  # ms; the year 2286
MOST_BARS = 1_000_000

blueprint = Blueprint("bars", __name__)


class BarRequest(OfContract):
    interval: Annotated[str, Choice(INTERVALS)] = Field("1m", description="周期")
    cut: Annotated[str, Choice(CUTS)] = Field(CUTS[0], description="怎样划分：按交易时间，或按钟点")
    start: Annotated[int, Whole(0, LATEST)] = Field(0, description="起，毫秒，含")
    end: Annotated[int, Whole(0, LATEST)] = Field(0, description="止，毫秒，不含；0 为不限")
    limit: Annotated[int, Whole(0, MOST_BARS)] = Field(0, description="最新的几根；0 为不限")
    fields: Annotated[tuple[str, ...], Choices(FIGURES)] = Field(
        (), description="每行末尾另加的：成交额（元）、持仓量（手），按给出的次序；没有的为 null"
    )

    @model_validator(mode="after")
    def _in_order(self) -> BarRequest:
        if self.end and self.end <= self.start:
            raise BadInput("end", "参数 end 应晚于 start")
        return self


@blueprint.post("/bar")
@auth_required
@described("K 线，旧在前；缺省为最近 3 天", BarRequest, data=list[list[float | str | None]])
def read_bars(sent: BarRequest) -> Response:
    """POST /bar → [[ms, open, high, low, close, volume, …fields], …]. Token."""
    wanted = ReadBars(
        local_symbol=sent.contract,
        interval=sent.interval,
        start=sent.start,
        end=sent.end,
        limit=sent.limit,
        cut=sent.cut,
        fields=sent.fields,
    )
    return succeed(ask(wanted))
