"""A search driven by made-up outcomes: what is run, what is best, what is said of it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from app.backtest.engine.job import Failure
from app.backtest.report import figures as figures_
from app.backtest.running.units import DONE, FAILED, Outcome, Piece, Unit
from app.backtest.search.search import OBJECTIVES, Search, SearchRequest, Tried, tried
from app.lib.errors import BadInput
from app.lib.strategy_parameters import Parameter

CAPITAL = 1_000_000.0
KNOWN = [Parameter("fast", 5, "int"), Parameter("slow", 20, "int"), Parameter("stop", 1.5, "float")]
BASE = Unit(
    version="1",
    strategies={"mine": "text", "other": "text"},
    parameters={"mine": {"stop": 2.0}},
    data=(Piece("rb2401.SHFE.csv", "0" * 64),),
    start="20240102",
    end="20240331",
)


def result(profit: float, days: int = 20, seed: int = 0) -> bytes:
    """A run that earns about so much each day."""
    chance, balance, rows = random.Random(seed), CAPITAL, []
    for number in range(days):
        balance += profit + chance.gauss(0, 1000)
        rows.append(figures_.Day(f"202401{number + 1:02d}", balance, 0, 0, 0, 0))
    found = figures_.figures(CAPITAL, rows, [], 0.0)
    settings = {"by": "bars", "start": "x"}
    document = {"settings": settings, "figures": found, "days": [row._asdict() for row in rows]}
    document["warnings"] = ["fees of today", f"held {seed}"]
    return json.dumps(document).encode()


def by_fast(unit: Unit) -> Outcome:
    """Best at fast = 10; out of the sample the other way round."""
    fast = unit.parameters["mine"]["fast"]
    profit = 3000.0 - 500 * abs(fast - 10)
    return Outcome(state=DONE, result=result(-profit if unit.trade_from else profit, seed=fast))


def drive(search: Search, run: Callable[[Unit], Outcome] = by_fast, seed: int = 0) -> list[Unit]:
    """To its end, in an order of the seed's; the units that were run."""
    ran: list[Unit] = []
    while units := search.due():
        random.Random(seed).shuffle(units)
        for unit in units:
            search.take(unit.id, tried(run(unit), CAPITAL))
        ran += units
    return ran


def search_of(**request: Any) -> Search:
    request.setdefault("space", {"fast": "5:20:5", "slow": "20:30:10"})
    return Search(msgspec.convert(request, SearchRequest), BASE, KNOWN)


def test_a_trial_is_the_base_with_its_parameters_and_keeps_figures_alone() -> None:
    search = search_of(kind="grid", strategy="mine")
    units = search.due()
    assert len({unit.id for unit in units}) == len(units) == search.count == 8
    assert units[0].parameters == {"mine": {"stop": 2.0, "fast": 5, "slow": 20}}
    assert {unit.keep for unit in units} == {"figures"}
    assert [unit.number for unit in units] == list(range(8))
    assert (units[0].start, units[0].end, units[0].trade_from) == (BASE.start, BASE.end, "")


def test_the_best_with_its_neighbours_and_the_map() -> None:
    search = search_of()
    drive(search)
    document = search.document()
    assert not document["partial"]
    assert document["count"] == document["done"] == 8
    assert document["best"][0]["parameters"]["fast"] == 10
    ranked = [row["in_sample"]["sharpe"] for row in document["best"]]
    assert ranked == sorted(ranked, reverse=True)
    (found,) = document["map"]
    assert (found["x"], found["xs"], found["y"], found["ys"]) == ("fast", [5, 10, 15, 20], "slow", [20, 30])
    by_point = {
        (row["parameters"]["fast"], row["parameters"]["slow"]): row["figures"]["sharpe"]
        for row in document["trials"]
    }
    assert found["values"][1][2] == by_point[15, 30]
    best = document["best"][0]
    around = [by_point[5, 20], by_point[15, 20], by_point[10, 30]]
    assert best["neighbours"]["count"] == 3
    assert best["neighbours"]["mean"] == pytest.approx(sum(around) / 3)
    assert best["neighbours"]["least"] == min(around)
    assert "没有样本外" in "".join(document["warnings"])
    assert document["warnings"][0] == "fees of today"  # what is said of every run
    assert not any(text.startswith("held") for text in document["warnings"])


def test_the_same_document_in_whichever_order_the_outcomes_come() -> None:
    documents = []
    for seed in (1, 2):
        search = search_of(out_of_sample="20240301", warm_up=3)
        drive(search, seed=seed)
        documents.append(json.dumps(search.document()))
    assert documents[0] == documents[1]


def test_out_of_the_sample_the_ten_best_are_run_once_and_choose_nothing() -> None:
    search = search_of(space={"fast": "1:20:1"}, out_of_sample="20240301", warm_up=3)
    assert search.count == 20 + 10
    ran = drive(search)
    assert len(ran) == search.ended == search.count == 30
    outside = ran[20:]
    assert {(unit.start, unit.trade_from, unit.end) for unit in outside} == {
        ("20240227", "20240301", "20240331")
    }
    assert {(unit.start, unit.trade_from, unit.end) for unit in ran[:20]} == {("20240102", "", "20240229")}
    document = search.document()
    assert document["best"][0]["parameters"]["fast"] == 10
    assert (
        document["best"][0]["in_sample"]["net_profit"]
        > 0
        > document["best"][0]["out_of_sample"]["net_profit"]
    )


