"""Compiles the emulation under limits, from checked sources and the installed hls4ml's headers."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from pathlib import Path

from gatewright.emulation.description import Description
from gatewright.errors import InputError
from gatewright.system import built, processes
from gatewright.system.files import replaced_file
from gatewright.wall.cpp import checked_sources, templates

LIBRARY = "emulation.so"

SECONDS = 900.0
"""Default limit on the wall time of the compiler, in s; the largest parallel networks need 60."""

# hls4ml compiles the path of the weights into the library, which ends the process if they don't
# exist. This header finds them beside the library, wherever that is.
#: Prefix of the directory in which it is compiled.
STAGE = ".emulation.gatewright-"

#: Gives code that is nearly as fast as with -O3, and 15 to 25 times as fast as with -O0.
OPTIMIZATION = "-O1"

# hls4ml writes one assignment per element of each window of pixels. Optimizing these takes most of
# the compiler's time without gain, since products and sums dominate the run time.
_CODE = "firmware/nnet_utils/nnet_code_gen.h"
_GENERATED = "// hls4ml insert code\n"
_NOT_OPTIMIZED = '#pragma GCC push_options\n#pragma GCC optimize("O0")\n'
_OPTIMIZED = "\n#pragma GCC pop_options\n"

_WEIGHTS_DIR = "gatewright_weights_dir.h"
_WEIGHTS_DIR_SOURCE = """\
#pragma once
#include <dlfcn.h>

#include <string>

/// Directory of the weights, beside this library wherever it stands.
static inline std::string gatewright_weights_dir() {
    Dl_info info;
    dladdr(reinterpret_cast<void *>(&gatewright_weights_dir), &info);
    const std::string library = info.dli_fname;
    return library.substr(0, library.find_last_of('/') + 1) + "weights";
}
"""


def require_compiler() -> None:
    """Check that the C++ compiler is installed.

    Raises:
        InputError: if it is not.
    """
    if shutil.which("g++") is None:
        raise InputError("g++ is not installed; type: apt install g++")


#: What `nnet_layernorm.h` has and gets. Its table of 1 / sqrt(variance) ends at 1, and its even
#: steps leave small variances without precision. Here epsilon is added first, and the sum is
#: shifted by two bits at a time until it is a quarter of the table's range or more; its inverse
#: root is shifted by one as often. So the range may be any power of two. And there is a function
#: for io_stream, where a beat is a slice.
_LAYERNORM = (
    ("    float min_val = pow(10.0f, -(int)CONFIG_T::epsilon_power_of_10);\n", ""),
    ("float in_val = min_val + step * ii;", "float in_val = step * (ii + 0.5f);"),
    (
        "int inv_range_inv = (int)1 << CONFIG_T::table_range_power2;",
        """typedef typename CONFIG_T::accum_t sum_t;
    static const int range = -(int)CONFIG_T::table_range_power2;
    static const int most = (range - 1 + (10 * (int)CONFIG_T::epsilon_power_of_10 + 2) / 3) / 2;
    static const int shifts = most > 0 ? most : 0;
    const ap_fixed<64, 32> quarter = pow(2.0, range - 2);
    const ap_fixed<64, 32> inv_range = pow(2.0, -range);""",
    ),
    (
        "int index = (var) * (CONFIG_T::table_size)*inv_range_inv;",
        """var += sum_t(pow(10.0, -(int)CONFIG_T::epsilon_power_of_10));
    ap_fixed<sum_t::width + 2 * shifts + 1, sum_t::iwidth + 2 * shifts + 1> scaled = var;
    int shift = 0;
LAYERNORM_1D_SHIFT:
    for (int i = 0; i < shifts; ++i) {
        #pragma HLS UNROLL
        if (scaled < quarter) {
            scaled <<= 2;
            ++shift;
        }
    }
    int index = scaled * CONFIG_T::table_size * inv_range;""",
    ),
    (
        "deno_inver = invert_sqr_table[index];",
        "deno_inver = invert_sqr_table[index] << shift;",
    ),
    (
        "} // namespace nnet",
        """template <class data_T, class res_T, typename CONFIG_T>
void layernormalize(hls::stream<data_T> &data, hls::stream<res_T> &res,
                    typename CONFIG_T::scale_t scale[CONFIG_T::n_in / CONFIG_T::seq_len],
                    typename CONFIG_T::bias_t bias[CONFIG_T::n_in / CONFIG_T::seq_len]) {
    #pragma HLS ARRAY_PARTITION variable=scale complete
    #pragma HLS ARRAY_PARTITION variable=bias complete
LAYERNORM_STREAM_LOOP:
    for (int j = 0; j < CONFIG_T::seq_len; ++j) {
        #pragma HLS PIPELINE
        data_T in = data.read();
        res_T out;
        layernorm_1d<typename data_T::value_type, typename res_T::value_type, CONFIG_T>(
            in.data, out.data, scale, bias);
        res.write(out);
    }
}

} // namespace nnet""",
    ),
)


#: What the convolutions of io_parallel on shared multipliers have and get. Where a multiplier works
#: for several results in turn, at reuse factors above the number of products of a result, they add
#: all products to the first result. Here a weight's place says which input and result it is for.
_CONVOLUTION = (
    ("unsigned i_in = i_rf;", "unsigned i_in = i_rf % mult_n_in;"),
    ("unsigned i_out = 0;", "unsigned i_out = i_rf / mult_n_in;"),
    (
        """i_in += CONFIG_T::reuse_factor;
                if (i_in >= mult_n_in) {
                    i_in = i_rf;
                }""",
        "i_in = ((i_blk + 1) * CONFIG_T::reuse_factor + i_rf) % mult_n_in;",
    ),
    (
        """if (i_acc + 1 >= multscale) {
                    i_acc = 0;
                    i_out++;
                } else {
                    i_acc++;
                }""",
        "i_out = ((i_blk + 1) * CONFIG_T::reuse_factor + i_rf) / mult_n_in;",
    ),
)


