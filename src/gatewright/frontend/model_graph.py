"""Converts a model to hls4ml's ModelGraph."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from gatewright.errors import (
    GatewrightError,
    InputError,
    UnsupportedError,
    in_own_names,
    in_their_names,
)
from gatewright.fixed import FixedType
from gatewright.frontend.advice import advise
from gatewright.frontend.calibration import Calibration, calibrate
from gatewright.frontend.config import configure, default_precision
from gatewright.frontend.folding import types_kept
from gatewright.frontend.honoured import check_settings
from gatewright.frontend.keras2 import Model
from gatewright.frontend.mend import mend
from gatewright.frontend.messages import first_line, shown
from gatewright.frontend.network import Network
from gatewright.frontend.passes import supported
from gatewright.frontend.passes.renaming import rename
from gatewright.frontend.precision import (
    Choices,
    check_scales,
    freeze_weights,
    settle_activations,
    settle_linear,
    settle_quantizers,
    settle_slopes,
)
from gatewright.frontend.quiet import quiet
from gatewright.frontend.readers.fml import SavedGraph
from gatewright.frontend.refine import Request, refine
from gatewright.frontend.source import GraphSource, load
from gatewright.frontend.thresholds import normalizations_kept, settle_thresholds
from gatewright.hlsgraph import limits
from gatewright.hlsgraph.layers import read
from gatewright.hlsgraph.marks import mark, marked
from gatewright.hlsgraph.node import read_channels, result_type
from gatewright.hlsgraph.weights import channels_taken, strategy
from gatewright.options import HARDWARE_CHOICES, ConvertOptions, resolve
from gatewright.targets import load_target

BACKEND = "Vitis"
PLUGIN = "Gatewright"
# Choosing a type can change the types of later layers. A few rounds are enough in practice.
_MAX_ROUNDS = 20

#: Layers, names of inputs, names of outputs, shapes of the layers' outputs (Keras 2 only).
Parsed = tuple[
    list[dict[str, Any]], list[str] | None, list[str] | None, dict[str, list[int | None]]
]


def convert(
    model: Any,
    weights: str | Path | None = None,
    options: ConvertOptions | None = None,
    output_dir: str | Path = "hls",
    project_name: str = "model",
    log: IO[str] | None = None,
    *,
    calibration: Calibration | None = None,
    notice: Callable[[str], None] | None = None,
) -> Any:
    """Have hls4ml convert a model for its Vitis backend.

    Every weight of the result has exactly its value in hardware. Every layer with one output is
    traced. The attributes `gatewright_strategy`, `gatewright_reuse_factor`,
    `gatewright_multiplier`, `gatewright_rom_style` and `gatewright_ram_style` of every layer are
    the user's requests; `strategy` and `reuse_factor` are hls4ml's values for its C++.
    `gatewright_label` is the model's own name of a layer that had to be renamed.

    Args:
        model: An argument of `load`, or its result. The types of a ModelGraph stay as they are.
        weights: The `.h5` file of weights if `model` is a `.json`.
        options: The options of the conversion.
        output_dir: Where `write_hls` will write the HLS project; nothing is written here yet.
        project_name: Name of the top function and of the generated files.
        log: Receives hls4ml's output.
        calibration: What `calibrate` returned for `options.data`; if missing, it is measured here.
        notice: Called with each line for the user: layers that were replaced by others, and types
            that may not hold their values.

    Returns:
        hls4ml's ModelGraph after its flow.

    Raises:
        InputError: if the model or an option is wrong.
        UnsupportedError: if hls4ml's C++ can't compute a layer.
    """
    options = resolve(options or ConvertOptions())
    if not project_name.isidentifier():
        raise InputError(f"project name '{project_name}': use letters, digits and _")
    is_read = isinstance(model, Network | SavedGraph | GraphSource)
    source: Network | SavedGraph | GraphSource = model if is_read else load(model, weights)
    labels: Mapping[str, str] = {}
    if options.data is not None and calibration is None:
        calibration = calibrate(source, Path(options.data))
    notes: list[str] = []
    if isinstance(source, Network):
        source = rename(supported(source, options.io), {project_name})
        labels = _labels(source)
    try:
        with quiet(log), in_own_names(labels):
            if isinstance(source, Network):
                graph, advice = _convert(
                    source, options, Path(output_dir), project_name, calibration
                )
                notes = [*source.notes, *(in_their_names(line, labels) for line in advice)]
            else:
                graph = _adopt(source, Path(output_dir), project_name)
            _check_widths(source.origin, graph)
            _check_limits(source.origin, graph)
            freeze_weights(graph)
            for node in graph.get_layers():
                # hls4ml's C++ would trace a layer with several outputs twice under one name.
                node.set_attr("trace", len(node.variables) == 1)
    except (GatewrightError, MemoryError):
        raise
    except Exception as error:
        raise InputError(
            f"{source.origin}: hls4ml can't convert it: {first_line(error)}"
        ) from error
    if notice is not None:
        for line in notes:
            notice(line)
    return graph


def _convert(
    network: Network,
    options: ConvertOptions,
    directory: Path,
    project: str,
    calibration: Calibration | None,
) -> tuple[Any, list[str]]:
    """Convert a network with the options' types.

    Returns:
        hls4ml's ModelGraph, and advice on its types, a line each.
    """
    from hls4ml.backends import get_backend
    from hls4ml.utils.config import config_from_keras_model

    labels = _labels(network)
    default = default_precision(options)
    config = config_from_keras_model(
        Model(network),
        granularity="name",
        backend=BACKEND,
        default_precision=default,
        default_reuse_factor=options.reuse_factor,
    )
    layers = _parse(network)[0]
    inputs: dict[str, FixedType] = {}
    if network.input_type is not None:
        inputs = dict.fromkeys(network.inputs, network.input_type)
    elif calibration is not None:
        inputs = dict(zip(network.inputs, calibration.inputs, strict=True))
    choices, requests = configure(config, layers, options, get_backend(BACKEND), labels, inputs)
    for layer in network.layers:
        for what, to in layer.types.items():
            choices.set_precision(layer.name, what, to)
            choices.user.add((layer.name, what))
    project_config = _project_config(options, directory, project)
    request = Request(FixedType.parse(default), options.precision is not None, set(choices.user))
    for _ in range(_MAX_ROUNDS):
        graph = _build(network, project_config, config, choices, options)
        if calibration is not None:
            request = replace(request, measured=calibration.by_node(graph, network))
        if options.inference == "safe" and refine(graph, choices, request):
            continue
        if not settle_slopes(network.origin, graph, choices):  # once the other types are settled
            break
    else:
        raise InputError(f"{network.origin}: the types of its layers don't settle")
    _check_inputs(network, graph)
    check_settings(network.origin, graph, requests.settings)
    for node in graph.get_layers():
        _note(node, requests.of(node.name))
        if node.name in labels:
            mark(node, "label", labels[node.name])
    return graph, advise(graph, choices, request)


def _check_inputs(network: Network, graph: Any) -> None:
    """Refuse inputs of another type than the constants were made for."""
    for name in network.inputs if network.input_type is not None else ():
        found = result_type(graph.graph[name])
        if found != network.input_type:
            raise InputError(
                f"{network.origin}: its constants are made for inputs of {network.input_type}, but "
                f"'{shown(name)}' has {found}; set the type of inputs by --input-precision only"
            )


def _labels(network: Network) -> Mapping[str, str]:
    """The model's own names of renamed layers, by new name."""
    return {layer.name: layer.label for layer in network.layers if layer.label}


