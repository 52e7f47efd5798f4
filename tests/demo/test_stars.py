from __future__ import annotations

import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from obsportal.demo.stars import FIRST_DEMONSTRATION_HD, Kind, build_sky, field_targets, named_stars

LAST_REAL_HD = 359_083
SKY = build_sky(3)


@pytest.mark.parametrize(
    ("name", "ra", "dec"),
    [
        ("Sirius", "06h45m08.917s", "-16d42m58.02s"),
        ("alf Cen A", "14h39m36.494s", "-60d50m02.37s"),
        ("Vega", "18h36m56.336s", "+38d47m01.28s"),
        ("Betelgeuse", "05h55m10.305s", "+07d24m25.43s"),
        ("51 Oph", "17h31m24.954s", "-23d57m45.51s"),
        ("HD 163296", "17h56m21.288s", "-21d57m21.87s"),
        ("HD 45677", "06h28m17.422s", "-13d03m11.13s"),
        ("HD 142527", "15h56m41.889s", "-42d19m23.25s"),
        ("HD 169142", "18h24m29.780s", "-29d46m49.33s"),
        ("HD 100546", "11h33m25.440s", "-70d11m41.24s"),
        ("HD 50138", "06h51m33.399s", "-06d57m59.45s"),
    ],
)
def test_named_stars_are_where_catalogues_have_them(name: str, ra: str, dec: str) -> None:
    star = next(s for s in named_stars() if s.name == name)
    there = SkyCoord(star.ra, star.dec, unit="deg")
    assert there.separation(SkyCoord(ra, dec)).arcsec < 0.2


def test_spellings_belong_to_one_target_only() -> None:
    names = [name for target in SKY.targets for name in target.names]
    assert len(names) == len(set(names))


def test_invented_stars_have_numbers_beyond_the_real_catalogue() -> None:
    for target in SKY.targets:
        if target.kind in (Kind.SURVEY, Kind.CALIBRATOR):
            number = int(target.name.removeprefix("HD "))
            assert number >= FIRST_DEMONSTRATION_HD > LAST_REAL_HD


def test_calibrators_are_one_to_six_degrees_away() -> None:
    for science, near in SKY.calibrators_of.items():
        here = SkyCoord(SKY.ra[science], SKY.dec[science], unit="deg")
        there = SkyCoord(SKY.ra[near], SKY.dec[near], unit="deg")
        assert ((here.separation(there).deg > 0.999) & (here.separation(there).deg < 6.001)).all()


def test_survey_stars_cover_the_sphere_evenly() -> None:
    dec = SKY.dec[SKY.by_kind[Kind.SURVEY]]
    counts, _ = np.histogram(np.sin(np.radians(dec)), bins=5, range=(-1, 1))
    assert counts.min() > 0.7 * len(dec) / 5


def test_a_star_moves_with_its_proper_motion() -> None:
    index = next(i for i, t in enumerate(SKY.targets) if t.name == "alf Cen A")
    ra, dec = SKY.at(51544.5 + 10 * 365.25)
    assert (ra[index] - SKY.ra[index]) * np.cos(np.radians(SKY.dec[index])) * 3.6e6 == pytest.approx(
        -36792.5, rel=1e-4
    )
    assert (dec[index] - SKY.dec[index]) * 3.6e6 == pytest.approx(4736.7, rel=1e-4)


def test_fields_scatter_more_than_stars() -> None:
    assert min(f.scatter for f in field_targets()) > max(s.scatter for s in named_stars())
