"""Rows of a search gathered to templates, observations, or targets and nights."""

from __future__ import annotations

import csv
import io
import json
import re
from array import array
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from obsportal.accounts.access import Visibility
from obsportal.accounts.models import User
from obsportal.exposures import answers, bulk, search, stream
from obsportal.exposures.groups import group_columns, grouped
from obsportal.exposures.groups.group_columns import GROUP_SORTS, Group
from obsportal.exposures.models import CalibratorLink, Exposure, Observation
from obsportal.exposures.versions import bump
from portal import make_exposure, make_target

pytestmark = pytest.mark.django_db

GROUPS = [Group.TEMPLATE, Group.OBSERVATION, Group.TARGET_NIGHT]
COLUMNS = [c.column.name for c in group_columns.COLUMNS]
_keys = count(1)


def make_observation(key: str = "", **values: Any) -> Observation:
    known = {"basis": "block", "interferometer_name": "VLTI", "instrument_name": "GRAVITY"}
    return Observation.objects.create(key=key or f"VLTI.{next(_keys)}.2020-01-26T03:27:45", **known | values)


def link(science: Observation, calibrator: Observation, variant: str = "GRAVITY") -> None:
    CalibratorLink.objects.create(
        science=science,
        calibrator=calibrator,
        instrument_variant=variant,
        basis="time",
        confidence="high",
        score=1,
    )


def found(actor: Any = None, **params: str) -> list[dict[str, Any]]:
    rows, _ = grouped.page_rows(search.parse(params), actor)
    return rows


def one(actor: Any = None, **params: str) -> dict[str, Any]:
    rows = found(actor, **params)
    assert len(rows) == 1
    return rows[0]


def test_an_observation_sums_up_its_exposures():
    observation = make_observation("VLTI.7.2020-01-26T03:27:45")
    made = {"observation": observation, "exp_time": 10.0, "obs_name": "SCI_HD58647"}
    make_exposure(**made, exp_mjd_start=58875.2, exp_mjd_end=58875.3, exp_seeing=0.6, exp_tau0=0.004)
    make_exposure(**made, exp_mjd_start=58875.1, exp_mjd_end=58875.2, exp_seeing=0.9, exp_validation_level=0)
    make_exposure(
        **made,
        exp_mjd_start=58875.4,
        exp_mjd_end=58875.5,
        exp_seeing=None,
        time_counted=False,
        exp_date_updated=datetime(2020, 3, 1, tzinfo=UTC),
        exp_tau0=None,
    )
    row = one(group="observation")
    expected = {
        "group_id": "VLTI.7.2020-01-26T03:27:45",
        "exp_count": 3,
        "exp_mjd_start": 58875.1,
        "exp_mjd_end": 58875.5,
        "exp_time": 20.0,
        "exp_valid_count": 2,
        "exp_seeing": 0.75,
        "exp_tau0": 0.0044838,
        "exp_temperature": 12.3,
        "exp_date_updated": "2020-03-01 00:00:00+00:00",
        "exp_date_release": "2021-01-27 00:00:00+00:00",
        "obs_id": 2728776,
        "obs_name": "SCI_HD58647",
        "obs_type": "science",
        "obs_program": "0104.C-0567(A)",
        "obs_program_title": "",
        "interferometer_stations": "U1 U2 U3 U4",
        "configuration": "UTs",
        "instrument_em_min": 1.9697e-6,
        "target_name": "HD 58647",
        "night": "2020-01-26",
        "calibrators": "",
    }
    assert {name: row[name] for name in expected} == expected


def test_lists_are_distinct_and_in_the_order_of_their_characters_and_a_mixed_type_says_so():
    observation = make_observation()
    for mode, stations, kind in (
        ("b", "K0 A0", "science"), ("B", "A0 G1", "science"), ("á", "", "calibrator"), ("b", "A0 G1", "science"),
        ("a,c", "A0 G1", "science"),
    ):  # fmt: skip
        make_exposure(
            observation=observation,
            instrument_mode=mode,
            interferometer_stations=stations,
            obs_type=kind,
            obs_id=len(mode),
            obs_program_pi_coi=f"PI, {mode}",
        )
    row = one(group="observation")
    assert row["instrument_mode"] == "B, a,c, b, á"
    assert row["interferometer_stations"] == "A0 G1, K0 A0"
    assert row["obs_program_pi_coi"] == "PI, B; PI, a,c; PI, b; PI, á"
    assert (row["obs_type"], row["obs_id"]) == ("mixed", None)


