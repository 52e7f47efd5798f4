"""Counts beside the results, and who sees what."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser

from obsportal.accounts.access import Visibility
from obsportal.accounts.models import User
from obsportal.exposures import search
from obsportal.exposures.models import Exposure, Target
from obsportal.exposures.versions import bump
from portal import make_exposure

pytestmark = pytest.mark.django_db


def counts(**params: str) -> tuple[int, dict[str, dict[object, int]]]:
    bump("exposures")
    total, facets = search.facets(search.parse(params), None)
    return total, {name: {v.value: v.count for v in values} for name, values in facets.items()}


@pytest.fixture
def mixed(db: None) -> None:
    make_exposure()
    make_exposure(instrument_mode="LOW-SPLIT", obs_type="calibrator")
    make_exposure(
        instrument_name="PIONIER", instrument_mode="GRISM-H", fringe_tracker="NONE", ra=10.0, dec=-60.0
    )


def test_counts_of_everything(mixed: None):
    total, facets = counts()
    assert total == 3
    assert facets["instrument"] == {"GRAVITY": 2, "PIONIER": 1}
    assert facets["obs_type"] == {"science": 2, "calibrator": 1}


def test_a_facet_is_counted_without_its_own_condition_and_with_all_others(mixed: None):
    total, facets = counts(instrument="GRAVITY", obs_type="science")
    assert total == 1
    assert facets["instrument"] == {"GRAVITY": 1, "PIONIER": 1}
    assert facets["obs_type"] == {"science": 1, "calibrator": 1}
    assert facets["instrument_mode"] == {"HIGH-COMBINED": 1}


def test_counts_with_a_position_equal_the_counts_of_its_rows(mixed: None):
    total, facets = counts(ra="10", dec="-60", radius="5", instrument="PIONIER,GRAVITY")
    assert total == 1
    assert facets["instrument"] == {"PIONIER": 1}


@pytest.mark.parametrize(
    "params",
    [
        {}, {"instrument": "GRAVITY"}, {"obs_type": "science", "valid": "true"}, {"instrument_mode": "GRISM-H"},
        {"date_from": "2020-01-01"}, {"instrument": "GRAVITY", "target_name": "HD 58647"}, {"technical": "true"},
        {"configuration": "UTs", "interferometer": "VLTI"}, {"fringe_tracker": "gravity"},
    ],
)  # fmt: skip
def test_the_total_beside_a_search_is_the_number_of_its_rows(mixed: None, params: dict[str, str]):
    total, _ = counts(**params)
    assert total == search.parse(params).exposures(None).count()


def test_counts_follow_a_change_of_the_table(mixed: None):
    assert counts()[0] == 3
    make_exposure()
    assert counts()[0] == 4


def test_protected_rows_are_seen_by_curators_only(mixed: None):
    hidden = make_exposure(name="secret", ra=200.0, dec=5.0, visibility=Visibility.PROTECTED)
    curator = User.objects.create(username="curator", is_staff=True)
    bump("exposures")
    for actor, seen in (
        (None, False),
        (AnonymousUser(), False),
        (User(username="x"), False),
        (curator, True),
    ):
        assert Exposure.objects.visible_to(actor).filter(pk=hidden.pk).exists() is seen
        assert Target.objects.visible_to(actor).filter(name="secret").exists() is seen
        assert search.facets(search.parse({}), actor)[0] == 3 + seen
        sql, params = search.parse({"ra": "200", "dec": "5"}).statement(actor)
        assert len(rows(sql, params)) == int(seen)


def rows(sql: str, params: object) -> list[object]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


def test_replaced_rows_are_seen_by_nobody(mixed: None):
    make_exposure(visibility=Visibility.REPLACED)
    curator = User.objects.create(username="curator", is_staff=True)
    assert Exposure.objects.visible_to(curator).count() == 3


def test_the_kept_statement_of_a_cone_answers_each_position_anew(mixed: None):
    for ra, dec, hits in ((10.0, -60.0, 1), (111.483684, -14.17878, 2), (11.0, -60.0, 0)):
        asked = search.parse({"ra": str(ra), "dec": str(dec), "radius": "30.0", "all_fields": "false"})
        assert len(rows(*asked.statement(None))) == hits


def test_the_etag_differs_by_reader_and_parameters(mixed: None):
    bump("exposures")
    curator = User.objects.create(username="curator", is_staff=True)
    tags = {
        search.etag({"ra": "1"}, None, "csv"), search.etag({"ra": "2"}, None, "csv"),
        search.etag({"ra": "1"}, curator, "csv"), search.etag({"ra": "1"}, None, "json"),
    }  # fmt: skip
    assert len(tags) == 4
