"""Background work: a heartbeat for the health page, housekeeping, the sources that are followed."""

from __future__ import annotations

import logging
import os
import signal
import threading

from django.contrib.sessions.models import Session
from django.db import DatabaseError, close_old_connections
from django.utils import timezone

from obsportal.exposures.models import Heartbeat
from obsportal.sync.schedule import Followers

BEAT_SECONDS = 30
log = logging.getLogger(__name__)


def run(*, once: bool = False) -> None:
    """Work until interrupted or terminated; with ``once`` do what is due and return."""
    stop = threading.Event()
    if threading.current_thread() is threading.main_thread():
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: stop.set())
    followers = Followers(stop)
    try:
        while True:
            try:
                close_old_connections()
                beat("worker", f"process {os.getpid()}")
                forget_old_sessions()
                if not stop.is_set():
                    followers.start_due()
            except DatabaseError:
                log.exception("the records did not answer; trying again in %s s", BEAT_SECONDS)
            if once or stop.wait(BEAT_SECONDS):
                return
    except BaseException:
        stop.set()  # runs of a worker that has failed would go on unseen
        raise
    finally:
        followers.wait()


def beat(name: str, detail: str = "") -> None:
    """Say that a background process is alive."""
    Heartbeat.objects.update_or_create(
        name=name, defaults={"beat_at": timezone.now(), "detail": detail[:200]}
    )


def forget_old_sessions() -> int:
    """Delete expired sign-in sessions; answer how many."""
    return Session.objects.filter(expire_date__lt=timezone.now()).delete()[0]
