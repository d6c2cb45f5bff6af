"""Shows the progress of a search.

A worker writes what it does to a small file in the store's folder, which all processes and machines
share. The search reads the files of the running trials.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewright.explore.outcome import Outcome, front
from gatewright.system.console import console, duration, plain, say
from gatewright.system.files import locked

if TYPE_CHECKING:
    from rich.console import RenderableType

    from gatewright.explore.outcome import Trial
    from gatewright.explore.space import Search


class Note:
    """A file that says what a worker is doing. Errors of writing are ignored.

    Args:
        path: The file; None for no file.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def say(self, step: str) -> None:
        """Write the current step."""
        self._write({"step": step})

    def count(self, step: str, done: int, total: int) -> None:
        """Write the progress of the current step."""
        self._write({"step": step, "done": done, "total": total})

    def remove(self) -> None:
        """Remove the file when the work is done."""
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)

    def _write(self, fields: dict[str, Any]) -> None:
        if self._path is not None:
            with contextlib.suppress(OSError):
                temporary = self._path.with_suffix(".new")
                temporary.write_text(json.dumps(fields), encoding="utf-8")
                temporary.replace(self._path)


@contextmanager
def notes_folder(store: Path) -> Iterator[Path]:
    """A folder in a store for the notes of a search; removes folders of killed searches.

    A search locks its folder, so an unlocked folder belongs to a search that was killed.
    """
    above = store / "progress"
    above.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        with locked(above):
            for folder in above.iterdir():
                with contextlib.suppress(OSError), locked(folder, wait=False) as left:
                    if left:
                        shutil.rmtree(folder, ignore_errors=True)
            folder = Path(tempfile.mkdtemp(dir=above))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            stack.enter_context(locked(folder))
        yield folder


class Watch:
    """Shows a search on stderr: bars on a terminal, else a line for each trial.

    Args:
        search: The search.
        title: The name to show for it.
        folder: The folder of the workers' notes, each in a file named after the task.
    """

    def __init__(self, search: Search, title: str, folder: Path) -> None:
        self._search, self._title, self._folder = search, title, folder
        self._start = time.monotonic()
        self._running: list[str] = []
        self._ran = 0
        self._finished: tuple[int, int] | None = None
        self._told: list[Trial] = []
        self._live: Any = None

    def __enter__(self) -> Watch:
        if sys.stderr.isatty():
            from rich.live import Live

            self._live = Live(self, console=console(stderr=True), refresh_per_second=2)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def note(self, name: str) -> Path:
        """Start a task with this name, such as a trial, and return the file for its note."""
        self._running.append(name)
        return self._folder / f"{name}.json"

    def finished(self, done: int, total: int) -> None:
        """Show how many networks of the front are verified and synthesized."""
        self._finished = (done, total)
        if self._live is None and done:
            self.say(f"front: {done} of {total} verified and synthesized")

    def ended(self, told: list[Trial]) -> None:
        """Show that another trial has ended; `told` are all trials so far, in order."""
        self._told = list(told)
        trial = told[-1]
        ran = trial.name in self._running
        if ran:
            self._running.remove(trial.name)
            self._ran += 1
        if self._live is None:
            known = "" if ran else " (from the store)"
            self.say(f"trial {trial.number}: {describe(self._search, trial.outcome)}{known}")

    def synthesized(self, trial: Trial) -> None:
        """Show that a trial has ended that was stopped by its estimate before."""
        if trial.name in self._running:
            self._running.remove(trial.name)
        self.say(f"trial {trial.number}, synthesized: {describe(self._search, trial.outcome)}")

    def say(self, what: str) -> None:
        """Show a line."""
        if self._live is not None:
            from rich.text import Text

            self._live.console.print(Text(plain(what)))
            return
        elapsed = time.monotonic() - self._start
        count = f"[{len(self._told)}/{self._search.trials}]"
        say(f"{count} {elapsed:4.0f} s  {self._title}: {what}{self._left()}")

    def _left(self) -> str:
        """The estimated time left, from the trials that were not in the store."""
        left = self._search.trials - len(self._told)
        if not self._ran or not left:
            return ""
        seconds = left * (time.monotonic() - self._start) / self._ran
        return f"; about {duration(seconds)} left"

    def __rich__(self) -> RenderableType:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        search = self._search
        bars = Table.grid(padding=(0, 1))
        done, elapsed = len(self._told), duration(time.monotonic() - self._start)
        bars.add_row(
            self._title,
            ProgressBar(search.trials, done, width=30),
            f"{done}/{search.trials} trials, {elapsed}{self._left()}",
        )
        if self._finished is not None:
            ready, all_of_it = self._finished
            state = f"{ready}/{all_of_it} verified and synthesized"
            bars.add_row("front", ProgressBar(all_of_it, ready, width=30), state)
        for name in self._running:
            fields = self._read(name)
            if fields is not None:
                total, so_far = fields.get("total"), fields.get("done", 0)
                of = f" {so_far}/{total}" if total else ""
                bars.add_row(
                    f"  {name}",
                    ProgressBar(total, so_far, width=30) if total else "",
                    f"{fields['step']}{of}",
                )
        best = Table(box=None, padding=(0, 2, 0, 0), title_justify="left")
        best.add_column("front so far")
        for name in search.objectives:
            best.add_column(name, justify="right")
        for trial in front(search, self._told):
            values = (_number(trial.outcome.figures[name]) for name in search.objectives)
            best.add_row(trial.name, *values)
        return Group(bars, best)

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            fields = json.loads((self._folder / f"{name}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return fields if isinstance(fields, dict) and "step" in fields else None


def describe(search: Search, outcome: Outcome) -> str:
    """The outcome of a trial in one line."""
    if outcome.state == "failed":
        return f"failed: {outcome.error}"
    if outcome.state == "stopped":
        return f"stopped early: {outcome.reason}{_estimates(search, outcome)}"
    return ", ".join(f"{name} {_number(outcome.figures[name])}" for name in search.objectives)


def _estimates(search: Search, outcome: Outcome) -> str:
    """The estimated objectives of a trial that was stopped by its estimate."""
    if outcome.reason != "estimate":
        return ""
    found = [name for name in search.objectives if name in outcome.expected]
    return "".join(f", {name} about {_number(outcome.expected[name])}" for name in found)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.4g}"
