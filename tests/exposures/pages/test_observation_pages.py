"""The page of an observation: what was executed, its calibrators, and nothing protected."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest
from django.test import Client

from obsportal.accounts.access import Visibility
from obsportal.accounts.models import User
from obsportal.exposures.models import CalibratorLink, Exposure, Observation
from obsportal.exposures.pages.observation_facts import gap_words, templates
from portal import calibrate, make_exposure, observe

pytestmark = pytest.mark.django_db

KEY = "VLTI.2728776.2020-01-27T03:27:45"
NASTY = '<script>alert("x")</script>'


def text(client: Client, address: str, status: int = 200) -> str:
    response = client.get(address)
    assert response.status_code == status, response.content[:300]
    page = response.content.decode()
    assert page.count("<h1") == 1
    return page


def page_of(observation: Observation) -> str:
    return f"/observation/{observation.key}"


def executed(**values) -> Observation:
    """Two exposures of one template."""
    start = datetime(2020, 1, 27, 3, 30, tzinfo=UTC)
    columns = {"template_id": "GRAVITY_single_obs_exp", "template_start": start, "template_nexp": 4} | values
    rows = [make_exposure(template_expno=k, exp_seeing=0.5 + 0.2 * k, **columns) for k in (1, 2)]
    return observe(KEY, *rows)


def test_an_observation_tells_what_was_executed(client: Client):
    page = text(
        client, page_of(executed(obs_name="SCI_HD58647", obs_container_id=77, obs_container_type="C"))
    )
    for words in (
        "SCI_HD58647", "2728776", "77 (C)", "GRAVITY_single_obs_exp", "incomplete", "HIGH-COMBINED",
        "U1 U2 U3 U4", "10 min", "0.70", "0.90", "0.80", "u (Mλ), east to the left", KEY,
        "one execution of an observing block", '/programme/0104.C-0567(A)"', "/night/2020-01-26/VLTI",
    ):  # fmt: skip
        assert words in page, words


def test_calibrators_and_science_are_linked_both_ways_in_words(client: Client):
    science = executed()
    calibrator = observe(
        "VLTI.5.2020-01-27T03:10:00",
        make_exposure(name="HD 59999", ra=112.0, obs_type="calibrator", obs_id=5),
    )
    calibrate(science, calibrator)
    page = text(client, page_of(science))
    for words in (
        "HD 59999",
        "12 min before",
        "same container",
        ">high<",
        "3.40",
        "0.93",
        page_of(calibrator),
    ):
        assert words in page, words
    other = text(client, page_of(calibrator))
    for words in ("Science target", "HD 58647", "12 min after", page_of(science)):
        assert words in other, words


def test_links_of_variants_that_say_the_same_are_one_row(client: Client):
    science = executed()
    calibrator = observe(
        "VLTI.5.2020", make_exposure(name="HD 59999", ra=112.0, obs_type="calibrator", obs_id=5)
    )
    for variant in ("MATISSE_LM", "MATISSE_N"):
        calibrate(science, calibrator, instrument_variant=variant)
    assert text(client, page_of(science)).count(page_of(calibrator)) == 1
    CalibratorLink.objects.filter(instrument_variant="MATISSE_N").update(confidence="low")
    assert text(client, page_of(science)).count(page_of(calibrator)) == 2


@pytest.mark.parametrize(
    ("minutes", "calibrator", "words"),
    [
        (-12.4, True, "12 min before"),
        (12.4, True, "12 min after"),
        (-12.4, False, "12 min after"),
        (134.0, True, "2 h 14 min after"),
        (0.0, True, "at the same time"),
        (-0.2, True, "directly before"),
        (None, True, ""),
    ],
)
def test_gaps_in_words(minutes: float | None, calibrator: bool, words: str):
    assert gap_words(CalibratorLink(gap_minutes=minutes), calibrator=calibrator) == words


def test_without_a_calibrator_the_page_says_where_was_looked(client: Client):
    assert "No calibrator was found" in text(client, page_of(executed()))


def test_other_executions_of_the_block_are_listed(client: Client):
    first = executed()
    second = observe(
        "VLTI.2728776.2020-02-03T02:00:00", make_exposure(night=date(2020, 2, 2), exp_mjd_start=58882.1)
    )
    elsewhere = observe("CHARA.2728776.x", make_exposure(interferometer_name="CHARA"))
    page = text(client, page_of(first))
    assert "Other executions of block 2728776" in page
    assert page_of(second) in page
    assert elsewhere.key not in page


def test_findings_are_summed_errors_first(client: Client):
    messages = json.dumps([["seeing.missing", "warning", "no seeing"], ["tau0.missing", "error", "no tau0"]])
    observation = executed(exp_messages=messages, exp_validation_level=0)
    page = text(client, page_of(observation))
    assert page.index("no tau0") < page.index("no seeing")
    assert "2 of 2" in page
    assert "errors in 2 of 2" in page


def test_bands_of_one_shutter_opening_count_once_of_a_template():
    rows = [make_exposure(template_expno=1, template_nexp=2) for _ in range(2)]
    (one,) = templates(rows)
    assert (one.taken, one.planned, one.incomplete) == (1, 2, True)


def test_an_observation_as_json(client: Client):
    science = executed()
    calibrator = observe(
        "VLTI.5.2020", make_exposure(name="HD 59999", ra=112.0, obs_type="calibrator", obs_id=5)
    )
    calibrate(science, calibrator)
    answer = client.get(f"{page_of(science)}?format=json").json()
    assert (answer["observation"], answer["exposures"], answer["exp_time_s"]) == (KEY, 2, 600.0)
    assert answer["calibrators"][0]["link"] == {
        "instrument_variant": "GRAVITY", "basis": "container", "confidence": "high", "score": 0.93,
        "gap_minutes": -12.0, "separation_deg": 3.4,
    }  # fmt: skip
    assert answer["template_executions"][0]["taken"] == 2
    assert len(answer["uv"]["tracks"]) == 2
    assert client.get(f"{page_of(calibrator)}?format=json").json()["calibrates"][0]["observation"] == KEY


@pytest.mark.parametrize("form", ["votable", "csv", "tsv"])
def test_its_exposures_are_answered_in_data_formats(client: Client, form: str):
    observation, other = executed(), make_exposure()
    answer = client.get(f"{page_of(observation)}?format={form}", follow=True).content.decode()
    assert all(row.exp_id in answer for row in observation.exposures.all())
    assert other.exp_id not in answer


def test_the_search_box_and_the_exposure_lead_to_it(client: Client):
    observation = executed()
    assert client.get("/", {"q": KEY})["Location"] == page_of(observation)
    exposure = observation.exposures.first()
    assert exposure is not None
    assert page_of(observation) in text(client, f"/detail/exposure/{exposure.exp_id}")


def test_an_exposure_names_its_calibrators_in_its_own_variant(client: Client):
    science = executed(instrument_variant="MATISSE_LM")
    for k, variant in enumerate(("MATISSE_LM", "MATISSE_N")):
        star = make_exposure(
            name=f"Cal {variant}", ra=112.0 + k, obs_type="calibrator", instrument_variant=variant
        )
        calibrate(science, observe(f"C{k}", star), instrument_variant=variant)
    exposure = science.exposures.first()
    assert exposure is not None
    page = text(client, f"/detail/exposure/{exposure.exp_id}")
    assert "Cal MATISSE_LM" in page
    assert "Cal MATISSE_N" not in page


def test_nasty_values_are_escaped(client: Client):
    exposure = make_exposure(
        name=NASTY, obs_name=NASTY, obs_program_title=NASTY, template_id=NASTY, obs_program_pi_coi=NASTY,
        exp_messages=json.dumps([["c", "warning", NASTY]]),
    )  # fmt: skip
    observe("VLTI.1.x", exposure)
    assert NASTY not in text(client, "/observation/VLTI.1.x")


@pytest.mark.parametrize("query", ["format=xml", "unit=feet"])
def test_wrong_values_are_explained(client: Client, query: str):
    assert "allowed are" in text(client, f"{page_of(executed())}?{query}", 400)


def test_an_unknown_observation_is_not_found(client: Client):
    assert client.get("/observation/VLTI.1.2020-01-01T00:00:00").status_code == 404


def test_protected_exposures_leave_no_trace_for_the_public_and_all_for_curators(client: Client):
    science = executed()
    protected = {"visibility": Visibility.PROTECTED, "exp_seeing": 9.75, "obs_program": "0199.D-0999(A)"}
    inside = make_exposure(
        name="Secret star", ra=20.0, dec=3.0, template_id="SECRET_TPL", **protected, observation=science
    )
    secret = {
        "hidden calibrator": observe("HIDDEN.1", make_exposure(obs_type="calibrator", **protected)),
        "hidden execution": observe("HIDDEN.2", make_exposure(**protected)),
    }
    calibrate(science, secret["hidden calibrator"])
    traces = ("Secret star", "SECRET_TPL", "HIDDEN.1", "HIDDEN.2", "9.75", "0199.D-0999", inside.exp_id)
    page, answer = text(client, page_of(science)), client.get(f"{page_of(science)}?format=json")
    for trace in traces:
        assert trace not in page, trace
        assert trace not in answer.content.decode(), trace
    assert answer.json()["exposures"] == 2
    for observation in secret.values():
        assert client.get(page_of(observation)).status_code == 404
        assert client.get("/", {"q": observation.key})["Location"] != page_of(observation)
    first = science.exposures.filter(visibility=Visibility.PUBLIC).first()
    assert first is not None
    assert "HIDDEN.1" not in text(client, f"/detail/exposure/{first.exp_id}")
    client.force_login(User.objects.create_user("curator", is_staff=True))
    seen = text(client, page_of(science))
    for trace in ("Secret star", "HIDDEN.1", "HIDDEN.2", inside.exp_id):
        assert trace in seen, trace
    assert Exposure.objects.filter(observation=science).count() == 3
