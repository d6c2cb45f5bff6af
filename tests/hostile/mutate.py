"""Damages files by their structure: the seed of a try decides what is done, and nothing else."""

from __future__ import annotations

import copy
import gzip
import io
import json
import os
import re
import struct
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import payloads
import yaml

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: Stands in a tree for what the libraries that write it refuse to write.
_LITERAL = "@literal{}@"
_JSON_LITERALS = (
    "9" * 5000,
    "1e999",
    "-0",
    "01",
    "0x10",
    "Infinity",
    "NaN",
    "[" * 3000 + "]" * 3000,
    "[" * 200_000,
    '{"a":' * 3000 + "1" + "}" * 3000,
    '"\\ud800"',
    '"\\u0000"',
    '"unterminated',
    "'x'",
    "",
)
_YAML_LITERALS = (
    "9" * 5000,
    "2026-13-45",
    "2026-02-30 25:61:61",
    "0000-00-00",
    "2026-01-01T00:00:00+99:99",
    "190:20:30",
    ".inf",
    ".nan",
    "0b102",
    "0o9",
    "[" * 3000 + "]" * 3000,
    "&a [*a]",
    "*nowhere",
    "&a [&b [*a, *b], *b]",
    "!!binary x",
    "!!binary '%%%'",
    "!!set {a, b}",
    "!!omap [a: 1]",
    "!!float x",
    "!!int ''",
    "!!timestamp x",
    "!unknown x",
    "{<<: 3}",
    "{? [a, b] : c}",
    "|\n x",
    "\tx",
    "{[1]: 2, {a: 1}: 3}",
    "@x",
    "%x",
    *payloads.YAML,
)
_BOMB = "\n".join(
    ["bomb0: &b0 [x, x, x, x, x, x, x, x, x, x]"]
    + [f"bomb{i}: &b{i} [{', '.join([f'*b{i - 1}'] * 10)}]" for i in range(1, 10)]
)
_NUMBERS = (
    0, 1, -1, 2, 3, 7, 16, 63, 64, 65, 1000, 100_000, 2**31 - 1, 2**31, -(2**31), 2**63, -(2**63),
    2**64, 10**30, -(10**30), 0.5, -0.5, 1e-308, 1e308, -1e308, 3e38, 5e-324, float("inf"),
    float("-inf"), float("nan"),
)  # fmt: skip