def test_the_target_of_several_is_that_of_the_first_exposure():
    observation = make_observation()
    make_exposure(name="second", ra=10.0, dec=1.0, observation=observation, exp_mjd_start=58875.5)
    make_exposure(name="first", ra=20.0, dec=2.0, observation=observation, exp_mjd_start=58875.4)
    for group in ("observation", "template"):
        row = one(group=group)
        assert (row["target_id"], row["target_name"]) == (make_target("first", 20.0, 2.0).pk, "first")
        assert (row["target_ra"], row["target_dec"]) == (20.0, 2.0)
    assert {row["target_name"] for row in found(group="target-night")} == {"first", "second"}


def test_templates_share_an_observation_by_their_start():
    observation = make_observation("VLTI.7.2020-01-26T03:27:45")
    early, late = (
        datetime(2020, 1, 26, 3, 30, 12, tzinfo=UTC),
        datetime(2020, 1, 26, 4, 0, 0, 500, tzinfo=UTC),
    )
    for start in (early, early, late, None, None, None):
        make_exposure(observation=observation, template_start=start)
    rows = {row["group_id"]: row["exp_count"] for row in found(group="template")}
    assert rows == {
        "VLTI.7.2020-01-26T03:27:45.2020-01-26T03:30:12": 2,
        "VLTI.7.2020-01-26T03:27:45.2020-01-26T04:00:00.000500": 1,
        "VLTI.7.2020-01-26T03:27:45": 3,
    }
    assert one(group="observation")["exp_count"] == 6


@pytest.mark.parametrize("group", ["observation", "template"])
def test_without_an_observation_an_exposure_is_a_group_of_its_own(group: str):
    alone = [make_exposure(), make_exposure()]
    make_exposure(observation=make_observation("VLTI.9"))
    rows = {row["group_id"]: row["exp_count"] for row in found(group=group)}
    assert rows == {"VLTI.9": 1} | {exposure.exp_id: 1 for exposure in alone}


def test_a_target_and_night_are_told_apart_by_interferometer_and_need_a_night():
    target = make_target().pk
    make_exposure(observation=make_observation(), obs_id=1)
    make_exposure(observation=make_observation(), obs_id=2)
    make_exposure(interferometer_name="CHARA")
    make_exposure(night=date(2020, 1, 27))
    unknown = [make_exposure(night=None, exp_mjd_start=None) for _ in range(2)]
    rows = {row["group_id"]: row["exp_count"] for row in found(group="target-night")}
    assert rows == {
        f"{target}.2020-01-26.VLTI": 2,
        f"{target}.2020-01-26.CHARA": 1,
        f"{target}.2020-01-27.VLTI": 1,
        unknown[0].exp_id: 1,
        unknown[1].exp_id: 1,
    }


def test_conditions_choose_exposures_before_they_are_gathered():
    observation = make_observation()
    make_exposure(observation=observation, instrument_mode="LOW-SPLIT", exp_time=1.0)
    make_exposure(observation=observation, exp_time=2.0)
    row = one(group="observation", instrument_mode="HIGH-COMBINED", ra="111.483684", dec="-14.17878")
    assert (row["exp_count"], row["exp_time"], row["instrument_mode"]) == (1, 2.0, "HIGH-COMBINED")


