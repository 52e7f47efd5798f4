from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_tables import texts

from obsportal.serialise.text_rules import (
    BLOCK_BYTES,
    CSV_TEXT,
    JSON_TEXT,
    TSV_TEXT,
    XML_TEXT,
    TextRule,
    data_of,
    inspect_text,
    xml_attribute,
)

RULES = {"xml": XML_TEXT, "csv": CSV_TEXT, "tsv": TSV_TEXT, "json": JSON_TEXT}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
@given(cells=st.lists(st.none() | texts, max_size=8))
def test_a_column_and_its_cells_are_made_safe_alike(rule: TextRule, cells: list[str | None]) -> None:
    expected = [None if cell is None else rule.cell(cell) for cell in cells]
    assert rule.apply(pa.array(cells, pa.string())).to_pylist() == expected


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        ("xml", "a<b>&\"'", "a&lt;b&gt;&amp;\"'"),
        ("xml", "&lt;", "&amp;lt;"),
        ("xml", "\x00a\x08\x0b\x0c\x1fb\ufffe\uffff", "ab"),
        ("xml", "\t\n\r\x7f\x85\ud7ff\ue000\ufffd", "\t\n&#13;\x7f\x85\ud7ff\ue000\ufffd"),
        ("csv", "plain text", "plain text"),
        ("csv", "a,b", '"a,b"'),
        ("csv", 'a"b', '"a""b"'),
        ("csv", "a\nb", '"a\nb"'),
        ("csv", "=SUM(A1)", "=SUM(A1)"),
        ("tsv", "a\tb\r\nc", "a b  c"),
        ("json", 'a"b\\c\n\x00é', 'a\\"b\\\\c\\n\\u0000é'),
    ],
)
def test_text_is_made_safe(rule: str, text: str, expected: str) -> None:
    assert RULES[rule].cell(text) == expected
    assert RULES[rule].apply(pa.array([text])).to_pylist() == [expected]


@pytest.mark.parametrize("cell", ["plain text", "{'U1-U2': {}}", "é\N{TELESCOPE}", " ", ""])
def test_a_column_that_needs_nothing_is_not_copied(cell: str) -> None:
    array = pa.array([cell, None, cell])
    for rule in (XML_TEXT, TSV_TEXT, JSON_TEXT, CSV_TEXT):
        assert rule.apply(array) is array


def test_a_sign_is_found_wherever_it_stands_in_a_long_column() -> None:
    for place in (0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES):
        text = "x" * place + "<"
        found = inspect_text(pa.array(["other", text, "&"]).slice(1, 1), "<&")
        assert (found.found, found.lowest, found.highest > ord("x")) == ({"<"}, 0x20, False)


@pytest.mark.parametrize("forbidden", ["\x00", "\ufffe", "\uffff"])
def test_what_xml_forbids_is_dropped_also_across_blocks(forbidden: str) -> None:
    for place in range(BLOCK_BYTES - 4, BLOCK_BYTES + 2):
        text = "x" * place
        assert XML_TEXT.apply(pa.array([text + forbidden + "y"])).to_pylist() == [text + "y"]


def test_an_attribute_keeps_its_line_ends_and_quotes() -> None:
    assert xml_attribute('a "b"\n\t<c>\x00') == "a &quot;b&quot;&#10;&#9;&lt;c&gt;"


def test_bytes_that_are_not_utf8_are_replaced_and_the_rest_kept() -> None:
    raw = [b"caf\xe9", b"\xc3", b"\xa9 fine", "déjà".encode(), None]
    broken = pa.Array.from_buffers(pa.string(), 5, pa.array(raw, pa.binary()).buffers())
    mended = inspect_text(broken).array.to_pylist()
    assert mended == ["caf\ufffd", "\ufffd", "\ufffd fine", "déjà", None]


def test_only_the_cells_of_a_slice_are_looked_at() -> None:
    whole = pa.array(["<a>", "b", None, "c", "<d>"])
    assert data_of(whole.slice(1, 3)) == b"bc"
    assert data_of(whole.slice(2, 0)) == b""
    assert not inspect_text(whole.slice(1, 3), "<").has("<")
    assert inspect_text(whole.slice(1, 4), "<").has("<")
