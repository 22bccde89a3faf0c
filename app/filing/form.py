"""The standard form of the report and of the description, as docx templates: made here with python-docx,
filled by docxtpl, the extra `filing`. A broker's own form takes the same names. Command's own process.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from app.lib.errors import AppError

if TYPE_CHECKING:
    from docx.document import Document
    from docx.table import _Cell

REPORT_TITLE = "期货程序化交易系统功能测试过程记录报告"
DESCRIPTION_TITLE = "程序化交易系统说明"
INSTALL = "请先安装：.venv/bin/uv pip install --no-deps --python .venv/bin/python -r requirements-filing.lock"
FONT = "宋体"


def check_installed() -> None:
    """Raises AppError where what writes docx is not there."""
    try:
        import docxtpl  # noqa: F401
    except ImportError:
        raise AppError(f"写 docx 要用 docxtpl，没有装上。{INSTALL}") from None


def report_form() -> bytes:
    """《期货程序化交易系统功能测试过程记录报告》 as a template."""
    document = _new(REPORT_TITLE)
    _facts(document, "about", "项", "内容")
    document.add_heading("一、结果", 1)
    table = _table(document, ("编号", "项目", "结果", "原因"), (15, 50, 20, 85))
    _loop(
        table,
        "for check in checks",
        ("{{ check.id }}", "{{ check.name }}", "{{ check.state }}", "{{ check.reason }}"),
    )
    document.add_heading("二、过程", 1)
    document.add_paragraph("{%p for check in checks %}")
    document.add_heading("{{ check.id }} {{ check.name }}：{{ check.state }}", 2)
    document.add_paragraph("预期：{{ check.expected }}")
    document.add_paragraph("{%p if check.reason %}")
    document.add_paragraph("未通过的原因：{{ check.reason }}")
    document.add_paragraph("{%p endif %}")
    table = _table(document, ("时间（北京时间）", "做了、见到", "内容"), (45, 20, 105))
    _loop(table, "for step in check.steps", ("{{ step.time }}", "{{ step.kind }}", "{{ step.text }}"))
    document.add_paragraph("{%p for picture in check.pictures %}")
    document.add_paragraph("{{ picture.image }}")
    document.add_paragraph("图：{{ picture.path }}")
    document.add_paragraph("{%p endfor %}")
    document.add_paragraph("附件：{{ check.attachments }}")
    document.add_paragraph("{%p endfor %}")
    return _saved(document)


def description_form() -> bytes:
    """The system description as a template."""
    document = _new(DESCRIPTION_TITLE)
    document.add_paragraph("{%p for section in sections %}")
    document.add_heading("{{ section.title }}", 1)
    document.add_paragraph("{%p if section.note %}")
    document.add_paragraph("{{ section.note }}")
    document.add_paragraph("{%p endif %}")
    _facts(document, "section.rows", "项", "内容")
    document.add_paragraph("{%p endfor %}")
    return _saved(document)


def _new(title: str) -> Document:
    import docx
    from docx.oxml.ns import qn
    from docx.shared import Mm, Pt

    document = docx.Document()
    page = document.sections[0]
    page.page_width, page.page_height = Mm(210), Mm(297)
    page.left_margin = page.right_margin = Mm(20)
    for name in ("Normal", "Heading 1", "Heading 2", "Title"):
        style = document.styles[name]
        style.font.name = FONT
        style.element.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), FONT)
    document.styles["Normal"].font.size = Pt(10.5)
    document.styles["Title"].font.size = Pt(18)
    document.core_properties.title, document.core_properties.author = title, ""
    document.add_heading(title, 0)
    return document


def _table(document: Document, heads: tuple[str, ...], widths: tuple[int, ...]) -> list[_Cell]:
    """A table with its heads, and the rows that a loop is written into: their cells, row by row. Widths in
    mm.
    """
    from docx.shared import Mm

    table = document.add_table(rows=4, cols=len(heads), style="Table Grid")
    table.autofit = False
    for row in table.rows:
        for cell, width in zip(row.cells, widths, strict=True):
            cell.width = Mm(width)
    for cell, head in zip(table.rows[0].cells, heads, strict=True):
        cell.paragraphs[0].add_run(head).bold = True
    return [cell for row in table.rows[1:] for cell in row.cells]


def _loop(cells: list[_Cell], head: str, texts: tuple[str, ...]) -> None:
    """docxtpl takes the rows of the tags away and repeats the one between them."""
    cells[0].text = f"{{%tr {head} %}}"
    for cell, text in zip(cells[len(texts) :], texts, strict=False):
        cell.text = text
    cells[2 * len(texts)].text = "{%tr endfor %}"


def _facts(document: Document, name: str, *heads: str) -> None:
    _loop(_table(document, heads, (55, 115)), f"for fact in {name}", ("{{ fact.name }}", "{{ fact.value }}"))


def _saved(document: Document) -> bytes:
    content = io.BytesIO()
    document.save(content)
    return content.getvalue()
