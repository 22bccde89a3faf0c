"""The pack as files: manifest, report as docx and HTML, zip; and the folder that it is put into."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import zipfile
from pathlib import Path

import docx
import pytest

from app.filing import form, pack, report
from app.filing.outcome import FAILED, MANIFEST, PASSED, Outcome, Step
from app.filing.secrets import HIDDEN, Secrets
from app.lib.errors import BadInput

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c020000000b4944415478da6364f80f00010501"
    "012718e3660000000049454e44ae426082"
)
ABOUT = {"软件": "ctpbee_backend 0", "账号": "<b>u1 & Co</b>"}


def outcomes(folder: Path) -> list[Outcome]:
    evidence = folder / "evidence" / "1.1"
    evidence.mkdir(parents=True)
    (evidence / "login.png").write_bytes(PNG)
    (evidence / "run.jsonl").write_text("{}\n")
    good = Outcome("1.1", "连通性", "登录成功", finished=True)
    good.evidence = ["evidence/1.1/login.png", "evidence/1.1/run.jsonl"]
    good.steps = [
        Step("2026-11-29 21:05:00.000", "登录 {{ 7 * 7 }} <前置>", False),
        Step("2026-11-29 21:05:01.000", "就绪 & 好", True),
    ]
    bad = Outcome("1.2", "基础交易功能", "成交", finished=True, lacks=["开仓没有成交"])
    return [good, bad]


def text_of(path: Path) -> str:
    """Everything that a docx says, tables too."""
    document = docx.Document(str(path))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return "\n".join([*(paragraph.text for paragraph in document.paragraphs), *cells])


def test_the_state_is_passed_alone_for_what_ended_lacks_nothing_and_left_evidence() -> None:
    whole = {"finished": True, "evidence": ["a"]}
    assert Outcome("1", "x", "y", **whole).state == PASSED  # type: ignore[arg-type]
    for missing in ({"finished": False}, {"evidence": []}, {"lacks": ["z"]}):
        outcome = Outcome("1", "x", "y", **whole | missing)  # type: ignore[arg-type]
        assert outcome.state == FAILED
        assert outcome.reason


def test_the_manifest_has_every_file_with_its_hash_and_every_check(tmp_path: Path) -> None:
    folder = pack.new_folder(tmp_path / "out")
    archive = pack.write(folder, outcomes(folder), ABOUT, None)
    found = json.loads((folder / MANIFEST).read_bytes())
    assert found["checks"] == [
        {
            "id": "1.1",
            "name": "连通性",
            "state": "通过",
            "reason": "",
            "evidence": ["evidence/1.1/login.png", "evidence/1.1/run.jsonl"],
        },
        {"id": "1.2", "name": "基础交易功能", "state": "未通过", "reason": "开仓没有成交", "evidence": []},
    ]
    on_disk = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert set(found["files"]) == on_disk - {MANIFEST}
    with zipfile.ZipFile(archive) as zipped:
        assert set(zipped.namelist()) == on_disk
        for name, digest in found["files"].items():
            assert hashlib.sha256(zipped.read(name)).hexdigest() == digest


def test_the_docx_read_back_says_what_was_reached_and_what_not(tmp_path: Path) -> None:
    folder = pack.new_folder(tmp_path / "out")
    pack.write(folder, outcomes(folder), ABOUT, None)
    text = text_of(folder / pack.DOCX)
    for words in (
        "期货程序化交易系统功能测试过程记录报告",
        "1.1 连通性：通过",
        "1.2 基础交易功能：未通过",
        "未通过的原因：开仓没有成交",
        "登录 {{ 7 * 7 }} <前置>",
        "就绪 & 好",
        "<b>u1 & Co</b>",
        "图：evidence/1.1/login.png",
        "附件：evidence/1.1/run.jsonl",
        "附件：无",
    ):
        assert words in text
    assert len(docx.Document(str(folder / pack.DOCX)).inline_shapes) == 1
    assert "{%" not in text


def test_the_html_needs_no_network_and_takes_no_markup(tmp_path: Path) -> None:
    folder = pack.new_folder(tmp_path / "out")
    pack.write(folder, outcomes(folder), ABOUT, None)
    page = (folder / pack.PAGE).read_text("utf-8")
    assert "http" not in page
    assert "&lt;b&gt;u1 &amp; Co&lt;/b&gt;" in page
    for path in re.findall(r'(?:src|href)="([^#"]+)"', page):
        assert (folder / path).is_file()


def test_a_brokers_own_form_is_filled(tmp_path: Path) -> None:
    own = docx.Document()
    own.add_paragraph("某期货公司")
    own.add_paragraph("{%p for check in checks %}")
    own.add_paragraph("{{ check.id }}={{ check.state }}")
    own.add_paragraph("{%p endfor %}")
    own.save(str(tmp_path / "own.docx"))
    folder = pack.new_folder(tmp_path / "out")
    template = report.check_template(tmp_path / "own.docx")
    pack.write(folder, outcomes(folder), ABOUT, template)
    assert text_of(folder / pack.DOCX).split() == ["某期货公司", "1.1=通过", "1.2=未通过"]


def test_the_blank_form_is_one_that_can_be_given_back(tmp_path: Path) -> None:
    (tmp_path / "form.docx").write_bytes(form.report_form())
    folder = pack.new_folder(tmp_path / "out")
    pack.write(folder, outcomes(folder), ABOUT, report.check_template(tmp_path / "form.docx"))
    assert "1.2 基础交易功能：未通过" in text_of(folder / pack.DOCX)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "不能读取"),
        (b"", "不是 docx 文件"),
        (b"\xd0\xcf\x11\xe0 an old doc", "不是 docx 文件"),
        ("zip", "不能填写"),
        ("{{ check. }}", "不能填写"),
        ("{% for x in checks %}", "不能填写"),
    ],
)
def test_a_template_that_cannot_be_filled_is_named(
    tmp_path: Path, content: bytes | str | None, why: str
) -> None:
    path = tmp_path / "own.docx"
    if content == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.txt", "no document")
    elif isinstance(content, str):
        own = docx.Document()
        own.add_paragraph(content)
        own.save(str(path))
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput, match=why) as raised:
        report.check_template(path)
    assert "own.docx" in raised.value.message


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(BadInput, match="不是空的"):
        pack.new_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_zip_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "out.zip").write_text("mine")
    with pytest.raises(BadInput, match="已存在"):
        pack.new_folder(tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(BadInput, match="没有写的权限"):
        pack.new_folder(tmp_path / "out")


def test_a_file_in_the_folders_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(BadInput, match="不能用"):
        pack.new_folder(tmp_path / "out")


def test_secrets_are_hidden_where_they_stand_by_themselves() -> None:
    secrets = Secrets(["123456", "p.w+d", ""])
    assert secrets.hide("pw 123456, p.w+d; hash 9123456a") == f"pw {HIDDEN}, {HIDDEN}; hash 9123456a"
    secrets.add("9123456a")
    assert secrets.hide("hash 9123456a") == f"hash {HIDDEN}"
    assert secrets.found_in("123456")
    assert not secrets.found_in("nothing")


def test_a_docx_is_a_zip_whose_parts_are_there(tmp_path: Path) -> None:
    content = report.filled(form.report_form(), report.context(outcomes(tmp_path), ABOUT), tmp_path)
    names = zipfile.ZipFile(io.BytesIO(content)).namelist()
    assert "word/document.xml" in names
    assert any(name.startswith("word/media/") for name in names)
