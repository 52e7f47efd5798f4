"""UV coverage from projected baselines."""

from __future__ import annotations

import json
from typing import Any

import pytest

from obsportal.exposures.baseline_text import baselines_to_text
from obsportal.exposures.plots import uv
from obsportal.exposures.record import Baseline
from obsportal.exposures.search_values import SearchError
from portal import make_exposure


def row(text: str, **values: Any) -> dict[str, Any]:
    return {
        "exp_id": "X_1",
        "exp_mjd_start": 58857.1,
        "exp_projected_baselines": text,
        "instrument_name": "GRAVITY",
        "instrument_mode": "HIGH-COMBINED",
        "instrument_em_min": 2.0e-6,
        "instrument_em_max": 2.4e-6,
        "target__name": "HD 1",
        **values,
    }


@pytest.mark.parametrize(
    ("length", "angle", "u", "v"),
    [
        (55.904, 3.3, 3.2181, 55.8113),
        (126.716, 29.921, 63.2065, 109.8261),
        (49.354, 79.746, 48.5656, 8.7849),
        (100.0, 0.0, 0.0, 100.0),
        (100.0, 90.0, 100.0, 0.0),
        (100.0, 180.0, 0.0, -100.0),
        (100.0, 270.0, -100.0, 0.0),
    ],
)
def test_u_points_east_and_v_north(length: float, angle: float, u: float, v: float):
    assert uv.uv_point(length, angle) == pytest.approx((u, v), abs=1e-3)


def test_spatial_frequency_is_length_over_wavelength_in_millions():
    assert uv.in_mega_lambda(uv.Point(100.0, -50.0), 2e-6) == pytest.approx((50.0, -25.0))


def test_a_track_runs_from_start_to_end():
    text = baselines_to_text([Baseline("U1", "U2", 55.904, 55.897, 3.3, 4.0)])
    (track,) = uv.tracks_of(row(text))
    assert track.baseline == "U1-U2"
    assert track.start == pytest.approx((3.2181, 55.8113), abs=1e-3)
    assert track.end == pytest.approx((3.8992, 55.7608), abs=1e-3)
    frequencies = track.as_dict()["mega_lambda"]
    assert frequencies["start"]["at_em_min"] == pytest.approx([1.60903, 27.90566], abs=1e-4)
    assert frequencies["end"]["at_em_max"] == pytest.approx([1.62468, 23.23368], abs=1e-4)


def test_a_baseline_without_an_end_is_a_point():
    text = baselines_to_text([Baseline("S1", "E1", 300.0, None, 45.0, None)])
    (track,) = uv.tracks_of(row(text))
    assert track.start == track.end


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not a dictionary",
        "{}",
        baselines_to_text([Baseline("U1", "U2", None, None, None, None)]),
        baselines_to_text([Baseline("U1", "U2", 0.0, 0.0, 3.0, 3.0)]),
        "{'U1-U2': {'length': {'start': 'nan', 'end': None}, 'angle': {'start': '1', 'end': None}}}",
    ],
)
def test_baselines_that_cannot_be_drawn_are_left_out_and_counted(text: str):
    found = uv.from_rows([row(text)], "one")
    assert found.tracks == ()
    assert found.without == 1
    assert "1 without baselines" in found.note


def test_the_json_is_strict():
    text = baselines_to_text([Baseline("U1", "U2", 55.904, None, 3.3, None)])
    found = uv.from_rows([row(text, instrument_em_min=None, instrument_em_max=None)], "one")
    answer = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert answer["tracks"][0]["mega_lambda"] is None
    assert answer["exposures_found"] == 1


@pytest.mark.django_db
def test_many_exposures_are_thinned_evenly_and_the_note_says_so():
    ids = [make_exposure(exp_mjd_start=58875.0 + k).exp_id for k in range(10)]
    found = uv.coverage(uv.selection({}), None, limit=4)
    assert [t.exp_id for t in found.tracks] == [ids[0], ids[3], ids[6], ids[9]]
    assert found.note == "4 of 10 exposures drawn, evenly taken in time"


@pytest.mark.django_db
def test_chosen_exposures_combine_with_other_parameters():
    first, second, third = (make_exposure(instrument_name=n) for n in ("GRAVITY", "PIONIER", "GRAVITY"))
    make_exposure()
    chosen = ",".join(e.exp_id for e in (first, second, third))
    found = uv.coverage(uv.selection({"exp_id": chosen, "instrument": "GRAVITY"}), None)
    assert {t.exp_id for t in found.tracks} == {first.exp_id, third.exp_id}
    assert "3 selected exposures" in found.words


@pytest.mark.django_db
def test_a_target_asked_for_by_number_is_named():
    exposure = make_exposure()
    search = uv.selection({"target_id": str(exposure.target_id), "instrument": "GRAVITY"})
    assert "HD 58647" in uv.coverage(search, None).words


def test_too_many_chosen_exposures_are_refused_with_the_limit():
    with pytest.raises(SearchError, match=str(uv.MAX_SELECTED)):
        uv.selection({"exp_id": ",".join(map(str, range(uv.MAX_SELECTED + 1)))})
