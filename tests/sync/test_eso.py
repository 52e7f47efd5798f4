from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from archive_server import ERROR_PAGE, Archive, page_of, served
from django.apps import apps
from django.utils import timezone
from eso_headers import real
from following import contents, done, follow, small_archive

from obsportal.exposures.describe import describe
from obsportal.exposures.intake import ingest_sources
from obsportal.exposures.models import Exposure, HeaderVersion, RefusedHeader
from obsportal.exposures.services import header_text
from obsportal.formats.fits_header import Header
from obsportal.formats.header_sources import HeaderSource
from obsportal.sync import listing
from obsportal.sync.eso import selection, wanted
from obsportal.sync.models import ArchiveRow, SyncCursor

pytestmark = pytest.mark.django_db


def soon(seconds: float = 1) -> datetime:
    """A moment after which the cursor of a first run stands."""
    return timezone.now() + timedelta(seconds=seconds)


def on_sky(archive: Archive) -> set[str]:
    """The files that can be exposures, by their rows."""
    from obsportal.exposures.instruments import on_sky as why_not

    return {
        dp_id
        for dp_id, row in archive.rows.items()
        if not why_not(row["instrument"], row["dp_cat"], row["dp_type"], row["dp_tech"])
    }


def numbers() -> dict[str, int]:
    """Rows of every table."""
    return {model.__name__: model._default_manager.count() for model in apps.get_models()}


def test_a_first_run_fills_the_past_and_the_next_one_asks_for_no_header(archive, address):
    counts = done(follow(address))
    expected = on_sky(archive)
    assert counts["new"] == counts["headers"] == len(expected)
    assert set(archive.headers_asked()) == expected
    assert set(HeaderVersion.objects.values_list("header_id", flat=True)) == expected
    assert Exposure.objects.count() == counts["added"] > 40
    before = contents()
    archive.asked.clear()
    assert "headers" not in done(follow(address))
    assert archive.headers_asked() == []
    assert contents() == before


def test_what_the_archive_alone_knows_is_taken_over(archive, address):
    done(follow(address))
    exposure = Exposure.objects.order_by("exp_id").first()
    row = archive.rows[exposure.exp_header_id]
    assert exposure.obs_program_title == row["prog_title"]
    assert exposure.obs_program_pi_coi == row["pi_coi"]
    assert exposure.exp_date_release == row["release_date"]


def test_darks_skies_and_tests_are_never_fetched(archive, address):
    done(follow(address))
    spared = set(archive.rows) - on_sky(archive)
    assert spared
    assert not spared & set(archive.headers_asked())


def test_the_header_has_the_last_word(archive, address):
    dp_id = sorted(on_sky(archive))[0]
    dark = archive.headers[dp_id].replace("DPR TYPE     = 'OBJECT", "DPR TYPE     = 'DARK")
    assert dark.count("DARK") >= 0
    archive.headers[dp_id] = "\n".join(
        "HIERARCH ESO DPR TYPE = 'DARK    '" if "DPR TYPE" in line else line for line in dark.splitlines()
    )
    counts = done(follow(address))
    assert counts["refused"] == 1
    assert RefusedHeader.objects.get().header_id == dp_id
    kept = ArchiveRow.objects.get(dp_id=dp_id)
    assert kept.state == "done"
    assert "DPR TYPE" in kept.problem


def test_a_changed_row_reads_its_header_again_and_updates_the_exposure(archive, address):
    done(follow(address))
    exposure = Exposure.objects.order_by("exp_id").first()
    dp_id = exposure.exp_header_id
    text = archive.headers[dp_id]
    archive.headers[dp_id] = "\n".join(
        "HIERARCH ESO OBS PROG ID = '0999.C-0999(Z)'" if "OBS PROG ID" in line else line
        for line in text.splitlines()
    )
    archive.touch(dp_id, soon())
    archive.asked.clear()
    counts = done(follow(address))
    assert archive.headers_asked() == [dp_id]
    assert counts["changed"] == counts["updated"] == 1
    exposure.refresh_from_db()
    assert exposure.obs_program == "0999.C-0999(Z)"
    assert HeaderVersion.objects.filter(header_id=dp_id).count() == 2


