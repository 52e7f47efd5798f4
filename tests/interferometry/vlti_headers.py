"""Real VLTI headers as keyword tables, read with a small expression so that no parser is tested here."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

CARD = re.compile(r"^(?:HIERARCH ESO )?([A-Z0-9 _-]+?) *= *('(?:[^']|'')*'|[^/]*)")


class HeaderBaselines(NamedTuple):
    """One header's array, pointing and projected baselines at the start."""

    name: str
    instrument: str
    stations: tuple[str, ...]
    places: tuple[tuple[float, float, float] | None, ...]  # TiX, TiY, TiZ as written
    mjd: float
    ra: float
    dec: float
    lst_deg: float
    starts: tuple[
        tuple[int, float, float], ...
    ]  # number of the baseline in 12, 13, 14, 23..., metres, degrees


def cards(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in path.read_text("latin-1").splitlines():
        card = CARD.match(line)
        if card:
            found.setdefault(card[1], card[2].strip().strip("'").strip())
    return found


@lru_cache(maxsize=1)
def header_baselines(folder: Path) -> tuple[HeaderBaselines, ...]:
    """Every header of the folder that was taken on sky: stations and a pointing are there."""
    headers = []
    for path in sorted(folder.glob("*/*.hdr")):
        card = cards(path)
        if "ISS CONF STATION1" not in card or "RA" not in card:
            continue
        beams = range(1, int(card["ISS CONF NTEL"]) + 1)
        starts = [
            (number, float(card[f"ISS PBL{i}{j} START"]), float(card[f"ISS PBLA{i}{j} START"]))
            for number, (i, j) in enumerate(combinations(beams, 2))
            if f"ISS PBL{i}{j} START" in card
        ]
        places = [
            tuple(float(card.get(f"ISS CONF T{beam}{axis}", "0")) for axis in "XYZ")
            if f"ISS CONF T{beam}X" in card
            else None
            for beam in beams
        ]
        headers.append(
            HeaderBaselines(
                name=path.name,
                instrument=card["INSTRUME"],
                stations=tuple(card[f"ISS CONF STATION{beam}"] for beam in beams),
                places=tuple(places),  # type: ignore[arg-type]
                mjd=float(card["MJD-OBS"]),
                ra=float(card["RA"]),
                dec=float(card["DEC"]),
                lst_deg=float(card["LST"]) / 240.0,
                starts=tuple(starts),
            )
        )
    return tuple(headers)
