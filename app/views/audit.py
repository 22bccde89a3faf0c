"""/risk/audit: the account's audit log by day and kind, to look at and to take along. Web process."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Annotated, Any

import orjson
from flask import Blueprint, Response, stream_with_context
from pydantic import Field

from app.auth import auth_required
from app.lib import audit
from app.views import answers
from app.views.asking import ask
from app.views.described import described
from app.views.envelope import ours, succeed
from app.views.parameters import Choice, Flag, Request, Text, Whole
from app.wire.messages import ReadAudit

PAGE = 5000  # entries asked of the gateway at a time
BOM = "\ufeff"  # Excel takes a CSV for UTF-8 by it
FURTHEST = 2**53 - 1

blueprint = Blueprint("audit", __name__)


class AuditRequest(Request):
    day: Annotated[str, Text(pattern="20[0-9]{6}", example="20250606")] = Field(
        "", description="自然日；不给为最新一天"
    )
    kind: Annotated[str, Choice(audit.KINDS)] = Field("", description="交易、运行、监测、错误；不给为全部")
    limit: Annotated[int, Whole(1, PAGE)] = Field(500, description="最多几条")
    place: Annotated[int, Whole(0, FURTHEST)] = Field(0, description="上一页答复中的 place；不给则从最新开始")
    verify: Annotated[bool, Flag()] = Field(False, description="也核对这一天的散列链，结果在 verified")
    format: Annotated[str, Choice(("json", "csv", "jsonl"))] = Field(
        "json", description="json 一页；csv、jsonl 为整日的文件，旧在前"
    )


@blueprint.get("/risk/audit")
@auth_required
@ours
@described(
    "审计日志：按日、按类，一页一页看（新的在前），或整日导出为文件", AuditRequest, data=answers.AuditPage
)
def read_audit(sent: AuditRequest) -> Response:
    """GET /risk/audit. Token."""
    if sent.format == "json":
        return succeed(ask(ReadAudit(sent.day, sent.kind, sent.limit, sent.place, verify=sent.verify)))
    pages = _pages(sent.day, sent.kind)
    first = next(pages)  # before anything is answered: what is wrong is told as ever
    name = "-".join(filter(None, ("audit", first["day"], sent.kind)))
    lines, kind = (_csv, "text/csv") if sent.format == "csv" else (_jsonl, "application/x-ndjson")
    response = Response(stream_with_context(lines(first, pages)), content_type=f"{kind}; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{sent.format}"'
    return response


def _pages(day: str, kind: str) -> Iterator[dict[str, Any]]:
    """Of that one day, the oldest first."""
    place: int | None = 0
    while place is not None:
        page = orjson.loads(ask(ReadAudit(day, kind, PAGE, place, onward=True)).payload)
        yield page
        day, place = page["day"], page["place"]


def _csv(first: dict[str, Any], pages: Iterator[dict[str, Any]]) -> Iterator[str]:
    yield BOM + _rows([audit.COLUMN_TEXT, *map(audit.csv_row, first["entries"])])
    for page in pages:
        yield _rows(map(audit.csv_row, page["entries"]))


def _rows(rows: Any) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _jsonl(first: dict[str, Any], pages: Iterator[dict[str, Any]]) -> Iterator[str]:
    yield _lines(first)
    for page in pages:
        yield _lines(page)


def _lines(page: dict[str, Any]) -> str:
    return "".join(f"{audit.line_of(entry)}\n" for entry in page["entries"])
