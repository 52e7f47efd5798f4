"""Which pointings are one target: a function of the set."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obsportal.exposures.gather.forest import Forest, close_pairs
from obsportal.exposures.gather.gathering import Basis, Cluster, Decided, Named, Pointing, gather
from obsportal.exposures.models import GatheringBasis
from obsportal.interferometry.sky import separation_deg, unit_vector
from obsportal.stars.motion import place_at
from obsportal.stars.names import UNNAMED, normalise
from obsportal.stars.sky import KnownStar

ARCSEC = 1 / 3600
ALF_CEN = (219.902058, -60.833993, -3679.25, 473.67)
ALF_CEN_B = (219.896096, -60.837528, -3614.39, 802.98)


def point(
    name: str,
    east: float = 0.0,
    north: float = 0.0,
    *,
    at: tuple[float, float] = (100.0, -30.0),
    mjd: float = 58000.0,
    tolerance: float = 60.0,
    public: bool = True,
) -> Pointing:
    """A pointing some arcsec from a place."""
    dec = at[1] + north * ARCSEC
    ra = (at[0] + east * ARCSEC / math.cos(math.radians(dec))) % 360
    plain = normalise(name) or UNNAMED
    key = f"{'public' if public else 'protected'}|{plain}|{ra!r}|{dec!r}"
    return Pointing(key, plain, ra, dec, mjd, mjd + 1, tolerance, public)


def nowhere(name: str, *, public: bool = True) -> Pointing:
    plain = normalise(name) or UNNAMED
    return Pointing(f"{'public' if public else 'protected'}|{plain}||", plain, None, None, public=public)


def star(key: int, where: tuple[float, float, float, float], *names: str) -> KnownStar:
    return KnownStar(key, frozenset(map(normalise, names)), *where)


def sets(clusters: Iterable[Cluster]) -> set[frozenset[str]]:
    return {frozenset(m.pointing.key for m in c.members) for c in clusters}


def names(clusters: Iterable[Cluster]) -> list[list[str]]:
    return sorted(sorted(m.pointing.name for m in c.members) for c in clusters)


def test_the_vocabulary_is_that_of_the_records():
    assert set(Basis) == set(GatheringBasis.values)


@pytest.mark.parametrize(
    ("pointings", "expected"),
    [
        ([point("HD 1"), point("hd_1", 50)], [["hd1", "hd1"]]),
        ([point("HD 1"), point("hd_1", 61)], [["hd1"], ["hd1"]]),
        ([point("HD 1"), point("HD 1", 50), point("HD 1", 100)], [["hd1"] * 3]),
        ([point("HD 1", tolerance=20), point("HD 1", 30, tolerance=40)], [["hd1", "hd1"]]),
        ([point("HD 1", tolerance=20), point("HD 1", 30, tolerance=20)], [["hd1"], ["hd1"]]),
        ([point("HD 1"), point("Vega", 1.9)], [["hd1", "vega"]]),
        ([point("HD 1"), point("Vega", 2.1)], [["hd1"], ["vega"]]),
        ([point("-"), point("-", 3)], [["-"], ["-"]]),
        ([point("TARGET"), point("target", 1)], [["target", "target"]]),
        ([point("HD 1"), point("SCIENCE", 1)], [["hd1", "science"]]),
        ([point("alf Cen A"), point("alf Cen B", 1)], [["alfcena"], ["alfcenb"]]),
        ([point("T Tau N"), point("T Tau S", 0.7)], [["ttaun"], ["ttaus"]]),
        ([point("alf Cen A"), point("alf Cen", 1)], [["alfcen", "alfcena"]]),
        ([nowhere("LAMP"), nowhere("Vega")], [["lamp"], ["vega"]]),
        ([point("HD 1"), nowhere("HD 1")], [["hd1", "hd1"]]),
        ([point("HD 1"), point("HD 1", 600), nowhere("HD 1")], [["hd1"], ["hd1"], ["hd1"]]),
        ([point("cal"), nowhere("cal")], [["cal"], ["cal"]]),
        ([point("a", at=(359.9999, 0.0)), point("b", 0.5, at=(359.9999, 0.0))], [["a", "b"]]),
        ([point("a", at=(10.0, 89.9999)), point("b", north=0.5, at=(10.0, 89.9999))], [["a", "b"]]),
    ],
)  # fmt: skip
def test_pointings_are_gathered_by_name_and_by_place(pointings: list[Pointing], expected: list[list[str]]):
    assert names(gather(pointings)) == expected


def test_two_components_three_arcsec_apart_do_not_merge():
    random.seed(3)
    made = [
        point(name, *(x + random.gauss(0, 0.25) for x in place), mjd=58000 + k)
        for k in range(200)
        for name, place in (("WDS 1", (0, 0)), ("companion", (3, 0)))
    ]
    assert {frozenset(m.pointing.name for m in c.members) for c in gather(made)} == {
        frozenset({"wds1"}),
        frozenset({"companion"}),
    }


def centuries(where: tuple[float, float, float, float], name: str) -> list[Pointing]:
    """A pointing a year from 2000 to 2026, at the star's place, with a jitter."""
    random.seed(1)
    return [
        point(
            name,
            random.gauss(0, 0.4),
            random.gauss(0, 0.4),
            at=place_at(*where, year),
            mjd=51544.5 + year * 365.25,
        )
        for year in range(27)
    ]


