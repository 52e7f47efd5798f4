"""Observations as they are shown: sums and links over what the reader may see."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from obsportal.accounts.models import User
from obsportal.exposures.models import Exposure, Observation
from obsportal.exposures.observations import derive
from obsportal.exposures.observations.sequences import calibrators_of, science_of, summaries
from portal import make_exposure

pytestmark = pytest.mark.django_db

START = datetime(2020, 1, 27, 2, tzinfo=UTC)
MJD = 58875 + 2 / 24


def exposure(minutes: float, block: int = 1, began: float = 0, **values: Any) -> Exposure:
    mjd = MJD + minutes / 1440
    times = {
        "exp_mjd_start": mjd,
        "exp_mjd_end": mjd + 5 / 1440,
        "template_start": START + timedelta(minutes=began),
    }
    return make_exposure(**times | {"obs_id": block, "obs_start": START + timedelta(minutes=began)} | values)


def calibrator(minutes: float, block: int, **values: Any) -> Exposure:
    place = {"name": "HD 57939", "ra": 110.9, "dec": -13.5, "obs_type": "calibrator"}
    return exposure(minutes, block, began=minutes, **place | values)


@pytest.fixture
def curator() -> User:
    return User.objects.create_user("marie", is_staff=True)


def by_block() -> dict[int, int]:
    derive.regroup_all()
    return {obs_id: pk for obs_id, pk in Observation.objects.values_list("obs_id", "pk") if obs_id}


def test_an_observation_is_summed():
    acquisition = exposure(1, exp_seeing=0.6, exp_tau0=None, exp_time=300.0)
    exposure(9, exp_seeing=0.8, exp_tau0=0.004, exp_time=200.0, exp_validation_level=0)
    exposure(9, exp_seeing=None, exp_tau0=0.006, exp_time=200.0, time_counted=False, instrument_mode="LOW-SPLIT",
             template_start=START + timedelta(minutes=8))  # fmt: skip
    (found,) = summaries(by_block().values(), None).values()
    assert (found.target_name, found.target_ra, found.target_dec) == ("HD 58647", 111.483684, -14.17878)
    assert found.target_id == acquisition.target_id
    assert (found.n_exposures, found.n_valid, found.n_templates, found.integration_time) == (3, 2, 2, 500.0)
    assert found.seeing == pytest.approx(0.7)
    assert found.tau0 == pytest.approx(0.005)
    assert found.mjd_start == acquisition.exp_mjd_start
    assert found.mjd_end == pytest.approx(MJD + 14 / 1440)
    assert found.instrument_modes == ("HIGH-COMBINED", "LOW-SPLIT")
    assert (found.obs_types, found.programs) == (("science",), ("0104.C-0567(A)",))
    assert (found.interferometer_stations, found.configurations) == (("U1 U2 U3 U4",), ("UTs",))
    assert (found.instrument_name, found.night) == ("GRAVITY", date(2020, 1, 26))


def test_the_science_target_names_an_observation_that_began_with_a_calibrator():
    exposure(1, name="HD 57939", ra=110.9, dec=-13.5, obs_type="calibrator")
    exposure(9)
    (found,) = summaries(by_block().values(), None).values()
    assert (found.target_name, found.target_names) == ("HD 58647", ("HD 57939", "HD 58647"))
    assert found.obs_types == ("calibrator", "science")


def test_nothing_known_is_nothing_said():
    exposure(1, exp_mjd_start=None, exp_mjd_end=None, exp_time=None, exp_seeing=None, exp_tau0=None,
             configuration="", station_set="", obs_program="")  # fmt: skip
    derive.regroup_all()
    (found,) = summaries([Observation.objects.get().pk], None).values()
    assert (found.mjd_start, found.mjd_end, found.seeing, found.tau0) == (None, None, None, None)
    assert (found.integration_time, found.configurations, found.programs) == (0, (), ())


def test_protected_exposures_are_in_the_curators_sum_alone(curator: User):
    exposure(1)
    exposure(9, exp_seeing=3.0, visibility="protected", obs_program="60.A-9999(A)")
    exposure(60, 2, began=59, visibility="protected")
    ids = by_block()
    public = summaries(ids.values(), None)
    assert set(public) == {ids[1]}
    assert (public[ids[1]].n_exposures, public[ids[1]].seeing) == (1, 0.71)
    assert public[ids[1]].programs == ("0104.C-0567(A)",)
    assert {pk: one.n_exposures for pk, one in summaries(ids.values(), curator).items()} == {
        ids[1]: 2,
        ids[2]: 1,
    }


def test_links_lead_both_ways_in_order_of_time(curator: User):
    exposure(60, 1, began=59), calibrator(90, 3), calibrator(30, 2)
    calibrator(110, 4, visibility="protected")
    ids = by_block()
    calibrators = calibrators_of([ids[1]], None)
    assert [one.observation.obs_id for one in calibrators] == [2, 3]
    assert [one.link.gap_minutes < 0 for one in calibrators] == [True, False]
    assert [one.observation.obs_id for one in calibrators_of([ids[1]], curator)] == [2, 3, 4]
    assert [one.observation.obs_id for one in science_of([ids[2], ids[3], ids[4]], None)] == [1, 1]
    assert science_of([ids[4]], None) == []


def test_one_query_answers_for_many_observations(curator: User):
    for number in range(4):
        exposure(60 * number, 10 + number, began=60 * number - 1)
        calibrator(60 * number + 20, 20 + number)
    ids = by_block()
    for ask in (calibrators_of, science_of, summaries):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert len(ask(ids.values(), curator)) >= 4
        assert len(queries) == 1
        assert not ask([], curator)
