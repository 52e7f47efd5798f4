"""Home, search, refused headers, help."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from django.test import Client

from obsportal.accounts.access import Visibility
from obsportal.accounts.models import User
from obsportal.exposures import kept, search
from obsportal.exposures.criteria import PARAMETERS
from obsportal.exposures.models import HeaderVersion, RefusedHeader
from obsportal.exposures.pages import home
from obsportal.exposures.versions import bump
from portal import make_exposure

pytestmark = pytest.mark.django_db

NASTY = '<script>alert("x")</script>'
NOW = datetime(2020, 2, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def no_kept_counts() -> Iterator[None]:
    search._CUBES.clear()
    kept.forget_all()
    yield
    search._CUBES.clear()
    kept.forget_all()


@pytest.fixture
def curator(client: Client) -> Client:
    client.force_login(User.objects.create_user("curator", is_staff=True))
    return client


def text(client: Client, address: str, status: int = 200) -> str:
    response = client.get(address)
    assert response.status_code == status, response.content[:300]
    page = response.content.decode()
    assert page.count("<h1") == 1
    return page


def refuse(header_id: str = "GRAVI.2020-01-27T03:00:00.000", **values: object) -> RefusedHeader:
    given = {"code": "not-on-sky", "reason": "DPR TYPE is DARK", "instrument_name": "GRAVITY", **values}
    return RefusedHeader.objects.create(
        header_id=header_id, source="somewhere", first_seen=NOW, last_seen=NOW, **given
    )


@pytest.mark.parametrize("address", ["/", "/refused", "/help/api"])
def test_an_empty_portal_says_what_to_do(client: Client, address: str):
    page = text(client, address)
    if address == "/":
        assert "obsportal ingest headers" in page


def test_home_counts_what_there_is(client: Client):
    make_exposure()
    make_exposure(instrument_name="PIONIER", ra=10.0, dec=-60.0)
    bump("exposures")
    page = text(client, "/")
    assert "2 exposures of 2 targets in 1 night of" in page
    assert "GRAVITY" in page
    assert "2020-01-26/27" in page


def test_home_forwards_what_was_typed(client: Client):
    response = client.get("/", {"q": "134.872 -43.767"})
    assert response.status_code == 302
    assert response["Location"] == "/search?ra=134.872&dec=-43.767&radius=60"


def test_the_search_page_lists_counts_and_says_what_was_asked(client: Client):
    make_exposure()
    make_exposure(instrument_name="PIONIER", instrument_mode="GRISM-H")
    bump("exposures")
    page = text(client, "/search?instrument=GRAVITY&valid=true")
    assert "<strong>1</strong> exposure" in page
    assert "without errors" in page
    assert re.search(r'value="PIONIER"[^>]*> <span>PIONIER</span> <small>1</small>', page)
    assert re.search(r'value="GRAVITY" checked', page)
    assert "07 25 56.1 −14 10 44" in page
    assert "111.4837° −14.1788°" in page
    for form in ("votable", "csv", "tsv", "json"):
        assert f"/search.{form}?instrument=GRAVITY&amp;valid=true" in page


def test_links_of_clients_with_empty_parameters_are_answered(client: Client):
    make_exposure()
    page = text(client, "/search?ra=111.483684&dec=-14.17878&radius=60.0&format=html&&instrument=&")
    assert "<strong>1</strong> exposure" in page


@pytest.mark.parametrize("form", ["votable", "csv", "tsv", "json"])
def test_the_page_address_answers_every_format(client: Client, form: str):
    exposure = make_exposure()
    direct = client.get(f"/search.{form}").content
    assert client.get(f"/search?format={form}").content == direct
    assert exposure.exp_id.encode() in direct


def test_columns_sort_and_pages_turn(client: Client):
    ids = [make_exposure(exp_time=float(k)).exp_id for k in range(3)]
    bump("exposures")
    page = text(client, "/search?sort=-exp_time&limit=2")
    assert page.index(ids[2]) < page.index(ids[1])
    assert ids[0] not in page
    assert 'aria-sort="descending"' in page
    assert "sort=exp_time" in page
    assert 'rel="next" href="?sort=-exp_time&amp;limit=2&amp;page=2"' in page
    assert ids[0] in text(client, "/search?sort=-exp_time&limit=2&page=2")
    assert "past the end" in text(client, "/search?limit=2&page=9")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("ra=zz&dec=1", "a number of degrees"),
        ("night=yesterday", "a date such as"),
        ("instrument=CAMERA", "known are"),
        ("obs_type=star", "allowed are science and calibrator"),
        ("sort=colour", "allowed are"),
        ("limit=0", "a whole number"),
        ("format=xml", "allowed are html"),
    ],
)
def test_a_wrong_value_is_explained_with_status_400(client: Client, query: str, sentence: str):
    assert sentence in text(client, f"/search?{query}", 400)


def test_the_search_page_can_be_posted_to_without_a_token():
    make_exposure()
    strict = Client(enforce_csrf_checks=True)
    answer = strict.post("/search", {"instrument": "GRAVITY"})
    assert answer.status_code == 200
    assert "HD 58647" in answer.content.decode()
    assert strict.post("/search", {"instrument": "CAMERA"}).status_code == 400
    assert strict.post("/search", {"format": "csv"}).content.startswith(b"exp_id,")


def test_every_choice_that_is_offered_is_understood(client: Client):
    make_exposure(configuration="medium -> large", configuration_basis="relocated")
    for value in re.findall(r'name="configuration"[^>]* value="([^"]+)"', text(client, "/search")):
        found = client.get("/search", {"configuration": html.unescape(value)})
        assert (found.status_code, "HD 58647" in found.content.decode()) == (200, True)


@pytest.mark.parametrize("query", ["sort=,", "sort=,,,", "target_name=a%00b", "stations=U1,"])
def test_odd_values_never_break_the_page(client: Client, query: str):
    assert client.get(f"/search?{query}").status_code == 200


def test_a_wrong_value_keeps_the_other_choices(client: Client):
    page = text(client, "/search?ra=zz&dec=1&instrument=GRAVITY&target_name=HD+1", 400)
    assert 'value="GRAVITY" checked' in page
    assert 'value="HD 1"' in page
    assert 'aria-invalid="true"' in page


def test_a_search_that_finds_nothing_says_what_to_relax(client: Client):
    make_exposure()
    bump("exposures")
    page = text(client, "/search?instrument=GRAVITY&night=1999-01-01")
    assert "without “night of 1999-01-01”" in page
    assert "1 exposure" in page
    similar = text(client, "/search?target_name=58647")
    assert "Targets with a similar name" in similar
    assert "HD 58647" in similar


@pytest.mark.parametrize("parameter", ["target_name", "program_id", "fringe_tracker", "exp_id", "q"])
def test_what_was_typed_is_escaped(client: Client, parameter: str):
    response = client.get("/search", {parameter: NASTY}, follow=True)
    assert NASTY not in response.content.decode()


def test_names_in_rows_are_escaped(client: Client):
    make_exposure(name=NASTY, obs_program="<b>", obs_program_root="<b>", instrument_mode="<i>&")
    bump("exposures")
    page = text(client, "/search")
    assert NASTY not in page
    assert "&lt;script&gt;" in page
    assert "<i>&" not in page


def test_protected_exposures_are_neither_shown_nor_counted(client: Client):
    make_exposure()
    hidden = make_exposure(
        name="Secret star", ra=10.0, dec=3.0, visibility=Visibility.PROTECTED,
        instrument_name="MATISSE", obs_program="111.SECR.001", obs_program_root="111.SECR",
    )  # fmt: skip
    bump("exposures")
    for query in ("", "?ra=10&dec=3", "?target_name=Secret", "?program_id=111.SECR"):
        page = text(client, f"/search{query}") + text(client, "/")
        assert hidden.exp_id not in page
        assert "MATISSE" not in page
        assert "Secret star" not in page
    assert "<strong>1</strong> exposure" in text(client, "/search")
    assert "1 exposure of 1 target in" in text(client, "/")


def test_curators_see_protected_exposures_marked(curator: Client):
    hidden = make_exposure(visibility=Visibility.PROTECTED)
    bump("exposures")
    page = text(curator, "/search")
    assert hidden.exp_id in page
    assert "protected</span>" in page


def test_a_curator_and_the_public_do_not_share_kept_pages(client: Client, curator: Client):
    make_exposure(visibility=Visibility.PROTECTED)
    bump("exposures")
    seen = curator.get("/search")
    response = Client().get("/search", headers={"If-None-Match": seen["ETag"]})
    assert response.status_code == 200
    assert b"<strong>0</strong>" in response.content


def test_an_unchanged_page_is_not_sent_again(client: Client):
    make_exposure()
    bump("exposures")
    first = client.get("/search")
    again = client.get("/search", headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    bump("exposures")
    assert client.get("/search", headers={"If-None-Match": first["ETag"]}).status_code == 200


def test_every_parameter_is_explained(client: Client):
    page = text(client, "/help/api")
    for parameter in PARAMETERS:
        assert f'id="{parameter.name}"' in page
    assert "curl" in page
    assert "TOPCAT" in page


def test_refusals_are_listed_with_their_reason_and_counted(client: Client):
    refuse()
    refuse("PIONI.2020-01-27T03:00:00.000", instrument_name="PIONIER", code="photometry")
    refuse("unreadable.fits", instrument_name="", code="unreadable", reason=NASTY)
    page = text(client, "/refused")
    assert "DPR TYPE is DARK" in page
    assert "not-on-sky (1)" in page
    assert NASTY not in page
    assert "PIONI.2020" not in text(client, "/refused?code=not-on-sky")
    assert "PIONI.2020" in text(client, "/refused?instrument=PIONIER")
    assert "unreadable.fits" in text(client, "/refused?instrument=unknown&code=unreadable")
    assert "unreadable.fits" not in text(client, "/refused?text=PIONI")


def test_refusals_come_in_every_format(client: Client):
    refuse()
    refuse("other", code="unreadable")
    answer = b"".join(client.get("/refused.csv?code=not-on-sky"))
    rows = list(csv.DictReader(io.StringIO(answer.decode())))
    assert [r["header_id"] for r in rows] == ["GRAVI.2020-01-27T03:00:00.000"]
    assert rows[0]["reason"] == "DPR TYPE is DARK"
    assert "2020-02-01 12:00:00+00:00" in rows[0]["last_seen"]
    assert len(json.loads(b"".join(client.get("/refused?format=json")))["data"]) == 2
    assert b"<TABLEDATA>" in b"".join(client.get("/refused.votable"))


def test_refusal_pages_turn_and_wrong_ones_are_refused(client: Client):
    for k in range(51):
        refuse(f"H{k:03d}")
    assert 'rel="next"' in text(client, "/refused")
    assert "H000" in text(client, "/refused?page=2")
    assert "a whole number" in text(client, "/refused?page=x", 400)
    assert client.get("/refused.json?page=x").status_code == 400


def test_the_header_of_a_refusal_is_plain_text(client: Client):
    import zstandard

    raw = f"OBJECT  = '{NASTY}'".encode("latin-1")
    header = HeaderVersion.objects.create(
        header_id="H", sha256="0", text_zstd=zstandard.compress(raw), size=len(raw), source="s",
        received_at=NOW,
    )  # fmt: skip
    refusal = refuse(header_version=header)
    response = client.get(f"/refused/{refusal.pk}/header.txt")
    assert response["Content-Type"].startswith("text/plain")
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response.content == raw
    assert client.get("/refused/99999/header.txt").status_code == 404


def test_protected_refusals_are_not_seen(client: Client):
    hidden = refuse("SECRET", visibility=Visibility.PROTECTED, code="secret-code", instrument_name="MATISSE")
    page = text(client, "/refused")
    assert "SECRET" not in page
    assert "secret-code" not in page
    assert "MATISSE" not in page
    assert b"SECRET" not in b"".join(client.get("/refused.csv"))
    assert client.get(f"/refused/{hidden.pk}/header.txt").status_code == 404


@pytest.mark.parametrize(
    "address", ["/nothing", "/target/1", "/detail/exposure/none_1", "/refused/1/header.txt"]
)
def test_a_wrong_address_gets_a_page_of_the_portal(client: Client, address: str):
    page = text(client, address, 404)
    assert 'class="masthead"' in page


def test_a_failure_gets_a_page_without_details(monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(home, "overview", fail)
    client = Client(raise_request_exception=False)
    page = text(client, "/", 500)
    assert "Something failed on our side" in page
    assert "secret detail" not in page


@pytest.mark.parametrize("address", ["/", "/refused", "/help/api", "/uv", "/position"])
def test_pages_cannot_be_posted_to(client: Client, address: str):
    assert client.post(address).status_code == 405
