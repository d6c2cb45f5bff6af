"""SavedModels of TensorFlow: what Keras says in them is read, and no function of theirs."""

import shutil

import numpy as np
import pytest

from gatewright.errors import InputError
from gatewright.frontend import load
from live_models import predicted, samples, shaken


@pytest.fixture(scope="module")
def saved(keras, tmp_path_factory):
    """A SavedModel of models within models, a recurrent layer and operations; and the model."""
    import tensorflow as tf

    layers = keras.layers
    inner = keras.Sequential([keras.Input((5,)), layers.Dense(3), layers.BatchNormalization()])
    x = keras.Input((4,), name="x")
    y = inner(layers.Dense(5, activation="relu", name="first")(x))
    y = layers.LSTM(2)(layers.Reshape((3, 1))(y))
    y = layers.Dense(2, activation=layers.PReLU(), name="last")(tf.nn.relu(y * 2.0))
    model = shaken(keras.Model(x, y))
    folder = tmp_path_factory.mktemp("saved") / "m"
    model.save(folder, save_format="tf")
    return folder, model


def test_a_saved_model_is_read(saved):
    folder, model = saved
    network = load(folder)
    expected = model.predict(samples(4), verbose=0)
    np.testing.assert_allclose(predicted(network, samples(4))[0], expected, rtol=1e-5)
    live = load(model)
    assert [layer.name for layer in network.layers] == [layer.name for layer in live.layers]


@pytest.mark.full
def test_a_saved_model_of_an_early_version(saved, tmp_path):
    """Before 2.5 the description stood among the objects of the graph."""
    from tensorflow.core.protobuf import saved_model_pb2
    from tf_keras.protobuf import saved_metadata_pb2

    folder, model = saved
    early = tmp_path / "early"
    shutil.copytree(folder, early)
    texts = saved_metadata_pb2.SavedMetadata.FromString((early / "keras_metadata.pb").read_bytes())
    graph = saved_model_pb2.SavedModel.FromString((early / "saved_model.pb").read_bytes())
    for node in texts.nodes:
        graph.meta_graphs[0].object_graph_def.nodes[
            node.node_id
        ].user_object.metadata = node.metadata
    (early / "saved_model.pb").write_bytes(graph.SerializeToString())
    (early / "keras_metadata.pb").unlink()
    expected = model.predict(samples(4), verbose=0)
    np.testing.assert_allclose(predicted(load(early), samples(4))[0], expected, rtol=1e-5)


def test_what_keras_3_exports_says_nothing_of_its_layers(tmp_path):
    import keras as keras3

    model = shaken(keras3.Sequential([keras3.Input((4,)), keras3.layers.Dense(2)]))
    model.export(tmp_path / "m", verbose=False)
    with pytest.raises(InputError, match=r"save the model with model\.save\('model\.keras'\)"):
        load(tmp_path / "m")
    model.save(tmp_path / "model.keras")
    expected = model.predict(samples(4), verbose=0)
    found = predicted(load(tmp_path / "model.keras"), samples(4))[0]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(
    "name", ["keras_metadata.pb", pytest.param("variables/variables.index", marks=pytest.mark.full)]
)
def test_a_damaged_folder_is_refused(saved, tmp_path, name):
    folder, _ = saved
    shutil.copytree(folder, tmp_path / "m")
    content = bytearray((tmp_path / "m" / name).read_bytes())
    content[10:30] = b"\xff" * 20
    (tmp_path / "m" / name).write_bytes(content)
    with pytest.raises(InputError, match="m: ") as caught:
        load(tmp_path / "m")
    assert "\n" not in str(caught.value)


def test_a_directory_that_is_none(tmp_path):
    with pytest.raises(InputError, match="a directory, but not a SavedModel"):
        load(tmp_path)
