from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_tables import COLUMNS, NASTY, batch_of, document, tables

from obsportal.serialise import delimited, json, rows, votable
from obsportal.serialise.rows import RowFormat, gathered, large_rows, row_chunks, small_rows


def _captured(write: Callable[[], object]) -> RowFormat:
    """The row format a writer uses, taken where it hands it over."""
    seen: list[RowFormat] = []

    def keep(batches: object, form: RowFormat) -> Iterator[bytes]:
        seen.append(form)
        return iter(())

    with pytest.MonkeyPatch.context() as patch:
        for module in (delimited, json, votable):
            patch.setattr(module, "row_chunks", keep)
        document(write())
    return seen[0]


FORMS = {
    "contract": _captured(lambda: votable.write_votable([], COLUMNS, dialect="contract")),
    "ivoa": _captured(lambda: votable.write_votable([], COLUMNS, dialect="ivoa")),
    "csv": _captured(lambda: delimited.write_csv([], COLUMNS)),
    "tsv": _captured(lambda: delimited.write_tsv([], COLUMNS)),
    "json": _captured(lambda: json.write_json([], COLUMNS)),
    "one column": _captured(lambda: delimited.write_csv([], COLUMNS[:1])),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@given(table=tables.filter(bool))
def test_arrow_and_python_write_the_same_bytes(form: RowFormat, table: list[tuple]) -> None:
    batch = batch_of(table).select([column.name for column in form.columns])
    assert document(large_rows(batch, form)) == small_rows(batch, form)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_a_long_table_is_the_sum_of_its_rows_however_it_is_cut(
    form: RowFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = random.Random(4)
    table = [
        (
            source.choice(NASTY),
            source.choice([None, source.uniform(0, 360), 1e-8]),
            7,
            source.choice([None, 2**40]),
            source.choice([True, False, None]),
            source.choice([None, "note"]),
        )
        for _ in range(3000)
    ]
    batch = batch_of(table).select([column.name for column in form.columns])
    row_by_row = b"".join(small_rows(batch.slice(n, 1), form) for n in range(batch.num_rows))
    assert document(row_chunks([batch], form)) == row_by_row
    monkeypatch.setattr(rows, "PREPARED_ROWS", 700)
    monkeypatch.setattr(rows, "CHUNK_BYTES", 4096)
    pieces = [batch.slice(0, 1), batch.slice(1, 0), batch.slice(1, 2000), batch.slice(2001)]
    assert document(row_chunks(pieces, form)) == row_by_row


def test_text_that_is_not_utf8_is_mended_alike_by_both_ways() -> None:
    raw = pa.array([b"caf\xe9", b"fine"], pa.binary())
    array = pa.Array.from_buffers(pa.string(), 2, raw.buffers())
    form = _captured(lambda: delimited.write_csv([], COLUMNS[:1]))
    batch = pa.record_batch([array], names=["name"])
    assert small_rows(batch, form) == "caf\ufffd\r\nfine\r\n".encode() == document(large_rows(batch, form))


@given(st.lists(st.binary(max_size=20)), st.integers(1, 30))
@settings(max_examples=50)
def test_gathering_changes_the_cuts_but_not_the_bytes(chunks: list[bytes], least: int) -> None:
    found = list(gathered(chunks, least))
    assert b"".join(found) == b"".join(chunks)
    assert all(len(chunk) >= least for chunk in found[:-1])
    assert b"" not in found


def test_chunks_stay_near_a_megabyte_and_memory_stays_flat() -> None:
    columns = COLUMNS[:2]
    form = _captured(lambda: votable.write_votable([], columns, dialect="contract"))
    batch = batch_of([("x" * 700 + str(n), n / 7) for n in range(30_000)], columns)
    pool = pa.default_memory_pool()
    before = pool.bytes_allocated()
    sizes, held = [], []
    for chunk in row_chunks([batch] * 4, form):
        sizes.append(len(chunk))
        held.append(pool.bytes_allocated() - before)
    assert sum(sizes) > 80e6
    assert max(sizes) < 1.2 * rows.CHUNK_BYTES
    assert max(held) < 10e6