def test_a_header_that_goes_back_to_an_earlier_text_shows_that_text_again(archive, address):
    done(follow(address))
    exposure = Exposure.objects.order_by("exp_id").first()
    dp_id, first = exposure.exp_header_id, exposure.obs_program
    one = archive.headers[dp_id]
    other = "\n".join(
        "HIERARCH ESO OBS PROG ID = '0999.C-0999(Z)'" if "OBS PROG ID" in line else line
        for line in one.splitlines()
    )
    shown = []
    for number, text in enumerate((other, one, other, one)):
        archive.headers[dp_id] = text
        archive.touch(dp_id, soon(number + 1))
        assert done(follow(address))["updated"] == 1
        exposure.refresh_from_db()
        shown.append(exposure.obs_program)
        for kept in HeaderVersion.objects.filter(header_id=dp_id):
            by_hand = ingest_sources([(HeaderSource("a.hdr", header_text(kept)), None)])
            assert by_hand.updated == 0, "a text of before changes nothing"
        exposure.refresh_from_db()
        assert exposure.obs_program == shown[-1]
        archive.rows[dp_id]["prog_title"] = f"Title {number}"
        assert done(follow(address, check=True))["updated"] == 1
        exposure.refresh_from_db()
        assert (exposure.obs_program, exposure.obs_program_title) == (shown[-1], f"Title {number}")
    assert shown == ["0999.C-0999(Z)", first, "0999.C-0999(Z)", first]
    assert HeaderVersion.objects.filter(header_id=dp_id).count() == 2


def test_a_header_that_is_mended_is_no_longer_told_as_refused(archive, address):
    dp_id = sorted(on_sky(archive))[3]
    good = archive.headers[dp_id]
    archive.headers[dp_id] = good.replace("INSTRUME= '", "INSTRUME= 'X")
    done(follow(address))
    assert RefusedHeader.objects.filter(header_id=dp_id).exists()
    archive.headers[dp_id] = good
    archive.touch(dp_id, soon())
    assert done(follow(address))["added"] == 1
    assert not RefusedHeader.objects.filter(header_id=dp_id).exists()


def test_a_value_of_the_row_alone_is_updated_without_asking_for_the_header(archive, address):
    done(follow(address))
    exposure = Exposure.objects.order_by("exp_id").first()
    archive.rows[exposure.exp_header_id]["prog_title"] = "A better title"
    archive.asked.clear()
    counts = done(follow(address, check=True))
    assert counts["updated"] == 1
    assert archive.headers_asked() == []
    exposure.refresh_from_db()
    assert exposure.obs_program_title == "A better title"


def test_the_same_header_from_a_file_does_not_blank_what_the_archive_told(archive, address):
    done(follow(address))
    exposure = Exposure.objects.select_related("provenance").order_by("exp_id").first()
    dp_id = exposure.exp_header_id
    report = ingest_sources([(HeaderSource("a.hdr", archive.headers[dp_id]), None)])
    assert report.refused == 0
    again = Exposure.objects.select_related("provenance").get(pk=exposure.pk)
    for name in ("exp_date_release", "obs_program_title", "obs_program_pi_coi"):
        assert getattr(again, name) == getattr(exposure, name)
        assert getattr(again, name)
    assert again.provenance.origins["program_title"] == "archive prog_title"


def test_a_vanished_row_is_marked_by_a_check_and_comes_back(archive, address):
    done(follow(address))
    exposure = Exposure.objects.order_by("exp_id").first()
    dp_id = exposure.exp_header_id
    row = archive.rows.pop(dp_id)
    assert "vanished" not in done(follow(address)), "a plain run cannot see it"
    assert done(follow(address, check=True))["vanished"] == 1
    exposure.refresh_from_db()
    assert exposure.vanished_at is not None
    assert ArchiveRow.objects.get(dp_id=dp_id).state == "vanished"
    assert "vanished" not in done(follow(address, check=True)), "it is marked once"
    archive.rows[dp_id] = row
    archive.asked.clear()
    assert done(follow(address, check=True))["returned"] == 1
    exposure.refresh_from_db()
    assert exposure.vanished_at is None
    assert ArchiveRow.objects.get(dp_id=dp_id).state == "done"
    assert archive.headers_asked() == [], "its header is known"


def test_an_archive_that_suddenly_lists_almost_nothing_is_not_believed(archive, address):
    done(follow(address))
    known = ArchiveRow.objects.count()
    kept = dict(list(archive.rows.items())[:1])
    archive.rows = kept
    run = follow(address, check=True)
    counts = done(run)
    assert ArchiveRow.objects.exclude(state="vanished").count() + counts.get("vanished", 0) == known
    assert counts["doubtful"] >= 20
    assert "is not believed" in counts["sentences"][0]


