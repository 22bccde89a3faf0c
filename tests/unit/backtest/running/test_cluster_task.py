"""What a worker of a cluster keeps, and what it refuses."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.backtest.running import cluster_task
from app.backtest.running.units import Piece

CONTENT = b"0123456789" * 10
HASH = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CTPBEE_BACKEND_DATA_DIR", str(tmp_path / "data"))
    cluster_task._here.cache_clear()
    yield
    cluster_task._here.cache_clear()


def send(content: bytes, name: str = "a.csv", parts: int = 3) -> None:
    size = -(-len(content) // parts)
    for offset in range(0, len(content), size):
        part = content[offset : offset + size]
        cluster_task.put(HASH, name, "token", offset, part, offset + size >= len(content))


def test_data_come_in_parts_and_are_kept_by_their_hash() -> None:
    assert not cluster_task.has(HASH, "a.csv")
    send(CONTENT)
    assert cluster_task.has(HASH, "a.csv")
    here = cluster_task._here()
    assert here.depot.path(Piece("a.csv", HASH)).read_bytes() == CONTENT
    assert not list(here.incoming.iterdir())


def test_what_is_not_what_its_hash_says_is_not_kept() -> None:
    with pytest.raises(ValueError, match="hash"):
        send(CONTENT[:-1] + b"x")
    assert not cluster_task.has(HASH, "a.csv")
    assert not list(cluster_task._here().incoming.iterdir())


def test_parts_out_of_their_order_are_refused() -> None:
    with pytest.raises(ValueError, match="order"):
        cluster_task.put(HASH, "a.csv", "token", 50, CONTENT[50:], True)


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil"])
def test_a_name_cannot_leave_the_folder(name: str, tmp_path: Path) -> None:
    send(CONTENT, name)
    assert {path.name for path in tmp_path.rglob("evil")} == {"evil"}
    assert all("cache" in path.parts for path in tmp_path.rglob("evil"))


@pytest.mark.parametrize(("written", "used"), [("auto", "contained"), ("uncontained", "uncontained")])
def test_without_a_sandbox_nothing_runs_unless_the_worker_says_so(
    written: str, used: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CTPBEE_BACKEND_STRATEGIES", written)
    workers: Any = cluster_task._here().run_unit
    assert workers._settings.strategies == used
