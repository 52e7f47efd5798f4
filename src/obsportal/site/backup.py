"""Backup and restore of the whole portal: records and files in one archive.

A backup is taken while the portal serves and is one moment's state of the records. A restore first
unpacks and checks everything beside the present state and switches at the very end; interrupted at any
point, also by a kill, it leaves the old state, which :func:`finish_interrupted_restore` then tidies.

The switch, inside ``<data>/.restore``: ``journal.json`` is written; present files move to ``old/``; the
new ones move from ``new/files/`` into the data folder; and the records are switched, which is the one
moment that decides: by renaming the SQLite file, or by the commit of the PostgreSQL transaction.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, Error, connections, transaction

import obsportal
from obsportal.exposures.models import TableVersion
from obsportal.site import record_copy
from obsportal.site.backup_archive import (
    FILES,
    RECORDS,
    ArchiveWriter,
    BackupError,
    Manifest,
    open_archive,
    read_members,
)

__all__ = [
    "BackupError",
    "BackupReport",
    "RestoreReport",
    "backup",
    "check",
    "finish_interrupted_restore",
    "restore",
]

STAGING = ".restore"
LOCK = "restore.lock"
SECRETS = frozenset({"secret_key", "obsportal.toml"})  # the settings file may hold a password
LEFT_OUT = frozenset({"cache", "tmp", STAGING, LOCK, RECORDS})
LEFT_OUT_ENDINGS = (".lock", ".pid", "-wal", "-shm", "-journal")
# Rows every new portal has, or that say nothing of its content.
BOOKKEEPING = frozenset(
    {
        "auth_permission",
        "django_content_type",
        "django_session",
        "exposures_heartbeat",
        "exposures_tableversion",
    }
)


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What a backup wrote."""

    path: Path
    manifest: Manifest
    size: int  # bytes
    seconds: float
    left_out: tuple[str, ...]  # links, sockets and the like, which no backup holds

    def sentence(self) -> str:
        """For people."""
        rows = sum(self.manifest.rows.values())
        told = f"{self.path}: {rows:,} rows and {self.manifest.files:,} files"
        told += f" in {self.size / 1e6:,.1f} MB, {self.seconds:.1f} s"
        return told + (f"; left out: {', '.join(self.left_out)}" if self.left_out else "")

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {**_as_dict(self), "size": self.size, "left_out": list(self.left_out)}


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """What a restore brought back."""

    path: Path
    manifest: Manifest
    migrated: bool  # the archive was of an older schema and was brought up to date
    seconds: float

    def sentence(self) -> str:
        """For people."""
        rows = sum(self.manifest.rows.values())
        told = f"restored {rows:,} rows and {self.manifest.files:,} files as of {self.manifest.created_at}"
        told += f" from {self.path}, {self.seconds:.1f} s"
        return told + ("; its older schema was brought up to date" if self.migrated else "")

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {**_as_dict(self), "migrated": self.migrated}


def _as_dict(report: BackupReport | RestoreReport) -> dict[str, Any]:
    manifest = report.manifest
    return {
        "path": str(report.path),
        "created_at": manifest.created_at,
        "engine": manifest.engine,
        "rows": dict(manifest.rows),
        "files": manifest.files,
        "seconds": round(report.seconds, 3),
    }


def backup(
    destination: Path, *, with_secrets: bool = False, data: Path | None = None, using: str = "default"
) -> BackupReport:
    """Write an archive of the portal; a folder as destination gets a file named by the time.

    The records are those of one moment. Secrets are left out unless asked for. The file appears under
    its name only when it is complete. Raises BackupError.
    """
    data = Path(data or settings.OBSPORTAL_DATA)
    started = time.monotonic()
    now = datetime.now(UTC)
    path = destination / f"obsportal-{now:%Y%m%dT%H%M%SZ}.tar" if destination.is_dir() else destination
    if path.exists():
        raise BackupError("exists", f"{path} exists already; a backup never replaces a file")
    if not path.parent.is_dir():
        raise BackupError("no-folder", f"{path.parent} is not a folder")
    if path.resolve().is_relative_to(data.resolve()):
        raise BackupError("inside", f"{path} is inside the data folder {data}; write the backup elsewhere")
    with _errors_told(), tempfile.TemporaryDirectory(prefix=".obsportal-backup-", dir=path.parent) as folder:
        work = Path(folder)
        manifest, left_out = _write_archive(work, data, using, now, with_secrets=with_secrets)
        (work / "archive.tar").rename(path)
        _sync_folder(path.parent)
    return BackupReport(path, manifest, path.stat().st_size, time.monotonic() - started, left_out)


