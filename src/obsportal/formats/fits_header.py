"""FITS headers read as text: an index of cards made once, values parsed when asked for.

Follows the FITS standard 4.0 sections 4.1 and 4.2, the ESO HIERARCH convention and the CONTINUE
convention, and reads what older software wrote (lower-case exponents, blanks inside numbers) as
astropy does. Bytes are latin-1, so that any byte survives the way in and out.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Iterator
from functools import lru_cache
from typing import TypeAlias

Value: TypeAlias = str | int | float | bool | None

MAX_HEADER = 8_000_000
"""Largest header read, bytes. The largest real VLTI header is below 0.5 MB."""
MAX_CARD = 8_191
"""Longest card read, characters: widened cards of header listings stay far below."""

CARD = 80
_BLOCK = (MAX_CARD + 1) // 2
_FIRST_CARD = re.compile(
    r"\s*(?:#[^\n]*\n\s*)*(?:HIERARCH +[^=\n]{1,70}=|[A-Z][A-Z0-9_.-]{0,7} *=|COMMENT |HISTORY )"
)
_NUMBER = re.compile(r"([+-]?) *((?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?: *[deDE] *[+-]? *[0-9]+)?)")
_COMMENT_OR_END = re.compile(r" *(?:/|$)")
_WIDE = re.compile(r"^HIERARCH +")
_LAST = "\U0010ffff"
_EXPONENT = str.maketrans("dD", "ee", " ")
_COMMENTARY = ("COMMENT", "HISTORY", "CONTINUE", "        ")


class HeaderError(Exception):
    """Text that cannot be read as a header: a code for programs, a sentence for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __reduce__(self) -> tuple[type[HeaderError], tuple[str, str]]:
        return HeaderError, (self.code, self.message)


class Header:
    """The cards of one header, by keyword. Where a keyword is repeated the first card counts.

    Keywords are named as astropy names them: ``"RA"``, ``"ESO ISS CONF NTEL"`` for the card
    ``HIERARCH ESO ISS CONF NTEL``. Commentary cards have no value and are found in ``raw`` only.
    """

    __slots__ = ("_lines", "_sorted", "raw")

    def __init__(self, raw: str, lines: list[str], ordered: list[str]) -> None:
        self.raw = raw
        self._lines = lines
        self._sorted = ordered

    @classmethod
    def parse(cls, data: bytes | str) -> Header:
        """Read the first header of a text, up to its END card.

        Takes 80-column cards with or without line ends, or one card a line of any width. Raises
        HeaderError with code empty-file, too-large, not-a-header, card-too-long or truncated.
        """
        if len(data) > MAX_HEADER:
            raise HeaderError("too-large", f"the header has {len(data)} bytes, at most {MAX_HEADER} are read")
        text = data if isinstance(data, str) else data.decode("latin-1")
        lines = _split(text)
        ordered = _in_order(lines)
        if not _ends_properly(lines, ordered):
            del lines[_end_of(lines) :]
            ordered = _in_order(lines)
        return cls(text, lines, ordered)

    def __contains__(self, keyword: object) -> bool:
        return isinstance(keyword, str) and self._field(keyword) is not None

    def get(self, keyword: str, default: Value = None) -> Value:
        """Value of a keyword as astropy types it, ``default`` where the card is missing.

        None for a card without a value; the bare text for a value that is not valid FITS (NaN).
        """
        field = self._field(keyword)
        if field is None:
            return default
        return self._value(keyword, field)

    def text(self, keyword: str, default: str = "") -> str:
        """Value as text without surrounding blanks; ``default`` where missing or blank."""
        field = self._field(keyword)
        if field is None:
            return default
        value = parse_value(field)
        if isinstance(value, str):
            if value[-1:] == "&":
                value = self._continued(keyword, value)
            return value.strip() or default
        if value is None:
            return default
        return str(value)

    def number(self, keyword: str) -> float | None:
        """Value as a finite number; also a number written as text. None for anything else."""
        field = self._field(keyword)
        if field is None:
            return None
        token = field.partition("/")[0]
        try:
            number = float(token) if "_" not in token else math.nan
        except ValueError:
            value = self._value(keyword, field)
            if isinstance(value, str):
                value = _number(value.strip())
            if value is None or isinstance(value, bool | str):
                return None
            number = float(value) if abs(value) < 1e300 else math.inf
        return number if -1e300 < number < 1e300 else None

    def integer(self, keyword: str) -> int | None:
        """Value as a whole number; None where missing or fractional."""
        number = self.number(keyword)
        return int(number) if number is not None and number == int(number) else None

    def keywords(self) -> Iterator[str]:
        """Keywords that have a card with a value field, in the order of the header, each once."""
        seen: set[str] = set()
        for line in self._lines:
            keyword, equals, _ = line.partition("=")
            if not equals or keyword.startswith(_COMMENTARY):
                continue
            keyword = keyword.removeprefix("HIERARCH ").strip()
            if keyword and keyword not in seen:
                seen.add(keyword)
                yield keyword

    def __len__(self) -> int:
        return len(self._lines)

    def _field(self, keyword: str) -> str | None:
        """What follows the equals sign on the first card of a keyword."""
        cards = self._sorted
        for prefix, size in _spellings(keyword):
            i = bisect_left(cards, prefix)
            while (card := cards[i]).startswith(prefix):
                rest = card[size:].lstrip()
                i += 1
                if rest[:1] == "=":
                    following = cards[i]
                    if following.startswith(prefix) and following[size:].lstrip()[:1] == "=":
                        return self._first(prefix[:size])
                    return rest[1:]
        return None

    def _first(self, name: str) -> str | None:
        """The field of the first of several cards of the same keyword."""
        for line in self._lines:
            found, equals, field = line.partition("=")
            if equals and found.rstrip() == name:
                return field
        return None

    def _value(self, keyword: str, field: str) -> Value:
        value = parse_value(field)
        if isinstance(value, str) and value.endswith("&"):
            return self._continued(keyword, value)
        return value

    def _continued(self, keyword: str, value: str) -> str:
        """Join the CONTINUE cards that follow the card of ``keyword``."""
        names = {prefix[:size] for prefix, size in _spellings(keyword)}
        lines = iter(self._lines)
        for line in lines:
            if line.partition("=")[0].rstrip() in names:
                break
        for line in lines:
            if not value.endswith("&") or not line.startswith("CONTINUE"):
                break
            piece = parse_value(line[8:])
            value = value[:-1] + (piece if isinstance(piece, str) else "")
        return value


