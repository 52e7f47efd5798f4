"""Copies all records between databases: a consistent SQLite file out of either engine, and back.

Rows travel as the models' Python values, so that an archive made on SQLite restores on PostgreSQL
and the other way round. Tables without a model (none today) would not travel; a test watches that.
"""

from __future__ import annotations

import copy
import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

BATCH = 2000
# Fields whose Python value every driver takes as it is: no call for each of millions of cells.
SAME_EVERYWHERE = frozenset(
    {
        "AutoField", "BigAutoField", "BigIntegerField", "BooleanField", "CharField", "FloatField",
        "IntegerField", "SmallIntegerField", "TextField",
    }
)  # fmt: skip
Rows = Iterator[list[Any]]


@contextmanager
def temporary_alias(like: str, **changes: Any) -> Iterator[str]:
    """A database alias for this block: the settings of ``like``, with some of them changed."""
    alias = f"copy-{secrets.token_hex(4)}"
    connections.settings[alias] = {**copy.deepcopy(connections[like].settings_dict), **changes}
    try:
        yield alias
    finally:
        connections[alias].close()
        del connections[alias]
        del connections.settings[alias]


@contextmanager
def sqlite_alias(path: Path) -> Iterator[str]:
    """A database alias for a SQLite file of our own, kept as one file without a write-ahead log."""
    with temporary_alias(
        "default",
        ENGINE="django.db.backends.sqlite3",
        NAME=str(path),
        OPTIONS={"init_command": "PRAGMA journal_mode=DELETE; PRAGMA synchronous=NORMAL;"},
        CONN_MAX_AGE=0,
    ) as alias:
        yield alias


def applied_migrations(using: str) -> dict[str, list[str]]:
    """Application -> its applied migrations, in order of name."""
    table: dict[str, list[str]] = {}
    for app, name in sorted(MigrationRecorder(connections[using]).applied_migrations()):
        table.setdefault(app, []).append(name)
    return table


def is_current(using: str) -> bool:
    """True when no migration waits to be applied."""
    executor = MigrationExecutor(connections[using])
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def unknown_migrations(schema: Mapping[str, list[str]]) -> list[str]:
    """Those of the migrations that this version of the program does not have."""
    known = MigrationLoader(None, ignore_no_migrations=True).disk_migrations
    return [f"{app}.{name}" for app, names in schema.items() for name in names if (app, name) not in known]


def bring_up_to_date(using: str) -> None:
    """Apply the migrations that wait."""
    call_command("migrate", database=using, verbosity=0, interactive=False)


def snapshot(using: str, destination: Path) -> None:
    """Write all records, as they are at one moment, into a new SQLite file; writers go on meanwhile."""
    connection = connections[using]
    if connection.vendor == "sqlite":
        _snapshot_sqlite(connection, destination)
        return
    with sqlite_alias(destination) as target, temporary_alias(using) as source:
        bring_up_to_date(target)
        with transaction.atomic(using=source):
            with connections[source].cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            with transaction.atomic(using=target):
                copy_rows(source, target)


def _snapshot_sqlite(connection: BaseDatabaseWrapper, destination: Path) -> None:
    if connection.is_in_memory_db():  # type: ignore[attr-defined]
        connection.ensure_connection()
        copy_sqlite(connection.connection, destination)
    else:
        copy_sqlite(Path(connection.settings_dict["NAME"]), destination)


def copy_sqlite(source: Path | sqlite3.Connection, destination: Path) -> None:
    """SQLite's online backup, in one step, so that it is one moment's state."""
    if isinstance(source, Path):
        address = f"{source.absolute().as_uri()}?mode=rw"  # never creates the file
        with closing(sqlite3.connect(address, uri=True, timeout=30)) as opened:
            copy_sqlite(opened, destination)
        return
    with closing(sqlite3.connect(destination)) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode=DELETE")


def check_sqlite(path: Path) -> str:
    """Empty when the file is a sound SQLite database, else what is wrong with it."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        return str(error)
    return "" if answer == "ok" else str(answer)


def record_models() -> list[type[models.Model]]:
    """The models whose tables are the records, link tables among them."""
    return [
        model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy and not model._meta.swapped
    ]


def count_rows(using: str) -> dict[str, int]:
    """Rows of each model's table that exists there."""
    connection = connections[using]
    existing = set(connection.introspection.table_names())
    return {
        model._meta.db_table: models.QuerySet(model, using=using).count()
        for model in record_models()
        if model._meta.db_table in existing
    }


def copy_rows(source: str, target: str) -> None:
    """Replace all rows of the target by those of the source; both are migrated, and in a transaction."""
    connection = connections[target]
    copied = record_models()
    with connection.cursor() as cursor:
        tables = [model._meta.db_table for model in copied]
        for statement in connection.ops.sql_flush(no_style(), tables, allow_cascade=True):
            cursor.execute(statement)
        for model in copied:
            write = _copy_in if connection.vendor == "postgresql" else _insert
            write(cursor, model, connection, _rows(model, source, connection))
        for statement in connection.ops.sequence_reset_sql(no_style(), copied):
            cursor.execute(statement)
    ContentType.objects.clear_cache()


def _fields(model: type[models.Model]) -> list[models.Field[Any, Any]]:
    return [field for field in model._meta.local_concrete_fields if not getattr(field, "generated", False)]


def _columns(model: type[models.Model], connection: BaseDatabaseWrapper) -> str:
    return ", ".join(connection.ops.quote_name(str(field.column)) for field in _fields(model))


def _insert(cursor: Any, model: type[models.Model], connection: BaseDatabaseWrapper, rows: Rows) -> None:
    table = connection.ops.quote_name(model._meta.db_table)
    places = ", ".join(["%s"] * len(_fields(model)))
    statement = f"INSERT INTO {table} ({_columns(model, connection)}) VALUES ({places})"  # noqa: S608
    while batch := list(islice(rows, BATCH)):
        cursor.executemany(statement, batch)


def _copy_in(cursor: Any, model: type[models.Model], connection: BaseDatabaseWrapper, rows: Rows) -> None:
    table = connection.ops.quote_name(model._meta.db_table)
    statement = f"COPY {table} ({_columns(model, connection)}) FROM STDIN"
    with connection.wrap_database_errors, cursor.copy(statement) as copy_in:
        for row in rows:
            copy_in.write_row(row)


def _rows(model: type[models.Model], source: str, connection: BaseDatabaseWrapper) -> Rows:
    """The source's rows as the target's driver takes them."""
    fields = _fields(model)
    converted = [
        (place, field)
        for place, field in enumerate(fields)
        if field.get_internal_type() not in SAME_EVERYWHERE
    ]
    everything: models.QuerySet[models.Model] = models.QuerySet(model, using=source)
    rows = everything.order_by("pk").values_list(*(field.attname for field in fields))
    for found in rows.iterator(chunk_size=BATCH):
        row = list(found)
        for place, field in converted:
            row[place] = field.get_db_prep_save(row[place], connection)
        yield row
