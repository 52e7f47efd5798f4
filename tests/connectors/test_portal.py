"""Asking another portal for a window, on 127.0.0.1."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from portal_stand_in import PAGE, StandIn, cut, fine, instead, row, serving, status

from obsportal.connectors.http import Http, Manners, RemoteError
from obsportal.connectors.portal import AddressError, Portal, Window, portal_address, question
from obsportal.formats.portal_votable import Limits, PortalAnswerError, Problem, Row

YEAR = Window(datetime(2021, 1, 1, tzinfo=UTC), datetime(2022, 1, 1, tzinfo=UTC))
HASTY = Manners(tries=1, timeout=5)


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with serving() as portal:
        portal.rows = [row(number) for number in range(1, 6)]
        yield portal


def ask(stand_in: StandIn, limits: Limits | None = None, **options: str) -> list[Row]:
    with Http(HASTY) as http:
        portal = Portal(stand_in.address, http, limits or Limits())
        with portal.changed(YEAR, **options) as (_, rows):
            return list(rows)


def failing(stand_in: StandIn, limits: Limits | None = None) -> tuple[list[Row], PortalAnswerError]:
    found: list[Row] = []
    with Http(HASTY) as http:
        portal = Portal(stand_in.address, http, limits or Limits())
        with portal.changed(YEAR) as (_, rows), pytest.raises(PortalAnswerError) as caught:
            found.extend(rows)
    return found, caught.value


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("http://obs.example.org/", "http://obs.example.org"),
        (" https://obs.example.org:8443/portal/ ", "https://obs.example.org:8443/portal"),
        ("http://obs.example.org/search.votable?instrument=SPICA", "http://obs.example.org"),
        ("http://obs.example.org/a/search", "http://obs.example.org/a"),
        ("http://[::1]:6543", "http://[::1]:6543"),
    ],
)
def test_an_address_is_known_by_one_name(given: str, address: str) -> None:
    assert portal_address(given) == portal_address(portal_address(given)) == address


@pytest.mark.parametrize(
    "given",
    ["", "obs.example.org", "ftp://obs.example.org", "file:///etc/passwd", "http://", "http://a:b@host/",
     "http://host/#x", "http://host:99999/", "http://[::1", "http://host/" + "x" * 200, "http://hôst/"],
)  # fmt: skip
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(AddressError):
        portal_address(given)


def test_an_error_does_not_repeat_a_password() -> None:
    with pytest.raises(AddressError) as caught:
        portal_address("http://me:secret@host/")
    assert "secret" not in str(caught.value)


def test_a_window_is_asked_for_as_oidb_does() -> None:
    assert question("http://h", YEAR) == (
        "http://h/search.votable?date_updated_from=2021-01-01T00:00:00%2B00:00"
        "&date_updated_to=2022-01-01T00:00:00%2B00:00"
    )


def test_times_are_told_in_utc_without_fractions_and_never_narrower() -> None:
    zone = timezone(timedelta(hours=2))
    window = Window(
        datetime(2021, 1, 1, 2, 0, 0, 900_000, tzinfo=zone),
        datetime(2021, 1, 1, 2, 0, 5, 100_000, tzinfo=zone),
    )
    asked = question("http://h", window, "A&B C")
    assert asked == (
        "http://h/search.votable?instrument=A%26B%20C&date_updated_from=2021-01-01T00:00:00%2B00:00"
        "&date_updated_to=2021-01-01T00:00:06%2B00:00"
    )


def test_nothing_but_the_window_is_told_and_the_full_columns_come(stand_in: StandIn) -> None:
    assert len(ask(stand_in)) == 5
    assert stand_in.queries == [question("", YEAR).split("?")[1]]


def test_an_instrument_alone_can_be_asked_for(stand_in: StandIn) -> None:
    stand_in.rows[0]["instrument_name"] = "MATISSE"
    assert len(ask(stand_in, instrument="MATISSE")) == 1


def test_an_answer_that_breaks_off_gives_its_rows_first(stand_in: StandIn) -> None:
    stand_in.faults = [cut(0.6)]
    rows, error = failing(stand_in)
    assert 1 <= len(rows) < 5
    assert error.problem is Problem.CUT
    assert "broke off" in str(error)


def test_an_answer_cut_by_an_honest_server_is_noticed_too(stand_in: StandIn) -> None:
    stand_in.faults = [cut(0.6, honest=True)]
    rows, error = failing(stand_in)
    assert 1 <= len(rows) < 5
    assert error.problem is Problem.CUT
    assert "cut or malformed" in str(error)


def test_an_answer_that_is_too_large_gives_what_was_received(stand_in: StandIn) -> None:
    stand_in.rows = [row(number) for number in range(1, 59)] * 3
    rows, error = failing(stand_in, Limits(size=70_000))
    assert len(rows) < 3 * 58
    assert error.problem is Problem.TOO_LARGE
    assert str(error) == "the answer has more than 0.07 MB"


def test_an_answer_that_unpacks_to_too_much_is_given_up(stand_in: StandIn) -> None:
    def packed(answer: object) -> None:
        answer.body = gzip.compress(b"<VOTABLE>" + b" " * 40_000_000)  # type: ignore[attr-defined]
        answer.headers["Content-Encoding"] = "gzip"  # type: ignore[attr-defined]

    stand_in.faults = [packed]
    _, error = failing(stand_in, Limits(size=1_000_000))
    assert error.problem is Problem.TOO_LARGE


@pytest.mark.parametrize("code", [400, 404, 500, 503])
def test_a_status_of_failure_is_an_error_of_the_remote(stand_in: StandIn, code: int) -> None:
    stand_in.faults = [status(code, PAGE)]
    with pytest.raises(RemoteError) as caught:
        ask(stand_in)
    assert caught.value.status == code


def test_a_page_of_maintenance_is_no_answer(stand_in: StandIn) -> None:
    stand_in.faults = [instead(PAGE), fine]
    rows, error = failing(stand_in)
    assert rows == []
    assert "Down for maintenance" in str(error)


def test_an_answer_waits_in_the_folder_given_and_leaves_nothing(stand_in: StandIn, tmp_path: Path) -> None:
    with Http(HASTY) as http, Portal(stand_in.address, http, folder=tmp_path).changed(YEAR) as (answer, rows):
        assert len(list(rows)) == answer.count == 5
    assert list(tmp_path.iterdir()) == []