def _parse(network: Network) -> Parsed:
    from hls4ml.converters import KerasModelReader, parse_keras_model

    # The parser's result shares parts with the model, and hls4ml's passes change them.
    model = Model(network)
    parsed: Parsed = parse_keras_model(model, KerasModelReader(model))
    return parsed


def _project_config(options: ConvertOptions, directory: Path, project: str) -> dict[str, Any]:
    from hls4ml.utils.config import create_config

    target = load_target(options.target)
    config: dict[str, Any] = create_config(
        output_dir=str(directory),
        project_name=project,
        backend=BACKEND,
        part=target.family.hls_part,
        clock_period=options.clock_ns or target.clock_ns,
        io_type=f"io_{options.io}",
    )
    config["TraceOutput"] = True
    return config


def _build(
    network: Network,
    project_config: dict[str, Any],
    config: dict[str, Any],
    choices: Choices,
    options: ConvertOptions,
) -> Any:
    """Convert once. It parses the network again, because hls4ml's passes change their input."""
    from hls4ml.backends import get_backend
    from hls4ml.model import ModelGraph

    from gatewright.frontend import garnet_factors, scales

    layers, inputs, outputs, shapes = _parse(network)
    mend(layers, shapes, network.framework)
    settle_activations(network.origin, layers, choices)
    settle_linear(layers, choices)
    if options.inference == "safe":
        settle_quantizers(layers, choices, FixedType.parse(default_precision(options)))
    else:
        check_scales(network.origin, layers)
    scales.register()
    garnet_factors.register()
    flows = [scales.FLOW, garnet_factors.FLOW, get_backend(BACKEND).get_default_flow()]
    full = {**project_config, "HLSConfig": {**copy.deepcopy(config), "Flows": flows}}
    with types_kept(), normalizations_kept():
        graph = ModelGraph.from_layer_list(full, layers, inputs, outputs)
    settle_thresholds(graph)
    del graph.config.config["HLSConfig"]["Flows"]  # an hls4ml without our flow can't read it
    return graph


