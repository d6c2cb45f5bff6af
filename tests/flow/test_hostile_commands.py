"""Every command with hostile values of every argument and option: one line, nothing left behind."""

import os
import shutil
import signal
import socket
import stat
from pathlib import Path

import pytest
import typer
from made_up_reports import utilization

from gatewright.cli import commands as cli
from gatewright.errors import InputError

MODELS = Path(__file__).parents[2] / "models"

#: Per command, arguments that are right, given files of the fixture `place`.
RIGHT = {
    "convert": ["net.json", "--weights", "net_weights.h5", "-o", "out"],
    "quantize": ["net.h5", "--bits", "6", "-o", "q.h5"],
    "estimate": ["net.json", "--weights", "net_weights.h5"],
    "verify": ["project"],
    "fifos": ["project"],
    "synth": ["project", "--target", "xcup"],
    "import-report": ["net.rpt", "--output", "project"],
    "vendor": ["project", "--tool", "vivado"],
    "fmax": ["project", "--target", "ecp5-85k"],
    "cost": ["project"],
    "report": ["project"],
    "run": [str(MODELS / "digits_mlp")],
    "explore": [str(MODELS / "digits_mlp")],
    "layers": [],
    "doctor": [],
    "cache": [],
    "frontend add": ["hgq2"],
    "frontend list": [],
    "frontend remove": ["hgq2"],
    "frontend program": ["net.h5", "--class", "net.rpt:Net", "--shape", "4", "-o", "out.pt2"],
}


def commands(group, before=""):
    """The commands by name, those of groups with the group's name before theirs."""
    found = {}
    for name, command in group.commands.items():
        inner = hasattr(command, "commands")
        found |= commands(command, f"{before}{name} ") if inner else {before + name: command}
    return found


COMMANDS = commands(typer.main.get_command(cli.app))

HOSTILE = {
    "negative": "-1",
    "zero": "0",
    "huge": "1e300",
    "tiny": "1e-300",
    "subnormal": "1e-308",
    "nan": "nan",
    "infinite": "inf",
    "minus-infinite": "-inf",
    "beyond-32-bits": "4294967296",
    "beyond-64-bits": "9" * 31,
    "beyond-python": "9" * 5000,
    "other-digits": "\uff11\uff12",
    "text": "x",
    "steering": "\x1b[31mred\x07",
    "turning": "\u202egnp.exe",
    "two-lines": "a\ngatewright: b",
    "markup": "[red]x[/red]",
    "half-a-character": "a\udc80",
    "assignment": "x.y=" + "9" * 5000,
    "types": "fixed<99999999999,6>",
    "wide-type": "fixed<8," + "9" * 5000 + ">",
    "setting-type": "fc1.precision.result=fixed<99999999999,6>",
    "setting-table": "fc1.table_size=1099511627776",
    "setting-reuse": "fc1.reuse_factor=" + "9" * 31,
    "layer-bits": "fc1=" + "9" * 31,
    "budget-nan": "lut=nan",
    "budget-infinite": "lut<=1e999",
    "path-up": "../../x",
    "root": "/",
    "long": "x" * 5000,
    "nul": "a\0b",
    "empty": "",
    "blank": " ",
}


def options(kind):
    """(command, option) where an option takes text or numbers, or paths."""
    found = []
    for command, parsed in COMMANDS.items():
        for option in parsed.params:
            if option.param_type_name != "option" or option.is_flag:
                continue
            is_path = option.type_descriptor.annotation is Path
            if is_path == (kind == "path"):
                found.append((command, option.opts[-1]))
    return found


def test_every_command_is_tried():
    assert set(COMMANDS) <= set(RIGHT)
    assert len(options("value")) > 20 and len(options("path")) > 10


@pytest.fixture(autouse=True)
def no_hang():
    """A command that waits for ever fails its test."""

    def fail(*_):
        raise AssertionError("it hangs")

    previous = signal.signal(signal.SIGALRM, fail)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)


@pytest.fixture(scope="module")
def float_model(tmp_path_factory):
    """An `.h5` of a small float network; whether it is whole is not asked here."""
    import h5py

    path = tmp_path_factory.mktemp("float") / "net.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = "{}"
    return path