def test_a_row_that_a_run_missed_is_found_by_a_check(archive, address):
    done(follow(address))
    extra = small_archive(120)
    new = sorted(on_sky(extra) - set(archive.rows))[0]
    archive.rows[new], archive.headers[new] = extra.rows[new], extra.headers[new]
    assert "new" not in done(follow(address)), "its modification is long before the cursor"
    assert done(follow(address, check=True))["new"] == 1


@pytest.mark.parametrize("page_rows", [1, 10_000])
def test_pages_that_overflow_lose_nothing(archive, address, page_rows):
    done(follow(address, page_rows))
    assert set(ArchiveRow.objects.values_list("dp_id", flat=True)) == on_sky(archive)
    for dp_id in archive.rows:
        archive.touch(dp_id, soon())
    archive.asked.clear()
    counts = done(follow(address, page_rows))
    assert counts["changed"] == len(on_sky(archive))
    assert set(archive.headers_asked()) == on_sky(archive)


def test_a_service_with_a_smaller_limit_of_its_own_loses_nothing(archive, address):
    archive.most_rows = 1
    done(follow(address))
    assert set(ArchiveRow.objects.values_list("dp_id", flat=True)) == on_sky(archive)


@pytest.mark.parametrize("fault", ["503", "429", "cut"])
def test_a_passing_fault_is_got_over(archive, address, fault):
    archive.faults = [fault, "", fault, fault, "", "", "", "", "", fault, fault, "", fault]
    archive.retry_after = "0"
    done(follow(address))
    assert not archive.faults
    assert Exposure.objects.count() > 40


@pytest.mark.parametrize(
    ("fault", "said"), [("error", "being restored"), ("html", "no VOTable"), ("401", "401")]
)
def test_a_table_that_is_not_given_fails_the_run_and_the_next_goes_on(archive, address, fault, said):
    archive.faults = [fault]
    run = follow(address)
    assert run.status == "failed"
    assert said in run.problem
    done(follow(address))
    assert Exposure.objects.count() > 40


@pytest.mark.parametrize("status", [401, 404, 503])
def test_a_header_that_is_not_given_is_marked_and_tried_again_later(archive, address, status):
    dp_id = sorted(on_sky(archive))[3]
    archive.statuses[dp_id] = status
    counts = done(follow(address))
    assert counts["failed"] == 1
    row = ArchiveRow.objects.get(dp_id=dp_id)
    assert (row.state, row.attempts) == ("failed", 1)
    assert str(status) in row.problem
    first = row.retry_at
    assert first > timezone.now() + timedelta(minutes=50)
    archive.asked.clear()
    done(follow(address))
    assert archive.headers_asked() == [], "not before its time"
    ArchiveRow.objects.filter(dp_id=dp_id).update(retry_at=timezone.now())
    done(follow(address))
    row.refresh_from_db()
    assert row.retry_at > first + timedelta(hours=2), "each time later"
    archive.statuses.clear()
    ArchiveRow.objects.filter(dp_id=dp_id).update(retry_at=timezone.now())
    assert done(follow(address))["added"] == 1
    row.refresh_from_db()
    assert (row.state, row.problem, row.retry_at) == ("done", "", None)


@pytest.mark.parametrize(
    ("page", "state", "said"),
    [
        (ERROR_PAGE, "failed", "without a header"),
        (b"<html><pre>SIMPLE  =                    T\nINSTRUME= 'GRAVITY'\n", "failed", "broke off"),
        (page_of("SIMPLE  =                    T\nINSTRUME= 'GRAVITY\nMJD-OBS =  12..3\n= nonsense"), "done", "refused"),
        (page_of("SIMPLE  =                    T\nINSTRUME= 'X\0Y    '\n"), "done", "unknown-instrument"),
        (page_of("SIMPLE  =                    T\nARCFILE = 'A\0B.fits'\n"), "failed", "the header of A"),
        (b"<pre>" + b"SIMPLE  =                    T\n" * 700_000 + b"</pre>", "failed", "more than 16 MB"),
    ],
)  # fmt: skip
def test_a_page_that_is_no_sound_header_does_not_stop_the_others(archive, address, page, state, said):
    dp_id = sorted(on_sky(archive))[3]
    archive.pages[dp_id] = page
    done(follow(address))
    row = ArchiveRow.objects.get(dp_id=dp_id)
    assert row.state == state
    assert said in row.problem
    assert ArchiveRow.objects.filter(state="done").count() >= len(on_sky(archive)) - 1


