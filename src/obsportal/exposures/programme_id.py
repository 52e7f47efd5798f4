"""ESO programme identifiers: runs and roots, in both grammars."""

from __future__ import annotations

import re
from collections.abc import Iterable

_ROOT = re.compile(r"(\d+\.[A-Z]-\d+|\d{3}\.[0-9A-Z]{4})(?:\([A-Z]+\)|\.\d{3})?$")


def program_root(run: str) -> str:
    """The programme a run belongs to: ``0103.C-0347(B)`` -> ``0103.C-0347``.

    From period 105 on ``105.20FU.002`` -> ``105.20FU``. Other identifiers (CHARA) are their own root.
    """
    match = _ROOT.match(run)
    return match[1] if match else run


def is_technical(run: str) -> bool:
    """Whether a run is technical time: commissioning, calibration, maintenance (60.A-...)."""
    return run.startswith("60.A-") or run.startswith("060.A-")


_RUN_PARTS = re.compile(
    r"(?:\d+\.[A-Z]-\d+\((?P<letters>[A-Z]{1,2})\)|\d{3}\.[0-9A-Z]{4}\.(?P<number>\d{3}))$"
)
_OLD = re.compile(r"(\d{2,4})\.([A-Z]-\d{3,4}(?:\([A-Z]+\))?)$")
_PERIOD = re.compile(r"(\d{2,4})\.")
MAX_RUNS = 99
"""Runs of one programme that are listed, those without exposures included."""
FIRST_NEW_PERIOD = 105


def is_run(identifier: str) -> bool:
    """Whether this names one run of a programme rather than the programme: ``0103.C-0347(B)``."""
    return program_root(identifier) != identifier


def run_name(root: str, number: int) -> str:
    """The ``number``-th run of a programme of ESO, from 1: ``0103.C-0347`` and 2 -> ``0103.C-0347(B)``."""
    if "-" not in root:
        return f"{root}.{number:03d}"
    letters = ""
    while number > 0:
        number, digit = divmod(number - 1, 26)
        letters = chr(ord("A") + digit) + letters
    return f"{root}({letters})"


def run_number(run: str) -> int | None:
    """Which run of its programme this is, from 1; None for what is no run of ESO."""
    match = _RUN_PARTS.match(run)
    if match is None:
        return None
    if match["number"]:
        return int(match["number"])
    number = 0
    for letter in match["letters"]:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def runs_up_to_last(root: str, known: Iterable[str]) -> list[str]:
    """The runs of a programme from its first possible one to the last known, in order.

    ``known`` runs (A) and (D) give (A), (B), (C), (D). Names that are no runs of it come first.
    """
    numbers = {run: run_number(run) if program_root(run) == root else None for run in known}
    last = max((n for n in numbers.values() if n is not None), default=0)
    others = sorted(run for run, n in numbers.items() if n is None)
    if last > MAX_RUNS:
        return others + sorted(
            (r for r, n in numbers.items() if n is not None), key=lambda r: numbers[r] or 0
        )
    by_number = {n: run for run, n in numbers.items() if n is not None}
    return others + [by_number.get(n) or run_name(root, n) for n in range(1, last + 1)]


def spellings(identifier: str) -> list[str]:
    """How else an identifier is written: ESO pads the period of some to four digits, people do not.

    ``100.C-0278`` -> ``0100.C-0278``; identifiers of the new grammar have one spelling.
    """
    match = _OLD.match(identifier)
    if match is None:
        return []
    bare = match[1].lstrip("0")
    padded = {bare.zfill(width) for width in (2, 3, 4)} - {match[1]}
    return [f"{period}.{match[2]}" for period in sorted(padded, key=len)]


def period_of(identifier: str) -> int | None:
    """ESO's observing period in which a programme was asked for; None where the name does not say.

    Normal programmes begin with it (``0103.C-0347``), large ones with 1 and the period (``194.C-0749``),
    director's time with 2 (``2103.C-5023``). Technical time and CHARA's have none.
    """
    match = _PERIOD.match(identifier)
    if match is None or is_technical(identifier) or not _ROOT.match(identifier):
        return None
    digits = match[1]
    number = int(digits)
    if "-" not in identifier:
        return number if number >= FIRST_NEW_PERIOD else None
    if len(digits) == 4:
        return number % 1000
    return number if number <= 130 else number % 100


def period_months(period: int) -> str:
    """The half-year of an ESO period: P103 is ``April to September 2019``."""
    year = 1967 + (period + 1) // 2
    if period % 2:
        return f"April to September {year}"
    return f"October {year} to March {year + 1}"
