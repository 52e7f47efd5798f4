"""UV coverage drawn."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest

from obsportal.exposures.plots import uv, uv_plots
from obsportal.exposures.plots.scale import COLOURS, Colours, nice_step, tick_label, ticks
from obsportal.exposures.plots.uv_plots import Unit

NASTY = "<script>alert('x')</script>&\"$\\frac"


def coverage(count: int = 1, **values: Any) -> uv.Coverage:
    text = (
        "{'U1-U2': {'length': {'start': '50.0', 'end': '50.0'}, 'angle': {'start': '90', 'end': '90'}},"
        " 'U1-U3': {'length': {'start': '80.0', 'end': '82.0'}, 'angle': {'start': '10', 'end': '12'}}}"
    )
    row = {
        "exp_id": "X_1",
        "exp_mjd_start": 58857.1,
        "exp_projected_baselines": text,
        "instrument_name": "GRAVITY",
        "instrument_mode": "HIGH",
        "instrument_em_min": 2.0e-6,
        "instrument_em_max": 2.4e-6,
        "target__name": "HD 1",
    }
    return uv.from_rows([{**row, "exp_id": f"X_{k}", **values} for k in range(count)], NASTY)


def drawn_points(svg: str) -> list[tuple[float, float]]:
    root = ElementTree.fromstring(svg)
    group = next(g for g in root.iter("{http://www.w3.org/2000/svg}g") if "transform" not in g.attrib)
    words = " ".join(path.attrib["d"] for path in group)
    return [(float(x), float(y)) for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", words)]


@pytest.mark.parametrize("unit", list(Unit))
@pytest.mark.parametrize("standalone", [True, False])
@pytest.mark.parametrize("count", [0, 1, 30])
def test_the_svg_is_well_formed_and_escapes_names(unit: Unit, standalone: bool, count: int):
    svg = uv_plots.svg(coverage(count), unit, standalone=standalone)
    root = ElementTree.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert NASTY in root.find("{http://www.w3.org/2000/svg}title").text  # type: ignore[union-attr,operator]
    assert "<script" not in svg


def test_east_is_to_the_left_and_north_is_up():
    points = drawn_points(uv_plots.svg(coverage(), Unit.METRES))
    (east_x, east_y), north = points[0], points[2]
    assert east_x < uv_plots.CENTRE_X - 100
    assert east_y == pytest.approx(uv_plots.CENTRE_Y, abs=0.1)
    assert north[1] < uv_plots.CENTRE_Y - 100
    assert "east to the left" in uv_plots.svg(coverage(), Unit.METRES)


def test_axes_are_equal_and_hold_the_farthest_point():
    found = coverage()
    half = uv_plots.extent(found, Unit.METRES)
    assert half == pytest.approx(82 * 1.08)
    assert uv_plots.extent(found, Unit.MEGA_LAMBDA) == pytest.approx(41 * 1.08)
    east = drawn_points(uv_plots.svg(found, Unit.METRES))[0]
    assert uv_plots.CENTRE_X - east[0] == pytest.approx(50 * uv_plots.HALF / half, abs=0.1)


def test_every_track_has_its_conjugate():
    root = ElementTree.fromstring(uv_plots.svg(coverage(), Unit.METRES))
    groups = list(root.iter("{http://www.w3.org/2000/svg}g"))
    assert [g.attrib.get("transform", "") for g in groups] == [
        "",
        f"rotate(180 {uv_plots.CENTRE_X} {uv_plots.CENTRE_Y})",
    ]
    assert [p.attrib for p in groups[0]] == [p.attrib for p in groups[1]]


def test_in_spatial_frequency_the_band_runs_from_the_longest_to_the_shortest_wavelength():
    found = coverage()
    drawn = list(uv_plots.pieces(found.tracks, Unit.MEGA_LAMBDA, Colours(2.0e-6, 2.4e-6), 24))
    east = [corners for _, corners in drawn if abs(corners[0].v) < 1e-6]
    assert east[0][0].u == pytest.approx(50 / 2.4)
    assert east[-1][1].u == pytest.approx(50 / 2.0)
    colours = [colour for colour, corners in drawn if abs(corners[0].v) < 1e-6]
    assert colours[0] == len(COLOURS) - 1
    assert colours[-1] == 0


def test_bands_that_saw_the_same_baseline_both_show_in_metres():
    both = uv.Coverage(
        "both",
        coverage().tracks + coverage(instrument_em_min=8e-6, instrument_em_max=13e-6).tracks,
        found=2, read=2, without=0,
    )  # fmt: skip
    root = ElementTree.fromstring(uv_plots.svg(both, Unit.METRES))
    paths = list(next(root.iter("{http://www.w3.org/2000/svg}g")))
    assert [path.attrib["d"] for path in paths[:1]] == [path.attrib["d"] for path in paths[1:]]
    long, short = (float(path.attrib["stroke-width"]) for path in paths)
    assert long > short


def test_without_wavelengths_metres_are_grey_and_frequencies_say_why_they_are_missing():
    found = coverage(instrument_em_min=None, instrument_em_max=None)
    assert uv_plots.UNKNOWN_COLOUR in uv_plots.svg(found, Unit.METRES)
    assert "no wavelengths known" in uv_plots.svg(found, Unit.MEGA_LAMBDA)


def test_the_drawing_of_many_exposures_stays_small():
    assert len(uv_plots.svg(coverage(uv.MAX_EXPOSURES), Unit.MEGA_LAMBDA)) < 700_000


@pytest.mark.parametrize("count", [0, 3])
@pytest.mark.parametrize(("form", "magic"), [("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_matplotlib_draws_files_whatever_the_words(form: str, magic: bytes, count: int):
    assert uv_plots.figure(coverage(count), Unit.MEGA_LAMBDA, form).startswith(magic)


@pytest.mark.parametrize(
    ("extent", "step"), [(1, 0.5), (3, 1), (41, 20), (90, 50), (130, 50), (330, 100), (0, 1)]
)
def test_ticks_are_round_numbers(extent: float, step: float):
    assert nice_step(extent) == pytest.approx(step)
    assert 0 in ticks(extent) or extent == 0
    assert tick_label(-50.0) == "−50"


def test_colours_are_logarithmic_between_the_ends():
    colours = Colours(1e-6, 1e-5)
    assert colours.index(1e-6) == 0
    assert colours.index(1e-5) == len(COLOURS) - 1
    assert colours.index(10**-5.5) == len(COLOURS) // 2
    assert Colours(2e-6, 2e-6).index(2e-6) == 0