def test_an_archive_that_gives_no_header_any_more_ends_the_run_and_keeps_what_came(archive, address):
    names = sorted(on_sky(archive))
    archive.statuses = dict.fromkeys(names[10:], 503)
    run = follow(address)
    assert run.status == "failed"
    assert "headers in a row" in run.problem
    assert ArchiveRow.objects.filter(state="failed").count() == 20
    archive.statuses.clear()
    ArchiveRow.objects.filter(state="failed").update(retry_at=timezone.now())
    done(follow(address))
    assert ArchiveRow.objects.exclude(state="done").count() == 0


def test_a_clock_going_back_moves_no_cursor_back_and_nothing_is_lost(archive, address):
    done(follow(address))
    cursor = SyncCursor.objects.get(instrument="GRAVITY")
    names = sorted(n for n in on_sky(archive) if archive.rows[n]["instrument"] == "GRAVITY")
    archive.touch(names[0], timezone.now() - timedelta(minutes=20), prog_title="Late")
    done(follow(address))
    assert Exposure.objects.filter(obs_program_title="Late").exists()
    after = SyncCursor.objects.get(instrument="GRAVITY")
    assert after.position == cursor.position


def test_a_modification_in_the_future_is_taken_and_does_not_carry_the_cursor_away(archive, address):
    done(follow(address))
    names = sorted(n for n in on_sky(archive) if archive.rows[n]["instrument"] == "GRAVITY")
    archive.touch(names[0], datetime(2099, 1, 1, tzinfo=UTC))
    assert done(follow(address))["changed"] == 1
    assert SyncCursor.objects.get(instrument="GRAVITY").position <= timezone.now()
    archive.touch(names[1], timezone.now())
    assert done(follow(address))["changed"] == 1


def test_limit_bounds_the_headers_of_a_run_and_the_next_goes_on(archive, address):
    total = len(on_sky(archive))
    assert done(follow(address, limit=10))["headers"] == 10
    assert ArchiveRow.objects.filter(state="done").count() == 10
    assert done(follow(address))["headers"] == total - 10
    assert len(archive.headers_asked()) == total, "no header was asked for twice"


def test_instruments_can_be_chosen_and_the_others_come_later(archive, address):
    present = sorted({archive.rows[n]["instrument"] for n in on_sky(archive)})
    done(follow(address, instruments=(present[0].lower(),)))
    assert set(ArchiveRow.objects.values_list("instrument", flat=True)) == {present[0]}
    done(follow(address))
    assert set(ArchiveRow.objects.values_list("instrument", flat=True)) == set(present)


def test_an_unknown_instrument_is_refused_with_those_allowed(address):
    run = follow(address, instruments=("UVES",))
    assert run.status == "failed"
    assert "'UVES' is no instrument of the archive: allowed are MIDI, AMBER" in run.problem


