"""Projects for vendor tools: their Tcl runs, and orders what it should; their wrapper works."""

import dataclasses
import shutil
import subprocess

import pytest
import yaml
from made_up_design import make_design
from tools import build_bench, verilator

from gatewright.errors import InputError
from gatewright.simulate.verilator import lint
from gatewright.vendor.projects.boards import board_names, load_board
from gatewright.vendor.projects.devices import (
    DEFAULT_PARTS,
    PROJECT_TOOLS,
    check_part,
    parse_tool,
    quartus_family,
    radiant_performance,
)
from gatewright.vendor.projects.files import VendorProject, core_file, project_files, shared_files
from gatewright.vendor.projects.ip import ip_module, ip_name
from gatewright.vendor.projects.wrapper import wrapper, wrapper_name

#: The commands of the tools that scripts call; what is not among them fails as in the tool.
COMMANDS = {
    "vivado": "read_verilog read_xdc synth_design opt_design place_design route_design "
    "report_utilization report_timing_summary report_power write_checkpoint write_bitstream",
    "quartus": "load_package project_new set_global_assignment set_instance_assignment "
    "set_location_assignment execute_flow project_close",
    "vitis_hls": "open_project set_top add_files open_solution config_compile set_part "
    "config_schedule create_clock set_clock_uncertainty csynth_design",
    "radiant": "prj_create prj_add_source prj_set_impl_opt prj_set_strategy_value prj_save prj_run "
    "prj_close",
    "constraints": "create_clock set_input_delay set_output_delay set_false_path set_max_delay "
    "get_clocks set_property derive_clock_uncertainty",
}

needs_tcl = pytest.mark.skipif(shutil.which("tclsh") is None, reason="tclsh is not installed")


@pytest.fixture
def project(tmp_path):
    return make_design(tmp_path / "project" / "rtl")


def write(project, tool, part=None, board=None):
    """Write a tool's project, and what is shared; gives its folder."""
    vendor = project.directory.parent / "vendor"
    made = VendorProject(project, tool, part or DEFAULT_PARTS[tool], board)
    folder = vendor / tool
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in project_files(made).items():
        (folder / name).write_text(text)
    for name, text in shared_files(project).items():
        (vendor / name).write_text(text)
    return folder


def run_tcl(script, kind, *arguments, extra=""):
    """Run a script with stubs for a tool's commands; gives the calls, one per line, and stderr."""
    root = script.parents[2]
    stubs = "".join(
        f"proc {name} {{args}} {{ puts [list {name} {{*}}$args] }}\n"
        for name in [*COMMANDS[kind].split(), "get_ports"]
    )
    main = root / "main.tcl"
    main.write_text(f"{stubs}{extra}\nset argv0 x\nsource {{{script}}}\n")
    done = subprocess.run(
        ["tclsh", main, *arguments], cwd=root, capture_output=True, text=True, check=False
    )
    return done.stdout.replace(f"{root}/", "").splitlines(), done.stderr


@needs_tcl
def test_vivado_out_of_context(project):
    folder = write(project, "vivado")
    calls, errors = run_tcl(folder / "out_of_context.tcl", "vivado")
    assert errors == ""
    reports = "vendor/vivado/reports"

    def reported(stage):
        return [
            f"report_{kind} -file {reports}/{stage}_{kind}.rpt"
            for kind in ("utilization", "timing_summary", "power")
        ]

    assert calls == [
        "read_verilog -sv rtl/net.sv",
        "read_xdc -mode out_of_context vendor/clock.xdc",
        "synth_design -top net -part xcvu13p-flga2577-2-e -mode out_of_context",
        *reported("synthesized"),
        "opt_design",
        "place_design",
        *reported("placed"),
        "route_design",
        *reported("routed"),
        f"write_checkpoint -force {reports}/routed.dcp",
    ]
    assert (folder / "reports" / "finished").read_text() == "routed\n"


