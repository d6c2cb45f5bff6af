"""Results on disk, kept by content: each is made once and found from then on.

A store is a folder:

```
ROOT/
  entries/<key>/    an entry: its files, and entry.json with their hashes; never changes
  projects/<key>/   a directory whose steps have stamps of their own, see `Store.project`
  making/           entries that are being made, or were when a process was killed
  locks/            a file per lock that is held
  index.sqlite      table `entries`: what there is; a view of entries/, never the truth
```

Any number of processes may work on one store at once, and any of them may be killed at any moment.
"""

from gatewright.store.entry import Entry, key_of
from gatewright.store.store import Check, Store

__all__ = ["Check", "Entry", "Store", "key_of"]
