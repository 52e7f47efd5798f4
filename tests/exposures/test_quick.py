"""What one typed line means."""

from __future__ import annotations

import pytest

from obsportal.accounts.access import Visibility
from obsportal.exposures import quick
from portal import make_exposure

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("HD 58647", {"target_name": "HD 58647"}),
        ("hd_58647", {"target_name": "hd_58647"}),
        ("nowhere", {"target_name": "nowhere"}),
        ("134.872 -43.767", {"ra": "134.872", "dec": "-43.767", "radius": "60"}),
        ("08 59 29.37 −43 46 01.8", {"ra": "134.872375", "dec": "-43.767167", "radius": "60"}),
        ("0103.C-0347", {"program_id": "0103.C-0347"}),
        ("0103.c-0347(b)", {"program_id": "0103.C-0347(B)"}),
        ("105.20FU.002", {"program_id": "105.20FU.002"}),
        ("2020-01-26", {"night": "2020-01-26"}),
        ("mirc-x", {"instrument": "MIRCX"}),
        ("GRAVITY", {"instrument": "GRAVITY"}),
        ("SPICA_TESTS", {"program_id": "SPICA_TESTS"}),
    ],
)
def test_a_line_becomes_search_parameters(typed: str, expected: dict[str, str]):
    make_exposure()
    make_exposure(obs_program="SPICA_TESTS")
    assert quick.parameters(typed, None) == expected


def test_an_identifier_leads_to_its_page():
    exposure = make_exposure()
    page = f"/detail/exposure/{exposure.exp_id}"
    assert quick.destination(f"  {exposure.exp_id} ", None) == page
    assert quick.destination(exposure.exp_header_id, None) == page


def test_a_header_with_two_exposures_leads_to_both():
    first = make_exposure()
    make_exposure(exp_header_id=first.exp_header_id)
    assert quick.destination(first.exp_header_id, None).startswith("/search?exp_header_id=GRAVI")


def test_a_protected_exposure_is_not_found():
    exposure = make_exposure(visibility=Visibility.PROTECTED, obs_program="SECRET")
    assert quick.destination(exposure.exp_id, None).startswith("/search?target_name=")
    assert quick.parameters("SECRET", None) == {"target_name": "SECRET"}


def test_an_empty_line_leads_to_everything():
    assert quick.destination(" \x00 ", None) == "/search"


def test_similar_names_are_offered_of_visible_targets_only():
    make_exposure(name="HD 58647")
    make_exposure(name="HD 58648", ra=12.0, dec=3.0, visibility=Visibility.PROTECTED)
    assert [t.name for t in quick.similar_targets("5864", None)] == ["HD 58647"]
    assert [t.name for t in quick.similar_targets("HIP 58647", None)] == ["HD 58647"]
    assert quick.similar_targets("zz", None) == []
