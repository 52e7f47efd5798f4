"""Stations and projected baselines: read, recomputed where missing, checked where given."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from eso_headers import changed, codes, raw, real, record_of

from obsportal.exposures.record import ExposureRecord
from obsportal.exposures.validation import validation_level

PAIRS = ("12", "13", "14", "23", "24", "34")


@pytest.fixture
def gravity(shared_data: Path) -> str:
    """A raw GRAVITY header with four telescopes."""
    return raw(real(shared_data, "GRAVI.2020-01-27T03"), "SCIENCE", "OBJECT,SINGLE")


def without(text: str, when: str = "(START|END)") -> str:
    return re.sub(rf"^HIERARCH ESO ISS PBLA?\d\d {when} *=.*\n", "", text, flags=re.MULTILINE)


def close(found: ExposureRecord, expected: ExposureRecord) -> bool:
    return all(
        f.length_start == pytest.approx(e.length_start, abs=0.5)
        and f.length_end == pytest.approx(e.length_end, abs=0.5)
        and f.angle_start == pytest.approx(e.angle_start, abs=0.6)
        and f.angle_end == pytest.approx(e.angle_end, abs=0.6)
        for f, e in zip(found.baselines, expected.baselines, strict=True)
    )


def test_missing_baselines_are_computed_and_agree_with_the_removed_ones(gravity: str) -> None:
    expected, found = record_of(gravity), record_of(without(gravity))
    assert found.baselines_origin == "computed"
    assert "baselines-computed" in codes(found)
    assert found.provenance["baselines"] == "geometry"
    assert close(found, expected)


@pytest.mark.parametrize("value", [None, 0.0])
def test_a_missing_or_zero_end_is_computed(gravity: str, value: float | None) -> None:
    ends = {f"ESO_ISS_{w}{p}_END": value for w in ("PBL", "PBLA") for p in PAIRS}
    expected, found = record_of(gravity), record_of(changed(gravity, **ends))
    assert found.baselines_origin == "computed"
    assert [b.length_start for b in found.baselines] == [b.length_start for b in expected.baselines]
    assert close(found, expected)


def test_one_missing_baseline_makes_the_origin_mixed(gravity: str) -> None:
    record = record_of(changed(gravity, ESO_ISS_PBL24_START=None, ESO_ISS_PBLA24_START=None))
    assert record.baselines_origin == "header+computed"
    assert any("1 of 6" in m.text for m in record.messages)
    assert close(record, record_of(gravity))


def test_an_end_angle_of_zero_far_from_the_start_was_not_measured(gravity: str) -> None:
    record = record_of(changed(gravity, ESO_ISS_PBLA12_END=0.0))
    assert record.baselines[0].angle_end == pytest.approx(50.4, abs=0.6)
    assert "angle-jump" not in codes(record)


def test_a_pair_written_the_other_way_round_is_turned(gravity: str) -> None:
    swapped = re.sub(r"(ESO ISS PBLA?)12 ", r"\g<1>21 ", gravity)
    record = record_of(swapped)
    original = record_of(gravity).baselines[0]
    assert record.baselines[0].length_start == original.length_start
    assert record.baselines[0].angle_start == pytest.approx((original.angle_start or 0) + 180)


@pytest.mark.parametrize(
    "change",
    [
        {"ESO_ISS_PBL12_START": 69.0},
        {"ESO_ISS_PBLA12_START": 54.0},
        {"ESO_ISS_CONF_STATION2": "B2"},
        {"RA": 121.483684},
        {"MJD__OBS": 58875.352338},
    ],
)
def test_a_wrong_baseline_station_position_or_clock_is_flagged(
    gravity: str, change: dict[str, object]
) -> None:
    record = record_of(changed(gravity, **change))
    assert "baseline-disagrees" in codes(record)


def test_angles_that_wrap_do_not_disagree(gravity: str) -> None:
    start = record_of(gravity).baselines[0].angle_start or 0.0
    assert "baseline-disagrees" not in codes(record_of(changed(gravity, ESO_ISS_PBLA12_START=start + 360)))


def test_blanks_in_stations_are_removed_and_the_order_of_beams_is_kept(gravity: str) -> None:
    record = record_of(changed(gravity, ESO_ISS_CONF_STATION1="A 0", ESO_ISS_CONF_STATION4="J3"))
    assert record.stations == ("A0", "G2", "J2", "J3")
    assert record.baselines[2].second == "J3"


def test_a_missing_number_of_telescopes_is_named_and_stations_are_still_read(gravity: str) -> None:
    record = record_of(changed(gravity, ESO_ISS_CONF_NTEL=None))
    assert record.stations == ("A0", "G2", "J2", "J3")
    assert [m.text for m in record.messages] == ["Missing 'HIERARCH ESO ISS CONF NTEL'"]


def test_fewer_stations_than_telescopes_are_noted(gravity: str) -> None:
    record = record_of(changed(gravity, ESO_ISS_CONF_STATION4=None))
    assert record.stations == ("A0", "G2", "J2")
    assert len(record.baselines) == 3
    assert {"missing-keyword", "stations-incomplete"} <= codes(record)


def test_without_stations_the_exposure_is_invalid(gravity: str) -> None:
    gone = {f"ESO_ISS_CONF_STATION{i}": None for i in range(1, 5)}
    record = record_of(changed(gravity, ESO_ISS_CONF_NTEL=None, **gone))
    assert record.stations == ()
    assert {"no-stations", "no-usable-baseline"} <= codes(record)
    assert validation_level(record) == 0


def test_an_unknown_station_is_kept_and_its_baselines_are_the_headers(gravity: str) -> None:
    record = record_of(changed(gravity, ESO_ISS_CONF_STATION2="X9"))
    assert record.stations[1] == "X9"
    assert "station-unknown" in codes(record)
    assert record.baselines_origin == "header"
    assert record.configuration == ""
    lost = record_of(without(changed(gravity, ESO_ISS_CONF_STATION2="X9")))
    assert "no-usable-baseline" in codes(lost)


def test_a_long_exposure_that_turns_too_far_is_invalid_as_in_aspro2(gravity: str) -> None:
    record = record_of(changed(gravity, ESO_ISS_PBLA12_END=61.0))
    assert "angle-jump" in codes(record)
    assert validation_level(record) == 0
