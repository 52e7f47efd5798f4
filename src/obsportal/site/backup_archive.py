"""The backup file: a plain tar of the records, the files and, last, a manifest that vouches for them.

records.sqlite3     every table, as one SQLite database, whatever engine they came from
files/...           the data folder, without caches, locks and (by default) secrets
manifest.json       versions, row counts, and size and SHA-256 of each member above
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

FORMAT = "obsportal-backup"
VERSION = 1
RECORDS = "records.sqlite3"
FILES = "files/"
MANIFEST = "manifest.json"
MANIFEST_LIMIT = 256 * 2**20
CHUNK = 2**20


class BackupError(Exception):
    """A backup or restore that was refused or failed: a code, and a sentence for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an archive says of itself."""

    obsportal: str  # version of the program that wrote it
    created_at: str  # ISO 8601, UTC
    engine: str  # engine the records were read from: sqlite | postgresql
    schema: Mapping[str, list[str]]  # application -> applied migrations
    rows: Mapping[str, int]  # table -> rows
    members: Mapping[str, Mapping[str, Any]]  # name -> size, sha256

    @property
    def files(self) -> int:
        """How many files of the data folder it holds."""
        return sum(name.startswith(FILES) for name in self.members)


class ArchiveWriter:
    """Writes members one after the other, hashing what is really written."""

    def __init__(self, path: Path) -> None:
        self._stream = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self._tar = tarfile.open(fileobj=self._stream, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        self.members: dict[str, dict[str, Any]] = {}

    def add(self, name: str, path: Path) -> None:
        """Add a file at the size it has now. Raises BackupError when it shrinks meanwhile."""
        with path.open("rb") as stream:
            status = os.fstat(stream.fileno())
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.mode = status.st_size, int(status.st_mtime), status.st_mode & 0o700
            hashing = _Hashing(stream)
            try:
                self._tar.addfile(info, hashing)
            except OSError as error:
                if hashing.read_bytes < info.size and "end of data" in str(error):
                    raise BackupError("changed", f"{path} became shorter while it was read") from error
                raise
        self.members[name] = {"size": info.size, "sha256": hashing.hexdigest()}

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest and make everything durable."""
        text = json.dumps({"format": FORMAT, "version": VERSION, **asdict(manifest)}, indent=1).encode()
        info = tarfile.TarInfo(MANIFEST)
        info.size, info.mode = len(text), 0o600
        self._tar.addfile(info, io.BytesIO(text))
        self._tar.close()
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def close(self) -> None:
        """Close the file; without :meth:`finish` before, it is no valid archive."""
        self._stream.close()


class _Hashing(io.RawIOBase):
    """A readable that remembers the hash and the length of what was read through it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self.read_bytes = 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._hash.update(data)
        self.read_bytes += len(data)
        return data

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


@contextmanager
def open_archive(path: Path) -> Iterator[tuple[Manifest, tarfile.TarFile]]:
    """Open an archive and read its manifest, whose list of members must be the archive's own.

    Raises BackupError for anything that is not a complete archive of a version we know.
    """
    try:
        stream = path.open("rb")
    except OSError as error:
        raise BackupError("unreadable", f"{path} cannot be read: {error.strerror}") from error
    with stream:
        try:
            with tarfile.open(fileobj=stream, mode="r:") as tar:
                manifest = _read_manifest(path, tar)
                yield manifest, tar
        except (tarfile.TarError, EOFError) as error:
            raise BackupError("damaged", f"{path} is not a tar file, or a damaged one: {error}") from error


def _read_manifest(path: Path, tar: tarfile.TarFile) -> Manifest:
    members = tar.getmembers()
    if not members or members[-1].name != MANIFEST or not members[-1].isreg():
        raise BackupError("incomplete", f"{path} does not end in {MANIFEST}: no backup, or one cut short")
    if members[-1].size > MANIFEST_LIMIT:
        raise BackupError("damaged", f"{path}: the manifest is larger than {MANIFEST_LIMIT} bytes")
    stream = tar.extractfile(members[-1])
    try:
        table = json.loads(stream.read() if stream else b"")
        if table.pop("format") != FORMAT:
            raise BackupError("foreign", f"{path} is not an obsportal backup")
        version = table.pop("version")
        if version != VERSION:
            raise BackupError(
                "version", f"{path} has backup format {version}; this program reads format {VERSION}"
            )
        manifest = Manifest(**table)
        listed = {name: int(member["size"]) for name, member in manifest.members.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackupError("damaged", f"{path}: the manifest cannot be understood ({error})") from error
    for member in members[:-1]:
        if not member.isreg() or member.issparse() or not _is_safe(member.name):
            raise BackupError("unsafe", f"{path} holds {member.name!r}, which no backup writes")
    if listed != {member.name: member.size for member in members[:-1]} or len(listed) != len(members) - 1:
        raise BackupError("damaged", f"{path}: its members are not those that the manifest lists")
    if RECORDS not in listed:
        raise BackupError("damaged", f"{path} holds no {RECORDS}")
    return manifest


def _is_safe(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return (
        (name == RECORDS or name.startswith(FILES))
        and str(PurePosixPath(name)) == name
        and ".." not in parts
        and "\0" not in name
    )


def read_members(
    path: Path, manifest: Manifest, tar: tarfile.TarFile, destination: Path | None = None
) -> None:
    """Check every member against its hash; with a destination, write them below it as well.

    Files are written by us, never by tarfile's own extraction: regular files only, owner's rights only.
    Raises BackupError at the first member whose bytes are not those of the manifest.
    """
    for name, expected in manifest.members.items():
        source = tar.extractfile(name)
        if source is None:
            raise BackupError("damaged", f"{path}: {name} cannot be read")
        digest = hashlib.sha256()
        out: IO[bytes] | None = None
        if destination is not None:
            target = destination / name
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            out = os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        try:
            while block := source.read(CHUNK):
                digest.update(block)
                if out:
                    out.write(block)
            if out:
                out.flush()
                os.fsync(out.fileno())
        finally:
            if out:
                out.close()
        if digest.hexdigest() != expected.get("sha256"):
            raise BackupError("damaged", f"{path}: {name} is damaged (its SHA-256 is not the manifest's)")