def test_a_fast_star_is_one_target_once_it_is_known():
    made = centuries(ALF_CEN, "alf Cen")
    assert separation_deg(made[0].ra, made[0].dec, made[-1].ra, made[-1].dec) > 90 * ARCSEC  # type: ignore[arg-type]
    (cluster,) = gather([*made, *centuries(ALF_CEN, "star")], [star(1, ALF_CEN, "alf Cen", "HD 128620")])
    assert {m.basis for m in cluster.members} == {Basis.STAR_NAME, Basis.STAR_PLACE}
    assert all(m.separation is not None and m.separation < 2 for m in cluster.members)
    assert all(0.5 <= m.score <= 1 for m in cluster.members)


def test_a_fast_star_pointed_at_once_in_ten_years_stays_apart_while_it_is_not_known():
    made = [p for k, p in enumerate(centuries(ALF_CEN, "other name")) if k % 20 == 0]
    assert len(gather(made)) == len(made) == 2


def test_two_known_stars_close_by_keep_their_pointings_by_name():
    stars = [star(1, ALF_CEN, "alf Cen A", "alf Cen"), star(2, ALF_CEN_B, "alf Cen B", "HD 128621")]
    made = [
        *centuries(ALF_CEN, "alf Cen A"),
        *centuries(ALF_CEN_B, "alf Cen B"),
        *centuries(ALF_CEN_B, "HD128621"),
    ]
    found = {c.star.key: {m.pointing.name for m in c.members} for c in gather(made, stars) if c.star}
    assert found == {1: {"alfcena"}, 2: {"alfcenb", "hd128621"}}


def test_a_component_is_not_given_to_the_other_star_for_its_place():
    known = [star(1, (100.0, -30.0, 0.0, 0.0), "tau Cen A")]
    found = gather([point("tau Cen B", 0.5), point("tau Cen A", 0.1), point("anything", 0.2)], known)
    assert names(found) == [["anything", "taucena"], ["taucenb"]]


def test_a_name_of_another_known_star_is_not_taken_for_its_place():
    known = [star(1, (100.0, -30.0, 0.0, 0.0), "one"), star(2, (100.1, -30.0, 0.0, 0.0), "two")]
    found = gather([point("one"), point("two", 0.5)], known)
    assert [c.star.key if c.star else None for c in found] == [1, None]


