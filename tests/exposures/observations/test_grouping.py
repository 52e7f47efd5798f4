"""Which exposures are one observation."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from frames import NIGHT, at, block, frame
from hypothesis import given, settings
from hypothesis import strategies as st

from obsportal.exposures.observations.grouping import Frame, Group, group, utc_date

BLOCK = {"obs_id": 7, "obs_start": at(0)}
LM = {"instrument": "MATISSE", "variant": "MATISSE_LM", "mode": "SI_PHOT_LM_LOW"}
N = {"instrument": "MATISSE", "variant": "MATISSE_N", "mode": "HIGH_SENS_N_LOW"}
NOWHERE = {"obs_start": datetime(1970, 1, 1, tzinfo=UTC)}

CASES: list[tuple[str, list[tuple[float, dict[str, Any]]], list[int]]] = [
    ("one execution", [(1, BLOCK), (10, BLOCK), (200, BLOCK)], [0, 0, 0]),
    ("a block taken twice", [(1, BLOCK), (60, BLOCK | {"obs_start": at(59)})], [0, 1]),
    ("starts a second apart", [(1, BLOCK), (10, BLOCK | {"obs_start": at(1 / 60)})], [0, 0]),
    ("starts three seconds apart", [(1, BLOCK), (10, BLOCK | {"obs_start": at(3 / 60)})], [0, 1]),
    (
        "starts that chain",
        [(1, BLOCK), (10, BLOCK | {"obs_start": at(1 / 30)}), (20, BLOCK | {"obs_start": at(1 / 15)})],
        [0, 0, 0],
    ),
    ("two blocks at once", [(1, BLOCK), (2, BLOCK | {"obs_id": 8})], [0, 1]),
    ("LM and N of one block", [(1, BLOCK | LM), (1, BLOCK | N)], [0, 0]),
    ("a block of two targets and types", [(1, BLOCK), (9, BLOCK | {"target": 2, "obs_type": "calibrator"})], [0, 0]),
    ("no start, a short break", [(0, {"obs_id": 7}), (120, {"obs_id": 7})], [0, 0]),
    ("no start, a long break", [(0, {"obs_id": 7}), (126, {"obs_id": 7})], [0, 1]),
    ("a start of 1970", [(0, {"obs_id": 7} | NOWHERE), (30, {"obs_id": 7})], [0, 0]),
    ("a start after the frame", [(0, {"obs_id": 7, "obs_start": at(40)}), (30, {"obs_id": 7})], [0, 0]),
    ("a start of the night before", [(0, {"obs_id": 7, "obs_start": at(-1000)}), (9, {"obs_id": 7})], [0, 0]),
    ("a product's mean time before the start", [(0, {"obs_id": 7, "obs_start": at(6)}), (9, {"obs_id": 7})], [0, 0]),
    ("a frame without a start joins the execution", [(1, BLOCK), (50, {"obs_id": 7})], [0, 0]),
    ("or not, after a long break", [(1, BLOCK), (180, {"obs_id": 7})], [0, 1]),
    (
        "it joins the one that was going on",
        [(1, BLOCK), (30, BLOCK | {"obs_start": at(29)}), (20, {"obs_id": 7}), (40, {"obs_id": 7})],
        [0, 1, 0, 1],
    ),
    ("a frame before any start", [(1, BLOCK), (-30, {"obs_id": 7})], [0, 1]),
    ("templates without a block", [(1, {"template_start": at(0)}), (9, {"template_start": at(0)})], [0, 0]),
    ("two templates", [(1, {"template_start": at(0)}), (9, {"template_start": at(8)})], [0, 1]),
    ("a template of two targets", [(1, {"template_start": at(0)}), (9, {"template_start": at(0), "target": 2})], [0, 0]),
    ("templates of two instruments", [(1, {"template_start": at(0)}), (1, LM | {"template_start": at(0)})], [0, 1]),
    ("a block number of 0", [(1, {"obs_id": 0, "obs_start": at(0)}), (99, {"obs_id": 0, "obs_start": at(0)})], [0, 1]),
    ("a run", [(0, {}), (20, {}), (44, {})], [0, 0, 0]),
    ("a run with a break", [(0, {}), (25.1, {})], [0, 1]),
    ("another target between", [(0, {}), (6, {"target": 2}), (12, {})], [0, 1, 2]),
    ("a block of another target between", [(0, {}), (6, BLOCK | {"target": 2}), (12, {})], [0, 1, 2]),
    ("a block of the same target between", [(0, {}), (6, BLOCK), (12, {})], [0, 1, 0]),
    ("another instrument between", [(0, {}), (6, LM | {"target": 2}), (12, {})], [0, 1, 0]),
    ("other stations", [(0, {}), (6, {"station_set": "A0 G1 J2 J3"})], [0, 1]),
    ("another mode", [(0, {}), (6, {"mode": "LOW-SPLIT"})], [0, 1]),
    ("another type", [(0, {}), (6, {"obs_type": "calibrator"})], [0, 1]),
    ("a run of LM and N", [(0, LM), (0, N), (6, LM), (6, N)], [0, 0, 0, 0]),
    ("a run of LM and N whose N mode changes", [(0, LM), (0, N), (6, LM), (6, N | {"mode": "HIGH_SENS_N_HIGH"})], [0, 0, 0, 1]),
    ("no time", [(0, {"mjd_start": None, "night": None} | BLOCK), (0, {"mjd_start": None, "night": None} | BLOCK)], [0, 1]),
    ("an absurd time", [(0, {"mjd_start": 1e12} | BLOCK), (1, BLOCK)], [0, 1]),
    ("an end years later", [(0, {"mjd_end": 1e6}), (60, {})], [0, 1]),
    ("nights", [(1, BLOCK), (2, BLOCK | {"night": date(2020, 1, 27)})], [0, 1]),
    ("interferometers", [(1, {}), (2, {"interferometer": "CHARA"})], [0, 1]),
    ("an interferometer nobody knows", [(1, BLOCK | {"interferometer": "X", "night": at(0).date()}), (9, BLOCK | {"interferometer": "X", "night": at(0).date()})], [0, 0]),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_frames_are_grouped(rows: list[tuple[float, dict[str, Any]]], expected: list[int]):
    frames = [frame(minutes, **values) for minutes, values in rows]
    assert _partition(group(frames), frames) == expected


def _partition(groups: list[Group], frames: list[Frame]) -> list[int]:
    """The number of each frame's group, numbered in order of appearance."""
    owner = {member.exp_id: one.key for one in groups for member in one.members}
    keys = list(dict.fromkeys(owner[one.exp_id] for one in frames))
    return [keys.index(owner[one.exp_id]) for one in frames]


