from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from obsportal.connectors.http import Interrupted, Manners, RemoteError
from obsportal.sync import runs
from obsportal.sync.job import Cancelled, Job, SyncError, SyncOptions
from obsportal.sync.models import SyncRun
from obsportal.sync.runs import BusyError, run

pytestmark = pytest.mark.django_db


@dataclass
class Made:
    """A source that does what it is told."""

    does: Callable[[Job], None]
    name: str = "https://obs.example.org"

    def run(self, job: Job) -> None:
        self.does(job)


def nothing(job: Job) -> None:
    job.count("listed", 0)


def raising(error: BaseException) -> Callable[[Job], None]:
    def does(job: Job) -> None:
        job.count("headers", 3)
        raise error

    return does


def gone_process() -> str:
    """What a process that has ended would have written as holder."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return f"{socket.gethostname()[:60]} {child.pid} 12345"


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (None, "done", ""),
        (Cancelled(), "cancelled", ""),
        (Interrupted(), "cancelled", ""),
        (SyncError("no such instrument"), "failed", "no such instrument"),
        (RemoteError("it answered 500", status=500), "failed", "it answered 500"),
        (ValueError("password=secret"), "failed", "an internal error (ValueError)"),
    ],
)
def test_every_end_is_recorded_with_its_counts(error, status, said):
    run(Made(raising(error) if error else nothing))
    record = SyncRun.objects.get()
    assert record.status == status
    assert said in record.problem
    assert "secret" not in record.problem
    assert record.ended_at is not None
    assert record.counts == ({"headers": 3} if error else {})


def test_a_second_run_of_a_source_is_refused_while_one_is_under_way():
    refused = []

    def inside(job: Job) -> None:
        with pytest.raises(BusyError) as caught:
            run(Made(nothing))
        refused.append(str(caught.value))
        run(Made(nothing, name="eso"))

    run(Made(inside))
    assert f"process {os.getpid()}" in refused[0]
    assert "one run of a source at a time" in refused[0]
    assert sorted(SyncRun.objects.values_list("source", "status")) == [
        ("eso", "done"), ("https://obs.example.org", "done")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("holder", "lease", "gone"),
    [
        ("elsewhere 17 99", timedelta(minutes=1), False),
        ("elsewhere 17 99", -timedelta(seconds=1), True),
        (None, timedelta(minutes=4), True),
    ],
)
def test_a_killed_run_is_marked_when_its_process_is_gone_or_its_lease_is_past(holder, lease, gone):
    now = timezone.now()
    killed = SyncRun.objects.create(
        source="eso", started_at=now, lease_until=now + lease, holder=holder or gone_process()
    )
    assert runs.is_gone(killed) is gone
    if not gone:
        with pytest.raises(BusyError, match="on elsewhere"):
            run(Made(nothing, name="eso"))
        return
    assert run(Made(nothing, name="eso")).status == "done"
    killed.refresh_from_db()
    assert killed.status == "killed"
    assert killed.ended_at is not None


def test_a_process_number_that_came_again_is_not_the_one_that_was_killed():
    now = timezone.now()
    holder = f"{socket.gethostname()[:60]} {os.getpid()} 1"
    killed = SyncRun(source="eso", started_at=now, lease_until=now + timedelta(minutes=4), holder=holder)
    assert runs.is_gone(killed) is Path("/proc/self/stat").exists()


def test_a_run_whose_place_was_taken_stops(monkeypatch):
    monkeypatch.setattr(Job, "KEEP_EVERY", -1.0)

    def inside(job: Job) -> None:
        SyncRun.objects.update(status="killed")
        job.checkpoint()

    ended = run(Made(inside))
    assert "another has taken its place" in ended.problem
    assert SyncRun.objects.get().status == "killed"


def test_a_lease_outlasts_the_longest_answer_that_a_run_may_wait_for():
    assert runs.LEASE.total_seconds() > Manners().longest_reply


def test_a_checkpoint_renews_the_lease_and_stores_the_counts(monkeypatch):
    monkeypatch.setattr(Job, "KEEP_EVERY", -1.0)
    seen = []

    def inside(job: Job) -> None:
        SyncRun.objects.update(lease_until=timezone.now() + timedelta(seconds=5))
        job.count("headers", 2)
        job.checkpoint()
        seen.append(SyncRun.objects.get())

    run(Made(inside))
    assert seen[0].counts == {"headers": 2}
    assert seen[0].lease_until > timezone.now() + timedelta(minutes=4)


def test_a_run_that_is_asked_to_stop_ends_at_its_next_checkpoint():
    stop = threading.Event()

    def inside(job: Job) -> None:
        job.count("headers")
        stop.set()
        job.checkpoint()
        job.count("headers")

    ended = run(Made(inside), stop=stop)
    assert (ended.status, ended.counts) == ("cancelled", {"headers": 1})


def test_a_dry_run_records_nothing_and_holds_nobody_up():
    def inside(job: Job) -> None:
        run(Made(nothing))
        job.count("new", 7)

    ended = run(Made(inside), SyncOptions(dry_run=True))
    assert (ended.status, ended.counts, ended.pk) == ("done", {"new": 7}, None)
    assert SyncRun.objects.count() == 1


def test_only_so_many_runs_are_kept(monkeypatch):
    monkeypatch.setattr(runs, "KEPT_RUNS", 3)
    for _ in range(6):
        run(Made(nothing))
    assert SyncRun.objects.count() == 4


def test_sentences_are_kept_but_not_without_end():
    def inside(job: Job) -> None:
        for number in range(300):
            job.say(f"row {number}")

    assert len(run(Made(inside)).counts["sentences"]) == 100
