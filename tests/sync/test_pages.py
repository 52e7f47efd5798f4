from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from following import done, follow

from obsportal.accounts.access import Visibility
from obsportal.accounts.models import User
from obsportal.exposures.models import Exposure, RefusedHeader
from obsportal.sync.models import ArchiveRow, SyncCursor, SyncRun

pytestmark = pytest.mark.django_db


def row(dp_id: str, state: str, instrument: str = "GRAVITY", **values: object) -> ArchiveRow:
    return ArchiveRow.objects.create(
        source="eso",
        instrument=instrument,
        dp_id=dp_id,
        modified_at=timezone.now(),
        row={},
        state=state,
        **values,
    )


def the_source(client: Client) -> dict:
    (found,) = client.get("/sources?format=json").json()["sources"]
    return found


def test_without_sources_the_page_says_how_to_name_one(client):
    page = client.get("/sources").content.decode()
    assert "No source is followed" in page
    assert "OBSPORTAL_SYNC" in page


def test_a_followed_source_that_was_never_read_says_so(client, settings):
    settings.OBSPORTAL_SYNC = ("eso",)
    page = client.get("/sources").content.decode()
    assert "ESO archive" in page
    assert "never" in page
    assert the_source(client)["late"] is True


def test_runs_counts_lag_and_failures_are_told(client, settings, archive, address):
    settings.OBSPORTAL_SYNC = ("eso",)
    dp_id = sorted(
        n for n, r in archive.rows.items() if "OBJECT" in r["dp_type"] and r["dp_cat"] == "SCIENCE"
    )[3]
    archive.statuses[dp_id] = 404
    counts = done(follow(address))
    told = the_source(client)
    assert told["status"] == "done"
    assert told["runs"][0]["counts"]["headers"] == counts["headers"]
    assert told["failures"][0]["dp_id"] == dp_id
    assert "404" in told["failures"][0]["reason"]
    assert sum(i["failed"] for i in told["instruments"]) == 1
    assert sum(i["done"] for i in told["instruments"]) == counts["headers"] - 1
    assert all(i["lag_s"] < 60 for i in told["instruments"])
    page = client.get("/sources").content.decode()
    assert dp_id in page
    assert "answered 404" in page
    assert page.count("<h1") == 1


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("hidden", [False, True])
def test_a_file_whose_header_the_archive_withholds_is_for_curators_alone(
    client, settings, archive, address, status, hidden
):
    settings.OBSPORTAL_SYNC = ("eso",)
    done(follow(address))
    exposure = Exposure.objects.order_by("exp_id").first()
    dp_id = exposure.exp_header_id
    before = sum(i["failed"] + i["done"] for i in the_source(client)["instruments"])
    if hidden:
        Exposure.objects.filter(pk=exposure.pk).update(visibility=Visibility.PROTECTED)
    archive.statuses[dp_id] = status
    archive.touch(dp_id, timezone.now() + timedelta(seconds=1))
    assert done(follow(address))["failed"] == 1
    told = the_source(client)
    assert told["failures"] == []
    assert sum(i["failed"] for i in told["instruments"]) == 0
    assert sum(i["failed"] + i["done"] for i in told["instruments"]) == before - 1
    for address_ in ("/sources", "/sources?format=json", "/health.json", "/health"):
        assert dp_id not in client.get(address_).content.decode()
    curator = Client()
    curator.force_login(User.objects.create_user("c", is_staff=True))
    (failure,) = the_source(curator)["failures"]
    assert failure["dp_id"] == dp_id
    assert failure["reason"].startswith("not public: ")
    assert sum(i["failed"] for i in the_source(curator)["instruments"]) == 1


def test_a_failed_run_is_told_with_its_problem_and_health_shows_it(client, settings, archive, address):
    settings.OBSPORTAL_SYNC = ("eso",)
    archive.faults = ["error"]
    follow(address)
    assert "the database is being restored" in client.get("/sources").content.decode()
    (told,) = client.get("/health.json").json()["sources"]
    assert (told["name"], told["status"], told["late"]) == ("eso", "failed", True)
    page = client.get("/health").content.decode()
    assert "ESO archive" in page
    assert "/sources" in page


def test_a_run_whose_process_is_gone_is_shown_as_killed(client):
    long_ago = timezone.now() - timedelta(hours=3)
    SyncRun.objects.create(source="eso", started_at=long_ago, lease_until=long_ago, holder="elsewhere 1 1")
    assert the_source(client)["status"] == "killed"


@pytest.mark.parametrize("hide", ["exposure", "refusal"])
def test_files_of_protected_exposures_show_in_no_list_and_no_number(client, archive, address, hide):
    done(follow(address))
    exposure = Exposure.objects.order_by("exp_id").first()
    dp_id = exposure.exp_header_id
    instrument = ArchiveRow.objects.get(dp_id=dp_id).instrument
    for state in ("failed", "done", "waiting", "vanished"):
        Exposure.objects.update(visibility=Visibility.PUBLIC)
        RefusedHeader.objects.all().delete()
        ArchiveRow.objects.filter(dp_id=dp_id).update(state=state, problem="answered 401")
        before = {i["instrument"]: i[state] for i in the_source(client)["instruments"]}
        if hide == "exposure":
            Exposure.objects.filter(pk=exposure.pk).update(visibility=Visibility.PROTECTED)
        else:
            now = timezone.now()
            RefusedHeader.objects.create(
                header_id=dp_id, code="x", reason="x", source="x", first_seen=now, last_seen=now,
                visibility=Visibility.PROTECTED,
            )  # fmt: skip
        told = the_source(client)
        after = {i["instrument"]: i[state] for i in told["instruments"]}
        assert after == before | {instrument: before[instrument] - 1}
        assert dp_id not in client.get("/sources").content.decode()
        curator = Client()
        curator.force_login(User.objects.get_or_create(username="c", is_staff=True)[0])
        assert {i["instrument"]: i[state] for i in the_source(curator)["instruments"]} == before
        assert (dp_id in curator.get("/sources").content.decode()) is (state == "failed")


def test_the_lock_of_a_source_is_not_shown_as_an_instrument(client):
    now = timezone.now()
    SyncRun.objects.create(source="eso", started_at=now, lease_until=now, holder="a 1 1", status="done")
    SyncCursor.objects.create(source="eso", instrument="", updated_at=now)
    assert the_source(client)["instruments"] == []


def test_an_unknown_format_is_refused_with_those_allowed(client):
    answer = client.get("/sources?format=xml")
    assert answer.status_code == 400
    assert b"allowed are html and json" in answer.content


def test_only_reading_is_answered(client):
    assert client.post("/sources").status_code == 405
