"""UV coverage of exposures, from their projected baselines.

u points east and v north, in metres, for the vector from a baseline's first to its second station:
u = L sin PA, v = L cos PA (PA north through east). Spatial frequencies are u/λ in millions of λ.
One set of tracks feeds SVG, PNG, PDF and JSON.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db.models import Q

from obsportal.exposures.baseline_text import baselines_from_text
from obsportal.exposures.criteria import Criterion
from obsportal.exposures.search import Search, parse
from obsportal.exposures.search_values import SearchError

if TYPE_CHECKING:
    from obsportal.accounts.access import Actor
    from obsportal.exposures.models import Exposure
    from obsportal.exposures.record import Baseline

MAX_EXPOSURES = 600
"""Exposures drawn in one plot; of more, every n-th is taken."""
MAX_SELECTED = 500

COLUMNS = (
    "exp_id",
    "exp_mjd_start",
    "exp_projected_baselines",
    "instrument_name",
    "instrument_mode",
    "instrument_em_min",
    "instrument_em_max",
    "target__name",
)


class Point(NamedTuple):
    """A point of the UV plane, metres or Mλ."""

    u: float
    v: float


@dataclass(frozen=True, slots=True)
class Track:
    """One baseline during one exposure: metres at its start and end, and the band in metres."""

    exp_id: str
    target_name: str
    instrument_name: str
    baseline: str
    start: Point
    end: Point
    em_min: float | None
    em_max: float | None
    length_start: float | None = None
    length_end: float | None = None
    angle_start: float | None = None
    angle_end: float | None = None

    @property
    def wavelength(self) -> float | None:
        """Geometric middle of the band, m."""
        return math.sqrt(self.em_min * self.em_max) if self.em_min and self.em_max else None

    def as_dict(self) -> dict[str, Any]:
        """For JSON: metres, and Mλ at the long and the short end of the band."""
        frequencies = None
        if self.em_min and self.em_max:
            frequencies = {
                name: {
                    "at_em_max": list(in_mega_lambda(point, self.em_max)),
                    "at_em_min": list(in_mega_lambda(point, self.em_min)),
                }
                for name, point in (("start", self.start), ("end", self.end))
            }
        return {
            "exp_id": self.exp_id,
            "target_name": self.target_name,
            "instrument_name": self.instrument_name,
            "baseline": self.baseline,
            "start_m": list(self.start),
            "end_m": list(self.end),
            "em_min_m": self.em_min,
            "em_max_m": self.em_max,
            "mega_lambda": frequencies,
        }


@dataclass(frozen=True, slots=True)
class Coverage:
    """The tracks of a search, and how many exposures they stand for."""

    words: str
    tracks: tuple[Track, ...]
    found: int
    read: int
    without: int
    """Of the exposures read, those whose header gives no baselines."""

    @property
    def band(self) -> tuple[float, float] | None:
        """Shortest and longest wavelength of the tracks, m."""
        low = [t.em_min for t in self.tracks if t.em_min]
        high = [t.em_max for t in self.tracks if t.em_max]
        return (min(low), max(high)) if low and high else None

    @property
    def note(self) -> str:
        """What a reader should know of what is not drawn."""
        notes = []
        if self.read < self.found:
            notes.append(f"{self.read:,} of {self.found:,} exposures drawn, evenly taken in time")
        if self.without:
            notes.append(f"{self.without:,} without baselines")
        return "; ".join(notes)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "search": self.words,
            "exposures_found": self.found,
            "exposures_read": self.read,
            "exposures_without_baselines": self.without,
            "convention": "u east, v north; B = second - first station; the conjugate points are implied",
            "tracks": [track.as_dict() for track in self.tracks],
        }


def uv_point(length: float, angle_deg: float) -> Point:
    """(u, v) of a projected baseline: length in any unit, position angle north through east."""
    angle = math.radians(angle_deg)
    return Point(length * math.sin(angle), length * math.cos(angle))


def in_mega_lambda(point: Point, wavelength: float) -> Point:
    """A point in metres as spatial frequency in Mλ, at a wavelength in metres."""
    return Point(point.u / wavelength / 1e6, point.v / wavelength / 1e6)


def track_points(baseline: Baseline) -> tuple[Point, Point] | None:
    """Start and end of a baseline in metres; a missing end stands where the other is. None without both."""
    ends = [
        uv_point(length, angle)
        for length, angle in (
            (baseline.length_start, baseline.angle_start),
            (baseline.length_end, baseline.angle_end),
        )
        if length is not None and angle is not None and 0 < length < math.inf and math.isfinite(angle)
    ]
    return (ends[0], ends[-1]) if ends else None


def tracks_of(row: Mapping[str, Any]) -> list[Track]:
    """The tracks of one exposure, given the columns named in ``COLUMNS``."""
    try:
        baselines = baselines_from_text(row["exp_projected_baselines"])
    except ValueError:
        return []
    found = []
    for baseline in baselines:
        points = track_points(baseline)
        if points:
            found.append(
                Track(
                    row["exp_id"],
                    row["target__name"] or "",
                    row["instrument_name"],
                    f"{baseline.first}-{baseline.second}",
                    *points,
                    row["instrument_em_min"],
                    row["instrument_em_max"],
                    baseline.length_start,
                    baseline.length_end,
                    baseline.angle_start,
                    baseline.angle_end,
                )
            )
    return found


def row_of(exposure: Exposure) -> dict[str, Any]:
    """The columns of one loaded exposure."""
    return {
        name: exposure.target.name if name == "target__name" else getattr(exposure, name) for name in COLUMNS
    }


def from_rows(rows: Iterable[Mapping[str, Any]], words: str, found: int | None = None) -> Coverage:
    """The coverage of rows with the columns named in ``COLUMNS``."""
    tracks: list[Track] = []
    read = without = 0
    for row in rows:
        own = tracks_of(row)
        tracks += own
        read += 1
        without += not own
    return Coverage(words, tuple(tracks), read if found is None else found, read, without)


def coverage(search: Search, actor: Actor, limit: int = MAX_EXPOSURES) -> Coverage:
    """The coverage of a search, evenly thinned in time to ``limit`` exposures."""
    keys = list(search.exposures(actor).order_by("exp_mjd_start", "pk").values_list("pk", flat=True))
    step = max(1, math.ceil(len(keys) / limit))
    chosen = keys[::step]
    rows = search_rows(actor, chosen)
    return from_rows(rows, _words(search, rows), len(keys))


def _words(search: Search, rows: Sequence[Mapping[str, Any]]) -> str:
    """The search in words, with the name of a target that was asked for by its number."""
    asked = next((c for c in search.criteria if c.parameter == "target_id"), None)
    names = {row["target__name"] for row in rows}
    if asked is None or len(names) != 1:
        return search.words
    return search.words.replace(asked.words, names.pop() or asked.words, 1)


def search_rows(actor: Actor, keys: Sequence[int]) -> list[dict[str, Any]]:
    """The columns of the exposures with these keys that the actor may see, in order of time."""
    from obsportal.exposures.models import Exposure

    rows = Exposure.objects.visible_to(actor).filter(pk__in=keys).order_by("exp_mjd_start", "pk")
    return list(rows.values(*COLUMNS))


def selection(params: Mapping[str, str]) -> Search:
    """A search whose ``exp_id`` may be a comma-separated list. Raises SearchError."""
    ids = list(dict.fromkeys(part.strip() for part in params.get("exp_id", "").split(",") if part.strip()))
    search = parse({name: value for name, value in params.items() if name != "exp_id"})
    search = replace(search, limit=None, page=1)
    if not ids:
        return search
    if len(ids) > MAX_SELECTED:
        raise SearchError("exp_id", f"{len(ids)} exposures are selected: at most {MAX_SELECTED} are allowed")
    words = f"exposure {ids[0]}" if len(ids) == 1 else f"{len(ids)} selected exposures"
    chosen = Criterion("exp_id", words, Q(exp_id__in=ids))
    return replace(search, criteria=(*search.criteria, chosen))
