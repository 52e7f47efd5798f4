"""Which pointings are one target. A function of the set of pointings: no database, no order of arrival.

docs/science.md has the rules for people; the numbers are here. Angles are degrees where not said
otherwise, separations arcsec.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf

import numpy as np
from numpy.typing import NDArray

from obsportal.exposures.gather.forest import Forest, close_pairs
from obsportal.interferometry.sky import unit_vector
from obsportal.stars.motion import ARCSEC, Vector, separation_arcsec
from obsportal.stars.names import is_generic, same_system
from obsportal.stars.sky import KnownStar, StarMap

SAME_PLACE = 2.0
"""arcsec within which named places are one target, and a pointing is on the path of a star."""


class Basis(StrEnum):
    """Why a pointing belongs to its target; the values of ``GatheringBasis``."""

    STAR_NAME = "star-name"
    STAR_PLACE = "star-place"
    NAME = "name"
    PLACE = "place"
    NAME_ONLY = "name-only"
    ALONE = "alone"
    CURATED = "curated"


@dataclass(frozen=True, slots=True)
class Pointing:
    """A name and a place that exposures were pointed at."""

    key: str
    """Identifies it and orders what is otherwise equal."""
    name: str
    """Normalised."""
    ra: float | None
    dec: float | None
    mjd_first: float | None = None
    mjd_last: float | None = None
    tolerance: float = 60.0
    """arcsec within which pointings of one name are one target."""
    public: bool = True


@dataclass(frozen=True, slots=True)
class Named:
    """The pointings of a normalised name around a place; of the name alone without one."""

    name: str
    ra: float | None = None
    dec: float | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """A curator's decision in force: two ends are the same star, or are not."""

    same: bool
    first: Named
    second: Named


@dataclass(frozen=True, slots=True)
class Member:
    """A pointing in its target: why, how sure (0 to 1), and how far from the target's place (arcsec)."""

    pointing: Pointing
    basis: Basis
    score: float
    separation: float | None


@dataclass(frozen=True, slots=True)
class Cluster:
    """The pointings of one target, in order of their keys."""

    members: tuple[Member, ...]
    star: KnownStar | None
    place: Pointing
    """The pointing whose place the target has, where no star is known."""
    name: Pointing
    """The pointing whose name the target has, where no star is known."""
    public: bool


def gather(
    pointings: Iterable[Pointing],
    stars: Iterable[KnownStar] = (),
    apart: Iterable[tuple[str, str]] = (),
    decisions: Iterable[Decided] = (),
) -> list[Cluster]:
    """Gather pointings to targets; the clusters are in order of their first keys.

    ``apart`` holds pairs of keys of the two fields of dual-field exposures. Public pointings are gathered
    without any knowledge of protected ones, which then join public clusters or form their own.
    """
    work = _Gathering(sorted(pointings, key=lambda p: p.key), StarMap(stars), decisions)
    pairs = sorted({(min(pair), max(pair)) for pair in apart})
    work.run(public=True, apart=pairs)
    work.run(public=False, apart=pairs)
    return work.clusters()


@dataclass(frozen=True, slots=True)
class _Attached:
    """How a pointing belongs to a star by itself."""

    basis: Basis
    separation: float


