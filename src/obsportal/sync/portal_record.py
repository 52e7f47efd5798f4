"""A row of another portal's ``search.votable`` as an exposure of ours: pure, no queries.

What the other portal found wrong counts as it says it, for it read the header and this portal did
not: level 0 there is level 0 here, with its sentences. Where it found nothing (or does not say), the
row goes through the checks of ``exposures.validation``, so that level 1 keeps its meaning.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping

from obsportal.exposures import validation
from obsportal.exposures.baseline_text import baselines_from_text
from obsportal.exposures.chara_array import is_technical as is_technical_at_chara
from obsportal.exposures.digest import LONGEST_IDENTIFIER
from obsportal.exposures.programme_id import is_technical
from obsportal.exposures.record import Baseline, ExposureRecord, Level, Message, ObsType, Sighting
from obsportal.exposures.validation import Check, validate
from obsportal.formats.portal_votable import PortalRow
from obsportal.interferometry.facility import (
    Facility,
    Instrument,
    Mode,
    UnknownName,
    facility,
    find_instrument,
    find_mode,
)
from obsportal.interferometry.times import night_of, plausible_mjd
from obsportal.stars.names import UNNAMED

ORIGIN = "portal"
"""What ``time_origin`` and its like say of a value that another portal told."""
LONGEST_NAME = 20
"""Characters of the names of an instrument and an interferometer."""
LONGEST_SENTENCE = 1000
MOST_SENTENCES = 100

CHECKS: Mapping[str, Check] = {
    "portal-finding": Check(
        Level.ERROR,
        "{sentence}",
        "The portal that the row was read from marks it invalid and says this; its words are kept.",
    ),
    "portal-remark": Check(
        Level.WARNING,
        "{sentence}",
        "The portal that the row was read from says this of a row that it holds for valid.",
    ),
    "portal-value": Check(
        Level.WARNING,
        "{sentence}",
        "A cell of the other portal's answer that could not be read, or only in part.",
    ),
}
"""What can be said of a row of another portal, beside ``exposures.validation``."""

REFUSALS: Mapping[str, str] = {
    "portal-row": "A row of another portal that cannot be an exposure; the reason says which cell and why.",
    "portal-row-repeated": "Another portal gives one identifier to several modes; the first is kept.",
}
"""Why a row of another portal is no exposure."""

_FIELDS = {
    "mjd_start": "exp_mjd_start",
    "mjd_end": "exp_mjd_end",
    "target": "target_name",
    "pointing_ra": "target_ra",
    "pointing_dec": "target_dec",
    "program_id": "obs_program",
    "program_title": "obs_program_title",
    "pi_coi": "obs_program_pi_coi",
    "ob_id": "obs_id",
    "obs_type": "obs_type",
    "stations": "interferometer_stations",
    "pops": "interferometer_pops",
    "channels": "interferometer_channels",
    "baselines": "exp_projected_baselines",
    "instrument_name": "instrument_name",
    "instrument_mode": "instrument_mode",
    "em_min": "instrument_em_min",
    "em_max": "instrument_em_max",
    "em_res_power": "instrument_em_res_power",
    "tau0": "exp_tau0",
    "seeing": "exp_seeing",
    "temperature": "exp_temperature",
    "release_date": "exp_date_release",
}


class RowRefusedError(ValueError):
    """A row that cannot be an exposure; the message says which cell and why."""


def origins(portal: str) -> dict[str, str]:
    """Where the values of a harvested exposure come from; ``portal`` names the portal itself."""
    return {field: f"{column} of {portal}" for field, column in _FIELDS.items()} | {"portal": portal}


def describe_row(row: PortalRow, portal: str) -> ExposureRecord:
    """The exposure of a row. Raises RowRefusedError."""
    interferometer, instrument = _places(row)
    record = ExposureRecord(
        header_id=_header_id(row),
        exp_id=row.exp_id,
        instrument_name=instrument.aspro_log_name or instrument.name if instrument else row.instrument_name,
        interferometer_name=interferometer.name if interferometer else row.interferometer_name,
        mjd_start=row.exp_mjd_start,
        mjd_end=row.exp_mjd_end,
        time_origin=ORIGIN,
        obs_type=_obs_type(row),
        obs_type_header=row.obs_type,
        obs_type_reason=f"as {portal} says",
        program_id=row.obs_program,
        program_title=row.obs_program_title,
        pi_coi=row.obs_program_pi_coi,
        ob_id=row.obs_id,
        interferometer_version=row.interferometer_version[:LONGEST_NAME],
        pops=row.interferometer_pops,
        channels=row.interferometer_channels,
        instrument_submode=row.instrument_submode,
        em_min=row.instrument_em_min,
        em_max=row.instrument_em_max,
        em_res_power=row.instrument_em_res_power,
        tau0=row.exp_tau0,
        seeing=row.exp_seeing,
        temperature=row.exp_temperature,
        release_date=row.exp_date_release,
        last_modified=row.exp_date_updated,
        messages=[_said("portal-value", text) for text in row.problems],
        provenance=origins(portal),
    )
    technical = is_technical_at_chara if record.interferometer_name == "CHARA" else is_technical
    record.technical = technical(record.program_id)
    _set_target(record, row)
    _set_mode(record, row, instrument)
    _set_array(record, row, interferometer)
    _set_baselines(record, row)
    _judge(record, row)
    return record


def _said(code: str, sentence: str) -> Message:
    return Message(code, CHECKS[code].level, sentence[:LONGEST_SENTENCE])


def _places(row: PortalRow) -> tuple[Facility | None, Instrument | None]:
    """Interferometer and instrument as far as they are known here. Raises RowRefusedError."""
    if not row.exp_id:
        raise RowRefusedError("exp_id is empty")
    for column, text, longest in (
        ("exp_id", row.exp_id, LONGEST_IDENTIFIER),
        ("exp_header_id", row.exp_header_id, LONGEST_IDENTIFIER),
        ("instrument_name", row.instrument_name, LONGEST_NAME),
        ("interferometer_name", row.interferometer_name, LONGEST_NAME),
    ):
        if len(text) > longest or not text.isprintable():
            raise RowRefusedError(
                f"{column} is {text[:60]!r}: at most {longest} printable characters are allowed"
            )
    if not row.instrument_name:
        raise RowRefusedError("instrument_name is empty")
    place: Facility | None = None
    instrument: Instrument | None = None
    try:
        place = facility(row.interferometer_name) if row.interferometer_name else None
        instrument = find_instrument(row.instrument_name, place.name if place else "")
    except UnknownName:
        pass
    if not row.interferometer_name:
        if instrument is None:
            sentence = f"no interferometer has an instrument {row.instrument_name!r}"
            raise RowRefusedError(f"interferometer_name is empty and {sentence}")
        place = facility(instrument.facility)
    elif place is None:
        instrument = None  # of another interferometer
    return place, instrument


def _header_id(row: PortalRow) -> str:
    """The header's identifier; where none is given, the exposure's without its number."""
    return row.exp_header_id or re.sub(r"_\d+(_[A-Z]+)?$", "", row.exp_id)


def _obs_type(row: PortalRow) -> ObsType:
    try:
        return ObsType(row.obs_type.lower())
    except ValueError:
        raise RowRefusedError(
            f"obs_type is {row.obs_type[:40]!r}: allowed are {', '.join(ObsType)}"
        ) from None


def _set_target(record: ExposureRecord, row: PortalRow) -> None:
    """The target's place is the pointing too: nothing nearer to what the header said is published."""
    ra, dec = row.target_ra, row.target_dec
    if ra is None or dec is None or (ra == 0 and dec == 0):
        ra = dec = None
    elif not (0 <= ra < 360 and -90 <= dec <= 90):
        sentence = f"target_ra {ra:g}, target_dec {dec:g} is no place on the sky"
        record.messages.append(_said("portal-value", sentence))
        ra = dec = None
    name = "" if row.target_name == UNNAMED else row.target_name[:80]
    origin = "" if ra is None else ORIGIN
    record.target = Sighting(name, ra, dec, origin)
    record.pointing_ra, record.pointing_dec, record.position_origin = ra, dec, origin


