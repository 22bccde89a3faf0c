"""How a store looks as plain tables: what is shipped to MongoDB, exported and imported. Any process that owns
a store.

The tables are those of the SQLite schema, read from it: a table that is added there moves along without
another word. A BLOB column holds JSON, and a row has its value decoded.
"""

from __future__ import annotations

from typing import Any, NamedTuple

Row = dict[str, Any]
ROWID = "rowid"
BARS = "bars"
EVENTS = "events"


class Table(NamedTuple):
    """One table. `ordered`: its rows have an order, that of their making, which the key does not tell; rows
    then have a `rowid`.
    """

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    json: frozenset[str]
    ordered: bool

    def key_of(self, row: Row) -> tuple[Any, ...]:
        return tuple(row[column] for column in self.key)
