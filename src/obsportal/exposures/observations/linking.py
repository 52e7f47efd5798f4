"""Which calibrator observations serve which science observations of a night: pure, see docs/science.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from obsportal.exposures.observations.grouping import Frame, Group, end_of
from obsportal.interferometry.sky import separation_deg

Basis = Literal["container", "time", "manual"]
Confidence = Literal["high", "medium", "low"]
_RANK: dict[Confidence, int] = {"high": 0, "medium": 1, "low": 2}

MEDIUM_MINUTES = 60.0
"""A calibrator of the same night and set-up nearer than this is linked with medium confidence."""
LOW_MINUTES = 180.0
"""One nearer than this with low confidence; a further one is not linked."""
NEAREST = 2
"""How many calibrators are taken before the science observation, and how many after it."""

BASE_SCORE: dict[Basis, float] = {"manual": 1.0, "container": 1.0, "time": 0.8}
FAR_DEG = 25.0
"""A calibrator further away on the sky counts less."""
FAR_FACTOR, NO_PLACE_FACTOR = 0.7, 0.9
AIRMASS_STEP, AIRMASS_FACTOR = 0.2, 0.9
OTHER_PROGRAM_FACTOR = 0.8
OTHER_DIT_FACTOR = 0.9


@dataclass(frozen=True, slots=True)
class Link:
    """A calibrator observation that serves a science observation in one variant of the instrument."""

    science: str
    calibrator: str
    variant: str
    basis: Basis
    confidence: Confidence
    score: float
    gap_minutes: float | None
    separation: float | None


@dataclass(frozen=True, slots=True)
class Decision:
    """What a curator decided of a pair of observations, by their keys."""

    science: str
    calibrator: str
    linked: bool


class Setup(NamedTuple):
    """What must be the same for a calibrator found by time alone."""

    station_set: str
    mode: str
    submode: str
    polarisation: str
    fringe_tracker: str


@dataclass(frozen=True, slots=True)
class Leg:
    """The part of an observation that one target was seen in with one set-up, for one purpose."""

    observation: str
    instrument: str
    variant: str
    obs_type: str
    setup: Setup
    container: int | None
    target: int
    ra: float | None
    dec: float | None
    start: float
    end: float
    arrays: tuple[int, int]
    """How often the instrument had changed its stations that night, at the start and at the end."""
    dits: frozenset[float]
    programs: frozenset[str]
    airmass: float | None


def link(
    groups: Sequence[Group], decisions: Iterable[Decision] = (), elsewhere: Sequence[Group] = ()
) -> list[Link]:
    """The links among the observations of one night of one interferometer, whatever their order.

    Observations that the public sees are linked by their public frames alone, as if there were no
    others; links that involve another observation come in addition. ``elsewhere`` are observations, of
    other nights too, that decisions name as calibrators.
    """
    keys = {one.key for one in groups}
    decisions = [one for one in decisions if one.science in keys]
    elsewhere = [one for one in elsewhere if decisions and one.key not in keys]
    found = _linked(groups, elsewhere, decisions, public=True)
    every = (*groups, *elsewhere)
    if any(not frame.public for one in every for frame in one.members):
        seen = {one.key for one in every if one.public}
        for key, made in _linked(groups, elsewhere, decisions, public=False).items():
            if not (made.science in seen and made.calibrator in seen):
                found[key] = made
    return [found[key] for key in sorted(found)]


_Key = tuple[str, str, str]


def _linked(
    groups: Sequence[Group], elsewhere: Sequence[Group], decisions: Sequence[Decision], *, public: bool
) -> dict[_Key, Link]:
    legs = _legs(groups, public=public)
    found: dict[_Key, Link] = {}
    variants: dict[str, tuple[list[Leg], list[Leg]]] = {}
    for leg in legs:
        sides = variants.setdefault(leg.variant, ([], []))
        sides[0 if leg.obs_type == "science" else 1].append(leg)
    for sciences, calibrators in variants.values():
        for science in sciences:
            for made in _of_container(science, calibrators) or _near_in_time(science, calibrators):
                _keep(found, made)
    if decisions:
        _decide(found, decisions, [*legs, *_legs(elsewhere, public=public)])
    return found


def _keep(found: dict[_Key, Link], made: Link) -> None:
    """Of several links between two observations in a variant the surest stays."""
    key = (made.science, made.calibrator, made.variant)
    if key not in found or _worth(made) < _worth(found[key]):
        found[key] = made


def _worth(made: Link) -> tuple[float, ...]:
    gap = made.gap_minutes or 0.0
    return (_RANK[made.confidence], -made.score, abs(gap), gap, made.separation or 0.0)


def _of_container(science: Leg, calibrators: Sequence[Leg]) -> list[Link]:
    """Calibrators of the same container, stations and mode."""
    if science.container is None:
        return []
    made = []
    for other in calibrators:
        if other.container != science.container or not _serves(science, other):
            continue
        sure = science.setup == other.setup and _known(science)
        made.append(_link(science, other, "container", "high" if sure else "medium"))
    return made


def _near_in_time(science: Leg, calibrators: Sequence[Leg]) -> list[Link]:
    """The nearest calibrators before and after, of the same set-up, without other stations between."""
    sides: tuple[list[Link], list[Link]] = ([], [])
    for other in calibrators:
        if not _serves(science, other) or science.setup[2:] != other.setup[2:]:
            continue
        gap = _gap_minutes(science, other)
        if abs(gap) >= LOW_MINUTES or not _one_array(science, other):
            continue
        sure = abs(gap) < MEDIUM_MINUTES and _known(science) and _known(other)
        later = other.start + other.end > science.start + science.end
        sides[later].append(_link(science, other, "time", "medium" if sure else "low"))
    made: list[Link] = []
    for side in sides:
        taken: set[str] = set()
        for one in sorted(side, key=lambda one: (abs(one.gap_minutes or 0.0), -one.score, one.calibrator)):
            if one.calibrator in taken or len(taken) < NEAREST:
                taken.add(one.calibrator)
                made.append(one)
    return made


def _serves(science: Leg, other: Leg) -> bool:
    """Whether stations and mode are alike. A star of one observation does not calibrate itself there."""
    itself = science.observation == other.observation and science.target == other.target
    return not itself and _alike(science, other)


def _alike(first: Leg, second: Leg) -> bool:
    """Whether stations and mode are the same, as far as they are known."""
    pairs = zip(first.setup[:2], second.setup[:2], strict=True)
    return all(not a or not b or a == b for a, b in pairs)


def _known(leg: Leg) -> bool:
    return bool(leg.setup.station_set and leg.setup.mode)


def _one_array(first: Leg, second: Leg) -> bool:
    """Whether the instrument kept its stations between two legs."""
    if first.start > second.start:
        first, second = second, first
    return first.arrays[1] >= second.arrays[0]


def _gap_minutes(science: Leg, calibrator: Leg) -> float:
    """Minutes between two legs; negative when the calibrator came first, 0 when they overlap."""
    if calibrator.start >= science.end:
        return round((calibrator.start - science.end) * 1440.0, 2)
    if calibrator.end <= science.start:
        return round((calibrator.end - science.start) * 1440.0, 2)
    return 0.0


def _separation(first: Leg, second: Leg) -> float | None:
    if first.ra is None or first.dec is None or second.ra is None or second.dec is None:
        return None
    return round(separation_deg(first.ra, first.dec, second.ra, second.dec), 4)


def _link(science: Leg, calibrator: Leg, basis: Basis, confidence: Confidence) -> Link:
    gap = _gap_minutes(science, calibrator)
    separation = _separation(science, calibrator)
    score = BASE_SCORE[basis]
    if basis != "manual":
        score *= 1.0 - 0.5 * min(abs(gap) / LOW_MINUTES, 1.0)
        if separation is None:
            score *= NO_PLACE_FACTOR
        elif separation > FAR_DEG:
            score *= FAR_FACTOR
        if science.airmass and calibrator.airmass:
            score *= AIRMASS_FACTOR if abs(science.airmass - calibrator.airmass) > AIRMASS_STEP else 1.0
        if science.programs and calibrator.programs and not science.programs & calibrator.programs:
            score *= OTHER_PROGRAM_FACTOR
        if science.dits and calibrator.dits and not science.dits & calibrator.dits:
            score *= OTHER_DIT_FACTOR
    return Link(
        science.observation,
        calibrator.observation,
        science.variant,
        basis,
        confidence,
        round(score, 3),
        gap,
        separation,
    )


def _decide(found: dict[_Key, Link], decisions: Sequence[Decision], legs: Sequence[Leg]) -> None:
    """Put the curators' decisions over what was found."""
    of: dict[str, list[Leg]] = {}
    for leg in legs:
        of.setdefault(leg.observation, []).append(leg)
    for decision in decisions:
        for key in [k for k in found if k[:2] == (decision.science, decision.calibrator)]:
            del found[key]
        if not decision.linked:
            continue
        sciences = _preferred(of.get(decision.science, []), "science")
        calibrators = _preferred(of.get(decision.calibrator, []), "calibrator")
        common = {leg.variant for leg in sciences} & {leg.variant for leg in calibrators}
        for science in sciences:
            for calibrator in calibrators:
                if science.variant == calibrator.variant or not common:
                    _keep(found, _link(science, calibrator, "manual", "high"))