@needs_tcl
def test_vivado_stops_where_it_is_told(project):
    script = write(project, "vivado") / "out_of_context.tcl"
    calls, _ = run_tcl(script, "vivado", "synthesized")
    assert calls[-1].startswith("report_power") and "opt_design" not in calls
    assert (script.parent / "reports" / "finished").read_text() == "synthesized\n"
    _, errors = run_tcl(script, "vivado", "bitstream")
    assert "until 'bitstream': choose from synthesized, placed, routed" in errors


@needs_tcl
def test_a_script_that_fails_leaves_no_mark(project):
    script = write(project, "vivado") / "out_of_context.tcl"
    run_tcl(script, "vivado")
    _, errors = run_tcl(script, "vivado", extra="proc route_design {} { error {no route} }")
    assert "no route" in errors
    assert not (script.parent / "reports" / "finished").exists()


@needs_tcl
def test_vivado_on_a_board(project):
    folder = write(project, "vivado", "xc7a35ticsg324-1L", load_board("arty-a7-35"))
    calls, errors = run_tcl(folder / "board.tcl", "vivado")
    assert errors == ""
    assert "read_verilog -sv vendor/vivado/net_board.sv" in calls
    assert "synth_design -top net_board -part xc7a35ticsg324-1L" in calls
    assert calls[-1] == "write_bitstream -force vendor/vivado/board/net_board.bit"
    calls, errors = run_tcl(folder / "board.xdc", "constraints")
    assert errors == ""
    assert "create_clock -name clk -period 10.000 {}" in calls
    assert "set_property -dict {PACKAGE_PIN E3 IOSTANDARD {LVCMOS33}} {}" in calls


@needs_tcl
def test_without_a_board_there_is_no_bitstream(project):
    calls, errors = run_tcl(write(project, "vivado") / "board.tcl", "vivado")
    assert errors == "" and not any("bitstream" in call for call in calls)


@needs_tcl
def test_quartus_out_of_context(project):
    folder = write(project, "quartus")
    calls, errors = run_tcl(folder / "out_of_context.tcl", "quartus")
    assert errors == ""
    setting = "set_global_assignment -name"
    assert [call for call in calls if "VIRTUAL" not in call] == [
        "load_package flow",
        "project_new -overwrite net",
        f"{setting} FAMILY {{Cyclone V}}",
        f"{setting} DEVICE 5CGXFC9E7F35C8",
        f"{setting} TOP_LEVEL_ENTITY net",
        f"{setting} PROJECT_OUTPUT_DIRECTORY vendor/quartus/reports",
        f"{setting} SYSTEMVERILOG_FILE rtl/net.sv",
        f"{setting} SDC_FILE vendor/clock.sdc",
        "execute_flow -compile",
        "project_close",
    ]
    virtual = [call.split()[-1].strip("{}") for call in calls if "VIRTUAL_PIN ON" in call]
    assert sorted(virtual) == sorted(
        ["rst"]
        + [
            f"{port}_{signal}"
            for port in ("s_axis", "m_axis")
            for signal in ("tvalid", "tready", "tlast", "tdata[*]")
        ]
    )
    assert (folder / "reports" / "finished").read_text() == "routed\n"


@needs_tcl
def test_quartus_on_a_board(project):
    folder = write(project, "quartus", "5CSEBA6U23I7", load_board("de10-nano"))
    calls, errors = run_tcl(folder / "board.tcl", "quartus")
    assert errors == ""
    assert "set_location_assignment PIN_V11 -to clk" in calls
    assert "set_instance_assignment -name IO_STANDARD {3.3-V LVTTL} -to led" in calls
    assert "set_global_assignment -name TOP_LEVEL_ENTITY net_board" in calls


