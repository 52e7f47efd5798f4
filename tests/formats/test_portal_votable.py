"""Answers of other portals: real ones, of all years, and those no portal should give."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from portal_stand_in import BOMB, PAGE, ROW, document, row

from obsportal.formats.portal_votable import (
    Limits,
    PortalAnswer,
    PortalAnswerError,
    PortalRow,
    Problem,
    RefusedRow,
    Row,
)
from obsportal.serialise.columns import Column
from obsportal.serialise.votable import error_document, write_votable

ROWS = [row(number, target_name=f"star & <{number}>") for number in range(1, 8)]
DOCUMENT = document(ROWS)


def read(body: bytes, limits: Limits | None = None, piece: int = 1 << 16) -> list[Row]:
    pieces = (body[at : at + piece] for at in range(0, len(body), piece))
    return list(PortalAnswer(limits).rows(pieces))


def failing(body: bytes, limits: Limits | None = None) -> tuple[list[Row], PortalAnswerError]:
    """The rows before the error, and the error."""
    rows: list[Row] = []
    with pytest.raises(PortalAnswerError) as caught:
        rows.extend(PortalAnswer(limits).rows([body]))
    return rows, caught.value


def one(**cells: str) -> PortalRow:
    (found,) = read(document([row(**cells)]))
    assert isinstance(found, PortalRow)
    return found


def test_the_answer_of_2020_is_read_with_its_own_column_names(shared_data: Path) -> None:
    rows = read((shared_data / "aspro" / "obsportal" / "search.votable.xml").read_bytes())
    assert len(rows) == 8
    first = rows[0]
    assert isinstance(first, PortalRow)
    assert first.exp_header_id == "GRAVI.2020-01-09T03:34:07.546"
    assert (first.obs_id, first.exp_tau0, first.target_ra) == (44050, 0.0049675, 134.872365)
    assert first.exp_date_updated is None
    assert all(isinstance(r, PortalRow) and not r.problems for r in rows)


def test_the_answer_of_2022_is_read_whole(shared_data: Path) -> None:
    answer = PortalAnswer()
    body = (shared_data / "aspro" / "obsportal" / "obsportal-dev-spica.votable.xml").read_bytes()
    rows = list(answer.rows([body]))
    first = rows[0]
    assert isinstance(first, PortalRow)
    assert len(rows) == answer.count == 3
    assert answer.params == {"status": "OK", "last_mod_date": "2022-01-14 10:40:32+00:00"}
    assert first.exp_date_updated == datetime(2022, 1, 14, 10, 40, 32, tzinfo=UTC)
    assert first.exp_validation_log[:2] == ("Missing 'HIERARCH ISS CONF NTEL'", "Missing 'EXPTIME'")
    assert (first.exp_tau0, first.exp_date_release, first.interferometer_stations) == (None, None, "")


def test_columns_are_found_by_name_in_any_order_and_unknown_ones_are_left_out() -> None:
    columns = (*reversed(ROW), "something_new")
    (found,) = read(document([{**ROW, "something_new": "x"}], columns))
    (usual,) = read(document([ROW]))
    assert found == usual


@pytest.mark.parametrize(
    ("former", "name"),
    [
        ("exp_header", "exp_header_id"),
        ("obs_container", "obs_id"),
        ("obs_mjd_start", "exp_mjd_start"),
        ("projected_baselines", "exp_projected_baselines"),
    ],
)
def test_a_column_of_former_years_is_understood_unless_todays_is_there(former: str, name: str) -> None:
    columns = [former if column == name else column for column in ROW]
    (found,) = read(document([{**ROW, former: ROW[name]}], columns))
    (both,) = read(document([{**ROW, former: "7"}], (former, *ROW)))
    (usual,) = read(document([ROW]))
    assert found == both == usual


@pytest.mark.parametrize(
    ("column", "cell", "value"),
    [
        ("exp_tau0", "NaN", None),
        ("exp_tau0", "", None),
        ("exp_tau0", " 4.5e-3 ", 0.0045),
        ("exp_tau0", "inf", None),
        ("exp_seeing", "None", None),
        ("obs_id", "44050", 44050),
        ("obs_program", "None", ""),
        ("target_name", "β Pic & <b>", "β Pic & <b>"),
        ("exp_date_updated", "2022-01-14T10:40:32Z", datetime(2022, 1, 14, 10, 40, 32, tzinfo=UTC)),
        ("exp_date_updated", "2022-01-14 12:40:32+02:00", datetime(2022, 1, 14, 10, 40, 32, tzinfo=UTC)),
        ("exp_date_updated", "2022-01-14 10:40:32", datetime(2022, 1, 14, 10, 40, 32, tzinfo=UTC)),
        ("exp_validation_log", '["one", "two"]', ("one", "two")),
        ("exp_validation_log", "[]", ()),
        ("exp_validation_log", "something is wrong", ("something is wrong",)),
        ("exp_validation_log", "[" * 9000, ("[" * 9000,)),
    ],
)
def test_a_cell_has_the_value_that_it_says(column: str, cell: str, value: Any) -> None:
    found = one(**{column: cell})
    assert getattr(found, column) == value
    assert not found.problems


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("exp_mjd_start", "yesterday"),
        ("obs_id", "12.5"),
        ("obs_id", "9" * 5000),
        ("exp_date_updated", "2022-13-14"),
        ("exp_date_release", "0001-01-01T00:00:00+23:00"),
    ],
)
def test_a_cell_that_cannot_be_read_is_missing_and_told(column: str, cell: str) -> None:
    found = one(**{column: cell})
    assert getattr(found, column) is None
    assert len(found.problems) == 1
    assert found.problems[0].startswith(f"{column} is '{cell[:20]}")


def test_a_row_of_too_few_or_too_many_cells_is_refused_and_the_next_one_read() -> None:
    body = document([row(1), row(2), row(3)])
    short = body.replace(b"<TD>GRAVI.2020-01-09T03:34:02.000_1</TD>\n", b"", 1)
    rows = read(short)
    assert [type(r) for r in rows] == [PortalRow, RefusedRow, PortalRow]
    assert isinstance(rows[1], RefusedRow)
    assert rows[1].reason == f"the row has {len(ROW) - 1} cells, the table {len(ROW)} columns"


def test_a_row_with_an_endless_cell_is_refused_and_the_next_one_read() -> None:
    rows = read(document([row(1, obs_program_title="x" * 5000), row(2)]), Limits(cell=1000))
    assert isinstance(rows[0], RefusedRow)
    assert rows[0].exp_id == row(1)["exp_id"]
    assert "5000 characters: at most 1000" in rows[0].reason
    assert isinstance(rows[1], PortalRow)


@given(st.integers(1, 400))
def test_the_size_of_the_pieces_does_not_matter(size: int) -> None:
    assert read(DOCUMENT, piece=size) == read(DOCUMENT)


@given(st.integers(0, len(DOCUMENT.rstrip()) - 1))
def test_rows_before_a_cut_are_handed_out_and_then_it_is_told(end: int) -> None:
    found, error = failing(DOCUMENT[:end])
    assert error.problem is Problem.CUT or end < 60
    whole = read(DOCUMENT)
    assert found == whole[: len(found)]
    assert len(found) == DOCUMENT[:end].count(b"</TR>")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=5))
def test_what_our_own_writer_writes_is_read_back(names: list[str]) -> None:
    columns = [Column("exp_id", "unicodeChar"), Column("target_name", "unicodeChar")]
    batch = pa.record_batch(
        {"exp_id": [f"e{n}" for n in range(len(names))], "target_name": pa.array(names, pa.string())}
    )
    body = b"".join(write_votable([batch], columns, dialect="contract", params={"status": "OK"}))
    rows = read(body)
    assert [r.exp_id for r in rows] == [f"e{n}" for n in range(len(names))]
    for name, found in zip(names, rows, strict=True):
        assert isinstance(found, PortalRow)
        if name.isprintable() and name.strip() != "None":
            assert found.target_name == name.strip()


def table(inner: str, before: str = "") -> bytes:
    return f"<VOTABLE>{before}<RESOURCE>{inner}</RESOURCE></VOTABLE>".encode()


FIELD = '<TABLE><FIELD name="exp_id" datatype="char" arraysize="*"/>'


@pytest.mark.parametrize(
    ("body", "problem", "words"),
    [
        (PAGE, Problem.REFUSED, "HTML page (Down for maintenance)"),
        (b"\xef\xbb\xbf\n<html><body>no</body></html>", Problem.REFUSED, "HTML page"),
        (b'{"status": "ERROR"}', Problem.REFUSED, "it begins with '{"),
        (b"", Problem.CUT, "empty"),
        (b"   \n", Problem.CUT, "empty"),
        (b"<rss><channel/></rss>", Problem.REFUSED, "first element is <rss>"),
        (BOMB, Problem.REFUSED, "DTD or entities"),
        (b'<!DOCTYPE VOTABLE SYSTEM "http://127.0.0.1:9/x.dtd"><VOTABLE/>', Problem.REFUSED, "DTD"),
        (table(f"{FIELD}<DATA><BINARY2/></DATA></TABLE>"), Problem.REFUSED, "BINARY2: only TABLEDATA"),
        (table("<TABLE><FIELD name='x'/><DATA><TABLEDATA/></DATA></TABLE>"), Problem.REFUSED, "no column exp_id"),
        (table("<GROUP>" * 60), Problem.REFUSED, "nested too deeply"),
        (table(f"<TABLE>{'<FIELD/>' * 501}"), Problem.REFUSED, "more than 500 columns"),
        (b"<VOTABLE " + b"a" * 3_000_000, Problem.REFUSED, "tag or comment of more than"),
        (b"<VOTABLE><!--" + b"a" * 3_000_000, Problem.REFUSED, "tag or comment of more than"),
        (error_document("radius is 'x'", "contract"), Problem.REFUSED, "the portal answered: radius is 'x'"),
        (error_document("no such table"), Problem.REFUSED, "the portal answered: no such table"),
        (table('<INFO name="QUERY_STATUS" value="ERROR"/>'), Problem.REFUSED, "no reason is given"),
        (DOCUMENT.replace(b"UTF-8", b"klingon"), Problem.CUT, "unknown encoding"),
        (DOCUMENT[:-40] + b"&nbsp;" + DOCUMENT[-40:], Problem.CUT, "after 7 rows"),
    ],
)  # fmt: skip
def test_an_answer_that_cannot_be_used_says_why(body: bytes, problem: Problem, words: str) -> None:
    _, error = failing(body)
    assert words in str(error)
    assert error.problem is problem


def test_an_error_after_rows_gives_the_rows_and_may_be_tried_again() -> None:
    late = '<INFO name="QUERY_STATUS" value="ERROR">The result is incomplete</INFO>'
    rows, error = failing(document(ROWS, tail=late))
    assert len(rows) == len(ROWS)
    assert error.problem is Problem.CUT
    assert str(error) == "the portal failed after 7 rows: The result is incomplete"


def test_overflow_is_told_with_all_rows() -> None:
    answer = PortalAnswer()
    body = document(ROWS, tail='<INFO name="QUERY_STATUS" value="OVERFLOW"/>')
    assert len(list(answer.rows([body]))) == len(ROWS)
    assert answer.overflow


@pytest.mark.parametrize(
    ("limits", "words"),
    [(Limits(rows=5), "more than 5 rows"), (Limits(size=6000), "more than 0.006 MB")],
)
def test_an_answer_beyond_the_limits_gives_rows_and_asks_for_less(limits: Limits, words: str) -> None:
    pieces = (DOCUMENT[at : at + 500] for at in range(0, len(DOCUMENT), 500))
    found: list[Row] = []
    with pytest.raises(PortalAnswerError, match=words) as caught:
        found.extend(PortalAnswer(limits).rows(pieces))
    assert caught.value.problem is Problem.TOO_LARGE
    assert 1 <= len(found) <= 5


def test_only_the_first_table_counts() -> None:
    second = document([row(9)]).split(b"<RESOURCE", 1)[1].split(b"</VOTABLE>")[0]
    body = DOCUMENT.replace(b"</VOTABLE>", b"<RESOURCE" + second + b"</VOTABLE>")
    assert read(body) == read(DOCUMENT)


def test_an_answer_without_rows_or_without_table_is_empty() -> None:
    assert read(document([])) == []
    assert read(table('<PARAM name="status" value="OK"/>')) == []


def test_memory_does_not_grow_with_the_number_of_rows() -> None:
    head, rest = DOCUMENT.split(b"<TR>", 1)
    tail = rest.rsplit(b"</TR>", 1)[1]
    lot = b"<TR>" + rest.rsplit(b"</TR>", 1)[0] + b"</TR>\n"

    def peak(lots: int) -> int:
        def pieces() -> Iterator[bytes]:
            yield head
            for _ in range(lots):
                yield lot
            yield tail

        tracemalloc.start()
        try:
            assert sum(1 for _ in PortalAnswer().rows(pieces())) == lots * len(ROWS)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(400) < 2 * peak(20)