class _Gathering:
    """The state of one gathering. Pointings are known by their index in order of key."""

    def __init__(self, pointings: Sequence[Pointing], stars: StarMap, decisions: Iterable[Decided]) -> None:
        self.pointings = pointings
        self.stars = stars
        self.decisions = sorted(decisions, key=_order_of)
        self.index = {p.key: i for i, p in enumerate(pointings)}
        self.vectors: list[Vector | None] = [
            unit_vector(p.ra, p.dec) if p.ra is not None and p.dec is not None else None for p in pointings
        ]
        self.xyz = np.array([v or (np.nan,) * 3 for v in self.vectors], dtype=np.float64).reshape(-1, 3)
        self.forest = Forest(len(pointings) + len(stars.stars))
        for number, star in enumerate(stars.stars):
            self.forest.anchors[len(pointings) + number] = len(pointings) + number
            self.forest.add_names(len(pointings) + number, star.names)
        self.by_name: dict[str, list[int]] = defaultdict(list)
        for i, p in enumerate(pointings):
            self.by_name[p.name].append(i)
        self.attached: dict[int, _Attached] = {}
        self.settled: dict[int, int] = {}
        """Public pointing -> the centre of its place."""
        self.curated: set[int] = set()

    # One pass: public pointings first, then the protected ones with the public clusters as they are.

    def run(self, *, public: bool, apart: Sequence[tuple[str, str]]) -> None:
        mine = [i for i, p in enumerate(self.pointings) if p.public == public]
        if not mine:
            return
        if not public:
            self._freeze()
        known = [i for i, p in enumerate(self.pointings) if p.public or not public]
        self._decide(public)
        self._keep_apart(apart, public)
        self._attach([i for i in mine if self.vectors[i] is not None])
        for i in known:
            self.forest.add_names(i, () if is_generic(self.pointings[i].name) else (self.pointings[i].name,))
        places = self._named_places(mine, public)
        self._join_places(places)
        self._join_nameless_places([i for i in mine if self.vectors[i] is None], public)

    def _freeze(self) -> None:
        """Public clusters stay what they are, whatever is protected."""
        for i, p in enumerate(self.pointings):
            if p.public:
                root = self.forest.find(i)
                self.forest.anchors.setdefault(root, root)

    def _keep_apart(self, apart: Sequence[tuple[str, str]], public: bool) -> None:
        """Note that the two fields of an exposure, with all of their names' pointings nearby, differ.

        A curator who said that they are the same is believed.
        """
        groups: dict[int, tuple[int, ...]] = {}
        sides: set[tuple[tuple[int, ...], ...]] = set()
        for pair in apart:
            ends = [self.index[key] for key in pair if key in self.index]
            if len(ends) < 2 or (public and not all(self.pointings[i].public for i in ends)):
                continue
            one, other = (self.pointings[i] for i in ends)
            if one.name != other.name and (one.ra, one.dec) != (other.ra, other.dec):
                for i in ends:
                    if i not in groups:
                        self._note_namesakes(i, public, groups)
                sides.add(tuple(groups[i] for i in ends))
        for first, second in sorted(sides):
            if not {self.forest.find(i) for i in first} & {self.forest.find(i) for i in second}:
                self.forest.oppose(first, second)

    def _note_namesakes(self, i: int, public: bool, groups: dict[int, tuple[int, ...]]) -> None:
        """Note which pointings are linked to this one, and to its namesakes, by name alone."""
        name = self.pointings[i].name
        if is_generic(name) or self.vectors[i] is None:
            groups[i] = (i,)
            return
        rows = [j for j in self.by_name[name] if self.vectors[j] and (self.pointings[j].public or not public)]
        for linked in self._linked(rows):
            groups.update(dict.fromkeys(linked, tuple(linked)))

    def _decide(self, public: bool) -> None:
        ends = [(d, *self._ends(d, public)) for d in self.decisions]
        for decided, first, second in ends:
            if not decided.same and first and second:
                self.forest.oppose(first, second, curated=True)
        for decided, first, second in ends:
            if decided.same and first and second:
                joined = first + second
                self.curated.update(i for i in joined if self.pointings[i].public == public)
                for i in joined[1:]:
                    self.forest.join(joined[0], i, only_curated=True)

    def _ends(self, decided: Decided, public: bool) -> tuple[list[int], list[int]]:
        """The pointings of both ends; one that fits both goes to the nearer."""
        first, second = self._fitting(decided.first, public), self._fitting(decided.second, public)
        for i in first.keys() & second.keys():
            del (first if first[i] > second[i] else second)[i]
        return sorted(first), sorted(second)

    def _fitting(self, named: Named, public: bool) -> dict[int, float]:
        at = unit_vector(named.ra, named.dec) if named.ra is not None and named.dec is not None else None
        found = {}
        for i in self.by_name.get(named.name, ()):
            p, vector = self.pointings[i], self.vectors[i]
            if public and not p.public:
                continue
            if at is None or vector is None:
                if at is None:
                    found[i] = inf
                continue
            separation = separation_arcsec(at, vector)
            if separation <= (SAME_PLACE if is_generic(named.name) else p.tolerance):
                found[i] = separation
        return found

    def _attach(self, candidates: Sequence[int]) -> None:
        """Give pointings to the known stars whose path they are on."""
        if not self.stars.stars:
            return
        found = []
        for i in candidates:
            p, vector = self.pointings[i], self.vectors[i]
            assert vector is not None
            best = self._star_of(p, vector)
            if best is not None:
                found.append((best[0] is Basis.STAR_PLACE, best[1], i, best[2], best[0]))
        for _, separation, i, star, basis in sorted(found):
            if self.forest.join(len(self.pointings) + star, i):
                self.attached[i] = _Attached(basis, separation)

    def _star_of(self, p: Pointing, vector: Vector) -> tuple[Basis, float, int] | None:
        """Basis, separation (arcsec) and number of the star that a pointing belongs to."""
        named: Sequence[int] = () if is_generic(p.name) else self.stars.by_name.get(p.name, ())
        near = sorted((self.stars.separation(n, vector, p.mjd_last), n) for n in named)
        if near and near[0][0] <= p.tolerance:
            return Basis.STAR_NAME, *near[0]
        for separation, number in sorted(
            (self.stars.separation(n, vector, p.mjd_last), n) for n in self.stars.near(vector)
        ):
            if separation > SAME_PLACE:
                break
            if named and number not in named:
                continue
            if not any(same_system(p.name, name) for name in self.stars.stars[number].names):
                return Basis.STAR_PLACE, separation, number
        return None

    def _named_places(self, mine: Sequence[int], public: bool) -> dict[int, list[int]]:
        """Centre -> the pointings of one name around it. Places of frozen pointings keep their centre."""
        places: dict[int, list[int]] = {}
        names: dict[str, list[int]] = defaultdict(list)
        for i in mine:
            if self.vectors[i] is None or i in self.attached:
                continue
            if is_generic(self.pointings[i].name):
                places[i] = [i]
            else:
                names[self.pointings[i].name].append(i)
        for name, group in names.items():
            if not public:
                group = [
                    i for i in self.by_name[name] if self.vectors[i] is not None and i not in self.attached
                ]
            for linked in self._linked(group, join=True):
                own = [i for i in linked if self.pointings[i].public == public]
                if own and len(own) == len(linked):
                    places[self._centre(own)] = own
        if public:
            self.settled = {i: centre for centre, group in places.items() for i in group}
        return places

    def _linked(self, group: list[int], *, join: bool = False) -> list[list[int]]:
        """Single linkage within the larger of two tolerances; with ``join`` also in the forest."""
        if len(group) == 1:
            return [group]
        xyz = self.xyz[group]
        reach = np.array([self.pointings[i].tolerance for i in group]) * ARCSEC
        if join and not self.forest.free(group):
            return self._linked_under_conditions(group, xyz, reach)
        left = np.arange(len(group))
        clusters = []
        while left.size:
            member, waiting, left = [int(left[0])], [int(left[0])], left[1:]
            while waiting and left.size:
                at = waiting.pop()
                distance = np.sqrt(((xyz[left] - xyz[at]) ** 2).sum(axis=1))
                near = distance <= np.maximum(reach[left], reach[at])
                found = left[near].tolist()
                member += found
                waiting += found
                left = left[~near]
            clusters.append(sorted(group[k] for k in member))
        if join:
            for cluster in clusters:
                for i in cluster[1:]:
                    self.forest.join(cluster[0], i, names=False)
        return clusters

    def _linked_under_conditions(
        self, group: list[int], xyz: NDArray[np.float64], reach: NDArray[np.float64]
    ) -> list[list[int]]:
        """The same where some of them may not be together: nearest pairs first."""
        first, second = np.triu_indices(len(group), 1)
        distance = np.sqrt(((xyz[first] - xyz[second]) ** 2).sum(axis=1))
        near = distance <= np.maximum(reach[first], reach[second])
        first, second, distance = first[near], second[near], distance[near]
        linked = Forest(len(group))
        for k in np.lexsort((second, first, distance)).tolist():
            one, other = int(first[k]), int(second[k])
            if self.forest.join(group[one], group[other], names=False):
                linked.join(one, other)
        return [[group[k] for k in members] for members in linked.groups(range(len(group)))]

    def _centre(self, group: list[int]) -> int:
        """The member nearest to the component-wise median."""
        xyz = self.xyz[group]
        distance = ((xyz - np.median(xyz, axis=0)) ** 2).sum(axis=1)
        return group[int(np.argmin(distance))]

    def _join_places(self, places: dict[int, list[int]]) -> None:
        """Join places within SAME_PLACE of each other, nearest first."""
        centres = sorted(places.keys() | set(self.settled.values()))
        first, second, distance = close_pairs(self.xyz[centres], SAME_PLACE * ARCSEC)
        nodes = np.array(centres, dtype=np.int64)
        self.forest.connect(nodes[first], nodes[second], distance)

    def _join_nameless_places(self, mine: Sequence[int], public: bool) -> None:
        """Give pointings without a position to a star, or to the only target, of their name."""
        for i in mine:
            name = self.pointings[i].name
            if is_generic(name):
                continue
            stars = self.stars.by_name.get(name, ())
            if len(stars) == 1:
                self.forest.join(len(self.pointings) + stars[0], i)
                continue
            others = [j for j in self.by_name[name] if j != i and (self.pointings[j].public or not public)]
            placed = [j for j in others if self.vectors[j] is not None]
            roots = {self.forest.find(j) for j in placed or others}
            if len(roots) == 1:
                self.forest.join(min(roots), i)

    # The answer

    def clusters(self) -> list[Cluster]:
        count = len(self.pointings)
        star_of = {self.forest.find(count + n): n for n in range(len(self.stars.stars))}
        return [
            self._cluster(members, star_of.get(self.forest.find(members[0])))
            for members in self.forest.groups(range(count))
        ]

    def _cluster(self, members: list[int], number: int | None) -> Cluster:
        leaders = [i for i in members if self.pointings[i].public] or members
        place = min(leaders, key=self._by_time(lambda p: p.ra is None))
        name = min(leaders, key=self._by_time(lambda p: is_generic(p.name)))
        return Cluster(
            tuple(
                self._member(i, leaders if self.pointings[i].public else members, place, number)
                for i in members
            ),
            None if number is None else self.stars.stars[number],
            self.pointings[place],
            self.pointings[name],
            self.pointings[leaders[0]].public,
        )

    def _by_time(self, last: Callable[[Pointing], bool]) -> Callable[[int], tuple[bool, float, str, int]]:
        def order(i: int) -> tuple[bool, float, str, int]:
            p = self.pointings[i]
            return last(p), inf if p.mjd_first is None else p.mjd_first, p.name, i

        return order

    def _member(self, i: int, members: list[int], place: int, star: int | None) -> Member:
        """Why a pointing is with ``members``: those that may be known to whoever sees it."""
        p, vector, at = self.pointings[i], self.vectors[i], self.vectors[place]
        if i in self.attached and star is not None:
            basis, separation = self.attached[i].basis, self.attached[i].separation
            return Member(p, basis, score(basis, separation, p.tolerance), separation)
        found: float | None = None
        if vector is not None and star is not None:
            found = self.stars.separation(star, vector, p.mjd_last)
        elif vector is not None and at is not None:
            found = separation_arcsec(vector, at)
        if i in self.curated and (star is not None or (len(members) > 1 and not self._same(i, place))):
            basis = Basis.CURATED
        elif len(members) == 1 and star is None:
            basis = Basis.ALONE
        elif vector is None:
            basis = Basis.NAME_ONLY
        else:
            basis = Basis.NAME if self._same(i, place) else Basis.PLACE
        return Member(p, basis, score(basis, found, p.tolerance), found)

    def _same(self, i: int, other: int) -> bool:
        """Whether two pointings are one, or have one name that says something."""
        name = self.pointings[i].name
        return i == other or (name == self.pointings[other].name and not is_generic(name))


def score(basis: Basis, separation: float | None, tolerance: float) -> float:
    """How sure a pointing belongs to its target, 0 to 1: by name 1 to 0.5, by place 0.8 to 0.5."""
    if basis is Basis.NAME_ONLY:
        return 0.5
    if basis in {Basis.CURATED, Basis.ALONE}:
        return 1.0
    if basis in {Basis.PLACE, Basis.STAR_PLACE}:
        return 0.8 - 0.3 * min((separation or 0.0) / SAME_PLACE, 1.0)
    return 1.0 - 0.5 * min((separation or 0.0) / max(tolerance, 1e-9), 1.0)


def _order_of(decided: Decided) -> tuple[object, ...]:
    ends = (decided.first, decided.second)
    return decided.same, *(
        (e.name, -inf if e.ra is None else e.ra, -inf if e.dec is None else e.dec) for e in ends
    )
