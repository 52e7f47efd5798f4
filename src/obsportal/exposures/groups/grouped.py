"""Rows of a search gathered to templates, observations, or targets and nights.

Only rows that the reader may see and that meet the conditions are gathered: nothing of a protected
row shows in a count, a time, a mean or a list.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from django.db import connection

from obsportal.exposures import stream
from obsportal.exposures.contract import ContractColumn
from obsportal.exposures.groups.group_columns import Group, columns
from obsportal.exposures.groups.group_sql import MEMBER_COLUMNS, PICKED_COLUMNS, SEEN_COLUMNS, group_sql
from obsportal.exposures.models import Exposure, ExposureQuerySet
from obsportal.exposures.versions import last_modified

if TYPE_CHECKING:
    from obsportal.accounts.access import Actor
    from obsportal.exposures.search import Search
    from obsportal.serialise.rows import Batch

Statement = tuple[str, Sequence[Any]]

MANY = 2_000
"""Groups of which a window is found by its keys; the order of more is kept until the exposures change."""

_ORDERS: dict[tuple[Any, ...], array[int]] = {}
MAX_ORDERS = 12


def keys(search: Search, actor: Actor) -> array[int]:
    """All groups of a search in its order, each by the smallest primary key of its exposures.

    Paging, counting and exporting share a long list.
    """
    body = group_sql(search.group, connection.vendor).order(search.sort)
    sql, params = _with_exposures(body, search, actor)
    key = (last_modified(), sql, tuple(map(str, params)))
    kept = _ORDERS.get(key)
    if kept is None:
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
            kept = array("q", [row[0] for row in cursor.fetchall()])
        if len(kept) > MANY:
            if len(_ORDERS) >= MAX_ORDERS:
                _ORDERS.clear()
            _ORDERS[key] = kept
    return kept


def count(search: Search, actor: Actor) -> int:
    """How many groups a search finds."""
    return len(keys(search, actor))


def batches(search: Search, actor: Actor, wanted: Sequence[ContractColumn]) -> Iterator[Batch]:
    """The rows of a grouped answer; many are streamed with flat memory."""
    every = keys(search, actor)
    found = _window(search, every)
    if not found:
        return iter([])
    statement = _statement(search, actor, [c.column.name for c in wanted], found, len(every))
    return stream.batches(statement, wanted, many=len(found) > stream.SMALL)


def page_rows(search: Search, actor: Actor) -> tuple[list[dict[str, Any]], int]:
    """The groups of a page, column name to value, and how many groups there are in all.

    The columns are the published ones and what links and marks need: ``first_id`` (the smallest primary
    key of its exposures), ``visibility`` (the least), ``observation_key`` and ``template_start`` where
    the group has one.
    """
    every = keys(search, actor)
    found = _window(search, every)
    if not found:
        return [], len(every)
    names = [*(c.column.name for c in columns(all_fields=True)), "first_id", "visibility"]
    if search.group is not Group.TARGET_NIGHT:
        names.append("observation_key")
    if search.group is Group.TEMPLATE:
        names.append("template_start")
    with connection.cursor() as cursor:
        cursor.execute(*_statement(search, actor, names, found, len(every)))
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()], len(every)


def _window(search: Search, every: array[int]) -> array[int]:
    """The keys of the page asked for; all without a limit."""
    if search.limit is None:
        return every
    start = (search.page - 1) * search.limit
    return every[start : start + search.limit]


def _statement(
    search: Search, actor: Actor, names: Sequence[str], found: array[int], total: int
) -> Statement:
    """SQL of the named columns of a window, and its parameters.

    The exposures of a few groups out of many are found through their keys.
    """
    sql = group_sql(search.group, connection.vendor)
    if len(found) == total:
        return _with_exposures(sql.rows(names, search.sort), search, actor)
    if len(found) > MANY:
        assert search.limit is not None
        text, params = _with_exposures(sql.rows(names, search.sort), search, actor)
        return f"{text} LIMIT %s OFFSET %s", [*params, search.limit, (search.page - 1) * search.limit]
    text, params = _with_exposures(sql.rows(names, search.sort, picked=len(found)), search, actor, found)
    return text, [*params, *found] if sql.names_picked else params


def _with_exposures(body: str, search: Search, actor: Actor, picked: Sequence[int] = ()) -> Statement:
    """A statement on groups with the exposures it reads in front, as this actor may see them."""
    visible = Exposure.objects.visible_to(actor)
    sources: list[tuple[str, Sequence[str], ExposureQuerySet]] = [
        ("chosen", MEMBER_COLUMNS, search.exposures(actor))
    ]
    if " seen " in body:
        sources.append(("seen", SEEN_COLUMNS, visible))
    if picked:
        sources.append(("picked", PICKED_COLUMNS, visible.filter(pk__in=picked)))
    heads: list[str] = []
    params: list[Any] = []
    for name, read, rows in sources:
        text, given = rows.order_by().values_list(*read).query.sql_with_params()
        # A materialised table of all exposures would have no index.
        heads.append(f"{name} ({', '.join(read)}) AS NOT MATERIALIZED ({text})")
        params += given
    return f"WITH {', '.join(heads)} {body}", params
