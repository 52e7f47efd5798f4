from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest

from obsportal.serialise import Column, SerialiseError
from obsportal.serialise.columns import check_columns, conform


@pytest.mark.parametrize(
    ("datatype", "array", "expected"),
    [
        ("unicodeChar", pa.array(["a", None], pa.large_string()), ["a", None]),
        ("unicodeChar", pa.array(["a", None], pa.string_view()), ["a", None]),
        ("unicodeChar", pa.array(["a", "a"]).dictionary_encode(), ["a", "a"]),
        ("unicodeChar", pa.nulls(2, pa.int64()), [None, None]),
        ("unicodeChar", pa.array([b"a", None]), ["a", None]),
        (
            "unicodeChar",
            pa.array([dt.datetime(2020, 1, 9, 3, 34, 7, 546000)], pa.timestamp("ms")),
            ["2020-01-09T03:34:07.546"],
        ),
        ("unicodeChar", pa.array([dt.date(2020, 1, 9)]), ["2020-01-09"]),
        ("double", pa.array([1, None], pa.int64()), [1.0, None]),
        ("double", pa.array([Decimal("1.5")]), [1.5]),
        ("double", pa.nulls(2), [None, None]),
        ("int", pa.array([1, None], pa.int64()), [1, None]),
        ("int", pa.array([3.0, None]), [3, None]),
        ("long", pa.array([3], pa.uint64()), [3]),
        ("boolean", pa.array([0, 1, None], pa.int64()), [False, True, None]),
    ],
)
def test_other_arrow_types_are_converted_without_loss(datatype: str, array: pa.Array, expected: list) -> None:
    batch = pa.record_batch([array], names=["x"])
    assert conform(batch, [Column("x", datatype)])[0].to_pylist() == expected


@pytest.mark.parametrize("copies", [1, 200])
@pytest.mark.parametrize(
    ("datatype", "array", "code"),
    [
        ("int", pa.array([2**31], pa.int64()), "column-range"),
        ("int", pa.array([-(2**31) - 1], pa.int64()), "column-range"),
        ("long", pa.array([2**63], pa.uint64()), "column-range"),
        ("int", pa.array([1.5]), "column-type"),
        ("double", pa.array(["many"]), "column-type"),
        ("unicodeChar", pa.array([[1, 2]]), "column-type"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_column(
    datatype: str, array: pa.Array, code: str, copies: int
) -> None:
    batch = pa.record_batch([pa.concat_arrays([array] * copies)], names=["x"])
    with pytest.raises(SerialiseError, match="x: ") as caught:
        conform(batch, [Column("x", datatype)])
    assert (caught.value.code, caught.value.column) == (code, "x")


def test_a_batch_with_other_columns_is_refused() -> None:
    batch = pa.record_batch([pa.array([1]), pa.array([2])], names=["b", "a"])
    with pytest.raises(SerialiseError, match="expected"):
        conform(batch, [Column("a", "int"), Column("b", "int")])


def test_an_unknown_datatype_says_which_are_known() -> None:
    with pytest.raises(SerialiseError, match="unicodeChar, double, int, long, boolean"):
        Column("x", "short")


def test_a_table_needs_columns_with_names_of_their_own() -> None:
    with pytest.raises(SerialiseError, match="at least one column"):
        check_columns([])
    with pytest.raises(SerialiseError, match="'x' is declared twice"):
        check_columns([Column("x", "int"), Column("x", "double")])
    with pytest.raises(SerialiseError, match="needs a name"):
        Column(" ", "int")


def test_text_has_a_free_length_unless_told() -> None:
    assert Column("x", "unicodeChar").arraysize == "*"
    assert Column("x", "unicodeChar", arraysize="8*").arraysize == "8*"
    assert Column("x", "double").arraysize == ""
