"""Pages of exposures, targets and positions, and UV coverage by address."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
import zstandard
from django.test import Client

from obsportal.accounts.access import Visibility
from obsportal.accounts.models import User
from obsportal.exposures import search
from obsportal.exposures.corrections import override
from obsportal.exposures.models import ContinuationFile, Exposure, HeaderVersion, Provenance
from obsportal.exposures.versions import bump
from portal import make_exposure, make_target

pytestmark = pytest.mark.django_db

NASTY = '<script>alert("x")</script>'
NOW = datetime(2020, 2, 1, 12, tzinfo=UTC)
UV_FILES = ["/uv.svg", "/uv.png", "/uv.pdf", "/uv.json"]


@pytest.fixture(autouse=True)
def no_kept_counts() -> Iterator[None]:
    search._CUBES.clear()
    yield
    search._CUBES.clear()


def header(text: str = "OBJECT  = 'HD 58647'\nESO DPR CATG = 'CALIB'", header_id: str = "H") -> HeaderVersion:
    raw = text.encode("latin-1")
    return HeaderVersion.objects.create(
        header_id=header_id, sha256=header_id, text_zstd=zstandard.compress(raw), size=len(raw),
        source="night.tar/H.hdr", received_at=NOW,
    )  # fmt: skip


def page_of(exposure: Exposure) -> str:
    return f"/detail/exposure/{exposure.exp_id}"


def text(client: Client, address: str, status: int = 200) -> str:
    response = client.get(address)
    assert response.status_code == status, response.content[:300]
    page = response.content.decode()
    assert page.count("<h1") == 1
    return page


def test_an_exposure_shows_values_units_and_origins(client: Client):
    read = {"mjd_start": "MJD-OBS", "seeing": "ESO ISS AMBI FWHM"}
    origins = Provenance.objects.create(sha256="p", origins=read)
    exposure = make_exposure(provenance=origins, exp_mjd_start=58875.152338, header=header())
    page = text(client, page_of(exposure))
    assert "58875.15233800" in page
    assert "2020-01-27 03:39:22.003" in page
    assert "MJD-OBS" in page
    assert "ESO ISS AMBI FWHM" in page
    assert "4.9675" in page
    assert "LST, h:m" in page
    assert "55.904" in page
    assert "U1-U2" in page
    assert "east to the left" in page
    assert "Plain text" in page


def test_an_exposure_with_only_an_identifier_has_a_page(client: Client):
    exposure = Exposure.objects.create(
        exp_id="SPICA.SCIDET:20220114:104042_target_1", exp_header_id="SPICA.SCIDET:20220114:104042_target",
        authority="x", exp_date_updated=NOW, obs_type="science", interferometer_name="NOWHERE",
        instrument_name="SPICA", target=make_target("?", None, None),
    )  # fmt: skip
    page = text(client, "/detail/exposure/SPICA.SCIDET:20220114:104042_target_1")
    assert "no baselines in the headers" in page
    assert text(client, f"/target/{exposure.target_id}")


def test_an_exposure_as_json_has_every_value_and_its_origin(client: Client):
    origins = Provenance.objects.create(sha256="p", origins={"mjd_start": "MJD-OBS"})
    exposure = make_exposure(
        provenance=origins, exp_validation_level=0, exp_messages=json.dumps([["x", "error", "bad"]])
    )
    answer = client.get(f"{page_of(exposure)}?format=json").json()
    assert answer["exp_id"] == exposure.exp_id
    assert answer["target"]["target_ra"] == 111.483684
    assert answer["origins"] == {"mjd_start": "MJD-OBS"}
    assert answer["validation"] == [{"code": "x", "level": "error", "text": "bad"}]
    assert answer["tracks"][0]["baseline"] == "U1-U2"


def test_an_exposure_is_answered_as_a_table_row(client: Client):
    exposure = make_exposure()
    make_exposure()
    answer = client.get(f"{page_of(exposure)}?format=csv", follow=True).content.decode()
    assert len(answer.splitlines()) == 2
    assert exposure.exp_id in answer


def test_the_header_is_shown_escaped_and_downloaded_plain(client: Client):
    exposure = make_exposure(header=header(f"OBJECT  = '{NASTY}'"))
    page = text(client, page_of(exposure))
    assert NASTY not in page
    assert 'data-find="header-text"' in page
    response = client.get(f"{page_of(exposure)}/header.txt")
    assert response["Content-Type"].startswith("text/plain")
    assert response.content.decode() == f"OBJECT  = '{NASTY}'"
    assert client.get(f"{page_of(make_exposure())}/header.txt").status_code == 404


def test_nasty_values_are_escaped(client: Client):
    exposure = make_exposure(
        name=NASTY, obs_program_title=NASTY, obs_type_reason=NASTY, obs_type_header="<b>",
        exp_messages=json.dumps([["c", "warning", NASTY]]),
    )  # fmt: skip
    for address in (page_of(exposure), f"/target/{exposure.target_id}", f"/uv?exp_id={exposure.exp_id}"):
        assert NASTY not in text(client, address)


def test_validation_findings_are_listed_errors_first(client: Client):
    messages = [["late", "note", "a note"], ["gone", "error", "TAU0 is missing"]]
    exposure = make_exposure(exp_validation_level=0, exp_messages=json.dumps(messages))
    page = text(client, page_of(exposure))
    assert page.index("TAU0 is missing") < page.index("a note")
    assert "All checks passed" not in page


def test_a_correction_stands_beside_the_value_of_the_header(client: Client):
    exposure = make_exposure(obs_type="calibrator", obs_type_header="CALIB")
    curator = User.objects.create_user("marie", is_staff=True)
    override(exposure, "obs_type", "science", reason="observed for its own sake", author=curator)
    page = text(client, page_of(exposure))
    assert "observed for its own sake" in page
    assert "CALIB" in page
    assert "marie" in page


def test_pairs_files_and_blocks_are_linked(client: Client):
    first = make_exposure(pair_key="p", group_key="g", instrument_variant="MATISSE_LM")
    second = make_exposure(pair_key="p", instrument_variant="MATISSE_N")
    hidden = make_exposure(pair_key="p", visibility=Visibility.PROTECTED)
    ContinuationFile.objects.create(
        group_key="g", header_version=header(header_id="H2"), header_id="H2", index=2, exp_mjd_end=58875.2
    )
    page = text(client, page_of(first))
    assert second.exp_id in page
    assert "H2, file 2" in page
    assert hidden.exp_id not in page
    assert "1 more of observing block 2728776" in page
    assert "https://archive.eso.org/dataset/GRAVI.2020" in page
    assert "sched_rep_arc/query?progid=0104.C-0567%28A%29" in page
    assert "simbad.cds.unistra.fr" in page


def test_the_tracked_star_of_a_dual_field_exposure_is_linked(client: Client):
    star = make_target("IRS 16C", 266.41, -29.0)
    exposure = make_exposure(ft_target=star)
    assert f"/target/{star.pk}" in text(client, page_of(exposure))
    assert "1 more" in text(client, f"/target/{star.pk}")


def test_a_position_gathers_exposures_within_its_radius(client: Client):
    near = make_exposure()
    far = make_exposure(name="Other", ra=111.6, dec=-14.17878)
    page = text(client, "/position?ra=111.483684&dec=-14.17878&radius=60")
    assert near.exp_id in page
    assert far.exp_id not in page
    assert "Try a larger radius" in text(client, "/position?ra=10&dec=10&radius=1")


@pytest.mark.parametrize("form", ["votable", "csv", "tsv"])
def test_places_answer_data_formats(client: Client, form: str):
    exposure = make_exposure()
    for address in (f"/target/{exposure.target_id}?", "/position?ra=111.483684&dec=-14.17878&radius=5&"):
        answer = client.get(f"{address}format={form}", follow=True)
        assert exposure.exp_id.encode() in answer.content


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("/position", "ra is missing"),
        ("/position?ra=10", "dec is missing"),
        ("/position?ra=10&dec=100", "between -90 and 90"),
        ("/position?ra=10&dec=10&radius=-1", "arcsec"),
        ("/position?ra=10&dec=10&unit=feet", "allowed are m and mlambda"),
        ("/position?ra=10&dec=10&format=xml", "allowed are html"),
        ("/uv?unit=feet", "allowed are m and mlambda"),
        ("/uv?night=x", "a date such as"),
    ],
)
def test_wrong_values_are_explained(client: Client, address: str, sentence: str):
    assert sentence in text(client, address, 400)


@pytest.mark.parametrize("address", UV_FILES)
def test_uv_files_explain_wrong_values(client: Client, address: str):
    response = client.get(f"{address}?unit=feet")
    assert response.status_code == 400
    assert b"allowed are m and mlambda" in response.content


@pytest.mark.parametrize("unit", ["m", "mlambda"])
def test_uv_of_chosen_rows_in_every_format(client: Client, unit: str):
    ids = [make_exposure().exp_id for _ in range(3)]
    query = {"exp_id": ids[:2], "unit": unit}
    page = client.get("/uv", query).content.decode()
    assert "2 selected exposures" in page
    assert ids[2] not in page
    svg = client.get("/uv.svg", query)
    assert svg["Content-Type"] == "image/svg+xml"
    assert ElementTree.fromstring(svg.content).tag.endswith("svg")
    assert client.get("/uv.png", query).content.startswith(b"\x89PNG")
    assert client.get("/uv.pdf", query).content.startswith(b"%PDF")
    answer = client.get("/uv.json", {"exp_id": ",".join(ids[:2])}).json()
    assert {track["exp_id"] for track in answer["tracks"]} == set(ids[:2])


def test_an_unchanged_plot_is_not_sent_again(client: Client):
    make_exposure()
    first = client.get("/uv.svg")
    again = client.get("/uv.svg", headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 304
    bump("exposures")
    assert client.get("/uv.svg", headers={"If-None-Match": first["ETag"]}).status_code == 200


def test_an_empty_selection_is_drawn_and_explained(client: Client):
    assert "Nothing to draw" in text(client, "/uv?exp_id=none")
    assert b"no exposures" in client.get("/uv.svg?exp_id=none").content


def test_protected_exposures_are_nowhere(client: Client):
    shown = make_exposure()
    hidden = make_exposure(visibility=Visibility.PROTECTED, header=header())
    alone = make_exposure(name="Secret star", ra=10.0, dec=3.0, visibility=Visibility.PROTECTED)
    for address in (page_of(hidden), f"{page_of(hidden)}/header.txt", f"/target/{alone.target_id}"):
        assert client.get(address).status_code == 404
    position = "/position?ra=111.483684&dec=-14.17878"
    for address in (page_of(shown), f"/target/{shown.target_id}", position, "/uv"):
        page = text(client, address)
        assert hidden.exp_id not in page
        assert "Secret star" not in page
    answer = client.get("/uv.json", {"exp_id": [shown.exp_id, hidden.exp_id]}).json()
    assert answer["exposures_found"] == 1
    assert {track["exp_id"] for track in answer["tracks"]} == {shown.exp_id}
    assert client.get(f"/target/{shown.target_id}?format=json").json()["exposures"] == 1


def test_curators_see_protected_exposures(client: Client):
    hidden = make_exposure(visibility=Visibility.PROTECTED, header=header())
    client.force_login(User.objects.create_user("curator", is_staff=True))
    assert "protected" in text(client, page_of(hidden))
    assert client.get(f"{page_of(hidden)}/header.txt").status_code == 200
