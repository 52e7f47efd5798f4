"""Change counters of published tables: ETags, kept counts and publishing start from them."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import connection
from django.utils import timezone

from obsportal.exposures.models import TableVersion


def last_modified(table: str = "exposures") -> tuple[int, datetime]:
    """Change counter of a published table, and when it last changed (the epoch when never)."""
    with connection.cursor() as cursor:  # asked by every request: plain SQL spares the ORM's time
        cursor.execute("SELECT counter, modified_at FROM exposures_tableversion WHERE name = %s", [table])
        row = cursor.fetchone()
    if row is None:
        return 0, datetime(1970, 1, 1, tzinfo=UTC)
    counter, modified = row
    if isinstance(modified, str):
        modified = datetime.fromisoformat(modified)
    return counter, modified if modified.tzinfo else modified.replace(tzinfo=UTC)  # SQLite keeps UTC bare


WRITERS = 0x74617267
"""Number of PostgreSQL's advisory lock of those who write exposures."""


def lock() -> None:
    """Wait until no other process writes exposures or decides about targets; ends with the transaction.

    Whoever writes exposures takes it before the first row: taken in another order, two writers would
    wait for each other. SQLite has one writer at a time anyway.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [WRITERS])


def bump(table: str, now: datetime | None = None) -> None:
    """Mark a published table as changed, within the caller's transaction."""
    now = now or timezone.now()
    version, _ = TableVersion.objects.select_for_update().get_or_create(
        name=table, defaults={"modified_at": now}
    )
    version.counter += 1
    version.modified_at = now
    version.save(update_fields=["counter", "modified_at"])
