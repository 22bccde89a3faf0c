"""What a check leaves while it runs: its steps with their times, and the evidence in its own folder.
Command's own process.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from app.filing.guide import Guide
from app.filing.outcome import NotReached, Outcome, Step
from app.filing.secrets import Secrets
from app.lib import rows
from app.lib.calendar import SHANGHAI


class NoPicture(Exception):
    """There is nothing to make one with; the text says why, and what to do."""


class Camera(Protocol):
    """`take` writes a picture of the page with the time on it, and returns which of `texts` cannot be seen on
    the page. `screen` is what follows the #, `tab` the part of the lower half, `search` what its log is
    searched for. Raises NoPicture.
    """

    def take(
        self, path: Path, caption: str, screen: str, tab: str, search: str, texts: Iterable[str]
    ) -> list[str]: ...


class Trace:
    """Of one check. `folder` is the pack's."""

    def __init__(
        self,
        outcome: Outcome,
        folder: Path,
        *,
        camera: Camera,
        guide: Guide,
        secrets: Secrets,
        now: Callable[[], datetime] = lambda: datetime.now(SHANGHAI),
    ) -> None:
        self.outcome = outcome
        self._folder = folder
        self._camera = camera
        self._guide = guide
        self._secrets = secrets
        self._now = now

    def did(self, text: str) -> None:
        self._step(text, seen=False)

    def saw(self, text: str) -> None:
        self._step(text, seen=True)

    def need(self, fact: Any, reason: str) -> None:
        """Raises NotReached unless it is so: without it there is no going on."""
        if not fact:
            raise NotReached(self._secrets.hide(reason))

    def lack(self, reason: str) -> None:
        """The check goes on, and is 未通过 for this at its end."""
        self._step(f"未见：{reason}", seen=True)
        self.outcome.lacks.append(self._secrets.hide(reason))

    def keep(self, name: str, text: str) -> None:
        """A text of evidence."""
        path = self._place(name)
        path.write_text(self._secrets.hide(text), "utf-8")
        self._kept(path)

    def keep_rows(self, name: str, entries: Iterable[Mapping[str, Any]]) -> None:
        """Evidence as JSON lines."""
        self.keep(name, "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries))

    def shot(self, name: str, *texts: str, screen: str = "/", tab: str = "", search: str = "") -> None:
        """A picture of the page, on which `texts` must be seen. Without a browser it is the trader's own,
        which nobody looks at here; without that the check lacks it.
        """
        path = self._place(f"{name}.png")
        caption = f"{self.outcome.id} {self.outcome.name}"
        try:
            missing = self._camera.take(path, caption, screen, tab, search, texts)
        except NoPicture as error:
            self._own_picture(name, str(error), texts)
            return
        self._kept(path)
        self.saw(f"截图 {path.name}{'，可见：' + '、'.join(texts) if texts and not missing else ''}")
        if missing:
            self.lack(f"屏幕上没有看到：{'、'.join(missing)}（{path.name}）")

    def _own_picture(self, name: str, why: str, texts: Iterable[str]) -> None:
        wanted = "，要看得到 " + "、".join(texts) if texts else ""
        own = self._guide.picture(f"{self.outcome.id} {name}{wanted}")
        if own is None:
            self.lack(f"没有截图 {name}：{why}")
            return
        path = self._place(f"{name}{own.suffix.lower()}")
        shutil.copyfile(own, path)
        self._kept(path)
        self.saw(f"截图 {path.name}：由交易者提供，程序没有核对画面")

    def _place(self, name: str) -> Path:
        path = self._folder / "evidence" / self.outcome.id / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _kept(self, path: Path) -> None:
        self.outcome.evidence.append(path.relative_to(self._folder).as_posix())

    def _step(self, text: str, seen: bool) -> None:
        self.outcome.steps.append(Step(rows.time_text(self._now()), self._secrets.hide(text), seen))
