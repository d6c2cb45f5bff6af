"""Text of a file that is code wherever it is printed: it is refused, or nothing is left of it.

The payloads leave a marker where they run. Each attack that was ever shown is converted and
verified through the command line; and text is put in the place of every argument of every layer,
of which the typed description must then hold nothing.
"""

import copy
import io
import itertools
import json
import re
import tarfile
import zipfile
from contextlib import nullcontext

import h5py
import networks
import payloads
import pytest

from gatewright.errors import InputError
from gatewright.frontend.network import is_name
from gatewright.frontend.readers.architecture import read_outline
from gatewright.frontend.readers.flatten import flatten
from gatewright.frontend.readers.fml import read_fml

#: Parts of every payload that is code; no name of a layer holds one.
_SIGNS = re.compile(rf"[^\w\s]\s*(touch|system)|{payloads.MARKER}|#include|\$\(|`|;|\x1b|\x00")


def refused(server, folder, *command):
    """A command is refused in one line that names the file, and nothing ran or is left."""
    verdict = server.run(folder, *command)
    assert not verdict.faults, str(verdict)
    assert not verdict.accepted
    assert verdict.said.startswith("gatewright: net.")


def harmless(server, folder, *command):
    """A command converts, compiles and verifies, and nothing ran."""
    verdict = server.run(folder, *command)
    assert not verdict.faults, str(verdict)
    assert verdict.accepted, verdict.said


def convert(model, *options):
    return ("convert", model, "-o", "out", *options)


# Keras files.


def write_keras2(folder, architecture, network):
    networks.write_h5(network, folder / "net.h5")
    with h5py.File(folder / "net.h5", "r+") as file:
        file.attrs["model_config"] = json.dumps(architecture)


def change_layer(architecture, chosen, **arguments):
    changed = copy.deepcopy(architecture)
    layer = next(one for one in changed["config"]["layers"] if one["config"]["name"] == chosen)
    layer["config"] |= arguments
    return changed


@pytest.mark.parametrize("text", payloads.CPP)
def test_axis_of_a_softmax(server, tmp_path, text):
    network = networks.mlp()
    changed = change_layer(networks.keras2_architecture(network), "prob", axis=text)
    write_keras2(tmp_path, changed, network)
    refused(server, tmp_path, *convert("net.h5", *network.options))


#: What a name of a layer may be, beside payloads: what steers a terminal, a shell, a file's place.
NAMES = (
    "a;x",
    "a\nb",
    "a`id`b",
    "$(id)",
    "\x1b]0;x\x07",
    "a\x00b",
    "a\x7fb",
    "../x",
    "a b",
    "",
    "\x9b2J",
)


#: With these names a file of Keras 3 is converted as a whole; of those one is enough.
_CONVERTED = [name for name in (*NAMES, *payloads.CPP[:1]) if name.isprintable()]


@pytest.mark.parametrize(
    ("form", "name"),
    [
        pytest.param(
            form, name, marks=[pytest.mark.full] if form == "keras3" and name in _CONVERTED else []
        )
        for form in ("h5", "keras3")
        for name in (*NAMES, payloads.CPP[0], payloads.SYSTEMVERILOG[0])
    ],
)
def test_names_of_layers(server, tmp_path, form, name):
    network = networks.mlp()
    if form == "h5":
        changed = change_layer(networks.keras2_architecture(network), "fc1", name=name)
        write_keras2(tmp_path, changed, network)
        refused(server, tmp_path, *convert("net.h5", *network.options))
    else:
        changed = change_layer(networks.keras3_architecture(network), "fc1", name=name)
        networks.write_keras3_archive(network, tmp_path / "net.keras")
        replace_member(tmp_path / "net.keras", "config.json", json.dumps(changed))
        verdict = server.run(tmp_path, *convert("net.keras", *network.options))
        assert not verdict.faults, str(verdict)
        # Printable text is what the layer is called; nothing is named by it.
        assert verdict.accepted == name.isprintable(), verdict.said


def places(node, path=()):
    """Every place of a tree that holds a value, and every value that holds others."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


def replaced(tree, path, value):
    changed = copy.deepcopy(tree)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return changed


KERAS = [
    *(
        (networks.keras2_architecture, network)
        for network in [*networks.networks(), networks.structures()]
    ),
    *((networks.keras3_architecture, network) for network in networks.keras3_networks()),
]


def described(network):
    """All of a network that hls4ml is told, but for names, which are identifiers."""
    for one in network.layers:
        assert all(map(is_name, (one.name, *one.inputs)))
    return repr([(one.kind, one.arguments) for one in network.layers])


@pytest.mark.parametrize(
    ("written", "network"),
    KERAS,
    ids=[f"{written.__name__.partition('_')[0]}-{network.name}" for written, network in KERAS],
)
def test_text_in_place_of_every_part_of_an_architecture(written, network):
    """Refused in a line that can be printed, or dropped: the description has no such text."""
    architecture = written(network)
    flatten(read_outline("net", copy.deepcopy(architecture)))
    refusals = 0
    for count, path in enumerate(places(architecture)):
        # Each place gets two kinds of text, other places others.
        for text in (
            payloads.CPP[count % len(payloads.CPP)],
            payloads.TEXTS[count % len(payloads.TEXTS)],
        ):
            for value in (text, [text], {"class_name": text, "config": {text: text}}):
                try:
                    found = flatten(
                        read_outline("net", replaced(architecture, path, value))
                    ).network
                except InputError as error:
                    assert str(error).isprintable(), path
                    assert len(str(error)) < 1000, path
                    refusals += 1
                else:
                    assert not _SIGNS.search(described(found)), path
    assert refusals > 100


# Archives.


def replace_member(path, name, content, *, also=None):
    """Replace a member of a zip archive; or, with another name, add it behind."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for member, old in members.items():
            archive.writestr(member, content if member == name and also is None else old)
        if also is not None:
            archive.writestr(also, content)


