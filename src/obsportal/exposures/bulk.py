"""Many rows at once, on both databases: insertion, one column, values for statements, statistics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any, TypeVar

from django.db import connection, models

Convert = Callable[[Any], Any]
T = TypeVar("T")
ASKED_AT_ONCE = 5000
"""Values named in one statement; the databases limit its parameters."""


def parts(values: Iterable[T], size: int = ASKED_AT_ONCE) -> Iterator[list[T]]:
    """The values in lists short enough for one statement, in their order."""
    stream = iter(values)
    while part := list(islice(stream, size)):
        yield part


@cache
def _converters(model: type[models.Model], vendor: str) -> dict[str, Convert | None]:
    """Column attribute -> how its value is prepared; None where it goes as it is."""
    found: dict[str, Convert | None] = {}
    for field in model._meta.concrete_fields:
        if field.primary_key:
            continue
        convert: Convert | None = None
        if isinstance(field, models.DateTimeField):
            convert = connection.ops.adapt_datetimefield_value
        elif isinstance(field, models.DateField):
            convert = connection.ops.adapt_datefield_value
        elif isinstance(field, (models.JSONField, models.BinaryField)):
            convert = lambda value, field=field: field.get_db_prep_save(value, connection)  # noqa: E731
        found[field.attname] = convert
    return found


def insert(
    model: type[models.Model], rows: Sequence[Mapping[str, Any]], *, ignore_existing: bool = False
) -> None:
    """Insert rows given as column attribute -> value, all with the same columns, by one statement.

    Django's ``bulk_create`` makes an instance of each row and renders the statement anew for every
    dozen of wide rows on SQLite. Columns not given take their model defaults. With ``ignore_existing``
    a row that violates a unique constraint is left out.
    """
    if not rows:
        return
    converters = _converters(model, connection.vendor)
    given = rows[0].keys()
    fields = {f.attname: f for f in model._meta.concrete_fields if f.attname in converters}
    unknown = given - fields.keys()
    if unknown:
        raise ValueError(f"{model.__name__} has no column {sorted(unknown)[0]}")
    fill = {name: field.get_default() for name, field in fields.items() if name not in given}
    order = [*given, *fill]
    tail = [_ready(converters[name], value) for name, value in fill.items()]
    prepare = [(name, converters[name]) for name in given]
    values = [[*[_ready(convert, row[name]) for name, convert in prepare], *tail] for row in rows]
    quote = connection.ops.quote_name
    names = ", ".join(quote(str(fields[name].column)) for name in order)
    places = ", ".join(["%s"] * len(order))
    conflict = " ON CONFLICT DO NOTHING" if ignore_existing else ""
    statement = f"INSERT INTO {quote(model._meta.db_table)} ({names}) VALUES ({places}){conflict}"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.executemany(statement, values)


def _ready(convert: Convert | None, value: Any) -> Any:
    return value if convert is None or value is None else convert(value)


def set_column(model: type[models.Model], column: str, values: Sequence[tuple[int, int | None]]) -> None:
    """Give a whole-number column, named by its attribute, new values: (primary key, value) pairs."""
    if not values:
        return
    quote = connection.ops.quote_name
    table = quote(model._meta.db_table)
    name = quote(next(str(f.column) for f in model._meta.concrete_fields if f.attname == column))
    key = quote(str(model._meta.pk.column))
    ordered = sorted(values, key=lambda pair: pair[0])  # neighbours on disk
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                f"UPDATE {table} SET {name} = given.value FROM"  # noqa: S608
                f" unnest(%s::bigint[], %s::bigint[]) AS given(key, value) WHERE {table}.{key} = given.key",
                [[pk for pk, _ in ordered], [value for _, value in ordered]],
            )
        else:
            statement = f"UPDATE {table} SET {name} = %s WHERE {key} = %s"  # noqa: S608
            cursor.executemany(statement, [(value, pk) for pk, value in ordered])


def refresh_statistics() -> None:
    """Let SQLite measure its indexes, or it takes any facet for more selective than a time range.

    PostgreSQL's autovacuum does this by itself.
    """
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
