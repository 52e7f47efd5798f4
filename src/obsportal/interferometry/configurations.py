"""Which offered configuration a set of stations was, and what the period or semester is called."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from itertools import chain, combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from obsportal.interferometry.array import Facility, Station

LENGTH_TOLERANCE = 0.10  # two arrays are equivalent when all sorted baseline lengths agree within this


class Basis(StrEnum):
    """How a configuration was recognised."""

    OFFERED = "offered"  # exactly a configuration of the version's list
    RELOCATED = "relocated"  # an array the telescopes pass through between two offered ones
    EQUIVALENT = "equivalent"  # part of an offered one, offered in another version, or alike in lengths
    UNOFFERED = "unoffered"


@dataclass(frozen=True, slots=True)
class Offer:
    """One configuration of a list: log names in ASPRO2's order, its name ("" where ASPRO2 has none).

    ``variants`` are the ASPRO2 instruments it is offered to; empty for a relocation.
    """

    stations: tuple[str, ...]
    name: str
    variants: frozenset[str]


@dataclass(frozen=True, slots=True)
class LengthClass:
    """A name for arrays whose longest ground baseline reaches up to a length in metres."""

    up_to: float
    name: str


@dataclass(frozen=True, slots=True)
class ConfigurationMatch:
    """What a set of stations was called: version ("Period 104"), name ("small"), basis and a sentence why."""

    version: str
    name: str
    basis: str
    reason: str


@dataclass(frozen=True, slots=True)
class VersionRule:
    """How periods or semesters are counted: they start on fixed days of the year.

    ``pattern`` takes {number}, {year} (of the start) and {letter} (A for the first start of the year);
    the version that starts on ``origin`` has number ``origin_number``.
    """

    pattern: str
    starts: tuple[tuple[int, int], ...]  # (month, day), in order
    origin: date
    origin_number: int

    def _count(self, day: date) -> tuple[int, int, int]:
        passed = sum((day.month, day.day) >= start for start in self.starts)
        year, index = (day.year, passed - 1) if passed else (day.year - 1, len(self.starts) - 1)
        return year * len(self.starts) + index, year, index

    def _named(self, count: int) -> str:
        year, index = divmod(count, len(self.starts))
        number = count - self._count(self.origin)[0] + self.origin_number
        return self.pattern.format(number=number, year=year, letter=chr(ord("A") + index))

    def version_on(self, night: date) -> str:
        """Name the version a night (local date of its noon) belongs to."""
        return self._named(self._count(night)[0])

    def first_nights(self) -> dict[str, date]:
        """Give the first night of each version within 200 versions of the origin."""
        middle = self._count(self.origin)[0]
        return {
            self._named(count): date(count // len(self.starts), *self.starts[count % len(self.starts)])
            for count in range(middle - 200, middle + 200)
        }


def baseline_lengths(stations: Iterable[Station]) -> list[float]:
    """Ground lengths of all baselines in metres, sorted."""
    return sorted(math.dist((a.x, a.y, a.z), (b.x, b.y, b.z)) for a, b in combinations(stations, 2))


@lru_cache(maxsize=8192)
def match_configuration(
    facility: Facility, stations: tuple[str, ...], version: str, instrument: str = ""
) -> ConfigurationMatch:
    """Recognise a set of stations in a version, for an instrument or for any ("").

    Tries in order: offered, relocated, part of what this version offered, offered in the nearest other
    version, part of that, alike in baseline lengths; what fits none is unoffered and has no name.
    Raises UnknownStation.
    """
    wanted = frozenset(facility.log_station(name) for name in stations)
    name, basis, reason = _recognise(facility, wanted, version, _variants(facility, instrument))
    return ConfigurationMatch(version, name, basis, reason)


def _variants(facility: Facility, instrument: str) -> frozenset[str]:
    try:
        return frozenset(facility.instrument(instrument).variants) if instrument else frozenset()
    except LookupError:
        return frozenset()


def _recognise(
    facility: Facility, wanted: frozenset[str], version: str, variants: frozenset[str]
) -> tuple[str, Basis, str]:
    here = list_of(facility, version)
    if not any(offer.variants & variants for offer in here):
        variants = frozenset()
    same = [offer for offer in here if frozenset(offer.stations) == wanted]
    for offer in same:
        if not variants or offer.variants & variants:
            when = version if version in facility.offers else "every version"
            return name_of(facility, offer, version), Basis.OFFERED, f"offered in {when}"
    for offer in same:
        others = ", ".join(sorted(offer.variants))
        return name_of(facility, offer, version), Basis.EQUIVALENT, f"offered in {version} to {others}"
    for offer in facility.relocations:
        if frozenset(offer.stations) == wanted:
            return offer.name, Basis.RELOCATED, "an array between two offered configurations"
    wholes = [offer for offer in here if len(wanted) > 1 and wanted < frozenset(offer.stations)]
    if len({name_of(facility, offer, version) for offer in wholes}) == 1:
        return _part_of(facility, wholes[0], version)
    elsewhere = _elsewhere(facility, version)
    for other, offer in elsewhere:
        if frozenset(offer.stations) == wanted:
            reason = f"offered in {other or 'every version'}"
            return name_of(facility, offer, other), Basis.EQUIVALENT, reason
    for offer in wholes:
        return _part_of(facility, offer, version)
    if len(wanted) > 1:
        for other, offer in elsewhere:
            if wanted < frozenset(offer.stations):
                return _part_of(facility, offer, other)
        for offer in facility.relocations:
            if wanted < frozenset(offer.stations):
                return offer.name, Basis.RELOCATED, f"part of {' '.join(offer.stations)}"
    return _alike(facility, wanted, version)


def _part_of(facility: Facility, whole: Offer, version: str) -> tuple[str, Basis, str]:
    reason = f"part of {' '.join(whole.stations)} of {version or 'every version'}"
    return name_of(facility, whole, version), Basis.EQUIVALENT, reason


def _alike(facility: Facility, wanted: frozenset[str], version: str) -> tuple[str, Basis, str]:
    """Find the offered array of as many telescopes of the same class whose lengths differ least."""
    kinds = {facility.stations[name].telescope_class for name in wanted}
    lengths = baseline_lengths(facility.stations[name] for name in wanted)
    nearest: tuple[float, str, Offer] | None = None
    candidates = ((version, offer) for offer in list_of(facility, version))
    for other, offer in chain(candidates, _elsewhere(facility, version)):
        members = [facility.stations[name] for name in offer.stations]
        if len(members) != len(wanted) or {member.telescope_class for member in members} != kinds:
            continue
        worst = max(
            (abs(a - b) / b for a, b in zip(lengths, baseline_lengths(members), strict=True)), default=1.0
        )
        if worst <= LENGTH_TOLERANCE and (nearest is None or worst < nearest[0]):
            nearest = (worst, other, offer)
    if nearest is None:
        return "", Basis.UNOFFERED, f"not offered in {version or facility.name}"
    worst, other, offer = nearest
    reason = f"baseline lengths within {100 * worst:.0f} % of {' '.join(offer.stations)} of {other}"
    return name_of(facility, offer, other), Basis.EQUIVALENT, reason


def list_of(facility: Facility, version: str) -> tuple[Offer, ...]:
    """Give what a version offered; a facility's unversioned list where the version has none."""
    return facility.offers.get(version) or facility.offers.get("", ())


