"""Search in data formats: methods, bodies, errors, streams."""

from __future__ import annotations

import csv
import io
import json

import pytest
from django.test import Client

from obsportal.exposures import answers, bulk, contract, search, stream
from obsportal.exposures.models import Exposure
from obsportal.serialise import FORMATS
from portal import make_exposure

MANY = stream.SMALL + 700


@pytest.mark.django_db
def test_every_format_gives_the_same_rows(client: Client):
    for _ in range(3):
        make_exposure()
    ids = list(Exposure.objects.order_by("exp_mjd_start").values_list("exp_id", flat=True))
    rows = list(csv.DictReader(io.StringIO(client.get("/search.csv").content.decode())))
    assert [row["exp_id"] for row in rows] == ids
    tabs = list(csv.DictReader(io.StringIO(client.get("/search.tsv").content.decode()), delimiter="\t"))
    assert [row["exp_id"] for row in tabs] == ids
    found = json.loads(client.get("/search.json").content)
    assert [row["exp_id"] for row in found["data"]] == ids
    assert found["data"][0]["exp_mjd_start"] == float(rows[0]["exp_mjd_start"])
    assert [f["name"] for f in found["fields"]] == list(rows[0])


@pytest.mark.django_db
@pytest.mark.parametrize("form", ["votable", "csv", "tsv", "json"])
def test_no_rows_is_a_valid_empty_answer(client: Client, form: str):
    response = client.get(f"/search.{form}")
    assert response.status_code == 200
    assert b"exp_id" in response.content


@pytest.mark.django_db
def test_get_and_post_are_the_same_and_a_body_wins_over_the_url(client: Client):
    make_exposure()
    make_exposure(instrument_name="PIONIER")
    got = client.get("/search.csv?instrument=PIONIER").content
    assert client.post("/search.csv", {"instrument": "PIONIER"}).content == got
    posted = client.post("/search.csv?instrument=GRAVITY", {"instrument": "PIONIER"})
    assert posted.content == got


@pytest.mark.django_db
def test_a_repeated_parameter_is_a_list(client: Client):
    make_exposure()
    make_exposure(instrument_name="PIONIER")
    assert client.get("/search.csv?instrument=PIONIER&instrument=GRAVITY").content.count(b"\r\n") == 3


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_other_methods_are_refused_with_what_is_allowed(client: Client, method: str):
    response = getattr(client, method)("/search.votable")
    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD, POST")


@pytest.mark.django_db
def test_head_is_answered(client: Client):
    response = client.head("/search.votable")
    assert response.status_code == 200
    assert response["Content-Type"] == "application/x-votable+xml"


@pytest.mark.django_db
def test_a_body_of_ten_megabytes_is_refused_with_a_sentence(client: Client):
    response = client.post("/search.json", {"target_name": "x" * 10_000_000})
    assert response.status_code == 400
    assert "too large" in json.loads(response.content)["message"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "media"),
    [
        (b"\xff\xfe\x00garbage", "multipart/form-data; boundary=x"),
        (b"\xff\xfe", "application/x-www-form-urlencoded; charset=nonsense"),
        (b"<xml/>", "text/xml"),
        (b"a=%zz&ra=%ff", "application/x-www-form-urlencoded"),
        (b"", "multipart/form-data"),
    ],
)
def test_a_body_that_is_no_form_never_breaks_the_server(client: Client, body: bytes, media: str):
    response = client.generic("POST", "/search.votable", body, content_type=media)
    assert response.status_code in {200, 400}
    assert response.content.startswith(b"<?xml")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "media", "headers"),
    [
        (b'{"ra": 1}', "application/json", {}),
        (b"ra=1&dec=2", "application/x-www-form-urlencoded; charset=utf-16", {}),
        (b"ra=1&dec=2", "application/x-www-form-urlencoded", {"transfer-encoding": "chunked"}),
    ],
)
def test_a_body_that_would_not_be_read_is_refused_rather_than_ignored(
    client: Client, body: bytes, media: str, headers: dict[str, str]
):
    size = {"CONTENT_LENGTH": ""} if headers else {}
    response = client.generic("POST", "/search.json", body, content_type=media, headers=headers, **size)
    assert response.status_code == 400
    assert "body cannot be read" in json.loads(response.content)["message"]


@pytest.mark.django_db
def test_too_many_parameters_are_refused_in_the_format_asked_for(client: Client):
    response = client.get("/search.json?" + "&".join(f"a{i}=1" for i in range(2000)))
    assert response.status_code == 400
    assert "too large" in json.loads(response.content)["message"]


@pytest.mark.django_db
def test_an_unknown_format_is_not_found(client: Client):
    assert client.get("/search.xlsx").status_code == 404


def fill(number: int) -> None:
    model = make_exposure()
    first = {
        f.attname: getattr(model, f.attname) for f in Exposure._meta.concrete_fields if f.attname != "id"
    }
    bulk.insert(
        Exposure,
        [
            first | {
                "exp_id": f"E{i}_1",
                "exp_mjd_start": 50000.0 + i,
                "exp_tau0": None if i < stream.BATCH_ROWS + 10 else 0.004,
                "obs_id": None if i % 2 else i,
                "exp_date_release": None if i < 5 else first["exp_date_release"],
            }
            for i in range(number)
        ],
    )  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_a_large_answer_is_streamed_and_equal_to_the_rows(client: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(answers, "WHOLE", 1_000_000)
    fill(MANY)
    response = client.get("/search.csv")
    assert response.streaming
    rows = list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode())))
    expected = Exposure.objects.order_by("exp_mjd_start", "pk").values_list(
        "exp_id", "obs_id", "exp_mjd_start"
    )
    assert [(r["exp_id"], r["obs_id"], float(r["exp_mjd_start"])) for r in rows] == [
        (exp_id, "" if obs_id is None else str(obs_id), start) for exp_id, obs_id, start in expected
    ]
    assert [r["exp_date_release"] for r in rows[3:7]] == ["", "", *["2021-01-27 00:00:00+00:00"] * 2]


@pytest.mark.django_db(transaction=True)
def test_the_three_ways_to_the_rows_give_the_same_bytes(monkeypatch: pytest.MonkeyPatch):
    fill(60)
    asked = search.parse({"target_name": "HD 58647", "obs_type": "science", "date_from": "1900-01-01"})
    columns = [c.column for c in contract.COLUMNS]

    def body() -> bytes:
        rows = stream.batches(asked.statement(None), contract.COLUMNS)
        return b"".join(FORMATS["votable"].writer(rows, columns, params={}))

    plain = body()
    monkeypatch.setattr(stream, "SMALL_BATCH", 10)
    at_once = body()
    monkeypatch.setattr(stream, "SMALL", 10)
    streamed = body()
    assert plain.count(b"<TR>") == 61
    assert plain == at_once == streamed


@pytest.mark.django_db(transaction=True)
def test_a_stream_left_early_is_closed(monkeypatch: pytest.MonkeyPatch):
    import threading

    fill(3000)
    monkeypatch.setattr(stream, "BATCH_ROWS", 100)
    batches = stream.batches(search.parse({}).statement(None), contract.COLUMNS)
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert not [t for t in threading.enumerate() if t.name == "ahead"]
