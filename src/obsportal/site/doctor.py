"""``obsportal doctor``: does this installation work, and what to do where it does not."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone

from obsportal.exposures.models import Exposure, Heartbeat
from obsportal.interferometry import facility
from obsportal.site import schema

LOW_DISK = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing examined: is it well, and what was seen or should be done."""

    name: str
    ok: bool
    detail: str

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return asdict(self)


def examine() -> list[Finding]:
    """Everything, in an order in which earlier findings explain later ones."""
    return [
        check() for check in (_python, _data_folder, _secret, _disk, _database, _schema, _facilities, _worker)
    ]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", sys.version_info >= (3, 11), f"{version} (3.11 or later is needed)")


def _data_folder() -> Finding:
    folder = Path(settings.OBSPORTAL_DATA)
    if not folder.exists():
        return Finding("Data folder", True, f"{folder} will be made on the first use")
    ok = os.access(folder, os.W_OK)
    return Finding("Data folder", ok, f"{folder} is {'writable' if ok else 'not writable: change its owner'}")


def _secret() -> Finding:
    path = Path(settings.OBSPORTAL_DATA) / "secret_key"
    if not path.exists():
        return Finding("Secret key", True, "from the environment" if settings.SECRET_KEY else "will be made")
    open_to_others = path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH)
    detail = f"readable by others: chmod 600 {path}" if open_to_others else "kept to the owner"
    return Finding("Secret key", not open_to_others, detail)


def _disk() -> Finding:
    folder = Path(settings.OBSPORTAL_DATA)
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    return Finding(
        "Disk", free > LOW_DISK, f"{free / 1e9:.1f} GB free (at least {LOW_DISK / 1e9:.0f} GB is wise)"
    )


def _database() -> Finding:
    try:
        connection.ensure_connection()
        with connection.cursor() as cursor:
            if connection.vendor == "sqlite":
                cursor.execute("PRAGMA quick_check(1)")
                state = cursor.fetchone()[0]
                return Finding("Records", state == "ok", f"SQLite {sqlite3.sqlite_version}, check: {state}")
            cursor.execute("SHOW server_version")
            return Finding("Records", True, f"PostgreSQL {cursor.fetchone()[0]}")
    except DatabaseError as error:
        return Finding("Records", False, f"cannot be opened: {str(error).strip()}")


def _schema() -> Finding:
    return _asked("Schema", _schema_state)


def _schema_state() -> tuple[bool, str]:
    waiting = schema.pending()
    if not waiting:
        return True, f"current ({schema.current()}), {Exposure.objects.count()} exposures"
    if not schema.current():
        return True, "a new portal: the first command that needs the records makes it"
    return False, f"{len(waiting)} changes wait: any other obsportal command applies them"


def _facilities() -> Finding:
    try:
        names = ", ".join(facility.facilities())
    except (OSError, ValueError) as error:
        return Finding("Facilities", False, str(error))
    return Finding("Facilities", True, f"{names}; {len(facility.modes())} instrument modes")


def _worker() -> Finding:
    return _asked("Worker", _worker_state)


def _worker_state() -> tuple[bool, str]:
    last = Heartbeat.objects.filter(name="worker").first()
    if last is None:
        return True, "never ran here (obsportal worker); nothing needs it yet"
    age = (timezone.now() - last.beat_at).total_seconds()
    return age < 120, f"last heard {age:.0f} s ago" + ("" if age < 120 else ": start obsportal worker")


def _asked(name: str, question: Callable[[], tuple[bool, str]]) -> Finding:
    try:
        ok, detail = question()
    except DatabaseError as error:
        return Finding(name, "no such table" in str(error), f"not known: {str(error).strip()}")
    return Finding(name, ok, detail)
