"""Reads folders of TensorFlow's SavedModel that Keras 2 wrote, in a child process."""

from __future__ import annotations

from pathlib import Path

from gatewright.errors import InputError
from gatewright.frontend.readers.archive import MAX_BYTES
from gatewright.frontend.readers.child import Contents, read_in_child
from gatewright.system.files import require_file

_SCRIPT = str(Path(__file__).with_name("saved_model_worker.py"))
_GRAPH = "saved_model.pb"
#: Seconds for TensorFlow to start on a busy machine.
_SECONDS = 120.0


def files_of(folder: Path) -> list[Path]:
    """The files of a SavedModel that are read.

    Raises:
        InputError: if the folder isn't a SavedModel, has too many or too large files, or one of
            them isn't a plain file.
    """
    if not (folder / _GRAPH).exists():
        raise InputError(f"{folder}: is a directory, but not a SavedModel (it holds no {_GRAPH})")
    found = [folder / name for name in (_GRAPH, "keras_metadata.pb") if (folder / name).exists()]
    found += sorted((folder / "variables").glob("variables.*"))
    for path in found:
        require_file(path)
    if len(found) > 1000 or sum(path.stat().st_size for path in found) > MAX_BYTES:
        raise InputError(f"{folder}: has more than {MAX_BYTES} bytes, or more than 1000 files")
    return found


def read_folder(folder: Path) -> Contents:
    """Read the architecture and the weights of a SavedModel, but none of its functions.

    Raises:
        InputError: if it is damaged, too large, or has no description of its layers.
    """
    size = sum(path.stat().st_size for path in files_of(folder))
    return read_in_child(
        _SCRIPT, [str(folder.resolve())], str(folder), "SavedModel", size, _SECONDS
    )
