"""Copies of the records: between engines, and while others write."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.db import connections, transaction
from portals import NOW, in_records, rewritten

from obsportal.exposures.models import Heartbeat, TableVersion, Target
from obsportal.site import record_copy
from obsportal.site.backup import BackupError, check

if TYPE_CHECKING:
    from portals import MakePortal


@pytest.mark.parametrize(
    ("source_engine", "target_engine"), [("postgresql", "sqlite"), ("sqlite", "postgresql")]
)
def test_records_move_between_engines(
    make: MakePortal, tmp_path: Path, source_engine: str, target_engine: str
) -> None:
    if connections["default"].vendor != "postgresql":
        pytest.skip("needs both engines: runs in the PostgreSQL run")
    source, other = make("source", source_engine), make("other", target_engine)
    source.fill()
    other.restore(source.backup(tmp_path / "backup.tar").path)
    assert other.state() == source.state()


def test_new_rows_after_a_restore_get_new_keys(make: MakePortal, archive: Path) -> None:
    portal = make("other")
    portal.restore(archive)
    first = Target.objects.using(portal.using).get()
    second = Target.objects.using(portal.using).create(name="HD 2", normalised_name="HD 2")
    assert second.pk > first.pk


def test_every_table_belongs_to_a_model_so_that_copies_hold_all(make: MakePortal) -> None:
    portal = make("portal")
    tables = set(connections[portal.using].introspection.table_names())
    covered = {model._meta.db_table for model in record_copy.record_models()}
    assert tables - covered == {"django_migrations"}


def test_what_is_not_committed_is_not_in_a_backup(make: MakePortal, tmp_path: Path) -> None:
    portal = make("portal")
    portal.fill()
    settings = connections[portal.using].settings_dict
    with record_copy.temporary_alias("default", **settings) as other, transaction.atomic(using=other):
        Heartbeat.objects.using(other).create(name="open", beat_at=NOW)
        report = portal.backup(tmp_path / "backup.tar")
    assert report.manifest.rows["exposures_heartbeat"] == 0
    assert Heartbeat.objects.using(portal.using).count() == 1


def test_a_backup_while_another_connection_writes_is_one_moment(make: MakePortal, tmp_path: Path) -> None:
    portal = make("portal")
    portal.fill()
    stop, written = threading.Event(), threading.Event()

    def write_pairs() -> None:
        number = 0
        while not stop.is_set():
            with transaction.atomic(using=portal.using):
                TableVersion.objects.using(portal.using).create(name=f"t{number}", modified_at=NOW)
                Heartbeat.objects.using(portal.using).create(name=f"t{number}", beat_at=NOW)
            number += 1
            written.set()
        connections[portal.using].close()

    writer = threading.Thread(target=write_pairs)
    writer.start()
    try:
        assert written.wait(20)
        reports = [portal.backup(tmp_path / f"{number}.tar") for number in range(3)]
    finally:
        stop.set()
        writer.join()
    for report in reports:
        rows = report.manifest.rows
        assert rows["exposures_tableversion"] == rows["exposures_heartbeat"] + 1 > 1
        assert check(report.path) == report.manifest


def test_a_server_that_refuses_a_row_keeps_its_old_rows(make: MakePortal, archive: Path) -> None:
    portal = make("other")
    if portal.engine != "postgresql":
        pytest.skip("SQLite does not enforce lengths: runs in the PostgreSQL run")
    portal.fill("HD 2")
    before = portal.state()
    too_long = rewritten(archive, in_records("UPDATE exposures_target SET name = ?", "x" * 100))
    with pytest.raises(BackupError, match="refused the records"):
        portal.restore(too_long, force=True)
    assert portal.state() == before