@needs_tcl
def test_vitis_hls(project):
    folder = write(project, "vitis_hls")
    reports = folder / "build" / "solution1" / "syn" / "report"
    reports.mkdir(parents=True)
    for ending in ("rpt", "xml"):
        (reports / f"net_csynth.{ending}").write_text("figures")
    calls, errors = run_tcl(folder / "csynth.tcl", "vitis_hls")
    assert errors == ""
    assert calls == [
        "open_project -reset build",
        "set_top net",
        "add_files hls/firmware/net.cpp -cflags -std=c++0x",
        "open_solution -reset solution1",
        "config_compile -name_max_length 80",
        "set_part xcvu13p-flga2577-2-e",
        "config_schedule -enable_dsp_full_reg=false",
        "create_clock -period 5 -name default",
        "set_clock_uncertainty 27% default",
        "csynth_design",
    ]
    assert (folder / "reports" / "net_csynth.rpt").read_text() == "figures"
    assert (folder / "reports" / "finished").read_text() == "estimated\n"


@needs_tcl
def test_radiant(project):
    calls, errors = run_tcl(write(project, "radiant") / "board.tcl", "radiant")
    assert errors == ""
    assert calls == [
        "prj_create -name net_board -impl impl1 -dev LFCPNX-100-9LFG672C -performance "
        "9_High-Performance_1.0V -synthesis synplify",
        "prj_add_source rtl/net.sv",
        "prj_add_source vendor/radiant/net_board.sv",
        "prj_add_source vendor/radiant/board.sdc",
        "prj_set_impl_opt -impl impl1 top net_board",
        "prj_save",
        *(f"prj_run {step} -impl impl1" for step in ("Synthesis", "Map", "PAR")),
        "prj_close",
    ]


@needs_tcl
def test_radiant_out_of_context(project):
    folder = write(project, "radiant")
    # The run writes its reports beside the project.
    par = """
rename prj_run run
proc prj_run {step args} {
  run $step {*}$args
  if {$step eq "PAR"} {
    file mkdir impl1
    foreach kind {mrp twr} { close [open impl1/net_impl1.$kind w] }
  }
}
"""
    calls, errors = run_tcl(folder / "out_of_context.tcl", "radiant", extra=par)
    assert errors == ""
    assert calls == [
        "prj_create -name net -impl impl1 -dev LFCPNX-100-9LFG672C -performance "
        "9_High-Performance_1.0V -synthesis synplify",
        "prj_add_source rtl/net.sv",
        "prj_add_source vendor/radiant/out_of_context.sdc",
        "prj_set_impl_opt -impl impl1 top net",
        "prj_set_strategy_value map_set_virtual_io_all_ports=True",
        "prj_save",
        *(f"prj_run {step} -impl impl1" for step in ("Synthesis", "Map", "PAR")),
        "prj_close",
    ]
    assert sorted(path.name for path in (folder / "reports").iterdir()) == [
        *("finished", "net.mrp", "net.twr"),
    ]
    assert (folder / "reports" / "finished").read_text() == "routed\n"


@needs_tcl
def test_radiant_leaves_no_mark_without_reports(project):
    folder = write(project, "radiant")
    _, errors = run_tcl(folder / "out_of_context.tcl", "radiant")
    assert "net_impl1.mrp" in errors
    assert not (folder / "reports" / "finished").exists()


@needs_tcl
def test_radiant_constraints_out_of_context(project):
    calls, errors = run_tcl(write(project, "radiant") / "out_of_context.sdc", "constraints")
    assert errors == ""
    assert calls == [
        "get_ports clk",
        "create_clock -name clk -period 5.000 {}",
        "get_ports {rst s_axis_tvalid s_axis_tlast s_axis_tdata[*] m_axis_tready}",
        "set_max_delay -from {} -datapath_only 5.000",
        "get_clocks clk",
        "get_ports {s_axis_tready m_axis_tvalid m_axis_tlast m_axis_tdata[*]}",
        "set_max_delay -from {} -to {} -datapath_only 5.000",
    ]


