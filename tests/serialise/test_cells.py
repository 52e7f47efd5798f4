from __future__ import annotations

import math
import random

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_tables import doubles, same_double

from obsportal.serialise.cells import common_text, double_texts, double_word, empty_as_null, finite_word


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (58857.14869845, "58857.14869845"),
        (6e-07, "6e-07"),
        (150.0, "150"),
        (-0.0, "-0"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (1e10, "10000000000"),
        (1e16, "1e+16"),
        (1e22, "1e+22"),
        (math.nan, "NaN"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
    ],
)
def test_a_double_is_written_as_short_as_it_reads_back(value: float, word: str) -> None:
    assert double_word(value) == word
    assert double_texts(pa.array([value])).to_pylist() == [word]


@given(st.lists(st.none() | doubles))
def test_a_column_of_doubles_is_written_as_its_values_are(values: list[float | None]) -> None:
    array = pa.array(values, pa.float64())
    assert double_texts(array).to_pylist() == [None if v is None else double_word(v) for v in values]
    expected = [None if v is None else finite_word(v) for v in values]
    assert double_texts(array, finite_only=True).to_pylist() == expected


@given(doubles)
def test_a_written_double_reads_back_bit_for_bit(value: float) -> None:
    assert same_double(float(double_word(value).replace("Inf", "inf")), value)


@pytest.mark.parametrize("distinct", [1, 20, 5000])
def test_repeated_values_are_written_as_single_ones_are(distinct: int) -> None:
    source = random.Random(distinct)
    pool = [0.0, -0.0, math.nan, None, 1e-9, *(source.uniform(-400, 400) for _ in range(distinct))]
    values = [source.choice(pool) for _ in range(3000)]
    expected = [None if v is None else double_word(v) for v in values]
    assert double_texts(pa.array(values, pa.float64())).to_pylist() == expected


def test_dyadic_fractions_get_the_digits_python_gives_them() -> None:
    """Exact ties between two shortest spellings only occur among these."""
    source = random.Random(7)
    values = [
        source.getrandbits(source.randint(1, 53)) * 2.0 ** -source.randint(0, 66) for _ in range(50_000)
    ]
    assert double_texts(pa.array(values)).to_pylist() == [double_word(value) for value in values]


def test_empty_text_becomes_null_also_in_a_slice() -> None:
    array = pa.array(["x", "", None, "a", ""])
    assert empty_as_null(array).to_pylist() == ["x", None, None, "a", None]
    assert empty_as_null(array.slice(3)).to_pylist() == ["a", None]
    full = array.slice(3, 1)
    assert empty_as_null(full) is full


@pytest.mark.parametrize(
    ("cells", "common"),
    [
        (["VLTI"] * 5, "VLTI"),
        (["é"], "é"),
        (["", ""], ""),
        (["ab", "cd", "ab"], None),
        (["abc", "a", "ab"], None),
        (["ab", "a", "b", "ab", "abab"], None),
        (["ab", None, "ab"], None),
        ([None, None], None),
        (["x" * 300] * 3, None),
    ],
)
def test_text_that_all_cells_share_is_found(cells: list[str | None], common: str | None) -> None:
    array = pa.array(["other", *cells], pa.string()).slice(1)
    assert common_text(array) == common
