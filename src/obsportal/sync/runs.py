"""Runs of sources: one at a time per source, each recorded with its end, whatever the end.

A run holds a lease that it renews. A run that was killed leaves it behind; the next run finds the
process gone (on the same machine) or the lease past (on another), marks it killed and goes on.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from django.db import DatabaseError, transaction
from django.utils import timezone

from obsportal.connectors.http import Interrupted, RemoteError
from obsportal.sync.job import Cancelled, Job, SyncError, SyncOptions
from obsportal.sync.models import SyncCursor, SyncRun
from obsportal.sync.source import Source

LEASE = timedelta(minutes=30)
"""How long a run may be silent before another takes its place: longer than an answer may take to come."""
KEPT_RUNS = 500
"""Runs kept per source."""
log = logging.getLogger(__name__)
Status = SyncRun.Status


class BusyError(SyncError):
    """The source is being read by another run."""


def run(
    source: Source,
    options: SyncOptions | None = None,
    *,
    stop: threading.Event | None = None,
    progress: Callable[[Job], None] | None = None,
) -> SyncRun:
    """Run a source to its end; answer the recorded run. Raises BusyError when one is under way.

    Failures are recorded, not raised. A dry run takes no lease and writes nothing: the answered row
    is not in the records.
    """
    options = options or SyncOptions()
    job = Job(options, stop or threading.Event(), progress)
    if options.dry_run:
        now = timezone.now()
        record = SyncRun(source=source.name, started_at=now, lease_until=now, holder=_holder())
    else:
        record = _take_lease(source.name)
        job.keep = lambda job: _keep(record, job)
    status, problem = _run(source, job)
    record.status, record.problem, record.ended_at = status, problem, timezone.now()
    record.counts = _counts(job)
    if not options.dry_run:
        _end(record)
    return record


def _run(source: Source, job: Job) -> tuple[Status, str]:
    try:
        source.run(job)
    except (Cancelled, Interrupted):
        return Status.CANCELLED, ""
    except (SyncError, RemoteError) as error:
        return Status.FAILED, str(error)
    except Exception as error:
        log.exception("the run of %s failed", source.name)
        return Status.FAILED, f"an internal error ({type(error).__name__}); the log has the details"
    return Status.DONE, ""


def _counts(job: Job) -> dict[str, object]:
    found: dict[str, object] = dict(job.counts)
    return found | {"sentences": job.sentences} if job.sentences else found


def _holder() -> str:
    """This process: host, number, and when it started, for numbers come again."""
    return f"{socket.gethostname()[:60]} {os.getpid()} {_started(os.getpid())}"


def _started(pid: int) -> str:
    """Clock ticks at which a process began, "" when it is gone, "?" where the system does not tell."""
    if not Path("/proc/self/stat").exists():
        return "?"
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return ""
    return "" if fields[0] == "Z" else fields[19]


def is_gone(record: SyncRun) -> bool:
    """Whether a run that says it is running was killed."""
    if record.lease_until < timezone.now():
        return True
    host, _, rest = record.holder.partition(" ")
    pid, _, started = rest.partition(" ")
    if host != socket.gethostname()[:60] or not pid.isdecimal():
        return False
    return _started(int(pid)) not in (started, "?")


def _take_lease(name: str) -> SyncRun:
    """Begin a run. The cursor row of the source without instrument serves as its lock."""
    with transaction.atomic():
        now = timezone.now()
        SyncCursor.objects.select_for_update().get_or_create(
            source=name, instrument="", defaults={"updated_at": now}
        )
        for earlier in SyncRun.objects.filter(source=name, status=Status.RUNNING):
            if not is_gone(earlier):
                raise BusyError(
                    f"{name} is being read by process {earlier.holder.split(' ')[1]} on"
                    f" {earlier.holder.split(' ')[0]} since {earlier.started_at:%Y-%m-%d %H:%M:%S} UTC:"
                    " one run of a source at a time"
                )
            earlier.status, earlier.ended_at = Status.KILLED, now
            earlier.problem = "it was killed; the next run went on from there"
            earlier.save(update_fields=["status", "ended_at", "problem"])
        kept = SyncRun.objects.filter(source=name).order_by("-pk").values_list("pk", flat=True)
        SyncRun.objects.filter(source=name, pk__in=list(kept[KEPT_RUNS : KEPT_RUNS + 100])).delete()
        return SyncRun.objects.create(
            source=name, started_at=now, lease_until=now + LEASE, holder=_holder(), status=Status.RUNNING
        )


def _keep(record: SyncRun, job: Job) -> None:
    """Renew the lease. Raises SyncError when it was lost."""
    mine = SyncRun.objects.filter(pk=record.pk, status=Status.RUNNING)
    if not mine.update(lease_until=timezone.now() + LEASE, counts=_counts(job)):
        raise SyncError("the run was silent for too long and another has taken its place")


def _end(record: SyncRun) -> None:
    mine = SyncRun.objects.filter(pk=record.pk, status=Status.RUNNING)
    values = {name: getattr(record, name) for name in ("status", "problem", "ended_at", "counts")}
    try:
        mine.update(**values)
    except DatabaseError:
        log.exception("the end of the run of %s could not be recorded", record.source)
