"""Projects for vendor tools, beside the RTL of a project directory."""

import json

import pytest
import yaml
from test_drivers import install

from gatewright.cli import main
from gatewright.errors import DesignFailure, InputError
from gatewright.flow.convert import load_rtl
from gatewright.flow.summary import summarize
from gatewright.flow.vendor_projects import run_vendor_tools, write_vendor_projects
from gatewright.vendor.projects.boards import load_board


def written(project):
    folder = project / "vendor"
    files = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.*")}
    (core,) = project.glob("*.core")
    return files | {"core": core.read_text()}


def test_all_tools_with_default_devices(project):
    made = write_vendor_projects(project)
    assert list(made) == ["quartus", "radiant", "vitis_hls", "vivado"]
    top = load_rtl(project).top
    files = written(project)
    assert {
        *("rtl.f", "clock.xdc", "clock.sdc", "vivado/out_of_context.tcl", "vivado/board.tcl"),
        *("vivado/board.xdc", "quartus/out_of_context.tcl", "quartus/board.sdc"),
        *("vitis_hls/csynth.tcl", "radiant/out_of_context.tcl", f"radiant/{top}_board.sv"),
    } < set(files)
    assert "set part xcvu13p-flga2577-2-e" in files["vivado/project.tcl"]  # that of its target
    for line in files["rtl.f"].splitlines():
        assert (project / "vendor" / line).is_file()
    for name in yaml.safe_load(files["core"])["filesets"]["rtl"]["files"]:
        assert (project / name).is_file()
    write_vendor_projects(project)
    assert written(project) == files


def test_one_tool_leaves_the_others_as_they_are(project):
    write_vendor_projects(project)
    before = written(project)
    write_vendor_projects(project, ["vivado"], part="xcku5p-ffva676-1-e")
    changed = {name for name, text in written(project).items() if before[name] != text}
    assert changed == {"vivado/project.tcl"}


@pytest.mark.parametrize(
    ("tools", "options", "words"),
    [
        (["vivado", "quartus"], {"part": "xcku5p"}, "--part and --board apply to one tool"),
        (["quartus"], {"board": "basys3"}, "Digilent Basys 3 is built with vivado, not with quart"),
        (["vivado"], {"board": "basys3", "part": "xcku5p"}, "the Digilent Basys 3 has xc7a35tcpg2"),
    ],
)
def test_refused(project, tools, options, words):
    if "board" in options:
        options = options | {"board": load_board(options["board"])}
    with pytest.raises(InputError, match=words):
        write_vendor_projects(project, tools, **options)
    assert not (project / "vendor").exists()


def test_nothing_is_written_elsewhere(project, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (project / "vendor").symlink_to(elsewhere)
    write_vendor_projects(project)
    assert (project / "vendor" / "rtl.f").is_file()
    assert not list(elsewhere.iterdir())


def test_a_board_that_is_too_fast(project):
    manifest = project / "rtl" / "project.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"clock_ns": 12.5}))
    with pytest.raises(InputError, match=r"a clock of 10 ns, but .* cut for 12\.5; convert with"):
        write_vendor_projects(project, ["vivado"], board=load_board("basys3"))


def test_command(project, capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["vendor", str(project), *arguments])
        return ended.value.code or 0, capsys.readouterr()

    status, captured = run("--board", "de10-lite")
    assert status == 0
    assert captured.err == f"{project}/vendor/quartus: written, for 10M50DAF484C7G\n"
    status, captured = run("--tool", "vivado", "--tool", "quartus", "--json")
    assert json.loads(captured.out) == {
        "vivado": "xcvu13p-flga2577-2-e",
        "quartus": "5CGXFC9E7F35C8",
    }
    assert run("--tool", "ise")[0] == 2


@pytest.fixture
def mocks(tmp_path, monkeypatch):
    """Puts mocks of tools on PATH."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")

    def mocks(**behaviours):
        for program, behaviour in behaviours.items():
            install(tmp_path / "bin", program.replace("_run", "-run"), behaviour)

    return mocks


def test_runs_are_attached(project, mocks, capsys):
    mocks(vivado="works", vitis_run="works")
    with pytest.raises(SystemExit) as ended:
        main(["vendor", str(project), "--run"])
    assert not ended.value.code
    out = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in out] == [
        "vitis_hls-estimated",
        "vivado-synthesized",
        "vivado-placed",
        "vivado-routed",
    ]
    report = summarize(project)
    assert report.vendor["vivado-routed"].slack_ns == 0.312
    assert report.provenance.groups["vendor.vivado-placed"].details.startswith("after placement")


def test_a_failed_run_attaches_nothing(project, mocks):
    mocks(vivado="fails")
    with pytest.raises(DesignFailure, match="it does not fit"):
        run_vendor_tools(project, ["vivado"])
    assert summarize(project).vendor == {}


def test_a_run_of_another_design_is_refused(project, mocks):
    mocks(vitis_run="another")
    with pytest.raises(InputError, match="about the design 'another'"):
        run_vendor_tools(project, ["vitis_hls"])


def test_rtl_that_reaches_out_is_not_given_to_a_tool(project, mocks):
    mocks(vivado="works")
    path = project / "rtl" / load_rtl(project).files[0]
    path.write_text(path.read_text() + 'module m; initial $system("x"); endmodule\n')
    with pytest.raises(InputError, match="is refused: RTL must not reach outside"):
        run_vendor_tools(project, ["vivado"])


def test_cpp_that_hls4ml_does_not_write_is_not_given_to_a_tool(project, mocks):
    mocks(vitis_run="works")
    path = project / "hls" / "firmware" / f"{load_rtl(project).top}.cpp"
    path.write_text(path.read_text() + '#include "/etc/passwd"\n')
    with pytest.raises(InputError, match=path.name):
        run_vendor_tools(project, ["vitis_hls"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--run"], "--run: none of quartus, radiant, vitis_hls, vivado is on PATH"),
        (["--run", "--board", "basys3"], "--run is out of context"),
        (["--until", "placed"], "--until and --limit are for running tools; add --run"),
    ],
)
def test_runs_refused(project, mocks, capsys, arguments, words):
    with pytest.raises(SystemExit) as ended:
        main(["vendor", str(project), *arguments])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err
