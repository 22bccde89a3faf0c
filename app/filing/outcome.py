"""What a check came to, and the manifest of a pack. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

PASSED, FAILED = "通过", "未通过"
MANIFEST = "manifest.json"


class NotReached(Exception):
    """What a check asks for was not seen: it ends here, 未通过, for this reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Step(NamedTuple):
    """A line of the record. `time` is the exchange's zone, `YYYY-MM-DD HH:MM:SS.mmm`."""

    time: str
    text: str
    seen: bool  # what was seen; else what was done


@dataclass
class Outcome:
    """Of one check. 通过 alone when it went to its end and lacked nothing; `evidence`: paths in the pack."""

    id: str
    name: str
    expected: str
    steps: list[Step] = field(default_factory=list)
    evidence: list[str] = field(default_factory=list)
    lacks: list[str] = field(default_factory=list)
    finished: bool = False

    @property
    def state(self) -> str:
        return PASSED if self.finished and not self.lacks and self.evidence else FAILED

    @property
    def reason(self) -> str:
        """Why it is 未通过; "" when it is 通过."""
        if self.state == PASSED:
            return ""
        return "；".join(self.lacks) or ("没有留下证据" if self.finished else "没有做完")

    @property
    def pictures(self) -> list[str]:
        return [path for path in self.evidence if path.endswith((".png", ".jpg", ".jpeg"))]


def manifest(folder: Path, outcomes: Iterable[Outcome], about: dict[str, Any]) -> bytes:
    """`files`: every file of the pack but the manifest, and its SHA-256; `checks`: what each came to."""
    files = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / MANIFEST
    }
    checks = [
        {
            "id": outcome.id,
            "name": outcome.name,
            "state": outcome.state,
            "reason": outcome.reason,
            "evidence": outcome.evidence,
        }
        for outcome in outcomes
    ]
    return (
        json.dumps(about | {"checks": checks, "files": files}, ensure_ascii=False, indent=2).encode() + b"\n"
    )
