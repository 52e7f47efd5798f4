"""The page of a target: sums by set-up, names, calibrators, programmes, and nothing protected."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from django.test import Client

from obsportal.accounts.access import Visibility
from obsportal.accounts.models import User
from obsportal.exposures.models import Exposure, TargetPointing
from obsportal.exposures.pages import target_facts
from obsportal.stars.models import Star, StarName
from portal import calibrate, make_exposure, make_target, observe

pytestmark = pytest.mark.django_db

NASTY = '<script>alert("x")</script>'
PIONIER = {"instrument_name": "PIONIER", "instrument_variant": "PIONIER", "instrument_mode": "GRISM-H"}


def text(client: Client, address: str, status: int = 200) -> str:
    response = client.get(address)
    assert response.status_code == status, response.content[:300]
    page = response.content.decode()
    assert page.count("<h1") == 1
    return page


def page_of(exposure: Exposure) -> str:
    return f"/target/{exposure.target_id}"


def test_a_target_gathers_its_observations_newest_first(client: Client):
    first, second = make_exposure(), make_exposure()
    old, new = observe("VLTI.1.2020", first), observe("VLTI.2.2020", second)
    other = observe("VLTI.3.2020", make_exposure(name="Other", ra=10.0, dec=3.0))
    page = text(client, page_of(first))
    assert page.index(f"/observation/{new.key}") < page.index(f"/observation/{old.key}")
    assert other.key not in page
    assert "07 25 56.08 −14 10 43.6" in page
    assert "local sidereal time (h)" in page
    assert "/night/2020-01-26/VLTI" in page
    assert "/programme/0104.C-0567(A)" in page


def test_exposures_without_an_observation_are_listed_by_night(client: Client):
    make_exposure()
    page = text(client, page_of(make_exposure()))
    assert "<strong>2</strong> exposures in 1 observation" in page


def test_the_matrix_sums_by_instrument_and_configuration_and_leads_to_the_search(client: Client):
    first = make_exposure()
    make_exposure(configuration="large", night=date(2020, 1, 27), exp_time=600.0)
    make_exposure(configuration="", **PIONIER)
    page = text(client, page_of(first))
    base = f"/search?target_id={first.target_id}&amp;interferometer=VLTI&amp;instrument="
    assert f'{base}GRAVITY&amp;configuration=UTs">1</a>' in page
    assert f'{base}GRAVITY&amp;configuration=large">1</a>' in page
    assert f'{base}GRAVITY">2</a>' in page
    assert f'{base}PIONIER">1</a>' in page
    assert "2 nights, 15 min" in page
    for line in client.get(f"{page_of(first)}?format=json").json()["set_ups"]:
        query = {"target_id": first.target_id, "instrument": line["instrument_name"]}
        query |= {"configuration": line["configuration"]} if line["configuration"] else {}
        assert len(client.get("/search.csv", query).content.decode().splitlines()) == 1 + line["exposures"]


def test_each_instrument_has_a_uv_plot_of_its_own(client: Client):
    first = make_exposure()
    make_exposure(**PIONIER, instrument_em_min=1.5e-6, instrument_em_max=1.8e-6)
    make_exposure(instrument_name="AMBER", exp_projected_baselines="")
    page = text(client, page_of(first))
    assert page.count('class="uv-panel"') == 3
    assert "no baselines in the headers" in page
    assert f"/uv?target_id={first.target_id}&amp;instrument=PIONIER&amp;unit=mlambda" in page
    assert "u, v (m)" in text(client, f"{page_of(first)}?unit=m")
    Exposure.objects.exclude(pk=first.pk).update(instrument_name="GRAVITY")
    assert "u (Mλ), east to the left" in text(client, page_of(first))


def test_calibrators_used_and_science_served_are_counted(client: Client):
    science = [observe(f"S{k}", make_exposure()) for k in range(3)]
    calibrator = make_exposure(name="HD 59999", ra=112.0, obs_type="calibrator")
    shared = observe("C", calibrator)
    for k, one in enumerate(science):
        calibrate(one, shared, confidence="high" if k else "low")
    target = science[0].exposures.get()
    page = text(client, page_of(target))
    assert f'<a href="{page_of(calibrator)}">HD 59999</a>' in page
    assert ">2 high<" in page
    assert ">1 low<" in page
    answer = client.get(f"{page_of(target)}?format=json").json()
    (found,) = answer["calibrators"]
    assert (found["observations_linked"], found["observations"]) == (3, 1)
    assert found["confidence"] == {"high": 2, "low": 1}
    other = client.get(f"{page_of(calibrator)}?format=json").json()
    assert [(one["target_name"], one["observations"]) for one in other["calibrates"]] == [("HD 58647", 3)]
    assert "Science it calibrated" in text(client, page_of(calibrator))
    assert "serves 3" in text(client, page_of(calibrator))


def test_every_typed_name_is_told_with_why_it_belongs(client: Client):
    first = make_exposure()
    make_exposure(name="HD_58647"), make_exposure(name="HD_58647")
    TargetPointing.objects.filter(pk=first.pointing_id).update(basis="name", separation=1.25)
    page = text(client, page_of(first))
    assert page.index("HD_58647") > 0
    assert "same name, close by" in page
    answer = client.get(f"{page_of(first)}?format=json").json()
    assert {one["target_typed_name"]: one["exposures"] for one in answer["names"]} == {
        "HD 58647": 1,
        "HD_58647": 2,
    }


def test_a_known_star_tells_its_place_motion_and_names(client: Client):
    exposure = make_exposure()
    star = Star.objects.create(
        name="HD 58647", ra=111.483684, dec=-14.17878, hpx=1, pm_ra=-5.81, pm_dec=4.61, parallax=3.28,
        spectral_type="B9IV", object_type="Ae*", source="sesame", updated_at=datetime(2020, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    StarName.objects.create(star=star, name="HIP 36068", normalised_name="HIP36068")
    exposure.target.star = star
    exposure.target.save()
    page = text(client, page_of(exposure))
    for words in (
        "−5.81 east, 4.61 north",
        "HIP 36068",
        "B9IV, Ae*",
        "sesame",
        "VizieR-4?-c=HD+58647",
        "sim-coo",
    ):
        assert words in page, words
    answer = client.get(f"{page_of(exposure)}?format=json").json()
    assert answer["star"]["pm_ra_mas_yr"] == -5.81
    assert answer["star"]["names"] == ["HIP 36068"]


def test_a_target_as_json_keeps_what_programs_know(client: Client):
    exposure = make_exposure()
    make_exposure()
    answer = client.get(f"{page_of(exposure)}?format=json").json()
    assert answer["about"]["target_ra"] == 111.483684
    assert answer["exposures"] == 2
    assert len(answer["uv"]["tracks"]) == 2
    assert answer["lst_hours"][0]["exposures"] == 2
    assert answer["programmes"][0]["obs_program"] == "0104.C-0567(A)"


def test_a_star_that_was_only_tracked_has_a_page(client: Client):
    star = make_target("IRS 16C", 266.41, -29.0)
    make_exposure(ft_target=star)
    page = text(client, f"/target/{star.pk}")
    assert "1 more" in page
    assert "fringe-tracking star" in page
    assert client.get(f"/target/{star.pk}?format=json").json()["exposures_tracked"] == 1


def test_observations_come_in_pages(client: Client):
    for k in range(30):
        observe(f"VLTI.{k}.x", make_exposure(night=date(2020, 1, 1 + k)))
    exposure = Exposure.objects.first()
    assert exposure is not None
    first, second = text(client, page_of(exposure)), text(client, f"{page_of(exposure)}?page=2")
    shown = [page.count("#calibration") + page.count("none found") for page in (first, second)]
    assert shown == [25, 5]
    assert 'rel="next" href="?page=2"' in first
    assert "is past the end" in text(client, f"{page_of(exposure)}?page=9")


@pytest.mark.parametrize("query", ["format=xml", "unit=feet", "page=0", "page=x"])
def test_wrong_values_are_explained(client: Client, query: str):
    assert query.split("=")[0] in text(client, f"{page_of(make_exposure())}?{query}", 400)


def test_nasty_values_are_escaped(client: Client):
    exposure = make_exposure(
        name=NASTY, obs_program_title=NASTY, obs_program_pi_coi=NASTY, instrument_mode=NASTY
    )
    make_exposure(name=NASTY, instrument_name=NASTY[:20], configuration=NASTY)
    assert "<script>alert" not in text(client, page_of(exposure))


def test_protected_exposures_leave_no_trace_for_the_public_and_all_for_curators(client: Client):
    shown = make_exposure()
    science = observe("S", shown)
    protected = {"visibility": Visibility.PROTECTED, "obs_program": "0199.D-0999(A)", "target": shown.target}
    hidden = make_exposure(
        name="Secret name", obs_program_pi_coi="SECRETIVE", configuration="astrometric", night=date(2021, 5, 5),
        exp_mjd_start=59340.1, exp_seeing=9.75, instrument_name="MATISSE", **protected,
    )  # fmt: skip
    calibrator = make_exposure(
        name="Secret cal", ra=20.0, obs_type="calibrator", visibility=Visibility.PROTECTED
    )
    calibrate(science, observe("HIDDEN.C", calibrator))
    observe("HIDDEN.S", hidden)
    traces = (
        "Secret name", "SECRETIVE", "astrometric", "2021-05-05", "9.75", "MATISSE", "0199.D-0999", "Secret cal",
        "HIDDEN.", hidden.exp_id,
    )  # fmt: skip
    page, answer = text(client, page_of(shown)), client.get(f"{page_of(shown)}?format=json")
    for trace in traces:
        assert trace not in page, trace
        assert trace not in answer.content.decode(), trace
    assert (answer.json()["exposures"], answer.json()["nights"], answer.json()["calibrators"]) == (1, 1, [])
    assert client.get(page_of(calibrator)).status_code == 404
    client.force_login(User.objects.create_user("curator", is_staff=True))
    seen = text(client, page_of(shown))
    for trace in ("Secret name", "SECRETIVE", "astrometric", "MATISSE", "Secret cal", "HIDDEN.S"):
        assert trace in seen, trace
    assert client.get(f"{page_of(shown)}?format=json").json()["exposures"] == 2


def test_a_protected_pointing_lends_no_words_to_a_public_exposure():
    exposure = make_exposure()
    TargetPointing.objects.filter(pk=exposure.pointing_id).update(
        visibility=Visibility.PROTECTED, separation=5.5
    )
    (name,) = target_facts.typed_names(target_facts.fetch(exposure.target, None), None)
    assert (name.pointings, name.bases, name.separation) == (0, (), None)


def test_the_number_of_questions_does_not_grow_with_the_target(client: Client, django_assert_max_num_queries):
    for k in range(12):
        one = observe(f"VLTI.{k}.x", make_exposure(instrument_name="PIONIER" if k % 2 else "GRAVITY"))
        calibrate(one, observe(f"C.{k}", make_exposure(name=f"C{k}", ra=20.0 + k, obs_type="calibrator")))
    exposure = Exposure.objects.filter(target__name="HD 58647").first()
    assert exposure is not None
    with django_assert_max_num_queries(14):
        client.get(page_of(exposure))
