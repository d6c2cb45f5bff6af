"""Reads untrusted archives: members by normalized name, with limits on what they unpack to."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
import unicodedata
import zipfile
from pathlib import Path, PurePosixPath
from typing import IO, cast

from gatewright.errors import InputError
from gatewright.frontend.messages import shown
from gatewright.parsing.arrays import DAMAGED

#: Most bytes that a file may unpack to.
MAX_BYTES = 2 << 30
MAX_MEMBERS = 20_000

#: Exceptions for archives that are damaged, encrypted, or compressed in unknown ways.
ARCHIVE_ERRORS = (*DAMAGED, tarfile.TarError, lzma.LZMAError)


def normalized(path: Path, name: str) -> str:
    """The name of a member as a plain relative path.

    Raises:
        InputError: if the path leads outside the directory into which the archive is unpacked.
    """
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or ":" in name or "\0" in name:
        raise InputError(f"{path}: unsafe path '{shown(name)}' in the archive")
    return str(parts)


class Members:
    """Checks and counts the members of an archive.

    Args:
        path: The archive.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: set[str] = set()
        self._bytes = 0

    def add(self, name: str, size: int) -> str:
        """Count a member, and return its name as a plain relative path.

        Args:
            name: Its name in the archive.
            size: Its unpacked size in bytes.

        Raises:
            InputError: if the name occurs twice or leads outside the directory, or the archive
                unpacks to too many bytes or files.
        """
        name = normalized(self._path, name)
        self._bytes += size
        # Some file systems don't distinguish names that differ in case or Unicode composition.
        folded = unicodedata.normalize("NFC", name).casefold()
        if folded in self._seen:
            raise InputError(f"{self._path}: '{shown(name)}' is in the archive twice")
        self._seen.add(folded)
        if self._bytes > MAX_BYTES or len(self._seen) > MAX_MEMBERS:
            raise InputError(
                f"{self._path}: unpacks to more than {MAX_BYTES} bytes or {MAX_MEMBERS} files"
            )
        return name


def zip_members(path: Path) -> dict[str, bytes]:
    """The contents of all members of a zip archive, by normalized name.

    Raises:
        InputError: if it isn't a readable zip archive, or isn't safe to read.
    """
    members = Members(path)
    try:
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            names = [members.add(info.filename, info.file_size) for info in infos]
            return {name: archive.read(info) for name, info in zip(names, infos, strict=True)}
    except ARCHIVE_ERRORS as error:
        raise InputError(f"{path}: not a .keras model ({shown(error)})") from None


class _Bounded(io.BufferedIOBase):
    """A stream that raises ValueError after `MAX_BYTES` bytes, also within headers of a tar."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        super().__init__()
        self._stream = stream
        self._left = MAX_BYTES

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0 or size > self._left:
            raise ValueError(f"it unpacks to more than {MAX_BYTES} bytes")
        found = self._stream.read(size)
        self._left -= len(found)
        return found


def tar_members(path: Path) -> dict[str, bytes]:
    """The contents of all members of a gzipped tar archive, by normalized name.

    Raises:
        InputError: if it isn't a readable archive, isn't safe to read, or has members that aren't
            plain files or directories.
    """
    members = Members(path)
    content: dict[str, bytes] = {}
    try:
        with (
            gzip.open(path) as stream,
            tarfile.open(fileobj=cast(IO[bytes], _Bounded(stream)), mode="r|") as archive,
        ):
            for member in archive:
                if member.isdir():
                    continue
                if not member.isreg() or member.issparse():
                    raise InputError(
                        f"{path}: '{shown(member.name)}' in the archive is not a plain file"
                    )
                name = members.add(member.name, member.size)
                file = archive.extractfile(member)
                content[name] = file.read() if file is not None else b""
    except ARCHIVE_ERRORS as error:
        raise InputError(f"{path}: not an .fml model ({shown(error)})") from None
    return content
