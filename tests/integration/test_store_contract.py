"""What every store must do, run on each of BACKENDS: SQLite, and MongoDB, where each test ends with the
server having what the file has. The third is MongoDB too: reopened in an empty folder, it knows only what the
server says.
"""

from __future__ import annotations

import itertools
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.lib.bars import Bar
from app.lib.errors import SettingsError
from app.model import open_store
from app.model.mongo import MongoTables
from app.model.sqlite import _STEPS, SCHEMA_VERSION, SchemaTooNew, SqliteStore
from app.model.store import DuplicateIntent, EquityPoint, Intent, Store
from app.model.tables import BARS, EVENTS
from app.settings import Settings
from tests.support.mongodb import any_server, new_database

SCOPE = "sim-9999-demo"
Open = Callable[[], Store]


@pytest.fixture(scope="module")
def mongo_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with any_server(tmp_path_factory.mktemp("mongodb")) as uri:
        yield uri


@contextmanager
def sqlite(folder: Path, _request: pytest.FixtureRequest) -> Iterator[Open]:
    yield lambda: open_store(Settings(data_dir=folder), SCOPE)


@contextmanager
def mongodb(folder: Path, request: pytest.FixtureRequest) -> Iterator[Open]:
    settings = Settings(
        data_dir=folder, mongo_uri=request.getfixturevalue("mongo_uri"), mongo_database=new_database()
    )
    yield lambda: open_store(settings, SCOPE)
    store = open_store(settings, SCOPE)
    assert store.flush(30)
    remote = MongoTables(settings.mongo_uri, settings.mongo_database, SCOPE)
    for table in store.tables().values():
        if table.name != BARS:
            assert list(remote.rows(table)) == list(SqliteStore.rows(store, table)), table.name  # type: ignore[arg-type]
    for key in remote.series():
        assert remote.read_bars(*key) == SqliteStore.read_bars(store, *key)  # type: ignore[arg-type]
    assert len(list(store.rows(store.tables()[BARS]))) == len(
        list(SqliteStore.rows(store, store.tables()[BARS]))
    )  # type: ignore[arg-type]
    remote.close()
    store.close()


@contextmanager
def mongodb_alone(folder: Path, request: pytest.FixtureRequest) -> Iterator[Open]:
    settings = Settings(
        data_dir=folder, mongo_uri=request.getfixturevalue("mongo_uri"), mongo_database=new_database()
    )
    folders = itertools.count()

    def open_elsewhere() -> Store:
        store = open_store(settings.model_copy(update={"data_dir": folder / str(next(folders))}), SCOPE)
        close = store.close

        def flush_and_close() -> None:
            store.close = close  # type: ignore[method-assign]
            assert store.flush(30)
            close()

        store.close = flush_and_close  # type: ignore[method-assign]
        return store

    yield open_elsewhere


BACKENDS = {
    "sqlite": sqlite,
    "mongodb": pytest.param(mongodb, marks=pytest.mark.full),
    "mongodb-alone": pytest.param(mongodb_alone, marks=pytest.mark.full),
}


