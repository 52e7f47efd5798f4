"""Nights: their labels, how they are read, their sequences and gaps."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obsportal.exposures.pages import night_log
from obsportal.exposures.pages.night_log import idle, label, read_night
from obsportal.exposures.search_values import SearchError
from portal import calibrate, make_exposure, observe

LABELS = [
    (date(2020, 1, 5), "2020-01-05/06"),
    (date(2020, 1, 31), "2020-01-31/02-01"),
    (date(2019, 12, 31), "2019-12-31/2020-01-01"),
]


@pytest.mark.parametrize(("night", "words"), LABELS)
def test_a_night_is_named_by_its_evening_and_its_morning(night: date, words: str):
    assert label(night) == words
    assert read_night(words) == night
    assert read_night(night.isoformat()) == night


@pytest.mark.parametrize(
    "text", ["", "x", "2020-13-01", "2020-1-5", "2020-01-05/07", "2020-01-05/", "20200105", "9999-12-31"]
)
def test_what_is_no_night_is_refused(text: str):
    with pytest.raises(SearchError, match="a date such as"):
        read_night(text)


@given(st.dates(max_value=date(9999, 12, 30)))
def test_every_label_is_read_as_its_night(night: date):
    assert read_night(label(night)) == night


@pytest.mark.parametrize(
    ("spans", "within", "left"),
    [
        ([], (0.0, 1.0), [(0.0, 1.0)]),
        ([(0.2, 0.4)], (0.0, 1.0), [(0.0, 0.2), (0.4, 1.0)]),
        ([(-1.0, 0.3), (0.9, 2.0)], (0.0, 1.0), [(0.3, 0.9)]),
        ([(-1.0, 2.0)], (0.0, 1.0), []),
        ([(-2.0, -1.0), (3.0, 4.0)], (0.0, 1.0), [(0.0, 1.0)]),
    ],
)
def test_idle_is_what_observations_leave_of_the_dark(spans, within, left):
    assert idle(spans, within) == left


@pytest.mark.django_db
def test_a_calibrator_stands_in_the_row_of_each_science_target_it_serves():
    first, second = (
        observe(f"S{k}", make_exposure(name=f"Science {k}", ra=10.0 + k, dec=3.0)) for k in range(2)
    )
    shared = observe("C", make_exposure(name="Cal", ra=20.0, dec=3.0, obs_type="calibrator"))
    alone = observe("D", make_exposure(name="Alone", ra=30.0, dec=3.0, obs_type="calibrator"))
    calibrate(first, shared)
    calibrate(second, shared)
    found = night_log.executions(night_log.fetch(date(2020, 1, 26), "VLTI", None))
    night_log.link(found, None)
    rows = {s.first.target_name: [one.key for one in s.executions] for s in night_log.strands(found)}
    assert rows == {"Science 0": ["S0", "C"], "Science 1": ["S1", "C"], "Alone": [alone.key]}
    totals = night_log.totals(found)
    assert (totals.observations, totals.targets, totals.integration) == (4, 4, 1200.0)
