from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import IO

import pytest
from archive_server import ERROR_PAGE, Archive, demo_archive, failure, page_of, select, votable
from hypothesis import given, settings
from hypothesis import strategies as st

from obsportal.connectors.eso import COLUMNS, EsoArchive, RawRow, Selection
from obsportal.connectors.http import Http, Manners, RemoteError, Reply

T0 = datetime(2024, 1, 1, tzinfo=UTC)
GRAVITY = Selection("GRAVITY", ("OBJECT,SINGLE", "STD,SINGLE"))


class Direct(Http):
    """The service without a network: queries and pages of an archive."""

    def __init__(self, archive: Archive) -> None:
        super().__init__(Manners())
        self.archive = archive
        self.queries: list[str] = []
        self.answer: bytes | None = None
        self.pages: dict[str, bytes] = {}

    def post(self, url: str, data: Mapping[str, str], *, into: IO[bytes] | None = None, **_: object) -> Reply:  # type: ignore[override]
        self.queries.append(data["QUERY"])
        columns, rows = select(self.archive, data["QUERY"])
        most = int(data["MAXREC"])
        body = b"".join(votable(columns, rows[:most], len(rows) > most))
        assert into is not None
        into.write(body if self.answer is None else self.answer)
        return Reply(200, {}, b"")

    def get(self, url: str, **_: object) -> Reply:  # type: ignore[override]
        dp_id = url.partition("?DpId=")[2]
        return Reply(200, {}, self.pages.get(dp_id) or page_of(self.archive.headers[dp_id]))


def row(number: int, modified: datetime, **values: object) -> dict[str, object]:
    start = T0 + timedelta(hours=number)
    return {
        "dp_id": f"GRAVI.{start:%Y-%m-%dT%H:%M:%S}.000",
        "instrument": "GRAVITY",
        "dp_cat": "SCIENCE",
        "dp_type": "OBJECT,SINGLE",
        "dp_tech": "INTERFEROMETRY",
        "exp_start": start,
        "last_mod_date": modified,
        "release_date": start,
        "prog_id": "112.25A1.001",
        "prog_title": "Stars & <dust>",
        "pi_coi": "A/ B",
        "ob_id": 12,
    } | values


def archive_of(*rows: dict[str, object]) -> Archive:
    archive = Archive()
    for one in rows:
        archive.add("", one)
    return archive


def all_rows(pages: object) -> list[RawRow]:
    return [one for page in pages for one in page.rows]  # type: ignore[attr-defined]


@settings(max_examples=60)
@given(
    moments=st.lists(st.integers(0, 12).map(lambda n: n * 7_003), max_size=40),
    page_rows=st.integers(1, 7),
)
def test_every_row_comes_whatever_the_page_size_and_however_many_share_a_moment(moments, page_rows):
    archive = archive_of(*(row(n, T0 + timedelta(microseconds=m)) for n, m in enumerate(moments)))
    pages = list(EsoArchive(Direct(archive), page_rows=page_rows).modified(GRAVITY, T0))
    assert {r.dp_id for r in all_rows(pages)} == set(archive.rows)
    so_far: set[str] = set()
    for page in pages:
        so_far |= {r.dp_id for r in page.rows}
        if page.complete_to is not None:
            before = {n for n, r in archive.rows.items() if r["last_mod_date"] < page.complete_to}
            assert before <= so_far, "the cursor would pass a row that has not been given"


@settings(max_examples=40)
@given(number=st.integers(0, 30), page_rows=st.integers(1, 7))
def test_a_window_gives_each_row_once_whatever_the_page_size(number, page_rows):
    archive = archive_of(*(row(n, T0) for n in range(number)))
    end = T0 + timedelta(hours=20)
    found = all_rows(EsoArchive(Direct(archive), page_rows=page_rows).begun(GRAVITY, T0, end))
    assert [r.dp_id for r in found] == sorted(n for n, r in archive.rows.items() if r["exp_start"] < end)


def test_values_come_as_they_are_and_times_with_their_zone():
    archive = archive_of(row(0, T0 + timedelta(microseconds=123_900)))
    (found,) = all_rows(EsoArchive(Direct(archive)).modified(GRAVITY, T0))
    assert found.modified_at == T0 + timedelta(milliseconds=123)
    assert found.exp_start == T0
    assert found.values["prog_title"] == "Stars & <dust>"
    assert found.values["ob_id"] == 12
    assert set(found.values) == set(COLUMNS)


@pytest.mark.parametrize(
    "values",
    [
        {"instrument": "MATISSE"},
        {"dp_cat": "TEST"},
        {"dp_type": "SKY,SINGLE"},
        {"dp_type": "OBJECT,DUAL"},
    ],
)
def test_other_frames_are_not_asked_for(values):
    archive = archive_of(row(0, T0), row(1, T0, **values))
    assert len(all_rows(EsoArchive(Direct(archive)).modified(GRAVITY, T0))) == 1


def test_a_blank_after_a_comma_of_a_type_does_not_hide_a_frame():
    archive = archive_of(row(0, T0, dp_type="OBJECT, SINGLE"))
    assert len(all_rows(EsoArchive(Direct(archive)).modified(GRAVITY, T0))) == 1


@pytest.mark.parametrize(
    "values",
    [
        {"dp_id": "a b"},
        {"dp_id": "x' OR 1=1"},
        {"dp_id": "../../etc/passwd"},
        {"dp_id": "GRAVI.2024-01-01T01:00:00.000&x=1"},
    ],
)
def test_a_row_that_cannot_be_used_is_told_and_does_not_stop_the_others(values):
    archive = archive_of(row(0, T0), row(1, T0, **values))
    (page,) = EsoArchive(Direct(archive)).begun(GRAVITY, T0, T0 + timedelta(days=1))
    assert len(page.rows) == 1
    assert len(page.bad) == 1


