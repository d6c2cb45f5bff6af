"""Designs of streams, made of kernels without hls4ml, as project directories."""

import json
from dataclasses import asdict

import numpy as np

from gatewright.design.dataflow import Design
from gatewright.emit import emit
from gatewright.fixed import FixedType
from gatewright.flow.steps import Stamp, write_stamp
from gatewright.kernels import Conv, Merge, Tensor
from gatewright.options import ConvertOptions
from gatewright.targets import load_target

TARGET = load_target("xcup")


def conv(layer, source, filters, reuse_factor=1, seed=0):
    """A 3x3 convolution with same padding and a saturating result."""
    rng = np.random.default_rng(seed)
    height, width, channels = source.shape
    weight = FixedType(5, 1)
    return Conv(
        layer,
        (source,),
        Tensor(layer, (height, width, filters), FixedType.parse("ufixed<6,2,RND,SAT>")),
        window=(3, 3),
        strides=(1, 1),
        pads=(1, 1, 1, 1),
        dilation=(1, 1),
        weights=rng.integers(weight.min, weight.max + 1, (3, 3, channels, filters)),
        bias=rng.integers(-20, 20, filters),
        weight_type=weight,
        bias_type=FixedType(8, 3),
        accum=FixedType(24, 12),
        reuse_factor=reuse_factor,
    )


def residual(reuse_factor=1):
    """A block whose long branch holds back two rows before its first pixel leaves."""
    x = Tensor("x", (6, 6, 2), FixedType(6, 2))
    stem = conv("stem", x, 2, reuse_factor, seed=1)
    long = conv("long", stem.output, 2, reuse_factor, seed=2)
    total = Tensor("total", (6, 6, 2), FixedType.parse("ufixed<7,3,RND,SAT>"))
    add = Merge("total", (stem.output, long.output), total, operation="add")
    return Design("block", (x,), (total,), (stem, long, add), "stream")


def chain(height, width):
    """Two convolutions of which the first is twice as fast."""
    x = Tensor("x", (height, width, 2), FixedType(6, 2))
    fast = conv("fast", x, 2, reuse_factor=9, seed=1)
    slow = conv("slow", fast.output, 2, reuse_factor=18, seed=2)
    return Design("chain", (x,), (slow.output,), (fast, slow), "stream")


def save(design, directory):
    """A project directory of a design, as far as no C++ is needed."""
    for folder in ("model", "rtl"):
        (directory / folder).mkdir(parents=True)
    design.save(directory / "model" / "design")
    project = emit(design, TARGET, 5.0, directory / "rtl")
    results = {"layers": len(design.kernels), "latency": project.latency}
    write_stamp(directory, Stamp("convert", "made", results, 0.0))
    asked = {"model": "made", "weights": None, "name": design.name}
    options = asdict(ConvertOptions(io=design.io, target="xcup", clock_ns=5.0))
    (directory / "convert.json").write_text(json.dumps({**asked, "options": options}))
    return directory