def test_keys_name_the_execution():
    started, startless = frame(1, **BLOCK), frame(31.5 / 60, obs_id=9)
    template = frame(60, template_start=at(59))
    run = frame(90)
    keys = {one.basis: one.key for one in group([template, run])}
    assert keys == {"template": "VLTI.GRAVITY.2020-01-27T01:59:00", "run": run.exp_id}
    blocks = group([started, startless])
    assert [one.key for one in blocks] == ["VLTI.7.2020-01-27T01:00:00", "VLTI.9.2020-01-27T01:00:31"]
    assert [(one.basis, one.obs_id, one.obs_start) for one in blocks] == [
        ("block", 7, at(0)),
        ("block", 9, None),
    ]


def test_of_starts_a_second_apart_the_earliest_is_told():
    (one,) = group([frame(10, obs_id=7, obs_start=at(1 / 60)), frame(1, **BLOCK)])
    assert (one.key, one.obs_start) == ("VLTI.7.2020-01-27T01:00:00", at(0))


def test_members_are_in_order_of_time():
    late, early = frame(9, **BLOCK), frame(1, **BLOCK)
    (one,) = group([late, early])
    assert one.members == (early, late)
    assert (one.instrument, one.interferometer, one.night) == ("GRAVITY", "VLTI", NIGHT)


def test_the_date_stands_for_a_night_nobody_knows():
    assert utc_date(58875.15) == date(2020, 1, 27)
    assert utc_date(None) is utc_date(float("nan")) is utc_date(1e12) is None


def test_protected_frames_of_a_block_join_it():
    public = block(10, 7)
    hidden = block(13, 7, public=False, obs_start=at(8) + timedelta(seconds=1))
    startless = frame(40, public=False, obs_id=7)
    (one,) = group([*public, *hidden, startless])
    assert len(one.members) == 5
    assert one.key == group(public)[0].key


def test_protected_frames_neither_name_nor_break_what_the_public_sees():
    public = [frame(10), frame(20, obs_id=8)]
    hidden = [frame(0, public=False), frame(12, public=False, target=2), frame(15, public=False, obs_id=8)]
    keys = {one.key for one in group([*public, *hidden, frame(14)]) if one.public}
    assert keys == {public[0].exp_id, "VLTI.8.2020-01-27T01:20:00"}


_obs_ids = st.sampled_from([None, None, 0, 7, 8])
_starts = st.one_of(st.none(), st.sampled_from([0, 1 / 60, 1 / 20, 5, 30, 31, 100, -800, 900]).map(at))
_frames = st.builds(
    frame,
    st.integers(0, 400).map(float),
    lasts=st.sampled_from([1.0, 5.0, 15.0]),
    public=st.booleans(),
    obs_id=_obs_ids,
    obs_start=_starts,
    template_start=_starts,
    target=st.integers(1, 2),
    obs_type=st.sampled_from(["science", "calibrator"]),
    station_set=st.sampled_from(["U1 U2 U3 U4", "A0 G1 J2 J3"]),
    night=st.sampled_from([NIGHT, NIGHT, date(2020, 1, 27)]),
)


@given(st.lists(_frames, max_size=25), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_grouping_is_a_function_of_the_set(frames: list[Frame], random: Any):
    shuffled = random.sample(frames, len(frames))
    assert group(shuffled) == group(frames)


@given(st.lists(_frames, max_size=25))
@settings(max_examples=150, deadline=None)
def test_each_frame_is_in_one_observation_and_keys_are_unique(frames: list[Frame]):
    groups = group(frames)
    members = [member.exp_id for one in groups for member in one.members]
    assert sorted(members) == sorted(one.exp_id for one in frames)
    nights = [one.key for one in groups]
    assert len(set(nights)) == len(nights)


@given(st.lists(_frames, max_size=25))
@settings(max_examples=150, deadline=None)
def test_what_the_public_sees_is_a_function_of_public_frames(frames: list[Frame]):
    seen = [
        replace(one, members=tuple(m for m in one.members if m.public)) for one in group(frames) if one.public
    ]
    assert seen == group(one for one in frames if one.public)


@given(st.lists(_frames, max_size=20), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_other_nights_change_nothing(frames: list[Frame], days: int):
    later = [
        one._replace(night=date(2021, 1, days), exp_id=f"{one.exp_id}x", obs_start=None, template_start=None)
        for one in frames
    ]
    here = {one.night for one in frames}
    assert [one for one in group([*later, *frames]) if one.night in here] == group(frames)
