"""The index of a store: an SQLite table of its entries.

It is a view of the folders. It makes finding an entry quick, and answers questions in SQL:

```
sqlite3 index.sqlite "select kind, count(*), sum(seconds) from entries group by kind"
```

What can't be read from it or written to it costs time and nothing else, so no method raises for
that; a damaged index is begun anew. Its journal is SQLite's rollback journal: unlike a write-ahead
log it works on network file systems, and it is no slower where each call opens the index anew,
which lets a store pass between threads and processes.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from gatewright.store.entry import Entry

#: To be counted up when the table changes.
_VERSION = 1

_TABLE = """create table entries (
    key text primary key,
    kind text not null,
    created text not null,
    seconds real not null,
    bytes integer not null,
    content text not null,
    record text not null,
    state text not null
)"""

#: Seconds to wait for another process that writes.
_TIMEOUT = 60


class Index:
    """The table `entries` of one file, made when first needed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, entry: Entry, state: str) -> None:
        """Note an entry, and the state that its files had when they were found whole."""
        values = (
            entry.key,
            entry.kind,
            entry.created,
            entry.seconds,
            entry.size,
            json.dumps(entry.content, sort_keys=True),
            json.dumps(entry.record),
            state,
        )
        self._run("insert or replace into entries values (?, ?, ?, ?, ?, ?, ?, ?)", *values)

    def drop(self, key: str) -> None:
        """Forget an entry."""
        self._run("delete from entries where key = ?", key)

    def state(self, key: str) -> str | None:
        """The state that an entry was found whole in; None if it is not in the index."""
        rows = self._run("select state from entries where key = ?", key)
        return rows[0][0] if rows else None

    def kinds(self) -> dict[str, str]:
        """The kind of each entry in the index, by key."""
        return dict(self._run("select key, kind from entries"))

    def _run(self, statement: str, *values: Any) -> list[Any]:
        try:
            return self._execute(statement, values)
        except sqlite3.OperationalError:  # read-only, a full disk, no locks
            return []
        except sqlite3.DatabaseError:  # damaged
            pass
        try:
            for path in (self._path, Path(f"{self._path}-journal")):
                path.unlink(missing_ok=True)
            return self._execute(statement, values)
        except (sqlite3.Error, OSError):
            return []

    def _execute(self, statement: str, values: tuple[Any, ...]) -> list[Any]:
        with closing(
            sqlite3.connect(self._path, timeout=_TIMEOUT, isolation_level=None)
        ) as database:
            if _version(database) != _VERSION:
                database.execute("begin immediate")
                if _version(database) != _VERSION:  # nobody was quicker
                    database.execute("drop table if exists entries")
                    database.execute(_TABLE)
                    database.execute(f"pragma user_version = {_VERSION}")
                database.execute("commit")
            return database.execute(statement, values).fetchall()


def _version(database: sqlite3.Connection) -> int:
    (version,) = database.execute("pragma user_version").fetchone()
    return int(version)