@pytest.fixture(params=BACKENDS.values(), ids=list(BACKENDS))
def new(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    with request.param(tmp_path, request) as opener:
        yield opener


@pytest.fixture
def store(new: Open) -> Iterator[Store]:
    opened = new()
    yield opened
    opened.close()


def bar(minute: int, close: float = 10.0) -> Bar:
    return Bar(minute * 60_000, 10.0, 12.0, 9.0, close, 5, 50.0, 100.0, True)


def intent(order_id: str = "1_2_3", client_order_id: str = "", day: str = "20181008") -> Intent:
    return Intent(order_id, client_order_id, day, "2018-10-08T09:00:00.000", {"price": 12480.0, "volume": 2})


def reopened(store: Store, new: Open) -> Store:
    store.close()
    return new()


# ── bars ──


def test_bars_come_back_oldest_first_within_the_half_open_range(store: Store) -> None:
    assert store.save_bars("ru1901.SHFE", "1m", [bar(3), bar(1), bar(2), bar(4)]) == 4
    assert [found.timestamp for found in store.read_bars("ru1901.SHFE", "1m", 60_000, 240_000)] == [
        60_000,
        120_000,
        180_000,
    ]


def test_a_limit_keeps_the_newest_bars(store: Store) -> None:
    store.save_bars("ru1901.SHFE", "1m", [bar(minute) for minute in range(10)])
    assert [found.timestamp for found in store.read_bars("ru1901.SHFE", "1m", limit=2)] == [480_000, 540_000]
    assert store.read_bar_rows("ru1901.SHFE", "1m", limit=2) == [bar(8)[:6], bar(9)[:6]]


def test_a_bar_saved_twice_is_one_bar_and_the_newer(store: Store) -> None:
    store.save_bars("ru1901.SHFE", "1m", [bar(1, close=10.0)])
    store.save_bars("ru1901.SHFE", "1m", [bar(1, close=11.0)._replace(complete=False)])
    assert store.read_bars("ru1901.SHFE", "1m") == [bar(1, close=11.0)._replace(complete=False)]


def test_contracts_and_intervals_are_kept_apart(store: Store) -> None:
    store.save_bars("ru1901.SHFE", "1m", [bar(1)])
    store.save_bars("ru1901.SHFE", "5m", [bar(5)])
    store.save_bars("rb1901.SHFE", "1m", [bar(7)])
    assert store.read_bars("ru1901.SHFE", "5m") == [bar(5)]
    assert store.series() == [("rb1901.SHFE", "1m"), ("ru1901.SHFE", "1m"), ("ru1901.SHFE", "5m")]
    of_ru = [bar.timestamp for bar in store.read_bars("ru1901.SHFE", "1m")]
    assert store.extent("ru1901.SHFE", "1m") == (min(of_ru), max(of_ru), len(of_ru))
    assert store.extent("ag1901.SHFE", "1m") == (0, 0, 0)
    assert store.last_bar("rb1901.SHFE", "1m") == bar(7)
    assert store.last_bar("cu1901.SHFE", "1m") is None


@given(
    minutes=st.lists(st.integers(0, 500), max_size=60), start=st.integers(0, 500), length=st.integers(1, 500)
)
@hypothesis_settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
)
def test_a_range_read_is_what_a_filter_would_give(
    store: Store, minutes: list[int], start: int, length: int
) -> None:
    symbol = f"x{abs(hash((tuple(minutes), start, length)))}"
    store.save_bars(symbol, "1m", [bar(minute) for minute in minutes])
    expected = [bar(minute) for minute in sorted(set(minutes)) if start <= minute < start + length]
    assert store.read_bars(symbol, "1m", start * 60_000, (start + length) * 60_000) == expected
    assert store.read_bar_rows(symbol, "1m", start * 60_000, (start + length) * 60_000) == [
        found[:6] for found in expected
    ]


# ── intents ──


def test_an_intent_is_there_after_a_restart(store: Store, new: Open) -> None:
    store.write_intent(intent(client_order_id="mine-1"))
    again = reopened(store, new)
    assert again.intent("1_2_3") == intent(client_order_id="mine-1")
    assert again.intent_of_client("mine-1") == intent(client_order_id="mine-1")
    assert again.intents("20181008") == [intent(client_order_id="mine-1")]
    again.close()


def test_an_intent_with_the_same_order_id_is_refused_and_the_first_stays(store: Store) -> None:
    store.write_intent(intent())
    with pytest.raises(DuplicateIntent):
        store.write_intent(intent()._replace(request={"price": 1.0}))
    assert store.intent("1_2_3") == intent()


def test_an_intent_with_the_same_client_order_id_is_refused(store: Store) -> None:
    store.write_intent(intent("1_2_3", "mine-1"))
    with pytest.raises(DuplicateIntent):
        store.write_intent(intent("1_2_4", "mine-1"))
    assert store.intent("1_2_4") is None


def test_intents_without_a_client_order_id_do_not_collide(store: Store) -> None:
    store.write_intent(intent("1_2_3"))
    store.write_intent(intent("1_2_4"))
    assert store.intent_of_client("") is None
    assert len(store.intents("20181008")) == 2


