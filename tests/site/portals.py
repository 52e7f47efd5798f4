"""Whole portals for the tests of backup and restore: a data folder and a database each."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.color import no_style
from django.db import connections, models, transaction

from obsportal.accounts.models import User
from obsportal.exposures.models import Exposure, HeaderVersion, Override, Provenance, TableVersion, Target
from obsportal.site import backup as module
from obsportal.site import record_copy
from obsportal.site.backup import backup, restore
from obsportal.site.backup_archive import RECORDS, ArchiveWriter, Manifest, open_archive, read_members
from obsportal.site.config import database

NOW = datetime(2024, 5, 17, 3, 4, 5, 678901, tzinfo=UTC)
IGNORED = {"exposures_tableversion", "django_content_type", "auth_permission"}


@dataclass(frozen=True)
class Portal:
    """A portal of its own: a data folder and a database alias."""

    data: Path
    using: str

    @property
    def engine(self) -> str:
        return connections[self.using].vendor

    def fill(self, name: str = "HD 1") -> None:
        """Some of everything that a copy could spoil."""
        with transaction.atomic(using=self.using):
            author = User.objects.using(self.using).create(username="élodie")
            header = HeaderVersion.objects.using(self.using).create(
                header_id="H1",
                sha256="0" * 64,
                text_zstd=bytes(range(256)),
                size=256,
                source="a",
                received_at=NOW,
            )
            target = Target.objects.using(self.using).create(
                name=name, normalised_name=name, ra=0.1 + 0.2, dec=-1e-300, hpx=2**61 + 3
            )
            provenance = Provenance.objects.using(self.using).create(
                sha256="1" * 64, origins={"a": [1, None]}
            )
            exposure = Exposure.objects.using(self.using).create(
                exp_id="E1", exp_header_id="H1", header=header, authority="eso.org", exp_date_updated=NOW,
                obs_type="science", interferometer_name="VLTI", instrument_name="GRAVITY", target=target,
                chopping=None, technical=True, night=NOW.date(), exp_validation_log='["naïve; \\"x\\""]',
                provenance=provenance,
            )  # fmt: skip
            for value in ({"ü": [1.5, True]}, "text", None):
                Override.objects.using(self.using).create(
                    exposure=exposure, field="x", value=value, reason="r", author=author, created_at=NOW
                )
            TableVersion.objects.using(self.using).create(name="exposures", counter=3, modified_at=NOW)
        kept = self.data / "kept" / "aside"
        kept.mkdir(parents=True)
        (kept / "bad header.hdr").write_bytes(b"\0\xff" + name.encode())
        (self.data / "note.txt").write_text(name)
        (self.data / "secret_key").write_text(f"secret of {name}")
        (self.data / "cache").mkdir()
        (self.data / "cache" / "x").write_text("cached")

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table."""
        table = {}
        for model in record_copy.record_models():
            names = [field.attname for field in model._meta.local_concrete_fields]
            rows = models.QuerySet(model, using=self.using).order_by("pk").values_list(*names)
            table[model._meta.db_table] = [
                tuple(bytes(v) if isinstance(v, memoryview) else v for v in row) for row in rows
            ]
        return {name: rows for name, rows in table.items() if name not in IGNORED}

    def files(self) -> dict[str, bytes]:
        """Every file that is content."""
        left_out = {
            "records.sqlite3",
            "records.sqlite3-wal",
            "records.sqlite3-shm",
            "secret_key",
            module.LOCK,
        }
        return {
            path.relative_to(self.data).as_posix(): path.read_bytes()
            for path in self.data.rglob("*")
            if path.is_file() and path.name not in left_out and "cache" not in path.parts
        }

    def state(self) -> tuple[dict[str, list[tuple[Any, ...]]], dict[str, bytes]]:
        return self.rows(), self.files()

    def backup(self, destination: Path, **options: bool) -> module.BackupReport:
        return backup(destination, data=self.data, using=self.using, **options)

    def restore(self, source: Path, **options: bool) -> module.RestoreReport:
        return restore(source, data=self.data, using=self.using, **options)


MakePortal = Callable[..., Portal]


class Databases:
    """Migrated, empty databases: SQLite files by copying one, a server's by emptying those used before."""

    def __init__(self, folder: Path) -> None:
        self.template = folder / "records.sqlite3"
        self.made: list[str] = []
        self.free: list[str] = []

    @contextmanager
    def portal(self, data: Path, engine: str) -> Iterator[Portal]:
        data.mkdir()
        if engine == "sqlite":
            if not self.template.exists():
                with record_copy.sqlite_alias(self.template) as alias:
                    call_command("migrate", database=alias, verbosity=0)
            record_copy.copy_sqlite(self.template, data / "records.sqlite3")
            settings = database(f"sqlite:///{data / 'records.sqlite3'}")
            with record_copy.temporary_alias("default", **settings) as alias:
                yield Portal(data, alias)
            return
        name = self.free.pop() if self.free else self._create()
        with record_copy.temporary_alias("default", NAME=name) as alias:
            yield Portal(data, alias)
            with connections[alias].cursor() as cursor:
                tables = [model._meta.db_table for model in record_copy.record_models()]
                for statement in connections[alias].ops.sql_flush(no_style(), tables, reset_sequences=True):
                    cursor.execute(statement)
        self.free.append(name)

    def _create(self) -> str:
        name = f"backup_{os.getpid()}_{len(self.made)}"
        with connections["default"]._nodb_cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
        self.made.append(name)
        with record_copy.temporary_alias("default", NAME=name) as alias:
            call_command("migrate", database=alias, verbosity=0)
        return name

    def drop(self) -> None:
        for name in self.made:
            with connections["default"]._nodb_cursor() as cursor:
                cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def rewritten(archive: Path, change: Callable[[Path], None], **manifest_changes: Any) -> Path:
    """A sound archive whose members were changed: unpacked, changed, packed again."""
    folder = archive.parent / "rewritten"
    with open_archive(archive) as (manifest, tar):
        read_members(archive, manifest, tar, folder)
    change(folder)
    path = archive.with_name("rewritten.tar")
    writer = ArchiveWriter(path)
    for member in sorted(folder.rglob("*")):
        if member.is_file():
            writer.add(member.relative_to(folder).as_posix(), member)
    fields = {name: getattr(manifest, name) for name in Manifest.__dataclass_fields__}
    writer.finish(Manifest(**{**fields, **manifest_changes, "members": writer.members}))
    writer.close()
    return path


def in_records(statement: str, *values: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        with closing(sqlite3.connect(folder / RECORDS)) as connection, connection:
            connection.execute(statement, values)

    return change