def test_the_exposures_of_every_group_are_found_by_its_address(client: Client):
    observation = make_observation()
    for start in (datetime(2020, 1, 26, 3, 30, 12, tzinfo=UTC), None):
        for _ in range(2):
            make_exposure(observation=observation, template_start=start)
    make_exposure(observation=make_observation(), name="other", ra=1.0, dec=2.0, instrument_mode="LOW-SPLIT")
    make_exposure(interferometer_name="CHARA", instrument_name="PAVO")
    make_exposure(night=None)
    bump("exposures")
    for group in GROUPS:
        for query in ("", "&instrument=GRAVITY", "&instrument_mode=HIGH-COMBINED"):
            page = client.get(f"/search?group={group}{query}")
            assert page.status_code == 200
            rows = page.context["rows"]
            assert rows
            for row in rows:
                ours = client.get(row.exposures.replace("/search?", "/search.csv?"))
                lines = list(csv.DictReader(io.StringIO(ours.content.decode())))
                assert len(lines) == row.values["exp_count"]
                assert client.get(row.page).status_code == 200


def test_calibrators_are_named_once_in_order():
    science, first, second, other = (make_observation() for _ in range(4))
    for observation, name, ra in ((first, "b cal", 50.0), (first, "b cal", 50.0), (second, "a cal", 60.0)):
        make_exposure(observation=observation, name=name, ra=ra, obs_type="calibrator")
    make_exposure(
        observation=other, name="c cal", ra=70.0, obs_type="calibrator", instrument_variant="MATISSE_N"
    )
    make_exposure(observation=science)
    link(science, first)
    link(science, second, "")
    link(science, other, "MATISSE_N")
    for group in GROUPS:
        assert one(group=group, obs_type="science")["calibrators"] == "a cal, b cal"
        rows = found(group=group, obs_type="calibrator")
        assert {row["calibrators"] for row in rows} == {""}


def test_the_calibrators_of_a_night_are_those_of_all_its_observations():
    for name, ra in (("b cal", 50.0), ("a cal", 60.0), ("b cal", 50.0)):
        science, calibrator = make_observation(), make_observation()
        make_exposure(observation=science)
        make_exposure(observation=calibrator, name=name, ra=ra, obs_type="calibrator")
        link(science, calibrator)
    assert one(group="target-night", obs_type="science")["calibrators"] == "a cal, b cal"


def test_protected_exposures_show_in_nothing_the_public_sees():
    observation, hidden = make_observation(), make_observation()
    make_exposure(observation=observation)
    own = {"visibility": Visibility.PROTECTED, "exp_date_updated": datetime(2022, 1, 1, tzinfo=UTC)}
    odd = {"exp_mjd_start": 58000.0, "exp_mjd_end": 59999.0, "exp_seeing": 9.0, "obs_program": "109.SECRET"}
    make_exposure(observation=observation, instrument_mode="LOW-SPLIT", obs_type="calibrator", **own, **odd)
    make_exposure(observation=hidden, name="secret", ra=200.0, obs_type="calibrator", **own)
    link(observation, hidden)
    curator = User.objects.create(username="curator", is_staff=True)
    for group in GROUPS:
        for actor in (None, AnonymousUser(), User(username="x")):
            row = one(actor, group=group)
            assert (row["exp_count"], row["exp_seeing"], row["instrument_mode"]) == (1, 0.71, "HIGH-COMBINED")
            assert (row["exp_mjd_start"] > 58875, row["exp_mjd_end"] < 58900) == (True, True)
            assert (row["obs_type"], row["obs_program"]) == ("science", "0104.C-0567(A)")
            assert (row["calibrators"], row["visibility"]) == ("", "public")
            assert row["exp_date_updated"] == "2020-02-01 12:00:00+00:00"
            assert grouped.count(search.parse({"group": group}), actor) == 1
        rows = found(curator, group=group)
        assert sum(row["exp_count"] for row in rows) == 3
        assert {row["visibility"] for row in rows} == {"protected"}
    seen = one(curator, group="observation", observation=observation.key)
    assert (seen["calibrators"], seen["obs_type"]) == ("secret", "mixed")


