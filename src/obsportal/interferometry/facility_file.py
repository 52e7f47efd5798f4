"""Reads a facility file (TOML) into a Facility; every mistake in it is an error that says where.

docs/science.md describes the file.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from itertools import combinations
from pathlib import Path
from typing import Any, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from obsportal.interferometry.array import (
    DEFAULT_TOLERANCE,
    DelayLine,
    Facility,
    Instrument,
    Mode,
    Station,
    Telescope,
    plain,
)
from obsportal.interferometry.configurations import LengthClass, Offer, VersionRule

_SECTIONS = {
    "name", "timezone", "longitude_deg", "latitude_deg", "altitude_m", "channels", "telescopes", "stations",
    "delay_lines", "pops", "instruments", "versions", "configuration_names", "configuration_sets", "offered",
    "relocations",
}  # fmt: skip
_ENTRY = re.compile(r"((?P<name>[^:]*):)?\s*(any (?P<low>\d+)( to (?P<high>\d+))? of )?(?P<stations>[^:]*)")


class FacilityFileError(ValueError):
    """A facility file that cannot be used: names the file, the place in it and what is wrong."""

    code = "bad_facility_file"


class _Table:
    """One TOML table that knows where it is, gives typed values and refuses keys nobody asked for."""

    def __init__(self, data: object, where: str) -> None:
        self.where = where
        if not isinstance(data, dict):
            raise FacilityFileError(f"{where}: expected a table, found {data!r}")
        self.data: dict[str, Any] = data
        self.asked: set[str] = set()

    def refuse(self, problem: str, cause: Exception | None = None) -> NoReturn:
        raise FacilityFileError(f"{self.where}: {problem}") from cause

    def _get(self, key: str, default: object = None, required: bool = True) -> Any:
        self.asked.add(key)
        if key not in self.data and required and default is None:
            self.refuse(f"{key} is missing")
        return self.data.get(key, default)

    def text(self, key: str, default: str | None = None) -> str:
        value = self._get(key, default)
        if not isinstance(value, str):
            self.refuse(f"{key} must be text, found {value!r}")
        return value

    def number(self, key: str, low: float = -math.inf, high: float = math.inf) -> float:
        value = self._get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            self.refuse(f"{key} must be a number in [{low}, {high}], found {value!r}")
        return float(value)

    def optional(self, key: str) -> float | None:
        return self.number(key) if key in self.data else None

    def numbers(self, key: str, count: int | None = None) -> tuple[float, ...]:
        value = self._get(key)
        plain_numbers = isinstance(value, list) and all(type(item) in (int, float) for item in value)
        if not plain_numbers or not all(map(math.isfinite, value)) or count not in (None, len(value)):
            self.refuse(f"{key} must be {count or 'some'} numbers, found {value!r}")
        return tuple(float(item) for item in value)

    def texts(self, key: str, required: bool = False) -> tuple[str, ...]:
        value = self._get(key, None if required else [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.refuse(f"{key} must be a list of texts, found {value!r}")
        return tuple(value)

    def day(self, key: str, required: bool = True) -> date | None:
        value = self._get(key, required=required)
        if value is None:
            return None
        if type(value) is not date:
            self.refuse(f"{key} must be a date (YYYY-MM-DD), found {value!r}")
        return value

    def table(self, key: str) -> _Table:
        return _Table(self._get(key, {}), f"{self.where}, {key}")

    def tables(self, key: str) -> list[_Table]:
        value = self._get(key, [])
        if not isinstance(value, list):
            self.refuse(f"{key} must be a list of tables, found {value!r}")
        return [_Table(item, f"{self.where}, {key} {number}") for number, item in enumerate(value, 1)]

    def each(self) -> Iterable[tuple[str, _Table]]:
        for key in self.data:
            yield key, self.table(key)

    def refuse_others(self, allowed: Iterable[str] = ()) -> None:
        unknown = sorted(set(self.data) - self.asked - set(allowed))
        if unknown:
            self.refuse(f"unknown key {', '.join(unknown)}")


def read_facility(path: Path) -> Facility:
    """Read one facility file. Raises FacilityFileError with the file name and the place."""
    try:
        with path.open("rb") as stream:
            top = _Table(tomllib.load(stream), path.name)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FacilityFileError(f"{path.name}: {error}") from error
    top.refuse_others(_SECTIONS)
    name = top.text("name")
    latitude = top.number("latitude_deg", -90.0, 90.0)
    timezone = top.text("timezone")
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise FacilityFileError(f"{path.name}: timezone {timezone!r} is not an IANA time zone") from error
    telescopes = {key: _telescope(key, table) for key, table in top.table("telescopes").each()}
    stations = _stations(top.table("stations"), telescopes, latitude)
    by_spelling: dict[str, Station] = {}
    for station in stations.values():
        names = (station.log_name, station.aspro_name)
        for spelling in (*names, *map(plain, names)):
            if by_spelling.setdefault(spelling, station) is not station:
                raise FacilityFileError(f"{path.name}, stations: two stations answer to {spelling}")
    combiners = [_instrument(table, name) for table in top.tables("instruments")]
    titles = [instrument.name for instrument in combiners]
    if len(set(titles)) != len(titles):
        top.refuse(f"two instruments {next(one for one in titles if titles.count(one) > 1)}")
    sets = top.table("configuration_sets")
    spelled = {key: [_entry(sets, key, item, by_spelling) for item in sets.texts(key)] for key in sets.data}
    variants = {variant for instrument in combiners for variant in instrument.variants}
    moves = top.table("relocations")
    return Facility(
        name=name,
        longitude_deg=top.number("longitude_deg", -180.0, 360.0),
        latitude_deg=latitude,
        altitude_m=top.number("altitude_m"),
        timezone=timezone,
        telescopes=telescopes,
        stations=stations,
        station_names=by_spelling,
        delay_lines={key: _delay_line(key, table) for key, table in top.table("delay_lines").each()},
        pops=_pops(top.table("pops"), by_spelling),
        channels=top.texts("channels"),
        instruments={instrument.name: instrument for instrument in combiners},
        version_rule=_version_rule(top.table("versions")) if "versions" in top.data else None,
        offers={key: _offers(table, spelled, variants) for key, table in top.table("offered").each()},
        relocations=tuple(
            Offer(members, title, frozenset())
            for item in moves.texts("stations")
            for title, choices in [_entry(moves, "stations", item, by_spelling)]
            for members in choices
        ),
        length_classes=_length_classes(top.table("configuration_names"), telescopes),
    )


def _telescope(name: str, table: _Table) -> Telescope:
    telescope = Telescope(
        name,
        table.number("diameter_m", 0.0),
        table.number("max_elevation_deg", 0.0, 90.0),
        table.optional("safe_elevation_deg"),
    )
    table.refuse_others()
    return telescope


def _stations(section: _Table, telescopes: Mapping[str, Telescope], latitude: float) -> dict[str, Station]:
    sine, cosine = math.sin(math.radians(latitude)), math.cos(math.radians(latitude))
    stations = {}
    for name, table in section.each():
        log_name, kind = table.text("log_name", name), table.text("telescope")
        if kind not in telescopes:
            table.refuse(f"no telescope class {kind}")
        if ("xyz" in table.data) == ("enu" in table.data):
            table.refuse("give either xyz (local equatorial) or enu (east, north, up)")
        if "xyz" in table.data:
            x, y, z = table.numbers("xyz", 3)
            east, north, up = y, -sine * x + cosine * z, cosine * x + sine * z
        else:
            east, north, up = table.numbers("enu", 3)
            x, y, z = -sine * north + cosine * up, east, cosine * north + sine * up
        offset = table.optional("fixed_offset_m") or 0.0
        table.refuse_others()
        if log_name in stations:
            table.refuse(f"two stations answer to {log_name}")
        stations[log_name] = Station(log_name, log_name, name, kind, east, north, up, x, y, z, offset)
    if not stations:
        section.refuse("no station")
    return stations


def _delay_line(name: str, table: _Table) -> DelayLine:
    modes = table.table("modes")
    by_mode = {key: modes.number(key, 0.0) for key in modes.data}
    line = DelayLine(name, table.number("throw_m", 0.0), by_mode, table.text("station", ""))
    table.refuse_others()
    return line


def _pops(section: _Table, stations: Mapping[str, Station]) -> dict[str, tuple[float, ...]]:
    for name in section.data:
        if name not in stations:
            section.refuse(f"no station {name}")
    return {stations[name].log_name: section.numbers(name) for name in section.data}


def _instrument(table: _Table, facility: str) -> Instrument:
    name = table.text("name")
    low, high = table.numbers("beams", 2)
    modes: dict[str, Mode] = {}
    variants = []
    for variant in table.tables("variants"):
        variants.append(variant.text("name"))
        for item in variant.tables("modes"):
            mode = _mode(item, name, variants[-1], facility)
            for known in modes.values():
                taken = {plain(known.name), *map(plain, known.aliases)}
                if taken & {plain(mode.name), *map(plain, mode.aliases)}:
                    item.refuse(f"{mode.name} and {known.name} answer to one name")
            modes[mode.name] = mode
        variant.refuse_others()
    instrument = Instrument(
        name=name,
        facility=facility,
        aspro_log_name=table.text("aspro_log_name", name),
        variants=tuple(variants),
        aliases=table.texts("aliases"),
        beams=(int(low), int(high)),
        modes=modes,
        pointing_tolerance=table.number("pointing_tolerance_arcsec", 2.0, 600.0)
        if "pointing_tolerance_arcsec" in table.data
        else DEFAULT_TOLERANCE,
    )
    table.refuse_others()
    return instrument


def _mode(table: _Table, instrument: str, variant: str, facility: str) -> Mode:
    low, high = table.numbers("range", 2)
    if not 1e-8 < low < high < 1e-3:
        table.refuse(f"range must be two wavelengths in metres, found {low}, {high}")
    number = table.number("id", 1)
    if number != int(number):
        table.refuse(f"id must be a whole number, found {number}")
    mode = Mode(
        id=int(number),
        name=table.text("name"),
        instrument=instrument,
        variant=variant,
        facility=facility,
        wavelength_min=low,
        wavelength_max=high,
        resolution=table.number("resolution", 0.0),
        aliases=table.texts("aliases"),
        period_from=table.day("from", required=False),
        period_until=table.day("until", required=False),
    )
    table.refuse_others()
    return mode


def _version_rule(table: _Table) -> VersionRule:
    starts = []
    for item in table.texts("starts", required=True):
        try:
            day = date.fromisoformat(f"2001-{item}")
        except ValueError as error:
            table.refuse(f"starts must be MM-DD, found {item!r}", error)
        starts.append((day.month, day.day))
    origin = table.table("origin")
    first = origin.day("date")
    if first is None or not starts or starts != sorted(starts) or (first.month, first.day) not in starts:
        table.refuse("starts must be in order and origin.date be one of them")
    rule = VersionRule(table.text("pattern"), tuple(starts), first, int(origin.number("number")))
    table.refuse_others()
    try:
        rule.version_on(first)
    except (KeyError, IndexError, ValueError) as error:
        table.refuse("pattern may use {number}, {year}, {letter}", error)
    return rule


def _entry(
    section: _Table, key: str, text: str, stations: Mapping[str, Station]
) -> tuple[str, list[tuple[str, ...]]]:
    """Read "name: A B C", "A B C" or "any 2 to 3 of A B C" into a name and lists of log names."""
    found = _ENTRY.fullmatch(text)
    if found is None:
        section.refuse(f"{key}: cannot read {text!r}")
    words = found["stations"].split()
    for word in words:
        if word not in stations:
            section.refuse(f"{key}: no station {word!r} in {text!r}")
    members = [stations[word].log_name for word in words]
    if not members or len(set(members)) != len(members):
        section.refuse(f"{key}: {text!r} has no station or one of them twice")
    low = int(found["low"] or len(members))
    high = int(found["high"] or low)
    chosen = [group for size in range(low, high + 1) for group in combinations(members, size)]
    return (found["name"] or "").strip(), chosen


def _offers(
    table: _Table, sets: Mapping[str, list[tuple[str, list[tuple[str, ...]]]]], known: set[str]
) -> tuple[Offer, ...]:
    merged: dict[tuple[tuple[str, ...], str], set[str]] = {}
    for key in table.data:
        variants = table.text(key).split()
        wrong = [variant for variant in variants if variant not in known]
        if key not in sets or wrong:
            table.refuse(f"unknown {'instrument ' + wrong[0] if wrong else 'set ' + key}")
        for title, choices in sets[key]:
            for members in choices:
                merged.setdefault((members, title), set()).update(variants)
    return tuple(Offer(members, title, frozenset(variants)) for (members, title), variants in merged.items())


def _length_classes(
    section: _Table, telescopes: Mapping[str, Telescope]
) -> dict[str, tuple[LengthClass, ...]]:
    classes = {}
    for kind in section.data:
        if kind not in telescopes:
            section.refuse(f"no telescope class {kind}")
        steps = [LengthClass(step.number("up_to_m", 0.0), step.text("name")) for step in section.tables(kind)]
        classes[kind] = tuple(sorted(steps, key=lambda step: step.up_to))
    return classes
