"""The columns of ``search.votable``: the contract of ASPRO2 and OiDB.

Names, units, UCDs and order are those of the existing service's answers of 2022; clients match by
name only. Columns those answers never had, but ASPRO2 reads, follow at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import CharField, F, Func
from django.db.models.expressions import Combinable

from obsportal.serialise.columns import Column

CONTRACT_VERSION = 1
"""Part of every ETag: bump it when the answer's form changes."""


class IsoSeconds(Func):
    """A timestamp as ``YYYY-MM-DD HH:MM:SS+00:00``, made by the database."""

    output_field = CharField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Django stores aware datetimes as UTC text there."""
        return self.as_sql(compiler, connection, template="substr(%(expressions)s, 1, 19) || '+00:00'")

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """to_char of the UTC time."""
        template = "to_char(%(expressions)s AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || '+00:00'"
        return self.as_sql(compiler, connection, template=template)


@dataclass(frozen=True, slots=True)
class ContractColumn:
    """A published column, and the expression that computes it."""

    column: Column
    expression: str | Combinable
    reduced: bool = True
    """Whether it is part of the set that ``all_fields=false`` asks for."""


def _text(
    name: str, ucd: str = "", expression: str | Combinable = "", *, reduced: bool = True
) -> ContractColumn:
    return ContractColumn(Column(name, "unicodeChar", ucd=ucd), expression or name, reduced)


def _double(
    name: str, ucd: str, unit: str = "", expression: str | Combinable = "", *, reduced: bool = True
) -> ContractColumn:
    return ContractColumn(Column(name, "double", unit=unit, ucd=ucd), expression or name, reduced)


def _int(name: str, ucd: str, expression: str | Combinable = "") -> ContractColumn:
    return ContractColumn(Column(name, "int", ucd=ucd), expression or name)


COLUMNS: tuple[ContractColumn, ...] = (
    _text("exp_id", "meta.id"),
    _text("exp_header_id", "meta.id"),
    _double("exp_mjd_start", "time.start;obs.exposure", "d"),
    _double("exp_mjd_end", "time.end;obs.exposure", "d"),
    _text("exp_projected_baselines", "instr.baseline"),
    _int("exp_validation_level", "meta.code.qual"),
    _text("exp_validation_log", reduced=False),
    _double("exp_tau0", "time.processing", "s"),
    _double("exp_temperature", "phys.temperature", "deg"),
    _double("exp_seeing", "instr.obsty.seeing", "as"),
    _text("exp_date_updated", "time.processing", IsoSeconds("exp_date_updated"), reduced=False),
    _text("exp_date_release", "time.release;obs", IsoSeconds("exp_date_release"), reduced=False),
    _int("obs_id", "meta.id"),
    _text("obs_type", "meta.id;class"),
    _text("obs_program", "meta.id"),
    _text("obs_program_title", "meta.title", reduced=False),
    _text("obs_program_pi_coi", "meta.curation;obs.observer", reduced=False),
    _text("interferometer_name", "meta.id"),
    _text("interferometer_stations"),
    _text("instrument_name", "meta.id;instr"),
    _text("instrument_mode", "meta.id;instr.setup"),
    _text("instrument_submode", "meta.id;instr.setup"),
    _double("instrument_em_min", "em.wl;stat.min", "m", reduced=False),
    _double("instrument_em_max", "em.wl;stat.max", "m", reduced=False),
    _double("instrument_em_res_power", "spect.resolution", reduced=False),
    _int("target_id", "meta.id"),
    _text("target_name", "meta.id;meta.main", F("target__name")),
    _double("target_ra", "pos.eq.ra;meta.main", "deg", F("target__ra")),
    _double("target_dec", "pos.eq.dec;meta.main", "deg", F("target__dec")),
    _text("interferometer_version", "meta.version"),
    _text("interferometer_pops"),
    _text("interferometer_channels"),
)


def columns(*, all_fields: bool) -> Sequence[ContractColumn]:
    """The full set, or the reduced one that ASPRO2 asks for."""
    return COLUMNS if all_fields else _REDUCED


_REDUCED = tuple(c for c in COLUMNS if c.reduced)
