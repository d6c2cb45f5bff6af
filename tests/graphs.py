"""hls4ml graphs made layer by layer, so that tests of what follows need no Keras."""

from __future__ import annotations

from typing import Any

import numpy as np


class GraphBuilder:
    """Layers in the form in which hls4ml's parsers hand them to its ModelGraph."""

    def __init__(self, seed: int = 0) -> None:
        self.layers: list[dict[str, Any]] = []
        self.rng = np.random.default_rng(seed)

    def weights(self, *shape: int) -> np.ndarray:
        """Values on no grid, as of a model trained in floats."""
        return np.round(self.rng.normal(0, 0.7, shape), 5)

    def add(self, class_name: str, name: str, *inputs: str, **fields: Any) -> str:
        layer = {"class_name": class_name, "name": name, "inputs": list(inputs)}
        self.layers.append({**layer, **fields})
        return name

    def input(self, name: str, *shape: int) -> str:
        form = {"input_shape": list(shape), "data_format": "channels_last"}
        return self.add("InputLayer", name, "input", **form)

    def dense(self, name: str, source: str, n_in: int, n_out: int, **fields: Any) -> str:
        class_name = fields.pop("class_name", "Dense")
        defaults = {
            "weight_data": self.weights(n_in, n_out),
            "bias_data": self.weights(n_out),
            "use_bias": True,
        }
        return self.add(class_name, name, source, n_in=n_in, n_out=n_out, **(defaults | fields))

    def batchnorm(self, name: str, source: str, n_in: int, n_filt: int = -1) -> str:
        entries = n_in if n_filt == -1 else n_filt
        return self.add(
            "BatchNormalization",
            name,
            source,
            n_in=n_in,
            n_out=n_in,
            n_filt=n_filt,
            use_gamma=True,
            use_beta=True,
            gamma_data=1 + self.rng.random(entries),
            beta_data=self.weights(entries),
            mean_data=self.weights(entries),
            variance_data=0.5 + self.rng.random(entries),
            epsilon=1e-3,
        )

    def activation(self, name: str, source: str, function: str, **fields: Any) -> str:
        class_name = fields.pop("class_name", "Activation")
        return self.add(class_name, name, source, activation=function, **fields)

    def graph(
        self,
        outputs: list[str],
        *,
        settings: dict[str, dict[str, Any]] | None = None,
        io_type: str = "io_parallel",
        precision: str = "fixed<12,5>",
        reuse_factor: int = 1,
    ) -> Any:
        """hls4ml's ModelGraph, the flow of its Vitis backend applied.

        Args:
            outputs: names of the output layers.
            settings: per layer, hls4ml's configuration beside the result's type.
            io_type: hls4ml's.
            precision: the result's type of every layer.
            reuse_factor: the model's.
        """
        from hls4ml.model import ModelGraph
        from hls4ml.utils.config import create_config

        config = create_config(
            output_dir="unused",
            project_name="model",
            backend="Vitis",
            part="xcvu13p-flga2577-2-e",
            clock_period=5,
            io_type=io_type,
        )
        model = {"default": "fixed<16,6>"}
        names: dict[str, Any] = {}
        for layer in self.layers:
            own = dict((settings or {}).get(layer["name"], {}))
            types = {"result": precision, **own.pop("Precision", {})}
            names[layer["name"]] = {"Trace": True, "Precision": types, **own}
        config["TraceOutput"] = True
        config["HLSConfig"] = {
            "Model": {"Precision": model, "ReuseFactor": reuse_factor, "Strategy": "Latency"},
            "LayerName": names,
        }
        inputs = [la["name"] for la in self.layers if la["class_name"] == "InputLayer"]
        return ModelGraph.from_layer_list(config, self.layers, inputs, outputs)
