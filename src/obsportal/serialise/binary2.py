"""The BINARY2 serialisation of VOTable rows (VOTable 1.4, section 5.4), base64 encoded."""

from __future__ import annotations

import binascii
import math
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from obsportal.serialise.columns import Column, conform
from obsportal.serialise.rows import SMALL_BATCH, slices
from obsportal.serialise.text_rules import (
    HIGHEST_ASCII,
    data_of,
    inspect_text,
    offsets_of,
    permitted,
    without_forbidden,
)

NUMBER_TYPES = {"double": ">f8", "int": ">i4", "long": ">i8"}
FIRST_BYTE_OF_PAIRS = 0xF0
PREPARED_BYTES = 4 * 1024 * 1024
BLOCK_BYTES = 3 * 256 * 1024


def binary2_chunks(batches: Iterable[pa.RecordBatch], columns: Sequence[Column]) -> Iterator[bytes]:
    """All rows as base64 text, a line for each chunk; bytes beyond a multiple of three wait for the next."""
    rest = b""
    try:
        for batch in batches:
            for piece in slices(batch, PREPARED_BYTES):
                rows = small_binary2_rows if piece.num_rows <= SMALL_BATCH else binary2_rows
                data = rest + rows(piece, columns)
                whole = len(data) - len(data) % 3
                rest = data[whole:]
                for start in range(0, whole, BLOCK_BYTES):
                    yield binascii.b2a_base64(data[start : min(start + BLOCK_BYTES, whole)])
    except Exception:
        # What came before the failure is still readable when its last bytes are there.
        if rest:
            yield binascii.b2a_base64(rest)
        raise
    if rest:
        yield binascii.b2a_base64(rest)


def small_binary2_rows(batch: pa.RecordBatch, columns: Sequence[Column]) -> bytes:
    """What `binary2_rows` gives, made value by value."""
    arrays = conform(batch, columns)
    values = [_values(array, column) for array, column in zip(arrays, columns, strict=True)]
    packers = [_PACKERS[column.datatype] for column in columns]
    width = -(-len(columns) // 8)
    parts: list[bytes] = []
    for row in zip(*values, strict=True):
        flags = int("".join(["0" if value is not None else "1" for value in row]), 2)
        parts.append((flags << (-len(columns) % 8)).to_bytes(width, "big"))
        parts += [pack(value) for pack, value in zip(packers, row, strict=True)]
    return b"".join(parts)


def _values(array: pa.Array, column: Column) -> list[Any]:
    if column.datatype != "unicodeChar":
        values: list[Any] = array.to_pylist()
        return values
    try:
        texts = array.to_pylist()
    except UnicodeDecodeError:
        texts = inspect_text(array).array.to_pylist()
    return [text if text is None else permitted(text) for text in texts]


def _pack_text(text: str | None) -> bytes:
    encoded = (text or "").encode("utf-16-be")
    return _COUNT.pack(len(encoded) // 2) + encoded


_COUNT = struct.Struct(">I")
_DOUBLE, _INT, _LONG = struct.Struct(">d"), struct.Struct(">i"), struct.Struct(">q")
_PACKERS: dict[str, Callable[[Any], bytes]] = {
    "unicodeChar": _pack_text,
    "double": lambda value: _DOUBLE.pack(math.nan if value is None else value),
    "int": lambda value: _INT.pack(value or 0),
    "long": lambda value: _LONG.pack(value or 0),
    "boolean": lambda value: b"?" if value is None else b"T" if value else b"F",
}


def binary2_rows(batch: pa.RecordBatch, columns: Sequence[Column]) -> bytes:
    """The rows of a batch: null flags, then each cell in big-endian order, text as counted UTF-16."""
    arrays = conform(batch, columns)
    cells: list[pa.Array] = []
    nulls = np.empty((batch.num_rows, len(columns)), dtype=bool)
    for index, (array, column) in enumerate(zip(arrays, columns, strict=True)):
        nulls[:, index] = array.is_null().to_numpy(zero_copy_only=False)
        if column.datatype == "unicodeChar":
            cells += _counted_text(array)
        elif column.datatype == "boolean":
            words = pc.if_else(array, b"T", b"F").fill_null(b"?")
            cells.append(words)
        else:
            fill = float("nan") if column.datatype == "double" else 0
            numbers = array.fill_null(fill).to_numpy(zero_copy_only=False)
            cells.append(_fixed(numbers.astype(NUMBER_TYPES[column.datatype])))
    flags = np.packbits(nulls, axis=1)
    rows = pc.binary_join_element_wise(_fixed(flags), *cells, b"")
    return data_of(rows)


def _fixed(values: np.ndarray) -> pa.Array:
    """Each row of an array of fixed width as binary."""
    count = len(values)
    width = values.nbytes // count
    offsets = np.arange(count + 1, dtype=np.int32) * width
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(values))]
    return pa.Array.from_buffers(pa.binary(), count, buffers)


def _counted_text(array: pa.Array) -> list[pa.Array]:
    """The number of UTF-16 units of each cell, and the cells in UTF-16; without what XML cannot hold."""
    inspected = inspect_text(array)
    clean = without_forbidden(inspected)
    text = clean.fill_null("") if clean.null_count else clean
    data = data_of(text)
    starts = np.frombuffer(data, dtype=np.uint8)
    offsets = offsets_of(text).astype(np.int64)
    offsets -= offsets[0]
    if inspected.highest > HIGHEST_ASCII:
        encoded = pa.py_buffer(data.decode().encode("utf-16-be"))
        units = ((starts & 0xC0) != 0x80).astype(np.int64) + (starts >= FIRST_BYTE_OF_PAIRS)
        offsets = np.concatenate(([0], np.cumsum(units)))[offsets]
    else:
        wide = np.zeros((len(data), 2), dtype=np.uint8)
        wide[:, 1] = starts
        encoded = pa.py_buffer(wide)
    buffers = [None, pa.py_buffer((offsets * 2).astype(np.int32)), encoded]
    cells = pa.Array.from_buffers(pa.binary(), len(array), buffers)
    return [_fixed(np.diff(offsets).astype(">i4")), cells]
