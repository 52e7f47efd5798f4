"""Rows of a search as Arrow record batches: few rows at once, many as a stream.

Up to ``SMALL`` rows come through Django's open connection, which answers in a millisecond; more are
streamed, a batch at a time, with memory that does not grow with their number: from SQLite by another
process, from PostgreSQL by ADBC.
"""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
from django.db import connection
from django.db.backends.sqlite3._functions import register  # type: ignore[import-untyped]
from psycopg import ClientCursor

from obsportal.exposures.contract import ContractColumn
from obsportal.exposures.models import Exposure
from obsportal.serialise.ahead import ahead
from obsportal.serialise.rows import SMALL_BATCH, Batch, PlainBatch

SMALL = 2_000
BATCH_ROWS = 8_192
PIPE_BYTES = 1 << 20
"""Of the pipe to a reading process: with the usual 64 kB the two wait for each other."""
BUSY_MS = 30_000
"""How long a stream waits for a lock of SQLite, as Django's connections do."""
_PLACE = re.compile(r"(?<!%)%s")
_OF_DJANGO = re.compile(r"\bREGEXP\b|\bdjango_", re.IGNORECASE)
"""What only SQLite connections of Django know."""

_TYPES = {
    "unicodeChar": pa.string(),
    "double": pa.float64(),
    "int": pa.int64(),
    "long": pa.int64(),
    "boolean": pa.bool_(),
}


@lru_cache(maxsize=16)
def schema(columns: tuple[ContractColumn, ...]) -> pa.Schema:
    """The Arrow types of the published columns."""
    return pa.schema([(c.column.name, _TYPES[c.column.datatype]) for c in columns])


def batches(
    statement: tuple[str, Sequence[Any]], columns: Sequence[ContractColumn], *, many: bool = False
) -> Iterator[Batch]:
    """The rows of a statement (SQL and parameters) as record batches of the published columns.

    The first batch is fetched before this returns its iterator, so that a failing query is an error
    of the request and not a cut answer. ``many`` says that there are more than ``SMALL``, for statements
    that would not stop early.
    """
    sql, params = statement
    form = schema(tuple(columns))
    if not many:
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
            first = cursor.fetchmany(SMALL + 1)
        if len(first) <= SMALL_BATCH:
            return iter([PlainBatch(list(zip(*first, strict=True)))] if first else [])
        if len(first) <= SMALL:
            return iter([_from_rows(first, form)])
    if connection.vendor == "sqlite":
        never_null = frozenset(c.column.name for c in columns if not _nullable(c))
        return ahead(_sqlite(str(connection.settings_dict["NAME"]), sql, params, form, never_null))
    connection.ensure_connection()
    return ahead(_postgresql(_uri(), ClientCursor(connection.connection).mogrify(sql, params), form))


def _from_rows(rows: list[tuple[Any, ...]], form: pa.Schema) -> pa.RecordBatch:
    arrays = [
        pa.array(values, field.type) for values, field in zip(zip(*rows, strict=True), form, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=form)


def _nullable(column: ContractColumn) -> bool:
    if not isinstance(column.expression, str):
        return True
    return bool(Exposure._meta.get_field(column.expression).null)


def _sqlite(
    path: str, sql: str, params: Sequence[Any], form: pa.Schema, never_null: frozenset[str]
) -> Generator[pa.RecordBatch, None, None]:
    """By ADBC in a process of its own; by Python's SQLite where Django's functions are asked for."""
    statement = _PLACE.sub("?", sql).replace("%%", "%")
    plain = [_plain(p) for p in params]
    if _OF_DJANGO.search(sql):
        return _by_python(path, statement, plain, form)
    return _by_child(path, statement, plain, form, never_null)


def _by_python(
    path: str, statement: str, params: Sequence[Any], form: pa.Schema
) -> Generator[pa.RecordBatch, None, None]:
    uri = f"file:{quote(path)}?mode=ro"
    opened = sqlite3.connect(uri, uri=True, timeout=BUSY_MS / 1000, check_same_thread=False)
    with closing(opened) as source, closing(source.cursor()) as cursor:
        register(source)
        cursor.execute(statement, params)
        while rows := cursor.fetchmany(BATCH_ROWS):
            yield _from_rows(rows, form)


def _by_child(
    path: str, statement: str, params: Sequence[Any], form: pa.Schema, never_null: frozenset[str]
) -> Generator[pa.RecordBatch, None, None]:
    """ADBC has a copy of the SQLite library, which in this process would drop the locks of Python's."""
    asked = {
        "path": path,
        "statement": statement,
        "params": params,
        "columns": [(field.name, str(field.type), field.name not in never_null) for field in form],
        "batch_rows": BATCH_ROWS,
        "busy_ms": BUSY_MS,
    }
    child = _CHILDREN.take()
    try:
        assert child.stdin is not None
        child.stdin.write(json.dumps(asked).encode() + b"\n")
        child.stdin.flush()
        with pa.ipc.open_stream(child.stdout) as rows:
            yield from rows
        if child.wait() != 0:
            raise OSError("the reading of the records ended early")
    finally:
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


class _Children:
    """Reading processes: one waits ready from the second long answer on, for its start takes a while."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spare: subprocess.Popen[bytes] | None = None

    def take(self) -> subprocess.Popen[bytes]:
        """A process that waits for its question."""
        with self._lock:
            ready, self._spare = self._spare, None
            if ready is None or ready.poll() is not None:
                ready = self._start()
            self._spare = self._start()
            return ready

    def _start(self) -> subprocess.Popen[bytes]:
        program = Path(__file__).with_name("sqlite_child.py")
        return subprocess.Popen(  # noqa: S603 our own interpreter and program; the question goes by the pipe
            [sys.executable, "-I", str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pipesize=PIPE_BYTES,
            bufsize=PIPE_BYTES,
        )


_CHILDREN = _Children()


def _postgresql(uri: str, statement: str, form: pa.Schema) -> Generator[pa.RecordBatch, None, None]:
    import adbc_driver_postgresql.dbapi as postgresql

    with closing(postgresql.connect(uri)) as source, closing(source.cursor()) as cursor:
        cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": 8 << 20})
        cursor.execute(statement)
        for batch in cursor.fetch_record_batch():
            yield _conform(batch, form)


def _conform(batch: pa.RecordBatch, form: pa.Schema) -> pa.RecordBatch:
    arrays = [column.cast(field.type) for column, field in zip(batch.columns, form, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=form)


def _plain(value: Any) -> Any:
    """A parameter as SQLite stores it."""
    return value if isinstance(value, (int, float, str, bytes)) or value is None else str(value)


def _uri() -> str:
    """The open connection's address as libpq reads it."""
    database = connection.settings_dict
    user = quote(str(database.get("USER", "")), safe="")
    password = quote(str(database.get("PASSWORD", "")), safe="")
    host = quote(str(database.get("HOST", "")), safe="")
    login = f"{user}:{password}@" if password else f"{user}@" if user else ""
    port = f":{database['PORT']}" if database.get("PORT") else ""
    return f"postgresql://{login}{host}{port}/{quote(str(database['NAME']), safe='')}"
