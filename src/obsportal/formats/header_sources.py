"""Where headers come from: files, folders, archives, listings of the archive, standard input.

What a file is, is decided by its content, never by its name. Nothing is unpacked to disk, sizes are
bounded, and what cannot be read comes back as an item with an error: it never stops the others.
"""

from __future__ import annotations

import gzip
import io
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Protocol, cast

from obsportal.formats.fits_blocks import read_fits_text
from obsportal.formats.fits_header import MAX_HEADER, HeaderError
from obsportal.formats.header_text import headers_of_text, looks_like_text_header

MAX_MEMBERS = 200_000
"""Members of one archive that are read."""
MAX_ARCHIVE_BYTES = 20_000_000_000
"""Bytes taken out of one archive, uncompressed."""
MAX_RATIO = 100
"""Largest ratio of what comes out of a compressed file to its size, beyond FREE_BYTES."""
FREE_BYTES = 50_000_000
"""What any compressed file may give whatever its size."""
MAX_STDIN = 2_000_000_000
"""Bytes read from standard input."""

_SNIFF = 4096
_ARCHIVE_ERRORS = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError)
_FULL = ("too-many-members", "archive-too-large")
_UNSUPPORTED = {
    b"\x1f\x9d": "Unix compress (.Z)",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc\xaf": "7-zip",
    b"Rar!": "RAR",
}


@dataclass(frozen=True, slots=True)
class HeaderSource:
    """One header to be described, or why there is none: exactly one of text and error is given.

    ``text`` is latin-1, cards up to and including END. ``mtime`` is aware UTC, None where unknown.
    """

    name: str
    text: str | None
    error: HeaderError | None = None
    mtime: datetime | None = None


@dataclass(slots=True)
class _Budget:
    """What one archive may still give."""

    members: int = field(default_factory=lambda: MAX_MEMBERS)
    size: int = field(default_factory=lambda: MAX_ARCHIVE_BYTES)

    def take_member(self) -> None:
        self.members -= 1
        if self.members < 0:
            raise HeaderError("too-many-members", f"more than {MAX_MEMBERS} files in the archive")

    def take(self, size: int) -> None:
        self.size -= size
        if self.size < 0:
            raise HeaderError("archive-too-large", f"more than {MAX_ARCHIVE_BYTES} bytes in the archive")