def _set_mode(record: ExposureRecord, row: PortalRow, instrument: Instrument | None) -> None:
    """The mode by ASPRO2's name; wavelengths as told, else those of the mode."""
    if row.instrument_em_min is not None:
        record.wavelength_origin = ORIGIN
    if instrument is not None and len(instrument.variants) == 1:
        record.instrument_variant = instrument.variants[0]
    if not row.instrument_mode:
        return
    mode = _mode(instrument, row.instrument_mode)
    if mode is None:
        record.messages.append(validation.message("unknown-mode", mode=repr(row.instrument_mode[:40])))
        return
    record.instrument_mode, record.instrument_variant = mode.name, mode.variant
    if record.em_min is None and record.em_max is None:
        record.em_min, record.em_max = mode.wavelength_min, mode.wavelength_max
        record.em_res_power = record.em_res_power or mode.resolution
        record.wavelength_origin = "mode"


def _mode(instrument: Instrument | None, name: str) -> Mode | None:
    try:
        return find_mode(instrument, name) if instrument is not None else None
    except UnknownName:
        return None


def _set_array(record: ExposureRecord, row: PortalRow, place: Facility | None) -> None:
    """Stations by their log names in the order given, the night, and what the array was called."""
    names = row.interferometer_stations.split()
    if len(" ".join(names)) > 40:
        sentence = f"interferometer_stations is {row.interferometer_stations[:60]!r}: too long to be kept"
        record.messages.append(_said("portal-value", sentence))
        names = []
    known = place is not None and bool(names)
    if place is not None:
        for at, name in enumerate(names):
            try:
                names[at] = place.log_station(name)
            except UnknownName:
                record.messages.append(validation.message("station-unknown", station=repr(name)))
                known = False
    record.stations = tuple(names)
    mjd = record.mjd_start
    if place is None or mjd is None or not plausible_mjd(mjd):
        return
    record.night = night_of(mjd, place)
    if known:
        match = place.configuration(record.stations, mjd, record.instrument_variant)
        record.interferometer_version = record.interferometer_version or match.version[:LONGEST_NAME]
        record.configuration, record.configuration_basis = match.name, str(match.basis)


