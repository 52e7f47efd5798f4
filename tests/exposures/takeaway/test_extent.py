"""How much a search would send, and that long answers neither surprise nor hold up anybody."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest
from django.test import Client

from obsportal.exposures import answers, versions
from obsportal.exposures.models import Exposure
from obsportal.exposures.takeaway import extent, gate
from obsportal.exposures.takeaway.gate import Gate, Placed
from portal import make_exposure


def test_the_gate_has_so_many_places_and_never_waits():
    door = Gate(2)
    first, second = door.enter(), door.enter()
    assert first
    assert second
    assert door.enter() is None
    first.leave()
    first.leave()
    assert door.taken == 1
    assert door.enter() is not None
    assert door.enter() is None


def test_many_threads_never_take_more_places_than_there_are():
    door = Gate(3)
    most, start = [], threading.Barrier(8)

    def work() -> None:
        start.wait()
        for _ in range(300):
            if place := door.enter():
                most.append(door.taken)
                place.leave()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) <= 3
    assert door.taken == 0


def source(closed: list[bool], fail: bool = False) -> Iterator[int]:
    try:
        yield 2
        if fail:
            raise OSError("gone")
        yield 3
    finally:
        closed.append(True)


@pytest.mark.parametrize("how", ["to its end", "closed early", "closed unread", "failing", "forgotten"])
def test_a_stream_gives_its_place_back_however_it_ends(how: str):
    door, closed = Gate(1), []  # type: ignore[var-annotated]
    place = door.enter()
    assert place
    stream = Placed(place, [0, 1], source(closed, fail=how == "failing"))
    match how:
        case "to its end":
            assert list(stream) == [0, 1, 2, 3]
        case "closed early":
            assert [next(stream) for _ in range(3)] == [0, 1, 2]
            stream.close()
        case "closed unread":
            stream.close()
        case "failing":
            with pytest.raises(OSError, match="gone"):
                list(stream)
        case "forgotten":
            del stream
    assert door.taken == 0
    assert closed == ([] if how in {"closed unread", "forgotten"} else [True])


def big(monkeypatch: pytest.MonkeyPatch, count: int = 40) -> None:
    monkeypatch.setattr(answers, "WHOLE", 12_000)
    monkeypatch.setattr("obsportal.serialise.rows.LEAST_CHUNK", 1_000)
    for _ in range(count):
        make_exposure()


@pytest.mark.django_db
def test_the_third_long_answer_is_asked_to_come_again_and_short_ones_are_served(
    client: Client, monkeypatch: pytest.MonkeyPatch
):
    big(monkeypatch)
    assert gate.STREAMS.taken == 0
    two = [client.get("/search.votable") for _ in range(2)]
    assert [r.status_code for r in two] == [200, 200]
    assert all(r.streaming for r in two)
    for form in ("votable", "json", "csv"):
        third = client.get(f"/search.{form}")
        assert third.status_code == 503
        assert int(third["Retry-After"]) == gate.RETRY_AFTER
        assert b"2 long answers are being sent already" in third.content
    assert client.get("/search.json?limit=2").status_code == 200
    assert client.get("/search").status_code == 200
    assert b"".join(two.pop().streaming_content).endswith(b"</VOTABLE>")  # type: ignore[arg-type]
    two.append(client.get("/search.votable"))
    assert two[1].status_code == 200
    for response in two:
        assert response.getvalue().endswith(b"</VOTABLE>")
    assert gate.STREAMS.taken == 0


@pytest.mark.django_db
def test_a_head_takes_no_place_and_tells_rows_and_size(client: Client, monkeypatch: pytest.MonkeyPatch):
    big(monkeypatch, 12)
    make_exposure(visibility="protected")
    for _ in range(4):
        response = client.head("/search.csv")
        assert (response.status_code, response["X-Row-Count"]) == (200, "12")
        assert int(response["X-Size-Estimate"]) == 12 * extent.ROW_BYTES["csv"]
    assert client.head("/search.csv?limit=5&page=3")["X-Row-Count"] == "2"
    assert client.head("/search.csv?limit=5&page=9")["X-Row-Count"] == "0"
    assert gate.STREAMS.taken == 0


@pytest.mark.django_db
def test_the_count_tells_rows_and_sizes_of_what_the_reader_may_see(client: Client):
    for _ in range(3):
        make_exposure(obs_id=None, obs_start=None)
    make_exposure(visibility="protected")
    found = json.loads(client.get("/search.count?instrument=GRAVITY").content)
    assert (found["status"], found["exposures"], found["rows"]) == ("OK", 3, 3)
    assert found["bytes"]["json"] == 3 * extent.ROW_BYTES["json"]
    grouped = json.loads(client.get("/search.count?group=target-night").content)
    assert (grouped["exposures"], grouped["rows"]) == (3, 1)
    assert client.get("/search.count?ra=999&dec=0").json()["status"] == "ERROR"


@pytest.mark.django_db
@pytest.mark.parametrize("form", extent.ROW_BYTES)
@pytest.mark.parametrize("all_fields", [True, False])
def test_the_estimate_is_near_the_truth(client: Client, form: str, all_fields: bool):
    four = str({f"U{i}-U{j}": {"length": {"start": "55.9040", "end": "55.8970"},
                               "angle": {"start": "3.3000", "end": "4.0000"}}
                for i in range(1, 5) for j in range(i + 1, 5)})  # fmt: skip
    for _ in range(60):
        make_exposure(exp_projected_baselines=four)
    body = client.get(f"/search.{form}?all_fields={str(all_fields).lower()}").content
    empty = client.get(f"/search.{form}?target_name=none&all_fields={str(all_fields).lower()}").content
    said = extent.sizes(60, all_fields=all_fields)[form]
    assert 0.6 < (len(body) - len(empty)) / said < 1.6


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "1 kB"), (999, "1 kB"), (1500, "1.5 kB"), (405_232_080, "410 MB"), (99_400, "99 kB"), (999_600, "1.0 MB"),
     (2_345_678_901, "2.3 GB")],
)  # fmt: skip
def test_a_size_is_said_in_few_digits(size: int, words: str):
    assert extent.words(size) == words


@pytest.mark.django_db
def test_a_large_search_leads_to_its_sizes_and_smaller_parts_first(
    client: Client, monkeypatch: pytest.MonkeyPatch
):
    for name in ("GRAVITY", "GRAVITY", "PIONIER"):
        make_exposure(instrument_name=name)
    make_exposure(obs_type="calibrator", instrument_name="PIONIER")
    versions.bump("exposures")
    assert 'href="/search.csv?obs_type=science"' in client.get("/search?obs_type=science").content.decode()
    monkeypatch.setattr(extent, "BIG", 2)
    html = client.get("/search").content.decode()
    assert 'href="/search.csv' not in html
    assert "/takeaway" in html
    page = client.get("/takeaway").content.decode()
    assert "This is more than 2 rows" in page
    for link in ("/search.votable", "/search.csv?all_fields=false", "/takeaway?obs_type=science",
                 "/takeaway?instrument=PIONIER"):  # fmt: skip
        assert f'href="{link}"' in page
    assert client.get("/takeaway?ra=999&dec=0").status_code == 400
    assert "nothing to take away" in client.get("/takeaway?target_name=none").content.decode()
    assert Exposure.objects.count() == 4
