"""The result of a list check as data: CSV, JSON, VOTable."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from obsportal.exposures.takeaway.list_check import Checked
from obsportal.exposures.takeaway.spreadsheet import harmless
from obsportal.serialise import FORMATS, Column, arrow_schema

LIST_FORMS = {"csv": "csv", "votable": "votable/td", "json": "json"}
"""Forms of the result, with the writer of the tables."""


@dataclass(frozen=True, slots=True)
class ListColumn:
    """A column of the result and how a line fills it."""

    column: Column
    value: Callable[[Checked], Any]


def instruments(checked: Checked) -> str:
    """``GRAVITY (HIGH-COMBINED); PIONIER (GRISM-H, FREE-H)``."""
    return "; ".join(
        f"{name} ({', '.join(sorted(modes))})" if modes else name
        for name, modes in sorted(checked.existing.modes.items())
    )


def programmes(checked: Checked) -> str:
    """``0104.C-0567(A) (Doe); ...``."""
    found = sorted(checked.existing.programmes.items())
    return "; ".join(f"{run} ({pi})" if pi else run for run, pi in found)


def _first(checked: Checked, name: str) -> Any:
    return getattr(checked.targets[0], name) if checked.targets else None


COLUMNS: tuple[ListColumn, ...] = (
    ListColumn(Column("line", "int", ucd="meta.number"), lambda c: c.line.number),
    ListColumn(Column("asked", "unicodeChar", ucd="meta.id"), lambda c: c.line.text),
    ListColumn(Column("found", "boolean", ucd="meta.code"), lambda c: c.found),
    ListColumn(
        Column("matched_by", "unicodeChar", ucd="meta.note", description="name, known star or position"),
        lambda c: c.targets[0].how.value if c.targets else None,
    ),
    ListColumn(Column("target_id", "int", ucd="meta.id"), lambda c: _first(c, "target_id")),
    ListColumn(
        Column("target_name", "unicodeChar", ucd="meta.id;meta.main", description="several with ;"),
        lambda c: "; ".join(t.name for t in c.targets) or None,
    ),
    ListColumn(Column("target_ra", "double", "deg", "pos.eq.ra;meta.main"), lambda c: _first(c, "ra")),
    ListColumn(Column("target_dec", "double", "deg", "pos.eq.dec;meta.main"), lambda c: _first(c, "dec")),
    ListColumn(
        Column("separation", "double", "arcsec", "pos.angDistance"), lambda c: _first(c, "separation")
    ),
    ListColumn(Column("exposures", "int", ucd="meta.number;obs.exposure"), lambda c: c.existing.exposures),
    ListColumn(Column("science", "int", ucd="meta.number"), lambda c: c.existing.science),
    ListColumn(Column("calibrator", "int", ucd="meta.number"), lambda c: c.existing.calibrator),
    ListColumn(
        Column(
            "tracked", "int", ucd="meta.number", description="further exposures that tracked fringes on it"
        ),
        lambda c: c.existing.tracked,
    ),
    ListColumn(Column("nights", "int", ucd="meta.number"), lambda c: len(c.existing.nights)),
    ListColumn(
        Column("first", "unicodeChar", ucd="time.start;obs.exposure", description="UTC date"),
        lambda c: c.existing.first_date or None,
    ),
    ListColumn(
        Column("last", "unicodeChar", ucd="time.end;obs.exposure", description="UTC date"),
        lambda c: c.existing.last_date or None,
    ),
    ListColumn(
        Column("instruments", "unicodeChar", ucd="meta.id;instr", description="with their modes"),
        lambda c: instruments(c) or None,
    ),
    ListColumn(
        Column("configurations", "unicodeChar", ucd="meta.id;instr.setup"),
        lambda c: "; ".join(sorted(c.existing.configurations)) or None,
    ),
    ListColumn(
        Column("programmes", "unicodeChar", ucd="meta.id;obs.proposal", description="with their PI"),
        lambda c: programmes(c) or None,
    ),
    ListColumn(
        Column(
            "proprietary", "int", ucd="meta.number", description="exposures whose data are not public yet"
        ),
        lambda c: c.existing.proprietary,
    ),
    ListColumn(
        Column(
            "public_from", "unicodeChar", ucd="time.release", description="when the last becomes public, UTC"
        ),
        lambda c: f"{c.existing.public_from:%Y-%m-%d}" if c.existing.public_from else None,
    ),
    ListColumn(
        Column("reason", "unicodeChar", ucd="meta.note", description="why nothing was found"),
        lambda c: c.reason or None,
    ),
)


def document(form: str, checked: Sequence[Checked], base: str, radius: float) -> Iterator[bytes]:
    """The result in a form of LIST_FORMS; ``base`` is the portal's address without the last slash."""
    columns = [c.column for c in COLUMNS]
    data = {c.column.name: [c.value(line) for line in checked] for c in COLUMNS}
    columns += [Column(n, "unicodeChar", ucd="meta.ref.url") for n in ("target_url", "search_url")]
    data["target_url"] = [base + line.targets[0].url if line.targets else None for line in checked]
    data["search_url"] = [base + line.search if line.search else None for line in checked]
    if form == "csv":
        data = {name: [harmless(v) if isinstance(v, str) else v for v in data[name]] for name in data}
    batch = pa.RecordBatch.from_pydict(data, schema=arrow_schema(columns))
    params = {"radius_arcsec": f"{radius:g}"}
    return FORMATS[LIST_FORMS[form]].writer(iter([batch]), columns, params=params)
