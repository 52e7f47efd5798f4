"""JSON writer: one document with the columns' metadata and an object per row, streamed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

import pyarrow as pa

from obsportal.serialise.columns import Column, SerialiseError, check_columns
from obsportal.serialise.rows import CellFormat, RowFormat, gathered, row_chunks
from obsportal.serialise.text_rules import JSON_TEXT

ROW_SEPARATOR = ",\n"


def write_json(
    batches: Iterable[pa.RecordBatch], columns: Sequence[Column], *, params: Mapping[str, str] | None = None
) -> Iterator[bytes]:
    """`{"status": "OK", ...params, "fields": [...], "data": [{...}, ...]}`; NaN and infinities become null.

    The first batch is fetched before the first byte; a later failure leaves the document unfinished.
    """
    check_columns(columns)
    form = RowFormat(
        columns=columns,
        cells=[_cell(index, column) for index, column in enumerate(columns)],
        text=JSON_TEXT,
        row_opening=ROW_SEPARATOR + "{",
        row_closing="}",
        null="null",
        finite_only=True,
    )
    return gathered(_document(_head(columns, params or {}), row_chunks(batches, form)))


def _cell(index: int, column: Column) -> CellFormat:
    quote = '"' if column.datatype == "unicodeChar" else ""
    before = ("," if index else "") + json.dumps(column.name, ensure_ascii=False) + ":"
    return CellFormat(before, quote, quote)


def _head(columns: Sequence[Column], params: Mapping[str, str]) -> bytes:
    for taken in ("fields", "data"):
        if taken in params:
            raise SerialiseError("param-name", f"{taken!r} cannot be the name of a parameter")
    fields = [
        {"name": column.name, "datatype": column.datatype, "unit": column.unit, "ucd": column.ucd}
        for column in columns
    ]
    head = {"status": "OK", **params, "fields": fields}
    return json.dumps(head, ensure_ascii=False)[:-1].encode() + b', "data": [\n'


def _document(head: bytes, rows: Iterator[bytes]) -> Iterator[bytes]:
    first = next(rows, b"")
    yield head + first.removeprefix(ROW_SEPARATOR.encode())
    yield from rows
    yield b"\n]}\n"
