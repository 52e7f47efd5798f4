"""Names and directions of what was pointed at, in the form the index needs. No database."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from obsportal.interferometry.sky import hpx29, unit_vector

UNNAMED = "-"


def normalise(name: str) -> str:
    """A typed name without case, blanks, underscores and punctuation; signs and digits stay.

    >>> normalise("HD_58647") == normalise("hd 58647")
    True
    """
    return re.sub(r"[\s_\-*.,;:'\"()]+", "", name.replace("+", "p")).lower()[:80]


@dataclass(frozen=True, slots=True)
class Place:
    """A direction with the columns that the position index needs."""

    ra: float
    dec: float
    hpx: int
    x: float
    y: float
    z: float


@lru_cache(maxsize=65536)
def place(ra: float, dec: float) -> Place:
    """The index columns of a direction given in degrees."""
    return Place(ra, dec, hpx29(ra, dec), *unit_vector(ra, dec))
