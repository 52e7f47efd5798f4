"""Whatever is asked, the answer is a page, data or a clear refusal; never a failure of the server."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import pytest
from django.test import Client, override_settings

from obsportal.accounts.models import User
from obsportal.exposures.criteria import PARAMETERS
from obsportal.exposures.observations import derive
from portal import make_exposure

pytestmark = pytest.mark.django_db

REFUSED = {400, 404, 405, 413, 414, 415}
FINE = {200, 301, 302, 304} | REFUSED

NASTY = (
    "0", "-1", "1e999", "-1e999", "NaN", "inf", "99999999999999999999999999", str(2**63), str(-(2**63) - 1),
    "1.5", "\x00", "a\x00b", "\x1b[31m", "é\u0301", "\u202eabc", "\U0001f4a9", "\ud83d", "\N{ARABIC-INDIC DIGIT ONE}",
    "x" * 10_000, "*" * 50, "%", "_", "'", '"', "\\", "' OR 1=1 --", "); DROP TABLE exposures_exposure; --",
    "<script>alert(1)</script>", "{{7*7}}", "{% debug %}", "%s%s%n", "../../etc/passwd", "=cmd|' /C calc'!A0",
    "$(reboot)", "`reboot`", "\n\r\t", "0000-00-00", "9999-12-31", "9999-12-31T23:59:59-12:00", "0001-01-01",
    "0001-01-01T00:00:00+14:00", "2020-13-45", "2020-W01-1", ",,,,", "(" * 300, "[", "true,false",
)  # fmt: skip

SEARCHES = (
    "ra",
    "dec",
    "radius",
    "sort",
    "limit",
    "page",
    "all_fields",
    "group",
    *(p.name for p in PARAMETERS),
)

OWN = (
    ("/search", ("q", "format", "target_name", "night", "name", "page", "limit", "sort", "group")),
    ("/search.csv", ("group", "sort", "limit", "page")),
    ("/search.votable", ("target_name", "program_id")),
    ("/search.count", ("group", "limit", "page", "format")),
    ("/search.atom", ("target_name", "program_id", "limit", "format")),
    ("/takeaway", ("target_name", "per", "format")),
    ("/log", ("per", "comments", "format", "target_name")),
    ("/log.tex", ("per", "comments", "target_name")),
    ("/log.csv", ("per", "comments", "target_name")),
    ("/downloads", ("calibrators", "format", "target_name")),
    ("/downloads.sh", ("calibrators", "target_name")),
    ("/downloads.py", ("calibrators", "target_name")),
    ("/downloads.csv", ("comments", "target_name")),
    ("/downloads.txt", ("comments", "target_name")),
    ("/cite", ("format", "target_name")),
    ("/list", ("list", "radius", "format")),
    ("/list.json", ("list", "radius")),
    ("/list.csv", ("list", "radius")),
    ("/list.votable", ("list", "radius")),
    ("/", ("q", "format")),
    ("/statistics", ("format", "page")),
    ("/refused", ("format", "page", "code", "instrument")),
    ("/refused.json", ("page", "code", "instrument")),
    ("/uv", ("unit", "target_name", "format", "exp_id")),
    ("/uv.json", ("unit", "exp_id")),
    ("/position", ("ra", "dec", "radius", "q", "unit", "page", "sort", "format")),
    ("/help/api", ("format",)),
    ("/sources", ("format",)),
    ("/curator", ("target", "done", "exposure")),
    ("/night/2020-01-26", ("format", "page", "sort", "interferometer")),
    ("/programme/0104.C-0567", ("format", "page", "sort")),
    ("/target/{target}", ("format", "page", "sort", "unit")),
    ("/observation/{observation}", ("format", "page", "unit")),
    ("/detail/exposure/{exposure}", ("format", "unit")),
)  # fmt: skip

PATHS = ("/target/{}", "/observation/{}", "/night/{}", "/night/2020-01-26/{}", "/night/{}/27", "/programme/{}",
         "/detail/exposure/{}", "/detail/exposure/{}/header.txt", "/refused/{}/header.txt", "/search.{}",
         "/log.{}", "/downloads.{}", "/list.{}", "/uv.{}", "/statistics.{}", "/{}")  # fmt: skip

HOSTILE = "<b>&\"'\\=cmd|' /C calc'!A0 $(reboot) `id`; {x} \x01\x1b%_~^# \u202e é"
"""A name of a target, programme, person and block as no header should have it."""


def hostile(name: str) -> dict[str, Any]:
    """The text columns of an exposure, filled with what harms where it is not quoted."""
    return {
        "name": name[:80],
        "obs_name": HOSTILE,
        "obs_program": HOSTILE[:40],
        "obs_program_title": HOSTILE,
        "obs_program_pi_coi": HOSTILE,
        "instrument_mode": HOSTILE[:40],
        "configuration": HOSTILE[:40],
        "interferometer_stations": HOSTILE[:40],
        "exp_projected_baselines": HOSTILE,
    }


@pytest.fixture
def found() -> dict[str, str]:
    """Records with one sound and some hostile rows; what the addresses above name."""
    science = make_exposure(obs_start=datetime(2020, 1, 27, 3, tzinfo=UTC))
    make_exposure(name="HD 1", ra=12.0, dec=5.0, obs_type="calibrator", obs_id=7)
    make_exposure(**hostile(HOSTILE), ra=30.0, obs_id=8)
    make_exposure(
        **hostile("=HYPERLINK(1)"),
        ra=40.0,
        obs_id=9,
        exp_id="X'; reboot #\n_1",
        exp_header_id="X'; reboot #\n$(reboot)",
    )
    derive.regroup_all()
    science.refresh_from_db()
    assert science.observation is not None
    return {
        "target": str(science.target_id),
        "observation": science.observation.key,
        "exposure": science.exp_id,
    }


def text_of(response: Any) -> str:
    body = b"".join(response.streaming_content) if response.streaming else response.content
    return str(body.decode())


def check(response: Any, asked: str) -> None:
    assert response.status_code in FINE, f"{asked[:200]!r}: {response.status_code}"
    if response.status_code == 400:
        said = text_of(response)
        assert len(said) < 120_000, f"{asked[:200]!r} is answered at length"
        assert "Traceback" not in said
        assert "<script>alert(1)" not in said or "html" not in response["Content-Type"]


@pytest.mark.parametrize("value", NASTY, ids=lambda value: ascii(value)[:30])
def test_a_nasty_value_of_any_parameter_is_answered_or_refused(found: dict[str, str], value: str):
    client = Client()
    sent = value.encode("utf-8", "surrogatepass")
    for name in SEARCHES:
        extra = {"dec": "1"} if name == "ra" else {"ra": "1"} if name == "dec" else {}
        check(client.get("/search.json", {name: sent, **extra}), f"{name}={value}")
    for path, names in OWN:
        for name in names:
            check(client.get(path.format(**found), {name: sent}), f"{path}?{name}={value}")


@pytest.mark.parametrize("value", NASTY, ids=lambda value: ascii(value)[:30])
def test_a_nasty_part_of_a_path_is_answered_or_refused(found: dict[str, str], value: str):
    from urllib.parse import quote

    client = Client()
    for path in PATHS:
        for safe in ("", "/"):
            part = quote(value.encode("utf-8", "surrogatepass"), safe=safe)
            check(client.get(path.format(part)), f"{path} {value}")


POSTED = (
    ("/list", {"list": "HD 58647"}),
    ("/list.json", {"list": "HD 58647"}),
    ("/search", {"target_name": "HD 58647"}),
    ("/search.json", {"target_name": "HD 58647"}),
)


def test_other_methods_are_refused(found: dict[str, str]):
    client = Client()
    for path, _ in OWN:
        for method in ("put", "delete", "patch"):
            status = getattr(client, method)(path.format(**found)).status_code
            assert status in {302, 403, 405}, (path, method, status)
    for path, _ in OWN:
        if not path.startswith(("/list", "/search", "/curator")) or path in {"/search.atom", "/search.count"}:
            assert client.post(path.format(**found)).status_code == 405, path


def test_a_form_without_its_token_is_refused_where_there_is_one(found: dict[str, str]):
    client = Client(enforce_csrf_checks=True)
    assert client.post("/list", {"list": "HD 58647"}).status_code == 403
    for path in ("/list.json", "/search", "/search.json"):
        assert client.post(path, dict(POSTED)[path]).status_code == 200
    client.force_login(User.objects.create_user("curator", password="x", is_staff=True))
    assert client.post("/curator", {"action": "merge"}).status_code == 403


BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE v [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(f'<!ENTITY {chr(98 + k)} "{f"&{chr(97 + k)};" * 10}">'.encode() for k in range(9))
    + b"]><VOTABLE><RESOURCE><TABLE><DESCRIPTION>&j;</DESCRIPTION></TABLE></RESOURCE></VOTABLE>"
)
OUTSIDE = (
    b'<?xml version="1.0"?><!DOCTYPE v [<!ENTITY f SYSTEM "file:///etc/passwd">]><VOTABLE><RESOURCE><TABLE>'
    b'<FIELD name="name" datatype="char" arraysize="*"/><DATA><TABLEDATA><TR><TD>&f;</TD></TR></TABLEDATA>'
    b"</DATA></TABLE></RESOURCE></VOTABLE>"
)
UPLOADS = {
    "entities that grow": BOMB,
    "an entity from outside": OUTSIDE,
    "binary garbage": bytes(range(256)) * 50,
    "a gzip": b"\x1f\x8b\x08\x00" + bytes(100),
    "NULs": bytes(10_000),
    "a VOTable cut short": b"<VOTABLE><RESOURCE><TABLE><FIELD name='name' datatype='char'",
    "a deep VOTable": b"<VOTABLE>" * 20_000,
    "an HTML page": b"<!doctype html><html><body>login</body></html>",
    "one endless line": b"x" * 1_900_000,
    "only commas": b"," * 100_000,
    "quotes": b'"' * 10_001,
    "too many lines": b"HD 1\n" * 5_000,
    "UTF-16": "name,ra,dec\nHD 1,1,1\n".encode("utf-16"),
}


@pytest.mark.parametrize("kind", UPLOADS)
def test_an_upload_that_is_no_list_is_refused(kind: str):
    client = Client()
    for path in ("/list", "/list.json", "/list.votable"):
        upload = io.BytesIO(UPLOADS[kind])
        upload.name = "stars.vot"
        response = client.post(path, {"file": upload})
        said = text_of(response)
        assert response.status_code in {200, 400}, path
        assert "root:" not in said
        if response.status_code == 200:
            assert 'href="/target/' not in said
    response = client.post("/list.json", UPLOADS[kind], content_type="text/plain")
    assert response.status_code in {200, 400}


@pytest.mark.parametrize("path", ["/list", "/list.json", "/search.json", "/search"])
def test_a_body_of_fifty_megabytes_is_refused(path: str):
    client = Client()
    big = b"list=" + b"x" * 50_000_000
    for form in ("application/x-www-form-urlencoded", "text/plain"):
        assert client.post(path, big, content_type=form).status_code in {400, 413}
    upload = io.BytesIO(b"HD 1\n" * 10_000_000)
    upload.name = "stars.txt"
    assert client.post(path, {"file": upload}).status_code in {200, 400, 413}


def test_a_broken_form_is_refused():
    client = Client()
    for path in ("/list", "/list.json", "/search.json"):
        for body, kind in (
            (b"--x\r\nno headers", "multipart/form-data; boundary=x"),
            (b"", "multipart/form-data"),
            (b"a=1&" * 5_000, "application/x-www-form-urlencoded"),
            (b"{}", "application/json"),
            (b"\xff\xfe%zz", "application/x-www-form-urlencoded"),
        ):
            assert client.post(path, body, content_type=kind).status_code in {200, 400}, (path, kind)


# What hostile headers may do in what is taken away


def test_pages_and_feeds_escape_what_headers_say(found: dict[str, str]):
    client = Client()
    for path in ("/", "/search?limit=500", "/search?group=observation", "/log", "/downloads", "/takeaway", "/cite",
                 "/statistics", "/list?list=HD+1", "/night/2020-01-26", "/list?list=" + "%3Cb%3E%26"):  # fmt: skip
        assert "<b>&" not in text_of(client.get(path)).replace("<b>&nbsp;", ""), path
    feed = ElementTree.fromstring(text_of(client.get("/search.atom")))
    titles = [entry.findtext("{http://www.w3.org/2005/Atom}title") or "" for entry in feed]
    assert any("<b>&" in title for title in titles)
    for group in ("exposure", "observation", "template", "target-night"):
        ElementTree.fromstring(text_of(client.get(f"/search.votable?group={group}")))
        json.loads(text_of(client.get(f"/search.json?group={group}")))


def test_scripts_hold_no_identifier_that_is_not_of_the_archive(found: dict[str, str]):
    client = Client()
    for form in ("sh", "py", "txt"):
        for query in ("", "?target_name=%24(reboot)%0Areboot%20%23*", "?program_id=x%0Areboot"):
            lines = text_of(client.get(f"/downloads.{form}{query}")).splitlines()
            risky = [line for line in lines if "reboot" in line and not line.startswith("#")]
            assert risky == [], form


def test_latex_of_hostile_names_has_no_command_of_theirs(found: dict[str, str]):
    lines = text_of(Client().get("/log.tex?comments=true")).splitlines()
    printed = [line for line in lines if not line.startswith("%")]
    assert not any(
        "\\=cmd" in line or "{x}" in line or re.search(r"[^\\]\$\(reboot", line) for line in printed
    )
    assert any(r"\textless{}b\textgreater{}\&" in line for line in printed)
    rows = [line for line in printed if line.endswith(r"\\") and "reboot" in line]
    assert {line.replace(r"\&", "").count("&") for line in rows} == {11}


@override_settings(DEBUG=False)
def test_a_spreadsheet_finds_no_formula_in_the_tables_for_people(found: dict[str, str]):
    import csv

    client = Client()
    for path in ("/log.csv", "/downloads.csv", "/list.csv?list=%3DHYPERLINK(1)"):
        for row in csv.reader(text_of(client.get(path)).splitlines()):
            assert not [cell for cell in row if cell.startswith(("=", "+cmd", "@"))], path
