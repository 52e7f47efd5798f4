from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obsportal.formats.votable_reader import VOTableError, VOTableReader


def document(fields: str = '<FIELD name="a" datatype="int"/>', rows: str = "", after: str = "") -> bytes:
    return (
        '<?xml version="1.0"?><VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE>'
        f'<PARAM name="last" datatype="char" arraysize="*" value="x"/><TABLE>{fields}<DATA><TABLEDATA>{rows}'
        f"</TABLEDATA></DATA></TABLE>{after}</RESOURCE></VOTABLE>"
    ).encode()


def read(data: bytes) -> tuple[VOTableReader, list[dict[str, object]]]:
    reader = VOTableReader(BytesIO(data))
    return reader, [dict(row) for row in reader]


@pytest.mark.parametrize(
    ("datatype", "cell", "value"),
    [
        ("int", "12", 12),
        ("int", " -3 ", -3),
        ("long", "0x1F", 31),
        ("short", "", None),
        ("double", "1.5e-3", 0.0015),
        ("double", "NaN", None),
        ("float", "", None),
        ("char", "a &amp; b", "a & b"),
        ("char", "", None),
        ("unicodeChar", "é", "é"),
        ("boolean", "T", True),
        ("boolean", "false", False),
        ("boolean", "?", None),
        ("timestamp", "2020-01-01", "2020-01-01"),
    ],
)
def test_cells_become_values_of_their_type(datatype, cell, value):
    _, rows = read(document(f'<FIELD name="a" datatype="{datatype}"/>', f"<TR><TD>{cell}</TD></TR>"))
    assert rows == [{"a": value}]


def test_the_declared_null_is_no_value():
    fields = '<FIELD name="a" datatype="int"><VALUES null="-99"/></FIELD><FIELD name="b" datatype="int"/>'
    _, rows = read(document(fields, "<TR><TD>-99</TD><TD>-99</TD></TR>"))
    assert rows == [{"a": None, "b": -99}]


def test_parameters_fields_and_overflow_are_known_at_the_end():
    reader, _ = read(document(after='<INFO name="QUERY_STATUS" value="OVERFLOW"/>'))
    assert reader.params == {"last": "x"}
    assert [f.name for f in reader.fields] == ["a"]
    assert reader.overflow


def test_only_the_first_table_is_read():
    second = '<TABLE><FIELD name="z" datatype="int"/><DATA><TABLEDATA><TR><TD>1</TD></TR></TABLEDATA></DATA></TABLE>'
    reader, rows = read(document(rows="<TR><TD>7</TD></TR>", after=second))
    assert rows == [{"a": 7}]
    assert [f.name for f in reader.fields] == ["a"]


BOMB = b"""<?xml version="1.0"?><!DOCTYPE v [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>
<VOTABLE><RESOURCE><TABLE><FIELD name="a" datatype="char"/><DATA><TABLEDATA><TR><TD>&b;</TD></TR></TABLEDATA></DATA>
</TABLE></RESOURCE></VOTABLE>"""


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "cut or is no VOTable"),
        (b"<html/>", "begins with <html>"),
        (b"dp_id,a\n1,2\n", "cut or is no VOTable"),
        (document(rows="<TR><TD>1</TD></TR>")[:-30], "cut"),
        (document(rows="<TR><TD>1</TD><TD>2</TD></TR>"), "2 cells"),
        (document(rows="<TR><TD>one</TD></TR>"), "column a is int but holds 'one'"),
        (document(after='<INFO name="QUERY_STATUS" value="ERROR">no such table</INFO>'), "no such table"),
        (BOMB, "refused"),
    ],
)
def test_what_cannot_be_read_is_an_error_that_says_why(data, said):
    with pytest.raises(VOTableError, match=said):
        read(data)


@given(st.lists(st.tuples(st.integers(-(2**31), 2**31 - 1), st.text("aé<&>'\" 0", min_size=1)), max_size=20))
def test_what_was_written_is_read_again(cells):
    from html import escape

    fields = '<FIELD name="a" datatype="int"/><FIELD name="b" datatype="unicodeChar" arraysize="*"/>'
    rows = "".join(f"<TR><TD>{a}</TD><TD>{escape(b)}</TD></TR>" for a, b in cells)
    _, found = read(document(fields, rows))
    assert found == [{"a": a, "b": b if b.strip() else None} for a, b in cells]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_with_a_reason(data):
    try:
        read(data)
    except VOTableError as error:
        assert str(error)
