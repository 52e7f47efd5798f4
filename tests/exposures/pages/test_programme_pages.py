"""The page of a programme and of a run, in every format, for the public and for curators."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from young_stars import ROOTS, make_young_stars

from obsportal.accounts.access import Visibility
from obsportal.exposures import programme_id
from obsportal.exposures.pages import programmes
from obsportal.exposures.pages.programmes import Row, people, summed
from obsportal.exposures.search import parse
from obsportal.exposures.versions import bump
from portal import make_exposure

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NASTY = '<script>alert("x")</script>'


def text(client: Client, address: str, status: int = 200) -> str:
    response = client.get(address)
    assert response.status_code == status, response.content[:300]
    page = response.content.decode()
    assert page.count("<h1") == 1
    return page


def plain(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


@pytest.mark.parametrize(
    ("known", "listed"),
    [
        (["0103.C-0347(A)"], ["0103.C-0347(A)"]),
        (["0103.C-0347(D)", "0103.C-0347(B)"], [f"0103.C-0347({letter})" for letter in "ABCD"]),
        (["105.20FU.003"], ["105.20FU.001", "105.20FU.002", "105.20FU.003"]),
        (["V3"], ["V3"]),
        (["0103.C-0347", "0103.C-0347(B)"], ["0103.C-0347", "0103.C-0347(A)", "0103.C-0347(B)"]),
        (["105.20FU.900", "105.20FU.002"], ["105.20FU.002", "105.20FU.900"]),
        ([], []),
    ],
)
def test_runs_are_listed_from_the_first_to_the_last_known(known: list[str], listed: list[str]):
    root = programme_id.program_root(known[0]) if known else "0103.C-0347"
    assert programme_id.runs_up_to_last(root, known) == listed


@given(st.integers(1, 700))
def test_the_number_of_a_run_and_its_name_agree(number: int):
    assert programme_id.run_number(programme_id.run_name("0103.C-0347", number)) == number
    assert programme_id.run_number(programme_id.run_name("105.20FU", number)) == number


@given(st.lists(st.integers(1, 60), unique=True), st.sampled_from(["0103.C-0347", "105.20FU"]))
def test_every_known_run_is_listed_once_and_in_order(numbers: list[int], root: str):
    known = [programme_id.run_name(root, n) for n in numbers]
    listed = programme_id.runs_up_to_last(root, known)
    assert set(known) <= set(listed)
    assert [programme_id.run_number(run) for run in listed] == list(range(1, max(numbers, default=0) + 1))


@pytest.mark.parametrize(
    ("identifier", "period"),
    [
        ("0103.C-0347(B)", 103),
        ("099.C-0667", 99),
        ("100.C-0278", 100),
        ("73.D-0012(A)", 73),
        ("194.C-0749(A)", 94),
        ("2103.C-5023(A)", 103),
        ("105.20FU.002", 105),
        ("60.A-9257(E)", None),
        ("V3", None),
    ],
)
def test_the_period_is_read_from_the_identifier(identifier: str, period: int | None):
    assert programme_id.period_of(identifier) == period


@pytest.mark.parametrize(
    ("period", "months"),
    [(103, "April to September 2019"), (104, "October 2019 to March 2020"), (99, "April to September 2017")],
)
def test_a_period_is_a_half_year(period: int, months: str):
    assert programme_id.period_months(period) == months


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ("BERGER/ KLUSKA/ KRAUS", ("BERGER", "KLUSKA", "KRAUS")),
        ("BERGER", ("BERGER",)),
        ("UNKNOWN", ()),
        (" / /", ()),
        ("A/ A/ B", ("A", "B")),
    ],
)
def test_investigators_are_told_apart(said: str, names: tuple[str, ...]):
    assert people(said) == names


def row(**values: object) -> Row:
    given = {
        "obs_program": "0103.C-0347(A)",
        "obs_program_title": "Discs",
        "obs_program_pi_coi": "BERGER/ KLUSKA",
        "obs_type": "science",
        "technical": False,
        "authority": "eso.org",
        "visibility": "public",
        "exp_mjd_start": 58600.1,
        "exp_time": 100.0,
        "time_counted": True,
        "night": None,
        "exp_validation_level": 1,
        "exp_date_release": None,
        "interferometer_name": "VLTI",
        "instrument_name": "GRAVITY",
        "configuration": "UTs",
        "target_id": 1,
        "observation_id": None,
    }
    return Row(**{**given, **values})  # type: ignore[arg-type]


def test_a_shutter_opening_that_two_files_tell_is_counted_once_in_time():
    sums = summed([row(), row(time_counted=False), row(exp_time=None)], NOW)
    assert (sums.whole.exposures, sums.whole.seconds) == (3, 100.0)


@pytest.mark.parametrize(
    ("releases", "words"),
    [
        ([None], ""),
        ([datetime(2020, 1, 1, tzinfo=UTC)], "public"),
        ([datetime(2027, 3, 4, tzinfo=UTC)], "proprietary until 2027-03-04"),
        (
            [datetime(2020, 1, 1, tzinfo=UTC), datetime(2027, 3, 4, tzinfo=UTC)],
            "1 proprietary until 2027-03-04",
        ),
        ([datetime(2020, 1, 1, tzinfo=UTC), None], "1 public"),
    ],
)
def test_the_release_is_said_in_words(releases: list[datetime | None], words: str):
    assert summed([row(exp_date_release=at) for at in releases], NOW).whole.release_words == words


@given(st.permutations([("A", 1), ("A", 2), ("B", 1), ("B", 2), ("C", 3)]))
def test_sums_do_not_depend_on_the_order_of_exposures(order: list[tuple[str, int]]):
    def made(items: list[tuple[str, int]]) -> programmes.Sums:
        return summed([row(obs_program=run, target_id=target) for run, target in items], NOW)

    assert made(order) == made(sorted(order))


@pytest.mark.django_db
@pytest.mark.parametrize("root", ROOTS)
def test_a_young_star_programme_is_found_by_root_by_run_and_by_star(client: Client, root: str):
    make_young_stars()
    page = text(client, f"/programme/{root}")
    assert f"<h1>{root}</h1>" in page
    assert f'href="/programme/{root}(A)"' in page
    assert f'href="/programme/{root}"' in text(client, f"/programme/{root}(A)")
    assert client.get("/", {"q": root})["Location"] == f"/programme/{root}"
    assert client.get("/", {"q": f"{root.lower()}(a)"})["Location"] == f"/programme/{root}(A)"
    assert client.get("/", {"q": f"{root}*"})["Location"] == f"/search?program_id={quote(root)}%2A"
    by_root = parse({"program_id": root}).exposures(None)
    by_star = parse({"program_id": f"{root}*"}).exposures(None)
    by_run = parse({"program_id": f"{root}(A)"}).exposures(None)
    assert (
        by_root.count()
        == by_star.count()
        == json.loads(client.get(f"/programme/{root}?format=json").content)["exposures"]
    )
    assert 0 < by_run.count() <= by_root.count()


@pytest.mark.django_db
def test_all_runs_are_listed_also_those_without_data(client: Client):
    make_young_stars()
    page = text(client, "/programme/0103.C-0347")
    table = page[page.index('id="runs"') : page.index('id="targets"')]
    assert re.findall(r">0103\.C-0347(\([A-Z]\))<", table) == ["(A)", "(B)", "(C)", "(D)"]
    assert plain(table).count("no exposures here") == 1
    runs = json.loads(client.get("/programme/0103.C-0347?format=json").content)["runs"]
    assert [(run["program_id"][-3:], run["exposures"]) for run in runs] == [
        ("(A)", 4), ("(B)", 0), ("(C)", 5), ("(D)", 2),
    ]  # fmt: skip


@pytest.mark.django_db
def test_a_programme_tells_who_what_when_and_with_what(client: Client):
    make_young_stars()
    words = plain(text(client, "/programme/0103.C-0347"))
    assert "Discs of Herbig stars through their life" in words
    assert "Principal investigator BERGER" in words
    assert "Co-investigators KLUSKA, KRAUS" in words
    assert "P103 April to September 2019" in words
    assert "11 in 4 observations, 100 % without errors" in words
    assert "Integration 55 min" in words
    assert "2, 2019-05-12 to 2019-05-14" in words
    assert "public" in words
    for other in ("099.C-0667", "100.C-0278", "0102.C-0408"):
        assert other in words


@pytest.mark.django_db
def test_targets_come_with_the_calibrators_linked_to_them(client: Client):
    make_young_stars()
    found = json.loads(client.get("/programme/0103.C-0347?format=json").content)
    assert [(t["target_name"], t["exposures"]) for t in found["science"]] == [
        ("V856 Sco", 7),
        ("HD 58647", 3),
    ]
    by_name = {t["target_name"]: [c["target_name"] for c in t["calibrators"]] for t in found["science"]}
    assert by_name == {"V856 Sco": [], "HD 58647": ["HD 57939"]}
    assert [t["target_name"] for t in found["calibrators"]] == ["HD 57939"]
    assert [n["night"] for n in found["nights"]] == ["2019-05-14", "2019-05-12"]


@pytest.mark.django_db
def test_a_run_is_its_programme_narrowed(client: Client):
    make_young_stars()
    page = text(client, "/programme/0103.C-0347(C)")
    assert 'href="/programme/0103.C-0347"' in page
    assert "MATISSE" in page
    assert "PIONIER" not in page
    assert "/search?program_id=0103.C-0347%28C%29" in page


@pytest.mark.django_db
@pytest.mark.parametrize("run", ["0103.C-0347(B)", "0103.C-0347(F)", "0103.C-0347(Z)"])
def test_a_run_without_visible_exposures_says_so_and_leads_to_its_programme(client: Client, run: str):
    make_young_stars()
    page = text(client, f"/programme/{run}")
    assert "No exposures of this run are here" in page
    assert 'href="/programme/0103.C-0347"' in page
    assert "HD 45677" not in page


@pytest.mark.django_db
def test_protected_runs_show_to_curators_alone(client: Client, curator: Client):
    make_young_stars()
    for address in ("/programme/0103.C-0347", "/programme/0103.C-0347?format=json"):
        answer = client.get(address).content.decode()
        for secret in ("0103.C-0347(F)", "0103.C-0347(E)", "HD 45677", "HIDDEN", "2019-05-21"):
            assert secret not in answer, secret
        whole = curator.get(address).content.decode()
        for shown in ("0103.C-0347(F)", "HD 45677", "2019-05-21"):
            assert shown in whole, shown
    assert "4 protected" in plain(text(curator, "/programme/0103.C-0347"))
    assert json.loads(curator.get("/programme/0103.C-0347?format=json").content)["exposures"] == 15


@pytest.mark.django_db
def test_other_programmes_of_the_same_investigator_are_visible_ones(client: Client, curator: Client):
    make_young_stars()
    make_exposure(
        obs_program="0110.C-0001(A)", obs_program_pi_coi="BERGER/ X", visibility=Visibility.PROTECTED
    )
    bump("exposures")
    assert "0110.C-0001" not in text(client, "/programme/099.C-0667")
    assert "0110.C-0001" in text(curator, "/programme/099.C-0667")


@pytest.mark.django_db
def test_a_programme_with_protected_exposures_only_is_not_found(client: Client, curator: Client):
    make_exposure(obs_program="0110.C-0001(A)", visibility=Visibility.PROTECTED)
    for name in ("0110.C-0001", "0110.C-0001(A)", "0110.C-0001(B)"):
        text(client, f"/programme/{name}", 404)
        text(curator, f"/programme/{name}")
    assert client.get("/", {"q": "0110.C-0001"})["Location"] == "/search?program_id=0110.C-0001"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("asked", "there"),
    [
        ("0100.C-0278", "100.C-0278"),
        ("102.C-0408(A)", "0102.C-0408(A)"),
        ("99.c-0667", "099.C-0667"),
    ],
)
def test_a_period_padded_otherwise_leads_to_the_programme(client: Client, asked: str, there: str):
    make_young_stars()
    assert client.get(f"/programme/{asked}?format=json")["Location"] == f"/programme/{there}?format=json"
    assert client.get("/", {"q": asked})["Location"] == f"/programme/{there}"


@pytest.mark.django_db
@pytest.mark.parametrize("form", ["votable", "csv", "tsv"])
def test_the_other_formats_are_those_of_the_search(client: Client, form: str):
    make_young_stars()
    answer = client.get(f"/programme/0103.C-0347(C)?format={form}")
    assert answer["Location"] == f"/search.{form}?program_id=0103.C-0347%28C%29"
    assert client.get("/programme/0103.C-0347?format=xml").status_code == 400


@pytest.mark.django_db
def test_runs_of_the_new_grammar_technical_time_and_chara_have_pages(client: Client):
    make_exposure(obs_program="105.20FU.001")
    make_exposure(obs_program="105.20FU.003")
    make_exposure(obs_program="60.A-9257(E)", technical=True)
    make_exposure(
        obs_program="2022B V3/x",
        interferometer_name="CHARA",
        instrument_name="SPICA",
        authority="chara.gsu.edu",
    )
    page = text(client, "/programme/105.20FU")
    assert "105.20FU.002" in page
    assert "P105" in page
    assert "technical time" in text(client, "/programme/60.A-9257")
    page = text(client, f"/programme/{quote('2022B V3/x')}")
    assert "SPICA" in page
    assert "eso.org" not in page
    assert 'id="runs"' not in page


@pytest.mark.django_db
def test_what_headers_say_is_never_taken_for_markup(client: Client):
    make_exposure(
        name=NASTY, obs_program=NASTY, obs_program_title=NASTY, obs_program_pi_coi=f"{NASTY}/ {NASTY}",
        configuration=NASTY, instrument_name=NASTY[:20],
    )  # fmt: skip
    make_exposure(obs_program="X", obs_program_title=NASTY, obs_program_pi_coi=NASTY)
    bump("exposures")
    for address in (f"/programme/{quote(NASTY)}", "/programme/X", "/", "/statistics"):
        page = text(client, address)
        assert "<script>alert" not in page


@pytest.mark.django_db
@pytest.mark.parametrize("asked", ["", "x" * 300, "a\x00b", "*", "0103.C-0347*"])
def test_odd_identifiers_are_not_found(client: Client, asked: str):
    make_young_stars()
    text(client, f"/programme/{quote(asked)}", 404)


@pytest.mark.django_db
def test_the_page_of_an_exposure_leads_to_its_programme(client: Client):
    exposure = make_exposure(obs_program="0103.C-0347(C)")
    assert 'href="/programme/0103.C-0347(C)"' in text(client, f"/detail/exposure/{exposure.exp_id}")