def _preferred(legs: Sequence[Leg], obs_type: str) -> Sequence[Leg]:
    """The legs of this type, else all: a curator may link what the headers call something else."""
    return [leg for leg in legs if leg.obs_type == obs_type] or legs


def _legs(groups: Iterable[Group], *, public: bool) -> list[Leg]:
    """The legs of these observations, of public frames only or of all; frames without a time have none."""
    members = [
        (one, frame)
        for one in groups
        for frame in one.members
        if frame.mjd_start is not None and (frame.public or not public)
    ]
    members.sort(key=lambda pair: (pair[1].mjd_start, pair[1].exp_id))
    changes: dict[str, tuple[str, int]] = {}
    parts: dict[tuple[object, ...], list[tuple[Frame, int]]] = {}
    for one, frame in members:
        stations, count = changes.get(frame.instrument, ("", 0))
        if frame.station_set and frame.station_set != stations:
            count += 1
            changes[frame.instrument] = (frame.station_set, count)
        setup = Setup(frame.station_set, frame.mode, frame.submode, frame.polarisation, frame.fringe_tracker)
        identity = (one.key, frame.variant, frame.obs_type, setup, frame.container, frame.target)
        parts.setdefault(identity, []).append((frame, count))
    return [_leg(str(identity[0]), frames) for identity, frames in parts.items()]


def _leg(observation: str, counted: Sequence[tuple[Frame, int]]) -> Leg:
    frames = [frame for frame, _ in counted]
    first = frames[0]
    airmasses = [frame.airmass for frame in frames if frame.airmass]
    return Leg(
        observation=observation,
        instrument=first.instrument,
        variant=first.variant,
        obs_type=first.obs_type,
        setup=Setup(first.station_set, first.mode, first.submode, first.polarisation, first.fringe_tracker),
        container=first.container,
        target=first.target,
        ra=first.ra,
        dec=first.dec,
        start=min(frame.mjd_start or 0.0 for frame in frames),
        end=max(end_of(frame) for frame in frames),
        arrays=(counted[0][1], counted[-1][1]),
        dits=frozenset(frame.dit for frame in frames if frame.dit),
        programs=frozenset(frame.program for frame in frames if frame.program),
        airmass=sum(airmasses) / len(airmasses) if airmasses else None,
    )