def test_of_two_threads_with_one_client_order_id_exactly_one_writes(store: Store) -> None:
    outcomes: list[str] = []
    barrier = threading.Barrier(8)

    def write(number: int) -> None:
        barrier.wait()
        try:
            store.write_intent(intent(f"1_2_{number}", "mine-1"))
            outcomes.append("written")
        except DuplicateIntent:
            outcomes.append("duplicate")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["duplicate"] * 7 + ["written"]


def test_what_became_of_an_intent_is_kept(store: Store) -> None:
    store.write_intent(intent())
    store.settle_intent("1_2_3", "refused", "CTP_31", "资金不足")
    assert store.intent("1_2_3") == intent()._replace(state="refused", code="CTP_31", message="资金不足")


def test_a_client_order_id_tells_the_day_of_its_order_and_the_days_row_how_that_ended(
    store: Store, new: Open
) -> None:
    store.write_intent(intent("1_2_3", "open-rb", day="20181008"))
    store.save_order("20181008", "1_2_3", {"order_id": "1_2_3", "status": "未成交"})
    store.save_order("20181008", "1_2_3", {"order_id": "1_2_3", "status": "已撤销"})
    store.save_order("20181009", "1_2_4", {"order_id": "1_2_4", "status": "未成交"})
    again = reopened(store, new)
    found = again.intent_of_client("open-rb")
    assert found is not None
    assert (found.trading_day, found.order_id) == ("20181008", "1_2_3")
    assert again.order_row("20181008", "1_2_3") == {"order_id": "1_2_3", "status": "已撤销"}
    assert again.order_row("20181009", "1_2_3") is None
    assert again.order_row("20181008", "1_2_4") is None
    again.close()


def test_what_is_open_of_earlier_days_is_what_nobody_has_said_the_end_of(store: Store) -> None:
    for number, day in enumerate(["20181008", "20181009", "20181010"], 1):
        store.write_intent(intent(f"1_2_{number}", day=day))
    for number, state in enumerate(["never_sent", "accepted", "refused", "unknown"], 4):
        store.write_intent(intent(f"1_2_{number}"))
        store.settle_intent(f"1_2_{number}", state)
    assert [one.order_id for one in store.open_intents("20181010")] == ["1_2_1", "1_2_2", "1_2_7"]
    assert store.open_intents("20181008") == []


def test_the_highest_order_ref_counts_over_all_sessions(store: Store) -> None:
    assert store.max_order_ref() == 0
    store.write_intent(intent("1_2_9"))
    store.write_intent(intent("1_3_10"))
    assert store.max_order_ref() == 10


# ── orders and trades ──


def test_an_order_keeps_its_place_and_shows_its_newest_state(store: Store) -> None:
    first = store.save_order("20181008", "1_2_3", {"order_id": "1_2_3", "status": "提交中"})
    store.save_order("20181008", "1_2_4", {"order_id": "1_2_4", "status": "提交中"})
    last = store.save_order("20181008", "1_2_3", {"order_id": "1_2_3", "status": "全部成交"})
    assert [(row["order_id"], row["status"]) for row in store.orders("20181008")] == [
        ("1_2_3", "全部成交"),
        ("1_2_4", "提交中"),
    ]
    assert store.last_seq() == last > first


def test_old_days_are_forgotten_and_numbers_go_on(store: Store) -> None:
    for number, day in enumerate(("20181008", "20181009", "20181010"), 1):
        store.write_intent(intent(f"1_2_{number}", f"mine-{number}")._replace(trading_day=day))
        store.save_order(day, f"1_2_{number}", {"order_id": f"1_2_{number}", "status": "未成交"})
        store.save_trade(day, f"T{number}", {"volume": number})
    newest = store.last_seq()
    assert store.prune("20181009") == 5  # an intent, an order, a trade and their two events
    assert store.orders("20181008") == store.trades("20181008") == store.intents("20181008") == []
    assert [event.data.get("order_id") or event.data["volume"] for event in store.events(0)][-4:] == [
        "1_2_2",
        2,
        "1_2_3",
        3,
    ]
    store.prune("20300101")  # nobody has traded for years
    assert [row["order_id"] for row in store.orders("20181010")] == ["1_2_3"]
    assert store.last_seq() == newest
    assert store.max_order_ref() == 3
    assert store.save_order("20300101", "1_3_4", {"order_id": "1_3_4", "status": "未成交"}) == newest + 1
    assert store.intent_of_client("mine-3") is not None
    assert store.intent_of_client("mine-1") is None


