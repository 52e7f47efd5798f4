"""When each configured source runs, and the threads that the background worker runs them in."""

from __future__ import annotations

import logging
import threading
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connections
from django.utils import timezone

from obsportal.sync import runs, sources
from obsportal.sync.job import SyncError, SyncOptions
from obsportal.sync.models import SyncRun

CHECK_EVERY = timedelta(days=7)
"""How often a source is compared with its whole list, which finds what has vanished."""
log = logging.getLogger(__name__)
Status = SyncRun.Status


def next_run(name: str) -> datetime | None:
    """When a source is due by the schedule; None when it is not followed. Past times mean now."""
    if name not in sources.configured():
        return None
    last = SyncRun.objects.filter(source=name).order_by("-pk").first()
    if last is None or last.status in (Status.CANCELLED, Status.KILLED):
        return timezone.now()
    if last.status == Status.RUNNING and runs.is_gone(last):
        return timezone.now()
    return last.started_at + timedelta(minutes=settings.OBSPORTAL_SYNC_MINUTES)


def due() -> list[str]:
    """Sources whose time has come and that nobody is reading."""
    running = {r.source for r in SyncRun.objects.filter(status=Status.RUNNING) if not runs.is_gone(r)}
    times = {name: next_run(name) for name in sources.configured()}
    now = timezone.now()
    return [name for name, when in times.items() if when is not None and when <= now and name not in running]


def check_is_due(name: str) -> bool:
    """Whether the last comparison with the whole list, or else the first run, is long ago."""
    done = SyncRun.objects.filter(source=name, status=Status.DONE).order_by("-pk")
    since = done.filter(counts__has_key="checked").first() or done.last()
    return since is not None and timezone.now() - since.started_at > CHECK_EVERY


def run_scheduled(name: str, stop: threading.Event) -> None:
    """One run of a source as the schedule has it; what goes wrong is in its record."""
    try:
        runs.run(sources.source_of(name), SyncOptions(check=check_is_due(name)), stop=stop)
    except SyncError as error:
        log.warning("%s", error)
    except Exception:  # the end of a thread: one source that breaks must not stop the others
        log.exception("the run of %s could not begin", name)


class Followers:
    """A thread for each source that is being read, so that the worker's own beat goes on."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._threads: dict[str, threading.Thread] = {}

    def start_due(self) -> list[str]:
        """Start the sources that are due; answer their names."""
        self._threads = {name: thread for name, thread in self._threads.items() if thread.is_alive()}
        begun = [name for name in due() if name not in self._threads]
        for name in begun:
            thread = threading.Thread(target=self._run, args=(name,), name=f"sync {name}")
            self._threads[name] = thread
            thread.start()
        return begun

    def wait(self) -> None:
        """Until all have ended."""
        for thread in self._threads.values():
            thread.join()

    def _run(self, name: str) -> None:
        try:
            run_scheduled(name, self._stop)
        finally:
            connections.close_all()
