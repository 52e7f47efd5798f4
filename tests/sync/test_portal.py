"""Following another portal: what is asked, what is written, and what happens when it misbehaves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from portal_stand_in import BOMB, PAGE, StandIn, cut, document, fine, instead, row, serving, status

from obsportal.accounts.access import Visibility
from obsportal.accounts.models import User
from obsportal.connectors.http import Manners
from obsportal.demo.generate import generate
from obsportal.exposures import services
from obsportal.exposures.corrections import override
from obsportal.exposures.digest import Digest, digest
from obsportal.exposures.intake import ingest_sources
from obsportal.exposures.models import Exposure, HeaderVersion, RefusedHeader, TableVersion
from obsportal.exposures.versions import last_modified
from obsportal.formats.header_sources import HeaderSource
from obsportal.formats.portal_votable import Limits
from obsportal.sync import portal as module
from obsportal.sync import runs
from obsportal.sync.job import SyncError, SyncOptions
from obsportal.sync.models import SyncCursor, SyncRun
from obsportal.sync.portal import OVERLAP, SETTLED, PortalSource
from portal import make_exposure

pytestmark = pytest.mark.django_db

SINCE = datetime(2021, 1, 1, tzinfo=UTC)
COUNTED = ("read", "added", "updated", "unchanged", "refused", "kept", "retried")


@pytest.fixture
def other() -> Iterator[StandIn]:
    """Another portal with seven exposures."""
    with serving() as stand_in:
        stand_in.rows = [row(number) for number in range(1, 8)]
        yield stand_in


def source(other: StandIn, **options: Any) -> PortalSource:
    manners = Manners(tries=1, timeout=5)
    return PortalSource(other.address + "/", **({"manners": manners, "beginning": SINCE} | options))


def harvest(other: StandIn, options: SyncOptions | None = None, **more: Any) -> SyncRun:
    return runs.run(source(other, **more), options)


def digest_of(header: Any) -> Digest:
    return digest(HeaderSource(header.name, header.text))


def again(other: StandIn) -> SyncRun:
    """Read everything once more."""
    return harvest(other, SyncOptions(since=SINCE))


def counts(run: SyncRun) -> dict[str, int]:
    assert run.status == SyncRun.Status.DONE, run.problem
    return {name: run.counts[name] for name in COUNTED if name in run.counts}


def cursor(other: StandIn, instrument: str = "") -> datetime | None:
    found = SyncCursor.objects.filter(source=other.address, instrument=instrument).first()
    return found.position if found else None


def state() -> dict[str, dict[str, Any]]:
    """Every exposure, whole."""
    return {e["exp_id"]: e for e in Exposure.objects.values()}


def first() -> Exposure:
    return Exposure.objects.get(exp_id=row(1)["exp_id"])


def long_ago() -> None:
    """Make all rows and counters look old, so that a change shows."""
    Exposure.objects.update(exp_date_updated=SINCE)
    TableVersion.objects.update(counter=0)


# What is taken in


def test_a_new_portal_is_full_on_its_first_day(other: StandIn) -> None:
    assert counts(harvest(other)) == {"read": 7, "added": 7}
    exposure = first()
    assert (exposure.visibility, exposure.authority, exposure.header) == ("public", "eso.org", None)
    assert (exposure.target.name, exposure.target.ra) == ("HD 58647", 111.483684)
    assert exposure.pointing_ra == 111.483684
    assert exposure.obs_program_title == "Young stars"


def test_the_same_window_again_changes_nothing(other: StandIn) -> None:
    harvest(other)
    long_ago()
    before = state()
    assert counts(again(other)) == {"read": 7, "unchanged": 7}
    assert state() == before
    assert last_modified()[0] == 0


def test_only_what_changed_there_changes_here(other: StandIn) -> None:
    harvest(other)
    long_ago()
    recent = f"{timezone.now():%Y-%m-%d %H:%M:%S}+00:00"
    other.rows[2] |= {"exp_seeing": "1.5", "exp_date_updated": recent}
    other.rows.append(row(8, exp_date_updated=recent))
    assert counts(harvest(other)) == {"read": 2, "updated": 1, "added": 1}
    assert counts(again(other)) == {"read": 8, "unchanged": 8}
    changed = Exposure.objects.exclude(exp_date_updated=SINCE)
    assert {e.exp_id for e in changed} == {other.rows[2]["exp_id"], other.rows[7]["exp_id"]}
    assert Exposure.objects.get(exp_id=other.rows[2]["exp_id"]).exp_seeing == 1.5


def test_rows_without_the_columns_of_2022_are_taken_in_too(other: StandIn) -> None:
    other.rows = [{"exp_header": one["exp_header_id"], **one} for one in other.rows]
    other.columns = (
        "exp_id", "exp_header", "exp_mjd_start", "exp_mjd_end", "exp_projected_baselines", "obs_id",
        "obs_type", "interferometer_name", "interferometer_stations", "instrument_name",
        "instrument_mode", "target_name", "target_ra", "target_dec",
    )  # fmt: skip
    assert counts(harvest(other))["added"] == 7
    assert first().exp_validation_level == 1
    assert first().exp_header_id == row(1)["exp_header_id"]


# What is never touched


def test_an_exposure_with_a_header_here_is_never_overwritten(other: StandIn) -> None:
    header = HeaderVersion.objects.create(
        header_id=row(1)["exp_header_id"], sha256="0" * 64, text_zstd=b"", size=0, source="x",
        received_at=timezone.now(),
    )  # fmt: skip
    make_exposure(exp_id=row(1)["exp_id"], header=header, obs_program="mine")
    before = state()[row(1)["exp_id"]]
    assert counts(harvest(other)) == {"read": 7, "added": 6, "kept": 1}
    assert state()[row(1)["exp_id"]] == {**before, "observation_id": first().observation_id}


@pytest.mark.parametrize("visibility", ["protected", "replaced"])
def test_rows_that_are_not_public_here_are_never_touched(other: StandIn, visibility: str) -> None:
    harvest(other)
    curator = User.objects.create_user("curator", is_staff=True)
    override(first(), "visibility", visibility, reason="asked for", author=curator)
    other.rows[0] |= {"exp_seeing": "1.5", "exp_date_updated": "2021-06-01 00:00:00+00:00"}
    before = state()[row(1)["exp_id"]]
    assert counts(again(other)) == {"read": 7, "unchanged": 6, "kept": 1}
    assert state()[row(1)["exp_id"]] == before


def test_a_row_of_a_log_here_is_first_hand(other: StandIn) -> None:
    make_exposure(exp_id=row(1)["exp_id"], time_origin="log", obs_program="mine")
    assert counts(harvest(other))["kept"] == 1
    assert first().obs_program == "mine"


def test_two_portals_that_tell_of_the_same_exposure_do_not_take_turns(other: StandIn) -> None:
    with serving() as second:
        second.rows = [row(1, exp_seeing="9.9"), row(50)]
        harvest(other)
        assert counts(harvest(second)) == {"read": 2, "added": 1, "kept": 1}
        assert counts(again(other)) == {"read": 7, "unchanged": 7}
    assert first().exp_seeing == 0.71


def test_what_a_curator_corrected_stays(other: StandIn) -> None:
    harvest(other)
    curator = User.objects.create_user("curator", is_staff=True)
    override(first(), "obs_type", "calibrator", reason="known", author=curator)
    other.rows[0] |= {"exp_seeing": "1.5", "exp_date_updated": "2021-06-01 00:00:00+00:00"}
    assert counts(again(other))["updated"] == 1
    assert (first().obs_type, first().exp_seeing) == ("calibrator", 1.5)


def test_a_header_that_comes_later_replaces_the_harvested_values(other: StandIn) -> None:
    made = next(
        h for h in generate(50, 1, start=date(2024, 5, 1), end=date(2024, 5, 9)) if digest_of(h).records
    )
    source_header = HeaderSource(made.name, made.text)
    ingest_sources([(source_header, None)])
    told = Exposure.objects.get()
    own = state()[told.exp_id]
    Exposure.objects.all().delete()
    other.rows = [row(exp_id=told.exp_id, exp_header_id=told.exp_header_id, exp_seeing="9.9")]
    harvest(other)
    assert Exposure.objects.get().exp_seeing == 9.9
    ingest_sources([(source_header, None)])
    now = state()[told.exp_id]
    differ = {name for name in own if own[name] != now[name]}
    assert differ <= {"id", "exp_date_updated", "observation_id", "pointing_id", "target_id"}
    assert counts(again(other)) == {"read": 1, "kept": 1}


# What is asked


def test_windows_cover_all_time_from_the_beginning_a_year_each(other: StandIn) -> None:
    harvest(other, beginning=datetime(2000, 1, 1, tzinfo=UTC))
    windows = other.windows()
    assert windows[0][0] == datetime(2000, 1, 1, tzinfo=UTC)
    assert windows[-1][1] is None
    assert windows[-1][0] > timezone.now() - timedelta(days=366)
    for (start, end), (following, _) in pairwise(windows):
        assert end == following
        assert end is not None
        assert timedelta(0) < end - start <= timedelta(days=365)


def test_a_run_goes_on_some_minutes_before_where_the_last_one_was(other: StandIn) -> None:
    recent = timezone.now().replace(microsecond=0) - timedelta(hours=2)
    other.rows[3]["exp_date_updated"] = f"{recent:%Y-%m-%d %H:%M:%S}+00:00"
    harvest(other)
    assert cursor(other) == recent
    other.queries.clear()
    assert counts(harvest(other)) == {"read": 1, "unchanged": 1}
    assert other.windows() == [(recent - OVERLAP, None)]
    assert cursor(other) == recent


def test_what_changed_long_ago_all_at_once_is_not_read_again_by_every_run(other: StandIn) -> None:
    for one in other.rows:
        one["exp_date_updated"] = f"{timezone.now() - 3 * SETTLED:%Y-%m-%d %H:%M:%S}+00:00"
    assert counts(harvest(other)) == {"read": 7, "added": 7}
    assert counts(harvest(other)) == {}
    ((start, _),) = other.windows()[-1:]
    assert timezone.now() - start > SETTLED, "clocks that differ lose nothing"


def test_rows_that_appear_late_with_the_same_time_are_found(other: StandIn) -> None:
    recent = timezone.now().replace(microsecond=0) - timedelta(hours=2)
    other.rows = [row(1, exp_date_updated=f"{recent:%Y-%m-%d %H:%M:%S}+00:00")]
    harvest(other)
    other.rows.append(row(2, exp_date_updated=f"{recent:%Y-%m-%d %H:%M:%S}+00:00"))
    other.rows.append(row(3, exp_date_updated=f"{recent - timedelta(minutes=5):%Y-%m-%d %H:%M:%S}+00:00"))
    assert counts(harvest(other))["added"] == 2


def test_a_clock_ahead_of_ours_does_not_carry_the_cursor_into_the_future(other: StandIn) -> None:
    other.rows = [row(1, exp_date_updated="2090-01-01 00:00:00+00:00")]
    assert counts(harvest(other))["added"] == 1
    position = cursor(other)
    assert position is not None
    assert position <= timezone.now()


def test_since_is_where_a_first_run_begins_and_a_later_one_may_go_back_to(other: StandIn) -> None:
    other.rows[0]["exp_date_updated"] = "2021-02-01 00:00:00+00:00"
    since = datetime(2021, 2, 15, tzinfo=UTC)
    assert counts(harvest(other, SyncOptions(since=since)))["added"] == 6
    ended = cursor(other)
    assert counts(harvest(other, SyncOptions(since=SINCE)))["added"] == 1
    assert cursor(other) == ended


def test_each_instrument_asked_for_has_a_cursor_of_its_own(other: StandIn) -> None:
    other.rows[0] |= {"instrument_name": "PIONIER", "instrument_mode": "GRISM-H"}
    run = harvest(other, SyncOptions(instruments=("PIONIER",)))
    assert counts(run) == {"read": 1, "added": 1}
    assert cursor(other, "PIONIER") is not None
    assert cursor(other) is None
    assert counts(harvest(other)) == {"read": 7, "added": 6, "unchanged": 1}


def test_a_dry_run_counts_and_writes_nothing(other: StandIn) -> None:
    run = harvest(other, SyncOptions(dry_run=True))
    assert counts(run) == {"read": 7, "added": 7}
    assert not Exposure.objects.exists()
    assert not SyncCursor.objects.exists()
    assert not RefusedHeader.objects.exists()


def test_a_limit_ends_a_run_and_the_next_one_goes_on(other: StandIn) -> None:
    assert counts(harvest(other, SyncOptions(limit=3))) == {"read": 3, "added": 3}
    assert cursor(other) is None
    assert counts(harvest(other)) == {"read": 7, "added": 4, "unchanged": 3}


# Rows that are wrong


def test_bad_rows_are_listed_with_the_reason_and_stop_nothing(other: StandIn) -> None:
    other.rows[1]["obs_type"] = "dark"
    other.rows[2]["exp_id"] = ""
    other.rows[3]["instrument_name"] = ""
    assert counts(harvest(other)) == {"read": 7, "added": 4, "refused": 3}
    told = {r.header_id: r for r in RefusedHeader.objects.all()}
    refused = told[other.rows[1]["exp_id"]]
    assert (refused.code, refused.instrument_name) == ("portal-row", "GRAVITY")
    assert refused.reason == "obs_type is 'dark': allowed are science, calibrator"
    assert refused.source == other.address


def test_a_row_that_was_mended_there_is_no_longer_listed(other: StandIn) -> None:
    other.rows[1]["obs_type"] = "dark"
    harvest(other)
    other.rows[1] |= {"obs_type": "science", "exp_date_updated": "2021-06-01 00:00:00+00:00"}
    assert counts(again(other))["added"] == 1
    assert not RefusedHeader.objects.exists()


def test_of_one_identifier_in_two_modes_the_same_one_is_always_kept(other: StandIn) -> None:
    other.rows = [row(1), row(1, instrument_mode="LOW-COMBINED"), row(2)]
    assert counts(harvest(other)) == {"read": 3, "added": 2, "refused": 1}
    other.rows.reverse()
    assert counts(again(other)) == {"read": 3, "unchanged": 2, "refused": 1}
    assert first().instrument_mode == "HIGH-COMBINED"
    assert RefusedHeader.objects.get().code == "portal-row-repeated"


def test_a_portal_of_nonsense_is_given_up(other: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_REFUSED", 3)
    for one in other.rows:
        one["obs_type"] = "dark"
    run = harvest(other)
    assert run.status == SyncRun.Status.FAILED
    assert "more than 3 rows cannot be understood" in run.problem


# A portal that misbehaves


@pytest.mark.parametrize("honest", [True, False])
def test_a_cut_answer_loses_no_row_and_is_asked_for_in_smaller_pieces(other: StandIn, honest: bool) -> None:
    other.faults = [cut(0.6, honest=honest), status(429)]
    run = harvest(other)
    assert run.status == SyncRun.Status.FAILED
    assert 1 <= Exposure.objects.count() < 7
    assert cursor(other) is None
    (_, whole), (_, half) = other.windows()
    assert whole is not None
    assert half is not None
    assert half - SINCE == (whole - SINCE) / 2
    assert Exposure.objects.count() + counts(harvest(other))["added"] == 7


def test_a_cut_answer_is_mended_within_the_run(other: StandIn) -> None:
    other.faults = [cut(0.6), cut(0.0), fine]
    found = counts(harvest(other))
    assert found["retried"] == 2
    assert found["added"] == 7
    assert cursor(other) is not None


def test_an_answer_that_is_too_large_is_asked_for_by_parts(other: StandIn) -> None:
    for number, one in enumerate(other.rows):
        one["exp_date_updated"] = f"2021-0{number + 1}-01 12:00:00+00:00"
    found = counts(harvest(other, limits=Limits(rows=2)))
    assert found["added"] == 7
    assert found["retried"] >= 2


def test_an_overflow_is_asked_for_by_parts(other: StandIn) -> None:
    for number, one in enumerate(other.rows):
        one["exp_date_updated"] = f"2021-0{number + 1}-01 12:00:00+00:00"
    other.most = 3
    assert counts(harvest(other))["added"] == 7


def test_more_rows_in_one_second_than_an_answer_may_have_are_an_error(other: StandIn) -> None:
    other.most = 3
    run = harvest(other)
    assert run.status == SyncRun.Status.FAILED
    assert "2021-03-01T12:00:00" in run.problem
    assert "more rows than it gives" in run.problem


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (status(503, PAGE), "answered 503"),
        (status(404, PAGE), "answered 404"),
        (status(400), "answered 400"),
        (instead(PAGE), "HTML page (Down for maintenance)"),
        (instead(BOMB), "DTD or entities"),
        (instead(b"nothing"), "it begins with 'nothing'"),
        (instead(document([], head='<PARAM name="status" value="ERROR"/><PARAM name="message" value="no!"/>')),
         "the portal answered: no!"),
    ],
)  # fmt: skip
def test_a_failure_is_told_in_a_sentence_and_nothing_moves(other: StandIn, fault: Any, words: str) -> None:
    other.faults = [fault]
    run = harvest(other)
    assert run.status == SyncRun.Status.FAILED
    assert words in run.problem
    assert other.address in run.problem
    assert cursor(other) is None
    assert len(other.queries) == 1
    assert counts(harvest(other))["added"] == 7


def test_a_failure_in_a_later_window_keeps_what_the_earlier_ones_gave(other: StandIn) -> None:
    other.faults = [fine, status(503)]
    assert harvest(other).status == SyncRun.Status.FAILED
    assert cursor(other) == SINCE + timedelta(days=365)
    assert Exposure.objects.count() == 7


def test_a_portal_that_is_not_there_is_not_asked_for_ever(other: StandIn) -> None:
    other.address = "http://127.0.0.1:1"
    run = harvest(other)
    assert run.status == SyncRun.Status.FAILED
    assert run.counts["windows"] == module.MOST_SILENCES


def test_a_portal_that_breaks_off_each_answer_is_given_up(other: StandIn) -> None:
    other.faults = [cut(0.5)] * 50
    run = harvest(other)
    assert run.status == SyncRun.Status.FAILED
    assert run.counts["windows"] <= module.MOST_FAILURES


def test_a_portal_that_does_not_heed_windows_is_told_of(other: StandIn) -> None:
    other.heeds_windows = False
    run = harvest(other, SyncOptions(since=datetime(2015, 1, 1, tzinfo=UTC)))
    assert run.status == SyncRun.Status.FAILED
    assert "does not heed date_updated_from" in run.problem


# Killed at any point


def test_the_cursor_moves_only_with_the_rows(other: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 2)
    real, calls = module.ingest, []

    def failing(*arguments: Any, **options: Any) -> services.IngestReport:
        calls.append(1)
        if len(calls) == 3:
            raise RuntimeError("killed")
        return real(*arguments, **options)

    monkeypatch.setattr(module, "ingest", failing)
    assert harvest(other).status == SyncRun.Status.FAILED
    assert cursor(other) is None
    assert Exposure.objects.count() == 4
    assert counts(harvest(other)) == {"read": 7, "added": 3, "unchanged": 4}


def test_rows_are_not_written_when_the_cursor_cannot_move(
    other: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(PortalSource, "_move", failing)
        assert harvest(other).status == SyncRun.Status.FAILED
    assert not Exposure.objects.exists()
    assert counts(harvest(other))["added"] == 7


def test_a_run_that_is_asked_to_stop_stops_and_goes_on_later(other: StandIn) -> None:
    stop = threading.Event()

    def asked(_: Any) -> None:
        stop.set()

    other.faults = [lambda _: stop.set()]
    assert runs.run(source(other), stop=stop).status == SyncRun.Status.CANCELLED
    assert counts(harvest(other))["added"] == 7


@pytest.mark.parametrize("address", ["obs.example.org", "ftp://h/", "http://me:secret@h/"])
def test_an_address_that_cannot_be_a_portals_is_refused(address: str) -> None:
    with pytest.raises(SyncError) as caught:
        PortalSource(address)
    assert "secret" not in str(caught.value)


def test_harvested_rows_are_public(other: StandIn) -> None:
    harvest(other)
    assert set(Exposure.objects.values_list("visibility", flat=True)) == {Visibility.PUBLIC.value}
    assert Exposure.objects.visible_to(None).count() == 7


def test_the_page_of_a_harvested_exposure_says_which_portal_told_it(other: StandIn, client: Client) -> None:
    harvest(other)
    page = client.get(f"/detail/exposure/{row(1)['exp_id']}")
    assert page.status_code == 200
    assert f"exp_seeing of {other.address}" in page.content.decode()


def test_a_portal_is_asked_with_the_manners_and_the_cache_folder_of_the_settings(
    other: StandIn, settings: Any, tmp_path: Path
) -> None:
    settings.OBSPORTAL_DATA = tmp_path
    settings.OBSPORTAL_CONTACT = "night@example.org"
    assert runs.run(PortalSource(other.address), SyncOptions(since=SINCE)).status == SyncRun.Status.DONE
    assert "+night@example.org" in other.agents[0]
    assert list((tmp_path / "cache").iterdir()) == []
