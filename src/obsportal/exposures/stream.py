"""Rows of a search as Arrow record batches: few rows at once, many as a stream.

Up to ``SMALL`` rows come through Django's open connection, which answers in a millisecond; more are
streamed by ADBC, a batch at a time, with memory that does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import pyarrow as pa
from django.conf import settings
from django.db import connection

from obsportal.exposures.contract import ContractColumn

SMALL = 2_000
BATCH_ROWS = 8_192

_TYPES = {
    "unicodeChar": pa.string(),
    "double": pa.float64(),
    "int": pa.int64(),
    "long": pa.int64(),
    "boolean": pa.bool_(),
}


def schema(columns: Sequence[ContractColumn]) -> pa.Schema:
    """The Arrow types of the published columns."""
    return pa.schema([(c.column.name, _TYPES[c.column.datatype]) for c in columns])


def batches(rows: Any, columns: Sequence[ContractColumn]) -> Iterator[pa.RecordBatch]:
    """The rows of an ordered queryset as record batches.

    The first batch is fetched before this returns its iterator, so that a failing query is an error
    of the request and not a cut answer.
    """
    sql, params = rows.values_list(*[c.expression for c in columns]).query.sql_with_params()
    form = schema(columns)
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        first = cursor.fetchmany(SMALL + 1)
    if len(first) <= SMALL:
        return iter([_from_rows(first, form)] if first else [])
    return _stream(sql, params, form)


def _from_rows(rows: list[tuple[Any, ...]], form: pa.Schema) -> pa.RecordBatch:
    arrays = [pa.array(values, field.type) for values, field in zip(zip(*rows, strict=True), form, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=form)


def _stream(sql: str, params: Sequence[Any], form: pa.Schema) -> Iterator[pa.RecordBatch]:
    open_stream = _sqlite if connection.vendor == "sqlite" else _postgresql
    yield from open_stream(sql, params, form)


def _sqlite(sql: str, params: Sequence[Any], form: pa.Schema) -> Iterator[pa.RecordBatch]:
    """ADBC guesses column types from the first rows; a typed first row settles them, and is dropped."""
    import adbc_driver_sqlite.dbapi as sqlite

    typed = ", ".join(
        {"string": "''", "double": "0.0", "int64": "0", "bool": "0"}[str(f.type)] for f in form
    )
    statement = f"SELECT {typed} UNION ALL SELECT * FROM ({sql.replace('%s', '?')})"  # noqa: S608
    uri = f"file:{settings.DATABASES['default']['NAME']}?mode=ro"
    with closing(sqlite.connect(uri)) as source, closing(source.cursor()) as cursor:
        cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": BATCH_ROWS})
        cursor.execute(statement, [_plain(p) for p in params])
        skip = 1
        for batch in cursor.fetch_record_batch():
            yield _conform(batch[skip:], form)
            skip = 0


def _postgresql(sql: str, params: Sequence[Any], form: pa.Schema) -> Iterator[pa.RecordBatch]:
    import adbc_driver_postgresql.dbapi as postgresql
    from psycopg import ClientCursor

    connection.ensure_connection()
    statement = ClientCursor(connection.connection).mogrify(sql, params)
    with closing(postgresql.connect(_uri())) as source, closing(source.cursor()) as cursor:
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
    from urllib.parse import quote

    database = settings.DATABASES["default"]
    user = quote(str(database.get("USER", "")), safe="")
    password = quote(str(database.get("PASSWORD", "")), safe="")
    host = quote(str(database.get("HOST", "")), safe="")
    login = f"{user}:{password}@" if password else f"{user}@" if user else ""
    port = f":{database['PORT']}" if database.get("PORT") else ""
    return f"postgresql://{login}{host}{port}/{quote(str(connection.settings_dict['NAME']), safe='')}"
