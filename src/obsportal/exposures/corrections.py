"""A curator's corrections of exposures: rows of their own that a re-ingest never undoes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from obsportal.accounts.access import Visibility, may_curate
from obsportal.accounts.models import User
from obsportal.exposures import pairs
from obsportal.exposures.digest import decompress, digest
from obsportal.exposures.gather import targets
from obsportal.exposures.models import Exposure, Override
from obsportal.exposures.observations import derive
from obsportal.exposures.programme_id import is_technical, program_root
from obsportal.exposures.record import Level
from obsportal.exposures.versions import bump, lock
from obsportal.formats.header_sources import HeaderSource
from obsportal.interferometry.facility import find_mode, modes

OVERRIDABLE = ("obs_type", "visibility", "obs_program", "instrument_mode", "technical")
"""Fields a curator may correct."""
LONGEST_PROGRAM = 40


def in_force(exposure_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """The overridden values in force, by exposure: the newest row of each field wins."""
    found: dict[int, dict[str, Any]] = {}
    for row in standing(exposure_ids):
        values = found.setdefault(row.exposure_id, {})
        values |= _effects(row.exposure.instrument_name, row.field, row.value)
    return found


def standing(exposure_ids: Iterable[int]) -> list[Override]:
    """The overrides in force of these exposures, oldest first."""
    newest: dict[tuple[int, str], Override] = {}
    rows = Override.objects.filter(exposure_id__in=exposure_ids).order_by("pk")
    for row in rows.select_related("exposure", "author").defer("exposure__exp_messages"):
        newest.pop((row.exposure_id, row.field), None)
        if not row.withdraws:
            newest[row.exposure_id, row.field] = row
    return sorted(newest.values(), key=lambda row: row.pk)


class OverrideError(ValueError):
    """An override that is not possible; the message says what is allowed."""


def check_override(name: str, value: Any, reason: str) -> None:
    """Refuse a field, value or reason that is not allowed (OverrideError says what is)."""
    if name not in OVERRIDABLE:
        raise OverrideError(f"{name!r} cannot be overridden; allowed are {', '.join(OVERRIDABLE)}")
    if name == "obs_type" and value not in {"science", "calibrator"}:
        raise OverrideError(f"obs_type {value!r}: allowed are science and calibrator")
    if name == "visibility" and value not in set(Visibility):
        raise OverrideError(f"visibility {value!r}: allowed are {', '.join(Visibility)}")
    if name == "technical" and not isinstance(value, bool):
        raise OverrideError("technical: allowed are true and false")
    if name == "obs_program" and not (isinstance(value, str) and len(value) <= LONGEST_PROGRAM):
        raise OverrideError(f"obs_program: a text of at most {LONGEST_PROGRAM} characters is needed")
    if name == "instrument_mode" and not any(value == mode.name for mode in modes()):
        raise OverrideError(f"instrument_mode {str(value)[:60]!r}: the name of a mode is needed, as GRISM-H")
    if not reason.strip():
        raise OverrideError("an override needs a reason")


def _effects(instrument: str, name: str, value: Any) -> dict[str, Any]:
    """The columns that an override sets: its own, and those that follow from it."""
    if name == "obs_program":
        return {name: value, "obs_program_root": program_root(value), "technical": is_technical(value)}
    if name == "instrument_mode" and value:
        try:
            mode = find_mode(instrument, value)
        except LookupError:
            return {name: value}
        return {
            name: value,
            "instrument_variant": mode.variant,
            "instrument_em_min": mode.wavelength_min,
            "instrument_em_max": mode.wavelength_max,
            "instrument_em_res_power": mode.resolution,
            "wavelength_origin": "mode",
        }
    return {name: value}


def corrected(row: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """The columns of a header with a curator's corrections over them."""
    return row | overrides | _settled(overrides, row["exp_messages"]) if overrides else row


