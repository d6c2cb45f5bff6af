"""Lines of hls4ml's headers that are replaced, where its C++ is wrong or can't be compiled."""

from __future__ import annotations

from pathlib import Path
from typing import Final

#: A header of `nnet_utils`, a text in it, and what stands in its place.
Mend = tuple[str, str, str]

#: The header that is added.
WEIGHTS_DIR: Final = "gatewright_weights_dir.h"
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

#: What `nnet_garnet.h` has and gets. It casts each product of a distance to the type of a distance,
#: which saturates at 8, and each weighted feature to the type of a feature, however few bits that
#: has; here sums are exact, or in the type of sums. It leaves results of vertices that don't count
#: as they were in memory; here they are zero, as in the model. It divides the numbers of vertices
#: as integers, and by zero; here the quotient has fractional bits. And a number above that of all
#: vertices would count a bias more than once.
_GARNET = (
    (
        "typename CONFIG_T::distance_t distance = CONFIG_T::aggregator_distance_biases[ia];",
        """typedef decltype(data_getter.get(iv, 0) *
                         CONFIG_T::aggregator_distance_weights[0]) product_t;
        typedef typename CONFIG_T::aggregator_distance_biases_t bias_t;
        static const int product_int = product_t::iwidth, bias_int = bias_t::iwidth;
        static const int product_frac = product_t::width - product_int;
        static const int bias_frac = bias_t::width - bias_int;
        static const int sum_int = (product_int > bias_int ? product_int : bias_int) + 16;
        static const int sum_frac = product_frac > bias_frac ? product_frac : bias_frac;
        ap_fixed<sum_int + sum_frac, sum_int> distance =
            CONFIG_T::aggregator_distance_biases[ia];""",
    ),
    (
        "typename CONFIG_T::distance_t incr = "
        "data_getter.get(iv, ix) * CONFIG_T::aggregator_distance_weights[iax];\n\n"
        "            distance += incr;",
        "distance += data_getter.get(iv, ix) * CONFIG_T::aggregator_distance_weights[iax];",
    ),
    (
        """typename data_getter_T::data_t incr = data_getter.get(iv, ix) * edge_weight;

            arrays_local.weighted_feature_mean[iax] += incr;""",
        "arrays_local.weighted_feature_mean[iax] += data_getter.get(iv, ix) * edge_weight;",
    ),
    (
        "compute_output_base<CONFIG_T>(arrays, output_base);",
        """compute_output_base<CONFIG_T>(arrays, output_base);

Zeros:
    for (unsigned i = 0; i < CONFIG_T::n_vertices * CONFIG_T::n_out_features; ++i) {
        #pragma HLS UNROLL
        res[i] = 0;
    }""",
    ),
    (
        "typename T::norm_t nvtx_norm = (T::n_vertices / T::reuse_factor) / nvtx;",
        """typename T::norm_t nvtx_norm = 0;
        if (nvtx != 0) {
            nvtx_norm = ap_ufixed<64, 32>(T::n_vertices / T::reuse_factor) / nvtx;
        }""",
    ),
    (
        """bias *= nvtx;
            output_biases[io] = normalize_log2(bias, CONFIG_T::n_vertices_width);""",
        """if (nvtx < CONFIG_T::n_vertices) {
                bias *= nvtx;
                output_biases[io] = normalize_log2(bias, CONFIG_T::n_vertices_width);
            } else {
                output_biases[io] = bias;
            }""",
    ),
)

MENDS: Final[tuple[Mend, ...]] = (
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
    *(("nnet_garnet.h", wrong, right) for wrong, right in _GARNET),
    *(
        (f"nnet_conv{axes}d_resource.h", wrong, right)
        for axes in (1, 2)
        for wrong, right in _CONVOLUTION
    ),
)


def mend_headers(firmware: Path) -> None:
    """Mend the headers of hls4ml in a project's `firmware/`, which are as it wrote them.

    One header is added: hls4ml compiles the path of the weights into the library, which ends the
    process if they don't exist. `WEIGHTS_DIR` finds them beside the library, wherever that is.
    """
    (firmware / WEIGHTS_DIR).write_text(_WEIGHTS_DIR_SOURCE, encoding="utf-8")
    for name, wrong, right in MENDS:
        header = firmware / "nnet_utils" / name
        header.write_text(
            header.read_text(encoding="utf-8").replace(wrong, right), encoding="utf-8"
        )
