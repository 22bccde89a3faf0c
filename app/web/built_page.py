"""The page as it was built: its files, read once, whole. Web process.

A build replaces the folder while a server runs: what was read belongs together, and stays until the web
starts anew. The types are our own: the system's table may call a script text/plain, and browsers then refuse
it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from app.lib.program import ROOT, is_checkout

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
"""What is served: a file of another kind is not."""

INDEX = "index.html"
DOCS = "docs.html"
ZIPPED = ".gz"
PLACE = ROOT / "page" / "dist" if is_checkout() else ROOT / "app" / "page_dist"
"""In an installed package it is there when the package was made with it."""
FAILURE = ROOT / "page" / "not-built.txt"
"""What the programs said when `make page` failed; gone once it succeeds."""
LONGEST_FAILURE = 4000


class File:
    """One file of the build."""

    def __init__(self, name: str, body: bytes, zipped: bytes) -> None:
        self.body = body
        self.zipped = zipped
        """As the build has compressed it, empty where it has not: done here it would keep orders waiting."""
        self.media_type = MEDIA_TYPES[Path(name).suffix]
        self.etag = hashlib.sha256(body).hexdigest()[:24]
        self.immutable = name.startswith("assets/")
        """Its name has its content's hash in it."""


class BuiltPage:
    """All files of a build, by their paths in it. `build` names it: another build, another name."""

    def __init__(self, files: dict[str, File]) -> None:
        self.files = files
        self.build = files[INDEX].etag  # it names the scripts, and they all others, by their hashes


def is_built(folder: Path = PLACE) -> bool:
    return (folder / INDEX).is_file()


def read_build(folder: Path = PLACE) -> BuiltPage | None:
    """The build that is there, or None. A folder without index.html is none."""
    if not is_built(folder):
        return None
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    return BuiltPage(
        {
            name: File(name, body, found.get(name + ZIPPED, b""))
            for name, body in found.items()
            if Path(name).suffix in MEDIA_TYPES
        }
    )


def read_failure(place: Path = FAILURE) -> str:
    """The end of what the last build said when it failed; empty when it did not."""
    try:
        return place.read_text("utf-8", "replace")[-LONGEST_FAILURE:]
    except FileNotFoundError:
        return ""
