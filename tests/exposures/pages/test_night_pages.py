"""The page of a night: found by either date, drawn, summed, and free of what is protected."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from xml.etree import ElementTree

import pytest
from django.test import Client

from obsportal.accounts.access import Visibility
from obsportal.accounts.models import User
from obsportal.exposures import search
from obsportal.exposures.models import Exposure
from portal import calibrate, make_exposure, observe

pytestmark = pytest.mark.django_db

NASTY = '<script>alert("x")</script>'
BEFORE, AFTER = date(2020, 1, 25), date(2020, 1, 27)


@pytest.fixture(autouse=True)
def no_kept_counts() -> Iterator[None]:
    search._CUBES.clear()
    yield
    search._CUBES.clear()


def text(client: Client, address: str, status: int = 200) -> str:
    response = client.get(address)
    assert response.status_code == status, response.content[:300]
    page = response.content.decode()
    assert page.count("<h1") == 1
    return page


def at_chara(**values) -> Exposure:
    columns = {
        "name": "Vega", "ra": 279.23, "dec": 38.78, "interferometer_name": "CHARA", "instrument_name": "SPICA",
        "instrument_variant": "SPICA_6T", "obs_program": "", "night": date(2020, 1, 26), "exp_mjd_start": 58875.3,
        "exp_mjd_end": 58875.31,
    }  # fmt: skip
    return make_exposure(**(columns | values))


def sequence() -> tuple[Exposure, Exposure]:
    science = make_exposure(name="Star", exp_mjd_start=58875.15, exp_mjd_end=58875.1535)
    calibrator = make_exposure(
        name="Cal", ra=112.0, obs_type="calibrator", exp_mjd_start=58875.165, exp_mjd_end=58875.1685
    )
    calibrate(
        observe("VLTI.1.2020-01-27T03:27:45", science), observe("VLTI.2.2020-01-27T03:50:00", calibrator)
    )
    return science, calibrator


def drawing(page: str) -> ElementTree.Element:
    start = page.index('<svg xmlns="http://www.w3.org/2000/svg" class="nightline-plot"')
    return ElementTree.fromstring(page[start : page.index("</svg>", start) + 6])


def bars(page: str) -> list[ElementTree.Element]:
    return [e for e in drawing(page).iter() if e.get("class", "").startswith("bar ")]


def test_a_night_is_drawn_summed_and_listed(client: Client):
    sequence()
    page = text(client, "/night/2020-01-26")
    assert "Night of 2020-01-26/27" in page
    assert "/observation/VLTI.1.2020-01-27T03:27:45" in page
    assert "1 calibrator<" in page
    assert "serves 1<" in page
    assert "0104.C-0567(A)" in page
    assert [bar.get("class") for bar in bars(page)] == ["bar science", "bar calibrator"]
    marks = [e for e in drawing(page).iter() if e.get("class") in {"mark-seeing", "mark-tau0"}]
    assert len(marks) == 4


def test_bars_lie_where_their_times_are(client: Client):
    make_exposure(exp_mjd_start=58875.10, exp_mjd_end=58875.11)
    make_exposure(exp_mjd_start=58875.20, exp_mjd_end=58875.22, exp_validation_level=0)
    first, second = bars(text(client, "/night/2020-01-26/VLTI"))
    across = [float(bar.get("x", "").rstrip("%")) for bar in (first, second)]
    wide = [float(bar.get("width", "").rstrip("%")) for bar in (first, second)]
    assert 0 < across[0] < across[1] < 100
    assert wide[1] == pytest.approx(2 * wide[0], rel=0.05)
    assert across[1] - across[0] == pytest.approx(10 * wide[0], rel=0.05)
    assert "flawed" in second.get("class", "")


def test_the_morning_s_date_finds_the_night_when_none_begins_then(client: Client):
    make_exposure()
    assert client.get("/night/2020-01-27")["Location"] == "/night/2020-01-26"
    assert (
        client.get("/night/2020-01-27/VLTI?format=json")["Location"] == "/night/2020-01-26/VLTI?format=json"
    )
    assert client.get("/night/2020-01-26/27")["Location"] == "/night/2020-01-26"


def test_both_nights_of_a_date_are_offered(client: Client):
    make_exposure()
    make_exposure(night=AFTER, exp_mjd_start=58876.2, exp_mjd_end=58876.21)
    page = text(client, "/night/2020-01-27")
    assert "Night of 2020-01-27/28" in page
    assert 'The one that ends on that morning is <a href="/night/2020-01-26">2020-01-26/27</a>' in page


@pytest.mark.parametrize("typed", ["2020-01-26", "2020-01-26/27"])
def test_the_search_box_leads_to_a_night(client: Client, typed: str):
    assert client.get("/", {"q": typed})["Location"] == "/night/2020-01-26"


def test_interferometers_stand_side_by_side_and_alone(client: Client):
    make_exposure(), at_chara()
    page = text(client, "/night/2020-01-26")
    assert 'id="VLTI"' in page
    assert 'id="CHARA"' in page
    alone = text(client, "/night/2020-01-26/chara")
    assert "Vega" in alone
    assert "HD 58647" not in alone
    assert '/night/2020-01-26/VLTI">VLTI</a>' in alone


def test_several_instruments_of_one_night_have_rows_of_their_own(client: Client):
    make_exposure(), make_exposure(instrument_name="PIONIER", instrument_mode="GRISM-H")
    page = text(client, "/night/2020-01-26/VLTI")
    assert "GRAVITY, PIONIER on U1 U2 U3 U4 (UTs)" in page
    assert page.count('<p style="height:') == 2


def test_a_night_without_blocks_is_shown(client: Client):
    rows = [make_exposure(obs_id=None, obs_program="") for _ in range(2)]
    observe("VLTI.run.2020-01-27T03:27:45", *rows, basis="run")
    page = text(client, "/night/2020-01-26")
    assert "none named" in page
    assert len(bars(page)) == 2


def test_an_empty_night_says_what_is_near(client: Client):
    observe("VLTI.1.x", make_exposure(night=BEFORE))
    observe("VLTI.2.x", make_exposure(night=date(2020, 2, 3)))
    page = text(client, "/night/2020-01-30")
    assert "No exposures of this night" in page
    assert '<a href="/night/2020-01-25">2020-01-25/26</a>' in page
    assert '<a href="/night/2020-02-03">2020-02-03/04</a>' in page
    assert "No night at CHARA has exposures yet" in text(client, "/night/2020-01-30/CHARA")


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("/night/yesterday", "a date such as"),
        ("/night/2020-02-30", "a date such as"),
        ("/night/2020-01-26/29", "a date such as"),
        ("/night/9999-12-31", "a date such as"),
        ("/night/2020-01-26/LBTI", "known are VLTI, CHARA"),
        ("/night/2020-01-26?format=xml", "allowed are html"),
    ],
)
def test_wrong_values_are_explained(client: Client, address: str, sentence: str):
    assert sentence in text(client, address, 400)


def test_the_first_day_there_is_has_a_page(client: Client):
    assert "No exposures of this night" in text(client, "/night/0001-01-01")


@pytest.mark.parametrize("form", ["votable", "csv", "tsv"])
def test_a_night_is_answered_in_data_formats(client: Client, form: str):
    here, there = make_exposure(), at_chara()
    answer = client.get(f"/night/2020-01-26/VLTI?format={form}", follow=True).content.decode()
    assert here.exp_id in answer
    assert there.exp_id not in answer


def test_a_night_as_json_has_sequence_totals_and_sun(client: Client):
    science, _ = sequence()
    answer = client.get("/night/2020-01-26?format=json").json()
    (vlti,) = answer["interferometers"]
    assert (vlti["exposures"], vlti["observations"], vlti["exp_time_s"]) == (2, 2, 600.0)
    assert vlti["sequence"][0]["exposures"] == [science.exp_id]
    assert vlti["sequence"][0]["calibrators"] == ["VLTI.2.2020-01-27T03:50:00"]
    assert vlti["sequence"][1]["calibrates"] == ["VLTI.1.2020-01-27T03:27:45"]
    begins, ends = vlti["sun_mjd"]["astronomical"]
    assert begins < science.exp_mjd_start < ends


def test_exposures_without_time_or_known_site_are_listed_undrawn(client: Client):
    make_exposure(exp_mjd_start=None, exp_mjd_end=None)
    assert "nothing can be drawn" in text(client, "/night/2020-01-26")
    Exposure.objects.update(interferometer_name="NOWHERE", exp_mjd_start=58875.2)
    assert len(bars(text(client, "/night/2020-01-26"))) == 1


def test_nasty_values_are_escaped(client: Client):
    exposure = make_exposure(
        name=NASTY, obs_program_title=NASTY, obs_program_pi_coi=NASTY, obs_program=NASTY[:30]
    )
    observe(NASTY, exposure)
    assert "<script>alert" not in text(client, "/night/2020-01-26")


def test_protected_exposures_leave_no_trace_for_the_public_and_all_for_curators(client: Client):
    science, _ = sequence()
    protected = {"visibility": Visibility.PROTECTED, "obs_program": "0199.D-0999(A)", "exp_seeing": 9.75}
    hidden = make_exposure(name="Secret star", ra=20.0, dec=3.0, **protected)
    mixed = make_exposure(name="Star", **protected)
    mixed.observation = science.observation
    mixed.save()
    calibrate(
        observe("VLTI.9.2020-01-27T05:00:00", hidden), Exposure.objects.get(target__name="Cal").observation
    )
    observe("VLTI.8.2020-01-26T05:00:00", make_exposure(night=BEFORE, **protected))
    address = "/night/2020-01-26"
    page, answer = text(client, address), client.get(f"{address}?format=json")
    for trace in (
        "Secret star",
        "0199.D-0999",
        "VLTI.9.",
        "9.75",
        "2020-01-25/26",
        hidden.exp_id,
        mixed.exp_id,
    ):
        assert trace not in page
        assert trace not in answer.content.decode()
    assert answer.json()["exposures"] == 2
    assert len(bars(page)) == 2
    assert "No exposures of this night" in text(client, "/night/2020-01-25")
    client.force_login(User.objects.create_user("curator", is_staff=True))
    seen = text(client, address)
    assert "Secret star" in seen
    assert "2020-01-25/26" in seen
    assert len(bars(seen)) == 5
    assert client.get(f"{address}?format=json").json()["exposures"] == 4


def test_the_number_of_questions_does_not_grow_with_the_night(client: Client, django_assert_max_num_queries):
    for k in range(12):
        observe(f"VLTI.{k}.2020", make_exposure(name=f"Star {k}", ra=10.0 + k, dec=3.0))
    with django_assert_max_num_queries(12):
        client.get("/night/2020-01-26")
