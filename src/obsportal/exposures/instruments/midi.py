"""MIDI: two beams in N, decommissioned in period 95.

A long exposure was split into several files: OCS EXPO FILENO counts them, and they share a
``group_key``. Photometry and fringe searches are frames of their own and no UV points.
"""

from __future__ import annotations

from obsportal.exposures.instruments import eso
from obsportal.exposures.instruments.context import NOTHING_MORE, Context
from obsportal.exposures.instruments.eso_frame import CALIBRATOR, SCIENCE, Deduced, FrameRules, read_frame
from obsportal.exposures.record import ExposureRecord, Refusal
from obsportal.formats.fits_header import Header

INSTRUMES: tuple[str, ...] = ("MIDI",)

PROVENANCE = {
    "instrument_mode": "ESO INS OPT1 NAME, ESO INS GRIS NAME",
    "instrument_submode": "ESO DPR TYPE",
    "group_key": "ESO OCS EXPOi FNAME1",
    "group_index": "ESO OCS EXPO FILENO",
}
MAX_EXPOSURES = 20


def _deduce(header: Header, product: str) -> Deduced | None:
    """MIDI's reduction software has no agreed categories: OBJECT tells the frame type."""
    kind = header.text("OBJECT").replace(" ", "").upper()
    if kind in RULES.keep:
        return Deduced(CALIBRATOR, kind, f"OBJECT is '{kind}'")
    if product.startswith(("SCI", "TARGET")):
        return Deduced(SCIENCE, "TRACK,OBJECT,DISPERSED", f"PRO CATG is '{product}'")
    return None


RULES = FrameRules(
    instrument="MIDI",
    prefix="MIDI",
    keep=frozenset(
        {
            "TRACK,OBJECT,DISPERSED",
            "TRACK,OBJECT,FOURIER",
            "FRINGE_TRACK,OBJECT,FOURIER",
            "FRINGE_TRACK,OBJECT,DISPERSED",
        }
    ),
    refused={
        "PHOTOMETRY": ("photometry", "beams one by one"),
        "SEARCH": ("fringe-search", "a search for fringes"),
        "FRINGE_SEARCH": ("fringe-search", "a search for fringes"),
        "COARSE": ("acquisition", "an image of the star"),
        "DARK": ("not-on-sky", "a dark"),
        "FLAT": ("not-on-sky", "a flat"),
        "OTHER": ("not-on-sky", "the end of a template, without data"),
    },
    deduce=_deduce,
)
on_sky = RULES.why_not


def describe(header: Header, context: Context = NOTHING_MORE) -> list[ExposureRecord] | Refusal:
    """The exposure of a MIDI header, or one file of it, or why it is none."""
    frame = read_frame(header, context, RULES)
    if isinstance(frame, Refusal):
        return frame
    shutter = header.text("ESO INS SHUT NAME").upper()
    if shutter in ("AOPEN", "BOPEN", "CLOSED"):
        reason = f"INS SHUT NAME is '{shutter}': not both beams, no fringes"
        return Refusal(frame.header_id, "photometry", reason, "MIDI", header.number("MJD-OBS"))
    record = eso.begin(header, context, frame, "MIDI")
    record.provenance.update(PROVENANCE)
    element, disperser = header.text("ESO INS OPT1 NAME").upper(), header.text("ESO INS GRIS NAME").upper()
    eso.set_mode(record, "MIDI", f"{element}+{disperser}")
    record.instrument_submode = frame.kind.rpartition(",")[2]
    _group(header, record)
    return [eso.finish(header, record, frame, _integration(header))]


def _group(header: Header, record: ExposureRecord) -> None:
    """Files of one exposure share the name of its first file."""
    index = header.integer("ESO OCS EXPO FILENO")
    if index is None or index < 1:
        return
    record.group_index = index
    for i in range(1, MAX_EXPOSURES + 1):
        first = header.text(f"ESO OCS EXPO{i} FNAME1").removesuffix(".fits")
        if first:
            record.group_key = first
            return
    if index > 1:
        template, number = header.text("ESO TPL START"), record.template_expno
        record.group_key = f"MIDI/{template}/{number}" if template else ""


def _integration(header: Header) -> eso.Integration:
    found = eso.dit_times_ndit(header, "ESO DET DIT", "ESO DET NDIT")
    total = header.number("EXPTIME")
    if total is None or total <= 0:
        return found
    return eso.Integration(total, found.dit, found.ndit, "EXPTIME")
