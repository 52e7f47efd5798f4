"""From waiting archive rows to exposures: headers fetched a few at once, taken in group by group."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from obsportal.connectors.eso import EsoArchive
from obsportal.connectors.http import Interrupted, RemoteError
from obsportal.exposures.digest import Digest, digest
from obsportal.exposures.models import HeaderVersion
from obsportal.exposures.services import IngestOptions, IngestReport, header_text, ingest
from obsportal.exposures.versions import lock
from obsportal.formats.header_sources import HeaderSource
from obsportal.sync import listing
from obsportal.sync.job import Cancelled, Job
from obsportal.sync.models import ArchiveRow

GROUP = 500
"""Headers written by one transaction."""
GROUP_SECONDS = 20.0
"""Or as many as have come in so many seconds: a kill costs no more than these."""
HOPELESS = 20
"""So many headers in a row that the archive was too busy to give end the run."""
FIRST_RETRY = timedelta(hours=1)
LONGEST_RETRY = timedelta(days=30)
State = ArchiveRow.State


@dataclass(slots=True)
class _Answer:
    """A row with its header, or why there is none."""

    row: ArchiveRow
    text: str = ""
    error: RemoteError | None = None


def take_in(source: str, archive: EsoArchive, job: Job, instruments: Sequence[str], parallel: int) -> None:
    """Read the headers of all rows that wait, or failed and are due, and write what they tell.

    Each group of headers is one transaction with the states of its rows: killed at any point, rows
    wait as before and the next run takes the same headers in. Raises RemoteError when the archive
    does not answer any more; a single header without answer is marked and tried again later.
    """
    group: list[tuple[ArchiveRow, Digest]] = []
    failed: list[ArchiveRow] = []
    busy = 0
    began = time.monotonic()
    try:
        for answer in _answers(source, archive, job, instruments, parallel):
            job.count("headers")
            if answer.error is not None:
                failed.append(_failed(answer.row, answer.error))
                busy = busy + 1 if answer.error.transient else 0
                if busy >= HOPELESS:
                    raise RemoteError(f"{busy} headers in a row were not given, at last: {answer.error}")
            else:
                busy = 0
                group.append((answer.row, _digest(answer)))
            if len(group) + len(failed) >= GROUP or time.monotonic() - began > GROUP_SECONDS:
                _write(group, failed, job)
                group, failed, began = [], [], time.monotonic()
            job.checkpoint()
    except (Cancelled, Interrupted, RemoteError):
        _write(group, failed, job)
        raise
    _write(group, failed, job)


def _digest(answer: _Answer) -> Digest:
    return digest(HeaderSource(answer.row.dp_id, answer.text), archive_row=answer.row.row)


def _write(group: list[tuple[ArchiveRow, Digest]], failed: list[ArchiveRow], job: Job) -> None:
    if not group and not failed:
        return
    with transaction.atomic():
        lock()
        report = ingest((made for _, made in group), IngestOptions(current=True)) if group else IngestReport()
        for row, made in group:
            refusal = made.refusal
            listing.mark_read(row, f"refused: {refusal.reason} [{refusal.code}]" if refusal else "")
        listing.write([row for row, _ in group] + failed)
    for name in ("added", "updated", "unchanged", "refused"):
        job.count(name, getattr(report, name))
    job.count("failed", len(failed))


def _failed(row: ArchiveRow, error: RemoteError) -> ArchiveRow:
    """Keep the reason; every further try waits four times longer."""
    row.attempts += 1
    wait = min(FIRST_RETRY * 4 ** min(row.attempts - 1, 8), LONGEST_RETRY)
    row.state, row.retry_at, row.problem = State.FAILED, timezone.now() + wait, _told(error)
    return row


def _told(error: RemoteError) -> str:
    """Why there is no header; of one that is kept from the public, that comes first."""
    withheld = error.status in (401, 403)
    return listing.shortened(f"{ArchiveRow.WITHHELD} {error}" if withheld else str(error))


def _answers(
    source: str, archive: EsoArchive, job: Job, instruments: Sequence[str], parallel: int
) -> Iterator[_Answer]:
    """The rows to be read with their headers, in their order; a few are asked for at once."""
    under_way: deque[tuple[ArchiveRow, Future[str] | str]] = deque()
    pool = ThreadPoolExecutor(parallel, thread_name_prefix="header")
    try:
        for row, text in _rows(source, job, instruments):
            under_way.append((row, text or pool.submit(archive.header, row.dp_id)))
            if len(under_way) >= parallel * 4:
                yield _answer(*under_way.popleft())
        while under_way:
            yield _answer(*under_way.popleft())
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _answer(row: ArchiveRow, given: Future[str] | str) -> _Answer:
    if isinstance(given, str):
        return _Answer(row, given)
    try:
        return _Answer(row, given.result())
    except RemoteError as error:
        return _Answer(row, error=error)


def _rows(source: str, job: Job, instruments: Sequence[str]) -> Iterator[tuple[ArchiveRow, str]]:
    """Rows to be read; with the header's text where that very modification was read before."""
    left = job.limit_left("headers")
    begun = timezone.now()
    states = (Q(state=State.WAITING), Q(state=State.FAILED, retry_at__lte=begun))
    for due in states:
        after = 0
        rows = ArchiveRow.objects.filter(due, source=source, instrument__in=instruments)
        while left is None or left > 0:
            size = 200 if left is None else min(200, left)
            batch = list(rows.filter(pk__gt=after).order_by("pk")[:size])
            if not batch:
                break
            after = batch[-1].pk
            kept = _kept_texts([row.dp_id for row in batch if listing.has_been_read(row)])
            for row in batch:
                yield row, kept.get(row.dp_id, "")
            if left is not None:
                left -= len(batch)


def _kept_texts(dp_ids: list[str]) -> dict[str, str]:
    """The newest text of each header."""
    versions = HeaderVersion.objects.filter(header_id__in=dp_ids).order_by("received_at", "pk")
    newest = {version.header_id: version for version in versions}
    return {header_id: header_text(version) for header_id, version in newest.items()}
