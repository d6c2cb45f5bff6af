"""Checks on archives from strangers, before anything is unpacked."""

from __future__ import annotations

import json
import tarfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

from gatewright.errors import InputError

MAX_BYTES = 2 << 30
MAX_MEMBERS = 20_000


def check_names_and_size(path: Path, members: list[tuple[str, int]]) -> None:
    """Refuse members that would land outside the directory, or that unpack to an absurd size.

    Raises:
        InputError: naming the archive and the member.
    """
    for name, _ in members:
        parts = PurePosixPath(name.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or ":" in name:
            raise InputError(f"{path}: unsafe path '{name}' in the archive")
    total = sum(size for _, size in members)
    if total > MAX_BYTES or len(members) > MAX_MEMBERS:
        raise InputError(
            f"{path}: unpacks to {total} bytes in {len(members)} files; "
            f"at most {MAX_BYTES} bytes in {MAX_MEMBERS} files are read"
        )


def check_keras_archive(path: Path) -> dict[str, Any]:
    """Check a `.keras` file and return its `config.json` and, under "metadata", its metadata.

    Raises:
        InputError: if it isn't a safe `.keras` archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            check_names_and_size(path, [(info.filename, info.file_size) for info in infos])
            config = json.loads(archive.read("config.json"))
            metadata = json.loads(archive.read("metadata.json"))
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise InputError(f"{path}: not a .keras model ({error})") from error
    if not isinstance(config, dict) or not isinstance(metadata, dict):
        raise InputError(f"{path}: not a .keras model (config.json is not an object)")
    return {**config, "metadata": metadata}


def check_fml(path: Path) -> None:
    """Check a `.fml` file: plain files of a bounded size that name no classes but hls4ml's.

    Raises:
        InputError: if it isn't a safe `.fml` archive.
    """
    try:
        with tarfile.open(path, mode="r:gz") as archive:
            members = []
            for member in archive:
                if not (member.isfile() or member.isdir()):
                    raise InputError(f"{path}: '{member.name}' in the archive is not a plain file")
                members.append((member.name, member.size))
                check_names_and_size(path, members)
            for name in ("model_arch.json", "config.json", "graph_state.json"):
                content = archive.extractfile(name)
                if content is None:
                    raise KeyError(name)
                _check_classes(path, json.load(content))
    except (tarfile.TarError, KeyError, ValueError, EOFError, OSError) as error:
        raise InputError(f"{path}: not an .fml model ({error})") from error


def _check_classes(path: Path, node: Any) -> None:
    if isinstance(node, list):
        for item in node:
            _check_classes(path, item)
    elif isinstance(node, dict):
        if "state" in node and not str(node.get("class_name", "")).startswith("hls4ml."):
            raise InputError(f"{path}: class {node.get('class_name')!r} is not one of hls4ml")
        for item in node.values():
            _check_classes(path, item)