def check(source: Path) -> Manifest:
    """Read a whole archive and compare every member with its hash. Raises BackupError."""
    with _errors_told(), open_archive(source) as (manifest, tar):
        read_members(source, manifest, tar)
    return manifest


def restore(
    source: Path, *, force: bool = False, data: Path | None = None, using: str = "default"
) -> RestoreReport:
    """Make the portal what the archive holds, all of it or nothing.

    A portal that holds anything is left alone unless ``force``. SQLite must not be served meanwhile.
    Raises BackupError.
    """
    data = Path(data or settings.OBSPORTAL_DATA)
    started = time.monotonic()
    data.mkdir(parents=True, exist_ok=True)
    with _errors_told(), _alone(data), open_archive(source) as (manifest, tar):
        _finish_interrupted(data, using)
        _refuse_unfit(source, manifest, using)
        if not force and (held := _holdings(data, using)):
            raise BackupError("not-empty", f"the portal in {data} holds {held}; --force replaces it")
        needed = sum(int(member["size"]) for member in manifest.members.values())
        free = shutil.disk_usage(data).free
        if free < 2 * needed:
            raise BackupError("no-space", f"{data} has {free:,} bytes free; a restore needs {2 * needed:,}")
        staging = data / STAGING
        staging.mkdir(mode=0o700)
        try:
            new = staging / "new"
            read_members(source, manifest, tar, new)
            (new / FILES).mkdir(parents=True, exist_ok=True)
            if wrong := record_copy.check_sqlite(new / RECORDS):
                raise BackupError("damaged", f"{source}: the records are damaged ({wrong})")
            with record_copy.sqlite_alias(new / RECORDS) as alias:
                migrated = not record_copy.is_current(alias)
                if migrated:
                    record_copy.bring_up_to_date(alias)
                _make_cached_answers_stale(alias)
            if connections[using].vendor == "sqlite":
                _switch_sqlite(data, using)
            else:
                _switch_server(data, using)
        finally:
            _finish_interrupted(data, using)
    return RestoreReport(source, manifest, migrated, time.monotonic() - started)


def finish_interrupted_restore(data: Path | None = None, using: str = "default") -> str:
    """Tidy after a restore that was killed: back to the old state, or on to the new when it was decided.

    Returns what was done, empty when nothing was there to do. Cheap; call it before serving.
    """
    data = Path(data or settings.OBSPORTAL_DATA)
    if not (data / STAGING).exists():
        return ""
    with _errors_told(), _alone(data):
        return _finish_interrupted(data, using)