def _check_widths(origin: str, graph: Any) -> None:
    """Check the number of inputs of weighted layers.

    hls4ml, and so its C++, takes it from the weights without comparing it with the input.
    """
    for node in graph.get_layers():
        if node.class_name not in ("Dense", "Conv1D", "Conv2D") or "weight" not in node.weights:
            continue
        channels, rows = read_channels(node), channels_taken(node)
        if rows != channels:
            raise InputError(
                f"{origin}: layer '{node.name}': its weights take {rows} inputs, but it gets "
                f"{channels}"
            )


def _check_limits(origin: str, graph: Any) -> None:
    """Refuse layers that hls4ml's C++ can't compute."""
    try:
        limits.check(read(graph))
    except UnsupportedError as error:
        raise UnsupportedError(f"{origin}: {error}") from None


def _adopt(source: SavedGraph | GraphSource, directory: Path, project: str) -> Any:
    """Take over a graph that hls4ml already made. Its types stay; its project settings are new."""
    if isinstance(source, SavedGraph):
        from gatewright.frontend.saved import restore

        graph = restore(source)
    else:
        graph = source.graph
    backend = graph.config.config.get("Backend")
    if backend not in (BACKEND, PLUGIN):
        raise InputError(
            f"{source.origin}: made for hls4ml's {backend} backend; make it for {BACKEND}"
        )
    graph.config.config.update(OutputDir=str(directory), ProjectName=project, TraceOutput=True)
    graph.config.config.update(InputData=None, OutputPredictions=None)
    graph.config.trace_output = True
    for node in graph.get_layers():
        defaults: dict[str, str | int] = {
            key: values[0] for key, values in HARDWARE_CHOICES.items()
        }
        defaults["strategy"] = strategy(node)
        defaults["reuse_factor"] = graph.config.get_reuse_factor(node)
        _note(node, {key: marked(node, key, default) for key, default in defaults.items()})
    return graph


def _note(node: Any, request: Mapping[str, str | int]) -> None:
    """Write the requests for a node into its attributes."""
    for key, value in request.items():
        mark(node, key, value)