def test_a_trade_delivered_twice_is_one_trade(store: Store) -> None:
    seq = store.save_trade("20181008", "SHFE|T1|0", {"volume": 1})
    assert seq > 0
    assert store.save_trade("20181008", "SHFE|T1|0", {"volume": 1}) == 0
    assert store.trades("20181008") == [{"volume": 1}]
    assert [event.event for event in store.events(0)] == ["trade_update"]


def test_the_same_trade_id_on_another_day_is_another_trade(store: Store) -> None:
    assert store.save_trade("20181008", "SHFE|T1|0", {"volume": 1})
    assert store.save_trade("20181009", "SHFE|T1|0", {"volume": 2})
    assert store.trades("20181009") == [{"volume": 2}]


def test_events_since_n_are_those_above_n_in_order_and_survive_a_restart(store: Store, new: Open) -> None:
    for number in range(5):
        store.save_order("20181008", f"1_2_{number}", {"number": number})
    since = store.events(0)[1].seq
    again = reopened(store, new)
    assert [event.data["number"] for event in again.events(since)] == [2, 3, 4]
    assert [event.data["number"] for event in again.events(since, limit=1)] == [2]
    assert again.save_order("20181009", "1_3_1", {}) == again.last_seq() > since
    again.close()


@pytest.mark.full
def test_events_of_which_some_are_at_the_server_already_are_all_there_once(
    mongo_uri: str, tmp_path: Path
) -> None:
    table = SqliteStore(tmp_path / "schema.db").tables()[EVENTS]
    events = [{"seq": seq, "event": "order_update", "data": {"number": seq}} for seq in range(1, 8)]
    remote = MongoTables(mongo_uri, new_database(), SCOPE)
    remote.load(table, [events[1] | {"data": {}}, events[2], events[5]])
    remote.load(table, events)
    assert list(remote.rows(table)) == events
    remote.close()


# ── history of equity ──


def point(minute: int, balance: float | None = 1.0, owner: str = "", interval: str = "minute") -> EquityPoint:
    return EquityPoint(owner, interval, minute * 60_000, "20181008", [balance, None, 3.5])


def test_points_of_equity_come_back_oldest_first_by_owner_and_interval(store: Store, new: Open) -> None:
    store.save_equity([point(3), point(1), point(2), point(2, owner="双均线"), point(2, interval="day")])
    again = reopened(store, new)
    assert again.equity("", "minute") == [point(1), point(2), point(3)]
    assert again.equity("", "minute", 60_000, 180_000) == [point(1), point(2)]
    assert again.equity("", "minute", limit=2) == [point(2), point(3)]
    assert again.equity("双均线", "minute") == [point(2, owner="双均线")]
    assert again.equity("", "day") == [point(2, interval="day")]
    assert again.equity("", "week") == []
    again.close()


def test_a_point_takes_the_place_of_the_one_of_its_minute(store: Store, new: Open) -> None:
    store.save_equity([point(1, 1.0)])
    store.save_equity([point(1, None)])
    again = reopened(store, new)
    assert again.equity("", "minute") == [point(1, None)]
    again.close()


def test_old_minutes_are_forgotten_of_every_owner_and_days_stay(store: Store, new: Open) -> None:
    minutes = [point(minute, owner=owner) for owner in ("", "a", "b") for minute in range(800)]
    store.save_equity([*minutes, point(0, interval="day"), point(0, owner="a", interval="day")])
    assert store.prune_equity(790 * 60_000) == 3 * 790
    again = reopened(store, new)
    assert again.equity("a", "minute") == [point(minute, owner="a") for minute in range(790, 800)]
    assert (len(again.equity("", "day")), len(again.equity("a", "day"))) == (1, 1)
    assert again.prune_equity(790 * 60_000) == 0
    again.close()