def test_the_page_of_the_public_names_no_protected_row(client: Client):
    make_exposure(observation=make_observation(), visibility=Visibility.PROTECTED, name="secret", ra=200.0)
    for group in GROUPS:
        for form in ("votable", "csv", "tsv", "json", "html"):
            assert b"secret" not in client.get(f"/search?group={group}&format={form}").content


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("fields", ["true", "false"])
def test_all_formats_hold_the_same_rows(client: Client, group: str, fields: str):
    from astropy.io.votable import parse

    observation = make_observation()
    make_exposure(observation=observation, exp_seeing=None, obs_name="<&,\"'>", night=date(2020, 2, 2))
    make_exposure(observation=observation, exp_time=None, instrument_mode="LOW-SPLIT")
    make_exposure(ra=None, dec=None, name="nowhere", obs_id=None)
    asked = {"group": group, "all_fields": fields}
    csv_rows = list(csv.DictReader(io.StringIO(client.get("/search.csv", asked).content.decode())))
    tabs = io.StringIO(client.get("/search.tsv", asked).content.decode())
    assert list(csv.DictReader(tabs, delimiter="\t")) == csv_rows
    found_json = json.loads(client.get("/search.json", asked).content)
    names = [c.column.name for c in group_columns.columns(all_fields=fields == "true")]
    assert list(csv_rows[0]) == [field["name"] for field in found_json["fields"]] == names
    for line, row in zip(csv_rows, found_json["data"], strict=True):
        for name, text in line.items():
            value = row[name]
            assert text == "" if value in (None, "") else text == str(value) or float(text) == value
    response = client.get("/search.votable", asked)
    assert response["Content-Type"] == "application/x-votable+xml"
    assert (
        f'<PARAM ID="group" arraysize="*" datatype="unicodeChar" name="group" value="{group}"/>'.encode()
        in (response.content)
    )
    table = parse(io.BytesIO(response.content)).get_first_table()
    assert [field.name for field in table.fields] == names
    for line, cells in zip(csv_rows, table.array, strict=True):
        assert (str(cells["group_id"]), int(cells["exp_count"])) == (line["group_id"], int(line["exp_count"]))
        assert float(cells["exp_mjd_start"]) == float(line["exp_mjd_start"])
    units = {field.name: str(field.unit or "") for field in table.fields}
    assert (units["exp_time"], units["exp_tau0"], units["target_ra"]) == ("s", "s", "deg")


def test_pyvo_reads_a_grouped_answer(client: Client):
    from astropy.io.votable import parse
    from pyvo.dal import DALResults

    make_exposure(observation=make_observation("VLTI.9"))
    results = DALResults(parse(io.BytesIO(client.get("/search.votable?group=observation").content)))
    assert results["group_id"].tolist() == ["VLTI.9"]


@pytest.mark.parametrize("form", ["votable", "csv", "tsv", "json"])
@pytest.mark.parametrize("group", GROUPS)
def test_nothing_found_is_a_valid_empty_answer(client: Client, form: str, group: str):
    for query in ("", "&limit=10&page=3"):
        response = client.get(f"/search.{form}?group={group}{query}")
        assert response.status_code == 200
        assert b"group_id" in response.content


@pytest.mark.parametrize("form", ["votable", "json", "csv", "html"])
@pytest.mark.parametrize(
    ("query", "word"),
    [("group=night", "allowed are exposure, template, observation, target-night"),
     ("group=observation&sort=exp_id", "exp_count"), ("sort=exp_count", "exp_id"),
     ("group=target-night&sort=group_id", "allowed are exp_mjd_start")],
)  # fmt: skip
def test_a_wrong_value_is_answered_400_in_the_format_asked_for(
    client: Client, form: str, query: str, word: str
):
    response = client.get(f"/search?{query}&format={form}")
    assert response.status_code == 400
    assert word in response.content.decode()


def test_an_answer_without_group_is_that_of_exposures(client: Client):
    make_exposure(observation=make_observation())
    plain = client.get("/search.votable").content
    assert client.get("/search.votable?group=exposure").content == plain
    assert client.get("/search.votable?group=").content == plain
    assert b"group" not in plain


def test_an_unchanged_answer_is_304_and_a_grouped_one_another(client: Client):
    make_exposure(observation=make_observation())
    bump("exposures")
    tag = client.get("/search.csv?group=observation")["ETag"]
    again = {"If-None-Match": tag}
    assert client.get("/search.csv?group=observation", headers=again).status_code == 304
    assert client.get("/search.csv?group=template", headers=again).status_code == 200
    assert client.get("/search.csv", headers=again).status_code == 200
    bump("exposures")
    assert client.get("/search.csv?group=observation", headers=again).status_code == 200


