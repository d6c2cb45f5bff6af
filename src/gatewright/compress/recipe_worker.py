"""Runs steps of recipes: `python -m gatewright.compress.recipe_worker`.

Requests are lines of JSON on standard input. For each, the process prints lines of JSON:
`{"epoch", "loss", "validation"}` after each epoch, the last key only with validation data; and at
the end `{"measured": {...}}`, or `{"refused": text}` if the request is wrong. It writes files into
the folder that the request names. Its results don't depend on earlier requests.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatewright.compress.bits import BitsByLayer
from gatewright.compress.calibrate import calibrate
from gatewright.compress.cost import compute_cost
from gatewright.compress.dataset import (
    Data,
    Samples,
    in_order,
    load_data,
    load_model_module,
    read_metric,
)
from gatewright.compress.fit import Fitted, Teaching, fit, predict, score, use_devices
from gatewright.compress.hgq2 import train
from gatewright.compress.layer_graph import kernels, quantized_kernel
from gatewright.compress.model_files import load_model
from gatewright.compress.prune import Pruning, hold, importance, magnitude, summarize
from gatewright.compress.quantize import quantize
from gatewright.compress.recipe import (
    STEPS,
    Calibrate,
    Distil,
    FittingStep,
    Hgq2,
    Prune,
    Quantize,
    Training,
    Transfer,
)
from gatewright.compress.recipe_walk import DATA, MASKS, OUTPUTS
from gatewright.compress.remove import remove
from gatewright.compress.sensitivity import find_bits
from gatewright.errors import InputError, UnsupportedError
from gatewright.fixed import FixedType


def say(message: dict[str, Any]) -> None:
    """Print a message for the parent process."""
    print(json.dumps(message), flush=True)


def make_data(request: dict[str, Any]) -> dict[str, Any]:
    """Load a model's data and save it."""
    module = load_model_module(Path(request["model_file"]))
    data = load_data(
        module, request["arguments"], request["input_precision"], request["validation"]
    )
    data.save(Path(request["output_dir"]) / DATA)
    metric = read_metric(module, data.train.y)
    return {name: len(samples) for name, samples in vars(data).items()} | {
        "metric": {
            "name": metric.name,
            "better": metric.better,
            "named": metric.named,
            "output": metric.output,
        }
    }


def measure_outputs(request: dict[str, Any]) -> dict[str, Any]:
    """The metric of outputs for the test set, for metrics that are functions of model.py."""
    module = load_model_module(Path(request["model_file"]))
    test = Data.load(Path(request["data_file"])).test
    outputs = _load(Path(request["outputs_file"]))
    held = outputs if isinstance(test.y, dict) or len(outputs) > 1 else next(iter(outputs.values()))
    return {"test": read_metric(module, test.y).of(test.y, held)}


def make_hgq2_model(request: dict[str, Any]) -> dict[str, Any]:
    """Have HGQ2 fit a model, save it, and measure it."""
    model_file, data_file = Path(request["model_file"]), Path(request["data_file"])
    directory = Path(request["output_dir"])
    step = Hgq2.model_validate(request["settings"])
    made = train(
        model_file.parent,
        Path(request["parent"]),
        data_file,
        step,
        Training.model_construct(**request["training"]),
        request["architecture"],
    )
    (directory / step.model_file).write_bytes(made.content)
    np.savez(directory / OUTPUTS, allow_pickle=False, **{made.output: made.outputs["test"]})
    data = Data.load(data_file)
    metric = read_metric(load_model_module(model_file), data.train.y)
    scores = {part: metric.of(getattr(data, part).y, out) for part, out in made.outputs.items()}
    return _measured(scores, losses=made.losses, devices=("CPU:0",), framework=made.framework)


def make_model(request: dict[str, Any]) -> dict[str, Any]:
    """Run a step: make its model, save it, and measure it."""
    training = Training.model_construct(**request["training"])
    devices = use_devices(training.cpu_devices)
    import tf_keras

    data = Data.load(Path(request["data_file"]))
    module = load_model_module(Path(request["model_file"]))
    tf_keras.backend.clear_session()
    with devices.scope():
        tf_keras.utils.set_random_seed(training.seed)
        made = _Making(request, module, data, training)
        made.do()
    return made.measure() | {"devices": devices.names if made.fitted else ()}


