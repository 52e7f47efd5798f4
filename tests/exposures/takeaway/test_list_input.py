"""Lists of stars as people have them."""

from __future__ import annotations

import io

import pytest
from astropy.table import Table
from hypothesis import given
from hypothesis import strategies as st

from obsportal.exposures.search_values import SearchError
from obsportal.exposures.takeaway import list_input
from obsportal.exposures.takeaway.list_input import ListLine, read_list


def star(line: ListLine) -> tuple[str, float | None, float | None]:
    def rounded(value: float | None) -> float | None:
        return None if value is None else round(value, 4)

    return line.name, rounded(line.ra), rounded(line.dec)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HD 58647", ("HD 58647", None, None)),
        ("  alf   Cen ", ("alf Cen", None, None)),
        ("51 Peg", ("51 Peg", None, None)),
        ("BD+20 1790", ("BD+20 1790", None, None)),
        ("2MASS J05352184-0546085", ("2MASS J05352184-0546085", None, None)),
        ("TYC 4619-1-1", ("TYC 4619-1-1", None, None)),
        ("Gaia DR3 5853498713190525696", ("Gaia DR3 5853498713190525696", None, None)),
        ("111.4837 -14.1788", ("", 111.4837, -14.1788)),
        ("111.4837, -14.1788", ("", 111.4837, -14.1788)),
        ("111.4837\t-14.1788", ("", 111.4837, -14.1788)),
        ("07 25 56.1 -14 10 44", ("", 111.4838, -14.1789)),
        ("07:25:56.1 -14:10:44", ("", 111.4838, -14.1789)),
        ("07:25:56.1,-14:10:44", ("", 111.4838, -14.1789)),
        ("HD 58647, 111.4837, -14.1788", ("HD 58647", 111.4837, -14.1788)),
        ("HD 58647; 07:25:56.1; -14:10:44", ("HD 58647", 111.4838, -14.1789)),
        ("HD 58647, 07 25 56.1 -14 10 44", ("HD 58647", 111.4838, -14.1789)),
        ("111.4837,-14.1788,HD 58647", ("HD 58647", 111.4837, -14.1788)),
        ("HD 58647 111.4837 -14.1788", ("HD 58647", 111.4837, -14.1788)),
        ("HD 58647 07:25:56.1 -14:10:44", ("HD 58647", 111.4838, -14.1789)),
        ("HD 58647\tan old friend", ("HD 58647", None, None)),
        ('"star, of sorts",111.4837,-14.1788', ("star, of sorts", 111.4837, -14.1788)),
        ("HD 1, 0, -90", ("HD 1", 0.0, -90.0)),
    ],
)
def test_a_line_is_a_name_a_position_or_both(text: str, expected: tuple[str, float | None, float | None]):
    (line,) = read_list(text)
    assert (line.problem, star(line)) == ("", expected)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("HD 1, 361, 5", "RA '361'"),
        ("HD 1, 10, -91", "Dec '-91'"),
        ("HD 1, 10:70:00, 5:00:00", "no position"),
        ("400.5 20.1", "looks like a position"),
        ("25 61 00 -10 00 00", "looks like a position"),
        ("x" * 301, "301 characters"),
        ("y" * 90, "90 characters"),
        ("HD\x011", "control characters"),
    ],
)
def test_a_line_that_means_nothing_says_what_is_allowed(text: str, said: str):
    good, bad = read_list(f"HD 1\n{text}")
    assert good.problem == ""
    assert (bad.number, said in bad.problem) == (2, True), bad.problem
    assert "allowed" in bad.problem


def test_blank_lines_and_comments_are_left_out_and_numbers_are_those_of_the_text():
    lines = read_list("# my stars\r\n\r\nHD 1\r\n ,, \nHD 2\n")
    assert [(line.number, line.name) for line in lines] == [(3, "HD 1"), (5, "HD 2")]


@pytest.mark.parametrize(
    "text",
    [
        "name,ra,dec\nHD 58647,111.4837,-14.1788",
        "RA (deg);DE (deg);Target;Vmag\n111.4837;-14.1788;HD 58647;6.8",
        "Vmag\tMAIN_ID\tRAJ2000\tDEJ2000\n6.8\tHD 58647\t07:25:56.09\t-14:10:43.7",
        "Vmag,object,ra,dec\n6.8,HD 58647,07 25 56.09,-14 10 43.7",
        "\ufeffname,ra,dec\nHD 58647,111.4837,-14.1788",
    ],
)
def test_columns_of_a_csv_are_found_by_their_names(text: str):
    (line,) = read_list(text.encode())
    assert line.problem == ""
    assert (line.number, line.name) == (2, "HD 58647")
    assert (line.ra, line.dec) == pytest.approx((111.4837, -14.1788), abs=2e-4)


