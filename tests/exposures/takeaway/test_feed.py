"""Atom feeds of searches."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree

import pytest
from django.test import Client

from obsportal.accounts.models import User
from obsportal.exposures import versions
from obsportal.exposures.models import Observation
from obsportal.exposures.search import parse
from obsportal.exposures.takeaway import feed
from portal import make_exposure

pytestmark = pytest.mark.django_db
ATOM = "{http://www.w3.org/2005/Atom}"
DAY = datetime(2024, 1, 1, tzinfo=UTC)


def observation(key: str) -> Observation:
    return Observation.objects.create(
        key=key, basis="block", interferometer_name="VLTI", instrument_name="GRAVITY", night=date(2020, 1, 26)
    )


def checked(body: bytes) -> ElementTree.Element:
    """The feed, after what RFC 4287 demands of it."""
    root = ElementTree.fromstring(body)
    assert root.tag == f"{ATOM}feed"
    assert root.find(f"{ATOM}author/{ATOM}name") is not None
    entries = root.findall(f"{ATOM}entry")
    for element in (root, *entries):
        for name in ("id", "title", "updated"):
            found = element.findall(f"{ATOM}{name}")
            assert len(found) == 1
            assert found[0].text
        identifier = element.findtext(f"{ATOM}id") or ""
        assert identifier.startswith("tag:local.obsportal,2026:")
        assert not set(' <>"{}|\\^`\n') & set(identifier)
        assert datetime.fromisoformat(
            (element.findtext(f"{ATOM}updated") or "").replace("Z", "+00:00")
        ).tzinfo
        for link in element.findall(f"{ATOM}link"):
            assert link.get("href", "").startswith("http://testserver/")
    assert len({link.get("rel") for link in root.findall(f"{ATOM}link")}) == 2
    assert len({e.findtext(f"{ATOM}id") for e in entries}) == len(entries)
    return root


def test_an_entry_is_an_observation_and_the_last_changed_comes_first(client: Client):
    old, new = observation("VLTI.1.2020-01-26T03:27:45"), observation("VLTI.2.2020-01-26T05:00:00")
    make_exposure(observation=old, exp_date_updated=DAY)
    make_exposure(observation=new, exp_date_updated=DAY + timedelta(days=1), name='<"A & B">', ra=10.0)
    make_exposure(observation=new, exp_date_updated=DAY + timedelta(days=2), name='<"A & B">', ra=10.0)
    make_exposure(exp_id="alone 1", exp_date_updated=DAY - timedelta(days=9))
    response = client.get("/search.atom?instrument=GRAVITY")
    assert response["Content-Type"] == "application/atom+xml; charset=utf-8"
    root = checked(response.content)
    entries = root.findall(f"{ATOM}entry")
    assert [e.findtext(f"{ATOM}id") for e in entries] == [
        "tag:local.obsportal,2026:observation/VLTI.2.2020-01-26T05:00:00",
        "tag:local.obsportal,2026:observation/VLTI.1.2020-01-26T03:27:45",
        "tag:local.obsportal,2026:exposure/alone%201",
    ]
    assert (entries[0].findtext(f"{ATOM}title") or "").startswith('<"A & B">: GRAVITY')
    assert (entries[0].findtext(f"{ATOM}summary") or "").startswith("2 exposures (science)")
    assert entries[0].findtext(f"{ATOM}updated") == root.findtext(f"{ATOM}updated") == "2024-01-03T00:00:00Z"
    for entry in entries:
        link = entry.find(f"{ATOM}link")
        assert link is not None
        assert client.get(link.get("href", "").removeprefix("http://testserver")).status_code == 200


def test_only_what_meets_the_search_is_told(client: Client):
    make_exposure(observation=observation("A"))
    make_exposure(observation=observation("B"), instrument_name="PIONIER")
    root = checked(client.get("/search.atom?instrument=PIONIER").content)
    assert [e.findtext(f"{ATOM}title", "") for e in root.findall(f"{ATOM}entry")] == [
        "HD 58647: PIONIER, night of 2020-01-26"
    ]


def test_a_feed_is_as_long_as_it_may_be_and_complete_in_its_entries():
    for i in range(5):
        one = observation(str(i))
        for _ in range(2):
            make_exposure(observation=one, exp_date_updated=DAY + timedelta(days=i))
    found = feed.entries(parse({}), None, most=3)
    assert [entry.key for entry in found] == ["observation/4", "observation/3", "observation/2"]
    assert all("2 exposures" in entry.summary for entry in found)


def test_protected_exposures_show_in_no_entry(client: Client):
    one = observation("A")
    make_exposure(observation=one, exp_date_updated=DAY)
    make_exposure(observation=one, exp_date_updated=DAY + timedelta(days=5), visibility="protected",
                  instrument_mode="SECRET")  # fmt: skip
    make_exposure(observation=observation("B"), visibility="protected")
    (entry,) = feed.entries(parse({}), None)
    assert entry.updated == DAY
    assert "1 exposure " in entry.summary
    assert "SECRET" not in entry.summary
    assert len(feed.entries(parse({}), User.objects.create(username="c", is_staff=True))) == 2


def test_an_unchanged_feed_is_not_sent_again(client: Client):
    make_exposure()
    first = client.get("/search.atom")
    again = client.get("/search.atom", headers={"if-none-match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    versions.bump("exposures")
    assert client.get("/search.atom", headers={"if-none-match": first["ETag"]}).status_code == 200


def test_an_empty_feed_is_valid_and_a_wrong_value_refused(client: Client):
    assert checked(client.get("/search.atom?target_name=nothing").content).findall(f"{ATOM}entry") == []
    assert client.get("/search.atom?ra=999&dec=1").status_code == 400


def test_the_search_page_names_its_feed(client: Client):
    make_exposure()
    html = client.get("/search?instrument=GRAVITY&page=1").content.decode()
    assert 'type="application/atom+xml"' in html
    assert 'href="http://testserver/search.atom?instrument=GRAVITY"' in html
