"""Observations and calibrator links in the records: made with each change, the same made anew."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from eso_headers import changed, raw, real

from obsportal.accounts.access import Visibility
from obsportal.accounts.models import User
from obsportal.demo.generate import generate
from obsportal.exposures.corrections import override
from obsportal.exposures.intake import ingest_paths, ingest_sources
from obsportal.exposures.models import (
    CalibratorLink,
    Confidence,
    Exposure,
    LinkBasis,
    LinkDecision,
    Observation,
    ObservationBasis,
)
from obsportal.exposures.observations import derive, linking
from obsportal.exposures.versions import last_modified
from obsportal.formats.header_sources import HeaderSource
from portal import make_exposure, make_target

pytestmark = pytest.mark.django_db

NIGHT = date(2020, 1, 26)
KEY = (NIGHT, "VLTI")
Sources = list[tuple[HeaderSource, None]]


@pytest.fixture(scope="module")
def headers() -> Sources:
    made = generate(240, 11, start=date(2018, 6, 1), end=date(2023, 6, 1))
    return [(HeaderSource(header.name, header.text), None) for header in made]


def state() -> tuple[dict[str, str | None], list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Observations by exposure, observations, and links, without their primary keys."""
    members = dict(Exposure.objects.order_by("exp_id").values_list("exp_id", "observation__key"))
    columns = [f.name for f in Observation._meta.concrete_fields if f.name != "id"]
    observations = list(Observation.objects.order_by("key").values_list(*columns))
    links = CalibratorLink.objects.values_list(
        "science__key", "calibrator__key", "instrument_variant", "basis", "confidence", "score", "gap_minutes",
        "separation",
    )  # fmt: skip
    return members, observations, sorted(links, key=str)


def exposure(minutes: float, **values: Any) -> Exposure:
    """An exposure of a block that began two minutes before it."""
    start = datetime(2020, 1, 27, 2, tzinfo=UTC) + timedelta(minutes=minutes)
    mjd = 58875.0 + (120 + minutes) / 1440
    times = {"exp_mjd_start": mjd, "exp_mjd_end": mjd + 5 / 1440, "obs_start": start - timedelta(minutes=2)}
    return make_exposure(**times | values)


def calibrator(minutes: float, obs_id: int = 2, **values: Any) -> Exposure:
    place = {"name": "HD 57939", "ra": 110.9, "dec": -13.5}
    return exposure(minutes, **place | {"obs_id": obs_id, "obs_type": "calibrator"} | values)


def keys_of(*exposures: Exposure) -> list[str]:
    """Keys of the observations that these exposures are in."""
    found = dict(Exposure.objects.values_list("pk", "observation__key"))
    return [found[one.pk] for one in exposures]


def linked() -> list[tuple[str, str]]:
    """Block numbers of linked observations."""
    pairs = CalibratorLink.objects.values_list("science__obs_id", "calibrator__obs_id")
    return sorted((str(science), str(other)) for science, other in pairs)


def test_vocabularies_are_those_of_the_records():
    assert set(ObservationBasis.values) == {"block", "template", "run"}
    assert set(LinkBasis.values) == set(linking.BASE_SCORE)
    assert set(Confidence.values) == set(linking._RANK)


def test_ingest_groups_and_links(headers: Sources):
    ingest_sources(iter(headers))
    members, observations, links = state()
    assert None not in members.values()
    assert 10 < len(observations) < len(members)
    assert {link[3] for link in links} >= {"container"}


def test_the_order_of_arrival_does_not_matter(headers: Sources):
    ingest_sources(iter(headers))
    at_once = state()
    CalibratorLink.objects.all().delete()
    Exposure.objects.all().delete()
    Observation.objects.all().delete()
    shuffled = random.Random(5).sample(headers, len(headers))
    for first in range(0, len(shuffled), 90):
        ingest_sources(iter(shuffled[first : first + 90]))
    assert state() == at_once


