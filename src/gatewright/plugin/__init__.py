"""Gatewright as a backend of hls4ml: `backend="Gatewright"`.

hls4ml calls `register` when it is imported, so heavy modules are imported here only when needed.
C++, types and flow of a conversion are those of hls4ml's Vitis backend, except the types between
the tables of a softmax. Their defaults wrap, so they are derived from its inputs.

hls4ml 1.3 passes every model to its Keras 3 parser if Keras 3 is installed, as it always is with a
current TensorFlow. That parser fails on any tf-keras model and has no hook. So `register` wraps it
(`_Keras2Router`) to pass tf-keras models to the Keras 2 parser. Other models are not affected.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

NAME = "Gatewright"
_PARSER = "hls4ml.converters.keras_v3_to_hls"


def register(register_backend: Callable[..., None], register_writer: Callable[..., None]) -> None:
    """Register backend and writer; hls4ml finds this through the entry point `hls4ml.backends`."""
    from gatewright.plugin.backend import GatewrightBackend, GatewrightWriter

    # hls4ml looks up the writer while it creates the backend.
    register_writer(NAME, GatewrightWriter)
    register_backend(NAME, GatewrightBackend)
    if _PARSER not in sys.modules:  # hls4ml imports its backends first
        sys.meta_path.insert(0, _Keras2Router())


class _Keras2Router(MetaPathFinder):
    """Wraps hls4ml's Keras 3 parser when it is imported, then removes itself."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != _PARSER:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path, target)
        loader: Any = spec.loader if spec is not None else None
        if loader is not None:
            execute = loader.exec_module

            def exec_module(module: Any) -> None:
                execute(module)
                module.parse_keras_v3_model = _routed(module.parse_keras_v3_model)

            loader.exec_module = exec_module
        return spec


def _routed(parse: Callable[..., Any]) -> Callable[..., Any]:
    """hls4ml's Keras 3 parser, replaced by the Keras 2 parser for tf-keras models."""

    @functools.wraps(parse)
    def routed(model: Any, *args: Any, **options: Any) -> Any:
        if not any(cls.__module__.startswith("tf_keras.") for cls in type(model).__mro__):
            return parse(model, *args, **options)
        from hls4ml.converters import KerasModelReader, parse_keras_model

        from gatewright.frontend import load
        from gatewright.frontend.keras2 import Model
        from gatewright.frontend.network import Network
        from gatewright.frontend.passes import supported

        network = load(model)
        assert isinstance(network, Network)  # live Keras models are read as this
        source = Model(supported(network), with_qkeras=True)
        return parse_keras_model(source, KerasModelReader(source))

    return routed
