"""Observed ranges of sidereal time."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obsportal.exposures.plots import lst
from obsportal.interferometry.facility import facilities
from obsportal.interferometry.times import lst_hours


def row(mjd: float, hours: float = 0.1, **values: Any) -> dict[str, Any]:
    return {
        "exp_mjd_start": mjd,
        "exp_mjd_end": mjd + hours / 24,
        "interferometer_name": "VLTI",
        "instrument_name": "GRAVITY",
        "night": date(2020, 1, 8),
        **values,
    }


def test_a_bar_begins_at_the_sidereal_time_of_the_site():
    (bar,), by = lst.bars([row(58857.14869845, 1.0)])
    assert by == "night"
    assert bar.label == "2020-01-08 GRAVITY"
    start, end = bar.ranges[0]
    assert start == pytest.approx(6.0853, abs=0.001)
    assert end - start == pytest.approx(1.0027379)


def test_exposures_close_in_time_are_one_bar():
    (bar,), _ = lst.bars([row(58857.10), row(58857.106), row(58857.20)])
    assert len(bar.ranges) == 2
    assert bar.exposures == 3


def test_a_range_across_midnight_is_cut_in_two():
    before = (24 - lst_hours(58857.0, facilities()["VLTI"])) / 24 / lst.SIDEREAL
    (bar,), _ = lst.bars([row(58857.0 + before - 0.5 / 24, 1.0)])
    assert [end - start for start, end in bar.ranges] == pytest.approx([0.5, 0.5], abs=0.01)
    assert bar.ranges[0][0] == 0.0


def test_many_nights_are_shown_by_instrument():
    rows = [row(58857.1 + k, night=date(2020, 1, 8) + timedelta(days=k)) for k in range(lst.MAX_NIGHTS + 1)]
    found, by = lst.bars(rows)
    assert by == "instrument"
    assert [bar.label for bar in found] == ["VLTI GRAVITY"]


def test_rows_without_a_time_or_a_known_site_are_left_out():
    elsewhere = row(58857.1, interferometer_name="ELSEWHERE")
    assert lst.bars([elsewhere, {**row(1.0), "exp_mjd_start": None}])[0] == []


@given(st.lists(st.tuples(st.floats(0, 23.99), st.floats(0, 24)), max_size=20))
def test_joined_ranges_are_ordered_and_within_the_day(ranges: list[tuple[float, float]]):
    found = lst.joined((start, start + length) for start, length in ranges)
    assert all(0 <= start <= end <= 24 for start, end in found)
    assert all(first[1] < second[0] for first, second in pairwise(found))


def test_the_drawing_is_well_formed_and_escapes_labels():
    svg = lst.svg([lst.Bar("<b>&", ((1.0, 2.0), (23.0, 24.0)), 3)])
    root = ElementTree.fromstring(svg)
    assert "<b>" not in svg
    assert sum(1 for e in root.iter() if e.attrib.get("class") == "lst-bar") == 2
