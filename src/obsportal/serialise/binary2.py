"""The BINARY2 serialisation of VOTable rows (VOTable 1.4, section 5.4), base64 encoded."""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from obsportal.serialise.columns import Column, conform
from obsportal.serialise.rows import CHUNK_BYTES, slices
from obsportal.serialise.text_rules import HIGHEST_ASCII, inspect_text, offsets_of, without_forbidden

NUMBER_TYPES = {"double": ">f8", "int": ">i4", "long": ">i8"}
FIRST_BYTE_OF_PAIRS = 0xF0


def binary2_chunks(batches: Iterable[pa.RecordBatch], columns: Sequence[Column]) -> Iterator[bytes]:
    """All rows as base64 text, a line for each chunk; bytes beyond a multiple of three wait for the next."""
    rest = b""
    for batch in batches:
        for piece in slices(batch):
            data = rest + binary2_rows(piece, columns)
            for start in range(0, len(data), CHUNK_BYTES * 3):
                block = data[start : start + CHUNK_BYTES * 3]
                whole = len(block) - len(block) % 3
                rest = block[whole:]
                yield binascii.b2a_base64(block[:whole])
    yield binascii.b2a_base64(rest) if rest else b""


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
    offsets = offsets_of(rows)
    data: bytes = rows.buffers()[2].slice(int(offsets[0]), int(offsets[-1])).to_pybytes()
    return data


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
    text = inspect_text(without_forbidden(inspected).fill_null(""))
    offsets = offsets_of(text.array).astype(np.int64) - int(offsets_of(text.array)[0])
    if text.highest > HIGHEST_ASCII:
        data = text.data.decode().encode("utf-16-be")
        starts = np.frombuffer(text.data, dtype=np.uint8)
        units = ((starts & 0xC0) != 0x80).astype(np.int64) + (starts >= FIRST_BYTE_OF_PAIRS)
        offsets = np.concatenate(([0], np.cumsum(units)))[offsets]
    else:
        wide = np.zeros((len(text.data), 2), dtype=np.uint8)
        wide[:, 1] = np.frombuffer(text.data, dtype=np.uint8)
        data = wide.tobytes()
    buffers = [None, pa.py_buffer((offsets * 2).astype(np.int32)), pa.py_buffer(data)]
    encoded = pa.Array.from_buffers(pa.binary(), len(array), buffers)
    return [_fixed(np.diff(offsets).astype(">i4")), encoded]