@needs_tcl
@pytest.mark.parametrize("name", ["clock.xdc", "clock.sdc"])
def test_constraints_out_of_context(project, name):
    script = write(project, "vivado").parent / name
    (script.parent / "x").mkdir()
    calls, errors = run_tcl(shutil.move(script, script.parent / "x" / name), "constraints")
    assert errors == ""
    assert "create_clock -name clk -period 5.000 {}" in calls
    ports = [call for call in calls if call.startswith("get_ports")]
    assert ports == [
        "get_ports clk",
        "get_ports {rst s_axis_tvalid s_axis_tlast s_axis_tdata[*] m_axis_tready}",
        "get_ports {s_axis_tready m_axis_tvalid m_axis_tlast m_axis_tdata[*]}",
    ]
    assert ("derive_clock_uncertainty" in calls) == (name == "clock.sdc")


def test_the_same_design_gives_the_same_bytes(project, tmp_path):
    again = make_design(tmp_path / "elsewhere" / "rtl")
    for tool in PROJECT_TOOLS:
        one, other = (
            project_files(VendorProject(rtl, tool, DEFAULT_PARTS[tool])) for rtl in (project, again)
        )
        assert one == other and list(one) == sorted(one)


def test_the_core_is_what_fusesoc_reads(project):
    text = core_file(project, "xcku5p", "10M50DAF484C7G")
    assert text.startswith("CAPI=2:\n")  # of which FuseSoC takes the first line off
    core = yaml.safe_load(text)
    assert core["name"] == "gatewright:models:net:0"
    assert core["filesets"]["rtl"]["files"] == ["rtl/net.sv"]
    synth = core["targets"]["synth"]
    assert synth["toplevel"] == "net" and set(core["filesets"]) == {"rtl", "vivado", "quartus"}
    assert synth["tools"]["quartus"] == {"family": "MAX 10", "device": "10M50DAF484C7G"}
    assert synth["tools"]["vivado"] == {"part": "xcku5p"}


def test_sources_are_listed_in_compile_order(project):
    assert shared_files(project)["rtl.f"] == "../rtl/net.sv\n"


def with_wrapper(project, **options):
    """The project of the wrapper and what is in it."""
    name = wrapper_name(project)
    (project.directory / f"{name}.sv").write_text(wrapper(project, **options))
    return dataclasses.replace(project, top=name, files=(*project.files, f"{name}.sv"))


@pytest.mark.parametrize("active_high", [False, True])
def test_the_wrapper_is_clean(project, active_high):
    lint(with_wrapper(project, reset_active_high=active_high))


