"""Backup and restore, on the engine of the run."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.db import connections
from portals import NOW

from obsportal.exposures.models import TableVersion, Target
from obsportal.site import backup as module
from obsportal.site.backup import BackupError, check
from obsportal.site.backup_archive import RECORDS, ArchiveWriter

if TYPE_CHECKING:
    from portals import MakePortal


def test_a_backup_restored_elsewhere_is_the_same_portal(make: MakePortal, tmp_path: Path) -> None:
    source, other = make("source"), make("other")
    source.fill()
    report = source.backup(tmp_path / "backup.tar")
    restored = other.restore(report.path)
    assert other.state() == source.state()
    assert report.manifest.rows["exposures_override"] == 3
    assert report.manifest.engine == source.engine
    assert report.manifest.files == 2
    assert restored.manifest == check(report.path) == report.manifest
    assert "and 2 files" in report.sentence()
    assert "and 2 files" in restored.sentence()
    assert json.loads(json.dumps(report.as_dict()))["rows"] == report.manifest.rows
    assert json.loads(json.dumps(restored.as_dict()))["migrated"] is False
    assert not restored.migrated
    assert not (other.data / module.STAGING).exists()


def test_a_restore_makes_cached_answers_of_clients_stale(make: MakePortal, archive: Path) -> None:
    portal = make("other")
    portal.restore(archive)
    version = TableVersion.objects.using(portal.using).get()
    assert version.modified_at > NOW
    assert version.counter > 1_000_000_000


def test_secrets_caches_and_locks_stay_out_unless_secrets_are_asked_for(
    make: MakePortal, tmp_path: Path
) -> None:
    portal = make("portal")
    portal.fill()
    (portal.data / "worker.lock").touch()
    (portal.data / "link").symlink_to("/etc/hostname")
    report = portal.backup(tmp_path / "plain.tar")
    assert set(report.manifest.members) == {RECORDS, "files/kept/aside/bad header.hdr", "files/note.txt"}
    assert report.left_out == ("link",)
    assert report.path.stat().st_mode & 0o777 == 0o600
    with_secrets = portal.backup(tmp_path / "secret.tar", with_secrets=True)
    assert set(with_secrets.manifest.members) - set(report.manifest.members) == {"files/secret_key"}


def test_restoring_without_secrets_keeps_the_key_that_is_there(make: MakePortal, archive: Path) -> None:
    portal = make("other")
    (portal.data / "secret_key").write_text("mine")
    portal.restore(archive)
    assert (portal.data / "secret_key").read_text() == "mine"


def test_a_folder_as_destination_gets_a_file_named_by_the_time(make: MakePortal, tmp_path: Path) -> None:
    path = make("portal").backup(tmp_path).path
    assert path.parent == tmp_path
    assert path.name.startswith("obsportal-20")
    assert sorted(tmp_path.iterdir()) == [path, tmp_path / "portal"]


@pytest.mark.parametrize(
    ("destination", "code"),
    [("there.tar", "exists"), ("nowhere/backup.tar", "no-folder"), ("portal/backup.tar", "inside")],
)
def test_a_backup_refuses_a_bad_destination(
    make: MakePortal, tmp_path: Path, destination: str, code: str
) -> None:
    portal = make("portal")
    (tmp_path / "there.tar").write_text("precious")
    with pytest.raises(BackupError) as refusal:
        portal.backup(tmp_path / destination)
    assert refusal.value.code == code
    assert (tmp_path / "there.tar").read_text() == "precious"


def test_a_backup_that_fails_leaves_nothing_behind(
    make: MakePortal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal = make("portal")
    portal.fill()

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ArchiveWriter, "finish", full)
    with pytest.raises(BackupError, match="No space left"):
        portal.backup(tmp_path / "backup.tar")
    assert [path.name for path in tmp_path.iterdir()] == ["portal"]


def test_a_portal_that_holds_something_is_replaced_only_by_force(make: MakePortal, archive: Path) -> None:
    portal = make("other")
    portal.fill("HD 2")
    (portal.data / "only here").write_text("x")
    before = portal.state()
    with pytest.raises(BackupError, match="1 rows in exposures_exposure") as refusal:
        portal.restore(archive)
    assert refusal.value.code == "not-empty"
    assert portal.state() == before
    portal.restore(archive, force=True)
    assert [target.name for target in Target.objects.using(portal.using).all()] == ["HD 1"]
    assert sorted(portal.files()) == ["kept/aside/bad header.hdr", "note.txt"]
    assert (portal.data / "secret_key").read_text() == "secret of HD 2"


def test_records_being_served_are_not_replaced(make: MakePortal, archive: Path) -> None:
    portal = make("other")
    if portal.engine != "sqlite":
        pytest.skip("a PostgreSQL server lets others wait for the commit instead")
    with closing(sqlite3.connect(portal.data / "records.sqlite3")) as server:
        server.execute("PRAGMA journal_mode=WAL")
        server.execute("SELECT count(*) FROM exposures_exposure").fetchone()
        with pytest.raises(BackupError) as refusal:
            portal.restore(archive)
    assert refusal.value.code == "in-use"
    assert portal.rows()["exposures_exposure"] == []


def test_records_beyond_reading_can_be_replaced(make: MakePortal, archive: Path) -> None:
    portal = make("other", "sqlite")
    connections[portal.using].close()
    (portal.data / "records.sqlite3").write_text("no database " * 1000)
    with pytest.raises(BackupError) as refusal:
        portal.restore(archive)
    assert refusal.value.code == "not-empty"
    portal.restore(archive, force=True)
    assert len(portal.rows()["exposures_exposure"]) == 1


def test_two_restores_do_not_meet(make: MakePortal, archive: Path) -> None:
    portal = make("other")
    with module._alone(portal.data), pytest.raises(BackupError) as refusal:
        portal.restore(archive)
    assert refusal.value.code == "busy"
