"""The folder of the traders' strategies when a server first starts: made, with the example in it and what
lies in the checkout's strategies/, the default of before. Host process, before the host runs; backup.

All is copied and nothing is removed: another data directory of the same checkout takes its own copy.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from pathlib import Path

from app.lib.errors import SettingsError
from app.lib.program import ROOT, is_checkout
from app.settings import Settings, usual_strategies_dir

GIVEN = ROOT / "strategies" if is_checkout() else ROOT / "app" / "examples"
EXAMPLES = {"double_average.py"}  # what lies there in a fresh checkout; the rest is the user's

log = logging.getLogger(__name__)


def make_ready(settings: Settings) -> None:
    """Make the default folder unless it is there; one that the settings name is the user's own affair.

    Raises SettingsError where files of the user's would be left behind.
    """
    folder = settings.strategies_dir
    if folder != usual_strategies_dir(settings.data_dir):
        return
    theirs = _of_the_user(GIVEN)
    if folder.exists():
        _name_the_unused(folder, theirs)
        return
    try:
        _copy_whole(folder)
    except OSError as error:
        text = f"策略目录 {folder} 建不了（{error.strerror or error}）：请用设置 strategies_dir 另指一个"
        if theirs:
            raise SettingsError(f"{text}；原来的策略在 {GIVEN}", parameter="strategies_dir") from None
        log.warning("%s", text)
        return
    if theirs:
        log.warning(
            "策略目录改在 %s：%s 里的 %d 个策略已复制过去，今后以那里的为准", folder, GIVEN, len(theirs)
        )


def in_use(settings: Settings) -> Path:
    """Where the strategies are now: before the first start of the host they may still lie where they lay."""
    folder = settings.strategies_dir
    usual = folder == usual_strategies_dir(settings.data_dir)
    return GIVEN if usual and not folder.exists() and _of_the_user(GIVEN) else folder


def _of_the_user(folder: Path) -> list[Path]:
    """Relative to `folder`: the shared ones and those of each account."""
    found = [*folder.glob("*.py"), *folder.glob("*/*.py")]
    return sorted(path.relative_to(folder) for path in found if path.name not in EXAMPLES)


def _copy_whole(folder: Path) -> None:
    """Under its name only once all of it is there: a start that is cut short is followed by a whole one."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as made:
        copy = Path(made) / "strategies"
        shutil.copytree(
            GIVEN, copy, symlinks=True, ignore=shutil.ignore_patterns("README.md", "__pycache__", ".*")
        )
        copy.chmod(0o700)
        copy.rename(folder)


def _name_the_unused(folder: Path, theirs: list[Path]) -> None:
    """Say which files in the place of before are not what runs: put there, or edited there, since."""
    unused = [
        path.as_posix()
        for path in theirs
        if not (folder / path).exists()
        or (folder / path).stat().st_mtime_ns < (GIVEN / path).lstat().st_mtime_ns
    ]
    if unused:
        log.warning("%s 里的 %s 没有用上：策略目录是 %s", GIVEN, "、".join(unused), folder)
