from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from sample_tables import COLUMNS, batch_of, document, tables

from obsportal.serialise import Column, SerialiseError, write_json


@given(table=tables)
def test_json_is_read_back_with_equal_values_and_null_for_what_json_lacks(table: list[tuple]) -> None:
    read = json.loads(document(write_json([batch_of(table)], COLUMNS)))
    names = [column.name for column in COLUMNS]
    expected = [
        dict(
            zip(
                names,
                (None if isinstance(v, float) and not math.isfinite(v) else v for v in row),
                strict=True,
            )
        )
        for row in table
    ]
    assert read["data"] == expected


def test_the_document_starts_with_status_params_and_fields() -> None:
    read = json.loads(document(write_json([], COLUMNS[:2], params={"last_mod_date": 'a"b'})))
    assert read == {
        "status": "OK",
        "last_mod_date": 'a"b',
        "fields": [
            {"name": "name", "datatype": "unicodeChar", "unit": "", "ucd": "meta.id"},
            {"name": "ra", "datatype": "double", "unit": "deg", "ucd": "pos.eq.ra;meta.main"},
        ],
        "data": [],
    }


def test_rows_of_several_batches_are_divided_by_commas() -> None:
    columns = [Column('na"me %s', "int")]
    batch = batch_of([(1,), (2,)], columns)
    read = json.loads(document(write_json([batch, batch.slice(0, 0), batch], columns)))
    assert [row['na"me %s'] for row in read["data"]] == [1, 2, 1, 2]


@pytest.mark.parametrize("name", ["fields", "data"])
def test_a_parameter_cannot_hide_the_rows(name: str) -> None:
    with pytest.raises(SerialiseError, match=name):
        write_json([], COLUMNS, params={name: "x"})


def test_a_late_failure_is_raised_and_leaves_no_valid_document() -> None:
    def failing():
        yield batch_of([("x" * 70_000, 1.0, 1, 1, True, "")])
        raise ConnectionError("the database went away")

    chunks = write_json(failing(), COLUMNS)
    sent = next(chunks)
    with pytest.raises(ConnectionError):
        next(chunks)
    with pytest.raises(json.JSONDecodeError):
        json.loads(sent)
