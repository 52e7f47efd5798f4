"""FITS cards as one string to be filled: a template is built once and formatted for each header.

A row is (keyword, value, comment). The value is literal text or holds fields of ``str.format`` with a
fixed width, such as ``{ra:20.6f}`` or ``'{object:<16}'``, so that every filled card has 80 columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

COLUMNS = 80
Row = tuple[str, str, str]
_FIELD = re.compile(r"\{\w+:[<>0]?(\d+)[^}]*\}")


def template(rows: Iterable[Row]) -> str:
    """The cards of ``rows`` and END, joined by newlines, with their fields still to be filled.

    Raises ValueError for a card whose value does not fit into 80 columns.
    """
    cards = [_card(*row) for row in rows]
    cards.append("END".ljust(COLUMNS))
    return "\n".join(cards) + "\n"


def _card(keyword: str, value: str, comment: str) -> str:
    if keyword == "COMMENT":
        return f"COMMENT {value}".ljust(COLUMNS)
    standard = " " not in keyword and len(keyword) <= 8
    start = f"{keyword:<8}= " if standard else f"HIERARCH {keyword} = "
    if standard and not value.startswith("'"):
        start += " " * (20 - _filled_width(value))
    room = COLUMNS - _filled_width(start + value)
    if room < 0:
        raise ValueError(f"{keyword} does not fit into {COLUMNS} columns")
    remark = f" / {comment}"[:room] if comment and room > 5 else ""
    return start + value + remark.ljust(room)


def _filled_width(text: str) -> int:
    return len(_FIELD.sub(lambda match: "x" * int(match[1]), text))


def escape(text: str) -> str:
    """Text as it stands between the quotes of a FITS string."""
    return text.replace("'", "''")
