"""What monitors, balancers and people are told."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from obsportal import __version__
from obsportal.accounts.access import Visibility
from obsportal.accounts.models import User
from obsportal.exposures.models import Exposure, Heartbeat, Target
from obsportal.exposures.versions import bump
from obsportal.site import health, schema


def add_exposure(exp_id: str, visibility: str = Visibility.PUBLIC) -> None:
    target, _ = Target.objects.get_or_create(name="HD 1", normalised_name="hd1")
    Exposure.objects.create(
        exp_id=exp_id, exp_header_id=exp_id, visibility=visibility, authority="x", obs_type="science",
        exp_date_updated=timezone.now(), interferometer_name="VLTI", instrument_name="GRAVITY",
        night=date(2020, 1, 1), target=target,
    )  # fmt: skip


@pytest.fixture
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> list[str]:
        raise OperationalError("no route to the secret host db.internal")

    monkeypatch.setattr(schema, "pending", fail)


@pytest.mark.django_db
def test_a_sound_portal_reports_what_a_monitor_needs(client: Client, settings: object):
    add_exposure("A_1")
    Exposure.objects.update(exp_date_updated=datetime(2020, 2, 1, 12, tzinfo=UTC))
    bump("exposures")
    settings.OBSPORTAL_VARIANT = "green"  # type: ignore[attr-defined]
    answer = client.get("/health.json")
    assert answer.status_code == 200
    found = answer.json()
    assert found["status"] == "ok"
    assert found["version"] == __version__
    assert found["variant"] == "green"
    assert found["exposures"] == 1
    assert found["records_modified"].startswith("2020-02-01T12:00:00")
    assert "records_version" not in found
    assert found["database"]["engine"] in {"sqlite", "postgresql"}
    assert found["database"]["schema"].startswith("0")
    assert found["database"]["connections"]["kind"]
    assert found["disk_free_bytes"] > 0
    assert 0 <= found["uptime_s"] < 86400
    assert "no-cache" in answer["Cache-Control"]


@pytest.mark.django_db
def test_people_get_a_page_and_programs_json(client: Client):
    page = client.get("/health", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert page["Content-Type"].startswith("text/html")
    assert b"All requests can be answered" in page.content
    for wanted in (
        client.get("/health", headers={"Accept": "application/json"}),
        client.get("/health?format=json"),
    ):
        assert wanted["Content-Type"] == "application/json"
        assert wanted.json()["status"] == "ok"


@pytest.mark.django_db
def test_protected_exposures_are_counted_for_curators_only(client: Client):
    add_exposure("A_1")
    add_exposure("B_1", Visibility.PROTECTED)
    assert client.get("/health.json").json()["exposures"] == 1
    client.force_login(User.objects.create_user("curator", is_staff=True))
    assert client.get("/health.json").json()["exposures"] == 2


@pytest.mark.django_db
def test_silent_workers_are_reported_late(client: Client):
    Heartbeat.objects.create(name="sync", beat_at=timezone.now())
    Heartbeat.objects.create(name="worker", beat_at=timezone.now() - timedelta(hours=1))
    sync, worker = client.get("/health.json").json()["workers"]
    assert (sync["name"], sync["late"]) == ("sync", False)
    assert worker["late"]
    assert worker["age_s"] == pytest.approx(3600, abs=60)
    assert b"late</span>" in client.get("/health").content


def test_live_needs_no_database(client: Client):
    assert client.get("/health/live").content == b"live\n"


@pytest.mark.django_db
def test_ready_when_the_schema_is_current(client: Client):
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.content) == (200, b"ready\n")


def test_unready_without_a_database_and_no_host_is_told(client: Client, no_database: None):
    for address in ("/health/ready", "/health", "/health.json", "/health?format=json"):
        answer = client.get(address)
        assert answer.status_code == 503
        assert b"the database cannot be reached" in answer.content
        assert b"db.internal" not in answer.content


def test_unready_with_missing_migrations_names_the_first(client: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(schema, "pending", lambda: ["exposures.0002_more", "exposures.0003_most"])
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert "2 migration(s) are missing, first exposures.0002_more" in answer.content.decode()


def test_free_space_is_told_before_the_folder_exists(tmp_path: Path):
    assert (health.disk_free(tmp_path / "not" / "yet") or 0) > 0


def test_the_process_began_in_the_past():
    assert timezone.now() >= health.STARTED
    assert timezone.now() - health.process_start() < timedelta(days=1)
