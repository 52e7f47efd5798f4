"""What rows of a search are grouped by, and the columns of such an answer.

A column that has the name of an exposure's column has its unit and UCD too.
"""

from __future__ import annotations

from enum import StrEnum

from django.db.models import F

from obsportal.exposures import contract
from obsportal.exposures.contract import ContractColumn
from obsportal.serialise.columns import Column, Datatype


class Group(StrEnum):
    """What makes one row of an answer."""

    EXPOSURE = "exposure"
    TEMPLATE = "template"
    OBSERVATION = "observation"
    TARGET_NIGHT = "target-night"

    @property
    def label(self) -> str:
        """The word of the switch on the search page."""
        return _LABELS[self]

    @property
    def noun(self) -> str:
        """One such row in a sentence; with an s there are several."""
        return _NOUNS[self]


_LABELS = {
    Group.EXPOSURE: "Exposures",
    Group.TEMPLATE: "Templates",
    Group.OBSERVATION: "Observations",
    Group.TARGET_NIGHT: "Targets and nights",
}
_NOUNS = {
    Group.EXPOSURE: "exposure",
    Group.TEMPLATE: "template",
    Group.OBSERVATION: "observation",
    Group.TARGET_NIGHT: "target night",
}

GROUP_HELP = (
    "one row for each `exposure` (as without it), `template`, `observation` or `target-night`"
    " (a target in one night of an interferometer)"
)
"""What the documentation says of the parameter."""

GROUP_SORTS = (
    "exp_mjd_start",
    "exp_date_updated",
    "target_name",
    "target_ra",
    "instrument_name",
    "obs_program",
    "exp_time",
    "exp_seeing",
    "exp_tau0",
    "exp_count",
)
"""Columns a grouped answer can be sorted by."""

_CONTRACT = {c.column.name: c.column for c in contract.COLUMNS}


def _same(name: str, description: str, *, reduced: bool = True) -> ContractColumn:
    """A column named, typed and united as the exposures' one."""
    known = _CONTRACT[name]
    column = Column(name, known.datatype, unit=known.unit, ucd=known.ucd, description=description)
    return ContractColumn(column, F(name), reduced)


def _own(
    name: str, datatype: Datatype, ucd: str, description: str, *, unit: str = "", reduced: bool = True
) -> ContractColumn:
    column = Column(name, datatype, unit=unit, ucd=ucd, description=description)
    return ContractColumn(column, F(name), reduced)


COLUMNS: tuple[ContractColumn, ...] = (
    _own("group_id", "unicodeChar", "meta.id", "Which group it is; see below."),
    _own("exp_count", "int", "meta.number;obs.exposure", "Exposures of the group that meet the conditions."),
    _same("exp_mjd_start", "Start of the first of them."),
    _same("exp_mjd_end", "End of the last."),
    _own(
        "exp_time",
        "double",
        "time.duration;obs.exposure",
        "Integration time of all together; light that several files hold counts once.",
        unit="s",
    ),
    _own("exp_valid_count", "int", "meta.number", "Exposures without a validation error."),
    _same("exp_tau0", "Mean."),
    _same("exp_temperature", "Mean."),
    _same("exp_seeing", "Mean."),
    _same("exp_date_updated", "The latest.", reduced=False),
    _same("exp_date_release", "The latest.", reduced=False),
    _same("obs_id", "Observing block, where there is only one."),
    _own("obs_name", "unicodeChar", "meta.id", "Names of the blocks.", reduced=False),
    _same("obs_type", "science, calibrator, or mixed."),
    _same("obs_program", "Runs."),
    _same("obs_program_title", "Titles, between semicolons.", reduced=False),
    _same("obs_program_pi_coi", "Investigators, between semicolons.", reduced=False),
    _same("interferometer_name", "Interferometer."),
    _same("interferometer_stations", "Sets of stations."),
    _own("configuration", "unicodeChar", "instr.setup", "Configurations."),
    _same("instrument_name", "Instruments."),
    _same("instrument_mode", "Modes."),
    _same("instrument_em_min", "The shortest.", reduced=False),
    _same("instrument_em_max", "The longest.", reduced=False),
    _same("target_id", "Target; of the first exposure where there are several."),
    _same("target_name", "Its name."),
    _same("target_ra", "Its right ascension."),
    _same("target_dec", "Its declination."),
    _own("night", "unicodeChar", "time.epoch", "Local date at the beginning of the (first) night."),
    _own(
        "calibrators",
        "unicodeChar",
        "meta.id;obs.calib",
        "Names of the targets of the calibrator observations linked to it.",
    ),
)


def columns(*, all_fields: bool) -> tuple[ContractColumn, ...]:
    """The full set, or the reduced one of ``all_fields=false``."""
    return COLUMNS if all_fields else _REDUCED


_REDUCED = tuple(c for c in COLUMNS if c.reduced)
