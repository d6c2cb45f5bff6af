"""Accuracy against LUTs of several reports, as one figure and one table: `make fronts`.

A point is a configuration; of one that was trained from several seeds it is the mean, with a sample
standard deviation to each side. Reports of several targets, clocks or test sets are refused.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from xml.sax.saxutils import escape

from gatewright.errors import InputError
from gatewright.report.report_files import load_reports
from gatewright.report.schema import Report
from gatewright.system.files import write_text

REPORTS = Path(__file__).resolve().parents[1] / "reports"
OUTPUT = REPORTS / "digits_hgq2" / "fronts"
TITLE = "HGQ2 and QKeras on the same digits"
SERIES = (
    ("QKeras, search", REPORTS / "digits_mlp" / "search"),
    ("QKeras, chosen bits", REPORTS / "digits_mlp"),
    ("HGQ2, search", REPORTS / "digits_hgq2" / "search"),
    ("HGQ2, chosen weights of EBOPs", REPORTS / "digits_hgq2"),
)

#: A colour and a form for each series, which differ without colours, too.
STYLES = (("#0072b2", "circle"), ("#56b4e9", "ring"), ("#d55e00", "square"), ("#e69f00", "frame"))
WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 24, 92
FONT = 'font-family="sans-serif" font-size="12"'


@dataclass(frozen=True)
class Point:
    """A configuration: its accuracies and LUTs, a value for each seed."""

    config: str
    accuracies: tuple[float, ...]
    luts: tuple[int, ...]

    @property
    def place(self) -> tuple[float, float]:
        """Mean LUTs and mean accuracy."""
        return fmean(self.luts), fmean(self.accuracies)

    @property
    def spreads(self) -> tuple[float, float]:
        """Their sample standard deviations; 0 for a single seed."""
        return _spread(self.luts), _spread(self.accuracies)


@dataclass(frozen=True)
class Series:
    """The configurations of a report, by rising LUTs; and what has to be alike in all series."""

    name: str
    points: tuple[Point, ...]
    common: tuple[str, float, int]  # target, clock in ns, samples of the test set

    @property
    def joined(self) -> bool:
        """Whether a line joins the points: the front of a search over several seeds."""
        return all(len(point.luts) > 1 for point in self.points)


def read(name: str, path: Path) -> Series:
    """Read a published report.

    Raises:
        InputError: if it can't be read, or a configuration was not verified or synthesized.
    """
    sweep = load_reports([path])
    points, common = [], set()
    for report in sweep.reports:
        target, point = _point(path, report)
        points.append(point)
        assert report.accuracy is not None
        common.add((target, report.timing.clock_ns, report.accuracy.samples))
    if len(common) > 1:
        raise InputError(f"{path}: its configurations differ in target, clock or test set")
    return Series(name, tuple(sorted(points, key=lambda each: each.place)), common.pop())


def _point(path: Path, report: Report) -> tuple[str, Point]:
    target = next(iter(report.resources), "")
    seeds = (report, *report.repetitions)
    luts = [each.resources[target].lut for each in seeds if target in each.resources]
    accuracies = [each.accuracy.rtl for each in seeds if each.accuracy is not None]
    exact = all(each.verification and not each.verification.mismatches for each in seeds)
    known = [*(each for each in zip(accuracies, luts, strict=False) if None not in each)]
    if not exact or len(known) < len(seeds):
        raise InputError(f"{path}: {report.config.name}: not verified, or not synthesized")
    return target, Point(
        report.config.name,
        tuple(accuracy for accuracy in accuracies if accuracy is not None),
        tuple(lut for lut in luts if lut is not None),
    )


def _spread(values: Sequence[float]) -> float:
    return stdev(values) if len(values) > 1 else 0.0


def table(found: Sequence[Series], title: str, figure: str) -> str:
    """The page with the figure and a row for each configuration, as Markdown."""
    target, clock, samples = found[0].common
    lines = [
        f"# {title}",
        "",
        f"Target {target}, {clock:g} ns, mapped by the same flow; accuracy of the RTL on the same "
        f"{samples} samples of the test set. Of",
        "several seeds: the mean ± the sample standard deviation, and the least and the most LUTs. "
        "Written by",
        "`make fronts` from the published reports.",
        "",
        f"![Accuracy against LUTs]({figure})",
        "",
        "| trained by | config | seeds | accuracy | LUT |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for series in found:
        for point in series.points:
            luts, accuracy = point.place
            spread = f" ± {point.spreads[1]:.4f}" if len(point.luts) > 1 else ""
            most = f" ({min(point.luts):,} to {max(point.luts):,})" if spread else ""
            lines.append(
                f"| {series.name} | {point.config.replace('_', chr(92) + '_')} "
                f"| {len(point.luts)} | {accuracy:.4f}{spread} | {luts:,.0f}{most} |"
            )
    return "\n".join(lines) + "\n"


class Axes:
    """Where values are in the figure: LUTs by their logarithm, accuracy linearly."""

    def __init__(self, points: Sequence[Point]) -> None:
        luts = [lut for point in points for lut in point.luts]
        accuracies = [accuracy for point in points for accuracy in point.accuracies]
        self.luts = min(luts) / 1.1, max(luts) * 1.1
        self.accuracies = (
            math.floor(100 * min(accuracies)) / 100,
            math.ceil(100 * max(accuracies)) / 100,
        )

    def x(self, lut: float) -> float:
        """The horizontal place of a number of LUTs, in pixels."""
        low, high = map(math.log, self.luts)
        return LEFT + (math.log(lut) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(self, accuracy: float) -> float:
        """The vertical place of an accuracy, in pixels."""
        low, high = self.accuracies
        return HEIGHT - BOTTOM - (accuracy - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    def lines(self) -> Iterator[str]:
        """The grid, with its numbers and titles."""
        floor, right = HEIGHT - BOTTOM, WIDTH - RIGHT
        ticks = (m * 10**e for e in range(1, 8) for m in (1, 2, 3, 5))
        for lut in (each for each in ticks if self.luts[0] <= each <= self.luts[1]):
            yield _line(self.x(lut), TOP, self.x(lut), floor, "#ddd")
            yield _text(self.x(lut), floor + 16, f"{lut:,}", "middle")
        low, high = (round(100 * each) for each in self.accuracies)
        for percent in range(low, high + 1):
            yield _line(LEFT, self.y(percent / 100), right, self.y(percent / 100), "#ddd")
            yield _text(LEFT - 6, self.y(percent / 100) + 4, f"{percent / 100:.2f}", "end")
        yield _text((LEFT + right) / 2, floor + 34, "LUT", "middle")
        yield _text(LEFT, TOP - 8, "accuracy", "end")


def figure(found: Sequence[Series]) -> str:
    """The figure as SVG."""
    axes = Axes([point for series in found for point in series.points])
    drawn = list(axes.lines())
    for row, series in enumerate(found):
        colour, form = STYLES[row % len(STYLES)]
        places = [(axes.x(lut), axes.y(accuracy)) for lut, accuracy in _places(series)]
        if series.joined:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}"/>')
        for point, (x, y) in zip(series.points, places, strict=True):
            (lut, accuracy), (luts, accuracies) = point.place, point.spreads
            if luts:
                drawn.append(_line(axes.x(lut - luts), y, axes.x(lut + luts), y, colour))
            if accuracies:
                low, high = axes.y(accuracy - accuracies), axes.y(accuracy + accuracies)
                drawn.append(_line(x, low, x, high, colour))
            drawn.append(_mark(x, y, colour, form, f"{series.name}: {point.config}"))
        at = LEFT + (row % 2) * (WIDTH - LEFT) / 2, HEIGHT - 34 + row // 2 * 20
        drawn += [_mark(*at, colour, form, series.name), _text(at[0] + 12, at[1] + 4, series.name)]
    body = "\n".join(drawn)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}">\n<rect width="100%" height="100%" fill="#fff"/>\n'
        f"{body}\n</svg>\n"
    )


def _places(series: Series) -> list[tuple[float, float]]:
    return [point.place for point in series.points]


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{colour}"/>'


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {FONT}>{escape(text)}</text>'


def _mark(x: float, y: float, colour: str, form: str, title: str) -> str:
    fill = colour if form in ("circle", "square") else "#fff"
    shape = (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5"'
        if form in ("circle", "ring")
        else f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8"'
    )
    end = f"<title>{escape(title)}</title></{shape[1 : shape.index(' ')]}>"
    return f'{shape} fill="{fill}" stroke="{colour}" stroke-width="1.5">{end}'


def write(output: Path, title: str, given: Sequence[tuple[str, Path]]) -> None:
    """Write figure and table.

    Args:
        output: Their path without the endings.
        title: The page's title.
        given: The name and the report of each series.

    Raises:
        InputError: if a report is unfit, or they differ in target, clock or test set.
    """
    found = [read(name, path) for name, path in given]
    if len({series.common for series in found}) > 1:
        raise InputError("the reports differ in target, clock or test set")
    write_text(output.with_suffix(".svg"), figure(found))
    write_text(output.with_suffix(".md"), table(found, title, f"{output.name}.svg"))


def main() -> None:
    """Write figure and table of the published reports."""
    try:
        write(OUTPUT, TITLE, SERIES)
    except InputError as error:
        sys.exit(f"benchmarks.fronts: {error}")


if __name__ == "__main__":
    main()
