"""The described exposure: what the rules make of a header, before any database.

Every field names its unit where it is not obvious. Angles are degrees (ICRS/FK5 J2000 as the
header gives them), times MJD UTC in days, lengths metres, tau0 seconds, wavelengths metres.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum


class ObsType(StrEnum):
    """What an exposure is for. The values are the ObsPortal contract's, lower case."""

    SCIENCE = "science"
    CALIBRATOR = "calibrator"


class Level(StrEnum):
    """Severity of a validation message."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Message:
    """One line of a validation log: a documented code, its level and a sentence."""

    code: str
    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class Sighting:
    """A named direction on the sky: where it is and where that was read. Degrees, J2000."""

    name: str
    ra: float | None
    dec: float | None
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Baseline:
    """Projected baseline from station ``first`` to ``second``; metres, degrees north through east."""

    first: str
    second: str
    length_start: float | None = None
    length_end: float | None = None
    angle_start: float | None = None
    angle_end: float | None = None


@dataclass(slots=True)
class ExposureRecord:
    """One exposure on the sky in one instrument mode, as its header describes it."""

    # identity
    header_id: str
    exp_id: str
    instrument_name: str  # bare name as ASPRO2 shows it: MATISSE, PIONIER, MIRCX
    interferometer_name: str
    # time
    mjd_start: float | None = None
    mjd_end: float | None = None
    exposure_time: float | None = None  # s, total integration on the object
    dit: float | None = None  # s
    ndit: int | None = None
    time_origin: str = "header"  # header | product (times of a reduced product)
    night: date | None = None  # local date of the noon the night begins at
    # target and pointing
    target: Sighting | None = None  # science role
    pointing_ra: float | None = None  # deg, what the header said of the telescopes
    pointing_dec: float | None = None
    position_origin: str = ""  # RA/DEC | ISS REF | ...
    ft_target: Sighting | None = None  # fringe-tracker role (dual field)
    ft_offset_ra: float | None = None  # mas on the sky, science minus fringe tracker, east
    ft_offset_dec: float | None = None  # mas, north
    # programme and block
    obs_type: ObsType = ObsType.SCIENCE
    obs_type_reason: str = ""
    obs_type_header: str = ""  # what the header said, verbatim (DPR CATG, TYPE of a log)
    program_id: str = ""
    program_title: str = ""
    pi_coi: str = ""
    technical: bool = False
    ob_id: int | None = None
    ob_name: str = ""
    ob_start: datetime | None = None  # aware UTC
    container_id: int | None = None
    container_type: str = ""
    template_id: str = ""
    template_start: datetime | None = None
    template_expno: int | None = None
    template_nexp: int | None = None
    # array
    stations: tuple[str, ...] = ()  # beam order, log names (U1, A0, S1)
    interferometer_version: str = ""  # ASPRO2's version name: "Period 104", "2023A"
    configuration: str = ""  # small, medium, large, extended, astrometric, UTs, ...
    configuration_basis: str = ""  # offered | relocated | equivalent | unoffered
    pops: str = ""
    channels: str = ""
    baselines: tuple[Baseline, ...] = ()
    baselines_origin: str = ""  # header | computed | header+computed
    # instrument
    instrument_variant: str = ""  # ASPRO2's instrument entry: MATISSE_LM, PIONIER_2, MIRCX-MYSTIC
    instrument_mode: str = ""  # exact ASPRO2 name, "" when it could not be known
    instrument_submode: str = ""
    em_min: float | None = None  # m
    em_max: float | None = None  # m
    em_res_power: float | None = None
    wavelength_origin: str = ""  # header | mode
    fringe_tracker: str = ""
    fringe_tracker_status: str = ""
    ao_mode: str = ""
    bcd: str = ""
    chopping: bool | None = None
    polarisation: str = ""  # SPLIT | COMBINED | ""
    feed: str = ""  # ONAXIS | OFFAXIS | ...
    # ambient: means of start and end
    tau0: float | None = None  # s
    seeing: float | None = None  # arcsec
    temperature: float | None = None  # degC
    humidity: float | None = None  # %
    wind_speed: float | None = None  # m/s
    wind_direction: float | None = None  # deg
    iwv: float | None = None  # mm of water
    airmass: float | None = None
    # bookkeeping
    pair_key: str = ""  # exposures with the same key are one shutter opening seen by two detectors
    time_counted: bool = True  # False for the second member of a pair
    group_key: str = ""  # continuation files of one exposure share it (MIDI), "" otherwise
    group_index: int = 1  # 1 for the first file of a group
    product_category: str = ""  # PRO CATG when it was read from a reduced product
    release_date: datetime | None = None
    last_modified: datetime | None = None  # of the archive row or header
    messages: list[Message] = field(default_factory=list)
    provenance: dict[str, str] = field(default_factory=dict)  # field name -> keyword or rule


@dataclass(frozen=True, slots=True)
class Refusal:
    """A header that is not an exposure on sky, or that cannot be read, and why.

    ``code`` is one of the documented refusal codes; ``reason`` a sentence that says which test
    failed and with what value.
    """

    header_id: str
    code: str
    reason: str
    instrument_name: str = ""
    mjd_start: float | None = None
