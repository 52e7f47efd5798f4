"""The grouped rows of the search page: the switch, the columns, and where each row leads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.urls import reverse

from obsportal.exposures import listing
from obsportal.exposures.groups import grouped
from obsportal.exposures.groups.group_columns import Group
from obsportal.exposures.listing import Head, query
from obsportal.exposures.pages import addresses
from obsportal.exposures.search import Search, sorts

if TYPE_CHECKING:
    from obsportal.accounts.access import Actor

_HEADS = (
    Head("Target", "", "target_name"),
    Head("RA, Dec", "J2000", "target_ra"),
    Head("Instrument", "", "instrument_name"),
    Head("Stations"),
    Head("Programme", "", "obs_program"),
    Head("Exp.", "", "exp_count", numeric=True),
    Head("Time", "s", "exp_time", numeric=True),
    Head("Seeing", "″", "exp_seeing", numeric=True),
    Head("τ0", "ms", "exp_tau0", numeric=True),
)


def heads(params: Mapping[str, str], search: Search) -> list[Head]:
    """The column headers of a grouped table."""
    first = Head("Night", "UTC", "exp_mjd_start")
    if search.group is not Group.TARGET_NIGHT:
        first = Head("Start", "UTC", "exp_mjd_start")
    return listing.heads(params, search, (first, *_HEADS))


@dataclass(frozen=True, slots=True)
class Switch:
    """One way to group, and the same search so grouped."""

    label: str
    link: str
    current: bool


def switches(params: Mapping[str, str], search: Search) -> list[Switch]:
    """The ways to group. An order that a way does not know is left."""
    return [
        Switch(
            group.label,
            query(params, group=None if group is Group.EXPOSURE else group, **_kept_sort(search, group)),
            group is search.group,
        )
        for group in Group
    ]


def _kept_sort(search: Search, group: Group) -> dict[str, None]:
    known = all(name.removeprefix("-") in sorts(group) for name in search.sort)
    return {} if known else {"sort": None}


@dataclass(frozen=True, slots=True)
class Row:
    """A group on a page: its columns, its own page, and its exposures as a search."""

    values: Mapping[str, Any]
    page: str
    exposures: str

    @property
    def flawed(self) -> int:
        """How many of its exposures have a validation error."""
        return int(self.values["exp_count"]) - int(self.values["exp_valid_count"])


def page_rows(params: Mapping[str, str], search: Search, actor: Actor) -> tuple[list[Row], int]:
    """The groups of a page, and how many there are in all."""
    found, total = grouped.page_rows(search, actor)
    return [_row(params, search, values) for values in found], total


def _row(params: Mapping[str, str], search: Search, values: Mapping[str, Any]) -> Row:
    exposures = reverse("search") + query(
        params, group=None, sort=None, limit=None, **_address(search, values)
    )
    return Row(values, _page(search.group, values) or exposures, exposures)


def _address(search: Search, values: Mapping[str, Any]) -> dict[str, str]:
    """The search parameters that stand for a group, beside the conditions in force."""
    if search.group is Group.TARGET_NIGHT and values["night"]:
        return {
            "target_id": str(values["target_id"]),
            "night": values["night"],
            "interferometer": values["interferometer_name"],
        }
    key = values.get("observation_key")
    if not key:
        return {"exp_id": values["group_id"]}
    if search.group is Group.OBSERVATION:
        return {"observation": key}
    return {"observation": key, "template_start": values["template_start"] or "none"}


def _page(group: Group, values: Mapping[str, Any]) -> str:
    """The page of what a group is, "" where there is none."""
    if group is Group.TARGET_NIGHT and values["night"]:
        return addresses.page("target", values["target_id"], night=values["night"])
    key = values.get("observation_key")
    if key:
        return addresses.page("observation", key)
    return addresses.page("exposure", values["group_id"])
