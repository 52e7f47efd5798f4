"""Many rows of a search as a stream."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Iterator

import pyarrow as pa
import pytest
from django.db import connection
from django.test import Client

from obsportal.exposures import stream
from portal import make_exposure

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three rows are many already, and come in batches of two."""
    monkeypatch.setattr(stream, "SMALL", 2)
    monkeypatch.setattr(stream, "SMALL_BATCH", 1)
    monkeypatch.setattr(stream, "BATCH_ROWS", 2)
    for k in range(5):
        make_exposure(obs_program=f"0104.C-056{k}(A)", exp_seeing=None if k % 2 else 0.5)


def rows(query: str) -> list[dict[str, str]]:
    response = Client().get(f"/search.csv?{query}")
    assert response.status_code == 200
    return list(csv.DictReader(response.content.decode().splitlines()))


def test_a_stream_knows_the_functions_that_a_search_calls(few: None):
    assert [row["obs_program"] for row in rows("program_id=0104.C-056*")] == [
        f"0104.C-056{k}(A)" for k in range(5)
    ]


def test_missing_values_are_missing_in_every_batch(few: None):
    assert [row["exp_seeing"] for row in rows("")] == ["0.5", "", "0.5", "", "0.5"]


def test_a_name_with_a_per_cent_sign_is_found_in_a_stream(few: None):
    for k in range(3):
        make_exposure(name=f"50% {k}", ra=10.0 + k)
    assert len(rows("target_name=50%25*")) == 3


def test_no_second_library_of_sqlite_is_loaded(few: None):
    """It would drop the locks of the first: with another process writing, the records break."""
    assert len(rows("")) == 5
    if connection.vendor == "sqlite":
        assert "adbc_driver_sqlite" not in sys.modules


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The reading processes that are asked."""
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL is read without a process of its own")
    asked: list[subprocess.Popen[bytes]] = []
    take = stream._CHILDREN.take
    monkeypatch.setattr(stream._CHILDREN, "take", lambda: asked.append(take()) or asked[-1])
    return asked


def reading(statement: str) -> Iterator[pa.RecordBatch]:
    form = pa.schema([("exp_id", pa.string()), ("exp_seeing", pa.float64())])
    path = str(connection.settings_dict["NAME"])
    return stream._sqlite(path, statement, [], form, frozenset({"exp_id"}))


def test_a_stream_that_is_dropped_ends_its_process(few: None, children: list[subprocess.Popen[bytes]]):
    rows = reading("SELECT exp_id, exp_seeing FROM exposures_exposure")
    assert next(rows).num_rows == 2
    rows.close()  # type: ignore[attr-defined]
    (child,) = children
    assert child.poll() is not None


def test_a_reading_process_that_fails_is_an_error_and_not_a_short_answer(
    few: None, children: list[subprocess.Popen[bytes]]
):
    with pytest.raises((OSError, pa.ArrowInvalid)):
        list(reading("SELECT exp_id, nothing FROM exposures_exposure"))


def test_the_next_reading_process_waits_ready(few: None, children: list[subprocess.Popen[bytes]]):
    for _ in range(2):
        assert (
            sum(batch.num_rows for batch in reading("SELECT exp_id, exp_seeing FROM exposures_exposure")) == 5
        )
    assert len({child.pid for child in children}) == 2
    assert stream._CHILDREN._spare is not None
    assert stream._CHILDREN._spare.poll() is None
