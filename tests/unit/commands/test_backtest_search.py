"""`run.py backtest --grid …`: what its options ask for, and what is kept of the trials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from click.testing import CliRunner

from app.backtest.engine.fills import FillSettings
from app.backtest.engine.job import Job, Risk
from app.backtest.running.units import Limits, NotInDepot, Piece, Unit
from app.backtest.search.search import Search, tried
from app.commands.backtest_search import KEPT, InPlace, Sought, _kept_in, _unit, pair, search_options
from app.lib.errors import BadInput
from tests.unit.backtest.search.test_search import by_fast, drive, search_of


def sought(*options: str) -> Sought:
    found: list[Sought] = []

    @click.command()
    @search_options
    def command(sought: Sought) -> None:
        found.append(sought)

    done = CliRunner().invoke(command, options, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return found[0]


def test_the_options_are_the_request() -> None:
    options = ["--grid", "fast=5:50:5", "--grid", "mode=a,b", "--where", "fast<20", "--random", "7"]
    request = sought(*options, "--seed", "3", "--out-of-sample", "2024-03-01", "--warm-up", "5").request()
    assert request.space == {"fast": "5:50:5", "mode": "a,b"}
    assert (request.kind, request.trials, request.seed) == ("random", 7, 3)
    assert (request.out_of_sample, request.warm_up, request.where) == ("20240301", 5, ["fast<20"])


def test_a_walk_forward_says_its_days() -> None:
    request = sought("--grid", "fast=5:50:5", "--walk-forward", "120:40", "--anchored").request()
    assert (request.kind, request.train, request.test, request.anchored) == ("walk_forward", 120, 40, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--random", "5"], "要用 --grid"),
        (["--walk-forward", "5:5"], "要用 --grid"),
        (["--grid", "fast"], "名称=值"),
        (["--grid", "=5"], "名称=值"),
        (["--grid", "fast=5", "--walk-forward", "5"], "120:40"),
        (["--grid", "fast=5", "--out-of-sample", "soon"], "日期"),
    ],
)
def test_wrong_options_are_named(options: list[str], said: str) -> None:
    asked = sought(*options)
    with pytest.raises(BadInput, match=said):
        _ = asked.is_wanted and asked.request()


def test_without_a_grid_it_is_no_search() -> None:
    assert not sought().is_wanted
    assert pair("fast=a=b", "set") == ("fast", "a=b")


def run_some(path: Path, most: int) -> Search:
    """A search that is killed after so many units."""
    search = search_of(out_of_sample="20240301")
    with _kept_in(path, search) as keep:
        for _ in range(most):
            due = search.due()
            if not due:
                break
            found = tried(by_fast(due[0]), 1_000_000.0)
            search.take(due[0].id, found)
            keep(due[0].id, found)
    return search


@pytest.mark.parametrize("ended", [3, 8, 11])
def test_what_is_kept_is_not_run_again_also_out_of_the_sample(tmp_path: Path, ended: int) -> None:
    path = tmp_path / KEPT
    run_some(path, ended)
    again = run_some(path, 0)
    assert again.ended == ended
    assert not {unit.id for unit in again.due()} & {
        msgspec.json.decode(line)[0] for line in path.read_bytes().splitlines()
    }
    whole = search_of(out_of_sample="20240301")
    drive(whole)
    assert run_some(path, 99).document() == whole.document()


def test_a_line_that_was_cut_off_costs_its_trial_alone(tmp_path: Path) -> None:
    path = tmp_path / KEPT
    run_some(path, 3)
    content = path.read_bytes()
    path.write_bytes(content[:-20])
    assert run_some(path, 1).ended == 3
    assert run_some(path, 0).ended == 3


def test_another_search_takes_nothing_of_what_is_kept(tmp_path: Path) -> None:
    path = tmp_path / KEPT
    run_some(path, 99)
    other = search_of(space={"fast": "6:7:1"})
    with _kept_in(path, other):
        assert other.ended == 0


def test_files_are_known_by_their_content_where_they_lie(tmp_path: Path) -> None:
    files = InPlace(tmp_path)
    (tmp_path / "a.csv").write_text("x")
    piece = files.add(tmp_path / "a.csv")
    assert files.path(piece) == tmp_path / "a.csv"
    with pytest.raises(NotInDepot):
        files.path(Piece("a.csv", "0" * 64))


def test_all_of_the_job_is_the_units_too(tmp_path: Path) -> None:
    """A setting of the single run that a search would leave out silently fails here."""
    (tmp_path / "rates.csv").write_text("product,since\n")
    (tmp_path / "calendar.toml").write_text("closed = []\n")
    values: dict[str, Any] = {
        "version": "1",
        "strategies": {"mine": "text"},
        "parameters": {"mine": {"fast": 3}},
        "capital": 5.0,
        "start": "20240102",
        "end": "20240103",
        "contracts": ["rb2401.SHFE"],
        "main": ["rb"],
        "main_warm_up": 3,
        "symbol": "rb2401.SHFE",
        "label": "end",
        "fills": FillSettings(spread_ticks=3),
        "risk": Risk(rules=[{"rule": "x"}]),
    }
    of_a_trial = {"trade_from", "keep"}
    shared = {*Job.__struct_fields__} & {*Unit.__struct_fields__}
    assert shared == {*values, "rates"} | of_a_trial
    job = Job(
        **values,
        files=[],
        folder="",
        rates=str(tmp_path / "rates.csv"),
        calendar_file=str(tmp_path / "calendar.toml"),
    )
    made = _unit(job, InPlace(tmp_path), Limits(memory=512))
    assert {
        name: list(got) if isinstance(got := getattr(made, name), tuple) else got for name in values
    } == values
    assert (made.rates, made.calendar) == ("product,since\n", "closed = []\n")
    assert made.limits.memory == 512
