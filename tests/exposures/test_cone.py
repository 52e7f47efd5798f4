"""Cones are exact on the sphere, on both databases."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from obsportal.exposures import search
from obsportal.exposures.models import Exposure
from portal import make_exposure, make_target

pytestmark = pytest.mark.django_db

PLACES = [
    (0.0, 0.0), (359.998, 0.001), (0.002, -0.001), (10.0, 89.999), (190.0, 89.999), (0.0, 90.0),
    (77.0, -90.0), (250.0, -89.99), (111.483684, -14.17878), (111.4849, -14.1788), (180.0, 45.0),
    (180.01, 45.0), (219.9, -60.83), (219.95, -60.84), (83.6, 22.0), (263.6, -22.0),
]  # fmt: skip


def found(ra: float, dec: float, radius: float) -> set[int]:
    params = {"ra": repr(ra), "dec": repr(dec), "radius": repr(radius)}
    return set(search.parse(params).exposures(None).values_list("pk", flat=True))


@pytest.fixture
def sky(db: None) -> list[Exposure]:
    return [make_exposure(name=f"place {i}", ra=ra, dec=dec) for i, (ra, dec) in enumerate(PLACES)]


@given(
    centre=st.one_of(
        st.sampled_from(PLACES),
        st.tuples(st.floats(0, 360), st.floats(-90, 90)),
    ),
    radius=st.one_of(st.floats(0.001, 120), st.floats(120, 648000)),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_cone_finds_what_brute_force_finds(sky: list[Exposure], centre: tuple[float, float], radius: float):
    places = SkyCoord([p[0] for p in PLACES] * u.deg, [p[1] for p in PLACES] * u.deg)
    distances = SkyCoord(*centre, unit="deg").separation(places).arcsec
    certain = np.abs(distances - radius) > 1e-6
    expected = {e.pk for e, d, sure in zip(sky, distances, certain, strict=True) if sure and d <= radius}
    open_question = {e.pk for e, sure in zip(sky, certain, strict=True) if not sure}
    assert found(*centre, radius) - open_question == expected


@pytest.mark.parametrize(("radius", "hits"), [(29.9, 0), (30.1, 1)])
def test_the_edge_of_a_cone_is_sharp(radius: float, hits: int):
    make_exposure(ra=100.0, dec=20.0 + 30 / 3600)
    assert len(found(100.0, 20.0, radius)) == hits


def test_a_cone_finds_by_target_and_by_pointing():
    target = make_target("drifting", 50.0, -30.0)
    exposure = make_exposure(ra=50.01, dec=-30.0, target=target)
    assert found(50.0, -30.0, 5) == {exposure.pk}
    assert found(50.01, -30.0, 5) == {exposure.pk}
    assert found(50.005, -30.0, 5) == set()


def test_a_dual_field_exposure_is_found_at_both_stars_and_filed_under_one():
    tracked = make_target("A", 84.0, 11.4)
    exposure = make_exposure(name="B", ra=83.9994, dec=11.4, ft_target=tracked)
    assert found(84.0, 11.4, 1) == {exposure.pk}
    assert found(83.9994, 11.4, 1) == {exposure.pk}
    assert exposure.target.name == "B"


def test_the_whole_sky_is_one_cone(sky: list[Exposure]):
    assert len(found(12.0, 34.0, 648000)) == len(sky)


def test_an_exposure_without_position_is_in_no_cone():
    make_exposure(name="nowhere", ra=None, dec=None)
    assert found(0.0, 0.0, 648000) == set()
    assert Exposure.objects.count() == 1
