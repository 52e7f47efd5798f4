from __future__ import annotations

import base64

import pytest
from hypothesis import given
from sample_tables import COLUMNS, batch_of, tables

from obsportal.serialise import Column
from obsportal.serialise import binary2 as module
from obsportal.serialise.binary2 import binary2_chunks, binary2_rows, small_binary2_rows


def test_a_row_has_the_bytes_of_the_standard() -> None:
    columns = [Column(name, "int") for name in "abcdefghi"]
    columns[1] = Column("b", "unicodeChar")
    columns[2] = Column("c", "double")
    columns[3] = Column("d", "boolean")
    columns[4] = Column("e", "long")
    row = (1, "é\N{TELESCOPE}", -2.0, True, -1, None, 7, 8, None)
    expected = (
        "0480"  # flags: the sixth and the ninth column are null
        "00000001"
        "00000003 00e9d83ddd2d"  # three UTF-16 units
        "c000000000000000"
        "54"
        "ffffffffffffffff"
        "00000000 00000007 00000008 00000000"
    )
    for write in (binary2_rows, small_binary2_rows):
        assert write(batch_of([row], columns), columns) == bytes.fromhex(expected)


@given(table=tables.filter(bool))
def test_arrow_and_python_write_the_same_bytes(table: list[tuple]) -> None:
    batch = batch_of(table)
    assert binary2_rows(batch, COLUMNS) == small_binary2_rows(batch, COLUMNS)


@pytest.mark.parametrize(
    ("datatype", "filler"),
    [("unicodeChar", "00000000"), ("double", "7ff8000000000000"), ("long", "00" * 8), ("boolean", "3f")],
)
def test_a_null_is_flagged_and_filled(datatype: str, filler: str) -> None:
    columns = [Column("x", datatype)]
    assert binary2_rows(batch_of([(None,)], columns), columns) == bytes.fromhex("80" + filler)


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 50])
def test_the_base64_lines_of_several_batches_are_one_text(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", 21)
    columns = [Column("x", "unicodeChar"), Column("y", "int")]
    batch = batch_of([("t" * n, n) for n in range(rows)], columns)
    text = b"".join(binary2_chunks([batch, batch.slice(0, 0), batch.slice(1), batch], columns))
    expected = b"".join(binary2_rows(b, columns) for b in (batch, batch.slice(1), batch) if b.num_rows)
    assert base64.b64decode(text.replace(b"\n", b""), validate=True) == expected
