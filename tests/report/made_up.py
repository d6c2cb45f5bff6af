"""Invented reports with plausible figures."""

from __future__ import annotations

from typing import Any

from gatewright.report.schema import Report, Search, SweepReport
from gatewright.results.imported import FIGURE_FIELDS

SHAPES = ((64, 32), (32, 16), (16, 10))


def make_fields(
    config: str = "w6",
    bits: tuple[int, ...] = (6, 6, 6),
    *,
    accuracy: float = 0.9611,
    targets: tuple[str, ...] = ("xcup",),
    dsp_layer: int | None = None,
    mismatches: int = 0,
) -> dict[str, Any]:
    """The fields of a valid report, for tests to modify."""
    layers, configs = [], []
    for i, (width, (n_in, n_out)) in enumerate(zip(bits, SHAPES, strict=True)):
        dsp = i == dsp_layer
        weights = n_in * n_out
        nonzero = weights * (40 + 6 * width) // 100
        lut = 400 if dsp else nonzero * width * 4 // 3
        layers += [
            {
                "name": f"fc{i + 1}",
                "kind": "Dense",
                "input_shapes": [[n_in]],
                "output_shapes": [[n_out]],
                "types": {
                    "weight": f"fixed<{width},1>",
                    "bias": f"fixed<{width},1>",
                    "result": f"fixed<{width + 9},5>",
                },
                "latency": 4 - i,
                "weights": weights,
                "weights_nonzero": nonzero,
                "resources": {
                    t: {"lut": lut, "ff": lut // 4, "dsp": nonzero if dsp else 0, "carry": lut // 9}
                    for t in targets
                },
            },
            {
                "name": f"relu{i + 1}" if i < 2 else "softmax",
                "kind": "Activation" if i < 2 else "Softmax",
                "input_shapes": [[n_out]],
                "output_shapes": [[n_out]],
                "types": {"result": f"ufixed<{width},0,RND_CONV,SAT>" if i < 2 else "fixed<16,6>"},
                "latency": 0 if i < 2 else 3,
                "resources": {
                    t: {"lut": n_out * width * 3, "ff": n_out * width, "dsp": 0, "carry": 0}
                    for t in targets
                },
            },
        ]
        configs.append(
            {
                "name": f"fc{i + 1}",
                "weight_bits": width,
                "result_bits": width + 9,
                "reuse_factor": 1,
                "strategy": "dsp" if dsp else "adder graph",
                "reason": f"{nonzero} DSP at 30 LUT each against {lut} LUT",
            }
        )
    total = {
        t: {
            key: sum(layer["resources"][t][key] for layer in layers)
            for key in ("lut", "ff", "dsp", "carry")
        }
        for t in targets
    }
    verilator = {"method": "simulated", "tool": "Verilator", "version": "5.49"}
    yosys = {
        "method": "synthesized",
        "tool": "Yosys",
        "version": "0.70",
        "details": "synth_xilinx -family xcup, flattened",
    }
    schedule = {"method": "estimated", "tool": "Gatewright", "version": "0.1.0"}
    keras = {"method": "simulated", "tool": "tf-keras", "version": "2.21.0"}
    count = sum(layer.get("weights", 0) for layer in layers)
    zeros = count - sum(layer.get("weights_nonzero", 0) for layer in layers)
    difference = {
        "layer": "fc2",
        "vector": 17,
        "element": 3,
        "expected": 12,
        "got": -4,
        "type": "fixed<15,5>",
        "reference": "golden",
        "subject": "RTL",
    }
    return {
        "version": 1,
        "model": {
            "name": "digits_mlp",
            "source": "models/digits_mlp/model.keras",
            "task": "Invented figures: 8x8 images of digits to ten classes",
            "inputs": {"image": [64]},
            "outputs": {"digit": [10]},
        },
        "config": {
            "name": config,
            "io": "io_parallel",
            "reuse_factor": 1,
            "target": "xcup",
            "layers": configs,
        },
        "accuracy": {
            "metric": "top-1 accuracy",
            "samples": 360,
            "float_model": 0.9722,
            "quantized": accuracy,
            "rtl": accuracy,
        },
        "verification": {
            "vectors": 10_000,
            "mismatches": mismatches,
            "reference": "NumPy golden outputs and hls4ml C++ emulation",
            "stalls": ["none", "random idles 0.3", "random backpressure 0.3"],
            "layers": [
                {"name": layer["name"], "vectors": 1000, "mismatches": 0} for layer in layers
            ],
            **({"first_difference": difference} if mismatches else {}),
        },
        "timing": {
            "clock_ns": 5.0,
            "latency_min": 8 + max(bits) // 3,
            "latency_max": 8 + max(bits) // 3,
            "latency_predicted": 8 + max(bits) // 3,
            "ii": 1,
            "ii_predicted": 1,
        },
        "resources": total,
        "layers": layers,
        "compute": {
            "macs": count,
            "bops": count * bits[0] * bits[0],
            "parameters": count + 58,
            "weight_bits": (count + 58) * bits[0],
            "sparsity": round(zeros / count, 4),
        },
        "provenance": {
            "gatewright": "0.1.0",
            "groups": {
                "accuracy.float_model": keras,
                "accuracy.quantized": keras,
                "accuracy.rtl": verilator,
                "verification": verilator,
                "timing.simulated": verilator,
                "timing.predicted": schedule,
                "compute": {"method": "counted", "tool": "Gatewright", "version": "0.1.0"},
                **{f"resources.{t}": yosys for t in targets},
                **{f"layers.{t}": yosys for t in targets},
            },
            "inputs": {"weights": "sha256:" + f"{sum(bits):02x}" * 32},
            "seed": 1,
            "seconds": {"convert": 4.21, "verify": 12.03, "synth": 57.7},
        },
    }


def make_imported(**figures: Any) -> dict[str, Any]:
    """Vendor figures after routing: all fields, although no single tool has all of them."""
    counts = {name: 100 + i for i, name in enumerate(FIGURE_FIELDS)}
    one = {
        "tool": "vivado",
        "stage": "routed",
        "version": "2022.2",
        "part": "xczu7ev-ffvc1156-2-e",
        "reports": [{"name": "net.rpt", "kind": "utilization", "sha256": "12" * 32}],
    }
    return {"vivado-routed": one | counts | {"lutram": 7} | figures}


def make_fidelity(**changes: Any) -> Any:
    """The field of a report for the comparison with the model itself."""
    blame = {
        "layer": "fc1",
        "type": "fixed<8,3>",
        "reason": "saturates: the type ends at 3.97, the model's values reach 9.5",
        "setting": "fc1.precision.result=fixed<10,5>",
    }
    output = {"name": "y", "largest": 0.75, "mean": 0.01, "equal": 0.5, "agreement": 0.97}
    layer = {"name": "fc1", "vectors": 200, "largest": 5.53, "explained": 0.06}
    found = {"vectors": 1000, "outputs": [output], "layers": [layer], "first": blame}
    found |= {"blame": blame, "warning": "look at fc1"}
    return {"fidelity": found | changes}


def make_step(name: str, settings: str | None = None, bits: int = 32, nonzero: int = 2720) -> Any:
    return {
        "name": name,
        "settings": settings,
        "metric": "top-1 accuracy",
        "validation": 0.96 + nonzero / 1e6,
        "test": 0.95 + bits / 1e4,
        "macs": 2720,
        "bops": 2720 * bits * bits,
        "ebops": nonzero * bits * (bits - 1),
        "weight_bits": 2778 * bits,
        "weights": 2720,
        "weights_nonzero": nonzero,
        "seconds": 3.25,
        "device": "CPU",
    }


RECIPE = (
    make_step("train", "40 epochs, seed 0"),
    make_step("prune", "50% by magnitude", nonzero=1360),
    make_step("quantize", "6 bits", 6, 1250),
)


def make_recipe_fields(config: str = "w6_p50", steps: Any = RECIPE, **options: Any) -> Any:
    """The fields of a report on a model made by a recipe."""
    fields = make_fields(config, **options)
    fields["steps"] = [dict(step) for step in steps]
    fields["accuracy"] |= {"validation": 0.9653, "validation_samples": 269}
    fields["compute"]["ebops"] = steps[-1]["ebops"]
    groups = fields["provenance"]["groups"]
    groups["steps.accuracy"] = groups["accuracy.validation"] = groups["accuracy.quantized"]
    groups["steps.compute"] = groups["compute"]
    return fields


def make_baseline(
    model: str = "float32", batch: int = 1, threads: int = 1, us: float = 12.5, **fields: Any
) -> Any:
    return {
        "runtime": "TensorFlow Lite",
        "version": "2.21.0",
        "model": model,
        "source": "the float network",
        "kernels": "built-in kernels",
        "cpu": "Invented Processor 9000",
        "threads": threads,
        "batch": batch,
        "latency_us": us,
        "latency_low_us": us * 0.75,
        "latency_high_us": us * 2,
        "repetitions": 500,
        "metric": "top-1 accuracy",
        "accuracy": 0.9722,
        "samples": 360,
        "method": "invented",
    } | fields


FRONT = (2, 4, 6, 12, 14, 16, 20, 24, 26, 30, 32, 36, 49)
"""Numbers of the trials on the front of accuracy and LUTs, without trial 22."""


def make_trial(number: int, **fields: Any) -> Any:
    """A trial, completed by default."""
    return {"number": number, "config": f"trial{number}", "state": "done"} | fields


def make_trials() -> list[Any]:
    """50 trials: 28 completed (number 22 misses the constraint), 21 stopped, number 17 failed."""
    trials = []
    for number in range(50):
        bits, prune = 2 + number * 7 % 5, number % 8 / 10
        trial = make_trial(
            number,
            point={
                "bits.hidden1.weights": str(bits),
                "bits.hidden2": "binary" if number % 3 else "{weights: 4, activations: 6}",
                "recipe.1.prune.amount": str(prune),
            },
        )
        if number == 17:
            trial |= {"state": "failed", "error": "out of memory"}
        elif number % 2 and number < 27:
            trial |= {"state": "stopped", "reason": "training curve below the floor"}
        elif number % 2 and number < 45:
            trial |= {"state": "stopped", "reason": "too many EBOPs"}
        else:
            trial["figures"] = {
                "accuracy": 0.97 - 2.0**-bits / 4 - prune / 20,
                "lut": round(3000 * bits * (1 - prune)) + 50.0 * number,
                "latency_ns": 120.0 if number == 22 else 40.0 + number,
                "ebops": 9000.0 * bits,
            }
            trial["front"] = number in FRONT
        trials.append(trial)
    return trials


SEARCH = {
    "sampler": "TPESampler",
    "tool": "Optuna",
    "version": "5.0.0",
    "seed": 7,
    "trials": make_trials(),
    "objectives": ["accuracy", "lut"],
    "constraints": ["latency_ns<=100"],
}


def make_search(**fields: Any) -> Search:
    return Search.model_validate(SEARCH | fields)


CNN = (  # name, kind, input, output, weights, windows, cycles that a window or a pixel takes
    ("conv1", "Conv2D", (28, 28, 1), (26, 26, 8), 72, 26 * 26, 9),
    ("pool1", "MaxPool", (26, 26, 8), (13, 13, 8), 0, 26 * 26, 1),
    ("conv2", "Conv2D", (13, 13, 8), (11, 11, 16), 1152, 11 * 11, 72),
    ("pool2", "MaxPool", (11, 11, 16), (5, 5, 16), 0, 11 * 11, 1),
    ("logits", "Dense", (400,), (10,), 4000, 1, 400),
)


def add_ranges(fields: dict[str, Any]) -> None:
    """Add ranges of values to the fields of a report."""
    whole = {"values": 1000, "least": -1.5, "greatest": 1.5, "at_limits": 0}
    result = {"layer": "fc1", "role": "result", "type": "fixed<8,4,RND,SAT>"}
    weight = {"layer": "fc1", "role": "weight", "type": "fixed<6,1>", "unused_high": 0}
    fields["ranges"] = {
        "activations": [result | whole | {"unused_high": 2, "unused_low": 1, "at_limits": 120}],
        "weights": [weight | whole | {"unused_low": 0}],
    }
    groups = fields["provenance"]["groups"]
    groups["ranges.activations"] = groups["verification"]
    groups["ranges.weights"] = groups["compute"]


def make_streamed_fields(config: str = "r72", speed: int = 1, *, sized: bool = True) -> Any:
    """The fields of a report on a convolutional network; `speed` divides its reuse factors."""
    fields = make_fields(config)
    layers, configs = [], []
    for name, kind, shape, result, weights, windows, cycles in CNN:
        reuse = max(1, cycles // speed)
        moved = (name, speed) == ("conv1", 1)
        configs.append(
            {"name": name, "result_bits": 8}
            | (
                {
                    "weight_bits": 6,
                    "reuse_factor": reuse,
                    "reuse_factor_asked": 7 if moved else reuse,
                    "multipliers": weights // reuse,
                    "notes": ["reuse factor moved from 7 to 9"] if moved else [],
                    "strategy": "shared multipliers",
                    "reason": f"{weights // reuse} multipliers, reuse factor {reuse}",
                }
                if weights
                else {}
            )
        )
        layers.append(
            {
                "name": name,
                "kind": kind,
                "input_shapes": [shape],
                "output_shapes": [result],
                "types": {"result": "ufixed<8,2,RND_CONV,SAT>"},
                "latency": 60 + reuse,
                "interval": windows * reuse if weights else windows,
                "resources": {"xcup": {"lut": 300 + 60 * weights // reuse, "ff": 500, "dsp": 0}},
            }
            | ({"weights": weights, "weights_nonzero": weights} if weights else {})
        )
    slowest = max(layers, key=lambda layer: layer["interval"])
    ii = max(784, slowest["interval"])
    beats = {
        "s_axis": ("input", "image", [28, 28, 1], "ufixed<8,0>", 1, 784, 8),
        "m_axis": ("output", "digit", [10], "fixed<16,6>", 10, 1, 160),
    }
    names = ("name", "direction", "tensor", "shape", "type", "lanes", "beats", "width")
    fields["model"] |= {"name": "digits_cnn", "inputs": {"image": [28, 28, 1]}}
    fields["config"] |= {"io": "io_stream", "reuse_factor": 7, "layers": configs}
    fields["layers"] = layers
    fields["verification"]["layers"] = []
    fields["resources"]["xcup"] = {"lut": 12_000 * speed, "ff": 9_000 * speed, "dsp": 0}
    fields["timing"] |= {
        "latency_min": ii + 900,
        "latency_max": ii + 900,
        "latency_last_min": ii + 909,
        "latency_last_max": ii + 910,
        "latency_predicted": ii + 898,
        "ii": ii + 1,
        "ii_predicted": ii,
    }
    fields["ports"] = [
        dict(zip(names, (name, *values), strict=True)) for name, values in beats.items()
    ]
    fields["fifos"] = [
        {"name": f"u_{name}_fifo", "depth": 16, "width": 8 * result[-1]}
        for name, _, _, result, *_ in CNN[:-1]
    ]
    reuse = next(c.get("reuse_factor") for c in configs if c["name"] == slowest["name"])
    fields["bottleneck"] = {
        "layer": slowest["name"],
        "interval": slowest["interval"],
        "reuse_factor": reuse,
        "faster_reuse_factor": reuse // 2,
        "multipliers": slowest["weights"] // reuse,
        "faster_multipliers": slowest["weights"] // (reuse // 2),
        "extra_lut": 5123.4,
    }
    groups = fields["provenance"]["groups"]
    groups["bottleneck"] = {"method": "estimated", "tool": "Gatewright", "version": "0.1.0"}
    if sized:
        groups["fifos"] = {"method": "simulated", "tool": "Verilator", "details": "deep FIFOs"}
        for level, fifo in enumerate(fields["fifos"]):
            fifo |= {"depth": 3 * level, "level": 3 * level}
    return fields


def make_streamed_report(*args: Any, **options: Any) -> Report:
    return Report.model_validate(make_streamed_fields(*args, **options))


def make_recipe_report(*args: Any, **options: Any) -> Report:
    return Report.model_validate(make_recipe_fields(*args, **options))


def make_found_sweep() -> SweepReport:
    """The reports of a search, with software baselines."""
    reports = [
        make_recipe_fields("plain", (RECIPE[0], RECIPE[2] | {"weights_nonzero": 2500})),
        make_recipe_fields("pruned", bits=(6, 5, 6), accuracy=0.95),
    ]
    return SweepReport.model_validate(
        {
            "reports": reports,
            "baselines": [
                make_baseline(),
                make_baseline(batch=256, us=400.0),
                make_baseline("int8", us=6.25),
                {"runtime": "TensorFlow Lite", "model": "dynamic range", "problem": "no such op"},
            ],
            "search": SEARCH,
        }
    )


def make_report(*args: Any, **options: Any) -> Report:
    return Report.model_validate(make_fields(*args, **options))


def with_error(fields: dict[str, Any], error: float, float_model: float = 0.0125) -> dict[str, Any]:
    """Add the error of a model to the fields of a report."""
    groups = fields["provenance"]["groups"]
    scores = {"float_model": float_model, "quantized": error, "rtl": error, "validation": error}
    fields["error"] = {"metric": "mean squared error", "samples": 360, **scores}
    groups |= dict.fromkeys((f"error.{name}" for name in scores), groups["compute"])
    return fields


def make_error_sweep() -> SweepReport:
    """The reports of a model whose metric is an error: a recipe, other seeds, a baseline."""
    reports = []
    for config, bits, error in (("w8", 8, 0.01251), ("w6", 6, 0.0131), ("w4", 4, 0.123456)):
        fields = with_error(make_recipe_fields(config, bits=(bits, bits, bits)), error)
        del fields["accuracy"]
        fields["provenance"]["groups"] = {
            name: origin
            for name, origin in fields["provenance"]["groups"].items()
            if not name.startswith("accuracy.")
        }
        of_steps = {"metric": "mean squared error", "better": "less", "test": 1.25}
        fields["steps"] = [step | of_steps for step in fields["steps"]]
        again = {"error": fields["error"] | {"quantized": 1.5 * error}}
        check = {"vectors": 360, "mismatches": 0}
        fields |= {"training_seed": 1, "repetitions": [{"seed": 2, "verification": check, **again}]}
        reports.append(fields)
    baseline = make_baseline() | {"metric": "mean squared error", "error": 0.0125}
    del baseline["accuracy"]
    return SweepReport.model_validate({"reports": reports, "baselines": [baseline]})


def make_sweep(**options: Any) -> SweepReport:
    return SweepReport(
        reports=(
            make_report("w8", (8, 8, 8), accuracy=0.9694, **options),
            make_report("w6", (6, 6, 6), accuracy=0.9667, **options),
            make_report("w4", (4, 4, 4), accuracy=0.9611, **options),
            make_report("w3", (3, 3, 3), accuracy=0.9222, **options),
            make_report("mixed", (6, 4, 6), accuracy=0.9639, **options),
            make_report("w8_dsp", (8, 8, 8), accuracy=0.9694, dsp_layer=1, **options),
            make_report("mixed_bad", (4, 6, 8), accuracy=0.9583, mismatches=3, **options),
        )
    )


def add_analyzed(fields: dict[str, Any], target: str = "osu018") -> None:
    """Add the analysis of a netlist of standard cells to the fields of a report."""
    fields.setdefault("analyzed", {})[target] = {
        "conditions": "osu018_stdcells.lib, 1.8 V, 25 C",
        "clock_ns": 5.0,
        "slack_ns": 0.75,
        "fmax_mhz": 235.294,
        "leakage_uw": 0.786,
        "path": {
            "start_layer": "",
            "start": "s_axis_tdata_20",
            "end_layer": "fc1",
            "end": "t9_q1",
            "cells": 21,
        },
    }
    fields.setdefault("power", {})[target] = {
        "vectors": 200,
        "clock_ns": 5.0,
        "interval": 1.0,
        "energy_pj": 802.5,
        "glitch_energy_pj": 1163.5,
        "dynamic_mw": 232.696,
        "clock_share": 0.148,
    }
    tools = {"analyzed": "OpenSTA", "power": "Icarus Verilog"}
    for part, tool in tools.items():
        origin = {"method": "analyzed", "tool": tool, "version": "2.0", "details": "no wires"}
        fields["provenance"]["groups"][f"{part}.{target}"] = origin


def add_routed(fields: dict[str, Any], target: str = "ecp5-85k") -> None:
    """Add the results of a router on a target to the fields of a report."""
    path = [
        ("register", 0.5, "fc1", "t3_q1"),
        ("routing", 5.0, "fc1", "t3_q1"),
        ("logic", 2.0, "fc1", "t9"),
        ("routing", 2.25, "fc2", "advance"),
        ("setup", 0.25, "fc2", "valid_q"),
    ]
    names = ("kind", "delay_ns", "layer", "signal")
    fields.setdefault("routed", {})[target] = {
        "device": "LFE5U-85F-6CABGA381",
        "clock_ns": 8.0,
        "runs": [
            {"seed": 1, "fmax_mhz": 110.0, "seconds": 20.5},
            {"seed": 2, "fmax_mhz": 100.0, "seconds": 21.0},
        ],
        "cells": {"TRELLIS_COMB": {"used": 2100, "available": 83640}},
        "harness": {"lut": 90, "ff": 300},
        "critical_path": [dict(zip(names, each, strict=True)) for each in path],
        "lut": 2010,
        "ff": 640,
        "dsp": 0,
        "bram": 1.5,
        "predicted_ns": 8.0,
    }
    fields["provenance"]["groups"][f"routed.{target}"] = {
        "method": "placed-and-routed",
        "tool": "nextpnr-ecp5",
        "version": "0.11.1",
    }


def add_software(fields: dict[str, Any], **changes: Any) -> None:
    """Add software measurements on a processor to the fields of a report."""
    runs = [make_baseline(us=200.0), make_baseline(us=512.0, batch=256)]
    fields["software"] = {"runs": [run | changes for run in runs]}
    origin = {"method": "measured", "tool": "tf-keras", "version": "2.21.0"}
    fields["provenance"]["groups"]["software"] = origin
