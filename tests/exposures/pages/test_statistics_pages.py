"""The statistics page: the table per instrument, the drawings, and who sees what."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st
from young_stars import make_young_stars

from obsportal.accounts.access import Visibility
from obsportal.exposures.models import RefusedHeader
from obsportal.exposures.pages.statistics_pages import OTHERS, fewer
from obsportal.exposures.plots import bars
from obsportal.exposures.versions import bump
from portal import make_exposure

SVG = "{http://www.w3.org/2000/svg}"


def found(client: Client) -> dict:  # type: ignore[type-arg]
    return dict(json.loads(client.get("/statistics.json").content))


def refuse(header_id: str, **values: object) -> None:
    now = datetime(2020, 2, 1, tzinfo=UTC)
    given = {"code": "not-on-sky", "reason": "DPR TYPE is DARK", "instrument_name": "GRAVITY", **values}
    RefusedHeader.objects.create(header_id=header_id, source="x", first_seen=now, last_seen=now, **given)


@pytest.mark.django_db
def test_each_instrument_is_counted(client: Client):
    make_young_stars()
    make_exposure(instrument_name="GRAVITY", exp_validation_level=0, exp_header_id="H", exp_mjd_start=58875.2)
    make_exposure(instrument_name="GRAVITY", exp_header_id="H", exp_mjd_start=None, night=None)
    bump("exposures")
    rows = {row["instrument_name"]: row for row in found(client)["instruments"]}
    assert list(rows) == ["PIONIER", "GRAVITY", "MATISSE"]
    gravity = rows["GRAVITY"]
    assert (gravity["exposures"], gravity["headers"], gravity["valid"]) == (10, 9, 9)
    assert (gravity["targets"], gravity["observations"]) == (3, 4)
    assert gravity["valid_percent"] == 90.0
    assert (gravity["first_date"], gravity["last_date"]) == ("2017-06-13", "2020-01-27")
    assert gravity["last_modified"].startswith("2020-02-01T12:00")
    total = found(client)["total"]
    assert (total["exposures"], total["targets"], total["observations"]) == (29, 4, 10)


@pytest.mark.django_db
def test_sums_by_year_configuration_and_type_agree_with_the_total(client: Client):
    make_young_stars()
    make_exposure(exp_mjd_start=None, configuration="")
    bump("exposures")
    document = found(client)
    for name in ("years", "configurations", "types"):
        assert sum(n for counts in document[name].values() for n in counts.values()) == 28, name
    assert list(document["years"]) == ["2017", "2018", "2019", "unknown"]
    assert document["years"]["2018"] == {}
    assert list(document["configurations"])[-1] == "unknown"


@pytest.mark.django_db
def test_the_year_of_an_exposure_is_that_of_its_start_in_utc(client: Client):
    new_year = 58849.0  # 2020-01-01T00:00
    make_exposure(exp_mjd_start=new_year - 1e-6)
    make_exposure(exp_mjd_start=new_year)
    bump("exposures")
    assert found(client)["years"] == {"2019": {"GRAVITY": 1}, "2020": {"GRAVITY": 1}}


@pytest.mark.django_db
def test_protected_rows_count_for_curators_alone(client: Client, curator: Client):
    make_young_stars()
    refuse("A")
    refuse("B", visibility=Visibility.PROTECTED, code="secret-code")
    public, whole = found(client), found(curator)
    assert (public["total"]["exposures"], whole["total"]["exposures"]) == (27, 34)
    assert (public["total"]["observations"], whole["total"]["observations"]) == (10, 12)
    assert (public["total"]["refused"], whole["total"]["refused"]) == (1, 2)
    assert "secret-code" not in client.get("/statistics").content.decode()
    assert "secret-code" in curator.get("/statistics").content.decode()
    for form in ("csv", "tsv", "votable", "json"):
        assert client.get(f"/statistics.{form}").content != curator.get(f"/statistics.{form}").content


@pytest.mark.django_db
def test_counts_are_kept_until_the_exposures_change(client: Client):
    make_young_stars()
    client.get("/statistics")
    with CaptureQueriesContext(
        connection,
    ) as asked:
        client.get("/statistics")
    assert len(asked) <= 6
    assert not any("exposures_exposure" in query["sql"] for query in asked)
    make_exposure(instrument_name="MIDI")
    bump("exposures")
    assert "MIDI" in client.get("/statistics").content.decode()


@pytest.mark.django_db
def test_a_refusal_counts_at_once(client: Client):
    make_young_stars()
    client.get("/statistics")
    refuse("A")
    assert found(client)["refused"] == [{"code": "not-on-sky", "headers": 1}]
    assert 'href="/refused?code=not-on-sky"' in client.get("/statistics").content.decode()


@pytest.mark.django_db
def test_every_format_holds_the_same_table(client: Client):
    make_young_stars()
    rows = list(csv.DictReader(io.StringIO(client.get("/statistics.csv").content.decode())))
    document = found(client)["instruments"]
    assert [(r["instrument_name"], int(r["exposures"])) for r in rows] == [
        (r["instrument_name"], r["exposures"]) for r in document
    ]
    assert client.get("/statistics?format=csv").content == client.get("/statistics.csv").content
    votable = ElementTree.fromstring(client.get("/statistics.votable").content)
    assert len([e for e in votable.iter() if e.tag.endswith("}TR")]) == len(document)
    assert client.get("/statistics?format=xml").status_code == 400


@pytest.mark.django_db
def test_each_number_of_a_drawing_leads_to_its_search(client: Client):
    make_young_stars()
    page = client.get("/statistics").content.decode()
    assert page.count("<h1") == 1
    assert page.count('class="bar-plot"') == 3
    links = re.findall(r'<td class="number"><a href="(/search\?[^"]*)">(\d+)</a>', page)
    assert len(links) > 10
    for address, count in links:
        answer = client.get(address.replace("&amp;", "&").replace("/search", "/search.csv")).content.decode()
        assert len(answer.strip().splitlines()) - 1 == int(count), address


@pytest.mark.django_db
def test_an_empty_portal_has_statistics(client: Client):
    assert "Nothing to count yet" in client.get("/statistics").content.decode()
    for form in ("csv", "json", "votable", "tsv"):
        assert client.get(f"/statistics.{form}").status_code == 200


def test_what_follows_the_most_frequent_is_joined():
    counts = {"a": {"x": 3}, "b": {"x": 2}, "c": {"x": 1, "y": 1}, "unknown": {"y": 9}}
    assert fewer(counts, 1) == {"a": {"x": 3}, OTHERS: {"x": 3, "y": 1}, "unknown": {"y": 9}}
    assert fewer(counts, 3) == counts


numbers = st.lists(st.integers(0, 10**6), min_size=1, max_size=30)


@given(numbers, st.text(min_size=1, max_size=8))
@pytest.mark.parametrize("draw", [bars.upright, bars.lying])
def test_a_drawing_has_a_bar_for_each_number_and_stays_inside(draw: object, values: list[int], label: str):
    series = [bars.Series("one", "#123456", tuple(values)), bars.Series("two", "#654321", tuple(values))]
    label = "".join(c for c in label if c.isprintable())
    picture = ElementTree.fromstring(draw("Title <&>", [label] * len(values), series))  # type: ignore[operator]
    wide, tall = (float(n) for n in picture.attrib["viewBox"].split()[2:])
    drawn = [r for r in picture.iter(f"{SVG}rect") if r.find(f"{SVG}title") is not None]
    assert len(drawn) == 2 * sum(v > 0 for v in values)
    for bar in drawn:
        assert 0 <= float(bar.attrib["x"]) <= wide - float(bar.attrib["width"]) + 0.2
        assert -0.1 <= float(bar.attrib["y"]) <= tall - float(bar.attrib["height"]) + 0.2


def test_an_instrument_keeps_its_colour():
    names = [f"instrument {k}" for k in range(14)]
    assert bars.shades(names) == bars.shades(dict.fromkeys(names))
    assert len(set(list(bars.shades(names).values())[:10])) == 10