_VALUE = r"(None|'[-+0-9.]{1,20}')"
_PAIR = rf"\{{'start': {_VALUE}, 'end': {_VALUE}\}}"
_BASELINE = re.compile(
    rf"'([A-Za-z0-9]{{1,12}})-([A-Za-z0-9]{{1,12}})': \{{'length': {_PAIR}, 'angle': {_PAIR}\}}(, |\}}$)"
)
_NAME = re.compile(r"[A-Za-z0-9 _.]{1,12}")
_PLAIN = re.compile(
    r"""(?:[\s{}:,]|'[^'\\\n]{0,40}'|"[^"\\\n]{0,40}"|-?\d[\d.eE+-]{0,30}|None|null)*""", re.ASCII
)
LONGEST_BASELINES = 20_000
"""Characters of a text of projected baselines; 15 baselines have 1,900."""


def baselines(text: str) -> tuple[Baseline, ...]:
    """The projected baselines of a cell: as the contract writes them, or the same as JSON.

    Raises ValueError for anything else, before it is given to a parser.
    """
    if not text or text in ("{}", "None"):
        return ()
    found: list[Baseline] = []
    at = 1 if text[0] == "{" else len(text)
    while match := _BASELINE.match(text, at):
        first, second, length1, length2, angle1, angle2, after = match.groups()
        found.append(
            Baseline(first, second, _finite(length1), _finite(length2), _finite(angle1), _finite(angle2))
        )
        at = match.end()
        if after == "}":
            return tuple(found)
    return _lenient(text)


def _finite(word: str) -> float | None:
    value = None if word == "None" else float(word[1:-1])
    return value if value is None or math.isfinite(value) else None


def _lenient(text: str) -> tuple[Baseline, ...]:
    wrong = f"not a dictionary of projected baselines: {text[:60]!r}"
    if len(text) > LONGEST_BASELINES or text[0] != "{" or _PLAIN.fullmatch(text) is None:
        raise ValueError(wrong)
    try:
        if '"' in text or "null" in text:
            text = repr(json.loads(text))
        found = baselines_from_text(text)
    except (RecursionError, MemoryError):
        raise ValueError(wrong) from None
    if any(not (_NAME.fullmatch(b.first) and _NAME.fullmatch(b.second)) for b in found):
        raise ValueError(wrong)
    return tuple(
        Baseline(b.first, b.second, *map(_usable, (b.length_start, b.length_end, b.angle_start, b.angle_end)))
        for b in found
    )


def _usable(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _set_baselines(record: ExposureRecord, row: PortalRow) -> None:
    try:
        record.baselines = baselines(row.exp_projected_baselines)
    except ValueError as error:
        record.messages.append(_said("portal-value", f"exp_projected_baselines is {error}"))
    record.baselines_origin = ORIGIN if record.baselines else ""


def _judge(record: ExposureRecord, row: PortalRow) -> None:
    """Messages and with them the level: see the top of this module."""
    said = _shortened(row.exp_validation_log)
    if row.exp_validation_level is None or row.exp_validation_level > 0:
        record.messages += [_said("portal-remark", text) for text in said]
        validate(record)
        return
    theirs = [_said("portal-finding", text) for text in said]
    before = {message.code for message in record.messages}
    validate(record)
    if theirs:
        record.messages = [
            *theirs,
            *(m for m in record.messages if m.level is not Level.ERROR or m.code in before),
        ]
    elif all(message.level is not Level.ERROR for message in record.messages):
        record.messages.append(_said("portal-finding", "The portal marks it invalid and does not say why"))


def _shortened(sentences: Iterable[str]) -> list[str]:
    return [text for text in list(sentences)[:MOST_SENTENCES] if text.strip()]
