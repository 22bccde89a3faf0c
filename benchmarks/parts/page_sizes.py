"""What a browser has to load of the built page, packed: by the manifest that vite writes of it. Pure but for
reading the files.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any, NamedTuple

ENTRY = "index.html"
TRADE = "src/pages/Trade.vue"
BEHIND_LOGIN = "src/accounts/AccountScreen.vue"
EDITOR = "src/editor/CodeEditor.vue"
BACKTEST = ("src/pages/Backtest.vue", "src/backtest/Report.vue")

Manifest = dict[str, dict[str, Any]]


class Size(NamedTuple):
    """One of PAGE.md's goals for what is loaded."""

    name: str
    bytes: int
    goal: int
    most: int
    """What a test holds it to, so that it gets no worse than it is where the goal is missed or barely met."""


def loaded(manifest: Manifest, *entries: str) -> set[str]:
    """The files that come with these parts and with what they import."""
    seen: set[str] = set()
    waiting = list(entries)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += manifest[name].get("imports", [])
    return {file for name in seen for file in (manifest[name]["file"], *manifest[name].get("css", []))}


def packed(dist: Path, files: set[str]) -> int:
    """Their size by gzip -9, as the server sends them."""
    return sum(len(gzip.compress((dist / file).read_bytes(), 9)) for file in files)


def sizes(dist: Path) -> list[Size]:
    """One for each of them. Raises FileNotFoundError without a build."""
    manifest: Manifest = json.loads((dist / "manifest.json").read_text("utf-8"))
    login = loaded(manifest, ENTRY) | {ENTRY}
    trade = login | loaded(manifest, BEHIND_LOGIN, TRADE)
    editor = loaded(manifest, EDITOR) - trade
    backtest = loaded(manifest, *BACKTEST) - trade
    return [
        Size("到登录框", packed(dist, login), 80_000, 70_000),
        Size("首次打开，含图表", packed(dist, trade), 160_000, 160_000),
        Size("代码编辑器", packed(dist, editor), 150_000, 149_000),
        Size("回测屏与报告", packed(dist, backtest), 40_000, 33_000),
    ]
