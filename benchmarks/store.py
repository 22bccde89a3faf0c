"""The store on a MongoDB server: `python -m benchmarks.store [--uri URI]`, by default on a FerretDB of its
own. Beside the reference's way.

Writes: bars that arrive at the server, through the spool as the gateway does it and in bare batches, beside
one insert for each bar. Reads: three days of one contract out of `--contracts` with `--days` each, beside a
find by time without an index in the contract's collection, as the reference does, and beside one collection
for all bars (`--one-for-all`), which we do not have. All on one server in one run, in turns. FerretDB over
SQLite scans a collection for whatever is not one `_id`: its reads say nothing about MongoDB's.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pymongo import MongoClient
from pymongo.collection import Collection

from app.lib.bars import Bar
from app.model import open_store
from app.model.mongo import MongoTables
from app.model.sqlite import SqliteStore
from app.model.tables import BARS, Row, Table
from benchmarks.parts.report import machine, percentile, ratio, table, thousands
from tests.support.mongodb import any_server

Bars = Collection[dict[str, Any]]

MINUTES = 555  # of a trading day with a night of six hours less the breaks
FIRST = 1_700_000_040_000  # a whole minute
DAY = 86_400_000
ACCOUNT = "sim-9999-bench"
ROUNDS = 3
READS = 20


def made_up(days: int) -> list[Bar]:
    return [
        Bar(FIRST + day * DAY + minute * 60_000, 3500.0, 3510.0, 3490.0, 3501.0, minute, 1e7, 1.5e6, True)
        for day in range(days)
        for minute in range(MINUTES)
    ]


def rows_of(symbol: str, bars: list[Bar]) -> list[Row]:
    return [
        {"local_symbol": symbol, "interval": "1m", **bar._asdict(), "complete": int(bar.complete)}
        for bar in bars
    ]


def documents_of(bars: list[Bar]) -> list[dict[str, Any]]:
    """As the reference writes them."""
    names = ("timestamp", "open_price", "high_price", "low_price", "close_price", "volume")
    return [dict(zip(names, bar[:6], strict=True)) for bar in bars]


def seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def insert_each(collection: Bars, bars: list[Bar]) -> None:
    for one in documents_of(bars):
        collection.insert_one(one)


def load_each(tables: MongoTables, bar_table: Table, batches: list[list[Row]]) -> None:
    for batch in batches:
        tables.load(bar_table, batch)


def read_all(collection: Bars, asked: dict[str, Any]) -> list[dict[str, Any]]:
    return list(collection.find(asked))


def read_in_order(collection: Bars, asked: dict[str, Any]) -> list[dict[str, Any]]:
    return list(collection.find(asked).sort("_id", 1))


def writes(
    uri: str, database: str, client: MongoClient[dict[str, Any]], bars: list[Bar], folder: Path
) -> str:
    """Bars per second, the middle of `ROUNDS` in turns."""
    speeds: dict[str, list[float]] = {"reference": [], "batches": [], "spool": []}
    bar_table = _bar_table(folder)
    settings = SimpleNamespace(data_dir=folder, mongo_uri=uri, mongo_database=database)
    few = bars[: max(200, len(bars) // 20)]  # one by one takes so much longer
    with (
        closing(MongoTables(uri, database, ACCOUNT)) as tables,
        closing(open_store(settings, ACCOUNT)) as store,
    ):
        for number in range(ROUNDS):
            theirs = client[database][f"ref{number}.SHFE"]
            speeds["reference"].append(len(few) / seconds(partial(insert_each, theirs, few)))
            rows = rows_of(f"batch{number}.SHFE", bars)
            batches = [rows[at : at + 2000] for at in range(0, len(rows), 2000)]
            speeds["batches"].append(len(bars) / seconds(partial(load_each, tables, bar_table, batches)))

            def through_the_spool(symbol: str = f"spool{number}.SHFE") -> None:
                for at in range(0, len(bars), 1000):
                    store.save_bars(symbol, "1m", bars[at : at + 1000])
                assert store.flush(600)

            speeds["spool"].append(len(bars) / seconds(through_the_spool))
    middle = {name: percentile(found, 0.5) for name, found in speeds.items()}
    lines = [
        ["参考的办法：逐根 insert_one", thousands(middle["reference"]), "1"],
        [
            "经本机暂存到达（网关的办法）",
            thousands(middle["spool"]),
            ratio(middle["spool"], middle["reference"]),
        ],
        ["成批直写", thousands(middle["batches"]), ratio(middle["batches"], middle["reference"])],
    ]
    return table(
        f"写入，{len(bars)} 根（逐根的 {len(few)} 根），{ROUNDS} 次的中位", ["办法", "根/秒", "比"], lines
    )


def _bar_table(folder: Path) -> Any:
    with closing(SqliteStore(folder / "schema.db")) as plain:
        return plain.tables()[BARS]


def reads(
    uri: str,
    database: str,
    client: MongoClient[dict[str, Any]],
    contracts: int,
    days: int,
    one_for_all: bool,
    folder: Path,
) -> str:
    """Milliseconds for three days of one contract; every way has all contracts with all their days."""
    bars, bar_table = made_up(days), _bar_table(folder)
    one = client[database + "_one"]["bars"]
    reference = client[database + "_ref"]
    start, end = bars[-1].timestamp - 3 * DAY, bars[-1].timestamp + 1
    times: dict[str, list[float]] = {"reference": [], "ours": [], "one": []}
    began = time.perf_counter()
    with closing(MongoTables(uri, database, ACCOUNT)) as tables:
        for number in range(contracts):
            symbol = f"c{number:03d}.SHFE"
            for at in range(0, len(bars), 2000):
                part = bars[at : at + 2000]
                tables.load(bar_table, rows_of(symbol, part))
                reference[symbol].insert_many(documents_of(part), ordered=False)
                if one_for_all:
                    one.insert_many(
                        [{"_id": _one_id(symbol, row["timestamp"]), **row} for row in rows_of(symbol, part)],
                        ordered=False,
                    )
        filled = time.perf_counter() - began
        for number in range(READS):
            name = f"c{number * 7 % contracts:03d}.SHFE"
            asked = {"timestamp": {"$gte": start, "$lt": end}}
            times["reference"].append(seconds(partial(read_all, reference[name], asked)))
            times["ours"].append(seconds(partial(tables.read_bars, name, "1m", start, end, 0, 600.0)))
            if one_for_all:
                between = {"_id": {"$gte": _one_id(name, start), "$lt": _one_id(name, end)}}
                times["one"].append(seconds(partial(read_in_order, one, between)))
    middle = {way: percentile(found, 0.5) * 1000 for way, found in times.items()}
    ways = {
        "reference": "参考的办法：每合约一个集合，无索引",
        "ours": "我们：每合约一个集合，_id 为时间",
        "one": "全部合约一个集合",
    }
    lines = [
        [ways[way], f"{middle[way]:.1f}", ratio(middle["reference"], middle[way])]
        for way, found in times.items()
        if found
    ]
    title = f"读 3 天，{contracts} 个合约各 {days} 个交易日（填入用了 {filled:.0f} 秒），{READS} 次的中位"
    return table(title, ["办法", "毫秒", "快几倍"], lines)


def _one_id(symbol: str, timestamp: int) -> str:
    return f"{ACCOUNT}/{symbol}/1m/{timestamp:016d}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--uri", default="", help="a server to measure on; a new database is made there and dropped again"
    )
    parser.add_argument("--contracts", type=int, default=100)
    parser.add_argument("--days", type=int, default=245, help="trading days of each contract")
    parser.add_argument("--one-for-all", action="store_true", help="measure one collection for all bars, too")
    parser.add_argument("--bars", type=int, default=20_000, help="bars in the write test")
    options = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.uri:
            run(options.uri, options, folder)
        else:
            with any_server(folder / "server") as uri:
                run(uri, options, folder)


def run(uri: str, options: argparse.Namespace, folder: Path) -> None:
    database = f"bench_{uuid.uuid4().hex[:12]}"
    client: MongoClient[dict[str, Any]] = MongoClient(uri)
    with client:
        info = client.server_info()
        is_ferret = "ferretdb" in info or "ferretdbVersion" in info
        print(f"服务器：{'FerretDB（SQLite 后端）' if is_ferret else 'MongoDB'} {info['version']}\n")
        bars = made_up(options.bars // MINUTES + 1)[: options.bars]
        print(writes(uri, database, client, bars, folder))
        print(reads(uri, database, client, options.contracts, options.days, options.one_for_all, folder))
        if options.uri:
            for name in (database, f"{database}_ref", f"{database}_one"):
                client.drop_database(name)


if __name__ == "__main__":
    main()
