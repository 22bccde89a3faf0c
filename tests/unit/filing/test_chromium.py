"""Where the browser is missing, does not start, or says nothing: told in words, never waited for without
end.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from app.filing import chromium
from app.filing.chromium import Chromium
from app.filing.guide import Guide, is_picture
from app.filing.trace import NoPicture


def program(folder: Path, text: str) -> str:
    path = folder / "chromium"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_where_there_is_none_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoPicture, match="没有 Chromium.*--guided"):
        Chromium()


def test_it_is_found_by_any_of_its_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    path = program(tmp_path, "exit 0")
    assert chromium.find() == path


def test_one_that_ends_at_once_is_told_of(tmp_path: Path) -> None:
    browser = Chromium(program(tmp_path, "exit 1"))
    with pytest.raises(NoPicture, match="没有启动，或已退出"):
        browser.call("Browser.getVersion")
    browser.close()


def test_one_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(chromium, "PATIENCE", 0.2)
    browser = Chromium(program(tmp_path, "exec cat <&3 >/dev/null"))
    with pytest.raises(NoPicture, match="没有应答 Browser.getVersion"):
        browser.call("Browser.getVersion")
    browser.close()


def test_what_it_refuses_is_told_of_and_events_are_passed_over(tmp_path: Path) -> None:
    told = r"""{"method":"Event"}\0{"id":1,"error":{"message":"no such thing"}}\0"""
    says = f"printf '{told}' >&4; exec cat <&3 >/dev/null"
    browser = Chromium(program(tmp_path, says))
    with pytest.raises(NoPicture, match="拒绝了 Nothing：no such thing"):
        browser.call("Nothing")
    browser.close()


def test_a_picture_is_known_by_what_is_in_it(tmp_path: Path) -> None:
    png, text, unnamed = tmp_path / "a.png", tmp_path / "b.png", tmp_path / "c.txt"
    png.write_bytes(b"\x89PNG\r\n\x1a\nrest")
    text.write_text("no picture")
    unnamed.write_bytes(png.read_bytes())
    assert [is_picture(path) for path in (png, text, unnamed, tmp_path / "gone.png")] == [
        True,
        False,
        False,
        False,
    ]


def test_a_guide_asks_again_for_what_is_no_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    png = tmp_path / "a.png"
    png.write_bytes(b"\x89PNG\r\n\x1a\nrest")
    answers = [str(tmp_path / "gone.png"), str(png)]
    assert Guide(True, lambda _text: answers.pop(0)).picture("1.1") == png
    assert "gone.png" in capsys.readouterr().err
    assert Guide(True, lambda _text: "").picture("1.1") is None


def test_nobody_is_asked_where_nobody_guides() -> None:
    def ask(_text: str) -> str:
        raise AssertionError("asked")

    guide = Guide(False, ask)
    guide.wait("now")
    assert guide.picture("1.1") is None
    assert not guide.says_yes("cut")
