"""Whether a strategy may run, and what it finds around it: every setting, with bubblewrap and without."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from app.lib.errors import NotAllowed
from app.process import left_behind
from app.settings import Settings
from app.wire import door
from app.workshop import containment, syscalls
from app.workshop.containment import Containment
from tests.support.confinement import confined

ORIGINS = ["https://example.com"]


def made(tmp_path: Path, **settings: Any) -> Containment:
    return Containment(
        Settings(data_dir=tmp_path / "data", strategies_dir=tmp_path / "strategies", **settings)
    )


@pytest.fixture
def no_bubblewrap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containment.shutil, "which", lambda _name: None)


@confined
@pytest.mark.parametrize("how", ["auto", "contained"])
@pytest.mark.parametrize("public", [False, True])
def test_where_there_is_bubblewrap_a_strategy_is_contained(tmp_path: Path, how: Any, public: bool) -> None:
    here = made(tmp_path, strategies=how, public=public, origins=ORIGINS)
    assert here.check() is True
    assert here.said() == (True, f"在 bubblewrap 里隔离运行，{'不能' if public else '可以'}访问网络")


@pytest.mark.parametrize(
    ("how", "public"),
    [("auto", True), ("contained", False), ("contained", True), ("off", False), ("off", True)],
)
def test_without_it_none_runs_for_others_nor_where_it_is_asked_for(
    tmp_path: Path, how: Any, public: bool, no_bubblewrap: None
) -> None:
    here = made(tmp_path, strategies=how, public=public, origins=ORIGINS)
    with pytest.raises(NotAllowed) as refused:
        here.check()
    assert refused.value.code == "STRATEGIES_OFF"
    assert "bubblewrap" in refused.value.message or how == "off"
    assert here.said() == (how == "off", refused.value.message)


@pytest.mark.parametrize(("how", "public"), [("auto", False), ("uncontained", False), ("uncontained", True)])
def test_without_it_one_runs_at_home_or_where_that_is_wanted_and_doctor_warns(
    tmp_path: Path, how: Any, public: bool, no_bubblewrap: None
) -> None:
    here = made(tmp_path, strategies=how, public=public, origins=ORIGINS)
    assert here.check() is False
    well, text = here.said()
    assert not well
    assert "没有隔离" in text


@pytest.mark.parametrize("contained", [True, False])
def test_nothing_of_ours_is_in_a_strategys_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, contained: bool
) -> None:
    for name in ("MONGO_URI", "CTPBEE_BACKEND_METRICS_TOKEN", "CTPBEE_BACKEND_CONFIG", "SOURCE_MONGO_URI"):
        monkeypatch.setenv(name, "the secret")
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    here = made(tmp_path, mongo_uri="mongodb://a:secret@b/", metrics_token="the secret")
    environment = here.environment(tmp_path, contained)
    assert not [name for name, value in environment.items() if "secret" in value]
    assert environment["CTPBEE_BACKEND_DATA_DIR"] == str(tmp_path / "data")
    assert environment["https_proxy"] == "http://proxy:3128"
    assert Settings.load(environment={**environment}).data_dir == tmp_path / "data"


def test_each_strategy_of_each_account_has_a_secret_of_its_own_that_stays(tmp_path: Path) -> None:
    secrets = [door.secret(tmp_path, account, name) for account in ("a", "b") for name in ("x", "y")]
    assert len(set(secrets)) == 4
    assert secrets[0] == door.secret(tmp_path, "a", "x")
    assert (tmp_path / door.KEY).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [door.KEY]


@pytest.mark.parametrize(
    ("scheduler", "how", "expected"),
    [("", "auto", True), ("tcp://127.0.0.1:8786", "auto", False), ("tcp://127.0.0.1:8786", "on", True)],
)
def test_a_strategy_does_not_reach_a_scheduler_that_asks_nobody_who_he_is(
    tmp_path: Path, scheduler: str, how: Any, expected: bool
) -> None:
    assert made(tmp_path, backtest_scheduler=scheduler, strategy_network=how).network is expected


def test_a_filter_is_known_for_the_machines_that_servers_are(tmp_path: Path) -> None:
    assert all(
        len(syscalls.program(machine)) % 8 == 0 and syscalls.program(machine)
        for machine in ("x86_64", "aarch64")
    )
    assert syscalls.program("riscv64") == b""


@pytest.mark.parametrize(
    "make",
    [lambda path: os.mkfifo(path), lambda path: path.symlink_to("/etc/hostname"), lambda path: path.mkdir()],
)
def test_what_a_strategy_left_in_place_of_a_file_is_not_followed_nor_waited_for(
    tmp_path: Path, make: Any
) -> None:
    make(tmp_path / "error.json")
    with pytest.raises(OSError, match=r"no plain file|symbolic links|Is a directory"):
        left_behind.opened(tmp_path / "error.json")
