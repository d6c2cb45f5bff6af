"""The index of a store: an SQLite table of its entries.

It is derived from the directories of entries. It makes finding an entry fast, and can be queried:

```
sqlite3 index.sqlite "select kind, count(*), sum(seconds) from entries group by kind"
```

If it can't be read or written, that only costs time, so no method raises for it; a damaged index is
replaced by an empty one. The journal is a rollback journal: unlike a write-ahead log it works
on network file systems. It is not slower here, because each call opens the index again, so that a
store can be passed between threads and processes.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from gatewright.store.entry import Entry

#: To be increased when the table changes.
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

#: Seconds to wait while another process writes.
_TIMEOUT = 60


class Index:
    """The table `entries` in one file, created at first use."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, entry: Entry, state: str) -> None:
        """Add an entry, with the state of its files when they were last verified."""
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
        """Remove an entry."""
        self._run("delete from entries where key = ?", key)

    def state(self, key: str) -> str | None:
        """The state of an entry's files when last verified; None if it is not in the index."""
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
                if _version(database) != _VERSION:  # no other process did it
                    database.execute("drop table if exists entries")
                    database.execute(_TABLE)
                    database.execute(f"pragma user_version = {_VERSION}")
                database.execute("commit")
            return database.execute(statement, values).fetchall()


def _version(database: sqlite3.Connection) -> int:
    (version,) = database.execute("pragma user_version").fetchone()
    return int(version)
