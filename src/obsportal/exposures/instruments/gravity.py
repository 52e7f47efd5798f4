"""GRAVITY: four beams in K, one field or two, its own fringe tracker.

In a dual-field exposure the science object is not the star the header is named after: OBJECT and OBS
TARG NAME are usually the fringe-tracker star. Keywords: GRAVITY dictionaries of ESO; detector 1 is
the acquisition camera, 2 the science spectrometer, 3 the fringe tracker.
"""

from __future__ import annotations

import math
import re

from obsportal.exposures.instruments import eso
from obsportal.exposures.instruments.context import NOTHING_MORE, Context
from obsportal.exposures.instruments.eso_frame import CALIBRATOR, SCIENCE, Deduced, FrameRules, read_frame
from obsportal.exposures.instruments.eso_values import unpack, usable_position
from obsportal.exposures.record import ExposureRecord, Refusal, Sighting
from obsportal.exposures.validation import message
from obsportal.formats.fits_header import Header

INSTRUMES: tuple[str, ...] = ("GRAVITY",)

PROVENANCE = {
    "instrument_mode": "ESO INS SPEC RES, ESO INS POLA MODE",
    "instrument_submode": "ESO DPR TYPE, ESO TPL ID",
    "polarisation": "ESO INS POLA MODE",
    "feed": "ESO INS ROOF POS",
}

_RESOLUTION = {"LOW": "LOW", "MED": "MEDIUM", "MEDIUM": "MEDIUM", "HIGH": "HIGH"}
_CALIBRATOR_PRODUCT = re.compile(r"(^|_)(CAL|CALIB|STD)(_|$)")
_STAR_PRODUCT = re.compile(r"(^|_)(VIS|SCI|CAL|CALIBRATED|POSTPROCESSED|ASTROREDUCED)(_|$)")
_NO_STAR = re.compile(r"DARK|FLAT|WAVE|P2VM(?!RED)|DISP|PIEZO|BAD|SKY|EOP|STATIC")


def _deduce(header: Header, product: str) -> Deduced | None:
    """GRAVITY products have lost DPR: the product's category says field and science or calibrator."""
    if not _STAR_PRODUCT.search(product) or _NO_STAR.search(product):
        return None
    calibrator = _CALIBRATOR_PRODUCT.search(product) is not None
    template = header.text("ESO TPL ID")
    offset = header.number("ESO INS SOBJ X") or header.number("ESO INS SOBJ Y")
    dual = "DUAL" in product or "dual" in template or ("single" not in template and bool(offset))
    kind = f"{'STD' if calibrator else 'OBJECT'},{'DUAL' if dual else 'SINGLE'}"
    return Deduced(
        CALIBRATOR if calibrator else SCIENCE, kind, f"PRO CATG is '{product}', TPL ID '{template}'"
    )


RULES = FrameRules(
    instrument="GRAVITY",
    prefix="GRAVI",
    keep=frozenset({"OBJECT,SINGLE", "STD,SINGLE", "OBJECT,DUAL", "STD,DUAL"}),
    refused={
        "SKY": ("not-on-sky", "a sky beside the star"),
        "DARK": ("not-on-sky", "a dark"),
    },
    deduce=_deduce,
)
on_sky = RULES.why_not


def describe(header: Header, context: Context = NOTHING_MORE) -> list[ExposureRecord] | Refusal:
    """The exposure of a GRAVITY header, or why it is none."""
    frame = read_frame(header, context, RULES)
    if isinstance(frame, Refusal):
        return frame
    record = eso.begin(header, context, frame, "GRAVITY")
    record.provenance.update(PROVENANCE)
    resolution, polarisation = header.text("ESO INS SPEC RES"), header.text("ESO INS POLA MODE")
    for keyword, value in (("ESO INS SPEC RES", resolution), ("ESO INS POLA MODE", polarisation)):
        if not value:
            eso.missing(record, keyword)
    said = f"{resolution}-{polarisation}"
    eso.set_mode(record, "GRAVITY", f"{_RESOLUTION.get(resolution.upper(), resolution)}-{polarisation}", said)
    record.polarisation = polarisation
    record.feed = header.text("ESO INS ROOF POS")
    dual = frame.kind.endswith("DUAL")
    record.instrument_submode = "DUAL" if dual else "SINGLE"
    if "wide" in record.template_id.lower():
        record.instrument_submode += "-WIDE"
    if dual:
        _two_fields(header, record)
    elif record.target is not None and not record.target.name:
        _name_from_science_object(header, record)
    return [eso.finish(header, record, frame, _integration(header))]


def _integration(header: Header) -> eso.Integration:
    """Science detector; EXPTIME where its keywords are missing."""
    found = eso.dit_times_ndit(header, "ESO DET2 SEQ1 DIT", "ESO DET2 NDIT")
    total = header.number("EXPTIME") if found.total is None else None
    return found if total is None else eso.Integration(total, found.dit, found.ndit, "EXPTIME")


def _name_from_science_object(header: Header, record: ExposureRecord) -> None:
    name = header.text("ESO INS SOBJ NAME")
    if name:
        record.target = Sighting(name, record.pointing_ra, record.pointing_dec, record.position_origin)
        record.provenance["target"] = "ESO INS SOBJ NAME"


def _two_fields(header: Header, record: ExposureRecord) -> None:
    """Science object at the fringe-tracker star plus the offset (mas, east and north on the sky)."""
    ra = unpack(header.get("ESO FT ROBJ ALPHA"), hours=True)
    dec = unpack(header.get("ESO FT ROBJ DELTA"), hours=False)
    origin = "FT ROBJ ALPHA/DELTA"
    if not usable_position(ra, dec):
        ra, dec, origin = record.pointing_ra, record.pointing_dec, record.position_origin
    pointed = record.target.name if record.target else ""
    record.ft_target = Sighting(header.text("ESO FT ROBJ NAME") or pointed, ra, dec, origin)
    east, north = header.number("ESO INS SOBJ X"), header.number("ESO INS SOBJ Y")
    record.ft_offset_ra, record.ft_offset_dec = east, north
    if east is None or north is None:
        record.messages.append(message("offset-missing"))
    elif ra is not None and dec is not None:
        cos_dec = max(math.cos(math.radians(dec)), 1e-9)
        ra = (ra + east / 3.6e6 / cos_dec) % 360.0
        dec = max(-90.0, min(90.0, dec + north / 3.6e6))
        origin += " + INS SOBJ X/Y"
    name = header.text("ESO INS SOBJ NAME")
    if not name:
        eso.missing(record, "ESO INS SOBJ NAME")
    record.target = Sighting(name or pointed, ra, dec, origin)
    record.provenance["target"] = "ESO INS SOBJ NAME, ESO FT ROBJ ALPHA, DELTA, ESO INS SOBJ X, Y"
    record.provenance["ft_target"] = "ESO FT ROBJ NAME, ALPHA, DELTA"
    record.provenance["ft_offset_ra"] = "ESO INS SOBJ X"
    record.provenance["ft_offset_dec"] = "ESO INS SOBJ Y"
