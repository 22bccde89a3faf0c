"""README.md's lines as a user copies them."""

from __future__ import annotations

import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def code_blocks(text: str, heading: str) -> list[str]:
    """The fenced blocks under a heading of the second level, up to the next one."""
    section = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if section is None:
        raise AssertionError(f"README.md has no heading 「{heading}」")
    return re.findall(r"^```\w*\n(.*?)^```$", section[1], re.MULTILINE | re.DOTALL)


def block_with(text: str, heading: str, words: str) -> str:
    """The one block under the heading that has these words."""
    found = [block for block in code_blocks(text, heading) if words in block]
    if len(found) != 1:
        raise AssertionError(
            f"README.md has {len(found)} blocks with 「{words}」 under 「{heading}」, not one"
        )
    return found[0]


def line_with(block: str, words: str) -> str:
    """The first line of the block that has these words."""
    return next(line for line in block.splitlines() if words in line)


def cloned_from(script: str, address: str) -> str:
    """The script with its one `git clone` from another address; all else stays as it is."""
    changed, count = re.subn(r"(?<=git clone )(<[^>]*>|\S+)", lambda _: address, script)
    if count != 1:
        raise AssertionError(f"{count} times git clone in:\n{script}")
    return changed
