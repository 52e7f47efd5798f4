"""Stations and projected baselines of a VLTI header, checked against the geometry.

ISS PBLij and PBLAij (i < j) are metres and degrees north through east of the vector from telescope i
to telescope j; the stations are in the order of the beams. A missing or zero value is recomputed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

from obsportal.exposures.instruments.eso_values import usable_position, wrapped
from obsportal.exposures.record import Baseline, ExposureRecord
from obsportal.exposures.validation import ANGLE_TOLERANCE, LENGTH_TOLERANCE, message
from obsportal.formats.fits_header import Header
from obsportal.interferometry.array import Facility, UnknownName
from obsportal.interferometry.geometry import Projected, project

MAX_BEAMS = 8
_STATION = tuple(f"ESO ISS CONF STATION{i}" for i in range(MAX_BEAMS + 1))
_PAIR = {
    (i, j): tuple(f"ESO ISS {word}{i}{j} {when}" for word in ("PBL", "PBLA") for when in ("START", "END"))
    for i in range(1, MAX_BEAMS + 1)
    for j in range(1, MAX_BEAMS + 1)
    if i != j
}


def read_array(
    header: Header, record: ExposureRecord, vlti: Facility, mjd: float | None, duration: float | None
) -> None:
    """Set stations, configuration and baselines; ``mjd`` is when the raw frame began, ``duration`` s."""
    known = _stations(header, record, vlti)
    if mjd is not None and record.stations and known:
        try:
            match = vlti.configuration(record.stations, mjd, record.instrument_variant)
        except (UnknownName, ValueError, OverflowError):
            pass
        else:
            record.interferometer_version = match.version
            record.configuration = match.name
            record.configuration_basis = str(match.basis)
    ra, dec = record.pointing_ra, record.pointing_dec
    if not known or mjd is None or ra is None or dec is None or not usable_position(ra, dec):
        record.baselines = _baselines(header, record, None, None)
        return
    start = project(vlti, record.stations, mjd, ra, dec)

    def at_end() -> Sequence[Projected]:
        return project(vlti, record.stations, mjd + (duration or 0.0) / 86400.0, ra, dec)

    record.baselines = _baselines(header, record, start, at_end if duration else None)


def _stations(header: Header, record: ExposureRecord, vlti: Facility) -> bool:
    """Set the stations in beam order by their log names; whether all of them are known."""
    number = header.integer("ESO ISS CONF NTEL")
    if number is None:
        record.messages.append(message("missing-keyword", keyword="HIERARCH ESO ISS CONF NTEL"))
    count = number if number is not None and 0 < number <= MAX_BEAMS else MAX_BEAMS
    names = []
    for i in range(1, count + 1):
        name = header.text(_STATION[i]).replace(" ", "")
        if not name:
            if number is not None:
                record.messages.append(message("missing-keyword", keyword=f"HIERARCH {_STATION[i]}"))
            break
        names.append(name)
    if number is not None and names and number != len(names):
        record.messages.append(message("stations-incomplete", count=number, named=len(names)))
    known = bool(names)
    for i, name in enumerate(names):
        try:
            names[i] = vlti.log_station(name)
        except UnknownName:
            record.messages.append(message("station-unknown", station=repr(name)))
            known = False
    record.stations = tuple(names)
    return known


def _baselines(
    header: Header,
    record: ExposureRecord,
    computed: Sequence[Projected] | None,
    at_end: Callable[[], Sequence[Projected]] | None,
) -> tuple[Baseline, ...]:
    """Every baseline from the header, its gaps filled by geometry, disagreements noted."""
    stations = record.stations
    found = []
    ends: Sequence[Projected] | None = None
    measured = filled = wrong = 0
    excess, worst = 0.0, {}
    for k, (i, j) in enumerate(combinations(range(1, len(stations) + 1), 2)):
        length1, length2, angle1, angle2 = _measured(header, i, j)
        if computed is not None:
            theory = computed[k]
            if length1 is not None and angle1 is not None:
                apart = abs(length1 - theory.length) / LENGTH_TOLERANCE
                turned = abs(wrapped(angle1 - theory.angle)) / ANGLE_TOLERANCE
                if apart > 1.0 or turned > 1.0:
                    wrong += 1
                    if max(apart, turned) > excess:
                        excess = max(apart, turned)
                        worst = {
                            "baseline": f"{theory.first}-{theory.second}",
                            "length": length1,
                            "angle": angle1,
                            "length2": theory.length,
                            "angle2": theory.angle,
                        }
            complete = length1 is not None and length2 is not None
            if length1 is None:
                length1, angle1 = round(theory.length, 4), round(theory.angle, 4)
            if length2 is None and at_end is not None:
                ends = ends or at_end()
                length2, angle2 = round(ends[k].length, 4), round(ends[k].angle, 4)
            measured += complete
            filled += not complete
        found.append(Baseline(stations[i - 1], stations[j - 1], length1, length2, angle1, angle2))
    if wrong:
        record.messages.append(message("baseline-disagrees", number=wrong, **worst))
    if filled:
        record.messages.append(message("baselines-computed", number=filled, total=len(found)))
        record.provenance["baselines"] = "ESO ISS PBLij, geometry" if measured else "geometry"
    if filled:
        record.baselines_origin = "header+computed" if measured else "computed"
    elif any(b.length_start is not None for b in found):
        record.baselines_origin = "header"
    return tuple(found)


def _measured(
    header: Header, i: int, j: int
) -> tuple[float | None, float | None, float | None, float | None]:
    """Lengths and angles (start, end, start, end) as the header has them, None for a point it has not.

    A length of zero, or an angle of exactly zero at the end far from that of the start, was not
    measured. A header that names the pair the other way round is turned by 180 degrees.
    """
    number = header.number
    keywords = _PAIR[i, j]
    length1, length2 = number(keywords[0]), number(keywords[1])
    angle1, angle2 = number(keywords[2]), number(keywords[3])
    if length1 is None and length2 is None:
        keywords = _PAIR[j, i]
        length1, length2 = number(keywords[0]), number(keywords[1])
        if length1 is None and length2 is None:
            return None, None, None, None
        angle1, angle2 = (
            None if angle is None else (angle + 180.0) % 360.0
            for angle in (number(keywords[2]), number(keywords[3]))
        )
    if length1 is None or length1 <= 0 or angle1 is None:
        length1 = angle1 = None
    if (
        length2 is None
        or length2 <= 0
        or angle2 is None
        or (angle2 == 0.0 and angle1 is not None and abs(wrapped(angle1)) > ANGLE_TOLERANCE)
    ):
        length2 = angle2 = None
    return length1, length2, angle1, angle2
