"""The list check: what exists of each star, for each kind of reader."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from astropy.io.votable import parse_single_table
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from obsportal.accounts.models import User
from obsportal.exposures.models import Exposure, Target, TargetPointing
from obsportal.exposures.takeaway.list_check import check
from obsportal.exposures.takeaway.list_input import read_list
from obsportal.stars.models import Star, StarName
from obsportal.stars.names import normalise
from portal import make_exposure, make_target

pytestmark = pytest.mark.django_db

RA, DEC = 111.483684, -14.17878


def one(text: str, actor: User | None = None, radius: float = 10) -> Any:
    (found,) = check(read_list(text), actor, radius)
    return found


def known_star(*names: str, ra: float = RA, dec: float = DEC) -> Star:
    star = Star.objects.create(name=names[0], ra=ra, dec=dec, hpx=0, source="test", updated_at=timezone.now())
    for name in names:
        StarName.objects.create(star=star, name=name, normalised_name=normalise(name))
    return star


def test_everything_that_exists_is_summed():
    soon = timezone.now() + timedelta(days=30)
    make_exposure(exp_mjd_start=58849.1, night=date(2019, 12, 31), obs_program_pi_coi="Doe, J./ Roe")
    make_exposure(
        exp_mjd_start=58850.1, night=date(2020, 1, 1), instrument_mode="LOW-SPLIT", configuration="large"
    )
    make_exposure(
        exp_mjd_start=58851.1,
        night=date(2020, 1, 1),
        instrument_name="PIONIER",
        instrument_mode="GRISM-H",
        obs_type="calibrator",
        obs_program="0105.C-0001(B)",
        exp_date_release=soon,
    )
    found = one("hd_58647")
    sums = found.existing
    assert (sums.exposures, sums.science, sums.calibrator) == (3, 2, 1)
    assert sums.modes == {"GRAVITY": {"HIGH-COMBINED", "LOW-SPLIT"}, "PIONIER": {"GRISM-H"}}
    assert sums.configurations == {"UTs", "large"}
    assert (len(sums.nights), sums.first_date, sums.last_date) == (2, "2020-01-01", "2020-01-03")
    assert sums.programmes == {"0104.C-0567(A)": "Doe, J.", "0105.C-0001(B)": ""}
    assert sums.release == f"1 of 3 proprietary until {soon:%Y-%m-%d}"
    assert [(t.name, t.how) for t in found.targets] == [("HD 58647", "name")]


@pytest.mark.parametrize(
    ("text", "how", "separation"),
    [
        ("HD58647", "name", None),
        (f"{RA} {DEC + 5 / 3600}", "position", 5.0),
        (f"anything, {RA}, {DEC - 9.9 / 3600}", "position", 9.9),
        (f"HD 58647, {RA}, {DEC + 60 / 3600}", "name", 60.0),
    ],
)
def test_a_star_is_found_by_position_within_the_radius_and_else_by_name(
    text: str, how: str, separation: float | None
):
    make_exposure()
    (target,) = one(text).targets
    assert target.how == how
    assert target.separation == (None if separation is None else pytest.approx(separation, abs=1e-3))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("HD 1", "no target, pointing or known star here is named HD 1"),
        (f"{RA} {DEC + 11 / 3600}", "nothing was observed within 10 arcsec"),
        (f"HD 1, {RA}, {DEC + 11 / 3600}", "arcsec of RA"),
        ("HD 1, 999, 0", "no position"),
    ],
)
def test_what_is_not_found_says_why(text: str, said: str):
    make_exposure()
    found = one(text)
    assert not found.found
    assert said in found.reason


def test_the_radius_is_chosen():
    make_exposure()
    assert not one(f"{RA} {DEC + 0.01}", radius=35.9).found
    assert one(f"{RA} {DEC + 0.01}", radius=36.1).found


def test_a_position_is_found_across_right_ascension_zero_and_at_the_pole():
    make_exposure(name="east", ra=0.0005, dec=0)
    make_exposure(name="pole", ra=10, dec=89.9999)
    assert one("359.9995 0").targets[0].name == "east"
    assert one("190 89.9999").targets[0].name == "pole"


def test_another_name_of_a_known_star_finds_its_target():
    make_exposure()
    star = known_star("HD 58647", "HIP 36068")
    Target.objects.update(star=star)
    assert one("HIP 36068").existing.exposures == 1
    Target.objects.update(star=None)
    (target,) = one("hip36068").targets
    assert (target.how, target.by_star) == ("known star", "HD 58647")


def pointing(target: Target, name: str, visibility: str, ra: float, dec: float) -> TargetPointing:
    from obsportal.interferometry.sky import place

    return TargetPointing.objects.create(
        key=f"{visibility}|{name}|{ra}|{dec}", target=target, typed_name=name, normalised_name=normalise(name),
        ra=ra, dec=dec, hpx=place(ra, dec).hpx, visibility=visibility, tolerance=2.0,
    )  # fmt: skip


def test_a_name_typed_at_the_telescope_and_a_place_pointed_at_lead_to_the_target():
    exposure = make_exposure()
    pointing(exposure.target, "my star", "public", RA, DEC + 100 / 3600)
    assert one("MY STAR").targets[0].target_id == exposure.target_id
    found = one(f"{RA} {DEC + 101 / 3600}").targets[0]
    assert (found.target_id, found.separation) == (exposure.target_id, pytest.approx(1.0, abs=1e-3))


def test_a_fringe_tracker_star_is_counted_beside():
    companion = make_target("B", RA + 0.1, DEC)
    make_exposure(ft_target=companion)
    sums = one("B").existing
    assert (sums.exposures, sums.tracked) == (0, 1)
    assert one("B").found


def curator() -> User:
    return User.objects.create(username="c", is_staff=True)


def test_protected_rows_show_in_nothing_to_the_public():
    shared = make_exposure(exp_mjd_start=58849.1, night=date(2019, 12, 31))
    make_exposure(
        exp_mjd_start=59000.1, night=date(2020, 5, 30), instrument_name="PIONIER", obs_program="60.A-9999(X)",
        obs_program_pi_coi="Secret", name="code name",
        visibility="protected", exp_date_release=timezone.now() + timedelta(days=9), configuration="large",
    )  # fmt: skip
    hidden = make_exposure(name="hidden star", ra=10, dec=10, visibility="protected")
    pointing(shared.target, "other code", "protected", RA, DEC + 200 / 3600)
    pointing(hidden.target, "hidden star", "protected", 10, 10)
    sums = one("HD 58647").existing
    assert (sums.exposures, len(sums.nights), sums.last_date) == (1, 1, "2020-01-01")
    assert (set(sums.modes), set(sums.programmes), sums.configurations) == (
        {"GRAVITY"},
        {"0104.C-0567(A)"},
        {"UTs"},
    )
    assert sums.release == "public"
    for text in ("code name", "other code", "hidden star", "10 10", f"{RA} {DEC + 200 / 3600}"):
        assert not one(text).found, text
        assert one(text).reason
    staff = curator()
    assert one("HD 58647", staff).existing.exposures == 2
    for text in ("code name", "other code", "hidden star", "10 10", f"{RA} {DEC + 200 / 3600}"):
        assert one(text, staff).found, text


def test_a_list_of_any_length_takes_the_same_few_queries():
    for i in range(30):
        make_exposure(name=f"HD {i}", ra=i * 5.0, dec=i)

    def asked(text: str) -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert all(found.found for found in check(read_list(text), None))
        return len(queries)

    few = asked("HD 0\n5 1")
    many = asked("\n".join([f"HD {i}" for i in range(30)] + [f"{i * 5} {i}" for i in range(30)]))
    assert few == many <= 14


@pytest.mark.parametrize("method", ["get", "post"])
def test_the_page_lists_what_was_found(client: Client, method: str):
    make_exposure(obs_program_pi_coi="Doe, J./ Roe")
    text = f"HD 58647\n{RA} {DEC}\nHD 1\nHD 2, 999, 0"
    page = getattr(client, method)("/list", {"list": text, "radius": "20"})
    html = page.content.decode()
    assert page.status_code == 200
    assert "<strong>2</strong> of 4 with exposures" in html
    assert "1 line could not be read" in html
    for words in ("HIGH-COMBINED", "Doe, J.", "0104.C-0567(A)", "by name", "by position, 0.0″", "not read"):
        assert words in html


def test_an_empty_page_says_what_can_be_given(client: Client):
    html = client.get("/list").content.decode()
    assert "07 25 56.1 -14 10 44" in html
    assert client.post("/list", {"list": " "}).status_code == 400
    assert "radius is" in client.get("/list?list=HD+1&radius=wide").content.decode()


def test_a_file_is_read_and_its_stars_can_be_edited(client: Client):
    make_exposure()
    upload = SimpleUploadedFile("stars.csv", f"name,ra,dec\nmine,{RA},{DEC}".encode())
    html = client.post("/list", {"file": upload, "list": ""}).content.decode()
    assert "<strong>1</strong> of 1 with exposures" in html
    assert f"mine, {RA:.7f}, {DEC:.7f}" in html


def test_what_is_typed_is_never_markup(client: Client):
    html = client.get("/list", {"list": '<script>alert("x")</script>\n"><img src=x>'}).content.decode()
    assert "<script>alert" not in html
    assert "<img" not in html


def test_an_upload_needs_the_page_s_token_and_programs_do_not(client: Client):
    strict = Client(enforce_csrf_checks=True)
    assert strict.post("/list", {"list": "HD 1"}).status_code == 403
    assert strict.post("/list.csv", {"list": "HD 1"}).status_code == 200


def test_a_file_that_is_too_large_is_refused(client: Client):
    upload = SimpleUploadedFile("stars.csv", b"x" * 3_000_000)
    for path in ("/list", "/list.json"):
        response = client.post(path, {"file": upload})
        assert response.status_code == 400
        assert b"too large" in response.content
        upload.seek(0)


READERS: dict[str, Callable[[bytes], list[dict[str, Any]]]] = {
    "csv": lambda body: list(csv.DictReader(io.StringIO(body.decode()))),
    "json": lambda body: json.loads(body)["data"],
    "votable": lambda body: [
        dict(zip(row.columns, row, strict=True)) for row in parse_single_table(io.BytesIO(body)).to_table()
    ],
}


@pytest.mark.parametrize("form", READERS)
def test_every_form_has_the_same_rows(client: Client, form: str):
    make_exposure(name="α & β", obs_program_pi_coi='Doe "J", R./ Roe')
    response = client.post(f"/list.{form}", {"list": f"α & β\n{RA} {DEC}\nHD 1"})
    rows = READERS[form](response.content)
    assert response.status_code == 200
    assert [str(row["line"]) for row in rows] == ["1", "2", "3"]
    assert [int(row["exposures"]) for row in rows] == [1, 1, 0]
    assert rows[0]["programmes"] == '0104.C-0567(A) (Doe "J", R.)'
    assert rows[0]["instruments"] == "GRAVITY (HIGH-COMBINED)"
    assert rows[1]["search_url"].startswith("http://testserver/search?ra=")
    assert "HD 1" in rows[2]["reason"]


def test_a_body_may_be_the_list_itself_and_may_have_two_thousand_stars(client: Client):
    make_exposure()
    text = "HD 58647\n" * 2000
    response = client.post("/list.json", text, content_type="text/csv")
    assert len(json.loads(response.content)["data"]) == 2000
    refused = client.post("/list.json", text + "HD 1", content_type="text/plain")
    assert (refused.status_code, "2000" in json.loads(refused.content)["message"]) == (400, True)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("get", "/list.csv", 400),
        ("put", "/list.csv", 405),
        ("get", "/list.xlsx", 404),
        ("post", "/list.votable", 400),
    ],
)
def test_a_wrong_request_is_refused(client: Client, method: str, path: str, status: int):
    assert getattr(client, method)(path).status_code == status


def test_the_search_of_a_line_finds_the_same_exposures(client: Client):
    make_exposure()
    make_exposure()
    for text in ("HD 58647", f"{RA} {DEC}"):
        found = one(text)
        data = client.get(found.search.replace("/search", "/search.json")).json()["data"]
        assert len(data) == found.existing.exposures == Exposure.objects.count()


def test_dates_of_release_are_those_of_the_last_proprietary_exposure():
    now = datetime(2024, 1, 1, tzinfo=UTC)
    for year in (2023, 2025, 2026):
        make_exposure(exp_date_release=datetime(year, 1, 1, tzinfo=UTC))
    (found,) = check(read_list("HD 58647"), None, now=now)
    assert found.existing.release == "2 of 3 proprietary until 2026-01-01"
