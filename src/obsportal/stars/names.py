"""Names of what is pointed at, as people type them. No database."""

from __future__ import annotations

import re

UNNAMED = "-"

GENERIC = frozenset(
    {
        "-", "target", "science", "sci", "cal", "calib", "calibrator",
        "object", "obj", "star", "test", "sky", "none", "notset",
        "unknown", "noname", "nan", "null", "std", "standard", "flux",
        "default", "dummy", "undefined", "empty", "xx", "tbd", "new",
        "lamp",
    }
)  # fmt: skip
"""Normalised names that say nothing of which star it is."""

COMPONENT_LETTERS = "abcdefghns"
"""Last letters that tell the components of one system apart: A to H, north and south."""
_SHORTEST_STEM = 3


def normalise(name: str) -> str:
    """A typed name without case, blanks, underscores and punctuation; signs and digits stay.

    >>> normalise("HD_58647") == normalise("hd 58647")
    True
    """
    return re.sub(r"[\s_\-*.,;:'\"()]+", "", name.replace("+", "p")).lower()[:80]


def is_generic(normalised: str) -> bool:
    """Whether a normalised name says nothing of which star it is."""
    return not normalised or normalised in GENERIC


def component(normalised: str) -> tuple[str, str] | None:
    """Stem and letter of what may be the name of a component: alfcena is (alfcen, a); None for others."""
    if len(normalised) > _SHORTEST_STEM and normalised[-1] in COMPONENT_LETTERS:
        return normalised[:-1], normalised[-1]
    return None


def same_system(first: str, second: str) -> bool:
    """Whether two normalised names are those of different components of one system.

    >>> same_system("alfcena", "alfcenb"), same_system("alfcena", "alfcen")
    (True, False)
    """
    one, other = component(first), component(second)
    return bool(one and other and one[0] == other[0] and one[1] != other[1])
