"""The interferometers there are: finds facilities, instruments and modes by any of their names.

Each facility is one TOML file: those of the ``facilities`` folder beside this module, those of the
folders named by the environment variable OBSPORTAL_FACILITIES (separated like PATH), and those of
``set_extra``. A new interferometer is a new file; no code names one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from obsportal.interferometry.array import (
    DelayLine,
    Facility,
    Instrument,
    Mode,
    Station,
    Telescope,
    UnknownFacility,
    UnknownInstrument,
    UnknownMode,
    UnknownName,
    UnknownStation,
    plain,
)
from obsportal.interferometry.configurations import Basis, ConfigurationMatch
from obsportal.interferometry.facility_file import FacilityFileError, read_facility

__all__ = [
    "Basis",
    "ConfigurationMatch",
    "DelayLine",
    "Facility",
    "FacilityFileError",
    "Instrument",
    "Mode",
    "Station",
    "Telescope",
    "UnknownFacility",
    "UnknownInstrument",
    "UnknownMode",
    "UnknownName",
    "UnknownStation",
    "facilities",
    "facility",
    "find_instrument",
    "find_mode",
    "modes",
    "set_extra",
]

FACILITIES_VARIABLE = "OBSPORTAL_FACILITIES"
_BUILT_IN = Path(__file__).with_name("facilities")
_FIRST = ("vlti.toml", "chara.toml")  # ASPRO2's order, which decides between equal names
_extra: tuple[Path, ...] = ()


def set_extra(folders: Iterable[Path]) -> None:
    """Add folders of facility files to the built-in ones and forget what was read."""
    global _extra
    _extra = tuple(Path(folder) for folder in folders)
    facilities.cache_clear()
    _instrument_index.cache_clear()
    _find_mode.cache_clear()


def _files() -> Iterable[Path]:
    named = [Path(folder) for folder in os.environ.get(FACILITIES_VARIABLE, "").split(os.pathsep) if folder]
    for folder in (_BUILT_IN, *named, *_extra):
        if not folder.is_dir():
            raise FacilityFileError(f"{folder}: not a folder of facility files ({FACILITIES_VARIABLE})")
        found = sorted(folder.glob("*.toml"))
        yield from (path for name in _FIRST for path in found if path.name == name)
        yield from (path for path in found if path.name not in _FIRST)


@lru_cache(maxsize=1)
def facilities() -> dict[str, Facility]:
    """Read every facility file once, by name; VLTI and CHARA first.

    Raises FacilityFileError for a file that cannot be used, a name given twice or a mode id given twice.
    """
    found: dict[str, Facility] = {}
    owners: dict[int, str] = {}
    for path in _files():
        new = read_facility(path)
        if new.name in found:
            raise FacilityFileError(f"{path.name}: there is already a facility named {new.name}")
        found[new.name] = new
        for instrument in new.instruments.values():
            for mode in instrument.modes.values():
                title = f"{new.name} {instrument.name} {mode.name}"
                if mode.id in owners:
                    taken = f"mode id {mode.id} of {title} belongs to {owners[mode.id]}"
                    raise FacilityFileError(f"{path.name}: {taken}")
                owners[mode.id] = title
    return found


def facility(name: str) -> Facility:
    """Find a facility by name, capitals ignored. Raises UnknownFacility with the names there are."""
    known = facilities()
    found = known.get(name)
    if found is None:
        spelling = plain(name)
        found = next((one for one in known.values() if plain(one.name) == spelling), None)
    if found is None:
        raise UnknownFacility(name, known)
    return found


@lru_cache(maxsize=1)
def _instrument_index() -> dict[tuple[str, str], Instrument]:
    index: dict[tuple[str, str], Instrument] = {}
    for one in facilities().values():
        for kind in ("names", "variants", "aliases"):
            for instrument in one.instruments.values():
                spellings = {
                    "names": (instrument.name,),
                    "variants": instrument.variants,
                    "aliases": instrument.aliases,
                }[kind]
                for spelling in spellings:
                    index.setdefault((plain(spelling), plain(one.name)), instrument)
                    index.setdefault((plain(spelling), ""), instrument)
    return index


def find_instrument(name: str, facility_name: str = "") -> Instrument:
    """Find an instrument by bare name, ASPRO2's entry (MATISSE_LM) or alias (MIRC-X, GRAVI).

    Without a facility the first one that has it wins, VLTI and CHARA before others. Raises
    UnknownInstrument with the names there are.
    """
    found = _instrument_index().get((plain(name), plain(facility_name)))
    if found is None:
        places = [facility(facility_name)] if facility_name else facilities().values()
        raise UnknownInstrument(name, [one for place in places for one in place.instruments], facility_name)
    return found


def find_mode(instrument: Instrument | str, mode: str | int, facility_name: str = "") -> Mode:
    """Find a mode by name, other spelling, alias (MR855) or number, of an instrument or of any ("").

    The modes of an instrument that shares ASPRO2's entry are found too (MIRCX with Low_K is MYSTIC's).
    Raises UnknownInstrument, UnknownMode.
    """
    if isinstance(instrument, Instrument):
        return _find_mode(instrument.name, mode, instrument.facility)
    return _find_mode(instrument, mode, facility_name)


@lru_cache(maxsize=2048)
def _find_mode(instrument: str, mode: str | int, facility_name: str) -> Mode:
    if not instrument:
        number = str(mode).strip()
        for known in modes():
            if str(known.id) == number:
                return known
        raise UnknownMode(number, (str(known.id) for known in modes()))
    own = find_instrument(instrument, facility_name)
    siblings = facility(own.facility).instruments.values()
    for candidate in (own, *(one for one in siblings if set(one.variants) & set(own.variants))):
        try:
            return candidate.mode(mode)
        except UnknownMode:
            continue
    raise UnknownMode(str(mode), own.modes, own.name)


def modes() -> list[Mode]:
    """List every mode of every facility, in file order."""
    return [
        mode
        for one in facilities().values()
        for instrument in one.instruments.values()
        for mode in instrument.modes.values()
    ]