def test_made_anew_they_are_the_same_and_a_second_time_nothing_is_written(headers: Sources):
    ingest_sources(iter(headers))
    before = state()
    CalibratorLink.objects.all().delete()
    Observation.objects.all().delete()
    assert set(state()[0].values()) == {None}
    report = derive.regroup_all()
    assert report.moved == report.exposures == len(before[0])
    assert state() == before
    rows = list(CalibratorLink.objects.order_by("pk").values_list())
    counter = last_modified()
    assert derive.regroup_all().moved == 0
    assert list(CalibratorLink.objects.order_by("pk").values_list()) == rows
    assert last_modified() == counter


def test_a_failure_leaves_the_batch_out_as_a_whole(headers: Sources, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(derive, "_write_links", fail)
    with pytest.raises(RuntimeError):
        ingest_sources(iter(headers))
    assert not Exposure.objects.exists()
    assert not Observation.objects.exists()


def test_only_waiting_nights_are_asked_for():
    one = exposure(0)
    assert derive.waiting_nights() == derive.nights_of([one.pk]) == {KEY}
    report = derive.regroup_nights(derive.waiting_nights())
    assert (report.nights, report.exposures, report.observations) == (1, 1, {"block": 1})
    assert derive.waiting_nights() == set()


def test_exposures_without_a_night_are_grouped_by_date():
    day = {"interferometer_name": "NOWHERE", "night": None}
    first, second = exposure(0, **day), exposure(9, obs_start=exposure(0, **day).obs_start, **day)
    timeless = exposure(0, exp_mjd_start=None, **day)
    assert derive.waiting_nights() == {(date(2020, 1, 27), "NOWHERE"), (None, "NOWHERE")}
    derive.regroup_nights(derive.waiting_nights())
    keys = keys_of(first, second, timeless)
    assert keys == ["NOWHERE.2728776.2020-01-27T01:58:00"] * 2 + [timeless.exp_id]
    nights = dict(Observation.objects.values_list("key", "night"))
    assert nights == {keys[0]: date(2020, 1, 27), keys[2]: None}
    assert derive.regroup_all().moved == 0


def test_a_replaced_row_is_in_no_observation():
    shown, hidden = exposure(0), exposure(60, obs_id=8)
    derive.regroup_all()
    Exposure.objects.filter(pk=hidden.pk).update(visibility=Visibility.REPLACED)
    report = derive.regroup_nights({KEY})
    assert keys_of(shown, hidden) == ["VLTI.2728776.2020-01-27T01:58:00", None]
    assert (report.exposures, Observation.objects.count()) == (1, 1)
    assert derive.waiting_nights() == set()


def test_an_exposure_that_changes_night_leaves_nothing_behind():
    one = exposure(0)
    derive.regroup_all()
    before = derive.nights_of([one.pk])
    Exposure.objects.filter(pk=one.pk).update(
        night=date(2020, 1, 27), exp_mjd_start=58876.1, obs_start=datetime(2020, 1, 28, 2, tzinfo=UTC)
    )
    derive.regroup_nights(before | derive.nights_of([one.pk]))
    (left,) = Observation.objects.all()
    assert (left.key, left.night) == ("VLTI.2728776.2020-01-28T02:00:00", date(2020, 1, 27))


def test_an_observation_whose_exposures_were_deleted_goes():
    exposure(0)
    gone = exposure(60, obs_id=8)
    derive.regroup_all()
    gone.delete()
    derive.regroup_all()
    assert Observation.objects.values_list("obs_id", flat=True).get() == 2728776


def test_a_corrected_type_links_at_once():
    author = User.objects.create_user("marie", is_staff=True)
    exposure(0)
    other = calibrator(20, obs_type="science")
    derive.regroup_all()
    assert linked() == []
    override(other, "obs_type", "calibrator", reason="HD 57939 is a calibrator", author=author)
    assert linked() == [("2728776", "2")]


def test_a_corrected_visibility_keeps_the_public_apart():
    author = User.objects.create_user("marie", is_staff=True)
    exposure(0)
    other = calibrator(20)
    derive.regroup_all()
    assert CalibratorLink.objects.visible_to(None).count() == 1
    override(other, "visibility", "protected", reason="guaranteed time", author=author)
    assert CalibratorLink.objects.visible_to(None).count() == 0
    assert CalibratorLink.objects.visible_to(author).count() == 1


def test_protected_rows_change_nothing_the_public_sees():
    exposure(0), calibrator(40)
    derive.regroup_all()

    def public() -> list[tuple[Any, ...]]:
        columns = [f.name for f in CalibratorLink._meta.concrete_fields]
        seen = Observation.objects.visible_to(None).order_by("key").values_list()
        return [*seen, *CalibratorLink.objects.visible_to(None).order_by("pk").values_list(*columns)]

    before = public()
    calibrator(15, 3, visibility=Visibility.PROTECTED)
    exposure(8, obs_start=None, visibility=Visibility.PROTECTED)
    exposure(20, station_set="A0 G1 J2 J3", obs_id=9, visibility=Visibility.PROTECTED)
    derive.regroup_all()
    assert public() == before
    assert CalibratorLink.objects.count() > 1


def decide(kind: str, science: str, other: str, **values: Any) -> LinkDecision:
    author, _ = User.objects.get_or_create(username="marie", is_staff=True)
    return LinkDecision.objects.create(
        kind=kind, science_key=science, calibrator_key=other, reason="seen in the night log", author=author,
        created_at=datetime(2024, 1, 1, tzinfo=UTC), **values,
    )  # fmt: skip


def test_decisions_hold_until_they_are_withdrawn():
    science, near, far = exposure(0), calibrator(20), calibrator(250, 3)
    derive.regroup_all()
    key, *others = keys_of(science, near, far)
    assert linked() == [("2728776", "2")]
    link = decide("link", key, others[1])
    unlink = decide("unlink", key, others[0])
    derive.regroup_all()
    (kept,) = CalibratorLink.objects.all()
    assert (kept.calibrator.key, kept.basis, kept.confidence, kept.score) == (others[1], "manual", "high", 1)
    decide("link", key, others[1], withdraws=link)
    decide("unlink", key, others[0], withdraws=unlink)
    derive.regroup_all()
    assert linked() == [("2728776", "2")]


def test_of_two_decisions_the_later_one_counts():
    science, near = exposure(0), calibrator(20)
    derive.regroup_all()
    pair = keys_of(science, near)
    decide("unlink", *pair), decide("link", *pair)
    derive.regroup_all()
    assert CalibratorLink.objects.get().basis == "manual"


def test_a_calibrator_of_another_night_can_be_linked_by_hand():
    science = exposure(0)
    other = calibrator(
        0, night=date(2020, 1, 27), exp_mjd_start=58876.1, obs_start=datetime(2020, 1, 28, 2, tzinfo=UTC)
    )
    derive.regroup_all()
    decide("link", *keys_of(science, other))
    derive.regroup_nights({KEY})
    assert linked() == [("2728776", "2")]
    # The calibrator's observation goes and comes back: the link comes with it.
    derive_key = (date(2020, 1, 27), "VLTI")
    Observation.objects.get(obs_id=2).delete()
    assert linked() == []
    derive.regroup_nights({derive_key})
    assert linked() == [("2728776", "2")]
    assert derive.regroup_all().changed is False


def _executed(text: str, obs_id: int, minute: int, category: str = "SCIENCE", **cards: object) -> str:
    """A raw header of a block that began that many minutes after three o'clock."""
    clock = datetime(2021, 1, 9, 3, tzinfo=UTC) + timedelta(minutes=minute)
    name = f"GRAVI.{clock:%Y-%m-%dT%H:%M:%S}.000.fits"
    times = {
        "ARCFILE": name,
        "MJD__OBS": (clock - datetime(1858, 11, 17, tzinfo=UTC)) / timedelta(days=1),
        "ESO_OBS_ID": obs_id,
        "ESO_OBS_START": f"{clock:%Y-%m-%dT%H:%M:%S}",
        "ESO_TPL_START": f"{clock:%Y-%m-%dT%H:%M:%S}",
    }
    kind = "OBJECT,SINGLE" if category == "SCIENCE" else "STD,SINGLE"
    return raw(text, category, kind, **times | cards)


def test_real_headers_of_a_concatenation_in_a_group_are_linked(shared_data: Path):
    text = real(shared_data, "GRAVI.2021-01-09T01")
    nested = {"ESO_OBS_CONTAINER_ID": 4, "ESO_OBS_CONTAINER_PARENT_ID": 3, "ESO_OBS_CONTAINER_TYPE": "C"}
    made = [
        _executed(text, 11, 0, "CALIB", **nested),
        _executed(text, 12, 20, **nested),
        _executed(text, 13, 40, "CALIB", **nested),
        _executed(text, 14, 60, **nested | {"ESO_OBS_CONTAINER_ID": 5}),
    ]
    report = ingest_sources((HeaderSource(str(number), one), None) for number, one in enumerate(made))
    assert report.added == 4, report.refused_items
    found = CalibratorLink.objects.order_by("pk").values_list(
        "science__obs_id", "calibrator__obs_id", "basis", "confidence"
    )
    assert sorted(found) == [
        (12, 11, "container", "high"), (12, 13, "container", "high"), (14, 11, "time", "medium"), (14, 13, "time", "medium"),
    ]  # fmt: skip


def test_real_headers_of_visitor_mode_are_grouped_by_template_and_run(shared_data: Path):
    text = real(shared_data, "GRAVI.2021-01-09T01")
    frames = [_executed(text, 0, minute) for minute in (0, 8, 16)]
    frames[1] = changed(frames[1], ESO_TPL_START=None)
    frames[2] = changed(frames[2], ESO_TPL_START=None)
    ingest_sources((HeaderSource(str(number), one), None) for number, one in enumerate(frames))
    assert list(Observation.objects.order_by("key").values_list("key", "basis")) == [
        ("GRAVI.2021-01-09T03:08:00.000_1", "run"),
        ("VLTI.GRAVITY.2021-01-09T03:00:00", "template"),
    ]


def test_real_headers_give_the_executions_of_their_blocks(shared_data: Path):
    ingest_paths([str(shared_data / "headers")], include_products=True)
    blocks = Observation.objects.filter(basis="block")
    twice = blocks.filter(obs_id=2728776).order_by("key").values_list("key", flat=True)
    assert [key[13:] for key in twice] == [
        "2020-01-27T03:34:51",
        "2020-01-27T04:24:52",
        "2020-01-28T03:58:47",
    ]
    co_ori = Exposure.objects.filter(target_typed_name__startswith="CO_Ori", observation__basis="block")
    assert co_ori.values("observation").distinct().count() == 3
    bands = Observation.objects.get(obs_id=2434749).exposures.values_list("instrument_variant", flat=True)
    assert list(bands) == ["MATISSE_N", "MATISSE_N"]
    assert not Exposure.objects.filter(observation=None).exists()
    before = state()
    assert derive.regroup_all().changed is False
    assert state() == before


def test_a_run_ends_where_another_star_begins_also_when_that_is_learnt_later():
    visitor = {"obs_id": None, "obs_start": None}
    runs = [exposure(minutes, **visitor) for minutes in (0, 8, 16)]
    derive.regroup_all()
    assert len(set(keys_of(*runs))) == 1
    Exposure.objects.filter(pk=runs[1].pk).update(target=make_target("HD 57939", 110.9, -13.5))
    derive.regroup_nights(derive.nights_of_pointings({runs[1].pointing_id}))
    assert keys_of(*runs) == [one.exp_id for one in runs]
