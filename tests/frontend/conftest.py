"""Models to convert: plain ones written by hand, and live ones that share one TensorFlow."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from plain_models import dense, write_model

from gatewright.frontend.readers import child, hdf5_worker, worker
from gatewright.system import processes

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")


@pytest.fixture
def plain(tmp_path):
    """Paths of a 4-3-2 network of plain Dense layers, and its parts to spoil."""
    fc1, fc1_weights = dense("fc1", 3, 4, "relu")
    fc2, fc2_weights = dense("fc2", 2, 3, "softmax")
    layers, weights = [fc1, fc2], {"fc1": fc1_weights, "fc2": fc2_weights}
    return *write_model(tmp_path, layers, weights), layers, weights


@pytest.fixture(scope="session")
def keras():
    """tf-keras, with qkeras imported beside it."""
    from gatewright.frontend.quiet import import_keras

    import_keras("qkeras")
    return sys.modules["tf_keras"]


@pytest.fixture(scope="session")
def qmodel(keras):
    """A QKeras MLP whose numbers are all on grids that hls4ml's types hold."""
    from qkeras import QActivation, QDense, quantized_bits, quantized_relu

    keras.utils.set_random_seed(7)
    x = inputs = keras.Input((6,), name="x")
    x = QDense(
        8,
        name="fc1",
        kernel_quantizer=quantized_bits(6, 0, alpha=1),
        bias_quantizer=quantized_bits(6, 0, alpha=1),
        bias_initializer="random_uniform",
    )(x)
    x = QActivation(quantized_relu(6, 2), name="act1")(x)
    x = QDense(
        3,
        name="fc2",
        kernel_quantizer=quantized_bits(4, 0, alpha="auto_po2"),
        bias_quantizer=quantized_bits(6, 1, alpha=1),
        bias_initializer="random_uniform",
    )(x)
    return keras.Model(inputs, x, name="q")


@pytest.fixture(params=["tf-keras", "keras 3"])
def k(request, keras):
    """Either Keras."""
    if request.param == "tf-keras":
        return keras
    import keras as keras3

    return keras3


@pytest.fixture(autouse=True)
def eager():
    """TensorFlow computes at once: tracing functions takes longer than what these tests compute."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None or "config" not in dir(tensorflow):
        yield
        return
    tensorflow.config.run_functions_eagerly(True)
    yield
    tensorflow.config.run_functions_eagerly(False)


def _forked(command, **options):
    """As `processes.run`, but the worker that reads HDF5 is a fork of this process."""
    if str(command[3]) != hdf5_worker.__file__:
        return processes.run(command, **options)
    answers, end = os.pipe()
    forked = os.fork()
    if forked == 0:
        status = 1
        try:
            sys.argv = [str(each) for each in command[2:]]
            os.dup2(end, 1)
            worker.main()
            status = 0
        finally:
            os._exit(status)
    os.close(end)
    with os.fdopen(answers, encoding="utf-8") as given:
        said = given.read()
    status = os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1])
    return subprocess.CompletedProcess(command, status, said, "")


@pytest.fixture(autouse=True)
def forked_reading(monkeypatch):
    """Most tests here read HDF5, and importing h5py anew takes longer than all else they do.

    Other tests read in the process of its own that the product starts.
    """
    run = SimpleNamespace(run=_forked, Limits=processes.Limits)
    monkeypatch.setattr(child, "processes", run)
