"""Values that the archive's table tells: a header taken in without its row does not undo them."""

from __future__ import annotations

from typing import Any

from obsportal.exposures.digest import origin_set
from obsportal.exposures.models import Exposure, Provenance

FIELDS = {
    "exp_date_release": "release_date",
    "obs_program_title": "program_title",
    "obs_program_pi_coi": "pi_coi",
}
"""Columns and the fields of the record whose origin tells whether the archive gave them."""


def kept(existing: Exposure, row: dict[str, Any]) -> dict[str, Any]:
    """The new row, with the archive's values where it was made without; its origins say so."""
    other = [name for name in FIELDS if getattr(existing, name) and row[name] != getattr(existing, name)]
    if not other or existing.provenance is None:
        return row
    before = existing.provenance.origins
    after = Provenance.objects.get(pk=row["provenance_id"]).origins
    lost = [
        name
        for name in other
        if _of_archive(before.get(FIELDS[name])) and not _of_archive(after.get(FIELDS[name]))
    ]
    if not lost:
        return row
    merged = origin_set(after | {FIELDS[name]: before[FIELDS[name]] for name in lost})
    provenance, _ = Provenance.objects.get_or_create(
        sha256=merged.sha256, defaults={"origins": merged.origins}
    )
    return row | {name: getattr(existing, name) for name in lost} | {"provenance_id": provenance.pk}


def _of_archive(origin: object) -> bool:
    return str(origin).startswith("archive ")