def test_rows_of_a_csv_may_lack_a_name_or_a_position_but_not_both():
    found = read_list("name,ra,dec,note\nHD 1,,,a\n,10,20,b\n,,,c\nHD 2,10,,d\nHD 3")
    assert [star(line) for line in found[:2]] == [("HD 1", None, None), ("", 10.0, 20.0)]
    assert [bool(line.problem) for line in found] == [False, False, True, True, False]


def test_a_list_of_names_needs_no_header_and_one_is_not_taken_for_a_star():
    assert [line.name for line in read_list("Target\nHD 1\nHD 2")] == ["HD 1", "HD 2"]
    assert [line.name for line in read_list("Target")] == ["Target"]


def votable(table: Table, form: str = "tabledata") -> bytes:
    out = io.BytesIO()
    table.write(out, format="votable", tabledata_format=form)
    return out.getvalue()


STARS = Table({"MAIN_ID": ["HD 58647", ""], "ra": [111.4837, 10.0], "dec": [-14.1788, float("nan")]})


def test_a_votable_is_read_by_its_columns():
    first, second = read_list(votable(STARS))
    assert star(first) == ("HD 58647", 111.4837, -14.1788)
    assert (first.number, second.number) == (1, 2)
    assert "no position" in second.problem


HOSTILE = {
    "entities": b'<?xml version="1.0"?><!DOCTYPE v [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><VOTABLE>&b;</VOTABLE>',
    "a file": b'<?xml version="1.0"?><!DOCTYPE v [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    b'<VOTABLE><RESOURCE><TABLE><FIELD name="name" datatype="char" arraysize="*"/><DATA><TABLEDATA>'
    b"<TR><TD>&a;</TD></TR></TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>",
    "another document": b'<?xml version="1.0"?><!DOCTYPE v SYSTEM "http://127.0.0.1:1/x.dtd"><VOTABLE>&x;</VOTABLE>',
    "cut": votable(STARS)[:-60],
    "binary": votable(STARS, "binary2"),
    "another kind": b"<html><body>not found</body></html>",
    "no columns": votable(Table({"flux": [1.0]})),
    "an unknown encoding": b'<?xml version="1.0" encoding="klingon"?><VOTABLE/>',
    "nothing": b"<",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_document_that_is_hostile_or_no_table_of_stars_is_refused_with_a_sentence(what: str):
    with pytest.raises(SearchError, match="VOTable"):
        read_list(HOSTILE[what])


def test_the_limits_are_said():
    with pytest.raises(SearchError, match=r"more than 200 stars.*/list\.csv.* 2000"):
        read_list("HD 1\n" * 201)
    with pytest.raises(SearchError, match="more than 2000 stars"):
        read_list("HD 1\n" * 2001, list_input.MOST_LINES)
    with pytest.raises(SearchError, match="more than 200 stars"):
        read_list(votable(Table({"name": ["HD 1"] * 201})))
    with pytest.raises(SearchError, match="bytes"):
        read_list(b"x" * (list_input.MAX_BYTES + 1))
    with pytest.raises(SearchError, match="UTF-8"):
        read_list(b"HD 1\n\xff\xfe")
    with pytest.raises(SearchError, match="empty"):
        read_list("\n# nothing\n")


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_and_never_breaks(text: str):
    try:
        lines = read_list(text)
    except SearchError:
        return
    for line in lines:
        assert line.problem or line.name or line.ra is not None
        assert line.ra is None or (0 <= line.ra <= 360 and line.dec is not None and -90 <= line.dec <= 90)


@given(st.floats(0, 360), st.floats(-90, 90), st.sampled_from(["", "HD 1", 'a "b", c', "51 Peg"]))
def test_a_line_written_again_means_the_same(ra: float, dec: float, name: str):
    line = ListLine(1, "x", name, ra, dec)
    (again,) = read_list(line.as_text)
    assert again.problem == ""
    assert again.name == name
    assert (again.ra, again.dec) == (pytest.approx(ra, abs=1e-6), pytest.approx(dec, abs=1e-6))
