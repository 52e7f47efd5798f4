"""The home page: the last nights and what is new, for the public and for curators."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from young_stars import make_young_stars

from obsportal.accounts.access import Visibility
from obsportal.exposures.pages import home
from obsportal.exposures.versions import bump
from portal import make_exposure

pytestmark = pytest.mark.django_db

PUBLIC = AnonymousUser()
OLD = datetime(2020, 1, 1, tzinfo=UTC)
NEW = datetime(2020, 2, 1, 9, tzinfo=UTC)


def plain(client: Client) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", client.get("/").content.decode()).split())


def new() -> home.New:
    found = home.count(PUBLIC).new
    assert found is not None
    return found


def test_the_last_night_of_each_interferometer_tells_its_targets_and_programmes(client: Client):
    make_young_stars()
    make_exposure(
        name="Vega", ra=279.23, dec=38.78, interferometer_name="CHARA", instrument_name="SPICA",
        night=date(2019, 5, 1), exp_mjd_start=58605.3, obs_program="V3",
    )  # fmt: skip
    bump("exposures")
    nights = {n.interferometer: n for n in home.count(PUBLIC).latest}
    vlti = nights["VLTI"]
    assert (vlti.night, vlti.exposures, vlti.targets, vlti.programmes) == (date(2019, 5, 14), 7, 1, 1)
    assert [part.name for part in vlti.most_targets] == ["V856 Sco"]
    assert [part.name for part in vlti.most_programmes] == ["0103.C-0347"]
    assert {part.name for part in vlti.instruments} == {"MATISSE", "PIONIER"}
    assert [part.name for part in nights["CHARA"].most_targets] == ["Vega"]
    page = plain(client)
    assert "Night of 2019-05-14/15 VLTI" in page
    assert "Night of 2019-05-01/02 CHARA" in page


def test_a_protected_night_is_the_last_one_for_curators_alone(client: Client, curator: Client):
    make_young_stars()
    assert "Night of 2019-05-14/15" in plain(client)
    assert "HD 45677" not in plain(client).partition("Instruments")[0].partition("Last night")[2]
    assert "Night of 2019-05-21/22" in plain(curator)


def test_what_came_in_is_counted_by_day_and_instrument():
    make_exposure(exp_date_updated=OLD)
    make_exposure(exp_date_updated=NEW)
    make_exposure(exp_date_updated=NEW - timedelta(days=2), instrument_name="PIONIER")
    make_exposure(exp_date_updated=NEW - timedelta(days=7))
    found = new()
    assert (found.since, found.until, found.exposures) == (date(2020, 1, 26), date(2020, 2, 1), 2)
    assert found.days["2020-02-01"] == {"GRAVITY": 1}
    assert found.days["2020-01-30"] == {"PIONIER": 1}
    assert len(found.days) == 7


def test_new_are_targets_and_programmes_that_were_not_here_before(client: Client):
    make_exposure(exp_date_updated=OLD)
    make_exposure(exp_date_updated=NEW)
    make_exposure(name="alf Cen", ra=219.9, dec=-60.8, exp_date_updated=NEW, obs_program="0110.C-0001(A)")
    bump("exposures")
    found = new()
    assert [target.name for target in found.targets] == ["alf Cen"]
    assert [programme.root for programme in found.programmes] == ["0110.C-0001"]
    assert (found.target_count, found.programme_count) == (1, 1)
    page = plain(client)
    assert "New targets alf Cen" in page
    assert "New programmes 0110.C-0001" in page


def test_new_protected_rows_leave_no_trace(client: Client, curator: Client):
    make_exposure(exp_date_updated=OLD)
    make_exposure(exp_date_updated=NEW)
    make_exposure(
        name="secret star", ra=10.0, dec=10.0, exp_date_updated=NEW + timedelta(days=30),
        obs_program="0110.C-0001(A)", visibility=Visibility.PROTECTED, instrument_name="MATISSE",
    )  # fmt: skip
    bump("exposures")
    page = client.get("/").content.decode()
    for secret in ("secret star", "0110.C-0001", "MATISSE", "March 2020"):
        assert secret not in page, secret
    assert "1 February 2020" in page
    whole = curator.get("/").content.decode()
    for shown in ("secret star", "0110.C-0001", "MATISSE"):
        assert shown in whole, shown


def test_a_protected_row_does_not_make_a_public_target_old():
    make_exposure(exp_date_updated=OLD)
    make_exposure(name="alf Cen", ra=219.9, dec=-60.8, exp_date_updated=NEW, obs_program="0110.C-0001(A)")
    make_exposure(
        name="alf Cen", ra=219.9, dec=-60.8, exp_date_updated=OLD,
        obs_program="0110.C-0001(A)", visibility=Visibility.PROTECTED,
    )  # fmt: skip
    assert [target.name for target in new().targets] == ["alf Cen"]
    assert [programme.root for programme in new().programmes] == ["0110.C-0001"]


def test_a_portal_that_was_just_filled_says_so(client: Client):
    make_young_stars()
    for row in home.Exposure.objects.all():
        row.exp_date_updated = NEW
        row.save(update_fields=["exp_date_updated"])
    bump("exposures")
    assert new().first
    assert "All 27 exposures came in or changed within 7 days." in plain(client)


def test_of_very_many_new_exposures_only_the_number_is_told(monkeypatch: pytest.MonkeyPatch, client: Client):
    monkeypatch.setattr(home, "MANY", 2)
    make_exposure(exp_date_updated=OLD)
    for _ in range(3):
        make_exposure(exp_date_updated=NEW)
    bump("exposures")
    assert (new().exposures, new().more, new().days) == (2, True, {})
    assert "More than 2 exposures came in or changed." in plain(client)


def test_the_newest_observations_come_by_their_time():
    make_exposure(exp_date_updated=OLD)
    early = make_exposure(exp_date_updated=NEW, obs_id=1, exp_mjd_start=58880.0)
    late = make_exposure(exp_date_updated=NEW, obs_id=2, exp_mjd_start=58881.0)
    make_exposure(exp_date_updated=NEW, obs_id=2, exp_mjd_start=58881.1)
    make_exposure(exp_date_updated=NEW, obs_id=3, exp_mjd_start=58882.0, obs_type="calibrator")
    found = new().observations
    assert [(o.exposure.exp_id, o.exposures) for o in found] == [(late.exp_id, 2), (early.exp_id, 1)]


@pytest.mark.parametrize("reader", ["public", "curator"])
def test_the_page_counts_nothing_anew_while_nothing_changes(reader: str, client: Client, curator: Client):
    make_young_stars()
    asking = client if reader == "public" else curator
    asking.get("/")
    with CaptureQueriesContext(connection) as asked:
        asking.get("/")
    assert not any("exposures_exposure" in query["sql"] for query in asked)


def test_the_page_leads_on(client: Client):
    page = client.get("/").content.decode()
    for address in ("/search", "/statistics", "/help/api"):
        assert f'href="{address}"' in page