def test_since_limits_the_past_and_a_later_run_can_go_further_back(archive, address):
    starts = sorted(archive.rows[n]["exp_start"] for n in on_sky(archive))
    middle = starts[len(starts) // 2]
    done(follow(address, since=middle))
    assert ArchiveRow.objects.count() == sum(start >= middle for start in starts)
    done(follow(address))
    assert ArchiveRow.objects.count() == len(starts)


def test_the_past_is_filled_newest_first(archive, address):
    done(follow(address))
    windows = [q.partition("exp_start >= '")[2][:10] for q in archive.queries() if "exp_start >=" in q]
    assert windows == sorted(windows, reverse=True)


def test_a_dry_run_counts_and_writes_nothing(archive, address):
    before = numbers()
    run = follow(address, dry_run=True, check=True)
    assert done(run)["new"] == len(on_sky(archive))
    assert run.pk is None
    assert archive.headers_asked() == []
    assert numbers() == before
    assert not ArchiveRow.objects.exists()


def test_a_dry_run_after_changes_tells_them_apart(archive, address):
    done(follow(address))
    for dp_id in sorted(on_sky(archive))[:4]:
        archive.touch(dp_id, soon())
    archive.remove(sorted(on_sky(archive))[5])
    before = contents(), numbers(), list(SyncCursor.objects.order_by("pk").values())
    counts = done(follow(address, dry_run=True, check=True))
    assert counts["changed"] >= 4
    assert counts["vanished"] == 1
    assert (contents(), numbers(), list(SyncCursor.objects.order_by("pk").values())) == before


def test_requests_are_few_at_once_and_say_who_asks(archive, address):
    done(follow(address))
    assert archive.most_at_once <= 4
    assert all(agent.startswith("obsportal/") for agent in archive.agents)


def test_an_interrupted_write_leaves_the_rows_waiting(archive, address, monkeypatch):
    done_rows = []
    write = listing.write

    def fail_once(rows):
        if any(row.state == "done" for row in rows) and not done_rows:
            done_rows.append(len(rows))
            raise RuntimeError("the disk is full")
        write(rows)

    monkeypatch.setattr(listing, "write", fail_once)
    run = follow(address)
    assert run.status == "failed"
    assert "internal error (RuntimeError)" in run.problem
    assert "disk" not in run.problem
    assert not Exposure.objects.exists(), "exposures and states are one transaction"
    assert not ArchiveRow.objects.exclude(state="waiting").exists()
    done(follow(address))
    with served(small_archive()) as other:
        interrupted = contents()
        ArchiveRow.objects.all().delete()
        SyncCursor.objects.all().delete()
        done(follow(other))
        assert contents()["exposures"] == interrupted["exposures"]


def test_what_is_asked_follows_from_the_rules_of_the_instruments():
    assert selection("GRAVITY").kinds == ("OBJECT,DUAL", "OBJECT,SINGLE", "STD,DUAL", "STD,SINGLE")
    for name in ("MATISSE", "PIONIER", "AMBER", "MIDI"):
        assert selection(name).kinds


def test_real_headers_come_through_as_they_do_from_files(shared_data: Path):
    archive = Archive()
    texts = {}
    for beginning, instrument, kind, category in (
        ("MATIS.2025-05-19T00-43-54.470__raw", "MATISSE", "OBJECT", "SCIENCE"),
        ("MIDI.", "MIDI", "TRACK,OBJECT,DISPERSED", "CALIB"),
    ):
        text = real(shared_data, beginning)
        (record,) = describe(Header.parse(text))  # type: ignore[misc]
        texts[record.header_id] = record
        archive.add(
            text,
            {
                "dp_id": record.header_id, "instrument": instrument, "dp_cat": category, "dp_type": kind,
                "dp_tech": "INTERFEROMETRY", "exp_start": record.header_id.partition(".")[2],
                "last_mod_date": "2025-06-01T00:00:00.5", "release_date": "2026-06-01T00:00:00",
                "prog_id": record.program_id, "prog_title": "T", "pi_coi": "P/ C", "ob_id": record.ob_id,
            },
        )  # fmt: skip
    with served(archive) as address:
        counts = done(follow(address, since=datetime(2009, 1, 1, tzinfo=UTC)))
    assert counts["added"] == 2
    for header_id, record in texts.items():
        exposure = Exposure.objects.get(exp_header_id=header_id)
        assert exposure.exp_mjd_start == record.mjd_start
        assert exposure.interferometer_stations == " ".join(record.stations)
        assert exposure.obs_program_pi_coi == "P/ C"
        assert exposure.exp_date_release == datetime(2026, 6, 1, tzinfo=UTC)


def test_rows_of_a_real_night_are_sorted_as_its_headers_would_be(shared_data: Path):
    import csv

    from obsportal.connectors.eso import RawRow

    kept = {}
    for name, instrument in (("amber-2013-12-07", "AMBER"), ("pionier-2014-09-25", "PIONIER")):
        path = shared_data / "eso-tap" / f"{name}-raw-frames.csv"
        with path.open() as file:
            for row in csv.DictReader(file):
                values = {"instrument": instrument, "dp_tech": "INTERFEROMETRY", **row}
                raw = RawRow(row["dp_id"], timezone.now(), None, values)  # type: ignore[arg-type]
                if wanted(raw):
                    kept.setdefault(instrument, set()).add(row["dp_type"])
    assert kept == {"AMBER": {"OBJECT"}, "PIONIER": {"FRINGE,OBJECT"}}


def test_kept_rows_are_plain_json(archive, address):
    done(follow(address))
    row = ArchiveRow.objects.first()
    assert json.loads(json.dumps(row.row)) == row.row