class Damage:
    """Damages of one try.

    Attributes:
        done: What was done, for the report of a failure.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.done: list[str] = []

    def file(self, path: Path) -> None:
        """Damage a file by its kind; now and then as if that were not known."""
        chance = self.rng.random()
        if chance < 0.02:
            self._special(path)
        elif chance < 0.2:
            path.write_bytes(self.raw(path.read_bytes()))
        else:
            path.write_bytes(self.content(path.name, path.read_bytes()))

    def content(self, name: str, data: bytes) -> bytes:
        """Damage the content of a file of that name."""
        suffix = name.rpartition(".")[2].lower()
        by_kind: dict[str, Callable[[bytes], bytes]] = {
            "json": self.json,
            "yaml": self.yaml,
            "yml": self.yaml,
            "h5": self.hdf5,
            "keras": self.zip,
            "npz": self.zip,
            "fml": self.tar,
            "npy": self.npy,
            "txt": self.text,
            "sv": self.text,
            "cpp": self.text,
            "h": self.text,
            "xml": self.text,
        }
        return by_kind.get(suffix, self.raw)(data)

    def _note(self, text: str) -> None:
        self.done.append(text[:120])

    # What isn't a file any more.

    def _special(self, path: Path) -> None:
        what = self.rng.choice(("directory", "fifo", "loop", "nothing", "zeros", "gone"))
        self._note(f"{path.name} is {what}")
        path.unlink()
        if what == "directory":
            path.mkdir()
        elif what == "fifo":
            os.mkfifo(path)
        elif what == "loop":
            path.symlink_to(path.name)
        elif what == "zeros":
            path.symlink_to("/dev/zero")
        elif what == "nothing":
            path.symlink_to("nowhere")

    # Bytes.

    def raw(self, data: bytes) -> bytes:
        """Flip bits, cut, insert, repeat, splice."""
        rng, content = self.rng, bytearray(data)
        what = rng.choice(
            ("flip", "flip", "flip", "cut", "insert", "repeat", "zero", "empty", "splice")
        )
        self._note(f"bytes: {what}")
        if not content or what == "empty":
            return b""
        place = rng.randrange(len(content))
        if what == "flip":
            for _ in range(rng.choice((1, 1, 2, 5, 20))):
                content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        elif what == "cut":
            del content[place:]
        elif what == "insert":
            content[place:place] = rng.randbytes(rng.choice((1, 4, 100)))
        elif what == "repeat":
            content[place:place] = content[place : place + rng.choice((1, 16, 1000))]
        elif what == "zero":
            end = min(len(content), place + rng.choice((1, 8, 512)))
            content[place:end] = bytes(end - place)
        else:
            other = rng.randrange(len(content))
            size = rng.choice((4, 8, 64))
            content[place : place + size] = content[other : other + size]
        return bytes(content)

    # Trees, as JSON and YAML hold them.

    def odd(self, value: Any, literals: tuple[str, ...] = ()) -> Any:
        """Something that should not stand where `value` does."""
        rng = self.rng
        kind = rng.choice(
            ("number", "number", "text", "text", "text", "shape", "near", "near", "literal")
        )
        if kind == "literal" and literals:
            return _LITERAL.format(rng.randrange(len(literals)))
        if kind == "near" and isinstance(value, int | float) and not isinstance(value, bool):
            return rng.choice(
                (value + 1, value - 1, -value, value * 2, value + 0.5, str(value), [value])
            )
        if kind == "near" and isinstance(value, str):
            text = rng.choice(payloads.TEXTS)
            return rng.choice(
                (value + text, text + value, value * 2, value[:-1], value.upper(), [value])
            )
        if kind == "near" and isinstance(value, list):
            return rng.choice(
                (value * 2, value[:-1], value[::-1], [value], value[:1], value * 5000)
            )
        if kind == "near" and isinstance(value, dict):
            return rng.choice((list(value), list(value.values()), [value], {**value, "odd": 1}))
        if kind == "number":
            return rng.choice(_NUMBERS)
        if kind == "text":
            return rng.choice((*payloads.TEXTS, "x" * 100_000, "relu", "1", "None"))
        return copy.deepcopy(
            rng.choice(
                (
                    None, True, False, [], {}, [None], [[]], [0] * 100_000, [[1]], ["x"], {"": 0},
                    {"class_name": "Lambda", "config": {"name": "l", "function": ["x", None]}},
                    {"module": "os", "class_name": "system", "config": payloads.SHELL[0]},
                    {"class_name": "__tuple__", "items": [1]},
                    {"class_name": "__bytes__", "value": "00"},
                    {"class_name": "__tensor__", "config": {"value": [1], "dtype": "float32"}},
                    {"class_name": "function", "config": "os.system", "module": "builtins"},
                    {"class_name": payloads.CPP[0], "state": {}},
                )
            )
        )  # fmt: skip

    def tree(self, root: Any, literals: tuple[str, ...] = ()) -> Any:
        """A copy of a tree in which one to three places are odd."""
        root = [copy.deepcopy(root)]
        for _ in range(self.rng.choice((1, 1, 1, 2, 3))):
            self._spoil(root, literals)
        return root[0] if root else None

    def _spoil(self, root: list[Any], literals: tuple[str, ...]) -> None:
        rng = self.rng
        places = [place for place in _places(root) if len(place[2]) > 1]
        # What says how a layer was once trained is half of a model, and is read by nobody.
        asked = [p for p in places if not any(str(step).endswith(_TRAINING) for step in p[2])]
        holder, key, path = rng.choice(asked or places or [(root, 0, (0,))])
        value = holder[key]
        what = rng.choice(
            ("odd", "odd", "odd", "odd", "delete", "rename", "swap", "extra", "double")
        )
        self._note(f"tree: {what} at {'.'.join(map(str, path[1:]))}")
        if what == "delete":
            del holder[key]
            return
        if what == "rename" and isinstance(holder, dict):
            holder[str(rng.choice((*payloads.TEXTS, str(key).upper(), f"{key}_")))] = holder.pop(
                key
            )
            return
        if what == "swap":
            other, place, _ = rng.choice(places)
            holder[key], other[place] = copy.deepcopy(other[place]), copy.deepcopy(value)
            return
        if what == "extra" and isinstance(holder, dict):
            holder[rng.choice((*payloads.TEXTS, "axis", "activation", "name"))] = self.odd(
                value, literals
            )
            return
        if what == "double" and isinstance(holder, list):
            holder.insert(int(key), copy.deepcopy(value))
            return
        holder[key] = odd = self.odd(value, literals)
        self._note(f"{value!r:.40} -> {odd!r:.60}")

    def json(self, data: bytes) -> bytes:
        """Damage a JSON file."""
        try:
            tree = json.loads(data)
        except ValueError:
            return self.raw(data)
        text = json.dumps(self.tree(tree, _JSON_LITERALS))
        text = _with_literals(text, '"{}"', _JSON_LITERALS)
        if self.rng.random() < 0.05:
            self._note("a key twice")
            odd = json.dumps(self.odd(0))
            text = re.sub(r'"\w+": ', lambda key: f"{key[0]}{odd}, {key[0]}", text, count=1)
        return self._encoded(text)

    def yaml(self, data: bytes) -> bytes:
        """Damage a YAML file."""
        tree = self.tree(yaml.safe_load(data), _YAML_LITERALS)
        text = yaml.safe_dump(tree, allow_unicode=True, sort_keys=False, width=1 << 20)
        for quoted in ("'{}'", '"{}"', "{}"):
            text = _with_literals(text, quoted, _YAML_LITERALS)
        if self.rng.random() < 0.05:
            self._note("a bomb of aliases")
            text = f"{_BOMB}\n{text}"
        return self._encoded(text)

    def _encoded(self, text: str) -> bytes:
        coding = self.rng.choice(("utf-8",) * 20 + ("utf-16", "utf-8-sig", "utf-32"))
        return text.encode(coding, "surrogatepass")

    def text(self, data: bytes) -> bytes:
        """Damage a text: code, or what should be numbers."""
        rng, text = self.rng, data.decode("utf-8", "replace")
        what = rng.choice(("line", "number", "number", "raw"))
        numbers = [match.span() for match in re.finditer(r"\d+(\.\d+)?", text)]
        if what == "line" or not numbers:
            lines = text.split("\n")
            lines.insert(
                rng.randrange(len(lines) + 1), rng.choice((*payloads.CPP, *payloads.SYSTEMVERILOG))
            )
            self._note("a line of code")
            return "\n".join(lines).encode()
        if what == "number":
            start, end = rng.choice(numbers)
            odd = str(self.odd(0)) if rng.random() < 0.5 else str(rng.choice(_NUMBERS))
            self._note(f"number -> {odd!r:.60}")
            return f"{text[:start]}{odd}{text[end:]}".encode("utf-8", "surrogatepass")
        return self.raw(data)

    # Arrays.

    def npy(self, data: bytes) -> bytes:
        """Damage an array: its header, its type, its values."""
        rng = self.rng
        try:
            array = np.load(io.BytesIO(data))
        except (ValueError, OSError, EOFError):
            return self.raw(data)
        what = rng.choice(
            ("header", "header", "header", "type", "values", "pickle", "raw", "version")
        )
        self._note(f"npy: {what}")
        buffer = io.BytesIO()
        if what == "type":
            kind = rng.choice(("f2", "f8", ">f8", "i1", "u8", "c16", "?", "S4", "U4", "V3", "M8[s]",
            "m8[D]",
                               "f4,i4", "(2,)f4", "g"))  # fmt: skip
            with np.errstate(all="ignore"):
                np.save(buffer, np.zeros(array.shape, kind))
        elif what == "values":
            spoiled = array.astype(np.float64)
            odd = rng.choice((np.nan, np.inf, -np.inf, 3e38, 1e308, 5e-324, -0.0, 1e30))
            spoiled.reshape(-1)[: rng.choice((1, spoiled.size))] = odd
            np.save(buffer, spoiled)
        elif what == "pickle":
            header = {"descr": "|O", "fortran_order": False, "shape": (1,)}
            np.lib.format.write_array_header_1_0(buffer, header)
            buffer.write(payloads.pickled())
        elif what == "version":
            return data[:6] + bytes((rng.randrange(256), rng.randrange(256))) + data[8:]
        elif what == "header":
            odd = rng.choice(("shape", "descr", "fortran_order", "extra", "text", "length"))
            fields = {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape}
            if odd == "shape":
                fields["shape"] = rng.choice(
                    ((2**40,), (-1,), (2**62, 4), (2**63,), (0,), (), (1.5,), "x", None, (1,) * 70,
                     (True,), (10**30,), (array.size,), (2**31, 2**31, 4))
                )  # fmt: skip
            elif odd == "descr":
                fields["descr"] = rng.choice(
                    ("<f99", "|O", "<i8", "|S1000000000", "|V0", "|S0", "x", 3, None, [("a",
                    "<f4")],
                     [("a", "|O")], [("a",)], ["x"], "<M8[x]", ("<f4", (10**9,)), *payloads.PYTHON)
                )  # fmt: skip
            elif odd == "fortran_order":
                fields["fortran_order"] = rng.choice((1, None, "x", True))
            elif odd == "extra":
                fields["extra"] = payloads.PYTHON[0]
            text = repr(fields)
            if odd == "text":
                text = rng.choice((payloads.PYTHON[0], "", "{", "[" * 5000, "(" * 90, "'x'*10**9",
                "{}",
                                   "9" * 5000, "\x00" * 10))  # fmt: skip
            length = len(text) + 1 if odd != "length" else rng.choice((0, 1, 65535))
            body = np.ascontiguousarray(array).tobytes()
            buffer.write(
                b"\x93NUMPY\x01\x00" + struct.pack("<H", length) + text.encode() + b"\n" + body
            )
        else:
            return self.raw(data)
        return buffer.getvalue()

    # Archives.

    def zip(self, data: bytes) -> bytes:
        """Damage a zip archive: a member, or how it is stored."""
        rng = self.rng
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [(info.filename, archive.read(info)) for info in archive.infolist()]
        if rng.random() < 0.5:
            place = rng.randrange(len(members))
            name, content = members[place]
            self._note(f"member {name}")
            members[place] = (name, self.content(name, content))
            return _zipped(members)
        what = rng.choice(
            ("method", "twice", "twice", "name", "drop", "encrypted", "crc", "size", "big", "link",
             "comment", "prefix", "odd method", "add", "pickle")
        )  # fmt: skip
        self._note(f"zip: {what}")
        place = rng.randrange(len(members))
        name, content = members[place]
        if what == "method":
            return _zipped(
                members, rng.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
            )
        if what == "twice":
            form = rng.choice(("{}", "./{}", "a/../{}", "{}/", "/{}", ".//{}"))
            members.insert(
                rng.choice((0, len(members))), (form.format(name), self.content(name, content))
            )
        elif what == "name":
            members[place] = (rng.choice((*payloads.TEXTS, f"./{name}", "x" * 60_000)), content)
        elif what == "drop":
            del members[place]
        elif what == "big":
            members[place] = (name, content + bytes(100_000_000))
            return _zipped(members, zipfile.ZIP_DEFLATED)
        elif what == "add":
            members += [(rng.choice(payloads.TEXTS), b"x") for _ in range(rng.choice((1, 30_000)))]
        elif what == "pickle":
            members.append((rng.choice(("data.pkl", f"{name}.pkl", name)), payloads.pickled()))
        elif what == "comment":
            return _zipped(members, comment=b"\x1b[2J" * 1000)
        elif what == "prefix":
            return rng.randbytes(100) + _zipped(members)
        elif what == "link":
            return _zipped(members, mode=0o120777)
        packed = bytearray(_zipped(members))
        # Flags, method, checksum and sizes, of each member's header and in the directory.
        offset = {"encrypted": 0, "odd method": 2, "crc": 8, "size": 16}.get(what)
        if offset is not None:
            values = {"encrypted": b"\x01", "crc": b"\xff"}
            value = values.get(what) or rng.choice((b"\x63", b"\x08", b"\x01", b"\xff\xff\xff\x7f"))
            for start, extra in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
                at = packed.find(start)
                while at >= 0:
                    packed[at + extra + offset : at + extra + offset + len(value)] = value
                    at = packed.find(start, at + 4)
        return bytes(packed)

    def tar(self, data: bytes) -> bytes:
        """Damage a compressed tar archive: a member, or how it is stored."""
        rng = self.rng
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:*") as archive:
            members = [
                (info, archive.extractfile(info).read() if info.isfile() else b"")  # type: ignore[union-attr]
                for info in archive
            ]
        files = [index for index, (info, _) in enumerate(members) if info.isfile()]
        place = rng.choice(files)
        info, content = members[place]
        if rng.random() < 0.7:
            self._note(f"member {info.name}")
            members[place] = (info, self.content(info.name, content))
            return _tarred(members)
        what = rng.choice(
            ("type", "twice", "twice", "name", "drop", "big", "pack", "mode", "header", "add")
        )
        self._note(f"tar: {what}")
        changed = copy.copy(info)
        if what == "type":
            changed.type = rng.choice(
                (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE,
                tarfile.DIRTYPE,
                 tarfile.GNUTYPE_SPARSE, tarfile.CONTTYPE, b"Z")
            )  # fmt: skip
            changed.linkname = rng.choice(("/etc/passwd", "../../x", info.name, ""))
            members[place] = (changed, b"" if changed.type != b"Z" else content)
        elif what == "twice":
            changed.name = rng.choice(("{}", "./{}", "a/../{}", "/{}", ".//{}")).format(info.name)
            at = rng.choice((0, len(members)))
            members.insert(at, (changed, self.content(info.name, content)))
        elif what == "name":
            changed.name = rng.choice((*payloads.TEXTS, f"./{info.name}"))
            members[place] = (changed, content)
        elif what == "drop":
            del members[place]
        elif what == "big":
            members[place] = (info, content + bytes(100_000_000))
        elif what == "add":
            changed.name = rng.choice(payloads.TEXTS)
            members += [(changed, b"")] * rng.choice((1, 30_000))
        elif what == "pack":
            plain = gzip.decompress(_tarred(members))
            return rng.choice(
                (plain, gzip.compress(gzip.compress(plain)), gzip.compress(plain)[:-8])
            )
        elif what == "mode":
            changed.mode = 0o7777
            members[place] = (changed, content)
        else:
            return gzip.compress(self.raw(gzip.decompress(_tarred(members))))
        return _tarred(members)

    # HDF5.

    def hdf5(self, data: bytes) -> bytes:
        """Damage an HDF5 file: an object, an attribute, a link."""
        buffer = io.BytesIO(data)
        with h5py.File(buffer, "r+") as file:
            for _ in range(self.rng.choice((1, 1, 1, 2))):
                self._hdf5(file)
        return buffer.getvalue()

    def _hdf5(self, file: h5py.File) -> None:
        rng = self.rng
        paths: list[str] = []
        file.visit(paths.append)
        holders = [file, *(file[path] for path in paths)]
        attributes = [(item, key) for item in holders for key in item.attrs]
        if attributes and rng.random() < 0.45:
            # The architecture is one attribute of many, and the one that matters most.
            main = [(item, key) for item, key in attributes if key == "model_config"]
            item, key = rng.choice(main if main and rng.random() < 0.8 else attributes)
            self._attribute(item, key)
            return
        datasets = [path for path in paths if isinstance(file.get(path), h5py.Dataset)]
        chosen = datasets if datasets and rng.random() < 0.75 else paths
        if not chosen:
            self._attribute(file, "model_config")
            return
        path = rng.choice(chosen)
        if isinstance(file.get(path), h5py.Dataset) and rng.random() < 0.75:
            self._dataset(file, path)
        else:
            self._link(file, path)

    def _attribute(self, item: Any, key: str) -> None:
        rng = self.rng
        if key == "model_config" and rng.random() < 0.85:
            text = self.json(str(item.attrs.get(key, "{}")).encode())
            value: Any = text.decode("utf-8", "replace").replace("\x00", "")
            self._set(item, key, value)
            return
        what = rng.choice(
            (
                "delete",
                "number",
                "bytes",
                "list",
                "empty",
                "ref",
                "big",
                "compound",
                "float",
                "bool",
            )
        )
        self._note(f"attribute {key}: {what}")
        values = {
            "number": 3,
            "bytes": np.bytes_(b"\xff\xfe{}"),
            "list": np.array([b"{}", b"{}"]),
            "empty": h5py.Empty("f4"),
            "ref": item.ref,
            "big": np.zeros((50, 100)),
            "compound": np.zeros(2, "i4,f4"),
            "float": float("nan"),
            "bool": True,
        }
        if what == "delete":
            item.attrs.pop(key, None)
        else:
            self._set(item, key, values[what])

    @staticmethod
    def _set(item: Any, key: str, value: Any) -> None:
        if isinstance(value, str) and len(value) > 60_000:
            # An attribute holds 64 KB; longer texts stand in the heap, one string of any length.
            item.attrs.create(key, value, dtype=h5py.string_dtype())
        else:
            item.attrs[key] = value

    def _dataset(self, file: h5py.File, path: str) -> None:
        rng, old = self.rng, file[path]
        array, (holder, _, name) = old[()], path.rpartition("/")
        group = file[holder] if holder else file
        what = rng.choice(
            ("type", "type", "shape", "shape", "values", "values", "huge", "many", "external",
            "virtual",
             "null", "packed", "odd filter", "layout")
        )  # fmt: skip
        self._note(f"dataset {path}: {what}")
        if what == "many":
            for index in range(2000):
                group.create_dataset(f"{name}{index}", (1 << 26,), "f4", chunks=(1 << 16,))
            return
        del group[name]
        if what == "type":
            kinds: tuple[Any, ...] = (
                "f2", "f8", ">f4", "i1", "i8", "u8", "c8", "?", "S4", h5py.string_dtype(),
                h5py.ref_dtype, h5py.regionref_dtype, h5py.vlen_dtype(np.float32), "i4,f4",
                h5py.enum_dtype({"a": 0}, "i1"), "V4", np.dtype(("f4", (3,))),
                h5py.opaque_dtype("M8[s]"),
            )  # fmt: skip
            kind = rng.choice(kinds)
            self._note(str(kind))
            group.create_dataset(name, array.shape, kind)
        elif what == "shape":
            shapes = (
                (), (0,), (1,), (array.size,), (*array.shape, 1), (1, *array.shape),
                array.shape[::-1],
                array.shape[:-1], (*array.shape[:-1], array.shape[-1] + 1), (1,) * 32,
                (0, *array.shape[1:]),
            )  # fmt: skip
            group[name] = np.zeros(rng.choice(shapes), array.dtype)
        elif what == "values":
            odd = rng.choice((np.nan, np.inf, -np.inf, 3e38, 1e30, 1e-45, -0.0, 1e15))
            array = np.array(array, np.float32)
            array.reshape(-1)[rng.randrange(array.size) :] = odd
            group[name] = array
        elif what == "huge":
            shape = rng.choice(((1 << 40,), (1 << 29,), (1 << 20, 1 << 20), (1 << 62,)))
            group.create_dataset(name, shape, "f4", chunks=tuple(min(n, 1024) for n in shape))
        elif what == "external":
            place = [("/etc/passwd", 0, h5py.h5f.UNLIMITED)]
            group.create_dataset(name, array.shape, "u1", external=place)
        elif what == "virtual":
            layout = h5py.VirtualLayout(array.shape, "f4")
            layout[...] = h5py.VirtualSource("/etc/passwd", "x", array.shape, "f4")
            group.create_virtual_dataset(name, layout)
        elif what == "null":
            group[name] = h5py.Empty("f4")
        elif what == "packed":
            shape = (1 << 25,)
            group.create_dataset(name, shape, "f4", chunks=shape, compression="gzip")[...] = 0
        elif what == "odd filter":
            plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            plist.set_chunk(array.shape or (1,))
            plist.set_filter(h5py.h5z.FILTER_FLETCHER32)
            space = h5py.h5s.create_simple(array.shape or (1,))
            kind = h5py.h5t.NATIVE_FLOAT
            h5py.h5d.create(group.id, name.encode(), kind, space, plist)
        else:
            group.create_dataset(
                name, data=array, chunks=array.shape or None, shuffle=bool(array.shape)
            )

    def _link(self, file: h5py.File, path: str) -> None:
        rng, (holder, _, name) = self.rng, path.rpartition("/")
        group = file[holder] if holder else file
        what = rng.choice(
            ("delete", "rename", "rename", "soft", "dangling", "outside", "loop", "type", "swap",
            "extra",
             "group", "deep")
        )  # fmt: skip
        self._note(f"link {path}: {what}")
        if what == "extra":
            group.create_group(_hdf5_name(rng.choice(payloads.TEXTS)))["x"] = np.ones(3)
            return
        if what == "loop":
            group["loop"] = group
            return
        if what == "rename":
            new = _hdf5_name(rng.choice((*payloads.TEXTS, name.upper(), f"{name}_", "kernel", "0")))
            if new not in group:
                group.move(name, new)
            return
        del group[name]
        if what == "soft":
            group[name] = h5py.SoftLink("/")
        elif what == "dangling":
            group[name] = h5py.SoftLink("/nowhere")
        elif what == "outside":
            group[name] = h5py.ExternalLink("/etc/passwd", "/")
        elif what == "type":
            group[name] = np.dtype("f8")
        elif what == "swap":
            group[name] = np.ones((2, 2), np.float32)
        elif what == "group":
            group.create_group(name)
        elif what == "deep":
            for _ in range(2000):
                group = group.create_group(name)


#: Ends of names of arguments that matter for training alone.
_TRAINING = ("initializer", "regularizer", "constraint", "trainable", "registered_name", "momentum")


def _places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, Any, tuple[Any, ...]]]:
    """Every place of a tree: what holds it, its key there, its path."""
    keys = (
        list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    )
    for key in keys:
        yield node, key, (*path, key)
        yield from _places(node[key], (*path, key))


def _with_literals(text: str, quoted: str, literals: tuple[str, ...]) -> str:
    for index, literal in enumerate(literals):
        text = text.replace(quoted.format(_LITERAL.format(index)), literal)
    return text


def _hdf5_name(text: str) -> str:
    """What can name an object of an HDF5 file."""
    return text.replace("/", "|").replace("\x00", "0").replace("\ud800", "?").strip(".") or "x"


def _zipped(
    members: list[tuple[str, bytes]],
    method: int = zipfile.ZIP_STORED,
    comment: bytes = b"",
    mode: int = 0o100644,
) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.comment = comment
        for name, content in members:
            info = zipfile.ZipInfo("x", (2026, 1, 1, 0, 0, 0))
            info.filename = name.encode("utf-8", "replace").decode()
            info.external_attr = mode << 16
            info.compress_type = method
            archive.writestr(info, content)
    return buffer.getvalue()


def _tarred(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed,
        tarfile.open(
            fileobj=packed, mode="w", format=tarfile.GNU_FORMAT, errors="replace"
        ) as archive,
    ):
        for info, content in members:
            member = copy.copy(info)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
