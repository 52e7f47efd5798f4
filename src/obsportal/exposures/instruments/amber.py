"""AMBER: three beams in J, H and K (two in its first years), decommissioned in period 102.

EXPTIME is a single integration. The central wavelength of the grating moves the spectral range.
"""

from __future__ import annotations

import re

from obsportal.exposures.instruments import eso
from obsportal.exposures.instruments.context import NOTHING_MORE, Context
from obsportal.exposures.instruments.eso_frame import CALIBRATOR, SCIENCE, Deduced, FrameRules, read_frame
from obsportal.exposures.record import ExposureRecord, Refusal
from obsportal.formats.fits_header import Header

INSTRUMES: tuple[str, ...] = ("AMBER",)

_PREFIX = re.compile(r"[23]T[a-z]+_")
_HALF_RANGE = (("MEDIUM_H", 1.40e-7), ("MEDIUM_K", 1.745e-7), ("HIGH", 2.35e-8))
"""Half of the spectral range, m, of a setting that is not in ASPRO2's list, by its beginning."""
_MISPLACED = 2.0e-7  # m; a grating further from the mode's centre was not used for it


def _deduce(header: Header, product: str) -> Deduced | None:
    """Products of amdlib keep DPR; the category stands in where it was removed."""
    for beginning, category in (("SCIENCE", SCIENCE), ("CALIB", CALIBRATOR)):
        if product.startswith(beginning):
            return Deduced(category, "OBJECT", f"PRO CATG is '{product}'")
    return None


RULES = FrameRules(
    instrument="AMBER",
    prefix="AMBER",
    keep=frozenset({"OBJECT"}),
    refused={
        "FRNSRC": ("fringe-search", "a search for fringes"),
        "2P2V": ("not-on-sky", "internal calibration"),
        "3P2V": ("not-on-sky", "internal calibration"),
        "DARK": ("not-on-sky", "a dark"),
        "SKY": ("not-on-sky", "a sky beside the star"),
        "STD": ("acquisition", "an image of a star"),
    },
    deduce=_deduce,
)
on_sky = RULES.why_not


def describe(header: Header, context: Context = NOTHING_MORE) -> list[ExposureRecord] | Refusal:
    """The exposure of an AMBER header, or why it is none."""
    frame = read_frame(header, context, RULES)
    if isinstance(frame, Refusal):
        return frame
    record = eso.begin(header, context, frame, "AMBER")
    said = header.text("ESO INS MODE")
    name = _PREFIX.sub("", said, count=1)
    record.provenance["instrument_mode"] = "ESO INS MODE"
    if not name:
        name = said = header.text("ESO OCS OBS SPECCONF")
        record.provenance["instrument_mode"] = "ESO OCS OBS SPECCONF"
    eso.set_mode(record, "AMBER", name, said)
    _spectral_range(header, record, name)
    integration = eso.dit_times_ndit(header, "ESO DET DIT", "ESO DET NDIT")
    return [eso.finish(header, record, frame, integration)]


def _spectral_range(header: Header, record: ExposureRecord, name: str) -> None:
    """Move the range of the mode to the grating's central wavelength (nm; -1 for the prism)."""
    nanometres = header.number("ESO INS GRAT1 WLEN")
    if nanometres is None or not 1000.0 < nanometres < 3000.0:
        return
    centre = nanometres * 1e-9
    if record.em_min is not None and record.em_max is not None:
        half = 0.5 * (record.em_max - record.em_min)
        if name.upper().startswith("LOW") or abs(centre - record.em_min - half) > _MISPLACED:
            return
    else:
        known = (h for beginning, h in _HALF_RANGE if name.upper().startswith(beginning))
        half = next(known, 0.0)
        if not half:
            return
    record.em_min, record.em_max = centre - half, centre + half
    record.wavelength_origin = "header"
    record.provenance["em_min"] = record.provenance["em_max"] = "ESO INS GRAT1 WLEN"