def test_the_ip_is_clean_and_says_what_its_ports_are(project):
    text = ip_module(project)
    name = f"{ip_name(project)}.v"
    (project.directory / name).write_text(text)
    # Its attributes are for Vivado alone: the wall before simulation refuses them.
    done = verilator(
        "--lint-only", "-Wall", "--no-timing", "--top-module", "net_ip", *project.files, name,
        cwd=project.directory,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert text.count("X_INTERFACE_INFO") == 2 + 4 * 2
    assert "ASSOCIATED_BUSIF s_axis:m_axis, ASSOCIATED_RESET aresetn" in text
    assert "frame_error" not in text
    inputs = tuple(dataclasses.replace(port, checked=True) for port in project.inputs)
    checked = ip_module(dataclasses.replace(project, inputs=inputs))
    assert "  output wire s_axis_frame_error," in checked
    assert ".s_axis_frame_error(s_axis_frame_error)" in checked


def test_the_wrapper_has_a_name_of_its_own(tmp_path):
    project = make_design(tmp_path, modules=("net_board",))
    assert wrapper_name(project) == "net_board_"


BENCH = """
module bench (input logic clk);
  logic led;
  int cycle = 0, beats = 0, lasts = 0, blinks = 0, wrong = 0;
  logic [9:0] earlier;
  logic was_led, was_valid, was_ready;
  net_board dut (.clk(clk), .reset(cycle < 20), .led(led));
  always_ff @(posedge clk) begin
    cycle <= cycle + 1;
    was_led <= led;
    was_valid <= dut.s_axis_tvalid;
    was_ready <= dut.s_axis_tready;
    earlier <= dut.s_axis_tdata[9:0];
    if (cycle > 30) begin
      if (led != was_led) blinks <= blinks + 1;
      if (dut.s_axis_tvalid && dut.s_axis_tready) begin
        beats <= beats + 1;
        if (dut.s_axis_tlast) lasts <= lasts + 1;
        if (dut.s_axis_tlast != beats[0]) wrong <= wrong + 1;
      end
      if (was_valid && !was_ready && (!dut.s_axis_tvalid || earlier != dut.s_axis_tdata[9:0]))
        wrong <= wrong + 1;
    end
    if (cycle == 2000) begin
      $display("%0d %0d %0d %0d", beats, lasts, blinks, wrong);
      $finish;
    end
  end
endmodule
"""


def test_the_wrapper_feeds_the_design_and_shows_results(project, tmp_path):
    """Beats stay until they are taken, every second is a tensor's last, the light follows."""
    folder = tmp_path / "bench"
    folder.mkdir()
    (folder / "bench.sv").write_text(BENCH)
    built = with_wrapper(project, reset_active_high=True)
    sources = [str(project.directory / name) for name in built.files]
    binary = build_bench(folder, "-Wno-fatal", "-Wno-lint", *sources)
    run = subprocess.run([binary], capture_output=True, text=True, check=True)
    beats, lasts, blinks, wrong = map(int, run.stdout.split()[:4])
    assert wrong == 0
    assert 300 < beats < 1500 and lasts == beats // 2
    assert blinks > 100


@pytest.mark.parametrize("name", board_names())
def test_boards_there_are(name):
    board = load_board(name)
    check_part(board.tool, board.part)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tool": "ise"}, "tool: input should be 'quartus', 'radiant' or 'vivado'"),
        ({"part": "a; exec rm"}, "part: string should match pattern"),
        ({"pins": {"clk": {"pin": "E3]", "standard": "LVCMOS33"}}}, "pins.clk.pin: string should"),
        ({"clock_ns": 0.0}, "clock_ns: input should be greater than 0"),
        ({"colour": "red"}, "colour: is not a known key"),
    ],
)
def test_a_board_that_is_none(tmp_path, change, words):
    path = tmp_path / "b.yaml"
    board = load_board("basys3").model_dump()
    path.write_text(yaml.safe_dump(board | change))
    with pytest.raises(InputError) as caught:
        load_board(str(path))
    assert f"not a description of a board: {words}" in str(caught.value)


def test_a_board_that_there_is_not():
    with pytest.raises(InputError, match="board 'zybo' does not exist; choose from arty-a7-100, "):
        load_board("zybo")


@pytest.mark.parametrize(
    ("tool", "part", "words"),
    [
        ("vivado", "xc7a35t; exit", "letters, digits"),
        ("vivado", "5CSEBA6U23I7", "a device of AMD is expected"),
        ("quartus", "xc7a35t", "its Quartus family is not known; choose from Agilex 5, "),
        ("radiant", "LFE5U-25F-6BG256C", "a full name of a Nexus or iCE40 UltraPlus device"),
    ],
)
def test_parts_refused(tool, part, words):
    with pytest.raises(InputError, match=words):
        check_part(tool, part)


def test_what_tools_want_to_know_of_devices():
    assert quartus_family("EP4CE10F17C8") == "Cyclone IV E"
    assert quartus_family("AGFB014R24B2E2V") == "Agilex 7"
    assert radiant_performance("LIFCL-40-8BG400C") == "8_High-Performance_1.0V"
    assert radiant_performance("iCE40UP5K-SG48I") == "High-Performance_1.2V"
    for tool, part in DEFAULT_PARTS.items():
        check_part(tool, part)
    with pytest.raises(InputError, match="--tool ise: choose from quartus, radiant, vitis_hls"):
        parse_tool("ise")