def test_a_name_without_a_position_belongs_to_the_known_star():
    known = [star(1, (100.0, -30.0, 0.0, 0.0), "one", "uno")]
    (found,) = gather([nowhere("uno"), point("one")], known)
    assert {m.basis for m in found.members} == {Basis.NAME_ONLY, Basis.STAR_NAME}


def test_both_fields_of_an_exposure_stay_apart_with_their_namesakes():
    field, tracked = point("CO Ori B", 0.5), point("CO Ori")
    alone, alias = point("CO Ori B", 0.52), point("V* CO Ori", 0.1)
    found = gather([field, tracked, alone, alias], apart=[(field.key, tracked.key)])
    assert names(found) == [["coori", "vcoori"], ["coorib", "coorib"]]


@pytest.mark.parametrize("other", [point("CO Ori", 1.0), point("same place")])
def test_one_star_in_both_fields_is_one_target(other: Pointing):
    tracked = point("CO Ori")
    assert len(gather([tracked, other], apart=[(other.key, tracked.key)])) == 1


def decided(same: bool, one: Pointing, other: Pointing) -> Decided:
    return Decided(same, Named(one.name, one.ra, one.dec), Named(other.name, other.ra, other.dec))


def test_curators_join_and_part():
    a, b, c = point("a one"), point("b two", 30), point("c three", 1)
    assert names(gather([a, b, c])) == [["aone", "cthree"], ["btwo"]]
    joined = gather([a, b, c], decisions=[decided(True, a, b)])
    assert names(joined) == [["aone", "btwo", "cthree"]]
    assert {m.pointing.name: m.basis for m in joined[0].members}["btwo"] is Basis.CURATED
    assert names(gather([a, b, c], decisions=[decided(False, a, c)])) == [["aone"], ["btwo"], ["cthree"]]


def test_curators_may_part_pointings_of_one_name_and_join_what_rules_keep_apart():
    near, far = point("Wd1 field"), point("Wd1 field", 30)
    assert len(gather([near, far])) == 1
    assert len(gather([near, far], decisions=[decided(False, near, far)])) == 2
    one, other = point("alf Cen A"), point("alf Cen B", 1)
    assert len(gather([one, other], decisions=[decided(True, one, other)])) == 1
    pair = [(one.key, other.key)]
    assert len(gather([one, other], apart=pair, decisions=[decided(True, one, other)])) == 1


def test_a_curator_takes_a_pointing_from_a_known_star():
    known = [star(1, (100.0, -30.0, 0.0, 0.0), "Vega")]
    own, foreign = point("Vega"), point("planet", 0.5)
    assert len(gather([own, foreign], known)) == 1
    found = gather([own, foreign], known, decisions=[decided(False, own, foreign)])
    assert {c.star.key if c.star else None for c in found} == {1, None}


def test_a_target_has_the_place_of_its_earliest_pointing_and_the_earliest_name_that_says_something():
    (found,) = gather(
        [point("Vega", mjd=59000), point("STD", 1, mjd=58000), point("HD 172167", 1.5, mjd=58500)]
    )
    assert (found.place.name, found.name.name) == ("std", "hd172167")


def test_protected_pointings_join_public_targets_and_change_none():
    public = [point("a one"), point("b two", 3.0)]
    secret = [point("between", 1.5, public=False), point("b two", -30, public=False, mjd=50000)]
    found = gather([*public, *secret])
    shown = [frozenset(k for k in keys if k.startswith("public")) for keys in sets(found)]
    assert set(shown) - {frozenset()} == sets(gather(public))
    assert all(c.place in public and c.name in public for c in found if c.public)
    (two,) = [c for c in found if "btwo" in {m.pointing.name for m in c.members}]
    assert len([m for m in two.members if not m.pointing.public]) >= 1


