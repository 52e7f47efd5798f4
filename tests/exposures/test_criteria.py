"""Each search parameter: what it finds, what it refuses and in which words."""

from __future__ import annotations

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from obsportal.exposures import search
from obsportal.exposures.criteria import PARAMETERS
from obsportal.exposures.search_values import SearchError
from portal import make_exposure

pytestmark = pytest.mark.django_db


def ids(**params: str) -> list[str]:
    return list(search.parse(params).ordered(None).values_list("exp_id", flat=True))


@pytest.mark.parametrize(
    ("params", "hit"),
    [
        ({"target_name": "hd_58647"}, True),
        ({"target_name": "HD58647"}, True),
        ({"target_name": "HD 586*"}, True),
        ({"target_name": "*%*"}, False),
        ({"target_name": "HD 5864"}, False),
        ({"instrument": "GRAVITY"}, True),
        ({"instrument": "gravi"}, True),
        ({"instrument": "PIONIER,GRAVITY"}, True),
        ({"instrument": "PIONIER"}, False),
        ({"instrument_mode": "HIGH-COMBINED"}, True),
        ({"instrument_mode": "LOW-SPLIT"}, False),
        ({"interferometer": "vlti"}, True),
        ({"interferometer": "CHARA"}, False),
        ({"stations": "UT1 UT2"}, True),
        ({"stations": "U4-U3-U2-U1"}, True),
        ({"stations": "U1,"}, True),
        ({"stations": "A0"}, False),
        ({"configuration": "uts"}, True),
        ({"configuration": "small, large"}, False),
        ({"configuration": "medium -> large"}, False),
        ({"program_id": "0104.C-0567(A)"}, True),
        ({"program_id": "0104.C-0567"}, True),
        ({"program_id": "0104.C-0567(B)"}, False),
        ({"program_id": "0104.C-056"}, False),
        ({"program_id": "0104.*"}, True),
        ({"program_id": "60.A-9999, 0104.C-0567"}, True),
        ({"obs_id": "2728776"}, True),
        ({"obs_id": "1"}, False),
        ({"obs_type": "SCIENCE"}, True),
        ({"obs_type": "calibrator"}, False),
        ({"valid": "true"}, True),
        ({"valid": "no"}, False),
        ({"fringe_tracker": "gravity"}, True),
        ({"fringe_tracker": "none"}, False),
        ({"technical": "false"}, True),
        ({"technical": "true"}, False),
        ({"night": "2020-01-26"}, True),
        ({"night": "2020-01-27"}, False),
        ({"mjd_from": "58875", "mjd_to": "58876"}, True),
        ({"mjd_to": "58875"}, False),
        ({"date_from": "2020-01-27", "date_to": "2020-01-27"}, True),
        ({"date_to": "2020-01-26"}, False),
        ({"date_from": "2020-01-27T03:39:00 00:00"}, True),
    ],
)
def test_a_parameter_selects(params: dict[str, str], hit: bool):
    exposure = make_exposure(exp_mjd_start=58875.152338, exp_mjd_end=58875.156)
    assert ids(**params) == ([exposure.exp_id] if hit else [])


def test_exposures_without_fringe_tracker_are_found_by_its_absence():
    exposure = make_exposure(fringe_tracker="")
    make_exposure()
    assert ids(fringe_tracker="NONE") == [exposure.exp_id]


def test_mystic_is_found_by_its_name_its_entry_and_the_number_of_its_mode():
    from obsportal.interferometry.facility import find_instrument

    mode = next(iter(find_instrument("MYSTIC").modes.values()))
    made = {"instrument_variant": "MIRCX-MYSTIC", "interferometer_name": "CHARA"}
    mystic = make_exposure(instrument_name="MIRCX-MYSTIC", instrument_mode=mode.name, **made)
    mircx = make_exposure(instrument_name="MIRCX", instrument_mode="Low_H", **made)
    for asked in (
        {"instrument": "MYSTIC"},
        {"instrument": "MIRCX-MYSTIC"},
        {"instrument_mode": str(mode.id)},
    ):
        assert ids(**asked) == [mystic.exp_id]
    assert ids(instrument="MIRC-X") == [mircx.exp_id]


def test_a_number_of_a_mode_is_as_good_as_its_name():
    from obsportal.interferometry.facility import find_instrument

    mode = find_instrument("GRAVITY").modes["HIGH-COMBINED"]
    exposure = make_exposure()
    assert ids(instrument="GRAVITY", instrument_mode=str(mode.id)) == [exposure.exp_id]


