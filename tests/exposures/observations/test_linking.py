"""Which calibrator observations serve which science observations."""

from __future__ import annotations

from typing import Any

import pytest
from frames import at, block, frame
from hypothesis import given, settings
from hypothesis import strategies as st

from obsportal.exposures.observations.grouping import Frame, group
from obsportal.exposures.observations.linking import Decision, Link, link

CAL: dict[str, Any] = {"obs_type": "calibrator", "target": 2, "ra": 113.0, "dec": -15.0}
IN = {"container": 2974029}
ATS = {"station_set": "A0 G1 J2 J3"}
LM = {"instrument": "MATISSE", "variant": "MATISSE_LM", "mode": "SI_PHOT_LM_LOW", "submode": ""}
N = {"instrument": "MATISSE", "variant": "MATISSE_N", "mode": "HIGH_SENS_N_LOW", "submode": ""}

SCI = block(100, 1)
"""A science block of 1:40 to 1:51."""


def links(*blocks: list[Frame], decisions: tuple[Decision, ...] = ()) -> list[Link]:
    return link(group(one for frames in blocks for one in frames), decisions)


def told(found: list[Link]) -> list[tuple[str, str]]:
    return [(one.basis, one.confidence) for one in found]


CASES: list[tuple[str, list[list[Frame]], list[tuple[str, str]]]] = [
    ("before, within the hour", [block(80, 2, **CAL)], [("time", "medium")]),
    ("after, within the hour", [block(130, 2, **CAL)], [("time", "medium")]),
    ("two hours before", [block(-31, 2, **CAL)], [("time", "low")]),
    ("more than three hours before", [block(-95, 2, **CAL)], []),
    ("science alone", [block(80, 2, target=2)], []),
    ("another mode", [block(80, 2, **CAL | {"mode": "LOW-SPLIT"})], []),
    ("another submode", [block(80, 2, **CAL | {"submode": "DUAL"})], []),
    ("another polarisation", [block(80, 2, **CAL | {"polarisation": "SPLIT"})], []),
    ("another fringe tracker", [block(80, 2, **CAL | {"fringe_tracker": ""})], []),
    ("another variant", [block(80, 2, **CAL | LM)], []),
    ("a mode nobody knows", [block(80, 2, **CAL | {"mode": ""})], [("time", "low")]),
    ("other stations", [block(80, 2, **CAL | ATS)], []),
    ("other stations between", [block(60, 2, **CAL), block(80, 3, **CAL | ATS)], []),
    ("other stations before both", [block(60, 3, **CAL | ATS), block(80, 2, **CAL)], [("time", "medium")]),
    (
        "another instrument's stations between",
        [block(60, 2, **CAL), block(80, 3, **LM | ATS)],
        [("time", "medium")],
    ),
    ("stations nobody knows between", [block(60, 2, **CAL), block(80, 3, station_set="", mode="LOW-SPLIT")], [("time", "medium")]),
    ("another programme's", [block(80, 2, **CAL | {"program": "60.A-9257(E)"})], [("time", "medium")]),
    ("another night", [block(80, 2, **CAL | {"night": at(1000).date()})], []),
    ("between the science frames", [block(103, 2, frames=1, **CAL)], [("time", "medium")]),
]  # fmt: skip


