"""docs/api.md against the routes: what it says of parameters is what the views read."""

from __future__ import annotations

from app.views.api_page import BEGIN, DOCUMENT, END, page
from app.views.openapi import bare_app, operations


def test_the_documents_table_is_made_of_the_models() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert (text.count(BEGIN), text.count(END)) == (1, 1)
    assert text == page(text), "python -m app.views.api_page"


def test_every_route_is_in_the_document() -> None:
    text = DOCUMENT.read_text("utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| ")]
    for operation in operations(bare_app()):
        assert any(operation.method in row and operation.path in row for row in rows), operation