@lru_cache(maxsize=8192)
def _spellings(keyword: str) -> tuple[tuple[str, int], ...]:
    """How the cards of a keyword may begin, the likely way first, and the length of the name in it."""
    name = keyword.strip().upper()
    hierarch = f"HIERARCH {name}"
    long = ((f"{hierarch} ", len(hierarch)), (f"{hierarch}=", len(hierarch)))
    if " " in name or len(name) > 8:
        return long
    short = ((f"{name} ", len(name)), (f"{name}=", len(name)))
    return (*reversed(short), *long) if len(name) == 8 else (*short, *long)


def _split(text: str) -> list[str]:
    """Cards of a text up to END; 80-column cards run together are cut, line ends are dropped."""
    if not text.strip("\0 \r\n\t"):
        raise HeaderError("empty-file", "the file is empty")
    if not _FIRST_CARD.match(text):
        start = text[:200].lstrip()[:40]
        raise HeaderError("not-a-header", f"the text does not begin with a FITS card but with {start!r}")
    first = text.find("\n")
    if first < 0 or first > 2 * CARD:
        return [text[i : i + CARD] for i in range(0, len(text), CARD)]
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    if any(text.find("\n", i, i + _BLOCK) < 0 for i in range(0, len(text) - _BLOCK, _BLOCK)):
        longest = max(len(line.rstrip("\0 ")) for line in lines)
        if longest > MAX_CARD:
            raise HeaderError(
                "card-too-long", f"a card has {longest} characters, at most {MAX_CARD} are read"
            )
    return lines


def _in_order(lines: list[str]) -> list[str]:
    """Cards by keyword, for bisection, with a last one that no keyword reaches.

    Headers come nearly in order, so this costs far less than a dict of a thousand keywords.
    """
    ordered = sorted(lines)
    ordered.append(_LAST)
    at = bisect_left(ordered, "HIERARCH  ")
    if ordered[at].startswith("HIERARCH  "):
        lines[:] = [_WIDE.sub("HIERARCH ", line) for line in lines]
        ordered = sorted(lines)
        ordered.append(_LAST)
    return ordered


def _ends_properly(lines: list[str], ordered: list[str]) -> bool:
    """Whether the only END card is the last card that is not blank."""
    at = bisect_left(ordered, "END")
    ends = 0
    while ordered[at].startswith("END"):
        ends += _is_end(ordered[at])
        at += 1
    if ends != 1:
        return False
    last = len(lines) - 1
    while last > 0 and not lines[last].strip("\0 "):
        last -= 1
    return _is_end(lines[last])


def _is_end(card: str) -> bool:
    return card.startswith("END") and not card[3:].strip("\0 \r\n")


def _end_of(lines: list[str]) -> int:
    """Index of the first END card."""
    for i, line in enumerate(lines):
        if _is_end(line):
            return i
    cards = len(lines)
    raise HeaderError("truncated", f"no END card in {cards} cards: the header is cut short")


def parse_value(field: str) -> Value:
    """Value of the part of a card after its equals sign (FITS 4.2); the comment is dropped.

    Text that is no valid value comes back as it stands, without its comment.
    """
    field = field.strip()
    if field[:1] == "'":
        end = field.find("'", 1)
        while end > 0:
            if _COMMENT_OR_END.match(field, end + 1):
                value = field[1:end]
                return (value.replace("''", "'") if "''" in value else value).rstrip()
            end = field.find("'", end + 1)
        return field.partition("/")[0].strip()
    word = field.partition("/")[0].rstrip()
    if word == "T":
        return True
    if word == "F":
        return False
    if not word:
        return None
    number = _number(word)
    return word if number is None else number


def _number(word: str) -> int | float | None:
    match = _NUMBER.fullmatch(word)
    if not match:
        return None
    digits = match[1] + match[2].translate(_EXPONENT)
    try:
        return int(digits)
    except ValueError:
        return float(digits)
