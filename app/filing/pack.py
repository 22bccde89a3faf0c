"""A pack: the folder with evidence, report and manifest, and the zip beside it. Command's own process."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app.data_dir import reason
from app.filing import description, form, report
from app.filing.outcome import MANIFEST, Outcome, manifest
from app.lib.errors import BadInput

DOCX, PAGE = f"{form.REPORT_TITLE}.docx", f"{form.REPORT_TITLE}.html"


def zip_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.zip")


def new_folder(folder: Path) -> Path:
    """An empty folder that can be written, with no zip beside it yet. Raises BadInput; nothing is done
    then.
    """
    folder = folder.expanduser().resolve()
    if zip_of(folder).exists():
        raise BadInput("to", f"{zip_of(folder)} 已存在，不会覆盖：请另选 --to")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise BadInput("to", f"{folder} 不是空的：材料不与别的文件混在一起，请另选 --to")
        probe = folder / ".probe"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise BadInput("to", f"{folder} 不能用：{reason(error)}") from None
    return folder


def write(
    folder: Path, outcomes: Sequence[Outcome], about: Mapping[str, str], template: bytes | None
) -> Path:
    """Report, manifest and zip of what lies in the folder; returns the zip. Raises BadInput for a template
    that cannot be filled: the evidence stays, with the HTML.
    """
    values = report.context(outcomes, about)
    (folder / PAGE).write_text(report.as_html(values), "utf-8")
    filled = report.filled(template or form.report_form(), values, folder, "--template" if template else "")
    (folder / DOCX).write_bytes(filled)
    (folder / MANIFEST).write_bytes(manifest(folder, outcomes, {"about": dict(about)}))
    path = zip_of(folder)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder))
    return path


def write_description(folder: Path, described: Mapping[str, Any]) -> None:
    """As docx and JSON."""
    sections = [
        section | {"rows": [{"name": name, "value": text} for name, text in section["rows"].items()]}
        for section in described["sections"]
    ]
    values = {"title": described["title"], "sections": sections}
    (folder / f"{form.DESCRIPTION_TITLE}.docx").write_bytes(
        report.filled(form.description_form(), values, folder)
    )
    (folder / f"{form.DESCRIPTION_TITLE}.json").write_bytes(description.as_json(described))