@pytest.mark.parametrize(("others", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_calibrators_are_found_by_time(others: list[list[Frame]], expected: list[tuple[str, str]]):
    frames = [*SCI, *(one for frames in others for one in frames)]
    nights = {one.night for one in frames}
    found = [one for night in nights for one in links([f for f in frames if f.night == night])]
    assert told(found) == expected


CONTAINER_CASES: list[tuple[str, dict[str, Any], list[tuple[str, str]]]] = [
    ("the same set-up", {}, [("container", "high")]),
    ("hours apart", {"minutes": -190}, [("container", "high")]),
    ("another polarisation", {"polarisation": "SPLIT"}, [("container", "medium")]),
    ("another fringe tracker", {"fringe_tracker": "GRAVITY_OFF"}, [("container", "medium")]),
    ("another submode", {"submode": "DUAL"}, [("container", "medium")]),
    ("a mode nobody knows", {"mode": ""}, [("container", "medium")]),
    ("another mode", {"mode": "LOW-SPLIT"}, []),
    ("other stations", ATS, []),
    ("another variant", LM, []),
    ("another container", {"container": 5}, [("time", "medium")]),
    ("no container", {"container": None}, [("time", "medium")]),
]


@pytest.mark.parametrize(
    ("values", "expected"), [c[1:] for c in CONTAINER_CASES], ids=[c[0] for c in CONTAINER_CASES]
)
def test_calibrators_are_found_by_container(values: dict[str, Any], expected: list[tuple[str, str]]):
    values = CAL | IN | values
    calibrator = block(values.pop("minutes", 80), 2, **values)
    assert told(links(block(100, 1, **IN), calibrator)) == expected


def test_a_calibrator_of_the_container_leaves_no_room_for_others():
    found = links(block(100, 1, **IN), block(70, 2, **CAL | IN), block(95, 3, frames=1, **CAL))
    assert [(one.calibrator, one.basis) for one in found] == [("VLTI.2.2020-01-27T02:08:00", "container")]


def test_the_nearest_two_before_and_after_are_taken():
    before = [block(minutes, 10 + n, frames=1, **CAL) for n, minutes in enumerate((40, 60, 80))]
    after = [block(minutes, 20 + n, frames=1, **CAL) for n, minutes in enumerate((130, 150, 170))]
    found = links(SCI, *before, *after)
    assert sorted(one.calibrator.split(".")[1] for one in found) == ["11", "12", "20", "21"]


def test_gap_and_separation_are_between_the_observations():
    before, after = links(SCI, block(80, 2, frames=1, **CAL), block(151, 3, frames=1, **CAL))
    assert (before.gap_minutes, after.gap_minutes) == (
        pytest.approx(-15, abs=0.02),
        pytest.approx(40, abs=0.02),
    )
    assert before.separation == pytest.approx(1.685, abs=0.01)
    (beside,) = links(SCI, block(103, 2, frames=1, **CAL))
    assert beside.gap_minutes == 0


SCORES: list[tuple[str, dict[str, Any], float]] = [
    ("a plain one", {}, 0.8 * (1 - 0.5 * 15 / 180)),
    ("another programme", {"program": "60.A-9257(E)"}, 0.8 * 0.9583 * 0.8),
    ("no programme", {"program": ""}, 0.8 * 0.9583),
    ("far away", {"dec": 12.0}, 0.8 * 0.9583 * 0.7),
    ("no place", {"ra": None, "dec": None}, 0.8 * 0.9583 * 0.9),
    ("another airmass", {"airmass": 1.4}, 0.8 * 0.9583 * 0.9),
    ("no airmass", {"airmass": None}, 0.8 * 0.9583),
    ("another DIT", {"dit": 5.0}, 0.8 * 0.9583 * 0.9),
    ("in the container", IN, 0.9583),
]


@pytest.mark.parametrize(("values", "score"), [c[1:] for c in SCORES], ids=[c[0] for c in SCORES])
def test_the_score_says_what_speaks_against_a_link(values: dict[str, Any], score: float):
    (found,) = links(block(100, 1, **IN), block(80, 2, frames=1, **CAL | values))
    assert found.score == pytest.approx(score, abs=0.002)


def test_detectors_of_one_block_are_linked_each():
    science = [*block(100, 1, **LM | IN), *block(100, 1, **N | IN)]
    both = [*block(80, 2, **CAL | LM | IN), *block(80, 2, **CAL | N | IN)]
    found = links(science, both, block(130, 3, **CAL | N | IN))
    keys = {"2": "VLTI.2.2020-01-27T02:18:00", "3": "VLTI.3.2020-01-27T03:08:00"}
    assert {(one.variant, one.calibrator) for one in found} == {
        ("MATISSE_LM", keys["2"]),
        ("MATISSE_N", keys["2"]),
        ("MATISSE_N", keys["3"]),
    }


def test_a_block_of_science_and_calibrator_is_linked_to_itself():
    ((one,), key) = links([*SCI, *block(115, 1, obs_start=at(98), **CAL)]), group(SCI)[0].key
    assert (one.science, one.calibrator, one.confidence) == (key, key, "medium")


def test_a_frame_corrected_to_calibrator_does_not_calibrate_its_own_star():
    assert links([*SCI, *block(115, 1, obs_start=at(98), obs_type="calibrator")]) == []
    assert links([*block(100, 1, **IN), *block(115, 1, obs_start=at(98), obs_type="calibrator", **IN)]) == []


def test_a_calibrator_serves_many():
    found = links(SCI, block(130, 2, **CAL), block(150, 3))
    assert len({one.calibrator for one in found}) == 1
    assert len({one.science for one in found}) == 2


def test_frames_without_a_time_are_not_linked():
    assert not links([SCI[0]._replace(mjd_start=None, night=None)], block(80, 2, **CAL))


def _key(frames: list[Frame]) -> str:
    (one,) = group(frames)
    return one.key


def test_curators_link_and_unlink():
    near, far = block(80, 2, **CAL), block(400, 3, **CAL | {"mode": "LOW-SPLIT"})
    science = _key(SCI)
    decisions = (Decision(science, _key(near), linked=False), Decision(science, _key(far), linked=True))
    (one,) = links(SCI, near, far, decisions=decisions)
    assert (one.calibrator, one.basis, one.confidence, one.score) == (_key(far), "manual", "high", 1.0)
    assert one.gap_minutes == pytest.approx(289, abs=0.1)


def test_curators_may_link_what_headers_call_science_and_observations_of_other_nights():
    other = block(80, 2, target=2, night=at(2000).date())
    decision = Decision(_key(SCI), _key(other), linked=True)
    (one,) = link(group(SCI), [decision], group(other))
    assert (one.calibrator, one.variant, one.basis) == (_key(other), "GRAVITY", "manual")


def test_decisions_about_observations_that_are_gone_do_nothing():
    science = _key(SCI)
    decisions = (Decision("gone", _key(SCI), linked=True), Decision(science, "gone", linked=True))
    assert links(SCI, decisions=decisions) == []


def test_a_curators_link_is_in_the_variants_both_have():
    science = [*block(100, 1, **LM), *block(100, 1, **N)]
    calibrator = block(80, 2, **CAL | N | {"dit": 0.1})
    (one,) = links(science, calibrator, decisions=(Decision(_key(science), _key(calibrator), linked=True),))
    assert (one.variant, one.basis) == ("MATISSE_N", "manual")


def test_protected_calibrators_come_in_addition():
    public, hidden = block(60, 2, frames=1, **CAL), block(80, 3, frames=1, public=False, **CAL)
    nearer = block(90, 4, frames=1, public=False, **CAL)
    seen = links(SCI, public)
    found = links(SCI, public, hidden, nearer)
    assert seen[0] in found
    assert {one.calibrator for one in found} == {_key(public), _key(hidden), _key(nearer)}


def test_protected_stations_between_do_not_show():
    public, between = block(60, 2, **CAL), block(80, 3, public=False, **ATS)
    assert links(SCI, public, between) == links(SCI, public)


_blocks = st.lists(
    st.builds(
        lambda minutes, number, **values: block(minutes, number, **values),
        st.integers(0, 400).map(float),
        st.integers(1, 12),
        frames=st.integers(1, 2),
        obs_type=st.sampled_from(["science", "calibrator"]),
        container=st.sampled_from([None, None, 1, 2]),
        target=st.integers(1, 3),
        dec=st.sampled_from([None, -14.0, 40.0]),
        mode=st.sampled_from(["HIGH-COMBINED", "HIGH-COMBINED", "LOW-SPLIT", ""]),
        station_set=st.sampled_from(["U1 U2 U3 U4", "U1 U2 U3 U4", "A0 G1 J2 J3", ""]),
        polarisation=st.sampled_from(["", "SPLIT"]),
        public=st.sampled_from([True, True, False]),
    ),
    max_size=10,
)


@given(_blocks, st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_links_are_a_function_of_the_set(blocks: list[list[Frame]], random: Any):
    frames = [one for frames in blocks for one in frames]
    groups = group(random.sample(frames, len(frames)))
    assert link(random.sample(groups, len(groups))) == link(group(frames))


@given(_blocks)
@settings(max_examples=100, deadline=None)
def test_what_the_public_sees_is_linked_by_public_frames(blocks: list[list[Frame]]):
    groups = group(one for frames in blocks for one in frames)
    seen = {one.key for one in groups if one.public}
    public = group(one for frames in blocks for one in frames if one.public)
    assert [one for one in link(groups) if {one.science, one.calibrator} <= seen] == link(public)


@given(_blocks)
@settings(max_examples=100, deadline=None)
def test_links_join_a_science_and_a_calibrator_leg_once(blocks: list[list[Frame]]):
    groups = {one.key: one for one in group(one for frames in blocks for one in frames)}
    found = link(list(groups.values()))
    assert len({(one.science, one.calibrator, one.variant) for one in found}) == len(found)
    for one in found:
        assert "science" in {member.obs_type for member in groups[one.science].members}
        assert "calibrator" in {member.obs_type for member in groups[one.calibrator].members}
        assert 0 < one.score <= 1
        assert one.basis == "container" or (one.gap_minutes is not None and abs(one.gap_minutes) < 180)


def test_single_frames_of_a_run_are_linked_too():
    found = links([frame(100)], [frame(110, **CAL)])
    assert told(found) == [("time", "medium")]