def _settled(overridden: Iterable[str], messages: str) -> dict[str, Any]:
    """Messages, log and level without the findings that overrides of these fields settle."""
    found = json.loads(messages or "[]")
    kept = [m for m in found if not ("instrument_mode" in overridden and m[0] == "unknown-mode")]
    if len(kept) == len(found):
        return {}
    failed = [text for _, level, text in kept if level == Level.ERROR]
    return {
        "exp_messages": json.dumps(kept) if kept else "",
        "exp_validation_log": json.dumps(failed) if failed else "",
        "exp_validation_level": 0 if failed else 1,
    }


def override(exposure: Exposure, name: str, value: Any, *, reason: str, author: User) -> Override:
    """Correct one field of an exposure; a re-ingest keeps it. The header's value stays in its text.

    Raises OverrideError for a field or value that cannot be overridden, PermissionError for an actor
    who may not curate.
    """
    _may_curate(author)
    check_override(name, value, reason)
    with transaction.atomic():
        lock()
        effects = _effects(exposure.instrument_name, name, value)
        effects |= _settled({name}, exposure.exp_messages)
        row = _append(exposure, name, value, reason, author, before=_kept(exposure, effects))
        _apply(exposure, effects, row.created_at)
    return row


def withdraw(row: Override, *, reason: str, author: User) -> Override:
    """End a correction: the header counts again, under what other corrections still stand.

    Raises OverrideError when it is not in force or no reason is given, PermissionError for an actor who
    may not curate.
    """
    _may_curate(author)
    if not reason.strip():
        raise OverrideError("withdrawing a correction needs a reason")
    exposure = Exposure.objects.select_related("header").get(pk=row.exposure_id)
    with transaction.atomic():
        lock()
        stand = standing([exposure.pk])
        if row.pk not in {other.pk for other in stand}:
            raise OverrideError("this correction is not in force any more")
        made = _append(exposure, row.field, None, reason, author, withdraws=True)
        values = _uncorrected(exposure, row)
        for other in stand:
            if other.pk != row.pk:
                effects = _effects(exposure.instrument_name, other.field, other.value)
                values |= {name: value for name, value in effects.items() if name in values}
        _apply(exposure, values, made.created_at)
    return made


def _may_curate(author: User) -> None:
    if not may_curate(author):
        raise PermissionError("only curators may override values")


def _append(exposure: Exposure, name: str, value: Any, reason: str, author: User, **more: Any) -> Override:
    parent = exposure.overrides.filter(field=name).order_by("-pk").first()
    return Override.objects.create(
        exposure=exposure,
        field=name,
        value=value,
        reason=reason,
        author=author,
        created_at=timezone.now().replace(microsecond=0),
        parent=parent,
        **more,
    )


def _apply(exposure: Exposure, values: dict[str, Any], now: datetime) -> None:
    for column, value in values.items():
        setattr(exposure, column, value)
    exposure.exp_date_updated = now
    exposure.save(update_fields=[*values, "exp_date_updated"])
    if "visibility" in values:
        targets.repoint([exposure])
        pairs.count_once({exposure.pair_key})
    bump("exposures", now)
    derive.regroup_nights(derive.nights_of([exposure.pk]), mark=False)


def _kept(exposure: Exposure, names: Iterable[str]) -> dict[str, Any]:
    """The columns about to be changed, as they are without any correction, and of which header."""
    columns = {name: getattr(exposure, name) for name in names}
    for other in reversed(standing([exposure.pk])):
        told = (other.before or {}).get("columns", {})
        columns |= {name: value for name, value in told.items() if name in columns}
    return {"header": exposure.header_id, "columns": columns}


def _uncorrected(exposure: Exposure, row: Override) -> dict[str, Any]:
    """What the header says of the columns that a correction changed.

    A header that is newer than the correction is described again; visibility never comes from one.
    """
    before = row.before or {"header": None, "columns": {}}
    columns: dict[str, Any] = dict(before["columns"])
    if exposure.header is None or before["header"] == exposure.header.pk or row.field == "visibility":
        return columns
    text = decompress(bytes(exposure.header.text_zstd), exposure.header.size).decode("latin-1")
    made = digest(HeaderSource(exposure.exp_header_id, text), include_products=True)
    for described in made.columns:
        if described["exp_id"] == exposure.exp_id:
            return {name: described[name] for name in columns}
    return columns
