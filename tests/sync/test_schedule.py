from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.utils import timezone
from following import contents

from obsportal.exposures.models import Exposure
from obsportal.sync import schedule, sources
from obsportal.sync.eso import EsoSource
from obsportal.sync.job import SyncError
from obsportal.sync.models import SyncRun
from obsportal.sync.source import Source

PORTAL = "https://obs.example.org"


@pytest.fixture(autouse=True)
def followed(settings):
    settings.OBSPORTAL_SYNC = ("eso", PORTAL)
    settings.OBSPORTAL_SYNC_MINUTES = 60


def past(status: str, *, minutes: float, source: str = "eso", **counts: int) -> SyncRun:
    """A run that began so long ago."""
    began = timezone.now() - timedelta(minutes=minutes)
    lease = timezone.now() + timedelta(minutes=4)
    return SyncRun.objects.create(
        source=source,
        started_at=began,
        lease_until=lease,
        holder="elsewhere 1 1",
        status=status,
        counts=counts,
    )


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("status", "minutes", "due"),
    [
        (None, 0, True),
        ("done", 59, False),
        ("done", 61, True),
        ("failed", 59, False),
        ("failed", 61, True),
        ("cancelled", 1, True),
        ("killed", 1, True),
        ("running", 200, False),
    ],
)
def test_a_source_is_due_when_its_time_has_come(status, minutes, due):
    past("done", minutes=1, source=PORTAL)
    if status:
        past(status, minutes=minutes)
    assert schedule.due() == (["eso"] if due else [])


@pytest.mark.django_db
def test_a_run_that_was_killed_is_taken_up_at_once():
    past("done", minutes=1, source=PORTAL)
    SyncRun.objects.filter(pk=past("running", minutes=3).pk).update(lease_until=timezone.now())
    assert schedule.due() == ["eso"]


@pytest.mark.django_db
def test_a_source_that_is_not_followed_has_no_next_run():
    assert schedule.next_run("https://other.example.org") is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("runs", "due"),
    [
        ([], False),
        ([("done", 1, {})], False),
        ([("done", 8, {})], True),
        ([("done", 20, {}), ("done", 6, {"checked": 5}), ("done", 1, {})], False),
        ([("done", 20, {}), ("done", 8, {"checked": 5}), ("done", 1, {})], True),
        ([("done", 20, {}), ("failed", 2, {"checked": 5})], True),
    ],
)
def test_a_source_is_compared_with_its_whole_list_once_a_week(runs, due):
    for status, days, counts in runs:
        past(status, minutes=days * 24 * 60, **counts)
    assert schedule.check_is_due("eso") is due


@pytest.mark.parametrize("name", ["", "ESO!", "ftp://x", "uves"])
def test_what_is_no_source_is_refused_with_what_is_allowed(name):
    with pytest.raises(SyncError, match="allowed are eso and the http"):
        sources.source_of(name)


def test_the_settings_make_the_source(settings):
    settings.OBSPORTAL_ESO_TAP_URL = "http://127.0.0.1:1/tap"
    settings.OBSPORTAL_CONTACT = "mailto:a@example.org"
    settings.OBSPORTAL_SYNC_PAUSE_MS = 250
    made = sources.source_of("eso")
    assert isinstance(made, EsoSource)
    assert made.tap_url == "http://127.0.0.1:1/tap"
    assert made.manners.pause == 0.25
    assert "a@example.org" in made.manners.user_agent


@pytest.mark.django_db(transaction=True)
def test_the_worker_reads_what_is_due_beside_its_own_beat_and_stops_when_told(settings, archive, address):
    from obsportal.exposures.models import Heartbeat
    from obsportal.site import worker

    settings.OBSPORTAL_SYNC = ("eso",)
    settings.OBSPORTAL_SYNC_PAUSE_MS = 0
    settings.OBSPORTAL_ESO_TAP_URL, settings.OBSPORTAL_ESO_HEADER_URL = f"{address}/tap_obs", f"{address}/hdr"
    worker.run(once=True)
    assert SyncRun.objects.get().status == "done", SyncRun.objects.get().problem
    assert Heartbeat.objects.filter(name="worker").exists()
    assert Exposure.objects.exists()
    before = contents()
    worker.run(once=True)
    assert SyncRun.objects.count() == 1, "not due yet"
    assert contents() == before


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_ends_stops_its_runs_in_the_middle(settings, archive, address):
    settings.OBSPORTAL_SYNC = ("eso",)
    settings.OBSPORTAL_SYNC_PAUSE_MS = 0
    settings.OBSPORTAL_ESO_TAP_URL, settings.OBSPORTAL_ESO_HEADER_URL = f"{address}/tap_obs", f"{address}/hdr"
    stop = threading.Event()
    archive.watch = lambda number, what: stop.set() if number == 12 else None
    followers = schedule.Followers(stop)
    assert followers.start_due() == ["eso"]
    assert followers.start_due() == [], "it is under way"
    followers.wait()
    assert SyncRun.objects.get().status == "cancelled"
    assert schedule.due() == ["eso"]


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_fails_stops_what_it_has_begun(settings, monkeypatch):
    from obsportal.site import worker

    class Begun:
        def __init__(self, stop: threading.Event) -> None:
            self.stop, self.waited = stop, False
            begun.append(self)

        def start_due(self) -> None:
            raise OSError("no thread can be started")

        def wait(self) -> None:
            assert self.stop.is_set(), "it would wait for hours"
            self.waited = True

    begun: list[Begun] = []
    monkeypatch.setattr(worker, "Followers", Begun)
    with pytest.raises(OSError, match="no thread"):
        worker.run(once=True)
    assert begun[0].waited


@pytest.mark.django_db(transaction=True)
def test_a_source_that_fails_does_not_stop_the_others(settings, archive, address, monkeypatch):
    settings.OBSPORTAL_SYNC = ("http://127.0.0.1:1", "eso")
    settings.OBSPORTAL_SYNC_PAUSE_MS = 0
    settings.OBSPORTAL_ESO_TAP_URL, settings.OBSPORTAL_ESO_HEADER_URL = f"{address}/tap_obs", f"{address}/hdr"
    made = sources.source_of

    def source_of(name: str) -> Source:
        if name != "eso":
            raise RuntimeError("broken beyond all expectation")
        return made(name)

    monkeypatch.setattr(sources, "source_of", source_of)
    followers = schedule.Followers(threading.Event())
    assert followers.start_due() == ["http://127.0.0.1:1", "eso"]
    followers.wait()
    assert list(SyncRun.objects.values_list("source", "status")) == [("eso", "done")]


@pytest.mark.django_db
def test_a_source_that_cannot_begin_does_not_stop_the_worker(settings):
    schedule.run_scheduled("nonsense", threading.Event())
    assert not SyncRun.objects.exists()
