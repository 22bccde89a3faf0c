"""/bar: K-lines. Web process."""

from __future__ import annotations

from flask import Blueprint, Response

from app.auth import auth_required
from app.lib.bars import CUTS, INTERVALS
from app.lib.errors import BadInput
from app.lib.symbols import parse_symbol
from app.views.asking import ask, parameters
from app.views.envelope import succeed
from app.wire.messages import ReadBars

LATEST = 10**13  # ms; the year 2286
MOST_BARS = 1_000_000

blueprint = Blueprint("bars", __name__)


@blueprint.post("/bar")
@auth_required
def read_bars() -> Response:
    """POST /bar: local_symbol, interval, cut, start and end (epoch ms), limit → [[ms, open, high, low, close,
    volume], …]. Token.
    """
    sent = parameters()
    symbol = parse_symbol(sent.one("local_symbol"), sent.one("exchange"))
    interval = sent.choice("interval", INTERVALS, "1m")
    cut = sent.choice("cut", CUTS, CUTS[0])
    start = sent.integer("start", 0, least=0, most=LATEST)
    end = sent.integer("end", 0, least=0, most=LATEST)
    limit = sent.integer("limit", 0, least=0, most=MOST_BARS)
    if end and end <= start:
        raise BadInput("end", "参数 end 应晚于 start")
    return succeed(ask(ReadBars(str(symbol), interval, start, end, limit, cut)))
