"""What a search did, in words, and the trials that failed, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatewright.report.table import filled, numbers, texts

if TYPE_CHECKING:
    from gatewright.report.schema import Search
    from gatewright.report.table import Entry


def search_facts(search: Search) -> list[tuple[str, str]]:
    """What was searched for and how, and what became of the trials: names and their text."""
    tool = " ".join(part for part in (search.tool, search.version) if part)
    seed = "" if search.seed is None else f"seed {search.seed}"
    stopped = sum(search.stopped.values())
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in search.stopped.items())
    facts = [
        ("sampler", ", ".join(part for part in (search.sampler, tool, seed) if part)),
        ("objectives", ", ".join(search.objectives)),
        ("constraints", ", ".join(search.constraints)),
        (
            "trials",
            f"{search.trials:,}: {search.completed:,} completed, "
            f"{stopped:,} stopped early, {len(search.failed):,} failed",
        ),
        ("stopped early", reasons),
    ]
    return [(name, text) for name, text in facts if text]


def failure_table(search: Search) -> list[Entry]:
    """A row per trial that failed; empty where none did."""
    failed = search.failed
    return filled(
        [
            numbers("trial", [trial.number for trial in failed]),
            texts("config", [trial.config for trial in failed]),
            texts("error", [trial.error for trial in failed]),
        ]
    )
