"""Archives from strangers: members by normalized name, bounded before anything is unpacked."""

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

#: What a file may unpack to, in bytes.
MAX_BYTES = 2 << 30
MAX_MEMBERS = 20_000

#: What the libraries raise for archives that are damaged, encrypted or compressed in odd ways.
ARCHIVE_ERRORS = (*DAMAGED, tarfile.TarError, lzma.LZMAError)


def normalized(path: Path, name: str) -> str:
    """The name of a member as a plain relative path.

    Raises:
        InputError: if it would land outside the directory that it is unpacked to.
    """
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or ":" in name or "\0" in name:
        raise InputError(f"{path}: unsafe path '{shown(name)}' in the archive")
    return str(parts)


class Members:
    """The members of an archive, counted one by one as they are met.

    Args:
        path: The archive.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: set[str] = set()
        self._bytes = 0

    def add(self, name: str, size: int) -> str:
        """Count a member; its name as a plain relative path.

        Raises:
            InputError: if the archive has a member of that name, unpacks to an absurd size, or the
                member would land elsewhere.
        """
        name = normalized(self._path, name)
        self._bytes += size
        # Some file systems take names for the same that differ in case or composition.
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
    """Every member of a zip archive by normalized name.

    Raises:
        InputError: if it is no archive that is safe to read.
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
    """A stream that ends in an error where a bomb would go on: not even headers are longer."""

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
    """Every member of a gzipped tar archive by normalized name: plain files only.

    Raises:
        InputError: if it is no archive that is safe to read.
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
