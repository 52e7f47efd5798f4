"""Comparing with the whole list of the archive: what has vanished, what is believed, what windows do not hold."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone
from following import done, follow

from obsportal.exposures.models import Exposure
from obsportal.sync import schedule
from obsportal.sync.models import ArchiveRow, SyncRun

pytestmark = pytest.mark.django_db


def test_an_archive_that_lists_nothing_at_all_is_not_believed_however_little_is_known(archive, address):
    done(follow(address))
    few = sorted(archive.rows)[:10]
    ArchiveRow.objects.exclude(dp_id__in=few).delete()
    archive.rows.clear()
    run = follow(address, check=True)
    assert done(run)["doubtful"] >= 1
    assert "vanished" not in run.counts
    assert not ArchiveRow.objects.filter(state="vanished").exists()
    assert not Exposure.objects.filter(vanished_at__isnull=False).exists()


def test_most_of_many_files_of_an_instrument_do_not_vanish_window_by_window(archive, address, monkeypatch):
    from obsportal.sync import eso

    done(follow(address))
    instrument = max(
        ArchiveRow.objects.values_list("instrument", flat=True),
        key=lambda name: ArchiveRow.objects.filter(instrument=name).count(),
    )
    known = sorted(ArchiveRow.objects.filter(instrument=instrument).values_list("dp_id", flat=True))
    monkeypatch.setattr(eso, "DOUBTFUL", len(known) // 2)
    monkeypatch.setattr(eso, "WINDOW", eso.SHORTEST_WINDOW)
    monkeypatch.setattr(eso, "LONGEST_WINDOW", eso.SHORTEST_WINDOW)
    for dp_id in known[1:]:
        archive.remove(dp_id)
    counts = done(follow(address, check=True, instruments=(instrument,)))
    assert counts["doubtful"] == len(known) - 1
    assert not ArchiveRow.objects.filter(state="vanished").exists()


def test_comparing_one_instrument_does_not_stand_for_the_weekly_comparison(archive, address):
    run = follow(address)
    SyncRun.objects.filter(pk=run.pk).update(started_at=timezone.now() - 2 * schedule.CHECK_EVERY)
    done(follow(address, check=True, instruments=("MIDI",)))
    assert schedule.check_is_due("eso")
    done(follow(address, check=True))
    assert not schedule.check_is_due("eso")


def test_rows_without_a_date_are_found_once_and_marked_when_they_vanish(archive, address):
    undated = [n for n, row in sorted(archive.rows.items()) if "OBJECT" in row["dp_type"]][:3]
    for dp_id in undated:
        archive.rows[dp_id]["exp_start"] = None
    done(follow(address))
    assert Exposure.objects.filter(exp_header_id=undated[0]).exists()
    assert ArchiveRow.objects.filter(exp_start=None).count() == 3
    archive.asked.clear()
    done(follow(address))
    assert not any("IS NULL" in query for query in archive.queries()), "the past is filled"
    archive.remove(undated[0])
    assert done(follow(address, check=True))["vanished"] == 1
    assert ArchiveRow.objects.get(state="vanished").dp_id == undated[0]


def test_a_row_without_a_time_of_change_is_taken_in_and_followed_by_its_values(archive, address):
    dp_id = next(n for n, row in sorted(archive.rows.items()) if "OBJECT" in row["dp_type"])
    archive.rows[dp_id]["last_mod_date"] = None
    done(follow(address))
    assert Exposure.objects.filter(exp_header_id=dp_id).exists()
    assert "changed" not in done(follow(address, check=True))
    archive.rows[dp_id]["prog_title"] = "Another title"
    assert done(follow(address, check=True))["updated"] == 1


def test_the_page_of_an_exposure_says_that_its_file_has_vanished_and_no_more_when_it_is_back(
    archive, address, client: Client
):
    done(follow(address))
    exposure = Exposure.objects.order_by("exp_id").first()
    assert exposure is not None
    page = f"/detail/exposure/{exposure.exp_id}"
    row = archive.rows.pop(exposure.exp_header_id)
    sentence = "The archive has not listed this file since"
    assert sentence not in client.get(page).content.decode()
    done(follow(address, check=True))
    assert sentence in client.get(page).content.decode()
    archive.rows[exposure.exp_header_id] = row
    done(follow(address, check=True))
    assert sentence not in client.get(page).content.decode()