def test_a_page_of_nothing_but_unusable_rows_does_not_end_the_list():
    archive = archive_of(*(row(n, T0, **({"dp_id": f"A B{n}"} if n < 3 else {})) for n in range(5)))
    pages = list(EsoArchive(Direct(archive), page_rows=1).begun(GRAVITY, T0, T0 + timedelta(days=1)))
    assert len(all_rows(pages)) == 2
    assert sum(len(page.bad) for page in pages) == 3


def test_what_has_no_start_is_in_no_window_and_asked_for_by_itself():
    archive = archive_of(row(0, T0), row(1, T0, exp_start=None))
    source = EsoArchive(Direct(archive))
    assert len(all_rows(source.begun(GRAVITY, T0 - timedelta(days=9), T0 + timedelta(days=9)))) == 1
    (found,) = all_rows(source.undated(GRAVITY))
    assert found.exp_start is None


def test_a_row_that_was_never_changed_is_as_old_as_its_exposure():
    archive = archive_of(row(2, T0, last_mod_date=None))
    (found,) = all_rows(EsoArchive(Direct(archive)).begun(GRAVITY, T0, T0 + timedelta(days=1)))
    assert found.modified_at == found.exp_start == T0 + timedelta(hours=2)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (failure("the database is being restored"), "the database is being restored"),
        (ERROR_PAGE, "no VOTable"),
        (b"", "cut or is no VOTable"),
        (b"".join(votable(list(COLUMNS), [row(0, T0)], False))[:-40], "cut"),
        (b"".join(votable(["dp_id", "last_mod_date"], [row(0, T0)], False)), "has no column"),
        (b'<VOTABLE><RESOURCE><TABLE><DATA><BINARY2><STREAM/></BINARY2></DATA></TABLE></RESOURCE></VOTABLE>',
         "serialised as BINARY2"),
    ],
)  # fmt: skip
def test_an_answer_that_is_no_table_is_an_error_that_says_why(answer, said):
    http = Direct(archive_of(row(0, T0)))
    http.answer = answer
    with pytest.raises(RemoteError, match=said):
        list(EsoArchive(http).modified(GRAVITY, T0))


def test_a_service_that_gives_the_same_part_for_ever_is_an_error_not_a_loop():
    http = Direct(archive_of(row(0, T0)))
    http.answer = b"".join(votable(list(COLUMNS), [row(0, T0)], True))
    with pytest.raises(RemoteError, match="same part"):
        list(EsoArchive(http).begun(GRAVITY, T0, T0 + timedelta(days=1)))


def test_a_header_comes_as_its_cards():
    archive = demo_archive(20, start=date(2019, 1, 1), end=date(2019, 1, 3))
    source = EsoArchive(Direct(archive))
    for dp_id, text in archive.headers.items():
        cards = [line.rstrip() for line in text.splitlines()]
        assert source.header(dp_id).splitlines() == cards


HEADER = (
    "SIMPLE  =                    T\nARCFILE = 'GRAVI.2024-01-01T00:00:00.000.fits'\nOBJECT  = 'a'\nEND\n"
)


NAMELESS = "SIMPLE  =                    T\nMJD-OBS =      60310.0\nOBJECT  = 'a'\nEND\n"


@pytest.mark.parametrize(
    "page", [page_of(HEADER), HEADER.encode(), page_of(NAMELESS), page_of(NAMELESS.replace(".0\n", ".03\n"))]
)
def test_the_header_of_the_file_is_taken_whether_it_names_it_or_not(page):
    dp_id = "GRAVI.2024-01-01T00:00:00.000"
    http = Direct(archive_of(row(0, T0)))
    http.pages[dp_id] = page
    assert EsoArchive(http).header(dp_id).startswith("SIMPLE")


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (ERROR_PAGE, "a page without a header"),
        (b"<html><pre>Sorry, no such file</pre></html>", "something that is no header"),
        (b"not even HTML", "something that is no header"),
        (page_of(HEADER)[:-60], "broke off"),
        (page_of(HEADER.replace("00:00:00", "11:11:11")), "the header of GRAVI.2024-01-01T11:11:11"),
        (page_of(HEADER.replace("ARCFILE = 'GRAVI", "ARCFILE = 'MATIS")), "the header of MATIS.2024"),
        (
            page_of(HEADER.replace("ARCFILE", "DP.ID  ").replace("00:00:00", "11:11:11")),
            "the header of GRAVI",
        ),
        (page_of(NAMELESS.replace("60310.0", "60311.5")), "a file begun at 2024-01-02T12:00:00"),
        (HEADER.encode()[:-4], "broke off"),
        (page_of(HEADER).replace(b"</pre>", b"").replace(b"<pre>", b""), "a page without a header"),
    ],
)
def test_a_page_that_is_not_the_header_of_the_file_is_an_error(page, said):
    dp_id = "GRAVI.2024-01-01T00:00:00.000"
    http = Direct(archive_of(row(0, T0)))
    http.pages[dp_id] = page
    with pytest.raises(RemoteError, match=said):
        EsoArchive(http).header(dp_id)


@pytest.mark.parametrize(
    "dp_id", ["", "a b", "x&y=1", "x?y", "x#y", "x%2e", "../etc", "a/../b", "a\n", "é", "A" * 200]
)
def test_what_is_no_identifier_is_never_sent(dp_id):
    with pytest.raises(RemoteError, match="no identifier"):
        EsoArchive(Direct(Archive())).header(dp_id)
