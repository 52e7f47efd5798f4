"""How much a search would send: rows and about how many bytes, told before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from obsportal.exposures.groups import grouped
from obsportal.exposures.groups.group_columns import Group
from obsportal.exposures.search import Search

if TYPE_CHECKING:
    from obsportal.accounts.access import Actor

BIG = 50_000
"""Rows from which a page asks before it sends them."""

ROW_BYTES = {"votable": 1160, "csv": 870, "tsv": 870, "json": 1490}
REDUCED_BYTES = {"votable": 920, "csv": 700, "tsv": 700, "json": 1140}
"""Mean length of a row of exposures by format, measured on an archive of all instruments."""


@dataclass(frozen=True, slots=True)
class Extent:
    """What an answer holds. ``rows`` are groups where the search groups."""

    exposures: int
    rows: int
    bytes: dict[str, int]
    """About, by format."""

    def as_dict(self) -> dict[str, object]:
        """For ``/search.count``."""
        return {"exposures": self.exposures, "rows": self.rows, "bytes": self.bytes}


def extent(search: Search, actor: Actor) -> Extent:
    """What a data format of this search would send to this actor."""
    exposures = search.exposures(actor).count()
    rows = exposures if search.group is Group.EXPOSURE else grouped.count(search, actor)
    if search.limit is not None:
        rows = max(0, min(search.limit, rows - (search.page - 1) * search.limit))
    return Extent(exposures, rows, sizes(rows, all_fields=search.all_fields))


def sizes(rows: int, *, all_fields: bool = True) -> dict[str, int]:
    """About how many bytes so many rows have, by format."""
    return {form: rows * per_row for form, per_row in (ROW_BYTES if all_fields else REDUCED_BYTES).items()}


def words(size: int) -> str:
    """A number of bytes for people: two digits are enough for an estimate.

    >>> words(405_232_080)
    '410 MB'
    """
    if size < 1000:
        return "1 kB"
    unit = "kB"
    value = size / 1e3
    for larger in ("MB", "GB"):
        if value < 999.5:
            break
        value, unit = value / 1e3, larger
    if value < 9.95:
        return f"{value:.1f} {unit}"
    return f"{round(value) if value < 99.5 else round(value, -1):.0f} {unit}"
