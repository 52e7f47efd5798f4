"""From a header to the exposures it describes, or to the reason why it describes none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from obsportal.exposures.instruments import on_sky, rule_for, rules
from obsportal.exposures.instruments.context import Context
from obsportal.exposures.record import ExposureRecord, Refusal
from obsportal.exposures.validation import validate
from obsportal.formats.fits_header import Header

__all__ = ["describe", "on_sky"]


def describe(
    header: Header,
    *,
    include_products: bool = False,
    archive_row: Mapping[str, Any] | None = None,
    header_id: str | None = None,
) -> list[ExposureRecord] | Refusal:
    """Describe a header by the rules of its instrument and validate what they say.

    ``include_products`` takes headers of reduced products too. ``archive_row`` is the frame's row of
    ESO's ``dbo.raw`` table, for release date, PI and title. ``header_id`` overrides the identifier in
    the header. Never raises for what a header may hold.
    """
    instrume = header.text("INSTRUME") or header.text("INSNAME")
    rule = rule_for(instrume)
    if rule is None:
        row = archive_row or {}
        known = header_id or header.text("ARCFILE").removesuffix(".fits") or str(row.get("dp_id") or "")
        said = f"INSTRUME is '{instrume}'" if instrume else "INSTRUME is missing"
        names = ", ".join(sorted(rules()))
        return Refusal(known, "unknown-instrument", f"{said}; there are rules for {names}")
    outcome = rule.describe(header, Context(include_products, archive_row, header_id or ""))
    if not isinstance(outcome, Refusal):
        for record in outcome:
            validate(record)
    return outcome
