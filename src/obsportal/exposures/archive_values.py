"""Values that the archive's table tells: a header taken in without its row does not undo them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from obsportal.exposures.digest import origin_set
from obsportal.exposures.models import Exposure, Provenance

FIELDS = {
    "exp_date_release": "release_date",
    "obs_program_title": "program_title",
    "obs_program_pi_coi": "pi_coi",
}
"""Columns and the fields of the record whose origin tells whether the archive gave them."""


NO_COLUMN = frozenset({"last_modified"})
"""Fields that only the archive tells and that are in no column."""


def kept(existing: Exposure, row: dict[str, Any], origins: Mapping[str, str]) -> dict[str, Any]:
    """The new row of these origins, with the archive's values where it was made without; they say so."""
    if existing.provenance is None or existing.provenance_id == row["provenance_id"]:
        return row
    before = existing.provenance.origins
    lost = {
        name: field
        for name, field in FIELDS.items()
        if getattr(existing, name)
        and row[name] != getattr(existing, name)
        and _is_lost(field, before, origins)
    }
    fields = {*lost.values(), *(field for field in NO_COLUMN if _is_lost(field, before, origins))}
    if not fields:
        return row
    merged = origin_set({**origins, **{field: before[field] for field in fields}})
    provenance, _ = Provenance.objects.get_or_create(
        sha256=merged.sha256, defaults={"origins": merged.origins}
    )
    return row | {name: getattr(existing, name) for name in lost} | {"provenance_id": provenance.pk}


def _is_lost(field: str, before: Mapping[str, str], after: Mapping[str, str]) -> bool:
    return _of_archive(before.get(field)) and not _of_archive(after.get(field))


def _of_archive(origin: object) -> bool:
    return str(origin).startswith("archive ")