@pytest.fixture
def place(converted, float_model, tmp_path, monkeypatch):
    """The folder that commands run in."""
    folder = tmp_path / "place"
    shutil.copytree(converted, folder)
    shutil.copy(float_model, folder)
    (folder / "net.rpt").write_text(utilization(top="net"), encoding="utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GATEWRIGHT_CACHE", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def reached(monkeypatch):
    """Stands where the long work of each command begins: what is wrong is said before."""

    def work(*_, **__):
        raise InputError("reached the work")

    for module in (
        *("convert", "verify", "fifos", "synthesize", "import_reports", "place", "fmax"),
        "software",
    ):
        monkeypatch.setattr(f"gatewright.flow.{module}.run_step", work)
    monkeypatch.setattr("gatewright.flow.estimate.read_design", work)
    monkeypatch.setattr("gatewright.compress.quantize_files._quantize", work)
    monkeypatch.setattr("gatewright.explore.local.LocalEngine.submit", work)


@pytest.fixture
def run(capsys, place):
    """Runs a command; checks what all of them keep to; gives its line on stderr, if any."""

    known = None

    def run(*arguments):
        nonlocal known
        before = known or listing(place)
        with pytest.raises(SystemExit) as ended:
            cli.main([*arguments[0].split(), *arguments[1:]])
        captured = capsys.readouterr()
        status, err = ended.value.code or 0, captured.err
        if status:
            assert status in (1, 2)
            *progress, last = err.split("\n")[:-1]
            assert last.startswith("gatewright: ") and len(last) < 800, err
            assert not any(line.startswith("gatewright: ") for line in progress), err
            known = listing(place)
            assert known == before
        else:
            known = None
            assert "gatewright: " not in err
        assert "Traceback" not in err and "internal error" not in err, err
        for text in (err, captured.out):
            assert all(line.isprintable() for line in text.split("\n")), text
        return status, err

    return run


def listing(folder):
    """Names, kinds and sizes of all that is in a folder, but not in its reports."""
    there = ((str(path), path.lstat()) for path in folder.rglob("*") if path.name != "report.json")
    return sorted((path, at.st_mode, at.st_size) for path, at in there if stat.S_ISREG(at.st_mode))


@pytest.mark.parametrize(("command", "option"), options("value"))
def test_values_of_options(run, reached, command, option):
    for name, value in HOSTILE.items():
        status, err = run(command, *RIGHT[command], option, value)
        if name in ("empty", "blank"):
            assert status == 2 and f"{option}: is empty" in err
        if name == "nul":
            assert status == 2 and "NUL" in err


@pytest.mark.parametrize(("command", "option"), options("path"))
@pytest.mark.parametrize("value", ["empty", "blank", "nul", "long"])
def test_names_that_no_file_has(run, reached, command, option, value):
    status, err = run(command, *RIGHT[command], option, HOSTILE[value])
    assert status == 2 and "reached" not in err


SYNTH_POWER = ["project", "--target", "osu018", "--power"]

#: Where a command reads a file: its arguments, `None` standing for the file's path.
READ = {
    "convert-model": ("convert", [None, "--weights", "net_weights.h5", "-o", "out"]),
    "convert-weights": ("convert", ["net.json", "--weights", None, "-o", "out"]),
    "convert-preset": ("convert", [*RIGHT["convert"], "--preset", None]),
    "convert-hls-config": ("convert", [*RIGHT["convert"], "--hls-config", None]),
    "convert-data": ("convert", [*RIGHT["convert"], "--data", None]),
    "convert-target": ("convert", [*RIGHT["convert"], "--target", None]),
    "estimate-model": ("estimate", [None, *RIGHT["estimate"][1:]]),
    "estimate-weights": ("estimate", ["net.json", "--weights", None]),
    "estimate-preset": ("estimate", [*RIGHT["estimate"], "--preset", None]),
    "estimate-target": ("estimate", [*RIGHT["estimate"], "--target", None]),
    "quantize-model": ("quantize", [None, *RIGHT["quantize"][1:]]),
    "quantize-weights": ("quantize", [*RIGHT["quantize"], "--weights", None]),
    "quantize-data": ("quantize", [*RIGHT["quantize"], "--data", None]),
    "verify-inputs": ("verify", ["project", "--inputs", None]),
    "fifos-inputs": ("fifos", ["project", "--inputs", None]),
    "synth-target": ("synth", ["project", "--target", None]),
    "synth-inputs": ("synth", [*SYNTH_POWER, "--inputs", None]),
    "import-report": ("import-report", [None]),
    "import-report-project": ("import-report", ["net.rpt", "--output", None]),
    "vendor-board": ("vendor", ["project", "--board", None]),
    "report": ("report", [None]),
    "report-against": ("report", ["project", "--against", None]),
    "report-prices": ("report", ["project", "--prices", None]),
    "cost-prices": ("cost", ["project", "--prices", None]),
    "program": ("frontend program", [None, *RIGHT["frontend program"][1:]]),
    "run": ("run", [None]),
    "run-target": ("run", [*RIGHT["run"], "--target", None]),
    "explore": ("explore", [None]),
}
#: Where it writes a file, or a folder.
WRITTEN_FILES = {
    "quantize": ("quantize", ["net.h5", "--bits", "6", "-o", None]),
    **{
        f"report-{kind}": ("report", ["project", f"--{kind}", None])
        for kind in ("html", "json", "csv", "markdown")
    },
    "cost-csv": ("cost", ["project", "--csv", None]),
    "program": ("frontend program", [*RIGHT["frontend program"][:-2], "--output", None]),
}
WRITTEN_FOLDERS = {
    "convert": ("convert", [*RIGHT["convert"][:-1], None]),
    **{
        f"{command}{option}": (command, [*RIGHT[command], option, None])
        for command, option in (
            ("run", "--output"),
            ("run", "--publish"),
            ("explore", "--output"),
            ("explore", "--publish"),
            ("explore", "--store"),
        )
    },
}


def test_every_path_is_tried():
    tried = {
        (command, arguments[arguments.index(None) - 1])
        for uses in (READ, WRITTEN_FILES, WRITTEN_FOLDERS)
        for command, arguments in uses.values()
    }
    tried |= {(command, "--output") for command, option in tried if option == "-o"}
    assert set(options("path")) <= tried


def odd_place(kind, folder, suffix):
    """Something at a path that is neither a file nor a folder of our making."""
    path = folder / f"odd{suffix}"
    match kind:
        case "directory":
            path.mkdir()
        case "file":
            path.write_text("hello")
        case "pipe":
            os.mkfifo(path)
        case "endless":
            path.symlink_to("/dev/zero")
        case "full":
            path.symlink_to("/dev/full")
        case "socket":
            with socket.socket(socket.AF_UNIX) as made:
                made.bind(path.name)
        case "loop":
            path.symlink_to(path.name)
        case "below-a-file":
            (folder / "file").write_text("")
            path = folder / "file" / path.name
        case "long":
            path = folder / f"{'x' * 300}{suffix}"
        case "two-lines":
            path = folder / f"a\ngatewright: b{suffix}"
        case "steering":
            path = folder / f"\x1b[31m[red]{suffix}"
        case "half-a-character":
            path = folder / f"a\udc80{suffix}"
    return path


ODD = ["directory", "pipe", "endless", "full", "socket", "loop", "below-a-file", "long"]
ODD_NAMES = ["two-lines", "steering", "half-a-character"]


def filled(arguments, path, place):
    return [str(path.relative_to(place)) if one is None else one for one in arguments]


@pytest.mark.parametrize("use", READ)
@pytest.mark.parametrize("kind", [*ODD, *ODD_NAMES])
def test_what_is_no_file_to_read(run, reached, place, use, kind):
    command, arguments = READ[use]
    yaml = (
        *("convert-preset", "convert-target", "synth-target", "run-target", "vendor-board", "run"),
        *("report-prices", "cost-prices"),
    )
    suffix = ".yaml" if use in yaml else ".h5"
    path = odd_place(kind, place, suffix)
    status, err = run(command, *filled(arguments, path, place))
    assert status == 2 and "reached" not in err


@pytest.mark.parametrize("use", WRITTEN_FILES)
@pytest.mark.parametrize("kind", ODD)
def test_what_no_file_can_be_written_to(run, reached, place, use, kind):
    command, arguments = WRITTEN_FILES[use]
    status, err = run(command, *filled(arguments, odd_place(kind, place, ".h5"), place))
    assert status == 2 and "reached" not in err


@pytest.mark.parametrize("use", WRITTEN_FOLDERS)
@pytest.mark.parametrize("kind", ["file", *ODD[1:]])
def test_what_no_folder_can_be_made_at(run, reached, place, use, kind):
    command, arguments = WRITTEN_FOLDERS[use]
    status, err = run(command, *filled(arguments, odd_place(kind, place, ""), place))
    assert status == 2 and "reached" not in err


@pytest.mark.parametrize("use", [*WRITTEN_FILES, *WRITTEN_FOLDERS])
@pytest.mark.parametrize("kind", ODD_NAMES)
def test_odd_names_steer_nothing(run, reached, place, use, kind):
    command, arguments = {**WRITTEN_FILES, **WRITTEN_FOLDERS}[use]
    run(command, *filled(arguments, odd_place(kind, place, ".h5"), place))


#: Bounds that messages must name.
BOUNDS = [
    (("verify", "--seed", "-1"), "greater than or equal to 0"),
    (("verify", "--samples", "9" * 31), "less than or equal to 1000000000"),
    (("verify", "--samples", "0"), "greater than or equal to 1"),
    (("fifos", "--samples", "1"), "greater than or equal to 2"),
    (("convert", "--fps", "1e-308"), "from 0.001 to 1e+12"),
    (("convert", "--fps", "nan"), "from 0.001 to 1e+12"),
    (("convert", "--clock", "1e-300"), "from 0.01 to 1e+06 ns"),
    (("convert", "--clock", "inf"), "from 0.01 to 1e+06 ns"),
    (("convert", "--target-ii", "9" * 31), "from 1 to 2147483647"),
    (("convert", "--pixels-per-clock", "0"), "pixels per clock 0: must be from 1 to"),
    (("convert", "--bus-width", "48"), "choose from 32, 64, 128, 256, 512"),
    (("convert", "--reuse", "9" * 31), "from 1 to 2147483647"),
    (("convert", "--precision", "fixed<99999999999,6>"), "from 1 to 1024 bits"),
    (("convert", "--precision", "fixed<6,99999999999>"), "from -4096 to 4096"),
    (("convert", "--input-precision", "int<0>"), "from 1 to 1024 bits"),
    (("convert", "--input-precision", "fixed<\uff18,3>"), "is not a fixed-point type"),
    (("convert", "--set", "fc1.table_size=1099511627776"), "must be at most 1048576"),
    (("convert", "--set", f"fc1.reuse_factor={'9' * 31}"), "must be at most 2147483647"),
    (("synth", "--jobs", "0"), "greater than or equal to 1"),
    (("synth", "--jobs", "1000000000"), "less than or equal to 1024"),
    (("synth", "--target", "../presets/default"), "does not exist; choose from cyclonev, ecp5"),
    (("convert", "--preset", "../targets/xcup"), "does not exist; choose from"),
    (("run", "--jobs", "-1"), "greater than or equal to 1"),
    (("explore", "--memory", "nan"), "less than or equal to 1000000"),
    (("explore", "--memory", "1e300"), "less than or equal to 1000000"),
    (("explore", "--trials", "9" * 31), "trials"),
    (("import-report", "--stage", "late"), "choose from synthesized, placed, routed"),
    (("vendor", "--limit", "nan"), "less than or equal to 10000000"),
    (("report", "--budget", "lut=nan"), "is not a number"),
    (("cost", "--batch", "0"), "greater than or equal to 1"),
    (("cost", "--seconds", "inf"), "less than or equal to 3600"),
    (("quantize", "--max-loss", "nan"), "a share of samples"),
]


@pytest.mark.parametrize(("arguments", "words"), BOUNDS, ids=lambda value: str(value)[:60])
def test_bounds_are_named(run, reached, arguments, words):
    command, *rest = arguments
    status, err = run(command, *RIGHT[command], *rest)
    assert status == 2 and words in err, err
