"""Invented observing programmes: identifiers in both grammars of ESO, investigators, targets.

The investigators are invented and so are the titles, which all begin with "Demonstration:".
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from obsportal.demo.instruments import DemoInstrument, Setting
from obsportal.demo.stars import Kind, Sky

INVESTIGATORS = (
    "ALDERWICK", "BRANOVICKA", "CASTELMARO", "DUNVALEN", "ESKERSUNDE", "FAIRLOCHE",
    "GRANDVALAIS", "HOLMQUARD", "ISTRAVELLI", "JANSKIRKE", "KORVANEN", "LINDMOREAU",
    "MARCHEVILLE", "NORDHAVNER", "OAKHOLLOW", "PELLOTIERI", "QUINTANAR", "ROSENTHALER",
    "SILVERBECK", "TORREALBANA", "UNDERHILLER", "VASTERGLEN", "WYNDEMERE", "YSABELLIN",
)  # fmt: skip
FIRST_NEW_GRAMMAR = 105
PROGRAMMES_EACH = 6
_NEW_CHARACTERS = string.digits + string.ascii_uppercase


@dataclass(frozen=True, slots=True)
class Programme:
    """One run of a programme: one instrument, one mode, a list of targets with the spelling its PI uses."""

    prog_id: str
    title: str
    pi_coi: str
    pi_number: int
    technical: bool
    setting: Setting
    targets: tuple[int, ...]  # indices of the sky
    spelling: dict[int, str]


def eso_period(day: date) -> int:
    """The ESO observing period of a date: P104 began on 2019-10-01, two a year."""
    half_years = (day.year - 2019) * 2 + (0 if 4 <= day.month < 10 else 1 if day.month >= 10 else -1)
    return 103 + half_years


def programmes_of(
    seed: int, period: int, day: date, instrument: DemoInstrument, sky: Sky
) -> tuple[Programme, ...]:
    """The programmes of an instrument in a period; the same for every night of it."""
    rng = np.random.default_rng((seed, 3, period, *instrument.name.encode()))
    settings = instrument.settings_at(day) or list(instrument.settings)
    weights = np.array([s.weight for s in settings], dtype=float)
    found = []
    for number in range(PROGRAMMES_EACH):
        setting = settings[int(rng.choice(len(settings), p=weights / weights.sum()))]
        technical = number == PROGRAMMES_EACH - 1
        targets = _choose_targets(rng, sky, setting.dual, instrument.name)
        investigators = list(rng.choice(INVESTIGATORS, size=int(rng.integers(1, 5)), replace=False))
        found.append(
            Programme(
                prog_id=_identifier(rng, period, instrument, technical),
                title=f"Demonstration: {instrument.titles[number % len(instrument.titles)]}",
                pi_coi="/ ".join(investigators),
                pi_number=int(rng.integers(90_000, 99_999)),
                technical=technical,
                setting=setting,
                targets=targets,
                spelling={i: _spelling(rng, sky.targets[i].names) for i in targets},
            )
        )
    return tuple(found)


def _identifier(rng: np.random.Generator, period: int, instrument: DemoInstrument, technical: bool) -> str:
    number = int(rng.integers(100, 999))
    run = string.ascii_uppercase[int(rng.integers(0, 5))]
    if instrument.site != "VLTI":
        return f"DEMO_{instrument.name}_{number}"
    if technical:
        return f"60.A-9{number:03d}({run})"
    if period >= FIRST_NEW_GRAMMAR:
        middle = "2" + "".join(_NEW_CHARACTERS[int(i)] for i in rng.integers(0, len(_NEW_CHARACTERS), 3))
        return f"{period}.{middle}.{int(rng.integers(1, 9)):03d}"
    large = rng.random() < 0.15
    if period >= 100:
        return f"{1 if large else 0}{period}.{instrument.category}-0{number}({run})"
    return f"{period + 100 if large else period:03d}.{instrument.category}-0{number}({run})"


def _choose_targets(rng: np.random.Generator, sky: Sky, dual: bool, instrument: str) -> tuple[int, ...]:
    if dual:
        return tuple(int(i) for i in sky.science if sky.targets[i].companion is not None)
    fields = 0.0 if instrument in ("PIONIER", "AMBER", "SPICA") else 0.20
    chosen: list[int] = []
    for share, kind, count in ((1.0, Kind.STAR, 10), (fields * 3, Kind.FIELD, 3), (1.0, Kind.SURVEY, 40)):
        if rng.random() < share:
            chosen += [int(i) for i in rng.choice(sky.by_kind[kind], size=count, replace=False)]
    return tuple(chosen)


def _spelling(rng: np.random.Generator, names: Sequence[str]) -> str:
    return names[int(rng.integers(0, len(names)))]
