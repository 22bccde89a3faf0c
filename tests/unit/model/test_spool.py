"""The spool in front of MongoDB, with a server of dictionaries that can be away, refuse, or lose an
answer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from app.commands import import_bars as bar_import
from app.commands.import_bars import CannotSave, account_writer, save_in_chunks
from app.host import leftovers
from app.host.leftovers import Leftovers
from app.lib.bars import Bar
from app.lib.errors import SettingsError
from app.model import mongo as mongo_module
from app.model import spool
from app.model.mongo import MongoTables, Refused, check_uri, translated
from app.model.spool import SpooledStore
from app.model.sqlite import SqliteStore, StoreBroken
from app.model.store import Intent, StoreFailed, StoreState
from app.model.tables import BARS, Row, Table
from app.settings import Settings
from tests.support.waiting import eventually

NO_DATABASE = b"no database at all, and long enough to be seen as none" * 100


class FakeMongo:
    """Stands where MongoTables does: rows by table and key. `fault` is raised by every call; `lost` batches
    arrive without an answer.
    """

    server = "fake:27017"

    def __init__(self) -> None:
        self.fault: StoreFailed | None = None
        self.lost = 0
        self.batches: list[tuple[str, int]] = []
        self.calls = 0
        self.tables: dict[str, dict[tuple[Any, ...], Row]] = {}
        self.name = "first"

    def _answer(self) -> None:
        self.calls += 1
        if self.fault is not None:
            raise self.fault

    def ping(self) -> None:
        self._answer()

    def born(self) -> str:
        self._answer()
        return self.name

    def close(self) -> None:
        pass

    def load(self, table: Table, rows: Sequence[Row]) -> None:
        self._answer()
        self.tables.setdefault(table.name, {}).update({table.key_of(row): row for row in rows})
        self.batches += [(table.name, len(rows))]
        if self.lost:
            self.lost -= 1
            raise StoreFailed("没有应答")

    def remove(self, table: Table, keys: Sequence[Sequence[Any]]) -> None:
        self._answer()
        for key in keys:
            self.tables.get(table.name, {}).pop(tuple(key), None)

    def rows(self, table: Table) -> Iterator[Row]:
        self._answer()
        found = self.tables.get(table.name, {}).values()
        return iter(sorted(found, key=lambda row: row["rowid"] if table.ordered else table.key_of(row)))

    def series(self) -> list[tuple[str, str]]:
        self._answer()
        return sorted({(key[0], key[1]) for key in self.tables.get(BARS, {})})

    def read_bars(
        self,
        local_symbol: str,
        interval: str,
        start: int = 0,
        end: int = 0,
        limit: int = 0,
        seconds: float = 1.0,
    ) -> list[Bar]:
        self._answer()
        rows = [
            row
            for (symbol, span, at), row in sorted(self.tables.get(BARS, {}).items())
            if (symbol, span) == (local_symbol, interval)
        ]
        bars = [Bar._make((*list(row.values())[2:10], bool(row["complete"]))) for row in rows]
        return [bar for bar in bars if bar.timestamp >= start and (not end or bar.timestamp < end)][-limit:]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {
        "LOOK_EVERY": 0.01,
        "PING_EVERY": 0.02,
        "RETRY": 0.01,
        "RETRY_LONGEST": 0.02,
    }.items():
        monkeypatch.setattr(spool, name, seconds)


@pytest.fixture
def mongo() -> FakeMongo:
    return FakeMongo()


@pytest.fixture
def opened(tmp_path: Path, mongo: FakeMongo) -> Iterator[Callable[..., SpooledStore]]:
    stores: list[SpooledStore] = []

    def make(name: str = "account", ship: bool = True) -> SpooledStore:
        stores.append(SpooledStore(tmp_path / f"{name}.db", mongo if ship else None))  # type: ignore[arg-type]
        return stores[-1]

    make.stores = stores  # type: ignore[attr-defined]
    yield make
    for store in stores:
        store.close()


def bar(minute: int, close: float = 10.0) -> Bar:
    return Bar(minute * 60_000, 10.0, 12.0, 9.0, close, 5, 50.0, 100.0, True)


def intent(ref: int) -> Intent:
    return Intent(f"1_2_{ref}", "", "20250606", "2025-06-06T10:00:00.000", {"price": 3000.0, "volume": 1})


def check_the_same(store: SpooledStore, mongo: FakeMongo) -> None:
    assert store.flush(30)
    for table in store.tables().values():
        assert sorted(mongo.tables.get(table.name, {}).values(), key=str) == sorted(
            SqliteStore.rows(store, table), key=str
        ), table.name


def write_some(store: SpooledStore, first: int = 1, count: int = 5) -> None:
    for ref in range(first, first + count):
        store.write_intent(intent(ref))
        store.settle_intent(f"1_2_{ref}", "accepted")
        store.save_order("20250606", f"1_2_{ref}", {"order_id": f"1_2_{ref}", "status": "提交中"})
        store.save_trade("20250606", f"SHFE|{ref}|0", {"volume": 1})
        store.save_order("20250606", f"1_2_{ref}", {"order_id": f"1_2_{ref}", "status": "全部成交"})
        store.save_bars("rb2510.SHFE", "1m", [bar(ref)])
    store.put_settings("config", {"a": 1, "b": [1, "二"]})
    store.delete_setting("config", "a")


def test_all_that_is_written_arrives_and_what_is_deleted_goes(
    opened: Callable[..., SpooledStore], mongo: FakeMongo
) -> None:
    store = opened()
    write_some(store)
    check_the_same(store, mongo)
    assert list(mongo.tables["settings"]) == [("config", "b")]
    store.put_setting("config", "a", 7)
    assert store.flush(30)
    assert mongo.tables["settings"][("config", "a")]["value"] == 7
    store.delete_setting("config", "a")
    check_the_same(store, mongo)


def test_while_the_server_is_away_everything_is_written_here_and_read_here(
    opened: Callable[..., SpooledStore], mongo: FakeMongo
) -> None:
    mongo.fault = StoreFailed("连不上")
    store = opened()
    heard: list[StoreState] = []
    store.on_state(heard.append)
    write_some(store)
    assert store.state()[:2] == ("down", "连不上")
    assert store.state().waiting > 20
    assert [found.timestamp for found in store.read_bars("rb2510.SHFE", "1m")] == [
        bar(ref).timestamp for ref in range(1, 6)
    ]
    assert len(store.intents("20250606")) == len(store.trades("20250606")) == 5
    mongo.fault = None
    check_the_same(store, mongo)
    eventually(lambda: heard and heard[-1].state == "up", "the listener is told")
    assert [state.state for state in heard] == ["up"]


def test_a_batch_whose_answer_was_lost_is_there_once_and_events_keep_their_order(
    opened: Callable[..., SpooledStore], mongo: FakeMongo
) -> None:
    store = opened()
    eventually(lambda: store.state().state == "up", "connected")
    mongo.lost = 4
    write_some(store, count=20)
    check_the_same(store, mongo)
    assert [key[0] for key in mongo.tables["events"]] == list(range(1, 61))


def test_a_server_that_is_too_slow_for_a_whole_batch_gets_smaller_ones(
    opened: Callable[..., SpooledStore], mongo: FakeMongo
) -> None:
    load = mongo.load

    def take_few(table: Table, rows: Sequence[Row]) -> None:
        if len(rows) > 300:
            raise StoreFailed("未按时应答")
        load(table, rows)

    mongo.load = take_few  # type: ignore[method-assign]
    store = opened()
    store.save_bars("rb2510.SHFE", "1m", [bar(minute) for minute in range(2000)])
    check_the_same(store, mongo)


def test_what_waited_at_a_kill_leaves_with_the_next_process(
    opened: Callable[..., SpooledStore], mongo: FakeMongo, tmp_path: Path
) -> None:
    mongo.fault = StoreFailed("连不上")
    write_some(opened())
    killed = opened(ship=False)  # another that has the file open, as the web has the server's
    assert killed.state().state == "down"
    assert killed.state().waiting > 20
    (tmp_path / "other").mkdir()
    for path in tmp_path.glob("account.db*"):
        (tmp_path / "other" / path.name).write_bytes(path.read_bytes())
    mongo.fault = None
    check_the_same(opened("other/account"), mongo)


def test_a_row_that_changes_while_it_is_on_its_way_is_sent_again(
    opened: Callable[..., SpooledStore], mongo: FakeMongo
) -> None:
    store = opened()
    eventually(lambda: store.state().state == "up", "connected")
    load = mongo.load
    changed = threading.Event()

    def change_meanwhile(table: Table, rows: Sequence[Row]) -> None:
        if not changed.is_set():
            changed.set()
            store.put_setting("config", "a", 2)
        load(table, rows)

    mongo.load = change_meanwhile  # type: ignore[method-assign]
    store.put_setting("config", "a", 1)
    eventually(changed.is_set, "it is on its way")
    check_the_same(store, mongo)
    assert mongo.tables["settings"][("config", "a")]["value"] == 2


def test_a_new_file_knows_what_the_server_has_before_it_is_read(
    opened: Callable[..., SpooledStore], mongo: FakeMongo
) -> None:
    first = opened()
    write_some(first)
    assert first.flush(30)
    new = opened("new")
    assert new.intents("20250606") == first.intents("20250606")
    assert new.max_order_ref() == 5
    assert new.events(0) == first.events(0)
    assert new.settings("config") == {"b": [1, "二"]}
    assert new.read_bars("rb2510.SHFE", "1m") == first.read_bars("rb2510.SHFE", "1m")
    assert new.save_order("20250606", "1_2_9", {}) == first.last_seq() + 1
    assert new.flush(30)
    assert (
        sum(count for name, count in mongo.batches if name == "events") == 16
    )  # what it has learnt is not sent back


def test_a_new_file_without_a_server_numbers_its_events_above_all_that_may_be_there(
    opened: Callable[..., SpooledStore], mongo: FakeMongo
) -> None:
    first = opened()
    write_some(first)
    assert first.flush(30)
    mongo.fault = StoreFailed("连不上")
    new = opened("new")
    seq = new.save_order("20250607", "1_3_1", {})
    assert seq > 1_700_000_000_000
    mongo.fault = None
    eventually(lambda: len(new.events(0)) == 16, "the rest is learnt")
    assert new.flush(30)
    assert sorted(mongo.tables["events"]) == [(event.seq,) for event in new.events(0)]
    assert new.last_seq() == seq
    assert new.save_order("20250607", "1_3_2", {}) == seq + 1


def test_a_file_that_served_without_mongodb_is_shipped_whole(
    opened: Callable[..., SpooledStore], mongo: FakeMongo, tmp_path: Path
) -> None:
    plain = SqliteStore(tmp_path / "account.db")
    plain.save_bars("rb2510.SHFE", "1m", [bar(minute) for minute in range(5000)])
    plain.write_intent(intent(1))
    plain.put_setting("config", "a", 1)
    plain.close()
    store = opened()
    check_the_same(store, mongo)
    assert len(mongo.tables[BARS]) == 5000
    assert mongo.tables["settings"][("config", "a")]["value"] == 1
    store.close()
    plain = SqliteStore(
        tmp_path / "account.db"
    )  # and without MongoDB again: what changes now is not forgotten
    plain.put_setting("config", "a", 2)
    plain.close()
    check_the_same(opened(), mongo)
    assert mongo.tables["settings"][("config", "a")]["value"] == 2


def test_a_database_that_was_emptied_or_is_another_gets_all_that_the_file_has(
    opened: Callable[..., SpooledStore], mongo: FakeMongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "MOST_BARS", 100)
    store = opened()
    write_some(store, count=20)
    check_the_same(store, mongo)
    store.close()
    mongo.tables, mongo.name, mongo.batches = {}, "second", []
    again = opened()
    again.save_bars(
        "rb2510.SHFE", "1m", [bar(minute) for minute in range(100, 200)]
    )  # what was here already leaves them their room
    check_the_same(again, mongo)
    assert len(mongo.tables["events"]) == 60
    assert len(mongo.tables[BARS]) == 120
    assert len(mongo.tables["settings"]) == 1
    again.close()
    mongo.batches = []
    once_more = opened()
    once_more.put_setting("config", "b", 3)
    check_the_same(once_more, mongo)
    assert mongo.batches == [("settings", 1)]


def test_bars_from_before_there_was_mongodb_do_not_count_as_waiting_for_it_too_long(
    opened: Callable[..., SpooledStore], mongo: FakeMongo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "MOST_BARS", 100)
    plain = SqliteStore(tmp_path / "account.db")
    plain.save_bars("rb2510.SHFE", "1m", [bar(minute) for minute in range(500)])
    plain.close()
    mongo.fault = StoreFailed("连不上")
    store = opened()
    assert store.save_bars("rb2510.SHFE", "1m", [bar(minute) for minute in range(500, 601)]) == 101
    with pytest.raises(StoreFailed, match="100 根"):
        store.save_bars("rb2510.SHFE", "1m", [bar(700)])
    mongo.fault = None
    check_the_same(store, mongo)


def test_bars_that_have_arrived_leave_after_a_week_and_are_read_all_the_same(
    opened: Callable[..., SpooledStore], mongo: FakeMongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "KEEP_BARS", 100 * 60_000)
    monkeypatch.setattr(spool, "TRIM_EVERY", 0.0)
    store = opened()
    store.save_bars("rb2510.SHFE", "1m", [bar(minute) for minute in range(500)])
    assert store.flush(30)
    eventually(
        lambda: len(SqliteStore.read_bars(store, "rb2510.SHFE", "1m")) == 101, "the old ones have left"
    )
    assert store.read_bars("rb2510.SHFE", "1m") == [bar(minute) for minute in range(500)]
    assert store.read_bars("rb2510.SHFE", "1m", 60_000, 180_000) == [bar(1), bar(2)]
    assert store.read_bar_rows("rb2510.SHFE", "1m") == [bar(minute)[:6] for minute in range(500)]
    assert store.read_bars("rb2510.SHFE", "1m", limit=200) == [bar(minute) for minute in range(300, 500)]
    assert len(list(store.rows(store.tables()[BARS]))) == len(mongo.tables[BARS]) == 500
    mongo.fault = StoreFailed("连不上")
    assert store.read_bars("rb2510.SHFE", "1m")[0] == bar(399)


def test_a_spool_that_is_full_refuses_bars_and_nothing_else(
    opened: Callable[..., SpooledStore], mongo: FakeMongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "MOST_BARS", 100)
    mongo.fault = StoreFailed("连不上")
    store = opened()
    store.save_bars("rb2510.SHFE", "1m", [bar(minute) for minute in range(101)])
    with pytest.raises(StoreFailed, match="100 根"):
        store.save_bars("rb2510.SHFE", "1m", [bar(200)])
    for ref in range(1, 50):
        store.write_intent(intent(ref))
        store.save_order("20250606", f"1_2_{ref}", {})
    mongo.fault = None
    check_the_same(store, mongo)
    assert store.save_bars("rb2510.SHFE", "1m", [bar(200)]) == 1


def test_a_file_that_is_no_database_is_said_as_plainly_as_without_mongodb(
    opened: Callable[..., SpooledStore], tmp_path: Path
) -> None:
    (tmp_path / "account.db").write_bytes(NO_DATABASE)
    with pytest.raises(StoreBroken, match="请从备份恢复"):
        opened()


@pytest.fixture
def importing(
    opened: Callable[..., SpooledStore], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """An import into an account that is logged out: a hundred rows may wait."""
    monkeypatch.setattr(
        bar_import, "open_store", lambda _settings, account: opened(f"accounts/{account}/account")
    )
    monkeypatch.setattr(bar_import, "MOST_WAITING", 100)
    return Settings(data_dir=tmp_path)


def test_an_import_leaves_room_for_the_markets_bars(
    opened: Callable[..., SpooledStore],
    mongo: FakeMongo,
    importing: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spool, "MOST_BARS", 1500)  # fewer than come in
    with account_writer(importing, "sim-9999-demo") as save:
        for _ in save_in_chunks(save, "rb2510.SHFE", [bar(minute) for minute in range(5000)]):
            assert opened.stores[0].state().waiting <= 100  # type: ignore[attr-defined]
    assert len(mongo.tables[BARS]) == 5000


def test_an_import_that_mongodb_does_not_take_ends_and_what_it_has_brought_stays(
    opened: Callable[..., SpooledStore],
    mongo: FakeMongo,
    importing: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bar_import, "STALL_LIMIT", 0.2)
    mongo.fault = StoreFailed("连不上")
    with pytest.raises(CannotSave, match="1000 行在等"), account_writer(importing, "sim-9999-demo") as save:
        for _ in save_in_chunks(save, "rb2510.SHFE", [bar(minute) for minute in range(5000)]):
            pass
    mongo.fault = None
    check_the_same(opened("accounts/sim-9999-demo/account"), mongo)
    assert len(mongo.tables[BARS]) == 1000


def test_who_is_refused_does_not_knock_again_and_says_so_once(
    opened: Callable[..., SpooledStore], mongo: FakeMongo, caplog: pytest.LogCaptureFixture
) -> None:
    mongo.fault = Refused("MongoDB 拒绝了用户名、密码或权限（18）")
    store = opened()
    write_some(store)
    assert store.state().state == "refused"
    assert not store.flush(0.3)
    assert mongo.calls == 1
    assert sum("拒绝" in record.message for record in caplog.records) == 1


def test_what_nobody_expected_is_no_silent_end_of_shipping(
    opened: Callable[..., SpooledStore], mongo: FakeMongo, caplog: pytest.LogCaptureFixture
) -> None:
    store = opened()
    eventually(lambda: store.state().state == "up", "connected")
    load = mongo.load

    def break_down(_table: Table, _rows: Sequence[Row]) -> None:
        raise OverflowError("a document that cannot be encoded")

    mongo.load = break_down  # type: ignore[method-assign]
    store.put_setting("config", "a", 1)
    eventually(
        lambda: store.state()[:2] == ("down", "写入 MongoDB 的线程出错（OverflowError），见日志"),
        "it is said",
    )
    assert "a document that cannot be encoded" in caplog.text
    mongo.load = load  # type: ignore[method-assign]
    check_the_same(store, mongo)
    eventually(lambda: store.state().state == "up", "it is well again")


def test_of_two_that_have_the_file_open_one_ships(
    opened: Callable[..., SpooledStore], mongo: FakeMongo
) -> None:
    first, second = opened(), opened()
    first.put_setting("config", "a", 1)
    second.put_setting("config", "b", 2)
    check_the_same(first, mongo)
    assert second._claim is None
    first.close()
    eventually(lambda: second._claim is not None, "the second takes over")
    second.put_setting("config", "c", 3)
    check_the_same(second, mongo)


def test_what_an_account_that_is_logged_out_has_left_is_shipped_by_the_host(
    opened: Callable[..., SpooledStore], mongo: FakeMongo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mongo.fault = StoreFailed("连不上")
    write_some(opened("accounts/sim-9999-demo/account"))
    monkeypatch.setattr(
        leftovers,
        "open_store",
        lambda _settings, account, ship=True: opened(f"accounts/{account}/account", ship),
    )
    server = opened("server")
    broken = tmp_path / "accounts" / "sim-9999-broken" / "account.db"  # looked at before the other
    broken.parent.mkdir()
    broken.write_bytes(NO_DATABASE)
    host = Leftovers(Settings(data_dir=tmp_path), server)
    host.look()
    assert opened("accounts/sim-9999-demo/account", ship=False).state().waiting > 20
    opened.stores[0].close()  # type: ignore[attr-defined] # its gateway has ended
    mongo.fault = None
    eventually(lambda: server.state().state == "up", "the server is back")
    host.look()
    check_the_same(opened("accounts/sim-9999-demo/account", ship=False), mongo)


def test_writes_wait_for_a_majority_are_tried_again_and_every_call_has_its_time_whatever_the_uri_says() -> (
    None
):
    with mongo_module._client("mongodb://127.0.0.1:1/?w=1&retryWrites=false&socketTimeoutMS=0") as client:
        assert client.write_concern.document == {"w": "majority"}
        assert client.options.retry_writes
        limits = client.options.pool_options
        assert (limits.connect_timeout, limits.socket_timeout, client.options.server_selection_timeout) == (
            3.0,
            30.0,
            3.0,
        )


class FakeClient:
    """Every database and collection of a server where nothing is."""

    def __init__(self) -> None:
        self.closed = False

    def __getitem__(self, _name: str) -> FakeClient:
        return self

    def find_one(self, _asked: object) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def test_a_process_has_one_client_for_all_its_scopes_from_the_first_question_to_the_last_close(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[FakeClient] = []
    monkeypatch.setattr(mongo_module, "_client", lambda _uri: made.append(FakeClient()) or made[-1])
    first, second = (MongoTables("mongodb://127.0.0.1:1/", "db", scope) for scope in ("server", "host"))
    assert made == []
    first.ping()
    second.ping()
    first.close()
    second.ping()
    assert len(made) == 1
    assert not made[0].closed
    second.close()
    assert made[0].closed


@pytest.mark.parametrize("password", ["s3cret", "p@ss:wörd/!"])
def test_the_password_is_in_no_message(password: str) -> None:
    from urllib.parse import quote

    uri = f"mongodb://trader:{quote(password, safe='')}@127.0.0.1:1/"
    assert check_uri(uri) == "127.0.0.1:1"
    from pymongo.errors import ConfigurationError

    with pytest.raises(StoreFailed) as caught, translated(uri, 1):
        raise ConfigurationError(f"something is wrong with {uri} and {password}")
    assert password not in str(caught.value)
    assert quote(password, safe="") not in str(caught.value)


def test_a_uri_that_makes_no_sense_is_named_without_its_password() -> None:
    with pytest.raises(SettingsError) as caught:
        MongoTables("mongodb://trader:s3cret@127.0.0.1:notaport/", "db", "server")
    assert "mongo_uri" in caught.value.extra.values() or caught.value.extra == {"parameter": "mongo_uri"}
    assert "s3cret" not in caught.value.message
