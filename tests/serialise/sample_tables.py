"""Tables for the tests of the writers: invented ones of every type, and those of a real document."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree import ElementTree

import pyarrow as pa
from hypothesis import strategies as st

from obsportal.serialise import Column, arrow_schema

COLUMNS = [
    Column("name", "unicodeChar", ucd="meta.id", description="what < it & is"),
    Column("ra", "double", unit="deg", ucd="pos.eq.ra;meta.main"),
    Column("level", "int"),
    Column("number", "long", ucd="meta.number"),
    Column("fine", "boolean"),
    Column("note", "unicodeChar"),
]

NASTY = [
    "",
    " ",
    "say \"hi\", & <go> ]]> 'x'",
    "tab\there",
    "two\nlines",
    "cr\rhere",
    "crlf\r\nhere",
    "emoji \N{TELESCOPE}\N{FAMILY} é Ω",
    "nul\x00bell\x07unit\x1f",
    "not a character \uffff\ufffe",
    "%s %d {0} \\u0041 \\n",
    "<TD></TD>",
    "&amp;",
    "-",
    "=1+1",
]

texts = st.one_of(st.sampled_from(NASTY), st.text(max_size=12))
doubles = st.one_of(st.floats(), st.sampled_from([0.0, -0.0, 1e-4, 9.9e-5, 1e10, 6e-07, 150.0, 1e22, 5e-324]))
rows = st.tuples(
    st.none() | texts,
    st.none() | doubles,
    st.none() | st.integers(-(2**31), 2**31 - 1),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.booleans(),
    st.none() | texts,
)
tables = st.lists(rows, max_size=12)


def batch_of(rows: Sequence[Sequence[object]], columns: Sequence[Column] = COLUMNS) -> pa.RecordBatch:
    schema = arrow_schema(columns)
    values = zip(*rows, strict=True) if rows else [()] * len(columns)
    return pa.RecordBatch.from_arrays(
        [pa.array(list(column), field.type) for column, field in zip(values, schema, strict=True)],
        schema=schema,
    )


def xml_survivor(text: str | None) -> str:
    """What an XML document can keep of a text; a missing one reads as the empty text."""
    kept = [c for c in text or "" if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff")]
    return "".join(kept)


def same_double(first: float, second: float) -> bool:
    return (math.isnan(first) and math.isnan(second)) or (
        first == second and math.copysign(1, first) == math.copysign(1, second)
    )


def document(chunks: Iterable[bytes]) -> bytes:
    return b"".join(chunks)


def real_table(path: Path) -> tuple[list[Column], dict[str, str], pa.RecordBatch]:
    """Columns, PARAMs and rows of a real TABLEDATA document."""
    root = ElementTree.parse(path).getroot()
    space = root.tag.removesuffix("VOTABLE")
    columns = [
        Column(f.get("name"), f.get("datatype"), f.get("unit", ""), f.get("ucd", ""))
        for f in root.iter(f"{space}FIELD")
    ]
    params = {p.get("name"): p.get("value") for p in root.iter(f"{space}PARAM")}
    converters = {"double": float, "int": int, "unicodeChar": str}
    found = [
        [
            converters[column.datatype](cell.text) if cell.text is not None else None
            for cell, column in zip(row, columns, strict=True)
        ]
        for row in root.iter(f"{space}TR")
    ]
    return columns, params, batch_of(found, columns)
