"""What can be asked of the exposures: parameters to a query, its rows, its counts."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Count, F, Q

from obsportal.accounts.access import reader
from obsportal.exposures import contract
from obsportal.exposures.criteria import Criterion, criteria
from obsportal.exposures.groups.group_columns import GROUP_SORTS, Group
from obsportal.exposures.models import Exposure, ExposureQuerySet
from obsportal.exposures.search_values import SearchError, boolean, integer, shown
from obsportal.exposures.versions import last_modified

if TYPE_CHECKING:
    from obsportal.accounts.access import Actor

SORTS: dict[str, str] = {
    "exp_mjd_start": "exp_mjd_start",
    "exp_date_updated": "exp_date_updated",
    "exp_id": "exp_id",
    "target_name": "target__name",
    "target_ra": "target__ra",
    "instrument_name": "instrument_name",
    "obs_program": "obs_program",
    "exp_time": "exp_time",
    "exp_seeing": "exp_seeing",
    "exp_tau0": "exp_tau0",
}
"""Columns an answer can be sorted by, with the expression that does it."""

MAX_LIMIT = 10_000_000
PAGE_SIZE = 50
PAGE_SIZE_MAX = 500

FACETS: dict[str, str] = {
    "interferometer": "interferometer_name",
    "instrument": "instrument_name",
    "instrument_mode": "instrument_mode",
    "configuration": "configuration",
    "obs_type": "obs_type",
    "valid": "exp_validation_level",
    "fringe_tracker": "fringe_tracker",
    "technical": "technical",
}
"""Parameters whose values are counted beside the results, with their columns."""


@dataclass(frozen=True, slots=True)
class Search:
    """A checked request: conditions, order and extent."""

    criteria: tuple[Criterion, ...]
    sort: tuple[str, ...] = ("exp_mjd_start",)
    page: int = 1
    limit: int | None = None
    all_fields: bool = True
    group: Group = Group.EXPOSURE

    @property
    def condition(self) -> Q:
        """All conditions together."""
        together = Q()
        for criterion in self.criteria:
            together &= criterion.condition
        return together

    @property
    def words(self) -> str:
        """The search in words."""
        return ", ".join(c.words for c in self.criteria) or "all exposures"

    def exposures(self, actor: Actor) -> ExposureQuerySet:
        """The rows this actor may see that meet the conditions, unordered."""
        return Exposure.objects.visible_to(actor).filter(self.condition)

    def ordered(self, actor: Actor) -> ExposureQuerySet:
        """The rows in the order asked for; the identifier breaks ties.

        What groups alone can be sorted by is passed over.
        """
        order = [
            F(SORTS[name.removeprefix("-")]).desc(nulls_last=True) if name.startswith("-") else SORTS[name]
            for name in self.sort
            if name.removeprefix("-") in SORTS
        ]
        return self.exposures(actor).order_by(*order, "pk")

    def window(self, actor: Actor) -> ExposureQuerySet:
        """The ordered rows of the page asked for; all of them without a limit."""
        rows = self.ordered(actor)
        if self.limit is None:
            return rows
        start = (self.page - 1) * self.limit
        return rows[start : start + self.limit]

    def statement(self, actor: Actor) -> tuple[str, Sequence[Any]]:
        """SQL of the published columns of the window, and its parameters.

        A cone alone, ASPRO2's question, keeps its compiled text: only the parameters change.
        """
        only = self.criteria[0].raw if len(self.criteria) == 1 else None
        if only is None or self.limit is not None:
            return _compiled(self, actor)
        text, params = only
        key = (reader(actor), self.all_fields, self.sort, text)
        kept = _STATEMENTS.get(key)
        if kept is None:
            sql, all_params = _compiled(self, actor)
            assert tuple(all_params[len(all_params) - len(params) :]) == params
            if len(_STATEMENTS) > 200:
                _STATEMENTS.clear()
            kept = _STATEMENTS[key] = (sql, tuple(all_params[: len(all_params) - len(params)]))
        return kept[0], kept[1] + params


_STATEMENTS: dict[tuple[Any, ...], tuple[str, tuple[Any, ...]]] = {}


def _compiled(search: Search, actor: Actor) -> tuple[str, Sequence[Any]]:
    columns = contract.columns(all_fields=search.all_fields)
    rows = search.window(actor).values_list(*[c.expression for c in columns])
    sql, params = rows.query.sql_with_params()
    return sql, params


def parse(params: Mapping[str, str], *, page_size: int | None = None) -> Search:
    """Check the parameters of a request.

    ``page_size`` is the default limit (pages have one, data formats have none). Raises SearchError.
    """
    limit = page_size
    if text := params.get("limit", "").strip():
        limit = integer("limit", text, 1, PAGE_SIZE_MAX if page_size else MAX_LIMIT)
    page = 1
    if text := params.get("page", "").strip():
        page = integer("page", text, 1, 10_000_000)
        if limit is None:
            limit = PAGE_SIZE
    group = _group(params.get("group", "").strip())
    sort: tuple[str, ...] = ("exp_mjd_start",)
    if parts := [part.strip() for part in params.get("sort", "").split(",") if part.strip()]:
        sort = tuple(parts)
        allowed = sorts(group)
        unknown = [part for part in sort if part.removeprefix("-") not in allowed]
        if unknown:
            raise SearchError(
                "sort",
                f"sort is {shown(unknown[0])}: allowed are {', '.join(allowed)}, with - in front to reverse",
            )
    all_fields = True
    if text := params.get("all_fields", "").strip():
        all_fields = boolean("all_fields", text)
    return Search(tuple(criteria(params)), sort, page, limit, all_fields, group)


def sorts(group: Group) -> tuple[str, ...]:
    """The columns by which an answer so grouped can be sorted."""
    return tuple(SORTS) if group is Group.EXPOSURE else GROUP_SORTS


def _group(text: str) -> Group:
    if not text:
        return Group.EXPOSURE
    try:
        return Group(text.lower())
    except ValueError:
        raise SearchError("group", f"group is {shown(text)}: allowed are {', '.join(Group)}") from None


def etag(params: Mapping[str, str], actor: Actor, variant: str, counter: int | None = None) -> str:
    """The validator of an answer: it changes with the rows, the request, the reader and the form.

    ``counter`` is the change counter of the exposures where the caller knows it already.
    """
    if counter is None:
        counter, _ = last_modified()
    who = actor.pk if actor is not None and actor.is_authenticated else 0
    asked = "&".join(f"{k}={v}" for k, v in sorted(params.items()) if v)
    text = f"{contract.CONTRACT_VERSION}|{counter}|{who}|{variant}|{asked}"
    return f'"{hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=12).hexdigest()}"'


@dataclass(frozen=True, slots=True)
class FacetValue:
    """One value of a facet with the number of exposures it would leave."""

    value: Any
    count: int


Cube = tuple[tuple[tuple[Any, ...], int], ...]


def facets(search: Search, actor: Actor) -> tuple[int, dict[str, list[FacetValue]]]:
    """Number of exposures found, and counts per facet value, each without its own condition.

    One grouped scan gives a small cube from which every facet is summed. Searches that differ only in
    facet values, order or page share it.
    """
    own = {c.parameter: c for c in search.criteria if c.parameter in FACETS and _in_cube(c)}
    rest = Q()
    for criterion in search.criteria:
        if criterion.parameter not in own:
            rest &= criterion.condition
    cube = _cube(Exposure.objects.visible_to(actor).filter(rest))
    columns = list(FACETS.values())
    allowed = {name: _allowed(criterion) for name, criterion in own.items()}
    total = 0
    counts: dict[str, Counter[Any]] = {name: Counter() for name in FACETS}
    for key, count in cube:
        row = dict(zip(columns, key, strict=True))
        failed = [name for name, test in allowed.items() if not test(row)]
        if not failed:
            total += count
        for name, column in FACETS.items():
            if not failed or failed == [name]:
                counts[name][row[column]] += count
    return total, {
        name: [FacetValue(v, n) for v, n in values.most_common(60)] for name, values in counts.items()
    }


_CUBES: dict[tuple[Any, ...], Cube] = {}
MAX_CUBES = 64


def _cube(rows: ExposureQuerySet) -> Cube:
    """Counts per combination of facet values, kept until the table changes: paging and ticking share it."""
    columns = list(FACETS.values())
    found = rows.order_by().values_list(*columns).annotate(n=Count("pk"))
    sql, params = found.query.sql_with_params()
    key = (last_modified(), sql, tuple(map(str, params)))
    kept = _CUBES.get(key)
    if kept is None:
        if len(_CUBES) >= MAX_CUBES:
            _CUBES.clear()
        kept = _CUBES[key] = tuple((row[:-1], row[-1]) for row in found)
    return kept


def _in_cube(criterion: Criterion) -> bool:
    """Whether a condition speaks of the cube's columns only, so that the cube can answer it."""
    return all(_column(leaf[0]) in set(FACETS.values()) for leaf in _leaves(criterion.condition))


def _leaves(condition: Q) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for child in condition.children:
        if isinstance(child, Q):
            found += _leaves(child)
        elif isinstance(child, tuple):
            found.append(child)
        else:
            found.append(("", child))
    return found


def _column(lookup: str) -> str:
    return lookup.split("__")[0]


def _allowed(criterion: Criterion) -> Any:
    """The condition as a function of a cube row."""

    def test(condition: Q, row: Mapping[str, Any]) -> bool:
        results = [
            test(child, row) if isinstance(child, Q) else _leaf(child, row) for child in condition.children
        ]
        outcome = all(results) if condition.connector == Q.AND else any(results)
        return outcome != condition.negated

    return lambda row: test(criterion.condition, row)


def _leaf(child: Any, row: Mapping[str, Any]) -> bool:
    name, wanted = child
    column, _, lookup = name.partition("__")
    value = row.get(column)
    match lookup:
        case "" | "exact":
            return bool(value == wanted)
        case "in":
            return value in wanted
        case "iexact":
            return str(value).lower() == str(wanted).lower()
    raise ValueError(f"no cube test for {name}")