@pytest.fixture
def varied() -> None:
    """Exposures of all kinds of groups, with ties and gaps."""
    observations = [make_observation() for _ in range(4)]
    starts = [None, datetime(2020, 1, 26, 3, 30, tzinfo=UTC), datetime(2020, 1, 26, 4, tzinfo=UTC)]
    for i in range(30):
        make_exposure(
            name=f"star {i % 3}",
            ra=10.0 + i % 3,
            dec=5.0,
            observation=observations[i % 5] if i % 5 < 4 else None,
            template_start=starts[i % 3],
            night=date(2020, 1, 26 + i % 2) if i % 7 else None,
            interferometer_name="CHARA" if i % 4 == 3 else "VLTI",
            instrument_name="PIONIER" if i % 6 == 0 else "GRAVITY",
            obs_type="calibrator" if i % 5 == 0 else "science",
            exp_validation_level=i % 2,
            exp_seeing=None if i % 8 == 0 else i % 4 / 4,
            obs_program=f"0104.C-056{i % 2}(A)",
            exp_mjd_start=None if i == 11 else 58875.0 + i % 9 / 10,
            visibility=Visibility.PROTECTED if i % 10 == 9 else Visibility.PUBLIC,
        )


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize(
    "sort", [*GROUP_SORTS, *(f"-{name}" for name in GROUP_SORTS), "obs_program,-exp_count"]
)
def test_pages_walk_through_the_whole_answer_once(varied: None, group: Group, sort: str):
    asked = {"group": group, "sort": sort}
    whole = found(**asked)
    walked = [row for page in "1234567" for row in found(**asked, limit="5", page=page)]
    assert walked == whole
    assert len({row["group_id"] for row in whole}) == len(whole) == grouped.count(search.parse(asked), None)
    name = sort.split(",")[0].removeprefix("-")
    values = [row[name] for row in whole if row[name] is not None]
    if not isinstance(values[0], str):
        assert values == sorted(values, reverse=sort.startswith("-"))
    assert all(row[name] is None for row in whole[len(values) :])


conditions = st.fixed_dictionaries(
    {},
    optional={
        "instrument": st.sampled_from(["GRAVITY", "PIONIER", "GRAVITY,PIONIER", "MIDI"]),
        "interferometer": st.sampled_from(["VLTI", "CHARA"]),
        "obs_type": st.sampled_from(["science", "calibrator"]),
        "valid": st.sampled_from(["true", "false"]),
        "night": st.sampled_from(["2020-01-26", "2020-01-27"]),
        "target_name": st.sampled_from(["star 1", "star*", "STAR_2"]),
        "program_id": st.sampled_from(["0104.C-0560", "0104.C-0561(A)", "0104*"]),
        "mjd_from": st.sampled_from(["58875.2", "58875.55"]),
        "template_start": st.sampled_from(["none", "2020-01-26T03:30:00"]),
    },
)


