"""MATISSE: four beams, bands L and M on one detector, N on another, each with its own file.

One opening of the shutters gives two headers with the same template start and exposure number: they
become two records with the same ``pair_key``; the time on sky is counted on the L and M one. Within
an L and M exposure the N side may record its beams one by one (photometry), which is no UV point.
"""

from __future__ import annotations

from obsportal.exposures.instruments import eso
from obsportal.exposures.instruments.context import NOTHING_MORE, Context
from obsportal.exposures.instruments.eso_frame import CALIBRATOR, SCIENCE, Deduced, FrameRules, read_frame
from obsportal.exposures.record import ExposureRecord, Refusal
from obsportal.formats.fits_header import Header
from obsportal.interferometry.array import Mode

INSTRUMES: tuple[str, ...] = ("MATISSE",)

PROVENANCE_LM = {
    "instrument_mode": "ESO DET CHIP NAME, ESO INS DIL NAME, ESO INS FIL NAME",
    "bcd": "ESO CFG BCD MODE",
    "pair_key": "ESO TPL START, ESO TPL EXPNO, ESO OBS ID",
}
PROVENANCE_N = {**PROVENANCE_LM, "instrument_mode": "ESO DET CHIP NAME, ESO INS DIN NAME"}

_CHIPS = {"HAWAII-2RG": "LM", "AQUARIUS": "N"}
_RESOLUTION = {"LOW": "LOW", "MED": "MEDIUM", "MEDIUM": "MEDIUM", "HIGH": "HIGH", "HIGH+": "VERY_HIGH"}
_M_BAND = 4.3e-6  # m; central wavelengths above belong to M
_PER_ROW = {
    "SI_PHOT_L_LOW": 2.16e-8,
    "SI_PHOT_LM_LOW": 2.19e-8,
    "SI_PHOT_M_LOW": 1.38e-8,
    "SI_PHOT_LM_MEDIUM": 1.609e-9,
    "SI_PHOT_L_HIGH": 7.274e-10,
    "SI_PHOT_L_VERY_HIGH": 2.288e-10,
    "SI_PHOT_M_VERY_HIGH": 2.877e-10,
}
"""Mean dispersion, metres of wavelength a detector row: ASPRO2's range of a mode over its channels."""
_SHUTTERS = {"LM": "BSL", "N": "BSN"}
_OPEN = {band: tuple(f"ESO INS {name}{i} ST" for i in range(1, 5)) for band, name in _SHUTTERS.items()}


def _deduce(header: Header, product: str) -> Deduced | None:
    """The category of the first raw frame tells targets (TARGET_RAW), calibrators and lamps apart."""
    raw = header.text("ESO PRO REC1 RAW1 CATG")
    word = raw or product
    if "LAMP" in header.text("OBJECT").upper() or "SRC" in word or "INT" not in product.split("_"):
        return None
    if word.startswith("TARGET"):
        category = SCIENCE
    elif word.startswith("CALIB"):
        category = CALIBRATOR
    else:
        return None
    reason = f"PRO CATG is '{product}'" + (f", made from raw frames of category '{raw}'" if raw else "")
    return Deduced(category, "OBJECT" if category == SCIENCE else "STD", reason, raw)


RULES = FrameRules(
    instrument="MATISSE",
    prefix="MATIS",
    keep=frozenset({"OBJECT", "STD", "OBJECT,FLUX"}),
    refused={
        "OBJECT,RMNREC": ("not-on-sky", "residual monitoring, no exposure"),
        "STD,RMNREC": ("not-on-sky", "residual monitoring, no exposure"),
        "SKY": ("not-on-sky", "a sky beside the star"),
        "LAMP": ("not-on-sky", "an internal source"),
    },
    deduce=_deduce,
)
on_sky = RULES.why_not


def describe(header: Header, context: Context = NOTHING_MORE) -> list[ExposureRecord] | Refusal:
    """The exposure of a MATISSE header (one detector), or why it is none."""
    frame = read_frame(header, context, RULES)
    if isinstance(frame, Refusal):
        return frame
    band = _band(header)
    shut = _one_beam(header, band)
    if shut:
        return Refusal(frame.header_id, "photometry", shut, "MATISSE", header.number("MJD-OBS"))
    record = eso.begin(header, context, frame, "MATISSE")
    record.provenance.update(PROVENANCE_N if band == "N" else PROVENANCE_LM)
    name, said = _mode_name(header, band)
    mode = eso.set_mode(record, f"MATISSE_{band}", name, said)
    if mode is None and band:
        record.instrument_variant = f"MATISSE_{band}"
    if mode is not None:
        _window(header, record, mode)
    record.bcd = header.text("ESO CFG BCD MODE") or _bcd(header, record)
    if record.fringe_tracker == "GRAVITY":
        record.fringe_tracker = "GRA4MAT"
    record.time_counted = band != "N"
    template = header.text("ESO TPL START")
    if template and record.template_expno is not None:
        record.pair_key = f"{template}/{record.template_expno}/{record.ob_id or 0}"
    return [eso.finish(header, record, frame, _integration(header))]


