"""Which exposures are one observation: a pure function of a set of frames, see docs/science.md."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Literal, NamedTuple

from obsportal.interferometry.facility import UnknownFacility, facility
from obsportal.interferometry.times import datetime_to_mjd, mjd_to_datetime, night_of, plausible_mjd

Basis = Literal["block", "template", "run"]

SAME_START = 2.0005 / 86400.0
"""Days. Headers of one execution may tell its start a second apart."""
BLOCK_BREAK = 2.0 / 24.0
"""Days. A longer break ends an execution whose start is not known."""
RUN_BREAK = 20.0 / 1440.0
"""Days. A longer break ends a run."""
LONGEST_EXECUTION = 16.0 / 24.0
"""Days. A start further before an exposure is not its own."""
START_AFTER_FRAME = 15.0 / 1440.0
"""Days. Reduced products may carry a mean time that lies before the start they were taken after."""


class Frame(NamedTuple):
    """One exposure, as far as grouping and linking look at it. Times are MJD UTC."""

    pk: int
    exp_id: str
    public: bool
    interferometer: str
    instrument: str
    variant: str
    night: date | None
    """None only without a time."""
    mjd_start: float | None
    mjd_end: float | None
    obs_id: int | None = None
    obs_start: datetime | None = None
    template_start: datetime | None = None
    target: int = 0
    ra: float | None = None
    """deg, J2000, where it was pointed at."""
    dec: float | None = None
    station_set: str = ""
    obs_type: str = "science"
    program: str = ""
    container: int | None = None
    mode: str = ""
    submode: str = ""
    polarisation: str = ""
    fringe_tracker: str = ""
    dit: float | None = None
    """s"""
    airmass: float | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """One observation: its identity and its members in order of time."""

    key: str
    basis: Basis
    interferometer: str
    instrument: str
    night: date | None
    obs_id: int | None
    obs_start: datetime | None
    members: tuple[Frame, ...]

    @property
    def public(self) -> bool:
        """Whether the public sees any of its members."""
        return any(frame.public for frame in self.members)


def group(frames: Iterable[Frame]) -> list[Group]:
    """The observations that these frames make up, whatever their order.

    Frames of different nights or interferometers are never one observation. Public frames are grouped
    first, as if there were no others: key and members that the public sees say nothing of the rest.
    """
    nights: dict[tuple[str, date | None], list[Frame]] = {}
    for frame in frames:
        nights.setdefault((frame.interferometer, frame.night), []).append(frame)
    made: list[Group] = []
    for key in sorted(nights, key=lambda k: (k[1] or date.min, k[0])):
        night = _Night(sorted(nights[key], key=_order))
        night.add(public=True)
        night.add(public=False)
        made += night.closed()
    return made


def utc_date(mjd: float | None) -> date | None:
    """The UTC date of a time: it stands for the night where that is not known."""
    if mjd is None or not plausible_mjd(mjd):
        return None
    return mjd_to_datetime(mjd).date()


@dataclass(slots=True)
class _Open:
    """A group while it grows."""

    basis: Basis
    begin: float
    """When it began: the start the headers tell, else its first exposure."""
    end: float
    last_start: float = 0.0
    start: datetime | None = None
    members: list[Frame] = field(default_factory=list)
    modes: dict[str, str] = field(default_factory=dict)
    """Variant -> mode of a run: two detectors of one shutter opening have different ones."""

    def take(self, frame: Frame) -> None:
        self.members.append(frame)
        self.end = max(self.end, end_of(frame))


class _Night:
    """The groups of one night of one interferometer."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        self.frames = frames
        self.groups: list[_Open] = []
        self.blocks: dict[int, list[_Open]] = {}
        self.templates: dict[str, list[_Open]] = {}
        self.taken: set[str] = set()

    def closed(self) -> list[Group]:
        """The groups; those of one key are one."""
        found: dict[str, Group] = {}
        for made in map(_closed, self.groups):
            same = found.get(made.key)
            if same is not None:
                made = replace(same, members=tuple(sorted(same.members + made.members, key=_order)))
            found[made.key] = made
        return list(found.values())

    def add(self, *, public: bool) -> None:
        """Group the public frames, or the others around them."""
        ours = [frame for frame in self.frames if frame.public == public]
        if not ours:
            return
        started: dict[int, list[tuple[datetime, Frame]]] = {}
        startless: list[Frame] = []
        templates: dict[str, list[tuple[datetime, Frame]]] = {}
        for frame in ours:
            if not _timed(frame):
                self._open("run", frame, 0.0)
            elif frame.obs_id is not None and frame.obs_id > 0:
                if (start := _sound(frame.obs_start, frame)) is not None:
                    started.setdefault(frame.obs_id, []).append((start, frame))
                elif _night_at(frame.interferometer, mjd_to_datetime(frame.mjd_start or 0.0)) == frame.night:
                    startless.append(frame)
            elif (start := _sound(frame.template_start, frame)) is not None:
                templates.setdefault(frame.instrument, []).append((start, frame))
        for obs_id, pairs in started.items():
            self._executions("block", pairs, self.blocks.setdefault(obs_id, []))
        for frame in startless:
            self._without_start(frame)
        for instrument, pairs in templates.items():
            self._executions("template", pairs, self.templates.setdefault(instrument, []))
        self._runs(public=public)

    def _open(self, basis: Basis, frame: Frame, begin: float, start: datetime | None = None) -> _Open:
        made = _Open(basis, begin, end_of(frame), begin, start)
        made.take(frame)
        self.taken.add(frame.exp_id)
        self.groups.append(made)
        return made

    def _executions(self, basis: Basis, pairs: list[tuple[datetime, Frame]], known: list[_Open]) -> None:
        """Frames whose starts are SAME_START apart at most, one after the other, are one execution."""
        current: _Open | None = None
        earlier = list(known)
        for start, frame in sorted(pairs, key=lambda pair: (pair[0], pair[1].exp_id)):
            at = datetime_to_mjd(start)
            joined = next((one for one in earlier if _within(at, one)), None)
            if joined is None and current is not None and at - current.last_start <= SAME_START:
                joined, current.last_start = current, at
            if joined is None:
                joined = current = self._open(basis, frame, at, start)
                known.append(current)
            else:
                joined.take(frame)
                self.taken.add(frame.exp_id)

    def _without_start(self, frame: Frame) -> None:
        """A frame whose block is known but not its start joins the execution that was going on."""
        assert frame.obs_id is not None
        assert frame.mjd_start is not None
        known = self.blocks.setdefault(frame.obs_id, [])
        begun = [one for one in known if one.begin <= frame.mjd_start + SAME_START]
        latest = max(begun, key=lambda one: one.begin, default=None)
        if latest is not None and frame.mjd_start - latest.end <= BLOCK_BREAK:
            latest.take(frame)
            self.taken.add(frame.exp_id)
        else:
            known.append(self._open("block", frame, frame.mjd_start))

    def _runs(self, *, public: bool) -> None:
        """What no block and no template holds: the same target and set-up without a break."""
        current: dict[str, _Open] = {}
        for frame in self.frames:
            if not _timed(frame) or (public and not frame.public):
                continue
            run = current.get(frame.instrument)
            if frame.exp_id in self.taken:
                if run is not None and run.members[0].target != frame.target:
                    del current[frame.instrument]
            elif run is not None and _continues(run, frame):
                run.take(frame)
                self.taken.add(frame.exp_id)
                run.modes.setdefault(frame.variant, frame.mode)
            else:
                made = current[frame.instrument] = self._open("run", frame, frame.mjd_start or 0.0)
                made.modes[frame.variant] = frame.mode


