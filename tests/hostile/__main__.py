"""`python tests/hostile`: many tries on damaged files of every kind, and what came of them.

`make fuzz` runs all; `--kind KIND --number N --keep DIR` repeats one and keeps its files.
"""

from __future__ import annotations

import argparse
import queue
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path

import corpus
from runner import Server, Verdict, prepare, serve

#: Shares of the tries: models are what comes from strangers; what runs tools takes long.
SHARES = {
    "h5": 20, "json": 12, "keras2": 10, "keras3": 14, "fml": 16, "hgq": 8, "onnx": 8, "preset": 5,
    "target": 4, "sweep": 6, "report": 6, "samples": 4, "project": 3,
}  # fmt: skip


def tries(count: int) -> list[tuple[str, int]]:
    """Kinds and numbers of so many tries, the kinds mixed."""
    total = sum(SHARES.values())
    each = {kind: -(-count * share // total) for kind, share in SHARES.items()}
    spread = [(index / n, kind, index) for kind, n in each.items() for index in range(n)]
    return [(kind, index) for _, kind, index in sorted(spread)]


def main() -> int:
    """Run; the exit status says whether all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=5000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--kind", choices=[*SHARES])
    parser.add_argument("--number", type=int)
    parser.add_argument("--first", type=int, default=0, help="Number of the first try of a kind.")
    parser.add_argument("--seed", help="Name of a seed to read undamaged; all: every one.")
    parser.add_argument("--keep", type=Path, help="Folder for the files of tries that fail.")
    parser.add_argument("--prepared", type=Path, help="Folder for what is made once.")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve, sys.stdin)
        return 0
    with tempfile.TemporaryDirectory(prefix="hostile-") as scratch:
        prepared = (given.prepared or Path(scratch)).resolve()
        prepare(prepared)
        if given.number is not None or (given.seed is not None and given.seed != "all"):
            server = Server(prepared)
            verdict = server.attempt(given.kind, given.number, given.seed, given.keep)
            server.close()
            print(f"{verdict}\n{'accepted' if verdict.accepted else 'refused'}: {verdict.said}")
            return int(bool(verdict.faults))
        wanted: list[tuple[str, int | None, str | None]] = []
        if given.seed == "all":
            wanted = [(k, None, s.name) for k, all_ in corpus.seeds().items() for s in all_]
            wanted = [w for w in wanted if given.kind in (None, w[0])]
        elif given.kind:
            numbers = range(given.first, given.first + given.tries)
            wanted = [(given.kind, number, None) for number in numbers]
        else:
            wanted = [(kind, number + given.first, None) for kind, number in tries(given.tries)]
        return summarize(_run(wanted, prepared, given.jobs, given.keep))


def _run(
    wanted: list[tuple[str, int | None, str | None]], prepared: Path, jobs: int, keep: Path | None
) -> list[Verdict]:
    waiting: queue.SimpleQueue[tuple[str, int | None, str | None]] = queue.SimpleQueue()
    for one in wanted:
        waiting.put(one)
    verdicts: list[Verdict] = []
    broken: list[BaseException] = []
    start = time.monotonic()

    def work() -> None:
        server = Server(prepared)
        try:
            while not broken:
                try:
                    kind, number, seed = waiting.get_nowait()
                except queue.Empty:
                    return
                verdict = server.attempt(kind, number, seed)
                verdicts.append(verdict)
                if verdict.faults:
                    print(f"FAILED {verdict}", flush=True)
                    if keep is not None and number is not None:
                        server.attempt(kind, number, seed, keep / f"{kind}-{number}")
                if len(verdicts) % 100 == 0:
                    print(f"{len(verdicts)} tries, {time.monotonic() - start:.0f} s", flush=True)
        except BaseException as error:
            broken.append(error)
        finally:
            server.close()

    threads = [threading.Thread(target=work) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if broken:
        raise broken[0]
    return verdicts


def summarize(verdicts: list[Verdict]) -> int:
    """Print a table of what came of each kind; the exit status."""
    groups: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        groups[verdict.kind].append(verdict)
    print(f"{'kind':10}{'tries':>7}{'accepted':>10}{'refused':>9}{'failed':>8}{'slowest':>9}")
    for kind, found in groups.items():
        accepted = sum(v.accepted for v in found)
        failed = sum(bool(v.faults) for v in found)
        slowest = max(v.seconds for v in found)
        refused = len(found) - accepted
        print(f"{kind:10}{len(found):7}{accepted:10}{refused:9}{failed:8}{slowest:8.1f}s")
    faults = Counter(fault[:100] for v in verdicts for fault in v.faults)
    for fault, count in faults.most_common():
        print(f"{count:6} {fault}")
    failed = sum(bool(v.faults) for v in verdicts)
    print(f"{len(verdicts)} tries, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
