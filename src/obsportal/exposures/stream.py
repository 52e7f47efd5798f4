"""Rows of a search as Arrow record batches: few rows at once, many as a stream.

Up to ``SMALL`` rows come through Django's open connection, which answers in a millisecond; more are
streamed by ADBC, a batch at a time, with memory that does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
from django.db import connection
from psycopg import ClientCursor

from obsportal.exposures.contract import ContractColumn
from obsportal.exposures.models import Exposure
from obsportal.serialise.ahead import ahead
from obsportal.serialise.rows import SMALL_BATCH, Batch, PlainBatch

SMALL = 2_000
BATCH_ROWS = 8_192

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


def _nullable(column: ContractColumn) -> bool:
    if not isinstance(column.expression, str):
        return True
    return bool(Exposure._meta.get_field(column.expression).null)


def _from_rows(rows: list[tuple[Any, ...]], form: pa.Schema) -> pa.RecordBatch:
    arrays = [
        pa.array(values, field.type) for values, field in zip(zip(*rows, strict=True), form, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=form)


def _sqlite(
    path: str, sql: str, params: Sequence[Any], form: pa.Schema, never_null: frozenset[str]
) -> Generator[pa.RecordBatch, None, None]:
    """ADBC guesses a column's type from its first rows: missing values travel as marks of that type."""
    import adbc_driver_sqlite.dbapi as sqlite

    names = ", ".join(f'"{field.name}"' for field in form)
    marked = ", ".join(
        f'"{field.name}"' if field.name in never_null else f'COALESCE("{field.name}", {_MARKS[field.type]})'
        for field in form
    )
    statement = f"WITH found ({names}) AS ({sql.replace('%s', '?')}) SELECT {marked} FROM found"  # noqa: S608
    uri = f"file:{quote(path)}?mode=ro"
    with closing(sqlite.connect(uri)) as source, closing(source.cursor()) as cursor:
        cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": BATCH_ROWS})
        cursor.execute(statement, [_plain(p) for p in params])
        for batch in cursor.fetch_record_batch():
            arrays = [
                column.cast(field.type) if field.name in never_null else _unmarked(column, field)
                for column, field in zip(batch.columns, form, strict=True)
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=form)


_MARKS = {pa.string(): "''", pa.float64(): "-1.5e308", pa.int64(): "-9223372036854775807", pa.bool_(): "-1"}


def _unmarked(column: pa.Array, field: pa.Field) -> pa.Array:
    """The column with its marks as nulls; empty text stays, writers take it as missing."""
    if pa.types.is_string(field.type):
        return column.cast(field.type)
    mark = pa.scalar(
        float(_MARKS[field.type]) if pa.types.is_floating(field.type) else int(_MARKS[field.type])
    )
    column = column.cast(mark.type)
    missing = pc.equal(column, mark)
    if pc.any(missing).as_py():
        column = pc.if_else(missing, None, column)
    return column.cast(field.type)


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
