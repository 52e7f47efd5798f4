"""What can be asked of the refused headers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count

from obsportal.exposures.models import RefusedHeader, RefusedQuerySet
from obsportal.exposures.search_values import integer
from obsportal.serialise.columns import Column

if TYPE_CHECKING:
    from obsportal.accounts.access import Actor

PAGE_SIZE = 50
COLUMNS: tuple[Column, ...] = (
    Column("header_id", "unicodeChar", ucd="meta.id"),
    Column("code", "unicodeChar", ucd="meta.code"),
    Column("reason", "unicodeChar", ucd="meta.note"),
    Column("instrument_name", "unicodeChar", ucd="meta.id;instr"),
    Column("exp_mjd_start", "double", unit="d", ucd="time.start;obs.exposure"),
    Column("source", "unicodeChar", ucd="meta.file"),
    Column("last_seen", "unicodeChar", ucd="time.processing"),
)


@dataclass(frozen=True, slots=True)
class RefusalSearch:
    """Which refusals are asked for."""

    code: str = ""
    instrument: str = ""
    text: str = ""
    page: int = 1

    def rows(self, actor: Actor) -> RefusedQuerySet:
        """The refusals, latest first."""
        return self._filtered(actor, code=True, instrument=True).order_by("-last_seen", "-pk")

    def counts(self, actor: Actor) -> dict[str, list[tuple[str, int]]]:
        """Counts by code and by instrument, each without its own condition."""
        by_code = self._filtered(actor, code=False, instrument=True).values_list("code")
        by_instrument = self._filtered(actor, code=True, instrument=False).values_list("instrument_name")
        return {
            "code": list(by_code.annotate(n=Count("pk")).order_by("-n", "code")),
            "instrument": list(by_instrument.annotate(n=Count("pk")).order_by("-n", "instrument_name")),
        }

    def _filtered(self, actor: Actor, *, code: bool, instrument: bool) -> RefusedQuerySet:
        rows = RefusedHeader.objects.visible_to(actor)
        if code and self.code:
            rows = rows.filter(code=self.code)
        if instrument and self.instrument:
            rows = rows.filter(instrument_name="" if self.instrument == "unknown" else self.instrument)
        if self.text:
            rows = rows.filter(header_id__icontains=self.text)
        return rows


def parse(params: Mapping[str, str]) -> RefusalSearch:
    """Check the parameters. Raises SearchError."""
    page = params.get("page", "").strip()
    return RefusalSearch(
        code=params.get("code", "").replace("\x00", "").strip()[:40],
        instrument=params.get("instrument", "").replace("\x00", "").strip()[:20],
        text=params.get("text", "").replace("\x00", "").strip()[:120],
        page=integer("page", page, 1, 1_000_000) if page else 1,
    )