# ── settings ──


def test_settings_keep_their_types(store: Store, new: Open) -> None:
    values = {"REFRESH_INTERVAL": 1.5, "SHARED_FUNC": True, "CLOSE_PATTERN": "today", "list": [1, "二"]}
    store.put_settings("config", values)
    again = reopened(store, new)
    assert again.settings("config") == values
    assert again.setting("config", "missing", 7) == 7
    again.close()


def test_a_setting_can_be_replaced_and_deleted_in_its_scope_alone(store: Store) -> None:
    store.put_setting("a", "key", 1)
    store.put_setting("b", "key", 2)
    store.put_setting("a", "key", 3)
    store.delete_setting("b", "key")
    assert store.setting("a", "key") == 3
    assert store.setting("b", "key") is None


def test_one_bad_value_and_none_of_them_is_stored(store: Store) -> None:
    with pytest.raises(TypeError):
        store.put_settings("config", {"good": 1, "bad": object()})
    assert store.settings("config") == {}


# ── opening ──


def test_an_unknown_scheme_is_an_error() -> None:
    with pytest.raises(SettingsError, match="mongo_uri"):
        Settings.load(environment={}, mongo_uri="oracle://somewhere")


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "server.db"
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(SchemaTooNew):
        open_store(Settings(data_dir=tmp_path), "server")


def test_a_file_of_the_first_version_learns_what_later_ones_added_and_keeps_what_it_has(
    tmp_path: Path,
) -> None:
    connection = sqlite3.connect(tmp_path / "server.db")
    connection.executescript(_STEPS[0])
    connection.execute("INSERT INTO settings VALUES ('a', 'key', '7')")
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()
    store = open_store(Settings(data_dir=tmp_path), "server")
    store.save_equity([point(1)])
    assert (store.setting("a", "key"), store.equity("", "minute")) == (7, [point(1)])
    store.close()
    again = open_store(Settings(data_dir=tmp_path), "server")
    assert again.equity("", "minute") == [point(1)]
    again.close()


def test_a_range_of_bars_is_read_by_index(tmp_path: Path) -> None:
    open_store(Settings(data_dir=tmp_path), "server").close()
    plan = sqlite3.connect(tmp_path / "server.db").execute(
        "EXPLAIN QUERY PLAN SELECT * FROM bars WHERE local_symbol = 'a' AND interval = '1m' AND timestamp >= "
        "1 AND timestamp < 2"
    )
    assert "USING PRIMARY KEY" in plan.fetchone()[3]


@pytest.mark.full
def test_how_many_bars_mongodb_has_is_told_without_reading_any_and_with_those_that_wait(
    mongo_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data_dir=tmp_path / "a", mongo_uri=mongo_uri, mongo_database=new_database())
    with closing(open_store(settings, SCOPE)) as store:
        store.save_bars("ru1901.SHFE", "1m", [bar(minute) for minute in range(1, 101)])
        assert store.flush(30)

    def never(*_args: object, **_more: object) -> None:
        raise AssertionError("bars were read")

    monkeypatch.setattr(MongoTables, "read_bars", never)
    goes_on = threading.Event()
    load = MongoTables.load

    def held(self: MongoTables, *args: Any) -> None:
        assert goes_on.wait(30)
        load(self, *args)

    elsewhere = settings.model_copy(update={"data_dir": tmp_path / "b"})
    with closing(open_store(elsewhere, SCOPE)) as store:
        assert store.flush(30)
        assert store.extent("ru1901.SHFE", "1m") == (60_000, 6_000_000, 100)
        monkeypatch.setattr(MongoTables, "load", held)
        try:
            store.save_bars("ru1901.SHFE", "1m", [bar(minute) for minute in range(96, 111)])
            assert store.extent("ru1901.SHFE", "1m") == (60_000, 6_600_000, 110)
            assert store.extent("ag1901.SHFE", "1m") == (0, 0, 0)
        finally:
            goes_on.set()
        assert store.flush(30)
        assert store.extent("ru1901.SHFE", "1m") == (60_000, 6_600_000, 110)
