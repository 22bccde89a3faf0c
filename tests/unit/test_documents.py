"""What README and docs name is there: files, links, headings, the sections of docs/domain.md that code
cites.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
OURS = ("app", "benchmarks", "deploy", "docs", "strategies", "tests", "tools")
FOLDER = re.compile(rf"(?<![\w./~-])(?:{'|'.join(OURS)})/[\w./@-]*\w/?")
FILE = re.compile(r"`([\w./@-]+\.(?:py|md|toml|ini|conf|service|css|html|js|sh))`")
EXAMPLES = {
    "report.html",
    "search.html",  # what run.py backtest leaves
    "mine.py",
    "simnow.toml",
    "config.toml",
    "src/main.js",
    "x.py",
}  # those of the reader
MADE = {"strategies/sim-9999-demo"}


def sentence(path: Path) -> str:
    return str(path.relative_to(ROOT))


def slug(heading: str) -> str:
    """As GitHub and mkdocs' pymdownx make an anchor of a heading."""
    text = re.sub(r"[`*]|\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def without_code(text: str) -> str:
    return re.sub(r"^ *```.*?^ *```", "", text, flags=re.S | re.M)


def anchors(path: Path) -> set[str]:
    return {slug(line) for line in re.findall(r"^#+ (.+)$", without_code(path.read_text("utf-8")), re.M)}


def links(path: Path) -> Iterator[tuple[str, str]]:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(path.read_text("utf-8"))):
        if not re.match(r"[a-z]+:", target):
            file, _, anchor = target.partition("#")
            yield file, anchor


NAMES = {path.as_posix() for top in (*OURS, ".") for path in (ROOT / top).rglob("*") if top != "."}
NAMES |= {path.as_posix() for path in ROOT.iterdir()}


def is_there(name: str) -> bool:
    """A path from the root, or the end of one: `front.py`, `views/orders.py`."""
    return (ROOT / name).exists() or any(path.endswith(f"/{name}") for path in NAMES)


@pytest.mark.parametrize("path", DOCUMENTS, ids=sentence)
def test_the_files_that_a_document_names_are_there(path: Path) -> None:
    text = path.read_text("utf-8")
    named = {name.rstrip("/") for name in FOLDER.findall(text)} - MADE
    bare = set(FILE.findall(text)) - EXAMPLES
    assert {name for name in named if not (ROOT / name).exists()} | {
        name for name in bare if not is_there(name)
    } == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=sentence)
def test_the_links_of_a_document_lead_somewhere(path: Path) -> None:
    broken = [
        f"{file}#{anchor}"
        for file, anchor in links(path)
        if not (target := (path.parent / file) if file else path).exists()
        or (anchor and target.suffix == ".md" and anchor not in anchors(target))
    ]
    assert broken == []


def test_what_code_cites_of_the_rules_stands_there() -> None:
    text = (ROOT / "docs/domain.md").read_text("utf-8")
    sections = dict(re.findall(r"^## .+?（(.+?)）.*?\n(.*?)(?=^## |\Z)", text, re.S | re.M))
    short = {name.partition(",")[0]: body for name, body in sections.items()}
    cited = re.compile(rf"docs/domain\.md, ({'|'.join(short)})(?: (\d+)((?:, \d+)*(?:,? (?:and|to) \d+)?))?")
    found = []
    for path in sorted((ROOT / "app").rglob("*.py")):
        for name, first, more in cited.findall(re.sub(r"\s+", " ", path.read_text("utf-8"))):
            found += [(short[name], number) for number in [first, *re.findall(r"\d+", more)] if number]
    assert len(found) > 15
    assert [number for body, number in found if not re.search(rf"^{number}\. ", body, re.M)] == []


INSTALLED = re.compile(r"pip install [^`\n）\"]*-r requirements[\w-]*\.lock")


def test_who_installs_a_lock_by_our_words_compiles_nothing() -> None:
    """ctpbee asks for its native part, which the locks leave out: a resolver would fetch and compile it."""
    programs = sorted((ROOT / "app").rglob("*.py"))
    said = {
        f"{sentence(path)}: {line}"
        for path in (*DOCUMENTS, *programs)
        for line in INSTALLED.findall(path.read_text())
    }
    assert len(said) >= 5
    assert [line for line in said if "--no-deps" not in line] == []
