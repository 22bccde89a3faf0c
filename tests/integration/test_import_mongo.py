"""`run.py import-mongo` as a user types it, from a database like those that the reference has filled."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from app.commands import import_mongo as mongo_import
from app.lib.bar_files import read_bar_documents
from app.lib.bar_tables import BadBarFile
from app.lib.calendar import SHANGHAI
from app.lib.errors import BadInput
from app.model import store_path
from app.model.sqlite import SqliteStore
from tests.support.mongodb import any_server, new_database
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
ACCOUNT = "sim-9999-demo"
NINE = datetime(2019, 9, 2, 9, 0)  # a Monday


def document(timestamp: Any, close: float = 3501.0, **changes: Any) -> dict[str, Any]:
    prices = {
        "open_price": 3500.0,
        "high_price": 3510.0,
        "low_price": 3490.0,
        "close_price": close,
        "volume": 12,
    }
    return {"timestamp": timestamp, **prices, **changes}


def ms(moment: datetime) -> int:
    return int(moment.replace(tzinfo=SHANGHAI).timestamp() * 1000)


# ── documents ──


@pytest.mark.parametrize(
    "timestamp",
    [
        NINE,
        ms(NINE),
        float(ms(NINE)),
        str(ms(NINE)),
        "2019-09-02 09:00:00",
        "2019-09-02T09:00:00+08:00",
        NINE.replace(hour=1, tzinfo=UTC),
    ],
    ids=["date", "ms", "float", "ms as text", "text", "text with a zone", "date with a zone"],
)
def test_a_time_is_read_however_it_was_written_and_without_a_zone_it_is_exchange_time(timestamp: Any) -> None:
    name, found = read_bar_documents(
        "rb2001.SHFE", [document(timestamp, _id=1, local_symbol_of_nobody="x")], "start"
    )
    (bar,) = found.bars
    assert (name, bar[:6]) == ("rb2001.SHFE", (ms(NINE), 3500.0, 3510.0, 3490.0, 3501.0, 12))


def test_of_a_minute_that_is_there_twice_the_later_document_counts() -> None:
    _, found = read_bar_documents("rb2001.SHFE", [document(NINE, 3500.0), document(NINE, 3502.0)])
    assert [bar.close for bar in found.bars] == [3502.0]
    assert found.repeated == 1


def test_what_is_no_bar_is_named_and_the_rest_comes_in() -> None:
    bad = [
        document(NINE, high_price=1.0),
        {"_id": 3},
        document("yesterday"),
        document(NINE.replace(second=1)),
        document(10**400),
    ]
    _, found = read_bar_documents(
        "rb2001.SHFE", [document(NINE), *bad, document(NINE + timedelta(minutes=1))]
    )
    assert len(found.bars) == 2
    assert len(found.problems) == 5
    assert found.problems[0].startswith("rb2001.SHFE 第 2 份：价格不成 K 线")
    assert "第 3 份：缺少" in found.problems[1]


def test_labels_of_ends_become_starts() -> None:
    ends = [
        NINE + timedelta(minutes=minute) for minute in range(1, 76)
    ]  # the last is 10:15, where a section ends
    _, found = read_bar_documents("rb2001.SHFE", [document(end) for end in ends])
    assert [bar.timestamp for bar in found.bars] == [ms(end) - 60_000 for end in ends]
    with pytest.raises(BadBarFile, match="--label"):
        read_bar_documents("rb2001.SHFE", [document(NINE + timedelta(minutes=5))])


def test_a_collection_that_is_no_contract_is_named() -> None:
    with pytest.raises(BadInput):
        read_bar_documents("users", [])


# ── the command ──


class Reference:
    """A database as the reference leaves it."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.name = new_database()
        self.client: MongoClient[dict[str, Any]] = MongoClient(uri)
        self.database = self.client[self.name]

    def everything(self) -> dict[str, list[dict[str, Any]]]:
        return {
            name: list(self.database[name].find().sort("_id", 1))
            for name in sorted(self.database.list_collection_names())
        }


@pytest.fixture(scope="module")
def mongo_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with any_server(tmp_path_factory.mktemp("mongodb")) as uri:
        yield uri


@pytest.fixture
def reference(mongo_uri: str) -> Iterator[Reference]:
    made = Reference(mongo_uri)
    yield made
    made.client.close()


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    (tmp_path / "data" / "accounts" / ACCOUNT).mkdir(parents=True)
    return tmp_path / "data"