def graph_parts(path):
    """The JSON members of an `.fml`."""
    with tarfile.open(path) as archive:
        return {item.name: archive.extractfile(item).read() for item in archive if item.isfile()}


def write_graph(path, files, *, behind=()):
    """An `.fml` of these files, and of others behind them."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in (*files.items(), *behind):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


@pytest.fixture
def saved(server):
    """Members of an `.fml` of hls4ml."""
    return graph_parts(server.prepared / "mlp.fml")


def member(files, end):
    return next(name for name in files if name.rpartition("/")[2] == end)


def test_generated_text_of_a_saved_graph(server, tmp_path, saved):
    """hls4ml writes it anew; what stood there is not taken: converted, compiled and verified."""
    name = member(saved, "model_arch.json")
    tree = json.loads(saved[name])
    texts = itertools.cycle(payloads.CPP)
    for node in tree.values():
        attributes = node["state"]["attributes"]
        for key in ("config_cpp", "function_cpp"):
            if key in attributes:
                attributes[key] += f"\n{next(texts)}"
        if "include_header" in attributes:
            attributes["include_header"] += ["/etc/hostname", f'"\n{next(texts)}\n"']
    write_graph(tmp_path / "net.fml", saved | {name: json.dumps(tree).encode()})
    harmless(server, tmp_path, *convert("net.fml"))


@pytest.mark.parametrize(
    "key", ["width", "integer", "rounding_mode", "shape", "class_name", "name"]
)
def test_names_and_types_of_a_saved_graph(server, tmp_path, saved, key):
    """What hls4ml prints of types, variables and tensors."""
    name = member(saved, "model_arch.json")
    tree = json.loads(saved[name])
    chosen = [path for path in places(tree) if path[-1] == key and "fc1" in path]
    for index, path in enumerate(dict.fromkeys((chosen[0], chosen[-1]))):
        folder = tmp_path / str(index)
        folder.mkdir()
        changed = replaced(tree, path, payloads.CPP[index])
        write_graph(folder / "net.fml", saved | {name: json.dumps(changed).encode()})
        refused(server, folder, *convert("net.fml"))


@pytest.mark.parametrize("name", NAMES)
def test_names_of_layers_of_a_saved_graph(server, tmp_path, saved, name):
    place = member(saved, "model_arch.json")
    text = saved[place].decode().replace('"fc1"', json.dumps(name))
    write_graph(tmp_path / "net.fml", saved | {place: text.encode()})
    refused(server, tmp_path, *convert("net.fml"))


@pytest.mark.parametrize("document", ["model_arch.json", "config.json", "graph_state.json"])
def test_text_in_place_of_every_part_of_a_saved_graph(tmp_path, saved, document):
    """Refused in a line that can be printed, or dropped: the description has no such text."""
    name = member(saved, document)
    tree = json.loads(saved[name])
    path = tmp_path / "net.fml"
    refusals = 0
    for count, place in enumerate(places(tree)):
        text = payloads.CPP[count % len(payloads.CPP)]
        changed = replaced(tree, place, [text] if count % 5 == 4 else text)
        write_graph(path, saved | {name: json.dumps(changed).encode()})
        try:
            found = read_fml(path)
        except InputError as error:
            assert str(error).isprintable(), place
            refusals += 1
        else:
            assert not _SIGNS.search(repr(found)), place
    assert refusals > 3


@pytest.mark.parametrize("form", ["{}", "./{}", ".//{}", "a/../{}", "././{}"])
@pytest.mark.parametrize("kind", ["fml", "keras"])
def test_a_second_member_of_the_same_name(server, tmp_path, saved, form, kind):
    """The one that is read is the one that was checked: two are refused."""
    if kind == "fml":
        name = member(saved, "model_arch.json")
        tree = json.loads(saved[name])
        tree["fc1"]["state"]["attributes"]["config_cpp"] = payloads.CPP[0]
        second = (form.format(name.removeprefix("/")), json.dumps(tree).encode())
        write_graph(tmp_path / "net.fml", saved, behind=[second])
        refused(server, tmp_path, *convert("net.fml"))
        return
    network = networks.mlp()
    networks.write_keras3_archive(network, tmp_path / "net.keras")
    changed = change_layer(networks.keras3_architecture(network), "prob", axis=payloads.CPP[0])
    with pytest.warns(UserWarning, match="Duplicate") if form == "{}" else nullcontext():
        replace_member(
            tmp_path / "net.keras",
            "config.json",
            json.dumps(changed),
            also=form.format("config.json"),
        )
    refused(server, tmp_path, *convert("net.keras", *network.options))