@lru_cache(maxsize=1024)
def _elsewhere(facility: Facility, version: str) -> tuple[tuple[str, Offer], ...]:
    """List the offers of the other versions, nearest in time first, the later of two as near."""
    starts = _first_nights(facility.version_rule) if facility.version_rule else {}
    here = starts.get(version)

    def distance(other: str) -> tuple[float, int]:
        start = starts.get(other)
        if start is None or here is None:
            return math.inf, 0
        days = (start - here).days
        return abs(days) // 90, -days

    others = sorted((other for other in facility.offers if other != version), key=distance)
    return tuple((other, offer) for other in others for offer in facility.offers[other])


@lru_cache(maxsize=16)
def _first_nights(rule: VersionRule) -> dict[str, date]:
    return rule.first_nights()


@lru_cache(maxsize=4096)
def name_of(facility: Facility, offer: Offer, version: str) -> str:
    """Name an offered configuration: ASPRO2's name, else that of the nearest version, else by its length.

    A pair or triplet takes the name of the array it was part of when all such arrays share one name.
    """
    if offer.name:
        return offer.name
    members = frozenset(offer.stations)
    for _, other in _elsewhere(facility, version):
        if other.name and frozenset(other.stations) == members:
            return other.name
    wholes = {
        name_of(facility, other, version)
        for other in list_of(facility, version)
        if members < frozenset(other.stations)
    }
    if len(wholes) == 1:
        return wholes.pop()
    stations = [facility.stations[name] for name in offer.stations]
    classes = {station.telescope_class for station in stations}
    if len(classes) != 1:
        return ""
    longest = baseline_lengths(stations)[-1]
    for step in facility.length_classes.get(classes.pop(), ()):
        if longest <= step.up_to:
            return step.name
    return ""
