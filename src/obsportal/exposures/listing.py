"""The search page's parts: filters with counts, removable conditions, column headers, paging."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.http import urlencode

from obsportal.exposures.criteria import Criterion, entry, served_names
from obsportal.exposures.models import Exposure
from obsportal.exposures.search import FACETS, FacetValue, Search
from obsportal.interferometry.facility import find_instrument

if TYPE_CHECKING:
    from obsportal.accounts.access import Actor

MULTIPLE = ("instrument", "configuration")
"""Parameters of which several values may be ticked."""

ROW_COLUMNS = (
    "exp_id",
    "exp_mjd_start",
    "exp_time",
    "exp_seeing",
    "exp_tau0",
    "exp_validation_level",
    "obs_id",
    "obs_program",
    "obs_type",
    "technical",
    "interferometer_name",
    "interferometer_stations",
    "configuration",
    "instrument_name",
    "instrument_mode",
    "visibility",
    "target__name",
    "target__ra",
    "target__dec",
)
"""What a row of the table needs of an exposure."""


def page_rows(search: Search, actor: Actor) -> list[Exposure]:
    """The rows of a page. Their keys are found first, so that sorting and skipping move little."""
    keys = list(search.window(actor).values_list("pk", flat=True))
    rows = Exposure.objects.visible_to(actor).select_related("target").only(*ROW_COLUMNS).in_bulk(keys)
    return [rows[key] for key in keys if key in rows]


LABELS: dict[str, dict[str, str]] = {
    "valid": {"true": "No errors", "false": "With errors"},
    "technical": {"true": "Technical (60.A)", "false": "Not technical"},
    "obs_type": {"science": "Science", "calibrator": "Calibrator"},
}


def query(params: Mapping[str, str], **changes: str | None) -> str:
    """The parameters as a clean query string with ``?``; empty ones and an old page are left out."""
    kept = {name: value for name, value in params.items() if name not in {"page", "format"}}
    merged: dict[str, str | None] = {**kept, **changes}
    given = {name: value for name, value in merged.items() if value not in (None, "")}
    return f"?{urlencode(given)}" if given else "?"


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a filter with the number of exposures it would leave; None when not counted."""

    value: str
    label: str
    count: int | None
    selected: bool


def choices(params: Mapping[str, str], counted: Mapping[str, list[FacetValue]]) -> dict[str, list[Choice]]:
    """The values of each filter; what is selected is always among them."""
    found: dict[str, list[Choice]] = {}
    for name, values in counted.items():
        chosen = selected(name, params.get(name, ""))
        by_value = {_parameter_value(v.value): v.count for v in values if v.value not in ("", None)}
        listed = [
            Choice(value, LABELS.get(name, {}).get(value, value), count, value.lower() in chosen)
            for value, count in by_value.items()
        ]
        seen = {choice.value.lower() for choice in listed}
        listed += [
            Choice(text, LABELS.get(name, {}).get(text, text), None, True)
            for low, text in chosen.items()
            if low not in seen
        ]
        if name in LABELS:
            order = list(LABELS[name])
            listed.sort(key=lambda choice: order.index(choice.value) if choice.value in order else 9)
        found[name] = listed
    return found


def unanswered(params: Mapping[str, str]) -> dict[str, list[Choice]]:
    """The filters of a search that was not understood: what was selected, without counts."""
    return choices(params, {name: [] for name in FACETS})


def selected(name: str, text: str) -> dict[str, str]:
    """The values of a filter that are in force, lower case to how they are written."""
    text = text.strip()
    if not text:
        return {}
    if name in {"valid", "technical"}:
        truth = {"true": "true", "1": "true", "yes": "true", "on": "true"}.get(text.lower(), "false")
        return {truth: truth}
    parts = [p.strip() for p in text.split(",") if p.strip()] if name in MULTIPLE else [text]
    if name == "instrument":
        parts = [_instrument_value(part) for part in parts]
    return {part.lower(): part for part in parts}


