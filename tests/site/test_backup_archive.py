"""Archives that are damaged, foreign, hostile, too new or too old."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from portals import in_records, rewritten

from obsportal.site import backup as module
from obsportal.site import record_copy
from obsportal.site.backup import BackupError
from obsportal.site.backup_archive import RECORDS

if TYPE_CHECKING:
    from portals import MakePortal


def shortened(archive: Path) -> None:
    os.truncate(archive, archive.stat().st_size // 2)


def one_bit_flipped(archive: Path) -> None:
    data = bytearray(archive.read_bytes())
    data[len(data) // 2] ^= 1
    archive.write_bytes(data)


def emptied(archive: Path) -> None:
    archive.write_bytes(b"")


def replaced_by_text(archive: Path) -> None:
    archive.write_text("not a tar file\n" * 100)


def removed(archive: Path) -> None:
    archive.unlink()


Members = list[tuple[tarfile.TarInfo, bytes]]


def repacked(change: Callable[[Members, dict[str, Any]], None]) -> Callable[[Path], None]:
    """The archive with its members, or the manifest at their end, changed."""

    def apply(archive: Path) -> None:
        with tarfile.open(archive) as tar:
            members = [(m, tar.extractfile(m).read()) for m in tar.getmembers()]  # type: ignore[union-attr]
        info, text = members.pop()
        table = json.loads(text)
        change(members, table)
        text = json.dumps(table).encode()
        info.size = len(text)
        with tarfile.open(archive, "w") as tar:
            for member, content in [*members, (info, text)]:
                tar.addfile(member, io.BytesIO(content))

    return apply


def manifest_changed(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    return repacked(lambda members, table: change(table))


def with_member(name: str, **attributes: Any) -> Callable[[Path], None]:
    """The archive with one more, empty member, which the manifest lists."""

    def add(members: Members, table: dict[str, Any]) -> None:
        table["members"][name] = {"size": 0, "sha256": hashlib.sha256().hexdigest()}
        extra = tarfile.TarInfo(name)
        for key, value in attributes.items():
            setattr(extra, key, value)
        members.append((extra, b""))

    return repacked(add)


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (shortened, {"incomplete", "damaged"}),
        (one_bit_flipped, {"damaged"}),
        (emptied, {"damaged"}),
        (replaced_by_text, {"damaged"}),
        (removed, {"unreadable"}),
        (manifest_changed(lambda table: table.update(version=99)), {"version"}),
        (manifest_changed(lambda table: table.update(format="other")), {"foreign"}),
        (manifest_changed(lambda table: table.pop("schema")), {"damaged"}),
        (manifest_changed(lambda table: table.update(members=[])), {"damaged"}),
        (manifest_changed(lambda table: table["members"].pop("files/note.txt")), {"damaged"}),
        (manifest_changed(lambda table: table["members"]["files/note.txt"].pop("sha256")), {"damaged"}),
        (manifest_changed(lambda table: table["schema"].update(exposures=["9999_later"])), {"newer"}),
        (with_member("../outside"), {"unsafe"}),
        (with_member("/outside"), {"unsafe"}),
        (with_member("files/../../outside"), {"unsafe"}),
        (with_member("files/link", type=tarfile.SYMTYPE, linkname="/etc"), {"unsafe"}),
        (with_member("files/pipe", type=tarfile.FIFOTYPE), {"unsafe"}),
        (with_member("files/records.sqlite3"), {"unsafe"}),
        (with_member("files/.restore/journal.json"), {"unsafe"}),
    ],
)
def test_an_archive_that_is_not_sound_changes_nothing(
    make: MakePortal, archive: Path, tmp_path: Path, damage: Callable[[Path], None], code: set[str]
) -> None:
    portal = make("other")
    portal.fill("HD 2")
    before = portal.state()
    damage(archive)
    with pytest.raises(BackupError) as refusal:
        portal.restore(archive, force=True)
    assert refusal.value.code in code
    assert portal.state() == before
    assert not (tmp_path / "outside").exists()
    assert not (portal.data / module.STAGING).exists()


def test_records_that_are_damaged_inside_a_sound_archive_are_refused(make: MakePortal, archive: Path) -> None:
    def spoil(folder: Path) -> None:
        data = bytearray((folder / RECORDS).read_bytes())
        data[4096 : 4096 + 2000] = b"\xff" * 2000
        (folder / RECORDS).write_bytes(data)

    portal = make("other")
    with pytest.raises(BackupError) as refusal:
        portal.restore(rewritten(archive, spoil))
    assert refusal.value.code in {"damaged", "database"}
    assert portal.rows()["exposures_exposure"] == []


def test_an_archive_of_an_older_schema_is_brought_up_to_date(make: MakePortal, archive: Path) -> None:
    def age(folder: Path) -> None:
        in_records("DROP TABLE django_session")(folder)
        in_records("DELETE FROM django_migrations WHERE app = 'sessions'")(folder)

    portal = make("other")
    assert portal.restore(rewritten(archive, age)).migrated
    assert record_copy.is_current(portal.using)
    assert portal.rows()["django_session"] == []
    assert len(portal.rows()["exposures_exposure"]) == 1