class _Readable(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...


class _Reader:
    """A file read forwards, with a look at its beginning; counts what a compressed one gives."""

    def __init__(self, file: _Readable, name: str, budget: _Budget | None = None, packed: int = 0) -> None:
        self._file = file
        self._name = name
        self._budget = budget
        self._limit = max(FREE_BYTES, packed * MAX_RATIO)
        self._taken = 0
        self._head = b""

    def peek(self, size: int) -> bytes:
        """Look at the first bytes without taking them."""
        while len(self._head) < size:
            piece = self._take(size - len(self._head))
            if not piece:
                break
            self._head += piece
        return self._head[:size]

    def read(self, size: int) -> bytes:
        """Read up to ``size`` bytes, fewer only at the end of the file."""
        parts = [self._head[:size]]
        self._head = self._head[size:]
        wanted = size - len(parts[0])
        while wanted > 0:
            piece = self._take(wanted)
            if not piece:
                break
            parts.append(piece)
            wanted -= len(piece)
        return b"".join(parts)

    def skip(self, size: int) -> None:
        """Pass over bytes; plain files seek."""
        inside = min(size, len(self._head))
        self._head = self._head[inside:]
        size -= inside
        if self._budget is None and isinstance(self._file, io.IOBase) and self._file.seekable():
            self._file.seek(size, 1)
            return
        while size > 0:
            piece = self._take(min(size, 1 << 20))
            if not piece:
                return
            size -= len(piece)

    def _take(self, size: int) -> bytes:
        data = self._file.read(size)
        if self._budget is not None:
            self._taken += len(data)
            if self._taken > self._limit:
                raise HeaderError("bad-archive", f"{self._name} unpacks to more than {self._limit} bytes")
            self._budget.take(len(data))
        return data


def read_headers(path: str | Path) -> Iterator[HeaderSource]:
    """Read every header of a file or folder, or of standard input for ``-``.

    Folders are read recursively in the order of their names; hidden files are left out. Reads FITS
    (also gzip and fpack), text headers, the archive's HTML page, and zip or tar of any of these.
    """
    if str(path) == "-":
        yield from read_stream(sys.stdin.buffer, "-")
        return
    yield from _read_path(Path(path))


def read_stream(stream: IO[bytes], name: str) -> Iterator[HeaderSource]:
    """Read every header of a stream that may not be seekable, such as standard input."""
    try:
        data = stream.read(MAX_STDIN + 1)
    except (OSError, ValueError) as error:
        yield _failed(name, HeaderError("unreadable", f"{name} cannot be read: {error}"))
        return
    if len(data) > MAX_STDIN:
        yield _failed(name, HeaderError("too-large", f"{name} has more than {MAX_STDIN} bytes"))
        return
    yield from _read_top(io.BytesIO(data), name, None, len(data))


def _read_path(top: Path) -> Iterator[HeaderSource]:
    """Every file at or below a path, depth first; a folder that cannot be listed is an error item."""
    waiting = [top]
    while waiting:
        path = waiting.pop()
        name = str(path).encode("utf-8", "replace").decode()
        try:
            if path.is_dir():
                if path.is_symlink() and path != top:
                    continue  # a link to a folder above would never end
                children = sorted((p for p in path.iterdir() if not p.name.startswith(".")), reverse=True)
                waiting.extend(children)
            elif not path.exists():
                yield _failed(name, HeaderError("not-found", f"there is no file or folder {name}"))
            elif not path.is_file():
                yield _failed(name, HeaderError("unreadable", f"{name} is neither a file nor a folder"))
            else:
                with path.open("rb") as file:
                    status = path.stat()
                    yield from _read_top(file, name, _unix_time(status.st_mtime), status.st_size)
        except (OSError, ValueError) as error:
            said = getattr(error, "strerror", None) or error
            yield _failed(name, HeaderError("unreadable", f"{name} cannot be read: {said}"))


def _read_top(file: IO[bytes], name: str, mtime: datetime | None, size: int) -> Iterator[HeaderSource]:
    """Read a seekable file whatever it is."""
    try:
        start = file.read(_SNIFF)
        file.seek(0)
        if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            yield from _read_zip(file, name)
            return
        if _is_tar(start):
            with tarfile.open(fileobj=file, mode="r:") as tar:
                yield from _read_tar(tar, name, _Budget())
            return
    except HeaderError as error:
        yield HeaderSource(name, None, error, mtime)
        return
    except _ARCHIVE_ERRORS as error:
        yield HeaderSource(name, None, HeaderError("bad-archive", f"{name} is damaged: {error}"), mtime)
        return
    yield from _read_any(_Reader(file, name), name, mtime, _Budget(), size, inside=False)


def _read_any(
    reader: _Reader, name: str, mtime: datetime | None, budget: _Budget, size: int, *, inside: bool
) -> Iterator[HeaderSource]:
    """Read what is no zip and no plain tar; errors become items, but a full archive is told to its reader."""
    try:
        start = reader.peek(_SNIFF)
        if not start:
            raise HeaderError("empty-file", f"{name} is empty")
        if not start.startswith(b"\x1f\x8b"):
            yield HeaderSource(name, _read_plain(reader, name, start), None, mtime)
            return
        with gzip.GzipFile(fileobj=cast(IO[bytes], reader)) as unzipped:
            unpacked = _Reader(unzipped, name, budget, size)
            start = unpacked.peek(_SNIFF)
            if inside or not _is_tar(start):
                yield HeaderSource(name, _read_plain(unpacked, name, start), None, mtime)
                return
            with tarfile.open(fileobj=cast(IO[bytes], unpacked), mode="r|") as tar:
                yield from _read_tar(tar, name, budget)
    except HeaderError as error:
        yield HeaderSource(name, None, error, mtime)
        if inside and error.code in _FULL:
            raise
    except _ARCHIVE_ERRORS as error:
        yield HeaderSource(name, None, HeaderError("bad-archive", f"{name} is damaged: {error}"), mtime)
    except (OSError, RuntimeError, ValueError, MemoryError) as error:
        yield HeaderSource(name, None, HeaderError("unreadable", f"{name} cannot be read: {error}"), mtime)


def _read_plain(reader: _Reader, name: str, start: bytes) -> str:
    """Text of the header in a file that is not compressed."""
    if not start:
        raise HeaderError("empty-file", f"{name} is empty")
    if start.startswith((b"PK\x03\x04", b"\x1f\x8b")) or _is_tar(start):
        raise HeaderError("bad-archive", f"{name} is an archive within an archive: unpack it first")
    for magic, kind in _UNSUPPORTED.items():
        if start.startswith(magic):
            raise HeaderError("unsupported-compression", f"{name} is packed with {kind}: unpack it first")
    if start.startswith(b"SIMPLE  =") and not looks_like_text_header(start):
        return read_fits_text(reader)
    data = reader.read(MAX_HEADER + 1)
    if len(data) > MAX_HEADER:
        raise HeaderError("too-large", f"{name} has more than {MAX_HEADER} bytes and is not FITS")
    return headers_of_text(data.decode("latin-1"))


def _read_zip(file: IO[bytes], name: str) -> Iterator[HeaderSource]:
    budget = _Budget()
    with zipfile.ZipFile(file) as archive:
        for member in sorted(archive.infolist(), key=lambda m: m.filename):
            if member.is_dir() or _hidden(member.filename):
                continue
            inner = f"{name}/{member.filename}"
            try:
                budget.take_member()
                with archive.open(member) as packed:
                    reader = _Reader(packed, inner, budget, member.compress_size)
                    yield from _read_any(
                        reader, inner, _zip_time(member), budget, member.compress_size, inside=True
                    )
            except HeaderError as error:
                if error.code == "too-many-members":
                    yield HeaderSource(name, None, error)
                return
            except (*_ARCHIVE_ERRORS, RuntimeError, ValueError, OSError) as error:
                damaged = HeaderError("bad-archive", f"{inner} cannot be unpacked: {error}")
                yield HeaderSource(inner, None, damaged)


def _read_tar(tar: tarfile.TarFile, name: str, budget: _Budget) -> Iterator[HeaderSource]:
    for member in tar:
        if not member.isfile() or _hidden(member.name):
            continue
        inner = f"{name}/{member.name}"
        try:
            budget.take_member()
            file = tar.extractfile(member)
            if file is None:
                continue
            mtime = _unix_time(member.mtime)
            reader = _Reader(file, inner)
            yield from _read_any(reader, inner, mtime, budget, member.size, inside=True)
        except HeaderError as error:
            if error.code == "too-many-members":
                yield HeaderSource(name, None, error)
            return


def _is_tar(start: bytes) -> bool:
    return start[257:262] == b"ustar"


def _hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def _zip_time(member: zipfile.ZipInfo) -> datetime | None:
    try:
        return datetime(*member.date_time, tzinfo=UTC)
    except ValueError:
        return None


def _unix_time(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _failed(name: str, error: HeaderError, mtime: datetime | None = None) -> HeaderSource:
    return HeaderSource(name, None, error, mtime)