def command_line(data_dir: Path, uri: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
    command = [sys.executable, "run.py", "import-mongo", "--data-dir", str(data_dir), *arguments]
    return command, os.environ | {"SOURCE_MONGO_URI": uri}


def importing(data_dir: Path, uri: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command, environment = command_line(data_dir, uri, *arguments)
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def kept(data_dir: Path, symbol: str) -> list[Any]:
    store = SqliteStore(store_path(data_dir, ACCOUNT))
    try:
        return store.read_bars(symbol, "1m")
    finally:
        store.close()


@pytest.mark.full
def test_all_contracts_come_in_counted_the_source_stays_as_it_was_and_the_next_run_reads_only_what_is_new(
    data_dir: Path, reference: Reference
) -> None:
    minutes = [NINE + timedelta(minutes=minute) for minute in range(75)]
    reference.database["rb2001.SHFE"].insert_many([document(minute) for minute in minutes])
    reference.database["ag1912.SHFE"].insert_many(
        [document(ms(minute), volume=3) for minute in minutes] + [document(ms(NINE), 3505.0)]
    )
    before = reference.everything()
    done = importing(data_dir, reference.uri, "--database", reference.name)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "ag1912.SHFE：76 份，导入 75 根，2019-09-02 09:00 至 2019-09-02 10:14，1 份重复，以后写的为准",
        "rb2001.SHFE：75 份，导入 75 根，2019-09-02 09:00 至 2019-09-02 10:14",
        f"{reference.uri.removeprefix('mongodb://').rstrip('/')}/{reference.name}：2 个集合，导入 150 根",
    ]
    assert [bar.timestamp for bar in kept(data_dir, "rb2001.SHFE")] == [ms(minute) for minute in minutes]
    assert kept(data_dir, "ag1912.SHFE")[0].close == 3505.0
    assert reference.everything() == before
    reference.database["rb2001.SHFE"].insert_one(document(NINE + timedelta(minutes=90)))
    again = importing(data_dir, reference.uri, "--database", reference.name)
    assert again.stdout.splitlines()[:2] == [
        "ag1912.SHFE：已导入，没有变化",
        "rb2001.SHFE：76 份，导入 76 根，2019-09-02 09:00 至 2019-09-02 10:30",
    ]


@pytest.mark.full
def test_an_import_that_was_killed_half_way_goes_on_where_it_was(
    data_dir: Path, reference: Reference
) -> None:
    minutes = [ms(NINE) + minute * 60_000 for minute in range(6000)]
    reference.database["ag1912.SHFE"].insert_many([document(minute) for minute in minutes[:75]])
    reference.database["rb2001.SHFE"].insert_many([document(minute) for minute in minutes])
    command, environment = command_line(data_dir, reference.uri, "--database", reference.name)
    killed = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        eventually(
            (data_dir / "accounts" / ACCOUNT / mongo_import.NOTES).exists, "the first contract is noted", 60
        )
    finally:
        killed.kill()
        killed.wait()
    again = importing(data_dir, reference.uri, "--database", reference.name)
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.startswith("ag1912.SHFE：已导入，没有变化\n")
    assert [len(kept(data_dir, name)) for name in ("ag1912.SHFE", "rb2001.SHFE")] == [75, 6000]


@pytest.mark.full
def test_a_collection_that_does_not_come_in_whole_is_named_and_read_again_the_next_time(
    data_dir: Path, reference: Reference
) -> None:
    reference.database["rb2001.SHFE"].insert_many(
        [document(NINE), document(NINE + timedelta(minutes=1), high_price=0.0)]
    )
    reference.database["users"].insert_one({"name": "demo"})
    for _ in range(2):
        done = importing(data_dir, reference.uri, "--database", reference.name)
        assert done.returncode == 1
        assert "users：未导入" in done.stderr
        assert "rb2001.SHFE 第 2 份：价格不成 K 线" in done.stderr
        assert "rb2001.SHFE：2 份，导入 1 根" in done.stdout
        assert len(kept(data_dir, "rb2001.SHFE")) == 1


def test_a_source_that_is_not_there_is_said_without_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mongo_import, "CONNECT_LIMIT", 0.2)
    with (
        closing(mongo_import.Source("mongodb://trader:s3cret@127.0.0.1:1/", "ctp_bar")) as source,
        pytest.raises(mongo_import.SourceFailed, match="MongoDB 连不上") as caught,
    ):
        source.collections()
    assert "s3cret" not in caught.value.message
    assert source.name == "127.0.0.1:1/ctp_bar"