NAMES = ("Vega", "HD 1", "alf Cen A", "alf Cen B", "alf Cen", "target", "-", "T Tau N", "T Tau S")
offsets = st.one_of(st.sampled_from([0.0, 1.0, 1.9, 2.0, 2.1, 3.0, 59.0, 61.0]), st.floats(-120, 120))
made_pointings = st.builds(
    point,
    st.sampled_from(NAMES),
    offsets,
    offsets,
    mjd=st.sampled_from([51000.0, 55000.0, 60000.0]),
    tolerance=st.sampled_from([10.0, 60.0]),
    public=st.sampled_from([True, True, False]),
)


@given(
    pointings=st.lists(made_pointings, max_size=14, unique_by=lambda p: p.key),
    pairs=st.lists(st.tuples(st.integers(0, 13), st.integers(0, 13)), max_size=3),
    known=st.booleans(),
    decisions=st.lists(st.tuples(st.booleans(), st.integers(0, 13), st.integers(0, 13)), max_size=2),
    seed=st.randoms(use_true_random=False),
)
def test_the_order_of_arrival_does_not_matter(
    pointings: list[Pointing],
    pairs: list[tuple[int, int]],
    known: bool,
    decisions: list[tuple[bool, int, int]],
    seed: random.Random,
):
    n = len(pointings)
    stars = [star(1, (100.0, -30.0, 2000.0, -500.0), "Vega", "HD 1")] if known else []
    apart = [(pointings[a].key, pointings[b].key) for a, b in pairs if a < n and b < n and a != b]
    curated = [decided(s, pointings[a], pointings[b]) for s, a, b in decisions if a < n and b < n]
    first = gather(pointings, stars, apart, curated)
    shuffled = seed.sample(pointings, n)
    turned = [(b, a) for a, b in reversed(apart)]
    assert gather(shuffled, stars, turned, reversed(curated)) == first
    assert sorted(m.pointing.key for c in first for m in c.members) == sorted(p.key for p in pointings)
    public = [p for p in pointings if p.public]
    alone = gather(public, stars, apart, curated)
    shown = {frozenset(m.pointing.key for m in c.members if m.pointing.public) for c in first} - {frozenset()}
    assert shown == sets(alone), "protected pointings changed public targets"
    assert all(0 <= m.score <= 1 for c in first for m in c.members)


@given(pointings=st.lists(made_pointings, max_size=12, unique_by=lambda p: p.key))
def test_what_is_far_away_changes_nothing_here(pointings: list[Pointing]):
    far = [point(name, 3600 * 5) for name in ("Deneb", "target")]
    assert sets(gather([*pointings, *far])) - sets(gather(far)) == sets(gather(pointings))


@given(
    places=st.lists(st.tuples(st.floats(-6, 6), st.floats(-6, 6)), min_size=2, max_size=20),
    at=st.sampled_from([(0.0, 0.0), (359.9999, 89.99), (180.0, -90.0), (77.0, 12.0)]),
)
def test_close_pairs_are_those_of_brute_force(places: list[tuple[float, float]], at: tuple[float, float]):
    import numpy as np

    xyz = np.array([unit_vector(at[0] + a * ARCSEC, max(-90.0, at[1] + b * ARCSEC)) for a, b in places])
    radius = math.radians(2 * ARCSEC)
    first, second, distance = close_pairs(xyz, radius)
    whole = {
        (i, j)
        for j in range(len(xyz))
        for i in range(j)
        if float(np.sqrt(((xyz[i] - xyz[j]) ** 2).sum())) <= radius
    }
    assert set(zip(first.tolist(), second.tolist(), strict=True)) == whole
    assert len(first) == len(whole)
    assert (distance <= radius).all()


def test_a_forest_refuses_what_must_stay_apart():
    forest = Forest(4)
    forest.oppose([0], [1, 2])
    assert forest.join(0, 3)
    assert not forest.join(3, 1)
    assert forest.join(1, 2)
    assert forest.groups(range(4)) == [[0, 3], [1, 2]]
