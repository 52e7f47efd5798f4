"""The curator's page: for curators alone, and each form does what it says."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from django.test import Client

from obsportal.accounts.models import User
from obsportal.exposures.models import Exposure, Observation, Override, TargetDecision
from portal import make_exposure

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(User.objects.create(username="curator", is_staff=True))
    return client


def test_the_public_is_sent_to_sign_in_and_others_are_refused(client: Client):
    answer = client.get("/curator")
    assert answer.status_code == 302
    assert answer["Location"] == "/admin/login/?next=/curator"
    assert client.post("/curator", {"action": "override"}).status_code == 302
    client.force_login(User.objects.create(username="someone"))
    assert client.get("/curator").status_code == 403
    assert Override.objects.count() == 0


def test_a_form_without_its_token_changes_nothing():
    exposure = make_exposure()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.create(username="curator", is_staff=True))
    fields = {
        "action": "override", "exposure": exposure.exp_id, "field": "obs_type", "value": "calibrator",
        "reason": "r",
    }  # fmt: skip
    assert strict.post("/curator", fields).status_code == 403
    assert Override.objects.count() == 0


def test_an_exposure_is_corrected_and_the_correction_withdrawn(desk: Client):
    exposure = make_exposure()
    fields = {"action": "override", "exposure": exposure.exp_id, "field": "obs_type", "reason": "in JSDC"}
    answer = desk.post("/curator", fields | {"value": "calibrator"}, follow=True)
    assert "The exposure is corrected" in answer.content.decode()
    assert Exposure.objects.get().obs_type == "calibrator"
    row = Override.objects.get()
    desk.post("/curator", {"action": "withdraw", "kind": "override", "key": str(row.pk), "reason": "no"})
    assert Exposure.objects.get().obs_type == "science"
    page = desk.get("/curator").content.decode()
    assert page.count("withdrawn</span>") == 1
    assert "in JSDC" in page


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({}, "does not say"),
        ({"action": "override", "exposure": "nothing", "field": "obs_type"}, "no exposure"),
        ({"action": "merge", "target": "x", "other": "1"}, "no target"),
        ({"action": "split", "target": "999999", "pointing": "1"}, "no target"),
        ({"action": "link", "science": "a", "calibrator": "b", "kind": "link"}, "no observation"),
        ({"action": "link", "science": "a", "calibrator": "b", "kind": "love"}, "belongs"),
        ({"action": "withdraw", "kind": "target", "key": "-1"}, "whole number"),
        ({"action": "withdraw", "kind": "target", "key": "17"}, "no such decision"),
    ],
)
def test_a_wrong_form_says_what_is_wrong(desk: Client, fields: dict[str, str], word: str):
    answer = desk.post("/curator", fields | {"reason": "r"})
    assert answer.status_code == 400
    assert word in answer.content.decode()


def test_targets_are_merged_split_and_listed(desk: Client):
    first = make_exposure(name="HD 1", ra=10.0, dec=-20.0)
    second = make_exposure(name="Other", ra=10.0, dec=-20.0 + 10 / 3600)
    fields = {"action": "merge", "target": str(first.target_id), "other": str(second.target_id)}
    desk.post("/curator", fields | {"reason": "one star"})
    merged = Exposure.objects.get(pk=second.pk)
    assert merged.target_id == Exposure.objects.get(pk=first.pk).target_id
    page = desk.get(f"/curator?target={merged.target_id}").content.decode()
    assert "HD 1" in page
    assert "Other" in page
    chosen = {"action": "split", "target": str(merged.target_id), "pointing": str(merged.pointing_id)}
    desk.post("/curator", chosen | {"reason": "two stars"})
    assert Exposure.objects.get(pk=second.pk).target_id != Exposure.objects.get(pk=first.pk).target_id
    assert TargetDecision.objects.count() == 2


def test_pages_lead_curators_to_the_forms_and_nobody_else(client: Client):
    exposure = make_exposure()
    observation = Observation.objects.create(
        key="VLTI.7.2020-01-26T03:27:45", basis="block", interferometer_name="VLTI", night=exposure.night
    )
    Exposure.objects.update(observation=observation)
    forms = {
        f"/detail/exposure/{exposure.exp_id}": f"exposure={exposure.exp_id}",
        f"/target/{exposure.target_id}": f"target={exposure.target_id}",
        f"/observation/{observation.key}": f"science={observation.key}",
    }
    for page in forms:
        assert "/curator" not in client.get(page).content.decode()
    client.force_login(User.objects.create(username="curator", is_staff=True))
    for page, query in forms.items():
        links = re.findall(r'href="(/curator\?[^"]+)"', client.get(page).content.decode())
        assert [unquote(link) for link in links] == [f"/curator?{query}"]
        assert f'value="{query.partition("=")[2]}"' in client.get(links[0]).content.decode()


def test_a_reason_is_not_typed_twice(desk: Client):
    fields = {"action": "override", "exposure": "nothing", "field": "obs_type", "reason": "seen at night"}
    page = desk.post("/curator", fields).content.decode()
    assert page.count('value="seen at night"') == 1


def test_a_corrected_type_is_not_explained_by_the_header(desk: Client):
    exposure = make_exposure(obs_type_reason="DPR CATG is SCIENCE", obs_type_header="SCIENCE")
    page = f"/detail/exposure/{exposure.exp_id}"
    assert "Science: DPR CATG is SCIENCE" in desk.get(page).content.decode()
    fields = {"action": "override", "exposure": exposure.exp_id, "field": "obs_type", "reason": "in JSDC"}
    desk.post("/curator", fields | {"value": "calibrator"})
    assert "Calibrator: corrected by a curator (the header says SCIENCE)" in desk.get(page).content.decode()