@pytest.mark.parametrize(
    ("params", "word"),
    [
        ({"radius": "-1", "ra": "1", "dec": "1"}, "radius"),
        ({"radius": "1e9", "ra": "1", "dec": "1"}, "radius"),
        ({"radius": "NaN", "ra": "1", "dec": "1"}, "radius"),
        ({"ra": "1", "dec": "91"}, "dec"),
        ({"ra": "1", "dec": "-90.01"}, "dec"),
        ({"ra": "12:30", "dec": "1"}, "ra"),
        ({"ra": "361", "dec": "1"}, "ra"),
        ({"ra": "inf", "dec": "1"}, "ra"),
        ({"ra": "1_0", "dec": "1"}, "ra"),
        ({"ra": "1"}, "dec"),
        ({"dec": "1"}, "ra"),
        ({"instrument": "HUBBLE"}, "instrument"),
        ({"instrument_mode": "WARP"}, "instrument_mode"),
        ({"instrument_mode": "99999999999999999999"}, "instrument_mode"),
        ({"interferometer": "ALMA"}, "interferometer"),
        ({"stations": "Z9"}, "stations"),
        ({"configuration": "huge"}, "configuration"),
        ({"obs_type": "object"}, "obs_type"),
        ({"obs_id": "-4"}, "obs_id"),
        ({"obs_id": "12; DROP TABLE"}, "obs_id"),
        ({"valid": "perhaps"}, "valid"),
        ({"night": "2020-13-01"}, "night"),
        ({"mjd_from": "soon"}, "mjd_from"),
        ({"date_from": "yesterday"}, "date_from"),
        ({"date_updated_from": "2019-02-30"}, "date_updated_from"),
        ({"page": "-1"}, "page"),
        ({"page": "0"}, "page"),
        ({"limit": "0"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"sort": "password"}, "sort"),
        ({"all_fields": "some"}, "all_fields"),
        ({"target_name": "*a*b*c*d*e*"}, "target_name"),
    ],
)
@pytest.mark.parametrize("form", ["votable", "json", "csv"])
def test_a_wrong_value_is_answered_400_in_the_format_asked_for(
    client: Client, params: dict[str, str], word: str, form: str
):
    with pytest.raises(SearchError) as caught:
        search.parse(params)
    assert caught.value.parameter == word
    response = client.get(f"/search.{form}", params)
    body = response.content.decode()
    assert response.status_code == 400
    assert word in body
    starts = {"votable": "<?xml", "json": '{"status": "ERROR"', "csv": word}
    assert body.startswith(starts[form])
    assert "Traceback" not in body


NASTY = ["' OR 1=1 --", "<script>alert(1)</script>", "\x00", "%s%s%s", "{{7*7}}", "\ud800".encode("utf-8", "replace").decode()]  # fmt: skip


@pytest.mark.parametrize("name", [p.name for p in PARAMETERS])
@pytest.mark.parametrize("text", NASTY)
def test_sql_and_html_in_a_parameter_harm_nothing(client: Client, name: str, text: str):
    make_exposure()
    response = client.get("/search.votable", {name: text})
    assert response.status_code in {200, 400}
    assert b"<script>" not in response.content
    assert ids() != []


names = st.sampled_from(
    [p.name for p in PARAMETERS] + ["ra", "dec", "radius", "page", "limit", "sort", "all_fields"]
)
values = st.one_of(
    st.text(max_size=40), st.floats().map(repr), st.integers().map(str), st.datetimes().map(str)
)


@given(params=st.dictionaries(names, values, max_size=4))
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_parameters_give_an_answer_or_a_sentence(db: None, params: dict[str, str]):
    try:
        asked = search.parse(params)
    except SearchError as error:
        assert error.parameter in {*params, "ra", "dec"}
        assert str(error)
        return
    assert list(asked.window(None)[:5]) == []


def test_sorting_and_paging_walk_through_all_rows_once():
    for i in range(7):
        make_exposure(exp_seeing=(i * 3) % 7 / 10)
    pages = [ids_on(page) for page in ("1", "2", "3")]
    assert [len(page) for page in pages] == [3, 3, 1]
    seeing = [s for page in pages for s in page]
    assert seeing == sorted(seeing, reverse=True)


def ids_on(page: str) -> list[float | None]:
    asked = search.parse({"sort": "-exp_seeing", "limit": "3", "page": page})
    return list(asked.window(None).values_list("exp_seeing", flat=True))


def test_every_parameter_is_documented():
    from pathlib import Path

    text = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text()
    missing = [p.name for p in PARAMETERS if f"`{p.name}`" not in text]
    assert missing == []
