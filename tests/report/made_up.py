"""Invented reports: plausible figures that nothing measured."""

from __future__ import annotations

from typing import Any

from gatewright.report.schema import Report, SweepReport

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
    """The fields of a report, to spoil one by one."""
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


def make_report(*args: Any, **options: Any) -> Report:
    return Report.model_validate(make_fields(*args, **options))


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