def _instrument_value(text: str) -> str:
    """The bare name for an alias; an entry such as MATISSE_LM stays."""
    if kept := entry(text):
        return kept
    try:
        instrument = find_instrument(text)
    except LookupError:
        return text
    entries = {variant.upper() for variant in instrument.variants}
    if len(entries) > 1 and text.upper() in entries:
        return text.upper()
    return served_names().get(instrument.name, instrument.name)


def _parameter_value(value: Any) -> str:
    match value:
        case True:
            return "true"
        case False:
            return "false"
        case 1 | 0:
            return "true" if value else "false"
    return str(value)


@dataclass(frozen=True, slots=True)
class Chip:
    """A condition in force, and the search without it."""

    words: str
    without: str
    count: int | None = None


def chips(params: Mapping[str, str], criteria: Iterable[Criterion]) -> list[Chip]:
    """The conditions in force."""
    return [Chip(c.words, query(params, **_removal(c))) for c in criteria]


def _removal(criterion: Criterion) -> dict[str, str | None]:
    names = ("ra", "dec", "radius") if criterion.parameter == "position" else (criterion.parameter,)
    return dict.fromkeys(names)


def relaxations(params: Mapping[str, str], search: Search, actor: Actor) -> list[Chip]:
    """For a search that finds nothing: each condition whose removal would find something, best first."""
    found = []
    if len(search.criteria) < 2:
        return []
    for criterion in search.criteria:
        rest = Search(tuple(c for c in search.criteria if c is not criterion))
        count = rest.exposures(actor).count()
        if count:
            found.append(Chip(criterion.words, query(params, **_removal(criterion)), count))
    return sorted(found, key=lambda chip: chip.count or 0)


@dataclass(frozen=True, slots=True)
class Head:
    """A column header: its words, its unit, and the link that sorts by it."""

    label: str
    unit: str = ""
    sort: str = ""
    numeric: bool = False
    link: str = ""
    direction: str = ""
    """``ascending`` or ``descending`` when the table is sorted by it, as ARIA says it."""


HEADS = (
    Head("Start", "UTC, LST", "exp_mjd_start"),
    Head("Target", "", "target_name"),
    Head("RA, Dec", "J2000", "target_ra"),
    Head("Instrument", "", "instrument_name"),
    Head("Stations"),
    Head("Programme", "", "obs_program"),
    Head("Time", "s", "exp_time", numeric=True),
    Head("Seeing", "″", "exp_seeing", numeric=True),
    Head("τ0", "ms", "exp_tau0", numeric=True),
)


def heads(params: Mapping[str, str], search: Search, columns: Iterable[Head] = HEADS) -> list[Head]:
    """The column headers with their sorting links; the column in force reverses."""
    current = search.sort[0]
    found = []
    for head in columns:
        if not head.sort:
            found.append(head)
            continue
        now = head.sort == current.removeprefix("-")
        target = f"-{head.sort}" if now and not current.startswith("-") else head.sort
        direction = ("descending" if current.startswith("-") else "ascending") if now else ""
        link = query(params, sort=target)
        found.append(Head(head.label, head.unit, head.sort, head.numeric, link, direction))
    return found


@dataclass(frozen=True, slots=True)
class Paging:
    """Where in the results a page is."""

    page: int
    pages: int
    first: int
    last: int
    total: int
    previous: str
    following: str
    start: str
    end: str


def paging(params: Mapping[str, str], page: int, size: int, total: int) -> Paging:
    """The place of a page among ``total`` rows, with links to its neighbours ("" where there is none)."""
    pages = max(1, math.ceil(total / size))
    first = (page - 1) * size + 1
    return Paging(
        page=page,
        pages=pages,
        first=first if total else 0,
        last=min(total, page * size),
        total=total,
        previous=query(params, page=str(min(page, pages + 1) - 1)) if page > 1 else "",
        following=query(params, page=str(page + 1)) if page < pages else "",
        start=query(params) if page > 1 else "",
        end=query(params, page=str(pages)) if page < pages else "",
    )
