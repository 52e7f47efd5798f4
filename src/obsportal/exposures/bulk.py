"""Fast insertion of many rows of one model, on both databases."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from django.db import connection, models


@cache
def _columns(model: type[models.Model]) -> tuple[models.Field, ...]:
    return tuple(field for field in model._meta.concrete_fields if not field.primary_key)


def insert(rows: Sequence[models.Model], *, ignore_existing: bool = False) -> None:
    """Insert unsaved rows of one model with one prepared statement.

    ``bulk_create`` renders the whole statement for every dozen of wide rows on SQLite; this
    prepares it once. Primary keys are not set on the instances. With ``ignore_existing`` a row
    that violates a unique constraint is left out.
    """
    if not rows:
        return
    model = type(rows[0])
    fields = _columns(model)
    quote = connection.ops.quote_name
    names = ", ".join(quote(field.column) for field in fields)
    places = ", ".join(["%s"] * len(fields))
    conflict = " ON CONFLICT DO NOTHING" if ignore_existing else ""
    statement = f"INSERT INTO {quote(model._meta.db_table)} ({names}) VALUES ({places}){conflict}"  # noqa: S608
    values = [
        [field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields] for row in rows
    ]
    with connection.cursor() as cursor:
        cursor.executemany(statement, values)
