"""A content-addressed store of results on disk: each is made once, and found afterwards.

A store is a directory:

```
ROOT/
  entries/<key>/    an entry: its files, and entry.json with their hashes; never changes
  projects/<key>/   a directory whose steps have stamps of their own, see `Store.project`
  making/           entries being made, or left over by killed processes
  locks/            one file per held lock
  index.sqlite      table `entries`, derived from entries/, which decide in case of doubt
```

Any number of processes may use one store at a time, and any of them may be killed at any time.
"""

from gatewright.store.entry import Entry, key_of
from gatewright.store.store import Check, Store

__all__ = ["Check", "Entry", "Store", "key_of"]
