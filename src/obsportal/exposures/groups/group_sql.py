# ruff: noqa: S608  (the texts hold names of columns from this module and the parameters' places, no values)
"""The SQL that gathers exposures to groups, for SQLite and PostgreSQL.

It reads from common table expressions that the caller puts in front: ``chosen`` (the exposures that
meet the conditions), ``seen`` (all that the reader may see) and, for a few groups, ``picked``.
Lists hold distinct values in the order of their code points on both databases.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from obsportal.exposures.groups.group_columns import Group

MEMBER_COLUMNS = (
    "id", "observation_id", "template_start", "target_id", "night", "interferometer_name",
    "exp_mjd_start", "exp_mjd_end", "exp_time", "time_counted", "exp_validation_level",
    "exp_tau0", "exp_seeing", "exp_temperature", "exp_date_updated", "exp_date_release",
    "obs_id", "obs_name", "obs_type", "obs_program", "obs_program_title", "obs_program_pi_coi",
    "interferometer_stations", "configuration", "instrument_name", "instrument_mode",
    "instrument_variant", "instrument_em_min", "instrument_em_max", "visibility",
)  # fmt: skip
"""The columns of ``chosen``."""

SEEN_COLUMNS = ("id", "exp_id", "observation_id", "target_id", "exp_mjd_start")
"""The columns of ``seen``."""

PICKED_COLUMNS = ("id", "observation_id", "target_id", "night")
"""The columns of ``picked``: one exposure of each group wanted."""

PARTS: dict[Group, tuple[str, ...]] = {
    Group.TEMPLATE: ("observation_id", "template_start"),
    Group.OBSERVATION: ("observation_id",),
    Group.TARGET_NIGHT: ("target_id", "night", "interferometer_name"),
}
"""The columns whose values make a group."""

NEEDED = {
    Group.TEMPLATE: "observation_id",
    Group.OBSERVATION: "observation_id",
    Group.TARGET_NIGHT: "night",
}
"""The column without which an exposure is a group of its own."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a database writes what the two write differently; ``{}`` stands for an expression."""

    rounded: str
    stamp: str
    instant: str
    joined: str
    collation: str = ""


DIALECTS = {
    "sqlite": Dialect(
        rounded="ROUND({}, {places})",
        stamp="substr({}, 1, 19) || '+00:00'",
        instant="replace({}, ' ', 'T')",
        joined="SELECT group_concat(d.v, '{by}') FROM ({} ORDER BY v) d",
    ),
    "postgresql": Dialect(
        rounded="CAST(ROUND(CAST({} AS numeric), {places}) AS double precision)",
        stamp="to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || '+00:00'",
        instant="replace(to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US'), '.000000', '')",
        joined="SELECT string_agg(d.v, '{by}' ORDER BY d.v COLLATE \"C\") FROM ({}) d",
        collation=' COLLATE "C"',
    ),
}


LISTS = {
    "obs_name": ", ",
    "obs_program": ", ",
    "obs_program_title": "; ",
    "obs_program_pi_coi": "; ",
    "interferometer_name": ", ",
    "interferometer_stations": ", ",
    "configuration": ", ",
    "instrument_name": ", ",
    "instrument_mode": ", ",
}
"""Columns that list their distinct values, and what stands between two."""

ROUNDED = {"exp_time": 3, "exp_tau0": 7, "exp_seeing": 4, "exp_temperature": 3}
"""Decimals of sums and means: beyond them is the noise of adding in another order."""


