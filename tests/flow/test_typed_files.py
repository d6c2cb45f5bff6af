"""Files of a project are data that anybody may have written: wrong fields are one line."""

import copy
import io
import json
import zipfile
from operator import setitem

import numpy as np
import pytest

from gatewright.design.dataflow import Design
from gatewright.errors import InputError
from gatewright.flow.convert import load_read_network, load_request
from gatewright.rtl.manifest import RtlProject

VALUES = [
    "1",
    "",
    "../x",
    "/etc/passwd",
    "a\nb",
    -1,
    0,
    2**31,
    10**30,
    1.5,
    True,
    None,
    [],
    {},
    [[]],
]
VALUES += ["x" * 20_000, "fixed<10000000,1>", {"type": "fixed<8,3>"}, {"array": "no"}]

READERS = {
    "rtl/project.json": lambda project: RtlProject.load(project / "rtl"),
    "model/design.json": lambda project: Design.load(project / "model" / "design"),
    "model/network.json": load_read_network,
    "convert.json": load_request,
}


def places(value, at=()):
    """Paths of all fields and items of a JSON document."""
    if at:
        yield at
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(item, (*at, key))


def places_of(name, project):
    found = list(places(json.loads((project / name).read_text())))
    assert len(found) > 10
    return found


def changed(fields, at, change):
    fields = copy.deepcopy(fields)
    place = fields
    for key in at[:-1]:
        place = place[key]
    change(place, at[-1])
    return fields


def attempt(project, name, text):
    """Read a file with other content; what it refuses is one line that names the file."""
    (project / name).write_text(text)
    try:
        READERS[name](project)
    except InputError as error:
        assert name in str(error) and "\n" not in str(error), error
        assert len(str(error)) < 700, error
        return False
    return True


@pytest.mark.parametrize("name", READERS)
def test_fields_of_other_types_and_sizes_are_refused(project, name):
    """Every field in turn is another value, missing, or joined by one that nobody knows."""
    fields = json.loads((project / name).read_text())
    rng = np.random.default_rng(0)
    accepted = tried = 0
    for at in places_of(name, project):
        for number in rng.choice(len(VALUES), 6, replace=False):
            value = VALUES[number]
            other = changed(fields, at, lambda place, key, to=value: setitem(place, key, to))
            accepted += attempt(project, name, json.dumps(other))
            tried += 1
        attempt(project, name, json.dumps(changed(fields, at, lambda place, key: place.pop(key))))
    assert accepted < tried / 3
    assert not attempt(project, name, json.dumps({**fields, "unknown": 1})) or "design" in name
    assert attempt(project, name, json.dumps(fields))


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    "text", ["", "null", "[]", "1" * 5000, "[" * 100_000, '{"a": NaN}', "\ud800", '"\\ud800"']
)
def test_what_is_no_such_document_is_refused(project, name, text):
    (project / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(InputError, match=name):
        READERS[name](project)


@pytest.mark.parametrize("link", [False, True])
def test_files_outside_of_the_project_are_refused(project, tmp_path, link):
    """By their names, or as links."""
    path = project / "rtl" / "project.json"
    outside = tmp_path / "outside.sv"
    outside.write_text("module m; endmodule\n")
    if link:
        (project / "rtl" / "net.sv").unlink()
        (project / "rtl" / "net.sv").symlink_to(outside)
        with pytest.raises(InputError, match=r"project\.json.*net\.sv is a link to elsewhere"):
            RtlProject.load(project / "rtl")
        return
    for name in (str(outside), "../../outside.sv", "a/../../x.sv", "", ".", "..", "a\0b", "-x.sv"):
        fields = json.loads(path.read_text())
        path.write_text(json.dumps(fields | {"files": [*fields["files"], name]}))
        with pytest.raises(InputError, match=r"project\.json: .*files"):
            RtlProject.load(project / "rtl")
        path.write_text(json.dumps(fields))


def member(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["float", "missing", "bomb", "objects"])
def test_weights_of_another_kind_are_refused(project, kind):
    path = project / "model" / "design.npz"
    with np.load(path) as arrays:
        weights = {name: arrays[name] for name in arrays.files}
    first = next(iter(weights))
    if kind == "float":
        np.savez(path, **(weights | {first: weights[first].astype(float)}))
    elif kind == "missing":
        np.savez(path, **{name: array for name, array in weights.items() if name != first})
    elif kind == "objects":
        np.savez(path, allow_pickle=True, **(weights | {first: np.array([{}], object)}))
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            header = member(np.zeros((1 << 27) + 1, np.int8))[:128].replace(b"|i1", b"<i8")
            with archive.open(f"{first}.npy", "w") as written:
                written.write(header)
                for _ in range(64):
                    written.write(bytes(1 << 20))
    with pytest.raises(InputError, match=r"model/design\.(npz|json)"):
        Design.load(project / "model" / "design")
