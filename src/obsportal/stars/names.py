"""Names of what is pointed at, as people type them. No database."""

from __future__ import annotations

import re

UNNAMED = "-"


def normalise(name: str) -> str:
    """A typed name without case, blanks, underscores and punctuation; signs and digits stay.

    >>> normalise("HD_58647") == normalise("hd 58647")
    True
    """
    return re.sub(r"[\s_\-*.,;:'\"()]+", "", name.replace("+", "p")).lower()[:80]
