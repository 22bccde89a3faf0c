"""When a process that died is started again, by a clock that the test moves."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.process.child import AlreadyRunning, Process
from app.process.kept import Backoff, Kept
from app.wire.registry import Registry


class FakeProcess(Process):
    """Lives until told otherwise."""

    def __init__(self, pid: int) -> None:
        self.name, self.pid = "web", pid
        self.living = True

    @property
    def alive(self) -> bool:
        return self.living

    @property
    def exit_code(self) -> int | None:
        return None if self.living else 1


class Scene:
    """A process to be kept, what was launched, and the clock."""

    def __init__(self, data_dir: Path) -> None:
        self.now = 100.0
        self.launched: list[FakeProcess] = []
        self.fail: Exception | None = None
        self.kept = Kept(Registry(data_dir), "web", self.launch, lambda: self.now)

    def launch(self) -> Process:
        if self.fail is not None:
            raise self.fail
        self.launched.append(FakeProcess(len(self.launched) + 1))
        return self.launched[-1]

    def look_after(self, seconds: float) -> Process | None:
        self.now += seconds
        return self.kept.look()


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_pauses_grow_to_half_a_minute_and_start_over_once_it_lived_long() -> None:
    backoff = Backoff()
    pauses = [backoff.after(1.0) for _ in range(10)]
    assert pauses[:4] == [0.2, 0.4, 0.8, 1.6]
    assert pauses[-1] == 30.0
    assert backoff.after(59.9) == 30.0
    assert backoff.after(60.0) == 0.2


def test_it_is_started_at_the_first_look_and_then_left_alone(scene: Scene) -> None:
    for _ in range(3):
        assert scene.look_after(1.0) is None
    assert len(scene.launched) == 1


def test_a_death_is_reported_once_and_the_next_start_waits_its_time(scene: Scene) -> None:
    scene.kept.look()
    scene.launched[0].living = False
    assert scene.look_after(1.0) is scene.launched[0]
    assert scene.look_after(0.1) is None
    assert len(scene.launched) == 1
    scene.look_after(0.11)
    assert len(scene.launched) == 2


def test_who_needs_it_now_does_not_wait(scene: Scene) -> None:
    scene.kept.look()
    scene.launched[0].living = False
    scene.look_after(1.0)
    assert scene.kept.ensure() is scene.launched[1]
    scene.look_after(10.0)
    assert len(scene.launched) == 2


@pytest.mark.parametrize("error", [AlreadyRunning("web"), OSError("no memory")])
def test_a_start_that_fails_is_tried_again_later(scene: Scene, error: Exception) -> None:
    scene.fail = error
    scene.kept.look()
    scene.fail = None
    scene.look_after(0.1)
    assert scene.launched == []
    scene.look_after(0.2)
    assert len(scene.launched) == 1


def test_one_that_runs_already_is_adopted(scene: Scene, tmp_path: Path) -> None:
    entry = Registry(tmp_path).register(name="web", kind="web")
    process = scene.kept.ensure()
    assert (process.pid, process.adopted, process.alive, process.exit_code) == (entry.pid, True, True, None)
    assert scene.launched == []
