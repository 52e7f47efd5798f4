"""Record batches to the bytes of their rows, column by column, with flat memory.

A `RowFormat` says how rows are spelled. Arrow kernels turn whole columns into text and join them; in a
small answer, where the fixed cost of the kernels dominates, Python does it value by value. Both give the
same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from obsportal.serialise.cells import common_text, double_texts, double_word, empty_as_null, finite_word
from obsportal.serialise.columns import Column, conform
from obsportal.serialise.text_rules import TextRule, data_of, inspect_text, offsets_of

SMALL_BATCH = 96
PREPARED_ROWS = 16384
PREPARED_BYTES = 16 * 1024 * 1024
CHUNK_BYTES = 1024 * 1024
LEAST_CHUNK = 64 * 1024

Part: TypeAlias = "str | pa.Array"


@dataclass(frozen=True, slots=True)
class CellFormat:
    """What stands before a cell in every row, and around it where it has a value."""

    before: str = ""
    opening: str = ""
    closing: str = ""


@dataclass(frozen=True, slots=True)
class RowFormat:
    """How rows are spelled.

    `null` stands where a cell has no value, in place of opening, text and closing. `missing_double` is
    written for a double without value where that is not `null`. `finite_only` makes NaN and the infinities
    null, `empty_is_null` does the same to empty text.
    """

    columns: Sequence[Column]
    cells: Sequence[CellFormat]
    text: TextRule
    row_opening: str = ""
    row_closing: str = "\n"
    null: str = ""
    missing_double: str | None = None
    finite_only: bool = False
    empty_is_null: bool = False


@dataclass(frozen=True, slots=True)
class PlainBatch:
    """A few rows as Python values, column by column, in the types their columns declare.

    What comes as Python values and leaves as text at once need not pass through Arrow.
    """

    columns: Sequence[Sequence[object]]

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        return len(self.columns[0])


Batch: TypeAlias = "pa.RecordBatch | PlainBatch"


def row_chunks(batches: Iterable[Batch], form: RowFormat) -> Iterator[bytes]:
    """The bytes of all rows in order, in pieces of about a megabyte at most."""
    for batch in batches:
        if isinstance(batch, PlainBatch):
            yield plain_rows(batch.columns, form)
        elif 0 < batch.num_rows <= SMALL_BATCH:
            yield small_rows(batch, form)
        else:
            for piece in slices(batch):
                yield from large_rows(piece, form)


def slices(batch: pa.RecordBatch, most_bytes: int = PREPARED_BYTES) -> Iterator[pa.RecordBatch]:
    """The batch cut into pieces of bounded rows and bytes, without a copy."""
    rows = batch.num_rows
    if not rows:
        return
    step = max(1, min(PREPARED_ROWS, most_bytes * rows // max(1, batch.nbytes)))
    for start in range(0, rows, step):
        yield batch.slice(start, step)


def gathered(chunks: Iterable[bytes], least: int = LEAST_CHUNK) -> Iterator[bytes]:
    """The same bytes with neighbours joined until a chunk has `least` bytes; nothing empty is handed out."""
    held: list[bytes] = []
    size = 0
    for chunk in chunks:
        held.append(chunk)
        size += len(chunk)
        if size >= least:
            yield b"".join(held)
            held, size = [], 0
    if size:
        yield b"".join(held)


def cell_texts(array: pa.Array, datatype: str, form: RowFormat) -> pa.Array:
    """A column as the text of its cells; null where the cell has no value."""
    if datatype == "double":
        return double_texts(array, finite_only=form.finite_only)
    if datatype == "unicodeChar":
        texts = form.text.apply(array)
        return empty_as_null(texts) if form.empty_is_null else texts
    return pc.cast(array, pa.string())


def small_rows(batch: pa.RecordBatch, form: RowFormat) -> bytes:
    """The rows of a small batch, by Python alone."""
    return plain_rows([_values(array) for array in conform(batch, form.columns)], form)


def _values(array: pa.Array) -> list[object]:
    try:
        return array.to_pylist()  # type: ignore[no-any-return]
    except UnicodeDecodeError:
        return inspect_text(array).array.to_pylist()  # type: ignore[no-any-return]


def plain_rows(columns: Sequence[Sequence[object]], form: RowFormat) -> bytes:
    """The rows of columns of Python values."""
    values: list[list[str | None]] = []
    template = form.row_opening
    for plain, column, cell in zip(columns, form.columns, form.cells, strict=True):
        words = cell_words(plain, column.datatype, form)
        template += cell.before
        if None in words:
            template += "\0"
            null = form.null
            if column.datatype == "double" and form.missing_double is not None:
                null = cell.opening + form.missing_double + cell.closing
            words = [null if word is None else f"{cell.opening}{word}{cell.closing}" for word in words]
        else:
            template += f"{cell.opening}\0{cell.closing}"
        values.append(words)
    template = (template + form.row_closing).replace("%", "%%").replace("\0", "%s")
    return "".join(map(template.__mod__, zip(*values, strict=True))).encode()


def cell_words(values: Sequence[Any], datatype: str, form: RowFormat) -> list[str | None]:
    """What `cell_texts` gives, made value by value."""
    if datatype == "unicodeChar":
        cell = form.text.cell
        words = [None if text is None else cell(text) for text in values]
        return [word or None for word in words] if form.empty_is_null else words
    if datatype == "double":
        word_of = finite_word if form.finite_only else double_word
        return [None if value is None else word_of(value) for value in values]
    if datatype == "boolean":
        return [None if value is None else "true" if value else "false" for value in values]
    return [None if value is None else str(value) for value in values]


def large_rows(batch: pa.RecordBatch, form: RowFormat) -> Iterator[bytes]:
    """The rows of a batch, joined by Arrow in pieces of about `CHUNK_BYTES`."""
    arrays = conform(batch, form.columns)
    texts = []
    for array, column in zip(arrays, form.columns, strict=True):
        text = cell_texts(array, column.datatype, form)
        if column.datatype == "double" and form.missing_double is not None and text.null_count:
            text = text.fill_null(form.missing_double)
        texts.append(text)
    parts = _parts(texts, form)
    width = sum(_width(part) for part in parts)
    step = max(1, int(CHUNK_BYTES / width))
    options = pc.JoinOptions(null_handling="replace", null_replacement=form.null)
    for start in range(0, batch.num_rows, step):
        length = min(step, batch.num_rows - start)
        yield _joined(parts, start, length, options)


def _parts(texts: Sequence[pa.Array], form: RowFormat) -> list[Part]:
    """Literals and columns in the order of a row; a column that is the same in all rows is a literal."""
    parts: list[Part] = []
    literal = form.row_opening
    for text, cell in zip(texts, form.cells, strict=True):
        literal += cell.before
        common = common_text(text)
        if text.null_count == len(text):
            literal += form.null
        elif common is not None:
            literal += cell.opening + common + cell.closing
        elif text.null_count and (cell.opening or cell.closing):
            parts += [literal, pc.binary_join_element_wise(cell.opening, text, cell.closing, "")]
            literal = ""
        else:
            parts += [literal + cell.opening, text]
            literal = cell.closing
    return [part for part in [*parts, literal + form.row_closing] if not isinstance(part, str) or part]


def _width(part: Part) -> float:
    """The mean number of bytes of a part in a row."""
    if isinstance(part, str):
        return len(part.encode())
    offsets = offsets_of(part)
    return int(offsets[-1] - offsets[0]) / len(part)


def _joined(parts: Sequence[Part], start: int, length: int, options: pc.JoinOptions) -> bytes:
    if all(isinstance(part, str) for part in parts):
        return "".join(parts).encode() * length
    pieces = [_scalar(part) if isinstance(part, str) else part.slice(start, length) for part in parts]
    joined = pc.call_function("binary_join_element_wise", [*pieces, _scalar("")], options)
    return data_of(joined)


@lru_cache(maxsize=1024)
def _scalar(text: str) -> pa.Scalar:
    return pa.scalar(text, pa.string())