def _continues(run: _Open, frame: Frame) -> bool:
    first = run.members[0]
    assert frame.mjd_start is not None
    return (
        (first.target, first.station_set, first.obs_type) == (frame.target, frame.station_set, frame.obs_type)
        and run.modes.get(frame.variant, frame.mode) == frame.mode
        and frame.mjd_start - run.end <= RUN_BREAK
    )


def _within(at: float, one: _Open) -> bool:
    """Whether a start agrees with those of an execution."""
    return one.start is not None and one.begin - SAME_START <= at <= one.last_start + SAME_START


def _sound(start: datetime | None, frame: Frame) -> datetime | None:
    """A start that can be that of the frame, else None: before it, on the same night."""
    if start is None or frame.mjd_start is None:
        return None
    before = frame.mjd_start - datetime_to_mjd(start)
    if not -START_AFTER_FRAME <= before <= LONGEST_EXECUTION:
        return None
    return start if _night_at(frame.interferometer, start) == frame.night else None


@lru_cache(maxsize=8192)
def _night_at(interferometer: str, when: datetime) -> date:
    """The night of an instant; its UTC date where the site is not known."""
    try:
        site = facility(interferometer)
    except UnknownFacility:
        return when.astimezone(UTC).date()
    return night_of(datetime_to_mjd(when), site)


def _timed(frame: Frame) -> bool:
    return frame.mjd_start is not None and plausible_mjd(frame.mjd_start)


def _order(frame: Frame) -> tuple[float, str]:
    return (-math.inf if frame.mjd_start is None else frame.mjd_start, frame.exp_id)


def end_of(frame: Frame) -> float:
    """When the exposure ended; its start where the end cannot be one."""
    start = frame.mjd_start or 0.0
    end = start if frame.mjd_end is None else frame.mjd_end
    return end if 0.0 <= end - start <= LONGEST_EXECUTION else start


def _closed(one: _Open) -> Group:
    members = tuple(sorted(one.members, key=_order))
    first = next((frame for frame in members if frame.public), members[0])
    obs_id = first.obs_id if one.basis == "block" else None
    if one.basis == "run":
        key = first.exp_id
    else:
        began = one.start or mjd_to_datetime(one.begin)
        second = began.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat()
        middle = obs_id if one.basis == "block" else first.instrument
        key = f"{first.interferometer}.{middle}.{second}"
    start = one.start if one.basis == "block" else None
    return Group(key, one.basis, first.interferometer, first.instrument, first.night, obs_id, start, members)
