"""The report of a pack, as docx and as HTML: what the checks came to, and nothing besides.
Command's own process.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from app.filing import form
from app.filing.outcome import Outcome
from app.lib.errors import BadInput

PICTURE_WIDTH = 165  # mm, of what an A4 page has between its margins
PAGE = Path(__file__).with_name("report.html")


def context(outcomes: Iterable[Outcome], about: Mapping[str, str]) -> dict[str, Any]:
    """What a form is filled with: `title`, `about` (name, value) and `checks`, each with id, name, state,
    reason, expected, steps (time, kind, text), pictures (path) and attachments.
    """
    return {
        "title": form.REPORT_TITLE,
        "about": [{"name": name, "value": value} for name, value in about.items()],
        "checks": [
            {
                "id": outcome.id,
                "name": outcome.name,
                "state": outcome.state,
                "reason": outcome.reason,
                "expected": outcome.expected,
                "steps": [
                    {"time": step.time, "kind": "见到" if step.seen else "做了", "text": step.text}
                    for step in outcome.steps
                ],
                "pictures": [{"path": path} for path in outcome.pictures],
                "evidence": outcome.evidence,
                "attachments": "、".join(path for path in outcome.evidence if path not in outcome.pictures)
                or "无",
            }
            for outcome in outcomes
        ],
    }


def check_template(template: Path) -> bytes:
    """The broker's own form, that can be filled. Raises BadInput."""
    try:
        content = template.read_bytes()
    except OSError as error:
        raise BadInput("template", f"模板 {template} 不能读取：{error.strerror}") from None
    if not zipfile.is_zipfile(io.BytesIO(content)):
        raise BadInput("template", f"模板 {template} 不是 docx 文件（doc 请先用 Word 另存为 docx）")
    filled(content, context([], {}), Path(), str(template))
    return content


def filled(form_: bytes, values: Mapping[str, Any], folder: Path, name: str = "") -> bytes:
    """A docx of the form and what `context` has; the pictures are read in `folder`. Raises BadInput for a
    form that cannot be filled.
    """
    import docx.opc.exceptions
    import jinja2
    from docx.shared import Mm
    from docxtpl import DocxTemplate, InlineImage
    from lxml import etree

    try:
        document = DocxTemplate(io.BytesIO(form_))
        for check in values.get("checks", ()):
            for picture in check["pictures"]:
                picture["image"] = InlineImage(
                    document, str(folder / picture["path"]), width=Mm(PICTURE_WIDTH)
                )
        document.render(dict(values), autoescape=True)
    except (
        jinja2.TemplateError,
        docx.opc.exceptions.PackageNotFoundError,
        etree.XMLSyntaxError,
        KeyError,
        ValueError,
    ) as error:
        raise BadInput("template", f"模板 {name} 不能填写：{error}") from None
    content = io.BytesIO()
    document.save(content)
    return content.getvalue()


def as_html(values: Mapping[str, Any]) -> str:
    """The same as a page that needs no network; its pictures lie beside it."""
    import jinja2

    page = jinja2.Environment(autoescape=True).from_string(PAGE.read_text("utf-8"))
    return page.render(values)
