"""Projected baselines as the ObsPortal contract writes them, and back.

The text is a Python-style dictionary of strings with four decimals; ``None`` where a value is
missing: ``{'U1-U2': {'length': {'start': '55.9040', 'end': '55.8970'}, 'angle': {...}}}``. ASPRO2 reads
it with a lenient JSON parser; an empty text stands for no baseline.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable
from typing import Any

from obsportal.exposures.record import Baseline


def baselines_to_text(baselines: Iterable[Baseline]) -> str:
    """The contract's text for these baselines, "" for none. Metres and degrees, four decimals."""
    inner = ", ".join(
        f"'{b.first}-{b.second}': {{'length': {_pair(b.length_start, b.length_end)},"
        f" 'angle': {_pair(b.angle_start, b.angle_end)}}}"
        for b in baselines
    )
    return f"{{{inner}}}" if inner else ""


def _pair(start: float | None, end: float | None) -> str:
    return f"{{'start': {_word(start)}, 'end': {_word(end)}}}"


def _word(value: float | None) -> str:
    return "None" if value is None else f"'{value:.4f}'"


def baselines_from_text(text: str) -> list[Baseline]:
    """The baselines of a contract text, [] for an empty one.

    Raises ValueError for a text that is not such a dictionary.
    """
    if not text:
        return []
    try:
        table = _table(text)
        return [
            Baseline(
                first=name.split("-")[0],
                second=name.split("-")[1],
                length_start=_number(entry["length"]["start"]),
                length_end=_number(entry["length"]["end"]),
                angle_start=_number(entry["angle"]["start"]),
                angle_end=_number(entry["angle"]["end"]),
            )
            for name, entry in table.items()
        ]
    except (SyntaxError, TypeError, KeyError, AttributeError, ValueError, IndexError) as error:
        raise ValueError(f"not a dictionary of projected baselines: {text[:60]!r}") from error


def _table(text: str) -> Any:
    """The dictionary. JSON, which most texts nearly are, is read a hundred times faster than Python."""
    try:
        return json.loads(text.replace("'", '"').replace(": None", ": null"))
    except ValueError:
        return ast.literal_eval(text)


def _number(value: str | None) -> float | None:
    return None if value is None else float(value)
