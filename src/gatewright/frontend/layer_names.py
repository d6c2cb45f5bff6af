"""Names of layers that hls4ml, C++ and SystemVerilog accept."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Final

from gatewright.frontend.network import MAX_NAME
from gatewright.rtl.reserved import RESERVED, is_variable

#: Keys of the attributes of hls4ml's layers. hls4ml stores a layer's result among them under the
#: layer's name, so that a layer with one of these names would lose that attribute.
_KEYS: Final = """
_weights_transposed _winograd_transformation_applied accum_quantizer accum_t activ_param
activation activation_quantizer algorithm align_corners apply_reset_gate axis axis_bus_width
axis_element_width backward_activation backward_bias backward_bias_t backward_class_name
backward_n_states backward_recurrent_activation backward_recurrent_bias backward_recurrent_bias_t
backward_recurrent_reuse_factor backward_recurrent_weight backward_recurrent_weight_t
backward_reuse_factor backward_weight backward_weight_t batch_size beta_data beta_quantizer bfpad
bias bias_data bias_precision bias_quantizer bias_t bitwidth class_name collapse config config_cpp
conv_implementation count_pad crop_bottom crop_left crop_right crop_top da_codegen data_format
data_reader depth depth_multiplier depthwise depthwise_accum_t depthwise_data depthwise_quantizer
depthwise_result_t depthwise_reuse_factor depthwise_t dilation dilation_height dilation_width
dilations dim direction dw_line_buffer_codegen dw_output_t embeddings embeddings_data embeddings_t
epsilon epsilon_power_of_10 equation exp_table_t expr_t expression fifo_depth filt_height
filt_width forward_activation forward_bias forward_bias_t forward_class_name forward_n_states
forward_recurrent_activation forward_recurrent_bias forward_recurrent_bias_t
forward_recurrent_reuse_factor forward_recurrent_weight forward_recurrent_weight_t
forward_reuse_factor forward_weight forward_weight_t fractional_bits function_cpp gamma_data
gamma_quantizer group height height_factor impl_filt_height impl_filt_width implementation
in_height in_width inbound_nodes include_header index index_t inp0_shape inp1_shape inp_shape
input input_format input_layers input_shape inputs instructions integer_bits inv_inp_t inv_table_t
keepdims kernel_shape layer_list line_buffer_codegen lut_functions mask_fn_codegen mean_by_nvert
mean_data mean_quantizer merge_mode min_height min_width momentum n_aggregators n_chan n_dim
n_filt n_in n_in_features n_inner n_out n_out_features n_outer n_partitions n_propagate
n_sublayers n_symbols n_time_steps n_timesteps n_vertices name narrow new_attribute op out_height
out_shape out_width output_layers output_shape outputs overrides pad_bottom pad_left pad_right
pad_top padding pads parallelization parallelization_factor param param_data param_t
pass_initial_states perm perm_str pointwise pointwise_accum_t pointwise_data pointwise_quantizer
pointwise_reuse_factor pointwise_t pool_height pool_op pool_width precision pw_line_buffer_codegen
pytorch quantize quantizer quantizer_precision recurrent_activation recurrent_activation_config
recurrent_bias recurrent_bias_data recurrent_bias_t recurrent_reuse_factor recurrent_weight
recurrent_weight_data recurrent_weight_quantizer recurrent_weight_t
resource_unrolled_dense_codegen resource_unrolled_dense_codegen_1
resource_unrolled_dense_codegen_2 result_t return_sequences return_state reuse_factor rfpad
rounding_mode scale scale_data scale_precision scale_quantizer scale_t seq_len shift shift_prec
shift_t signed skip slope slope_prec slope_t static strategy stream_function_cpp stride
stride_height stride_width table table_range_power2 table_size table_t target_cycles target_shape
task_sequence_cpp threshold time_major time_step_loop_parallelism trace trusted type_name unscaled
unscaled_h unscaled_w use_beta use_bias use_built_in_luts use_gamma value variance_data
variance_quantizer vocab_size weight weight_data weight_quantizer weight_t width width_factor
wrapped_layer zeropt
"""

_RESERVED: Final = frozenset(_KEYS.split())


def is_free(name: str, *, variable: bool = False) -> bool:
    """Whether a layer can have a name.

    Args:
        name: An identifier.
        variable: Whether it also names a variable of the C++ and a port, as an input's name does.
    """
    if variable and (name in RESERVED or is_variable(name)):
        return False
    return name not in _RESERVED


def identifier_of(label: str, taken: Collection[str], *, variable: bool = False) -> str:
    """An identifier for a layer whose name may have any characters.

    Args:
        label: The model's own name of the layer.
        taken: Names of other layers.
        variable: As for `is_free`.

    Returns:
        The label itself if it is a free identifier; else a similar identifier that isn't taken.
    """
    name = re.sub(r"\W", "_", label, flags=re.ASCII)[: MAX_NAME - 16]
    if not name[:1].isalpha() or not is_free(name, variable=variable):
        name = f"layer_{name}"
    return _distinct(name, taken)


def _distinct(name: str, taken: Collection[str]) -> str:
    candidates: Iterable[str] = (f"{name}_{serial}" for serial in range(1, len(taken) + 2))
    return name if name not in taken else next(each for each in candidates if each not in taken)
