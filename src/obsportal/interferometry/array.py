"""What an interferometer is: its stations, delay lines, instruments, modes and offered configurations.

Lengths are metres, wavelengths metres, angles degrees. Station ``x, y, z`` are in the local equatorial
frame of the site (x in the meridian plane and parallel to the equator, y east, z to the north celestial
pole); ``east, north, up`` are the same vector in the horizontal frame at the site's latitude.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from obsportal.interferometry.configurations import (
    ConfigurationMatch,
    LengthClass,
    Offer,
    VersionRule,
    match_configuration,
)
from obsportal.interferometry.times import night_of

_NOT_A_LETTER_OR_DIGIT = re.compile(r"[^A-Z0-9]")

DEFAULT_TOLERANCE = 60.0
"""arcsec; see docs/science.md."""


class UnknownName(LookupError):  # noqa: N818
    """A name that a facility file does not have; says what is allowed.

    ``code`` is a short word for programs, ``name`` what was asked, ``allowed`` what there is.
    """

    code = "unknown_name"
    kind = "name"

    def __init__(self, name: str, allowed: Iterable[str], where: str = "") -> None:
        self.name = name
        self.allowed = tuple(allowed)
        place = f" of {where}" if where else ""
        super().__init__(f"unknown {self.kind}{place}: {name!r}; allowed: {', '.join(self.allowed)}")


class UnknownFacility(UnknownName):
    """No facility file has this name."""

    code = "unknown_facility"
    kind = "facility"


class UnknownStation(UnknownName):
    """The facility has no station of this name."""

    code = "unknown_station"
    kind = "station"


class UnknownInstrument(UnknownName):
    """No instrument has this name or alias."""

    code = "unknown_instrument"
    kind = "instrument"


class UnknownMode(UnknownName):
    """The instrument has no mode of this name, alias or number."""

    code = "unknown_mode"
    kind = "mode"


def plain(name: str) -> str:
    """Reduce a name to its letters and digits in upper case, to compare spellings (MIRC-X, mircx)."""
    return _NOT_A_LETTER_OR_DIGIT.sub("", name.upper())


@dataclass(frozen=True, slots=True)
class Telescope:
    """A class of telescope: diameter in metres, elevation limits in degrees."""

    name: str
    diameter: float
    max_elevation: float
    safe_elevation: float | None = None


@dataclass(frozen=True, slots=True)
class Station:
    """A place a telescope can stand: ``x, y, z`` local equatorial, ``east, north, up`` horizontal, metres.

    ``log_name`` is the name in observation logs (U1), ``aspro_name`` ASPRO2's (UT1). ``fixed_offset`` is
    optical path in metres added between the station and its delay line.
    """

    name: str
    log_name: str
    aspro_name: str
    telescope_class: str
    east: float
    north: float
    up: float
    x: float
    y: float
    z: float
    fixed_offset: float = 0.0


@dataclass(frozen=True, slots=True)
class DelayLine:
    """A delay line: throw in metres of optical path, in normal use and by special mode."""

    name: str
    throw: float
    throw_by_mode: Mapping[str, float]
    station: str = ""


@dataclass(frozen=True, slots=True)
class Mode:
    """A spectral mode of an instrument, by ASPRO2's exact name; wavelengths in metres.

    ``id`` is unique over all facilities and never changes. ``variant`` is ASPRO2's instrument entry.
    """

    id: int
    name: str
    instrument: str
    variant: str
    facility: str
    wavelength_min: float
    wavelength_max: float
    resolution: float
    aliases: tuple[str, ...] = ()
    period_from: date | None = None
    period_until: date | None = None


@dataclass(frozen=True)
class Instrument:
    """A beam combiner by its bare name (MATISSE), with ASPRO2's entries for it (MATISSE_LM, MATISSE_N).

    ``aspro_log_name`` is the instrument name a log row must carry for ASPRO2 to find the mode.
    """

    name: str
    facility: str
    aspro_log_name: str
    variants: tuple[str, ...]
    aliases: tuple[str, ...]
    beams: tuple[int, int]
    modes: Mapping[str, Mode]
    pointing_tolerance: float = DEFAULT_TOLERANCE
    """arcsec within which pointings of one target name are one star."""

    def mode(self, wanted: str | int) -> Mode:
        """Find a mode by exact name, other spelling, alias or number.

        Raises UnknownMode with the names there are.
        """
        if isinstance(wanted, str):
            found = self.modes.get(wanted)
            if found is not None:
                return found
        number = int(wanted) if isinstance(wanted, int) or wanted.strip().isdecimal() else None
        spelling = plain(str(wanted))
        for mode in self.modes.values():
            if mode.id == number or spelling in (plain(mode.name), *map(plain, mode.aliases)):
                return mode
        raise UnknownMode(str(wanted), self.modes, self.name)


@dataclass(frozen=True, eq=False)
class Facility:
    """An interferometer. Site in degrees (east positive) and metres; ``timezone`` is an IANA name."""

    name: str
    longitude_deg: float
    latitude_deg: float
    altitude_m: float
    timezone: str
    telescopes: Mapping[str, Telescope]
    stations: Mapping[str, Station]  # by log name
    station_names: Mapping[str, Station]  # by every accepted spelling
    delay_lines: Mapping[str, DelayLine]
    pops: Mapping[str, tuple[float, ...]]  # by log name of the station, PoP1 first
    channels: tuple[str, ...]
    instruments: Mapping[str, Instrument]
    version_rule: VersionRule | None
    offers: Mapping[str, tuple[Offer, ...]]  # by version
    relocations: tuple[Offer, ...]
    length_classes: Mapping[str, tuple[LengthClass, ...]]  # by telescope class

    def station(self, name: str) -> Station:
        """Find a station by log name, ASPRO2 name or a spelling with blanks (U1, UT1, "A 0").

        Raises UnknownStation with the names there are.
        """
        found = self.station_names.get(name) or self.station_names.get(plain(name))
        if found is None:
            raise UnknownStation(name, self.stations, self.name)
        return found

    def log_station(self, name: str) -> str:
        """Give the name a station has in observation logs (U1)."""
        return self.station(name).log_name

    def aspro_station(self, name: str) -> str:
        """Give the name a station has in ASPRO2's configuration files (UT1)."""
        return self.station(name).aspro_name

    def instrument(self, name: str) -> Instrument:
        """Find an instrument by bare name, ASPRO2's entry or alias. Raises UnknownInstrument."""
        found = self.instruments.get(name)
        if found is not None:
            return found
        spelling = plain(name)
        for instrument in self.instruments.values():
            names = (instrument.name, *instrument.variants, *instrument.aliases)
            if spelling in map(plain, names):
                return instrument
        raise UnknownInstrument(name, self.instruments, self.name)

    def version_at(self, mjd: float) -> str:
        """Name the ESO period or semester a night belongs to ("Period 104", "2023A"); "" without any.

        ``mjd`` is UTC; the version changes at local noon of its first day, not in the middle of a night.
        """
        return self.version_rule.version_on(night_of(mjd, self)) if self.version_rule else ""

    def configuration(self, stations: Sequence[str], mjd: float, instrument: str = "") -> ConfigurationMatch:
        """Say which offered configuration these stations were at a date (MJD UTC).

        Order does not matter. Raises UnknownStation. An instrument that is not known is ignored.
        """
        return match_configuration(self, tuple(stations), self.version_at(mjd), instrument)
