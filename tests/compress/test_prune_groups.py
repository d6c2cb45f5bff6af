"""Groups of weights against the weight memories and multipliers that Gatewright makes."""

import numpy as np
import pytest

from gatewright.circuit.graph import Op
from gatewright.compress.groups import weight_words
from gatewright.compress.prune import find_masks, hold, magnitude
from gatewright.emit import emit
from gatewright.emit.modules import build_modules
from gatewright.frontend import convert
from gatewright.lower import lower
from gatewright.options import ConvertOptions
from gatewright.synth import synthesize
from gatewright.targets import load_target
from gatewright.units import OperandSequencer

# What is multiplied: the layer, and the shape of its input.
LAYERS = {
    "dense": ("Dense", {"units": 6}, (8,)),
    "conv1d": ("Conv1D", {"filters": 4, "kernel_size": 3}, (7, 2)),
    "conv2d": ("Conv2D", {"filters": 4, "kernel_size": (2, 3)}, (5, 6, 2)),
    "depthwise": ("DepthwiseConv2D", {"kernel_size": (2, 3)}, (5, 6, 4)),
}
REUSE = {"dense": (2, 3, 4, 8, 16, 24, 48), "conv1d": (2, 6, 12, 24), "conv2d": (3, 5, 12, 48)}
CASES = [
    *(
        (kind, reuse, io)
        for kind in REUSE
        for reuse in REUSE[kind]
        for io in ("parallel", "stream")
    ),
    *(("depthwise", reuse, "stream") for reuse in (2, 3, 6, 12, 24)),
]


def build(keras, kind, seed=None):
    """A model of one layer; without a seed each weight is twice its index and one."""
    name, options, shape = LAYERS[kind]
    layer = getattr(keras.layers, name)(name="layer", **options)
    model = keras.Sequential([keras.layers.Input(shape), layer])
    size = np.prod(layer.weights[0].shape)
    weights = 2 * np.arange(size) + 1
    if seed is not None:
        weights = np.random.default_rng(seed).choice(np.arange(1, 1000), size, replace=False)
    layer.set_weights([weights.reshape(layer.weights[0].shape), np.ones(layer.weights[1].shape)])
    return model


def hardware(model, reuse, io, style="auto"):
    """The design that the model becomes, and its modules."""
    options = ConvertOptions(
        io=io,
        strategy="resource",
        reuse_factor=reuse,
        precision="fixed<32,20>",
        input_precision="fixed<6,3>",
        settings=(("layer.precision.weight", "fixed<12,12>"), ("layer.rom_style", style)),
    )
    design = lower(convert(model, options=options))
    return design, build_modules(design, load_target("xcup"), 5.0).layers


def multipliers(modules):
    circuits = [placed.circuit for module in modules for placed in module.units if placed.circuit]
    return sum(node.op is Op.MUL for found in circuits for node in found.circuit.nodes)


@pytest.mark.parametrize(("kind", "reuse", "io"), CASES)
def test_words_are_those_of_the_weight_memory(keras, kind, reuse, io):
    model = build(keras, kind)
    words = weight_words(model.get_layer("layer"), reuse)
    _, modules = hardware(model, reuse, io)
    (feed,) = (
        p.unit for module in modules for p in module.units if isinstance(p.unit, OperandSequencer)
    )
    ((values, _),) = feed.rom.columns
    np.testing.assert_array_equal(values, 2 * words + 1)


@pytest.mark.parametrize(("kind", "reuse", "io"), [c for c in CASES if c[2] == "stream"])
def test_a_group_that_is_pruned_saves_its_multiplier(keras, kind, reuse, io):
    model = build(keras, kind, seed=reuse)
    layer = model.get_layer("layer")
    there = weight_words(layer, reuse).shape[1]
    assert multipliers(hardware(model, reuse, io)[1]) == there
    masks = find_masks(model, magnitude(model), "dsp", 0.5, reuse_factor=reuse)
    pruned = int((~masks["layer"]).sum()) // (masks["layer"].size // there)
    assert pruned == there // 2
    hold(model, masks)
    assert multipliers(hardware(model, reuse, io)[1]) == there - pruned


@pytest.mark.parametrize(("kind", "reuse", "io"), CASES)
def test_a_step_that_is_pruned_saves_its_word_and_its_cycle(keras, kind, reuse, io):
    model = build(keras, kind)
    layer = model.get_layer("layer")
    words = weight_words(layer, reuse)
    scores = {"layer": np.random.default_rng(reuse).random(layer.weights[0].shape)}
    hold(model, find_masks(model, scores, "bram", 0.5, reuse_factor=reuse))
    kept = layer.get_weights()[0].ravel()[words]
    kept = kept[kept.any(axis=1)]
    assert len(words) / 2 <= len(kept) < len(words)
    _, (module,) = hardware(model, reuse, io)
    (feed,) = (p.unit for p in module.units if isinstance(p.unit, OperandSequencer))
    ((values, _),) = feed.rom.columns
    np.testing.assert_array_equal(values, kept)
    left_out = f"{len(words) - len(kept)} of {len(words)} steps are left out"
    assert module.notes[-1] == f"{left_out}: their weights are zero"
    if kind == "dense":
        assert module.measure()[1] == len(kept)


def test_as_many_weights_pruned_at_random_save_no_multiplier(keras):
    """What the structure is for."""
    model = build(keras, "dense", seed=1)
    rng = np.random.default_rng(0)
    scores = {"layer": rng.random((8, 6))}
    hold(model, find_masks(model, scores, "unstructured", 0.5))
    assert multipliers(hardware(model, 8, "parallel")[1]) == 6


@pytest.mark.full
@pytest.mark.parametrize("style", ["block", "distributed"])
def test_a_pruned_group_saves_a_dsp_slice(keras, tmp_path, style):
    target = load_target("xcup")
    found = []
    for amount in (0.0, 0.5):
        model = build(keras, "dense", seed=2)
        masks = find_masks(model, magnitude(model), "dsp", amount, reuse_factor=8)
        hold(model, masks)
        design, _ = hardware(model, 8, "parallel", style)
        for folder in ("rtl", "synth"):
            (tmp_path / f"{amount}" / folder).mkdir(parents=True)
        project = emit(design, target, 5.0, tmp_path / f"{amount}" / "rtl")
        found.append(synthesize(project, target, tmp_path / f"{amount}" / "synth").total)
    assert [total.dsp for total in found] == [6, 3]
    memories = [total.bram if style == "block" else total.lut for total in found]
    assert memories[1] < memories[0]


@pytest.mark.full
@pytest.mark.parametrize("reuse", [8, 48])
def test_a_pruned_step_saves_registers_and_cycles(keras, tmp_path, reuse):
    """As many multipliers in fewer cycles, with fewer operands to hold."""
    target = load_target("xcup")
    found = []
    for amount in (0.0, 0.5):
        model = build(keras, "dense", seed=2)
        hold(model, find_masks(model, magnitude(model), "bram", amount, reuse_factor=reuse))
        design, _ = hardware(model, reuse, "parallel", "distributed")
        for folder in ("rtl", "synth"):
            (tmp_path / f"{amount}" / folder).mkdir(parents=True)
        project = emit(design, target, 5.0, tmp_path / f"{amount}" / "rtl")
        total = synthesize(project, target, tmp_path / f"{amount}" / "synth").total
        found.append((project.interval, total))
    (whole, before), (half, after) = found
    assert (whole, half) == (reuse, reuse // 2)
    assert after.dsp == before.dsp
    assert after.lut < before.lut
    assert after.ff < before.ff
