"""A process of its own that reads SQLite into Arrow: a program, never imported by the portal.

ADBC brings its own copy of the SQLite library. Locks of a file belong to the process, so two copies in
one process drop each other's: with another process writing, the records would break. One line of JSON
comes in (path, statement, parameters, columns), an Arrow IPC stream goes out.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import closing
from typing import Any
from urllib.parse import quote

import adbc_driver_sqlite.dbapi as sqlite
import pyarrow as pa
import pyarrow.compute as pc

TYPES = {"string": pa.string(), "double": pa.float64(), "int64": pa.int64(), "bool": pa.bool_()}
MARKS = {"string": "char(1)", "double": "-1.5e308", "int64": "-9223372036854775807", "bool": "-1"}
"""ADBC guesses a column's type from its first rows: missing values travel as marks of that type."""


def main() -> None:
    """Serve one question, then end. Ends at once when nobody asks or listens any more."""
    line = sys.stdin.buffer.readline()
    if not line:
        return
    asked = json.loads(line)
    form = pa.schema([(name, TYPES[kind]) for name, kind, _ in asked["columns"]])
    names = ", ".join(f'"{name}"' for name, _, _ in asked["columns"])
    marked = ", ".join(
        f'COALESCE("{name}", {MARKS[kind]})' if nullable else f'"{name}"'
        for name, kind, nullable in asked["columns"]
    )
    statement = f"WITH found ({names}) AS ({asked['statement']}) SELECT {marked} FROM found"  # noqa: S608
    uri = f"file:{quote(asked['path'])}?mode=ro"
    with (
        closing(sqlite.connect(uri)) as source,
        closing(source.cursor()) as cursor,
        pa.ipc.new_stream(sys.stdout.buffer, form) as out,
    ):
        cursor.execute(f"PRAGMA busy_timeout = {asked['busy_ms']}")
        cursor.fetchall()
        cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": asked["batch_rows"]})
        cursor.execute(statement, asked["params"])
        for batch in cursor.fetch_record_batch():
            columns = [
                unmarked(column, kind).cast(TYPES[kind]) if nullable else column.cast(TYPES[kind])
                for column, (_, kind, nullable) in zip(batch.columns, asked["columns"], strict=True)
            ]
            out.write_batch(pa.RecordBatch.from_arrays(columns, schema=form))


def unmarked(column: Any, kind: str) -> Any:
    """The column with its marks as nulls."""
    if kind == "string":
        mark = pa.scalar("\x01")
    else:
        mark = pa.scalar(float(MARKS[kind]) if kind == "double" else int(MARKS[kind]))
    column = column.cast(mark.type)
    missing = pc.equal(column, mark)
    return pc.if_else(missing, None, column) if pc.any(missing).as_py() else column


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        os._exit(0)
