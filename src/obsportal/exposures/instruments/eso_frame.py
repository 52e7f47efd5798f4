"""Is an ESO header an exposure on the sky, and under which identifier.

The decision is made on DPR TYPE first: darks and skies of a science block are filed as SCIENCE with
the name of the star. Sources: ESO's interface control document for headers, the frame types of the
instrument pipelines, and rows of the archive's raw-frame table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from obsportal.exposures.instruments.context import Context
from obsportal.exposures.instruments.eso_values import is_archive_id, time_of_id
from obsportal.exposures.record import Message, Refusal
from obsportal.exposures.validation import message
from obsportal.formats.fits_header import Header

INTERFEROMETRY = frozenset({"INTERFEROMETRY"})
CALIBRATOR = "CALIB"
SCIENCE = "SCIENCE"


@dataclass(frozen=True, slots=True)
class Deduced:
    """What a reduced product says of the raw frame it was made from."""

    category: str  # as DPR CATG would have it
    kind: str  # as DPR TYPE would have it
    reason: str
    verbatim: str = ""  # the header's own word for the category


@dataclass(frozen=True, slots=True)
class FrameRules:
    """Which frames of an instrument are exposures on the sky.

    ``keep``: DPR TYPE, blanks removed. ``refused``: beginning of a DPR TYPE -> (code, what it is).
    ``deduce``: frame type of a reduced product without DPR keywords, None for one not made on a star.
    """

    instrument: str
    prefix: str  # of archive identifiers
    keep: frozenset[str]
    techniques: frozenset[str] = INTERFEROMETRY
    refused: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    deduce: Callable[[Header, str], Deduced | None] = lambda header, product: None

    def why_not(self, category: str, kind: str, technique: str) -> tuple[str, str] | None:
        """Code and sentence of the refusal of a frame type, None for an exposure on the sky."""
        plain = kind.replace(" ", "").upper()
        if plain not in self.keep:
            for beginning, (code, what) in self.refused.items():
                if plain.startswith(beginning):
                    return code, f"DPR TYPE is '{kind}': {what}"
            if not plain:
                return "not-on-sky", "DPR TYPE is missing"
            return "not-on-sky", f"DPR TYPE is '{kind}', which is no frame of {self.instrument} on a star"
        group = category.strip().upper()
        if group not in (SCIENCE, CALIBRATOR):
            if group == "ACQUISITION":
                return "acquisition", f"DPR CATG is '{category}'"
            said = f"is '{category}'" if category else "is missing"
            return "not-science-or-calibrator", f"DPR CATG {said}: neither SCIENCE nor CALIB"
        if technique.strip().upper() not in self.techniques:
            said = f"is '{technique}'" if technique else "is missing"
            return "not-interferometry", f"DPR TECH {said}, not {' or '.join(sorted(self.techniques))}"
        return None


@dataclass(slots=True)
class Frame:
    """An accepted header: who it is and what it says of its own kind."""

    header_id: str
    id_origin: str
    id_time: float | None  # MJD written in the identifier
    category: str
    category_header: str
    category_reason: str
    kind: str
    product: str
    messages: list[Message]


def read_frame(header: Header, context: Context, rules: FrameRules) -> Frame | Refusal:
    """Accept or refuse a header, for a reason that names the keyword and its value."""
    product = header.text("ESO PRO CATG")
    header_id, origin = _identify(header, context, rules.prefix, product)
    if not header_id:
        return Refusal("", "no-identifier", "Neither ARCFILE nor DATE-OBS is there", rules.instrument)
    messages: list[Message] = []
    if origin == "INSTRUME, DATE-OBS":
        messages.append(message("identifier-derived", header_id=header_id))

    def refuse(code: str, reason: str) -> Refusal:
        return Refusal(header_id, code, reason, rules.instrument, header.number("MJD-OBS"))

    if product and not context.include_products:
        return refuse("reduced-product", f"PRO CATG is '{product}': a reduced product, not a raw frame")
    row = context.archive_row or {}
    kind = header.text("ESO DPR TYPE")
    category = header.text("ESO DPR CATG")
    if not product and not kind and row:
        kind, category = str(row.get("dp_type") or ""), str(row.get("dp_cat") or "")
        technique = header.text("ESO DPR TECH") or str(row.get("dp_tech") or "INTERFEROMETRY")
    else:
        technique = header.text("ESO DPR TECH")
    verbatim, reason = category, f"DPR CATG is '{category}'"
    if product and not kind:
        deduced = rules.deduce(header, product)
        if deduced is None:
            return refuse("not-on-sky", _off_sky_product(header, product))
        category, kind, reason, technique = deduced.category, deduced.kind, deduced.reason, ""
        verbatim = deduced.verbatim or product
        messages.append(message("product-deduced", reason=reason))
    else:
        why_not = rules.why_not(category, kind, technique)
        if why_not:
            return refuse(*why_not)
    return Frame(
        header_id=header_id,
        id_origin=origin,
        id_time=time_of_id(header_id) if not origin.startswith("INSTRUME") else None,
        category=category.upper(),
        category_header=verbatim,
        category_reason=reason,
        kind=kind.replace(" ", "").upper(),
        product=product,
        messages=messages,
    )


def _off_sky_product(header: Header, product: str) -> str:
    raw = header.text("ESO PRO REC1 RAW1 CATG")
    made = f", made from raw frames of category '{raw}'" if raw else ""
    return f"PRO CATG is '{product}'{made}, OBJECT is '{header.text('OBJECT')}': not made on a star"


def _identify(header: Header, context: Context, prefix: str, product: str) -> tuple[str, str]:
    """Identifier of the raw frame and where it was read."""
    if context.header_id:
        return context.header_id.removesuffix(".fits"), "given"
    for keyword in ("ARCFILE", "DP.ID"):
        name = header.text(keyword).removesuffix(".fits")
        if name:
            return name, keyword
    row = context.archive_row
    if row and row.get("dp_id"):
        return str(row["dp_id"]), "archive dp_id"
    if product:
        name = header.text("ESO PRO REC1 RAW1 NAME").removesuffix(".fits")
        if is_archive_id(name):
            return name, "ESO PRO REC1 RAW1 NAME"
    date = header.text("DATE-OBS")
    if not date:
        return "", ""
    return f"{prefix}.{_milliseconds(date)}", "INSTRUME, DATE-OBS"


def _milliseconds(date: str) -> str:
    """A date with three decimals of a second, as identifiers have."""
    whole, _, fraction = date.replace(" ", "T").partition(".")
    return f"{whole}.{(fraction + '000')[:3]}"
