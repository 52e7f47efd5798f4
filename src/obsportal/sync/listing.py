"""What an archive lists, kept beside the exposures: which headers are to be read, and what has gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import transaction
from django.utils import timezone

from obsportal.connectors.eso import RawRow
from obsportal.exposures.models import Exposure
from obsportal.exposures.versions import bump, lock
from obsportal.sync.models import ArchiveRow

State = ArchiveRow.State
READ = "_header_of"
"""In a kept row: the modification whose header was read, so that it is never fetched again."""
_IDENTITY = ("source", "dp_id")
_UPDATED = ("instrument", "modified_at", "exp_start", "row", "state", "attempts", "retry_at", "problem")
_CHUNK = 500


@dataclass(slots=True)
class Stored:
    """What a page of rows brought."""

    new: int = 0
    changed: int = 0
    returned: int = 0
    off_sky: int = 0

    def __iadd__(self, other: Stored) -> Stored:
        self.new += other.new
        self.changed += other.changed
        self.returned += other.returned
        self.off_sky += other.off_sky
        return self


def store(
    source: str,
    rows: Sequence[RawRow],
    wanted: Callable[[RawRow], bool],
    *,
    dry_run: bool = False,
    then: Callable[[], None] | None = None,
) -> Stored:
    """Keep the rows that are new or changed, as waiting for their headers; ``then`` in the same transaction.

    A row not kept yet must be ``wanted``; one that is kept is followed whatever it has become.
    """
    stored = Stored()
    latest = {row.dp_id: row for row in rows}
    with transaction.atomic():
        lock()
        for chunk in _chunks(latest.values()):
            known = {
                kept.dp_id: kept
                for kept in ArchiveRow.objects.filter(source=source, dp_id__in=[r.dp_id for r in chunk])
            }
            written: list[ArchiveRow] = []
            returned: list[str] = []
            for row in chunk:
                kept = known.get(row.dp_id)
                if kept is None:
                    if not wanted(row):
                        stored.off_sky += 1
                        continue
                    stored.new += 1
                    kept = ArchiveRow(source=source, dp_id=row.dp_id, row={})
                elif kept.state == State.VANISHED:
                    stored.returned += 1
                    returned.append(row.dp_id)
                elif not _differs(kept, row):
                    continue
                else:
                    stored.changed += 1
                _follow(kept, row)
                written.append(kept)
            if not dry_run:
                write(written)
                _show_again(returned)
        if then and not dry_run:
            then()
    return stored


def write(rows: Sequence[ArchiveRow]) -> None:
    """Insert rows, or update those that are there."""
    if rows:
        for row in rows:
            row.pk = None  # or the statement would name it, and conflict there too
        ArchiveRow.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=list(_IDENTITY), update_fields=list(_UPDATED)
        )


def _differs(kept: ArchiveRow, row: RawRow) -> bool:
    return kept.modified_at != row.modified_at or _plain(kept.row) != row.values


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != READ}


def _follow(kept: ArchiveRow, row: RawRow) -> None:
    """Take over what the archive says now. The same change is not waited for anew after a failure."""
    same = not kept._state.adding and kept.modified_at == row.modified_at
    unchanged = same and _plain(kept.row) == row.values
    read = kept.row.get(READ)
    kept.instrument = str(row.values["instrument"] or "").strip().upper()[:20]
    kept.modified_at, kept.exp_start = row.modified_at, row.exp_start
    kept.row = row.values | ({READ: read} if read else {})
    if unchanged and has_been_read(kept):
        kept.state = State.DONE
    elif not (same and kept.state == State.FAILED):
        kept.state, kept.attempts, kept.retry_at, kept.problem = State.WAITING, 0, None, ""


def has_been_read(kept: ArchiveRow) -> bool:
    """Whether the header of the row's present modification is in the records."""
    return bool(kept.row.get(READ) == kept.modified_at.isoformat())


def mark_read(kept: ArchiveRow, problem: str = "") -> None:
    """The row's header has been taken in, or refused with this reason. Not yet written."""
    kept.row = kept.row | {READ: kept.modified_at.isoformat()}
    kept.state, kept.attempts, kept.retry_at, kept.problem = State.DONE, 0, None, shortened(problem)


def shortened(problem: str) -> str:
    """A sentence that may quote a header, as it can be kept."""
    return problem.replace("\x00", "")[:300]


def vanish(source: str, dp_ids: Iterable[str]) -> int:
    """Mark rows that the archive no longer lists, and their exposures; answer how many were marked."""
    marked = 0
    with transaction.atomic():
        lock()
        for chunk in _chunks(dp_ids):
            rows = ArchiveRow.objects.filter(source=source, dp_id__in=chunk).exclude(state=State.VANISHED)
            marked += rows.update(state=State.VANISHED, retry_at=None, problem="no longer listed")
            _show(Exposure.objects.filter(exp_header_id__in=chunk, vanished_at=None), timezone.now())
    return marked


def _show_again(dp_ids: list[str]) -> None:
    if dp_ids:
        _show(Exposure.objects.filter(exp_header_id__in=dp_ids, vanished_at__isnull=False), None)


def _show(exposures: Any, vanished_at: datetime | None) -> None:
    now = timezone.now().replace(microsecond=0)
    if exposures.update(vanished_at=vanished_at, exp_date_updated=now):
        bump("exposures")


def _chunks(items: Iterable[Any]) -> Iterable[list[Any]]:
    stream = iter(items)
    while chunk := list(islice(stream, _CHUNK)):
        yield chunk