def mend_headers(firmware: Path) -> None:
    """Add a header to those of hls4ml in a project's `firmware/`, and fix some of them."""
    (firmware / _WEIGHTS_DIR).write_text(_WEIGHTS_DIR_SOURCE, encoding="utf-8")
    for name, wrong, right in (
        # It has the include guard of the header for two dimensions, so only one could be included.
        ("nnet_sepconv1d_latency.h", "CONV2D_LATENCY_H_", "CONV1D_LATENCY_H_"),
        # It would write surplus weights of a file beyond the end of the array.
        ("nnet_helpers.h", "while (std::getline(iss,", "while (i < SIZE && std::getline(iss,"),
        # `lstm`, which is compiled even if `lstm_static` runs, takes sums for results: compilers
        # reject that unless both, and the input, have one type. `lstm_static` has it right.
        (
            "nnet_recurrent.h",
            "nnet::dense<data_T, res_T, typename CONFIG_T::mult_config1>",
            "nnet::dense<data_T, typename CONFIG_T::accum_t, typename CONFIG_T::mult_config1>",
        ),
        (
            "nnet_recurrent.h",
            "nnet::dense<data_T, res_T, typename CONFIG_T::mult_config2>",
            "nnet::dense<res_T, typename CONFIG_T::accum_t, typename CONFIG_T::mult_config2>",
        ),
        *(("nnet_layernorm.h", wrong, right) for wrong, right in _LAYERNORM),
        *(
            (f"nnet_conv{axes}d_resource.h", wrong, right)
            for axes in (1, 2)
            for wrong, right in _CONVOLUTION
        ),
    ):
        header = firmware / "nnet_utils" / name
        header.write_text(
            header.read_text(encoding="utf-8").replace(wrong, right), encoding="utf-8"
        )


def compile_emulation(
    directory: str | Path,
    *,
    seconds: float = SECONDS,
    cancelled: threading.Event | None = None,
) -> None:
    """Compile the C++ of an HLS project that `write_hls` wrote.

    Only the generated files of the project are read, and each line must be one that hls4ml writes.
    The headers are those of the installed hls4ml, not those in the project.

    This does the same as hls4ml's build_lib.sh in at most 60 % of its CPU time. Both files are one
    translation unit, because headers take most of the time.

    Args:
        directory: The HLS project.
        seconds: Limit on the wall time of the compiler, in s.
        cancelled: When it is set, the compiler is killed.

    Raises:
        LimitError: if the compiler exceeds its limits on time or memory.
        CancelledError: if it was cancelled.
        InputError: if there is no C++ compiler, it rejects hls4ml's code, or a file has lines that
            hls4ml doesn't write.
    """
    directory = Path(directory)
    require_compiler()
    project = Description.read(directory).project
    sources = checked_sources(directory, project)
    # Compile in the project, where leftovers of a killed command can be found.
    with tempfile.TemporaryDirectory(dir=directory, prefix=STAGE) as scratch:
        stage = Path(scratch)
        _stage_headers(stage / "firmware")
        for name, text in sources.items():
            path = stage / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(_sped_up(text) if name == _CODE else text, encoding="utf-8")
        flags = [OPTIMIZATION, "-DNDEBUG", "-fPIC", "-std=c++17", "-fno-gnu-unique"]
        flags += [f"-I{templates() / 'vivado' / 'ap_types'}"]
        flags += ["-include", f"firmware/{_WEIGHTS_DIR}", "-DWEIGHTS_DIR=gatewright_weights_dir()"]
        files = ["-include", f"firmware/{project}.cpp", f"{project}_bridge.cpp"]
        done = processes.run(
            ["g++", "-shared", *flags, *files, "-o", LIBRARY, "-ldl"],
            limits=processes.Limits(
                what="g++, for the C++ emulation", seconds=seconds, cancelled=cancelled
            ),
            cwd=stage,
            env={**os.environ, "TMPDIR": scratch},
        )
        if done.returncode:
            reason = processes.complaint(done.stderr)
            raise InputError(f"g++ can't compile the C++ that hls4ml wrote: {reason}")
        built.record(stage / LIBRARY)
        with (
            (stage / LIBRARY).open("rb") as made,
            replaced_file(directory / "firmware" / LIBRARY) as library,
        ):
            shutil.copyfileobj(made, library)


def _sped_up(code: str) -> str:
    """Generated code for windows of pixels, with optimization switched off."""
    head, mark, functions = code.partition(_GENERATED)
    body, end, tail = functions.rpartition("} // namespace nnet")
    if not (mark and end):
        return code
    return "".join((head, _NOT_OPTIMIZED, mark, body, _OPTIMIZED, end, tail))


def _stage_headers(firmware: Path) -> None:
    """Copy the headers of the installed hls4ml, as its writer does."""
    for backend in ("vivado", "vitis"):  # headers for Vitis replace those for Vivado
        shutil.copytree(
            templates() / backend / "nnet_utils", firmware / "nnet_utils", dirs_exist_ok=True
        )
    mend_headers(firmware)