def test_the_number_of_trials_is_told_and_deflates() -> None:
    few, many = search_of(space={"fast": "9:11:1"}), search_of(space={"fast": "1:100:1"})
    for search in (few, many):
        drive(search)
    found = [search.document()["deflated"] for search in (few, many)]
    assert [one["trials"] for one in found] == [3, 100]
    assert found[1]["expected_best"] > found[0]["expected_best"]
    assert found[1]["probability"] < found[0]["probability"]


def test_a_walk_forward_chooses_in_each_window_and_joins_the_tests() -> None:
    search = search_of(kind="walk_forward", space={"fast": "8:12:2"}, train=20, test=10, warm_up=2)
    windows = len(search.windows)
    assert windows > 2
    ran = drive(search)
    assert len(ran) == windows * 3 + windows == search.count
    document = search.document()
    walked = document["walk_forward"]
    assert [row["parameters"] for row in walked["windows"]] == [{"fast": 10}] * windows
    assert [row["test"][0] for row in walked["windows"]] == sorted(unit.trade_from for unit in ran[-windows:])
    assert len(walked["days"]) == 20 * windows
    one = json.loads(by_fast(ran[-1]).result)
    grown = one["days"][-1]["balance"] / CAPITAL
    assert walked["days"][-1][1] == pytest.approx(CAPITAL * grown**windows, rel=1e-6)
    assert walked["figures"]["net_profit"] == pytest.approx(walked["days"][-1][1] - CAPITAL, abs=0.02)
    assert {row["window"] for row in document["trials"]} == set(range(windows))


def test_what_has_ended_is_not_run_again() -> None:
    first = search_of(out_of_sample="20240301")
    drive(first)
    kept = {unit_id: msgspec.json.encode(found) for unit_id, found in first._tried.items()}
    second = search_of(out_of_sample="20240301")
    for unit_id, found in reversed(kept.items()):  # in whichever order
        second.take(unit_id, msgspec.json.decode(found, type=Tried))
    assert second.due() == []
    assert second.document() == first.document()


def test_a_partial_document_says_so() -> None:
    search = search_of()
    assert search.document()["partial"]
    unit = search.due()[0]
    search.take(unit.id, tried(by_fast(unit), CAPITAL))
    search.take("unknown", Tried(state=FAILED))
    document = search.document()
    assert document["partial"]
    assert (document["done"], len(document["trials"]), len(search.due())) == (1, 1, 7)


def test_failed_trials_are_told_count_as_trials_and_win_nothing() -> None:
    def run(unit: Unit) -> Outcome:
        if unit.parameters["mine"]["fast"] == 10:
            return Outcome(state=FAILED, failure=Failure("ValueError: x", line=7, strategy="mine"))
        return by_fast(unit)

    search = search_of(space={"fast": "5:20:5"})
    drive(search, run)
    document = search.document()
    assert (document["done"], document["failed"]) == (3, 1)
    assert document["trials"][1] == {
        "number": 1,
        "parameters": {"fast": 10},
        "state": "failed",
        "error": "策略 mine 第 7 行：ValueError: x",
    }
    assert document["deflated"]["trials"] == 4
    assert "1 次运行失败，第一次：策略 mine 第 7 行" in document["warnings"][1]
    assert [value is None for value in document["map"][0]["values"][0]] == [False, True, False, False]


def test_where_every_trial_failed_there_is_no_best() -> None:
    search = search_of(out_of_sample="20240301")
    drive(search, lambda _unit: Outcome(state=FAILED))
    document = search.document()
    assert (document["best"], document["deflated"], document["partial"]) == ([], None, False)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"figures": {}}', result(1.0).replace(b'"sharpe": ', b'"sharpe": "x", "y":')],
)
def test_what_a_strategy_left_is_looked_at(content: bytes) -> None:
    found = tried(Outcome(state=DONE, result=content), CAPITAL)
    assert found.state == FAILED
    assert "可用的结果" in found.error


def test_what_is_kept_of_a_trial_is_bounded_whatever_a_strategy_left() -> None:
    document = json.loads(result(1.0))
    document["settings"] = {"version": "1", "more": "x" * 10**6}
    document["days"] = [{"trading_day": "2" * 999, "balance": 1.0}] * 20_000
    found = tried(Outcome(state=DONE, result=json.dumps(document).encode()), CAPITAL)
    assert found.settings == {"version": "1"}
    assert len(found.days.names) == 10_000
    assert len(found.days.names[0]) == 8
    document["settings"] = {"rates": "x" * 10**6}
    assert tried(Outcome(state=DONE, result=json.dumps(document).encode()), CAPITAL).state == FAILED


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"objective": "luck"}, "objective 应为"),
        ({"strategy": "none"}, "没有策略 none"),
        ({"kind": "random"}, "抽取几组"),
        ({"kind": "grid", "trials": 3}, "kind = random"),
        (
            {"kind": "walk_forward", "train": 5, "test": 5, "out_of_sample": "20240301"},
            "不再给 out_of_sample",
        ),
        ({"train": 5}, "只用于滚动"),
        ({"warm_up": 251, "out_of_sample": "20240301"}, "0 至 250"),
        ({"warm_up": 5}, "同时给出 out_of_sample"),
        ({"out_of_sample": "20250301"}, "样本外从 20250301"),
        ({"kind": "walk_forward", "train": 1, "test": 1, "space": {"fast": "1:1000:1"}}, "至多"),
    ],
)
def test_a_search_that_cannot_be_is_refused(request_: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said) as caught:
        search_of(**request_)
    assert caught.value.extra["parameter"] == "search"


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_each_objective_is_a_figure(objective: str) -> None:
    search = search_of(objective=objective)
    drive(search)
    assert not search.document()["partial"]