@contextmanager
def _errors_told() -> Iterator[None]:
    """Turn what disks and databases raise into a BackupError."""
    try:
        yield
    except OSError as error:
        raise BackupError("storage", str(error)) from error
    except (Error, sqlite3.Error) as error:
        raise BackupError("database", f"the database said: {str(error).strip()}") from error


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    """One restore at a time in a data folder."""
    with (data / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError("busy", f"another restore into {data} is running") from None
        yield


# --- writing


def _write_archive(
    work: Path, data: Path, using: str, now: datetime, *, with_secrets: bool
) -> tuple[Manifest, tuple[str, ...]]:
    records, present = work / RECORDS, _records_path(using)
    if present and not present.exists():
        raise BackupError("no-records", f"there are no records yet: {present} does not exist")
    if not record_copy.is_current(using):
        raise BackupError("schema", "the records are of an older schema: any other command updates it")
    record_copy.snapshot(using, records)
    if wrong := record_copy.check_sqlite(records):
        raise BackupError("damaged", f"the records are damaged ({wrong})")
    with record_copy.sqlite_alias(records) as alias:
        schema, rows = record_copy.applied_migrations(alias), record_copy.count_rows(alias)
    writer = ArchiveWriter(work / "archive.tar")
    try:
        writer.add(RECORDS, records)
        left_out = _add_files(writer, work, data, using, with_secrets=with_secrets)
        manifest = Manifest(
            obsportal=obsportal.__version__,
            created_at=now.isoformat(timespec="seconds"),
            engine=connections[using].vendor,
            schema=schema,
            rows=rows,
            members=writer.members,
        )
        writer.finish(manifest)
    finally:
        writer.close()
    return manifest, left_out


def _add_files(
    writer: ArchiveWriter, work: Path, data: Path, using: str, *, with_secrets: bool
) -> tuple[str, ...]:
    left_out = []
    for entry in _entries(data, using, with_secrets=with_secrets):
        paths = sorted(entry.rglob("*")) if entry.is_dir() and not entry.is_symlink() else [entry]
        for path in paths:
            name = path.relative_to(data).as_posix()
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                left_out.append(name)
            elif path.name.endswith(LEFT_OUT_ENDINGS) or path.is_dir():
                continue
            elif path.suffix == ".sqlite3":
                record_copy.copy_sqlite(path, work / "other.sqlite3")
                writer.add(FILES + name, work / "other.sqlite3")
                (work / "other.sqlite3").unlink()
            else:
                writer.add(FILES + name, path)
    return tuple(left_out)


def _entries(data: Path, using: str, *, with_secrets: bool) -> list[Path]:
    """The parts of the data folder that are content: not the records, caches, locks or secrets."""
    records = _records_path(using)
    return [
        entry
        for entry in (sorted(data.iterdir()) if data.is_dir() else [])
        if entry.name not in LEFT_OUT
        and not entry.name.endswith(LEFT_OUT_ENDINGS)
        and entry != records
        and (with_secrets or entry.name not in SECRETS)
    ]


def _records_path(using: str) -> Path | None:
    """The SQLite file of the records; None on a server or in memory."""
    connection = connections[using]
    if connection.vendor != "sqlite" or connection.is_in_memory_db():  # type: ignore[attr-defined]
        return None
    return Path(connection.settings_dict["NAME"]).absolute()


# --- restoring


def _refuse_unfit(source: Path, manifest: Manifest, using: str) -> None:
    records = _records_path(using)
    never = {*LEFT_OUT, records.name if records else RECORDS}
    for name in manifest.members:
        top = name.removeprefix(FILES).split("/")[0]
        if name.startswith(FILES) and (top in never or top.endswith(LEFT_OUT_ENDINGS)):
            raise BackupError("unsafe", f"{source} holds {name!r}, which no backup writes")
    unknown = record_copy.unknown_migrations(manifest.schema)
    if unknown:
        raise BackupError(
            "newer",
            f"{source} was made by obsportal {manifest.obsportal}, whose records are newer than this"
            f" program ({obsportal.__version__}): it has {unknown[0]}. Install that version first",
        )


def _holdings(data: Path, using: str) -> str:
    """What the portal holds, in words; empty when it is as new."""
    records = _records_path(using)
    rows: dict[str, int] = {}
    if records is None or records.exists():
        try:
            rows = {t: n for t, n in record_copy.count_rows(using).items() if n and t not in BOOKKEEPING}
        except DatabaseError as error:
            return f"records that cannot be read ({error})"
    files = [entry.name for entry in _entries(data, using, with_secrets=False)]
    parts = [f"{count} rows in {table}" for table, count in sorted(rows.items())]
    return ", ".join([*parts, *(f"the file or folder {name}" for name in files)])


def _make_cached_answers_stale(using: str) -> None:
    """Give each table a version that no client has seen: counters may have run on after the backup."""
    now = datetime.now(UTC)
    for version in TableVersion.objects.using(using).all():
        version.counter = max(version.counter + 1, int(now.timestamp()))
        version.modified_at = now
        version.save(using=using)


def _switch_sqlite(data: Path, using: str) -> None:
    records = _records_path(using)
    if records is None:
        raise BackupError("memory", "the records are in memory; there is nothing to restore into")
    connections[using].close()
    with _held_exclusively(records):
        _switch_files(data, using, {})
        _decide_sqlite(data / STAGING / "new" / RECORDS, records)
    _sync_folder(records.parent)


def _decide_sqlite(new: Path, records: Path) -> None:
    if new.stat().st_dev == records.parent.stat().st_dev:
        new.replace(records)
        return
    beside = records.with_name(records.name + ".restored")  # the records are kept on another disk
    shutil.copyfile(new, beside)
    beside.replace(records)
    new.unlink()


@contextmanager
def _held_exclusively(records: Path) -> Iterator[None]:
    """Keep everyone else out of a SQLite file and fold its write-ahead log into it.

    A log left beside a replaced file would be applied to the new one.
    """
    if not records.exists():
        _remove_logs(records)
        yield
        return
    with closing(sqlite3.connect(records, timeout=2, isolation_level=None)) as connection:
        try:
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            (mode,) = connection.execute("PRAGMA journal_mode=DELETE").fetchone()
            if mode != "delete":
                raise sqlite3.OperationalError(f"its journal mode stays {mode}")
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise BackupError(
                "in-use", f"{records} is in use ({error}): stop the portal, then restore"
            ) from error
        except sqlite3.DatabaseError:  # beyond reading, which may be why it is restored
            _remove_logs(records)
        yield


def _remove_logs(records: Path) -> None:
    for ending in ("-wal", "-shm", "-journal"):
        records.with_name(records.name + ending).unlink(missing_ok=True)


def _switch_server(data: Path, using: str) -> None:
    record_copy.bring_up_to_date(using)
    expected: dict[str, int]
    with record_copy.sqlite_alias(data / STAGING / "new" / RECORDS) as source:
        expected = record_copy.count_rows(source)
        with record_copy.temporary_alias(using) as target, transaction.atomic(using=target):
            with connections[target].cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '30s'")
                cursor.execute("SELECT pg_current_xact_id()::text")
                transaction_id = cursor.fetchone()[0]
            try:
                record_copy.copy_rows(source, target)
            except (DatabaseError, ValueError) as error:
                raise BackupError("database", f"the server refused the records: {error}") from error
            if (counted := record_copy.count_rows(target)) != expected:
                wrong = next(table for table in expected if counted.get(table) != expected[table])
                told = f"{wrong}: {counted.get(wrong)} rows of {expected[wrong]} arrived"
                raise BackupError("database", told)
            _switch_files(data, using, {"transaction": transaction_id})


def _switch_files(data: Path, using: str, journal: dict[str, str]) -> None:
    staging = data / STAGING
    arriving = sorted(entry.name for entry in (staging / "new" / FILES).iterdir())
    present = _entries(data, using, with_secrets=True)
    leaving = [entry for entry in present if entry.name in arriving or entry.name not in SECRETS]
    (staging / "old").mkdir()
    _write_durably(staging / "journal.json", json.dumps({**journal, "arriving": arriving}))
    for entry in leaving:
        entry.rename(staging / "old" / entry.name)
    for name in arriving:
        (staging / "new" / FILES / name).rename(data / name)
    _sync_folder(data)


def _finish_interrupted(data: Path, using: str) -> str:
    staging = data / STAGING
    if not staging.exists():
        return ""
    journal_file = staging / "journal.json"
    if not journal_file.exists():
        shutil.rmtree(staging)
        return "a restore was interrupted before it changed anything"
    journal = json.loads(journal_file.read_text())
    decided = _was_decided(staging, journal, using)
    if not decided:
        for name in journal["arriving"]:
            kept = staging / "new" / FILES / name
            if not kept.exists() and (data / name).exists():
                (data / name).rename(kept)
        for entry in (staging / "old").iterdir():
            entry.rename(data / entry.name)
        _sync_folder(data)
    journal_file.unlink()
    shutil.rmtree(staging)
    return "a restore was finished" if decided else "an interrupted restore was undone: the old state is back"


def _was_decided(staging: Path, journal: dict[str, str], using: str) -> bool:
    if "transaction" not in journal:
        return not (staging / "new" / RECORDS).exists()
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT pg_xact_status(%s::text::xid8)", [journal["transaction"]])
        return bool(cursor.fetchone()[0] == "committed")


def _write_durably(path: Path, text: str) -> None:
    beside = path.with_name(path.name + ".new")
    with beside.open("w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
