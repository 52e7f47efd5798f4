"""FITS cards as text to be filled in two steps: once for an observing block, once for each of its frames.

A row is (keyword, value, comment). The value is literal text or holds fields of fixed width written as
``str.format`` writes them, such as ``{ra:20.6f}`` or ``'{object:<16.16}'``, so that every filled card has
80 columns. Half of the fields of a header are the same for all frames of a block, and filling one
costs about a microsecond: hence the two steps.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any

COLUMNS = 80
Row = tuple[str, str, str]
_FIELD = re.compile(r"\{(\w+):(<?)(0?(\d+)[^}]*)\}")


class CardTemplate:
    """The cards of a header up to END, with fields; ``is_frame_field`` tells which stay open in step one.

    Raises ValueError for a card that does not fit into 80 columns.
    """

    def __init__(self, rows: Iterable[Row], is_frame_field: Callable[[str], bool]) -> None:
        cards = [_card(*row) for row in rows]
        cards.append("END".ljust(COLUMNS))
        text = "\n".join(cards) + "\n"
        names = [match[1] for match in _FIELD.finditer(text)]
        self._is_frame_field = is_frame_field
        self._block_names = [name for name in names if not is_frame_field(name)]
        self._frame_names = [name for name in names if is_frame_field(name)]
        self._text = _FIELD.sub(self._placeholder, text)

    def _placeholder(self, match: re.Match[str]) -> str:
        name, left, spec = match[1], match[2], match[3]
        conversion = f"-{spec}s" if left else spec
        return f"%%{conversion}" if self._is_frame_field(name) else f"%{conversion}"

    def fill_block(self, values: Mapping[str, Any]) -> FrameTemplate:
        """Step one: the same cards with only the frame's fields open."""
        text = self._text % tuple([values[name] for name in self._block_names])
        return FrameTemplate(text, self._frame_names)


class FrameTemplate:
    """A header whose block is filled."""

    def __init__(self, text: str, names: list[str]) -> None:
        self._text = text
        self._pick = itemgetter(*names)

    def fill(self, values: Mapping[str, Any]) -> str:
        """Step two: the header text."""
        text: str = self._text % self._pick(values)
        return text


def _card(keyword: str, value: str, comment: str) -> str:
    if "%" in value + comment:
        raise ValueError(f"{keyword}: a per cent sign is not allowed")
    if keyword == "COMMENT":
        start, remark = "COMMENT ", ""
    else:
        standard = " " not in keyword and len(keyword) <= 8
        start = f"{keyword:<8}= " if standard else f"HIERARCH {keyword} = "
        if standard and not value.startswith("'"):
            start += " " * (20 - _filled_width(value))
        remark = f" / {comment}" if comment else ""
    room = COLUMNS - _filled_width(start + value)
    if room < 0:
        raise ValueError(f"{keyword} does not fit into {COLUMNS} columns")
    return start + value + (remark[:room] if room > 5 else "").ljust(room)


def _filled_width(text: str) -> int:
    return len(_FIELD.sub(lambda match: "x" * int(match[4]), text))


def escape(text: str) -> str:
    """Text as it stands between the quotes of a FITS string."""
    return text.replace("'", "''")
