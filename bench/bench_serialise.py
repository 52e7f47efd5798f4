"""Rows per second and memory of the result writers, beside astropy's VOTable writer.

Run: python bench/bench_serialise.py [rows]. The table has the 29 columns of a full exposure search, made of
invented rows shaped like real ones: one text of about 700 characters (projected baselines) per row.
"""

from __future__ import annotations

import io
import resource
import statistics
import sys
import time
import tracemalloc
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
from astropy.io.votable import from_table, writeto
from astropy.table import Table

from obsportal.serialise import FORMATS, Column
from obsportal.serialise.formats import Writer

TEXT, DOUBLE, INT = "unicodeChar", "double", "int"
COLUMNS = [
    Column("exp_id", TEXT, ucd="meta.id"),
    Column("exp_header_id", TEXT, ucd="meta.id"),
    Column("exp_mjd_start", DOUBLE, "d", "time.start;obs.exposure"),
    Column("exp_mjd_end", DOUBLE, "d", "time.end;obs.exposure"),
    Column("exp_projected_baselines", TEXT, ucd="instr.baseline"),
    Column("exp_validation_level", INT, ucd="meta.code.qual"),
    Column("exp_validation_log", TEXT),
    Column("exp_tau0", DOUBLE, "s", "time.processing"),
    Column("exp_temperature", DOUBLE, "deg", "phys.temperature"),
    Column("exp_seeing", DOUBLE, "as", "instr.obsty.seeing"),
    Column("exp_date_updated", TEXT, ucd="time.processing"),
    Column("exp_date_release", TEXT, ucd="time.release;obs"),
    Column("obs_id", INT, ucd="meta.id"),
    Column("obs_type", TEXT, ucd="meta.id;class"),
    Column("obs_program", TEXT, ucd="meta.id"),
    Column("obs_program_title", TEXT, ucd="meta.title"),
    Column("obs_program_pi_coi", TEXT, ucd="meta.curation;obs.observer"),
    Column("interferometer_name", TEXT, ucd="meta.id"),
    Column("interferometer_stations", TEXT),
    Column("instrument_name", TEXT, ucd="meta.id;instr"),
    Column("instrument_mode", TEXT, ucd="meta.id;instr.setup"),
    Column("instrument_submode", TEXT, ucd="meta.id;instr.setup"),
    Column("instrument_em_min", DOUBLE, "m", "em.wl;stat.min"),
    Column("instrument_em_max", DOUBLE, "m", "em.wl;stat.max"),
    Column("instrument_em_res_power", DOUBLE, ucd="spect.resolution"),
    Column("target_id", INT, ucd="meta.id"),
    Column("target_name", TEXT, ucd="meta.id;meta.main"),
    Column("target_ra", DOUBLE, "deg", "pos.eq.ra;meta.main"),
    Column("target_dec", DOUBLE, "deg", "pos.eq.dec;meta.main"),
]
PARAMS = {"status": "OK", "last_mod_date": "2026-01-01 00:00:00+00:00"}
ROWS_OF_A_BLOCK = 8
RUNS = 10
PAIRS = ("U1-U2", "U1-U3", "U1-U4", "U2-U3", "U2-U4", "U3-U4")
INSTRUMENTS = (
    ("GRAVITY", "HIGH-COMBINED", "SINGLE", 1.9971e-6, 2.4e-6, 4000.0),
    ("GRAVITY", "MEDIUM-COMBINED", None, 1.9971e-6, 2.4e-6, 500.0),
    ("PIONIER", "GRISM", None, 1.516e-6, 1.7602e-6, 45.0),
    ("MATISSE", "LOW_LM", "HYBRID", 2.8e-6, 4.2e-6, 34.0),
)


def baselines_text(random: np.random.Generator) -> str:
    numbers = [f"{value:.4f}" for value in random.uniform(10, 140, len(PAIRS) * 4)]
    shape = "'{}': {{'length': {{'start': '{}', 'end': '{}'}}, 'angle': {{'start': '{}', 'end': '{}'}}}}"
    texts = (shape.format(pair, *numbers[4 * n : 4 * n + 4]) for n, pair in enumerate(PAIRS))
    return "{" + ", ".join(texts) + "}"


