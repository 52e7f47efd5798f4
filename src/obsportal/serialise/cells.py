"""Columns of numbers, truth values and text as the text of their cells."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from obsportal.serialise.text_rules import offsets_of

SAMPLE = 256
PLAIN_FROM, PLAIN_TO = 1e-4, 1e10


def double_word(value: float) -> str:
    """The shortest decimal text that reads back as the same double: `150`, `6e-07`, `NaN`, `+Inf`."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    return repr(value).removesuffix(".0")


def finite_word(value: float) -> str | None:
    """As `double_word`, but None for NaN and the infinities."""
    return double_word(value) if math.isfinite(value) else None


def double_texts(values: pa.Array, *, finite_only: bool = False) -> pa.Array:
    """The text of each double of a column, as `double_word` writes it; nulls stay null.

    With `finite_only`, NaN and infinities become null. A column that repeats its values is
    formatted once for each distinct value.
    """
    if len(values) >= SAMPLE and _repeats(values.slice(0, SAMPLE)):
        encoded = pc.dictionary_encode(values)
        if len(encoded.dictionary) * 2 < len(values):
            return _double_texts(encoded.dictionary, finite_only).take(encoded.indices)
    return _double_texts(values, finite_only)


def _repeats(sample: pa.Array) -> bool:
    return len(pc.dictionary_encode(sample).dictionary) * 4 < len(sample) * 3


def _double_texts(values: pa.Array, finite_only: bool) -> pa.Array:
    """Arrow and Python agree between 1e-4 and 1e10; beyond, Python's spelling of the exponent is used."""
    texts = pc.cast(values, pa.string())
    numbers = values.to_numpy(zero_copy_only=False)
    size = np.abs(numbers)
    odd = ~(((size >= PLAIN_FROM) & (size < PLAIN_TO)) | (size == 0))
    if values.null_count:
        odd &= values.is_valid().to_numpy(zero_copy_only=False)
    if not odd.any():
        return texts
    word_of = finite_word if finite_only else double_word
    words = [word_of(value) for value in numbers[odd].tolist()]
    return pc.replace_with_mask(texts, pa.array(odd), pa.array(words, pa.string()))


def empty_as_null(texts: pa.Array) -> pa.Array:
    """The same text with null in place of each empty cell."""
    offsets = offsets_of(texts)
    empty = offsets[1:] == offsets[:-1]
    if np.count_nonzero(empty) <= texts.null_count:
        return texts
    return pc.if_else(pa.array(empty), pa.scalar(None, pa.string()), texts)


def common_text(texts: pa.Array, longest: int = 256) -> str | None:
    """The text all cells share; None when they differ, one is null, or it is longer than `longest` bytes."""
    offsets = offsets_of(texts)
    start, stop = int(offsets[0]), int(offsets[-1])
    width = int(offsets[1]) - start
    if texts.null_count or width > longest or stop - start != width * len(texts):
        return None
    if width == 0:
        return ""
    cells = np.frombuffer(texts.buffers()[2], dtype=np.uint8)[start:stop].reshape(-1, width)
    if (cells[0] != cells[-1]).any() or (offsets[1:] - offsets[:-1] != width).any():
        return None
    return cells[0].tobytes().decode() if (cells == cells[0]).all() else None