class _Making:
    """A step and the model that it works on.

    Attributes:
        model: The tf-keras model so far.
        masks: Masks by layer, False for weights held at zero.
        notes: Lines for the user.
        fitted: The course of the fit, if there was one.
        found: Bits by layer, if the step has searched for them.
    """

    def __init__(
        self, request: dict[str, Any], module: ModuleType, data: Data, training: Training
    ) -> None:
        self.request, self.module, self.data, self.training = request, module, data, training
        self.metric = read_metric(module, data.train.y)
        self.masks: dict[str, NDArray[np.bool_]] = {}
        self.notes: list[str] = []
        self.fitted: Fitted | None = None
        self.found: BitsByLayer = {}
        precision = request["input_precision"]
        self.input_type = FixedType.parse(precision) if precision else None
        if request["parent"] is None:
            self.model = module.build(**request["architecture"])
        else:
            self.model = load_model(Path(request["parent"]))
            if request["masks"] is not None:
                self.masks = _load(Path(request["masks"]))

    def do(self) -> None:
        """Run the step."""
        step = STEPS[self.request["step"]].model_validate(self.request["settings"])
        from tf_keras.callbacks import LambdaCallback

        match step:
            case Transfer():
                self._take_weights()
            case Quantize():
                assert step.relu_integer is not None
                bits = self._bits(step, self._inputs(self.data.validation))
                self.model = quantize(self.model, bits, relu_integer=step.relu_integer)
            case Calibrate():
                x = self._inputs(self.data.train.part(slice(step.samples)))
                self.model = calibrate(self.model, self._bits(step, x), x)
        if isinstance(step, Prune):
            self._prune(step)
        else:
            callbacks = []
            if self.masks:
                hold_now = hold(self.model, self.masks)
                callbacks.append(LambdaCallback(on_train_batch_end=lambda *_: hold_now()))
            if isinstance(step, FittingStep):
                self._fit(step, callbacks)
        self._check_pruned()

    def _inputs(self, samples: Samples) -> list[NDArray[Any]]:
        return samples.inputs(self.model.input_names)

    def _bits(self, step: Quantize | Calibrate, ranges: list[NDArray[Any]]) -> BitsByLayer:
        """The bits of a step; with `max_loss` they are found on the validation data.

        Args:
            step: The step.
            ranges: Samples on which ranges are measured, an array for each input.
        """
        assert step.bits is not None
        if step.max_loss is None:
            return step.bits
        self.found = find_bits(
            self.model,
            self._inputs(self.data.validation),
            self.data.validation.y,
            step.max_loss,
            step.bits,
            metric=self.metric,
            ranges=ranges,
            input_type=self.input_type,
        )
        return self.found

    def _take_weights(self) -> None:
        """Take over the weights of layers with the same name and shapes from another model."""
        origin = {layer.name: layer for layer in load_model(Path(self.request["origin"])).layers}
        taken, fresh = [], []
        for layer in self.model.layers:
            if not layer.weights:
                continue
            weights = origin[layer.name].get_weights() if layer.name in origin else []
            if [w.shape for w in weights] == [tuple(w.shape) for w in layer.weights]:
                layer.set_weights(weights)
                taken.append(layer.name)
            else:
                fresh.append(layer.name)
        if not taken:
            raise InputError(
                f"model: {self.request['origin']} has no layer of the same name and shape as one "
                f"of {', '.join(fresh)}"
            )
        self.notes.append(f"weights taken over: {', '.join(taken)}")
        if fresh:
            self.notes.append(f"new weights: {', '.join(fresh)}")

    def _prune(self, step: Prune) -> None:
        """Prune more and more over the first half of the epochs, and recover in the second."""
        loss = self.module.loss()
        scores = {
            "magnitude": magnitude,
            "importance": lambda model: importance(
                model,
                self._inputs(self.data.train),
                in_order(self.data.train.y, model.output_names, "output"),
                loss,
            ),
        }
        pruning = Pruning(
            self.model,
            step.amount,
            -(-self.training.epochs // 2),
            scores[step.by],
            structure=step.structure,
            scope=step.scope,
            layers=step.layers,
            reuse_factor=step.reuse_factor,
            previous=self.masks,
        )
        if self.training.epochs:
            self._fit(step, [pruning.callback()])
        else:
            pruning.raise_amount(0)
        self.masks = pruning.masks
        self.notes += [
            f"{found.layer}: {found.pruned} of {found.weights} weights and "
            f"{found.neurons_pruned} of {found.neurons} neurons or filters pruned"
            for found in summarize(self.model, self.masks)
            if found.pruned
        ]
        if step.structure == "neurons":
            self.model, self.masks = remove(self.model, self.masks)

    def _fit(self, step: FittingStep, callbacks: list[Any]) -> None:
        if not self.training.epochs:
            return
        if self.request["parent"] is None:
            score(self.model, self.data.test, self.metric)  # refuses what doesn't fit before a fit
        self.fitted = fit(
            self.model,
            self.data,
            self.module.loss(),
            self.metric,
            self.training,
            teaching=self._teaching(step) if isinstance(step, Distil) else None,
            freeze=getattr(step, "freeze", ()),
            callbacks=callbacks,
            floor=self.request["floor"],
            report=say,
        )

    def _teaching(self, step: Distil) -> Teaching:
        teacher = load_model(Path(self.request["teacher"]))
        return Teaching(predict(teacher, self.data.train), step.temperature, step.weight)

    def _check_pruned(self) -> None:
        """Check that pruned weights are zero after quantization.

        Raises:
            InputError: if a quantizer has no zero.
        """
        layers = kernels(self.model)
        for name, mask in self.masks.items():
            if np.any(quantized_kernel(layers[name])[~mask]):
                raise InputError(
                    f"layer '{name}': its weights are pruned, and its quantizer has no zero; "
                    "give it weights of another kind"
                )

    def measure(self) -> dict[str, Any]:
        """Save the model, and measure its metric and cost."""
        directory = Path(self.request["output_dir"])
        file = directory / STEPS[self.request["step"]].model_file
        self.model.save(file, include_optimizer=False, save_format="h5")
        if self.masks:
            np.savez(directory / MASKS, allow_pickle=False, **self.masks)
        test = self.data.test
        outputs = predict(self.model, test, len(test))
        names: list[str] = self.model.output_names
        arrays = in_order(outputs, names, "output")
        np.savez(directory / OUTPUTS, allow_pickle=False, **dict(zip(names, arrays, strict=True)))
        scores = {
            part: score(self.model, samples, self.metric)
            for part, samples in vars(self.data).items()
            if part != "test" and len(samples)
        }
        scores["test"] = self.metric.of(test.y, outputs)
        cost = None
        try:
            cost = asdict(compute_cost(self.model, self.input_type))
        except UnsupportedError as error:
            self.notes.append(f"compute cost isn't known: {error}")
        return _measured(
            scores,
            cost=cost,
            losses=self.fitted.losses if self.fitted else (),
            curve=self.fitted.curve if self.fitted else (),
            bits={name: bits.model_dump(exclude_none=True) for name, bits in self.found.items()},
            stopped=bool(self.fitted and self.fitted.stopped),
            notes=self.notes,
        )


def _measured(scores: dict[str, float], **others: Any) -> dict[str, Any]:
    """What is told of a step, with the values of what it doesn't have."""
    nothing: dict[str, Any] = {
        "cost": None,
        "losses": (),
        "curve": (),
        "bits": {},
        "stopped": False,
        "notes": (),
    }
    return {"scores": scores} | nothing | others


def _load(file: Path) -> dict[str, NDArray[Any]]:
    with np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)


_ANSWERS = {"data": make_data, "measure": measure_outputs, Hgq2.name: make_hgq2_model}


def _end_with(parent: int) -> None:
    """End this process as soon as its parent is gone, for whatever reason."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def main() -> None:
    """Answer requests until standard input ends."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            measured = _ANSWERS.get(request["step"], make_model)(request)
        except InputError as error:
            say({"refused": str(error)})
        else:
            say({"measured": measured})


if __name__ == "__main__":
    main()
