from __future__ import annotations

import csv
import io

import pytest
from astropy.table import Table
from hypothesis import given
from sample_tables import COLUMNS, batch_of, document, same_double, tables

from obsportal.serialise import Column, write_csv, write_tsv
from obsportal.serialise.cells import double_word


def _words(row: tuple) -> list[str]:
    return [
        ""
        if value is None
        else str(value).lower()
        if isinstance(value, bool)
        else double_word(value)
        if isinstance(value, float)
        else str(value)
        for value in row
    ]


@given(table=tables)
def test_csv_is_read_back_by_pythons_reader(table: list[tuple]) -> None:
    text = document(write_csv([batch_of(table)], COLUMNS)).decode()
    read = list(csv.reader(io.StringIO(text, newline="")))
    assert read == [[column.name for column in COLUMNS], *map(_words, table)]


@given(table=tables)
def test_tsv_has_the_same_cells_with_blanks_for_tabs_and_line_ends(table: list[tuple]) -> None:
    text = document(write_tsv([batch_of(table)], COLUMNS)).decode()
    lines = [line.split("\t") for line in text.split("\n")]
    blanks = str.maketrans("\t\r\n", "   ")
    assert lines[0] == [column.name for column in COLUMNS]
    assert lines[-1] == [""]
    assert lines[1:-1] == [[word.translate(blanks) for word in _words(row)] for row in table]


def test_only_cells_that_need_it_are_quoted() -> None:
    columns = [Column("a,b", "unicodeChar"), Column("c", "double")]
    rows = [("plain", 1.0), ("x,y", None), ('"', 2.5), (None, 6e-07)]
    expected = b'"a,b",c\r\nplain,1\r\n"x,y",\r\n"""",2.5\r\n,6e-07\r\n'
    assert document(write_csv([batch_of(rows, columns)], columns)) == expected


@pytest.mark.parametrize("value", [None, ""])
def test_a_lone_empty_cell_is_quoted_so_that_its_row_is_not_skipped(value: str | None) -> None:
    columns = [Column("c", "unicodeChar")]
    text = document(write_csv([batch_of([("x",), (value,)], columns)], columns))
    assert text == b'c\r\nx\r\n""\r\n'


def test_an_empty_table_is_its_header() -> None:
    assert document(write_csv([], COLUMNS)) == b"name,ra,level,number,fine,note\r\n"
    assert document(write_tsv([batch_of([])], COLUMNS)) == b"name\tra\tlevel\tnumber\tfine\tnote\n"


def test_astropy_reads_both() -> None:
    rows = [("a, b", 10.684, 1, 2**40, True, "x"), ("c", -0.25, 2, 3, False, "y")]
    for write, form in ((write_csv, "ascii.csv"), (write_tsv, "ascii.tab")):
        text = document(write([batch_of(rows)], COLUMNS)).decode()
        table = Table.read(text, format=form)
        assert list(table["name"]) == ["a, b", "c"]
        assert all(same_double(a, b) for a, b in zip(table["ra"], [10.684, -0.25], strict=True))
        assert list(table["number"]) == [2**40, 3]
