"""Find, read and write report files in JSON."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from gatewright.errors import InputError
from gatewright.parsing.documents import read_json
from gatewright.parsing.strict import first_problem
from gatewright.report.schema import VERSION, Baseline, Report, Search, SweepReport
from gatewright.system.files import write_text

if TYPE_CHECKING:
    from collections.abc import Sequence

REPORT = "report.json"
"""File name of a report in its project directory, and of a sweep's reports together."""


@dataclass(frozen=True)
class _Part:
    """The content of a report file."""

    file: Path
    model: str
    reports: tuple[Report, ...]
    whole: bool = False  # the reports of a whole sweep
    baselines: tuple[Baseline, ...] = ()
    search: Search | None = None


def load_reports(paths: Sequence[Path]) -> SweepReport:
    """Read the reports of one model.

    Args:
        paths: each a report file; a directory that contains `report.json`; or a directory whose
            subdirectories contain one `report.json` per configuration, read in natural order of
            their names. If one of these files is the report of a whole sweep whose configurations
            the others cover, only its baselines are used, and its search if it covers exactly the
            same configurations. If there is no other file, its reports are used as well.

    Returns:
        The reports, with the baselines of all files and the search, if any.

    Raises:
        InputError: if a file is missing or is not a report; or if the reports are of several
            models, have a configuration twice, or come from two searches.
    """
    groups = _by_model(paths)
    (lead, first), *others = groups.items()
    for name, parts in others:
        raise InputError(
            f"{parts[0].file}: a report of model '{name}', but {first[0].file} is one of "
            f"'{lead}'; one table can't show two models"
        )
    return _join(first)


def load_models(paths: Sequence[Path]) -> list[SweepReport]:
    """Read the reports of one or several models, in the order of their first report.

    Args:
        paths: as in `load_reports`.

    Raises:
        InputError: as `load_reports`, but several models are allowed.
    """
    return [_join(parts) for parts in _by_model(paths).values()]


def _by_model(paths: Sequence[Path]) -> dict[str, list[_Part]]:
    """The contents of the files, by name of the model; at least one."""
    groups: dict[str, list[_Part]] = {}
    for path in paths:
        for part in _load(path):
            groups.setdefault(part.model, []).append(part)
    if not groups:
        raise InputError("no report given; name a project directory or a report.json")
    return groups


def _join(loaded: Sequence[_Part]) -> SweepReport:
    """The reports of one model.

    Configurations of one name that were cut for different targets become "name@target".
    """
    found = _told_apart([(part.file, report) for part in loaded for report in part.reports])
    files: dict[str, Path] = {}
    for file, report in found:
        if report.config.name in files:
            raise InputError(
                f"{file}: configuration '{report.config.name}' is also in "
                f"{files[report.config.name]}; name only one of these files"
            )
        files[report.config.name] = file
    searches = [part for part in loaded if part.search is not None]
    if len(searches) > 1:
        raise InputError(
            f"{searches[1].file}: from another search than {searches[0].file}; "
            "one table can't show two searches"
        )
    baselines = dict.fromkeys(one for part in loaded for one in part.baselines)
    return SweepReport(
        reports=tuple(report for _, report in found),
        baselines=tuple(baselines),
        search=searches[0].search if searches else None,
    )


def _told_apart(found: list[tuple[Path, Report]]) -> list[tuple[Path, Report]]:
    targets: dict[str, set[str | None]] = {}
    for _, report in found:
        targets.setdefault(report.config.name, set()).add(report.config.target)
    return [
        (file, _with_target(report) if len(targets[report.config.name]) > 1 else report)
        for file, report in found
    ]


def _with_target(report: Report) -> Report:
    config = report.config
    if config.target is None:
        return report
    named = config.model_copy(update={"name": f"{config.name}@{config.target}"})
    return report.model_copy(update={"config": named})


def write_json(sweep: SweepReport, path: Path, *, wall_times: bool = True) -> None:
    """Write the reports as one JSON file.

    Args:
        sweep: the reports.
        path: the file.
        wall_times: whether to write wall times, which differ between otherwise equal runs.

    Raises:
        InputError: if the file can't be written.
    """
    write_text(path, sweep.to_json(wall_times=wall_times))


def write_report(report: Report, directory: Path) -> Path:
    """Write the report of one configuration as `report.json` into its project directory.

    Raises:
        InputError: if the file can't be written.
    """
    path = directory / REPORT
    write_text(path, report.to_json())
    return path


def _load(path: Path) -> list[_Part]:
    """The contents of the report files that a path names, see `load_reports`."""
    if not path.exists():
        raise InputError(f"{path}: does not exist; name a project directory or a report.json")
    if not path.is_dir():
        return [_parse(path)]
    if (path / REPORT).is_file():
        return _load(path / REPORT)
    files = sorted(path.glob(f"*/{REPORT}"), key=lambda file: _natural(file.parent.name))
    parts = [_parse(file) for file in files]
    if not parts:
        raise InputError(
            f"{path}: no {REPORT} here or one directory below; run 'gatewright run' first, "
            "or 'convert', 'verify' and 'synth'"
        )
    single = [part for part in parts if not part.whole]
    if not single:
        return parts
    for part in parts:
        names = {
            report.config.name
            for other in single
            if other.model == part.model
            for report in other.reports
        }
        of = {report.config.name for report in part.reports}
        if part.whole and not names:
            single.append(part)
        elif part.whole and of <= names:
            single.append(replace(part, reports=(), search=part.search if of == names else None))
    return single


def _parse(path: Path) -> _Part:
    try:
        fields = read_json(path, "a Gatewright report")
        version = fields.get("version")
        if version != VERSION:
            raise InputError(
                f"{path}: not a Gatewright report: schema version {version!r:.80}, "
                f"but {VERSION} is known"
            )
        if "reports" not in fields:
            report = Report.model_validate(fields)
            return _Part(path, report.model.name, (report,))
        sweep = SweepReport.model_validate(fields)
        return _Part(path, sweep.model, sweep.reports, True, sweep.baselines, sweep.search)
    except FileNotFoundError:  # deleted in the meantime
        raise InputError(f"{path}: cannot be read (it is gone)") from None
    except ValidationError as error:
        raise InputError(f"{path}: not a Gatewright report: {first_problem(error)}") from None


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort key that puts u4 before u10."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.findall(r"\d+|\D+", name)
    ]
