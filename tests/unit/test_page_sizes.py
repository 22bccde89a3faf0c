"""benchmarks/parts/page_sizes.py counts what a part brings with it, each file once; the build is no larger
than it may be.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from app.lib.program import ROOT
from benchmarks.parts.page_sizes import Size, loaded, packed, sizes

DIST = ROOT / "page" / "dist"
MANIFEST = {
    "index.html": {"file": "a.js", "css": ["a.css"], "imports": ["_shared.js"]},
    "_shared.js": {"file": "shared.js"},
    "src/pages/Trade.vue": {"file": "t.js", "css": ["t.css"], "imports": ["index.html", "_shared.js"]},
}


def test_a_part_brings_what_it_imports_and_its_styles() -> None:
    assert loaded(MANIFEST, "index.html") == {"a.js", "a.css", "shared.js"}
    assert loaded(MANIFEST, "src/pages/Trade.vue") == {"a.js", "a.css", "shared.js", "t.js", "t.css"}


def test_files_are_counted_as_the_server_packs_them(tmp_path: Path) -> None:
    body = b"export const a = 1\n" * 500
    (tmp_path / "a.js").write_bytes(body)
    assert packed(tmp_path, {"a.js"}) == len(gzip.compress(body, 9)) < len(body) / 10


@pytest.mark.full
@pytest.mark.parametrize("at", [0, 1, 2, 3], ids=["login", "chart", "editor", "backtest"])
def test_the_build_is_no_larger_than_it_may_be(at: int) -> None:
    size: Size = sizes(DIST)[at]
    assert size.bytes <= size.most, size


def test_a_manifest_is_read(tmp_path: Path) -> None:
    manifest = MANIFEST | {
        "src/accounts/AccountScreen.vue": {"file": "t.js"},
        "src/editor/CodeEditor.vue": {"file": "e.js", "imports": ["_shared.js"]},
        "src/pages/Backtest.vue": {"file": "b.js", "imports": ["_shared.js"]},
        "src/backtest/Report.vue": {"file": "r.js", "imports": ["src/pages/Backtest.vue"]},
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    for name in ("index.html", "a.js", "a.css", "shared.js", "t.js", "t.css", "e.js", "b.js", "r.js"):
        (tmp_path / name).write_text(name * 100, "utf-8")
    login, chart, editor, backtest = sizes(tmp_path)
    assert login.bytes < chart.bytes
    assert editor.bytes == packed(tmp_path, {"e.js"})  # what the chart brought is there already
    assert backtest.bytes == packed(tmp_path, {"b.js", "r.js"})