@given(
    params=conditions, ra=st.none() | st.floats(9.9, 12.1), radius=st.integers(1, 6000), curator=st.booleans()
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_groups_hold_each_exposure_found_once(
    varied: None, params: dict[str, str], ra: float | None, radius: int, curator: bool
):
    actor = User(username="curator", is_staff=True) if curator else None
    if ra is not None:
        params = params | {"ra": str(ra), "dec": "5", "radius": str(radius)}
    total = search.parse(params).exposures(actor).count()
    valid = search.parse(params).exposures(actor).filter(exp_validation_level=1).count()
    for group in GROUPS:
        rows = found(actor, group=group, **params)
        assert sum(row["exp_count"] for row in rows) == total
        assert sum(row["exp_valid_count"] for row in rows) == valid
        assert grouped.count(search.parse({"group": group} | params), actor) == len(rows)
        assert search.parse({"group": group} | params).exposures(actor).count() == total


def fill(number: int) -> None:
    """So many exposures, two to an observation."""
    model = make_exposure()
    first = {
        f.attname: getattr(model, f.attname) for f in Exposure._meta.concrete_fields if f.attname != "id"
    }
    Observation.objects.bulk_create(
        Observation(key=f"VLTI.{i}", basis="block", interferometer_name="VLTI", instrument_name="GRAVITY")
        for i in range(number // 2)
    )
    keys = list(Observation.objects.order_by("pk").values_list("pk", flat=True))
    bulk.insert(
        Exposure,
        [
            first | {
                "exp_id": f"E{i}_1", "observation_id": keys[i // 2], "exp_mjd_start": 50000.0 + i,
                "exp_tau0": None if i < 40 else 0.004, "obs_id": None if i % 4 < 2 else i // 2,
                "exp_date_release": None if i < 5 else first["exp_date_release"],
                "instrument_mode": "LOW-SPLIT" if i % 6 == 0 else "HIGH-COMBINED",
            }
            for i in range(number)
        ],
    )  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_a_large_answer_is_streamed_and_equal_to_its_pages(client: Client, monkeypatch: pytest.MonkeyPatch):
    fill(2 * stream.SMALL + 200)
    monkeypatch.setattr(answers, "WHOLE", 100_000)
    total = stream.SMALL + 101
    asked = "/search.csv?group=observation&sort=exp_mjd_start"
    whole = client.get(asked)
    assert whole.streaming
    rows = list(csv.DictReader(io.StringIO(b"".join(whole.streaming_content).decode())))
    assert len(rows) == total
    pages = []
    for page in range(1, 4):
        text = b"".join(client.get(f"{asked}&limit=1000&page={page}")).decode()
        pages += list(csv.DictReader(io.StringIO(text)))
    assert pages == rows
    monkeypatch.setattr(grouped, "MANY", 500)
    text = b"".join(client.get(f"{asked}&limit=600&page=2"))
    assert list(csv.DictReader(io.StringIO(text.decode()))) == rows[600:1200]
    assert rows[3]["instrument_mode"] == "HIGH-COMBINED, LOW-SPLIT"


def test_the_order_of_a_long_list_is_kept_until_the_exposures_change(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(grouped, "MANY", 2)
    for _ in range(4):
        make_exposure()
    bump("exposures")
    asked = search.parse({"group": "observation"})
    first = grouped.keys(asked, None)
    assert isinstance(first, array)
    make_exposure()
    assert grouped.keys(asked, None) is first
    bump("exposures")
    assert len(grouped.keys(asked, None)) == 5


def test_the_search_page_switches_groups_and_keeps_the_conditions(client: Client):
    observation = make_observation("VLTI.9")
    make_exposure(observation=observation)
    make_exposure(observation=observation, exp_validation_level=0)
    bump("exposures")
    page = client.get("/search?group=observation&instrument=GRAVITY&sort=-exp_count")
    text = page.content.decode()
    assert "<h1>Observations</h1>" in text
    assert re.search(r"<strong>1</strong> observation, 2 exposures", text)
    assert "1 with errors" in text
    assert "Numbers beside the filters count exposures." in text
    links = {way.label: way.link for way in page.context["switches"]}
    assert links == {
        "Exposures": "?instrument=GRAVITY",
        "Templates": "?group=template&instrument=GRAVITY&sort=-exp_count",
        "Observations": "?group=observation&instrument=GRAVITY&sort=-exp_count",
        "Targets and nights": "?group=target-night&instrument=GRAVITY&sort=-exp_count",
    }
    assert '<input type="hidden" name="group" value="observation">' in text
    assert "group=observation" in next(head.link for head in page.context["heads"] if head.sort)


def test_the_plain_search_page_offers_the_switch(client: Client):
    make_exposure()
    bump("exposures")
    text = client.get("/search").content.decode()
    assert '<a href="?group=target-night"' in text
    assert "<h1>Exposures</h1>" in text


def test_the_documentation_says_what_the_columns_are():
    text = (Path(__file__).resolve().parents[3] / "docs" / "api.md").read_text()
    for published in group_columns.COLUMNS:
        column = published.column
        assert f"| `{column.name}` | {column.description} | {column.unit} | {column.ucd} |" in text
    assert all(f"`{group}`" in text for group in Group)
    assert all(f"`{name}`" in text for name in GROUP_SORTS)