def exposures(rows: int, seed: int) -> pa.RecordBatch:
    """Invented rows: unique ids, times and baselines; targets and set-ups that last a block."""
    random = np.random.default_rng(seed)
    mjd = np.sort(random.uniform(55000, 61000, rows))
    block = np.arange(rows) // ROWS_OF_A_BLOCK
    target = random.integers(0, 2000, rows)[block]
    ra, dec = random.uniform(0, 360, 2000).round(7), random.uniform(-80, 40, 2000).round(7)
    set_up = random.integers(0, len(INSTRUMENTS), rows)[block]
    set_ups = [[INSTRUMENTS[n][part] for n in set_up] for part in range(6)]
    weather = random.random(rows) > 0.02
    ids = [f"GRAVI.2020-01-09T03:{seed % 60:02d}:{n % 60:02d}.{n:06d}" for n in range(rows)]
    program = random.integers(0, 300, rows)[block]
    dates = [f"2020-01-{n % 28 + 1:02d} 10:40:{n % 60:02d}+00:00" for n in range(rows)]
    values = [
        [f"{name}_1" for name in ids],
        ids,
        mjd.round(8),
        mjd.round(8) + random.integers(10, 400, rows) / 86400,
        [baselines_text(random) for _ in range(rows)],
        np.ones(rows, dtype=np.int32),
        ["[]"] * rows,
        pa.array((random.integers(20, 200, rows) / 2e4).round(7), mask=~weather),
        pa.array(random.uniform(5, 18, rows).round(2), mask=~weather),
        pa.array(random.integers(60, 500, rows) / 200, mask=~weather),
        dates,
        [None if n % 5 == 0 else date for n, date in enumerate(dates)],
        random.integers(40000, 60000, rows).astype(np.int32),
        ["science" if n % 2 else "calibrator" for n in range(rows)],
        [f"0104.C-{n:04d}(A)" for n in program],
        [f"The inner rim of disc no. {n}" for n in program],
        [f"Investigator {n}" for n in program],
        ["VLTI"] * rows,
        ["U1 U2 U3 U4" if n % 3 else "K0 A1 G1 J3" for n in program],
        *set_ups,
        target.astype(np.int32),
        [f"HD {n}" for n in target],
        ra[target],
        dec[target],
    ]
    schema = pa.schema(
        (column.name, {TEXT: pa.string(), DOUBLE: pa.float64(), INT: pa.int32()}[column.datatype])
        for column in COLUMNS
    )
    arrays = [pa.array(value, field.type) for value, field in zip(values, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def stream(batches: Sequence[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """The batches over and over until `rows` rows have been handed out."""
    while rows > 0:
        for batch in batches:
            if rows > 0:
                yield batch.slice(0, rows)
            rows -= batch.num_rows


def drain(chunks: Iterable[bytes]) -> int:
    return sum(len(chunk) for chunk in chunks)


def rate(writer: Writer, batches: Sequence[pa.RecordBatch], rows: int) -> tuple[float, float]:
    """Rows per second and megabytes per second, the best of RUNS equal runs."""
    best = float("inf")
    size = 0
    for _ in range(RUNS):
        start = time.perf_counter()
        size = drain(writer(stream(batches, rows // RUNS), COLUMNS, params=PARAMS))
        best = min(best, time.perf_counter() - start)
    return rows // RUNS / best, size / best / 1e6


def astropy_rate(batch: pa.RecordBatch) -> float:
    table = Table({name: np.asarray(batch.column(name).to_pylist()) for name in batch.schema.names})
    best = float("inf")
    for _ in range(RUNS):
        start = time.perf_counter()
        writeto(from_table(table), io.BytesIO(), tabledata_format="tabledata")
        best = min(best, time.perf_counter() - start)
    return batch.num_rows / best


def memory(writer: Writer, batches: Sequence[pa.RecordBatch], rows: int) -> tuple[float, float]:
    """Python's peak, and the most that Arrow held at any chunk, in megabytes above the start."""
    pool = pa.default_memory_pool()
    before = highest = pool.bytes_allocated()
    tracemalloc.start()
    for _ in writer(stream(batches, rows), COLUMNS, params=PARAMS):
        highest = max(highest, pool.bytes_allocated())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6, (highest - before) / 1e6


def resident_peak() -> float:
    """Largest resident size of the process so far, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def small_answer(writer: Writer, batch: pa.RecordBatch, columns: Sequence[Column]) -> float:
    """Seconds for one answer: the median of 500."""
    times = []
    for _ in range(500):
        start = time.perf_counter()
        drain(writer([batch], columns, params=PARAMS))
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    batches = [exposures(10_000, seed) for seed in range(5)]
    writers: dict[str, Writer] = {name: form.writer for name, form in FORMATS.items()}
    print(f"resident peak with the test data in memory: {resident_peak():.0f} MB")
    for count in (rows, rows * 10):
        drain(writers["votable"](stream(batches, count), COLUMNS, params=PARAMS))
        print(f"  after {count} rows of votable: {resident_peak():.0f} MB")
    peer = astropy_rate(batches[0].slice(0, 1000))
    print(f"{rows} rows, {len(COLUMNS)} columns; astropy.io.votable TABLEDATA: {peer:.0f} rows/s (1000 rows)")
    print(f"{'writer':12} {'rows/s':>10} {'MB/s':>7} {'x astropy':>10}   10 rows, 21 columns")
    small_columns = COLUMNS[:6] + COLUMNS[7:10] + COLUMNS[12:15] + COLUMNS[17:22] + COLUMNS[25:]
    small = batches[0].slice(0, 10).select([column.name for column in small_columns])
    for name, writer in writers.items():
        speed, megabytes = rate(writer, batches, rows)
        once = small_answer(writer, small, small_columns)
        print(f"{name:12} {speed:10.0f} {megabytes:7.0f} {speed / peer:10.0f}   {once * 1e3:.3f} ms")
    print("memory in MB: peak of Python's allocations + Arrow's at each chunk")
    for name, writer in writers.items():
        few, many = memory(writer, batches, rows // 10), memory(writer, batches, rows)
        print(
            f"{name:12} {rows // 10} rows: {few[0]:.1f} + {few[1]:.1f};  "
            f"{rows} rows: {many[0]:.1f} + {many[1]:.1f}"
        )


if __name__ == "__main__":
    main()
