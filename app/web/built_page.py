"""The page as it was built: its files, read once, whole. Web process.

A build replaces the folder while a server runs: what was read belongs together, and stays until the web
starts anew. The types are our own: the system's table may call a script text/plain, and browsers then refuse
it.
"""

from __future__ import annotations

import gzip
import hashlib
from functools import cached_property
from pathlib import Path

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
COMPRESSED = {".html", ".js", ".css", ".svg", ".json", ".txt"}
_APP = Path(__file__).parents[1]
PLACES = (_APP.parent / "page" / "dist", _APP / "page_dist")
"""In a checkout, and in an installed package."""
FAILURE = _APP.parent / "page" / "not-built.txt"
"""What the programs said when `make page` failed; gone once it succeeds."""
LONGEST_FAILURE = 4000


class File:
    """One file of the build."""

    def __init__(self, name: str, body: bytes) -> None:
        suffix = Path(name).suffix
        self.body = body
        self.media_type = MEDIA_TYPES[suffix]
        self.etag = hashlib.sha256(body).hexdigest()[:24]
        self.immutable = name.startswith("assets/")
        """Its name has its content's hash in it."""
        self._compressible = suffix in COMPRESSED

    @cached_property
    def zipped(self) -> bytes:
        """Compressed, made when first asked for; empty where that does not pay."""
        return gzip.compress(self.body, 9, mtime=0) if self._compressible and len(self.body) > 1000 else b""


class BuiltPage:
    """All files of a build, by their paths in it. `build` names it: another build, another name."""

    def __init__(self, files: dict[str, File]) -> None:
        self.files = files
        self.build = files[INDEX].etag  # it names the scripts, and they all others, by their hashes


def read_build(places: tuple[Path, ...] = PLACES) -> BuiltPage | None:
    """The first build that is there, or None. A folder without index.html is none."""
    for folder in places:
        if (folder / INDEX).is_file():
            found = (path for path in sorted(folder.rglob("*")) if path.is_file())
            names = ((path.relative_to(folder).as_posix(), path) for path in found)
            return BuiltPage(
                {name: File(name, path.read_bytes()) for name, path in names if path.suffix in MEDIA_TYPES}
            )
    return None


def read_failure(place: Path = FAILURE) -> str:
    """The end of what the last build said when it failed; empty when it did not."""
    try:
        return place.read_text("utf-8", "replace")[-LONGEST_FAILURE:]
    except FileNotFoundError:
        return ""
