"""The values of search parameters: numbers, truth, times. What means nothing raises SearchError."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta


class SearchError(ValueError):
    """A search parameter has a value that means nothing. ``parameter`` names it."""

    def __init__(self, parameter: str, sentence: str) -> None:
        super().__init__(sentence)
        self.parameter = parameter


_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$", re.ASCII)


def number(name: str, text: str, low: float, high: float, unit: str) -> float:
    """A finite decimal number within bounds. Raises SearchError."""
    value = float(text) if len(text) < 60 and _NUMBER.match(text) else math.nan
    if not low <= value <= high:
        raise SearchError(
            name, f"{name} is {shown(text)}: a number of {unit} between {low:g} and {high:g} is needed"
        )
    return value


def integer(name: str, text: str, low: int, high: int) -> int:
    """A whole number within bounds. Raises SearchError."""
    value = int(text) if re.fullmatch(r"[+-]?\d{1,18}", text, re.ASCII) else None
    if value is None or not low <= value <= high:
        raise SearchError(name, f"{name} is {shown(text)}: a whole number between {low} and {high} is needed")
    return value


def boolean(name: str, text: str) -> bool:
    """true or false, in the usual spellings. Raises SearchError."""
    match text.lower():
        case "true" | "1" | "yes" | "on":
            return True
        case "false" | "0" | "no" | "off":
            return False
    raise SearchError(name, f"{name} is {shown(text)}: allowed are true and false")


_SPACE_ZONE = re.compile(r"(\d) (\d\d:?\d\d)$")
_HAS_TIME = re.compile(r"[T ]\d")


def moment(name: str, text: str, *, end: bool = False) -> datetime:
    """An ISO 8601 date or time as aware UTC; without a zone it is UTC.

    ``end`` makes a bare date the end of that day. A ``+`` that arrived as a blank is understood.
    Raises SearchError.
    """
    if re.search(r"T\d\d", text):
        text = _SPACE_ZONE.sub(r"\1+\2", text)
    try:
        value = datetime.fromisoformat(text)
        if value.tzinfo is None:
            value = value.replace(tzinfo=UTC)
        value = value.astimezone(UTC)
    except (ValueError, OverflowError):
        raise SearchError(
            name,
            f"{name} is {shown(text)}: an ISO 8601 date or time is needed,"
            " such as 2019-01-01 or 2019-01-01T00:00:00+00:00",
        ) from None
    if end and not _HAS_TIME.search(text):
        try:
            return value + timedelta(days=1) - timedelta(microseconds=1)
        except OverflowError:
            return value
    return value


def said(value: datetime) -> str:
    """A time in words: a whole day is its date."""
    edge = value + timedelta(microseconds=1) if value.microsecond == 999_999 else value
    if edge.hour == edge.minute == edge.second == 0:
        return f"{value:%Y-%m-%d}"
    return f"{value:%Y-%m-%d %H:%M:%S}"


def shown(text: str) -> str:
    """A given value as an error message quotes it: cut, without control characters."""
    return repr(text[:60] + ("..." if len(text) > 60 else ""))


def mjd(value: datetime) -> float:
    """MJD (UTC) of an aware datetime."""
    return (value - datetime(1858, 11, 17, tzinfo=UTC)) / timedelta(days=1)
