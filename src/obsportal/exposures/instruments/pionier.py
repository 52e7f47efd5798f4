"""PIONIER: four beams in H, once also K.

Until 2014 frames on a star had DPR TYPE OBJECT, often with DPR TECH IMAGE, and one "integration"
was a whole scan of the delay. The dispersion is in INS OPTI2 since the RAPID detector (period 95),
before in INS OPTI3.
"""

from __future__ import annotations

from obsportal.exposures.instruments import eso
from obsportal.exposures.instruments.context import NOTHING_MORE, Context
from obsportal.exposures.instruments.eso_frame import CALIBRATOR, SCIENCE, Deduced, FrameRules, read_frame
from obsportal.exposures.record import ExposureRecord, Refusal
from obsportal.formats.fits_header import Header

INSTRUMES: tuple[str, ...] = ("PIONIER",)

PERIOD_95_MJD = 57_113.0  # 2015-04-01, the RAPID detector's first period
_OLD = {"SMALL": "SMALL", "LARGE": "LARGE", "FREE": "BROAD", "BROAD": "BROAD"}
_NEW = {"GRISM": "GRISM", "FREE": "FREE"}


def _deduce(header: Header, product: str) -> Deduced | None:
    """Products keep DPR; the category stands in where it was removed."""
    if "OIDATA" not in product:
        return None
    category = CALIBRATOR if product.startswith("CALIB") else SCIENCE
    return Deduced(category, "FRINGE,OBJECT", f"PRO CATG is '{product}'")


RULES = FrameRules(
    instrument="PIONIER",
    prefix="PIONI",
    keep=frozenset({"FRINGE,OBJECT", "OBJECT"}),
    techniques=frozenset({"INTERFEROMETRY", "IMAGE"}),
    refused={
        "KAPPA": ("photometry", "beams one by one, for the flux ratios"),
        "FRINGE,LAMP": ("not-on-sky", "fringes of the internal source"),
        "DARK": ("not-on-sky", "a dark"),
    },
    deduce=_deduce,
)


def on_sky(category: str, kind: str, technique: str) -> tuple[str, str] | None:
    """Code and sentence of a refusal; IMAGE is a technique of the early frames only."""
    found = RULES.why_not(category, kind, technique)
    if found is None and technique.strip().upper() == "IMAGE" and kind.strip().upper() != "OBJECT":
        return "not-interferometry", f"DPR TECH is '{technique}', not INTERFEROMETRY"
    return found


def describe(header: Header, context: Context = NOTHING_MORE) -> list[ExposureRecord] | Refusal:
    """The exposure of a PIONIER header, or why it is none."""
    frame = read_frame(header, context, RULES)
    if isinstance(frame, Refusal):
        return frame
    technique = header.text("ESO DPR TECH")
    refused = on_sky(frame.category, frame.kind, technique) if technique else None
    if refused:
        return Refusal(frame.header_id, *refused, "PIONIER", header.number("MJD-OBS"))
    record = eso.begin(header, context, frame, "PIONIER")
    name, said, origin = _mode_name(header)
    record.provenance["instrument_mode"] = origin
    eso.set_mode(record, "PIONIER", name, said)
    return [eso.finish(header, record, frame, _integration(header))]


def _mode_name(header: Header) -> tuple[str, str, str]:
    """ASPRO2's name of the mode, the header's words for it, and the keywords they stand in."""
    element = header.text("ESO INS OPTI2 NAME").upper()
    band = header.text("ESO INS FILT1 NAME").upper()[:1] or header.text("ESO INS MODE").upper()[-1:]
    if element in _NEW:
        mjd = header.number("MJD-OBS")
        name = "BROAD" if element == "FREE" and mjd is not None and mjd < PERIOD_95_MJD else _NEW[element]
        return f"{name}-{band}", f"{element} {band}", "ESO INS OPTI2 NAME, ESO INS FILT1 NAME"
    prism = header.text("ESO INS OPTI3 NAME").upper()
    if element in ("H", "K"):
        band = element
    name = f"{_OLD[prism]}-{band}" if prism in _OLD else ""
    return name, f"{element} {prism} {band}", "ESO INS OPTI3 NAME, ESO INS OPTI2 NAME"


def _integration(header: Header) -> eso.Integration:
    """EXPTIME, missing before 2013: then the scan time DET DIT by the number of scans."""
    found = eso.dit_times_ndit(header, "ESO DET DIT", "ESO DET NDIT")
    total = header.number("EXPTIME")
    if total is None or total <= 0:
        return found
    if found.total is not None and total < 1.0 < found.total:
        return found
    return eso.Integration(total, found.dit, found.ndit, "EXPTIME")
