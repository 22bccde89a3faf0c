"""What ctpbee's strategies leave on disk goes to the test's own folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ctpbee import level

from app.strategy import loader


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = level.get_ctpbee_path
    loader.prepare(tmp_path)
    yield
    level.get_ctpbee_path = before