@dataclass(frozen=True, slots=True)
class GroupSQL:
    """Statements for one kind of group on one kind of database."""

    group: Group
    dialect: Dialect

    def order(self, sort: Sequence[str]) -> str:
        """The smallest primary key of each group, in order."""
        return self._select("g.first_id", sort, picked=0)

    def rows(self, names: Sequence[str], sort: Sequence[str], *, picked: int = 0) -> str:
        """The named columns of all groups in order, or of as many as are picked.

        The keys of the picked ones are its parameters where ``names_picked`` is true, and none are else.
        """
        return self._select(", ".join(f"{self._value(n)} AS {n}" for n in names), sort, picked=picked)

    @property
    def names_picked(self) -> bool:
        """Whether what is near the picked groups includes other groups, which must be left out by key."""
        return self.group is not Group.OBSERVATION

    def _select(self, wanted: str, sort: Sequence[str], *, picked: int) -> str:
        order = ", ".join([*(self._order(name) for name in sort), "g.first_id"])
        joins = ""
        if re.search(r"\bo\.", wanted):
            joins += " LEFT JOIN exposures_observation o ON o.id = g.observation_id"
        if re.search(r"\bt\.", f"{wanted} {order}"):
            joins += f" LEFT JOIN exposures_target t ON t.id = {self._target}"
        groups = self._gathered(f"{wanted} {order} {joins}", picked=bool(picked))
        only = f" WHERE g.first_id IN ({', '.join(['%s'] * picked)})" if picked and self.names_picked else ""
        return f"SELECT {wanted} FROM ({groups}) g{joins}{only} ORDER BY {order}"

    def _order(self, name: str) -> str:
        direction = " DESC" if name.startswith("-") else ""
        return f"{self._value(name.removeprefix('-'))}{direction} NULLS LAST"

    def _gathered(self, used: str, *, picked: bool) -> str:
        """One row a group: its parts and the aggregates in use."""
        names = sorted(set(re.findall(r"\bg\.(\w+)", used)) - {"first_id", *PARTS[self.group]})
        parts = ", ".join(f"m.{part}" for part in PARTS[self.group])
        columns = ", ".join(["MIN(m.id) AS first_id", parts, *(f"{self._sum(n)} AS {n}" for n in names)])
        near = alone = ""
        if picked:
            alone = " AND m.id IN (SELECT p.id FROM picked p)"
            near = "".join(
                f" AND m.{part} IN (SELECT p.{part} FROM picked p)"
                for part in PARTS[self.group]
                if part in PICKED_COLUMNS
            )
        needed = NEEDED[self.group]
        return (
            f"SELECT {columns} FROM chosen m WHERE m.{needed} IS NOT NULL{near} GROUP BY {parts}"
            f" UNION ALL"
            f" SELECT {columns} FROM chosen m WHERE m.{needed} IS NULL{alone} GROUP BY m.id, {parts}"
        )

    def _sum(self, name: str) -> str:
        """The aggregate of this name over the members ``m`` of a group."""
        column = f"m.{name}"
        match name:
            case "exp_count":
                return "COUNT(*)"
            case "exp_valid_count":
                return "SUM(m.exp_validation_level)"
            case "exp_time":
                return self._round(name, "SUM(CASE WHEN m.time_counted THEN m.exp_time END)")
            case "exp_tau0" | "exp_seeing" | "exp_temperature":
                return self._round(name, f"AVG({column})")
            case "exp_mjd_start" | "instrument_em_min" | "night":
                return f"MIN({column})"
            case "exp_mjd_end" | "instrument_em_max" | "exp_date_updated" | "exp_date_release":
                return f"MAX({column})"
        stem, _, edge = name.rpartition("_")
        value = f"m.{stem}"
        if stem not in {"obs_id", "target_id", "observation_id"}:
            value = f"NULLIF({value}, ''){self.dialect.collation}"
        return f"{'MIN' if edge == 'low' else 'MAX'}({value})"

    def _value(self, name: str) -> str:
        """A column of the answer, in terms of the group ``g``, its observation ``o`` and target ``t``."""
        if name in LISTS:
            values = f"SELECT DISTINCT m.{name} AS v FROM chosen m WHERE m.{name} <> '' AND {self._same}"
            return (
                f"CASE WHEN g.{name}_low IS NULL OR g.{name}_low = g.{name}_high"
                f" THEN COALESCE(g.{name}_low, '') ELSE ({self._join(values, LISTS[name])}) END"
            )
        match name:
            case "group_id":
                return self._group_id
            case "obs_id":
                return "CASE WHEN g.obs_id_low = g.obs_id_high THEN g.obs_id_low END"
            case "obs_type":
                return "CASE WHEN g.obs_type_low < g.obs_type_high THEN 'mixed' ELSE g.obs_type_low END"
            case "target_id":
                return "t.id"
            case "target_name" | "target_ra" | "target_dec":
                return f"t.{name.removeprefix('target_')}"
            case "exp_date_updated" | "exp_date_release":
                return self.dialect.stamp.format(f"g.{name}")
            case "night":
                return "CAST(g.night AS text)"
            case "calibrators":
                return f"COALESCE(({self._calibrators}), '')"
            case "observation_key":
                return "o.key"
            case "template_start":
                return self.dialect.instant.format("g.template_start")
            case "visibility":
                return "g.visibility_low"
        return f"g.{name}"

    @property
    def _same(self) -> str:
        """Whether a member ``m`` belongs to the group ``g``."""
        return " AND ".join(
            f"(m.{part} = g.{part} OR (m.{part} IS NULL AND g.{part} IS NULL))"
            if part == "template_start"
            else f"m.{part} = g.{part}"
            for part in PARTS[self.group]
        )

    @property
    def _target(self) -> str:
        """The target of a group: of its first exposure where there are several."""
        if self.group is Group.TARGET_NIGHT:
            return "g.target_id"
        first = f"SELECT m.target_id FROM chosen m WHERE {self._same} ORDER BY m.exp_mjd_start, m.id"
        return f"CASE WHEN g.target_id_low = g.target_id_high THEN g.target_id_low ELSE ({first} LIMIT 1) END"

    @property
    def _group_id(self) -> str:
        alone = "(SELECT s.exp_id FROM seen s WHERE s.id = g.first_id)"
        match self.group:
            case Group.OBSERVATION:
                return f"COALESCE(o.key, {alone})"
            case Group.TEMPLATE:
                start = self.dialect.instant.format("g.template_start")
                return f"COALESCE(o.key || COALESCE('.' || {start}, ''), {alone})"
        night = "CAST(g.target_id AS text) || '.' || CAST(g.night AS text) || '.' || g.interferometer_name"
        return f"COALESCE({night}, {alone})"

    @property
    def _calibrators(self) -> str:
        """The names of the targets of the linked calibrator observations of which exposures are seen."""
        if self.group is not Group.TARGET_NIGHT:
            return self._join(self._linked("= g.observation_id"), ", ")
        one = self._join(self._linked("= g.observation_id_low"), ", ")
        several = self._join(
            self._linked(f"IN (SELECT m.observation_id FROM chosen m WHERE {self._same})"), ", "
        )
        return f"CASE WHEN g.observation_id_low = g.observation_id_high THEN ({one}) ELSE ({several}) END"

    def _linked(self, science: str) -> str:
        """The calibrators linked to observations, for the instrument variants of the group."""
        name = (
            "SELECT c.name FROM seen s JOIN exposures_target c ON c.id = s.target_id"
            " WHERE s.observation_id = l.calibrator_id ORDER BY s.exp_mjd_start, s.id LIMIT 1"
        )
        variant = f"l.instrument_variant{self.dialect.collation}"
        between = f"{variant} BETWEEN g.instrument_variant_low AND g.instrument_variant_high"
        return (
            f"SELECT DISTINCT ({name}) AS v FROM exposures_calibratorlink l"
            f" WHERE l.science_id {science} AND (l.instrument_variant = '' OR {between})"
        )

    def _join(self, values: str, by: str) -> str:
        return self.dialect.joined.format(values, by=by)

    def _round(self, name: str, value: str) -> str:
        return self.dialect.rounded.format(value, places=ROUNDED[name])


@lru_cache(maxsize=8)
def group_sql(group: Group, vendor: str) -> GroupSQL:
    """The statements of a kind of group on a kind of database."""
    return GroupSQL(group, DIALECTS[vendor])
