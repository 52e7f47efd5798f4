"""CSV (RFC 4180) and TSV writers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import pyarrow as pa

from obsportal.serialise.columns import Column, check_columns
from obsportal.serialise.rows import CellFormat, RowFormat, gathered, row_chunks
from obsportal.serialise.text_rules import CSV_TEXT, TSV_TEXT, TextRule


def write_csv(
    batches: Iterable[pa.RecordBatch], columns: Sequence[Column], *, params: Mapping[str, str] | None = None
) -> Iterator[bytes]:
    """A header row and the rows, lines ended by CR LF; null is an empty cell, values are never altered.

    `params` has no place in this format and is ignored. The first batch is fetched before the first byte.
    """
    return _write(batches, columns, ",", "\r\n", CSV_TEXT)


def write_tsv(
    batches: Iterable[pa.RecordBatch], columns: Sequence[Column], *, params: Mapping[str, str] | None = None
) -> Iterator[bytes]:
    """A header row and the rows, cells divided by tabs; tabs and line ends in text become blanks.

    `params` has no place in this format and is ignored. The first batch is fetched before the first byte.
    """
    return _write(batches, columns, "\t", "\n", TSV_TEXT)


def _write(
    batches: Iterable[pa.RecordBatch],
    columns: Sequence[Column],
    delimiter: str,
    line_end: str,
    rule: TextRule,
) -> Iterator[bytes]:
    check_columns(columns)
    header = (delimiter.join(rule.cell(column.name) for column in columns) + line_end).encode()
    form = RowFormat(
        columns=columns,
        cells=[CellFormat(before=delimiter if index else "") for index in range(len(columns))],
        text=rule,
        row_closing=line_end,
        # A lone empty cell would be a blank line, which readers skip.
        null='""' if len(columns) == 1 and delimiter == "," else "",
        empty_is_null=len(columns) == 1,
    )
    return gathered(_with_header(header, row_chunks(batches, form)))


def _with_header(header: bytes, rows: Iterator[bytes]) -> Iterator[bytes]:
    first = next(rows, b"")
    yield header + first
    yield from rows
