"""Acknowledgements of a selection."""

from __future__ import annotations

import json
from datetime import date

import pytest
from django.test import Client

from obsportal.accounts.models import User
from obsportal.exposures.search import parse
from obsportal.exposures.takeaway.citation import NAMED, citation, for_programmes
from portal import make_exposure

HERE = "https://portal.example/"
DAY = date(2026, 5, 4)


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        (["A"], "under ESO programme A."),
        (["A", "B"], "under ESO programmes A and B."),
        (["A", "B", "C"], "under ESO programmes A, B and C."),
        ([], "at the European Southern Observatory."),
    ],
)
def test_the_programmes_are_named(runs: list[str], said: str):
    sentence = for_programmes({"VLTI"}, runs, HERE, DAY, HERE).observatories[0]
    assert sentence.startswith("Based on observations collected at the European Southern Observatory")
    assert sentence.endswith(said)


def test_very_many_programmes_are_counted():
    found = for_programmes({"VLTI"}, [f"P{i:04}" for i in range(NAMED + 7)], HERE, DAY, HERE)
    assert found.unnamed == 7
    assert found.observatories[0].endswith(f"P{NAMED - 1:04} and 7 more.")
    assert len(found.programmes) == NAMED + 7


def test_chara_is_acknowledged_with_its_own_page_and_the_portal_with_address_and_date():
    found = for_programmes({"CHARA", "VLTI"}, ["A"], f"{HERE}search?instrument=SPICA", DAY, HERE)
    assert any("CHARA Array" in s and "chara.gsu.edu" in s for s in found.observatories)
    assert f"({HERE}), consulted on 2026-05-04" in found.portal
    assert "search?instrument=SPICA" in found.portal
    assert found.bibtex.count("{") == found.bibtex.count("}")


@pytest.mark.django_db
def test_only_programmes_the_reader_may_see_are_named():
    make_exposure()
    make_exposure(obs_program="60.A-9999(X)", visibility="protected")
    assert citation(parse({}), None, HERE).programmes == ("0104.C-0567(A)",)
    staff = User.objects.create(username="c", is_staff=True)
    assert citation(parse({}), staff, HERE).programmes == ("0104.C-0567(A)", "60.A-9999(X)")


@pytest.mark.django_db
def test_the_page_and_its_data(client: Client):
    make_exposure()
    html = client.get("/cite?instrument=GRAVITY").content.decode()
    assert "under ESO programme 0104.C-0567(A)." in html
    assert "@misc{obsportal" in html
    found = json.loads(client.get("/cite?instrument=GRAVITY&format=json").content)
    assert found["programmes"] == ["0104.C-0567(A)"]
    assert "http://testserver/search?instrument=GRAVITY" in found["sentences"][-1]
    assert client.get("/cite?ra=999&dec=1").status_code == 400


@pytest.mark.django_db
def test_data_answers_say_where_their_acknowledgement_stands(client: Client):
    make_exposure()
    assert client.get("/search.csv?instrument=GRAVITY")["Link"] == '</cite?instrument=GRAVITY>; rel="cite-as"'
    long = client.post("/search.csv", {"target_name": "x" * 5000})
    assert long["Link"] == '</cite>; rel="cite-as"'
    wicked = client.get("/search.csv", {"target_name": 'x>\r\nSet-Cookie: a=b; "'})
    assert wicked["Link"].count(">") == 1
    assert "\n" not in wicked["Link"]