def _band(header: Header) -> str:
    chip = header.text("ESO DET CHIP NAME").upper()
    return _CHIPS.get(chip) or header.text("ESO DET NAME").upper().removeprefix("MATISSE-")


def _one_beam(header: Header, band: str) -> str:
    """Why the frame is photometry: the fast shutters of its band leave fewer than two beams open."""
    states = [header.get(keyword) for keyword in _OPEN.get(band, ())]
    if len(states) < 4 or any(not isinstance(state, bool) for state in states):
        return ""
    beams = sum(bool(state) for state in states)
    if beams >= 2:
        return ""
    said = "".join("T" if state else "F" for state in states)
    return f"INS {_SHUTTERS[band]}1..4 ST are {said}: {beams} of 4 beams open in {band}, no fringes"


def _mode_name(header: Header, band: str) -> tuple[str, str]:
    """ASPRO2's name of the mode, and the header's own words for it."""
    if band == "N":
        disperser = header.text("ESO INS DIN NAME")
        return f"HIGH_SENS_N_{_RESOLUTION.get(disperser.upper(), '')}", f"N {disperser}"
    disperser, filter_name = header.text("ESO INS DIL NAME"), header.text("ESO INS FIL NAME").upper()
    resolution = _RESOLUTION.get(disperser.upper(), "")
    centre = _centre(header)
    if resolution == "LOW":
        bands = filter_name if filter_name in ("L", "M", "LM") else "LM"
    elif resolution == "MEDIUM":
        bands = "LM"
    elif resolution == "HIGH":
        bands = "L"
    else:
        bands = "M" if filter_name == "M" or (centre or 0.0) > _M_BAND else "L"
    return (
        f"SI_PHOT_{bands}_{resolution}" if resolution and band else ""
    ), f"{band} {disperser} {filter_name}"


def _centre(header: Header) -> float | None:
    """Central wavelength of the detector window, m."""
    micron = header.number("ESO SEQ DIL WL0")
    return micron * 1e-6 if micron is not None and 2.0 < micron < 6.0 else None


def _window(header: Header, record: ExposureRecord, mode: Mode) -> None:
    """Narrow the range to the rows that were read around the central wavelength."""
    centre, per_row = _centre(header), _PER_ROW.get(mode.name)
    rows = header.integer("ESO DET WIN MTRH2")
    if centre is None or per_row is None or rows is None or rows <= 0:
        return
    half = 0.5 * rows * per_row
    low, high = max(mode.wavelength_min, centre - half), min(mode.wavelength_max, centre + half)
    if low < high and (low > mode.wavelength_min or high < mode.wavelength_max):
        record.em_min, record.em_max = low, high
        record.wavelength_origin = "header"
        record.provenance["em_min"] = record.provenance["em_max"] = "ESO SEQ DIL WL0, ESO DET WIN MTRH2"


def _bcd(header: Header, record: ExposureRecord) -> str:
    first, second = header.text("ESO INS BCD1 NAME"), header.text("ESO INS BCD2 NAME")
    if not first or not second:
        return ""
    record.provenance["bcd"] = "ESO INS BCD1 NAME, ESO INS BCD2 NAME"
    return f"{first}-{second}"


def _integration(header: Header) -> eso.Integration:
    """DET SEQ1 EXPTIME, the time the sequence took; EXPTIME itself is a single integration."""
    dit, ndit = header.number("ESO DET SEQ1 DIT"), header.integer("ESO DET NDIT")
    total = header.number("ESO DET SEQ1 EXPTIME")
    if total is not None and total > 0:
        return eso.Integration(total, dit, ndit, "ESO DET SEQ1 EXPTIME")
    period = header.number("ESO DET SEQ1 PERIOD")
    step, keyword = (period, "PERIOD") if period else (dit, "DIT")
    if step and ndit:
        return eso.Integration(step * ndit, dit, ndit, f"ESO DET SEQ1 {keyword} * ESO DET NDIT")
    return eso.Integration(None, dit, ndit, "", ("ESO DET SEQ1 EXPTIME",))
