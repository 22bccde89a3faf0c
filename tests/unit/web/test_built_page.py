"""The built page is read whole, with types of our own."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from app.web.built_page import LONGEST_FAILURE, BuiltPage, read_build, read_failure


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html>", "utf-8")
    (tmp_path / "assets" / "index-AbC123.js").write_text("1;" * 1000, "utf-8")
    (tmp_path / "assets" / "index-AbC123.js.gz").write_bytes(gzip.compress(b"1;" * 1000))
    (tmp_path / "assets" / "notes.exe").write_bytes(b"no kind of ours")
    return tmp_path


def read(folder: Path) -> BuiltPage:
    built = read_build(folder)
    assert built is not None
    return built


def test_a_script_is_a_script_whatever_the_system_thinks(folder: Path) -> None:
    files = read(folder).files
    assert files["assets/index-AbC123.js"].media_type == "text/javascript; charset=utf-8"
    assert set(files) == {"index.html", "assets/index-AbC123.js"}


def test_what_has_its_hash_in_its_name_never_changes(folder: Path) -> None:
    files = read(folder).files
    assert [files[name].immutable for name in ("index.html", "assets/index-AbC123.js")] == [False, True]


def test_what_the_build_has_compressed_is_there_both_ways(folder: Path) -> None:
    files = read(folder).files
    script = files["assets/index-AbC123.js"]
    assert gzip.decompress(script.zipped) == script.body
    assert files["index.html"].zipped == b""


def test_another_build_has_another_name(folder: Path) -> None:
    before = read(folder).build
    assert read(folder).build == before
    (folder / "index.html").write_text("<!doctype html><!-- another -->", "utf-8")
    assert read(folder).build != before


def test_a_folder_that_is_half_there_is_no_build(tmp_path: Path, folder: Path) -> None:
    assert read_build(tmp_path / "nowhere") is None
    (folder / "index.html").unlink()
    assert read_build(folder) is None


def test_of_a_failure_the_end_is_told(tmp_path: Path) -> None:
    place = tmp_path / "not-built.txt"
    assert read_failure(place) == ""
    place.write_text("x" * 10_000 + "npm error network", "utf-8")
    assert read_failure(place).endswith("npm error network")
    assert len(read_failure(place)) == LONGEST_FAILURE
