"""AMBER: modes, the grating's central wavelength, times, and frames that are no fringes."""

from __future__ import annotations

from pathlib import Path

import pytest
from eso_headers import changed, codes, raw, real, record_of, refusal_of


@pytest.fixture
def medium(shared_data: Path) -> str:
    """A raw header in medium resolution with FINITO."""
    return raw(real(shared_data, "AMBER.2010-04-15"), "SCIENCE", "OBJECT")


@pytest.mark.parametrize(
    ("said", "mode"),
    [
        ("3Tstd_Medium_K_1_2.1", "Medium_K_1_2.1"),
        ("2Tstd_Medium_K_1_2.3", "Medium_K_1_2.3"),
        ("3Tstd_Low_JHK", "Low_JHK"),
        ("3Tstd_High_K_1_2.288", "High_K_1_2.288"),
        ("3Tstd_Medium_H_1_1.65", "Medium_H_1_1.65"),
        ("Medium_K_1_2.1", "Medium_K_1_2.1"),
        ("3Tstd_Medium_K_1_2.2", ""),
    ],
)
def test_the_prefix_of_the_mode_is_removed(medium: str, said: str, mode: str) -> None:
    record = record_of(changed(medium, ESO_INS_MODE=said))
    assert record.instrument_mode == mode
    if not mode:
        assert any(repr(said) in m.text for m in record.messages)


def test_the_setup_of_the_template_stands_in_for_a_missing_mode(medium: str) -> None:
    record = record_of(changed(medium, ESO_INS_MODE=None))
    assert record.instrument_mode == "Medium_K_1_2.1"
    assert record.provenance["instrument_mode"] == "ESO OCS OBS SPECCONF"


@pytest.mark.parametrize(
    ("said", "nanometres", "low", "high", "origin"),
    [
        ("3Tstd_Medium_K_1_2.1", 2100.205, 1.925705, 2.274705, "header"),
        ("3Tstd_High_K_1_2.288", 2292.0, 2.2690, 2.3150, "header"),
        ("3Tstd_Medium_K_1_2.2", 2200.0, 2.0255, 2.3745, "header"),
        ("3Tstd_Medium_K_1_2.1", -1.0, 1.926, 2.275, "mode"),
        ("3Tstd_Medium_K_1_2.1", None, 1.926, 2.275, "mode"),
        ("3Tstd_Medium_K_1_2.1", 1650.0, 1.926, 2.275, "mode"),
        ("3Tstd_Low_JHK", 2200.0, 1.926, 2.54, "mode"),
    ],
)
def test_the_grating_moves_the_range(
    medium: str, said: str, nanometres: float | None, low: float, high: float, origin: str
) -> None:
    record = record_of(changed(medium, ESO_INS_MODE=said, ESO_INS_GRAT1_WLEN=nanometres))
    assert record.em_min == pytest.approx(low * 1e-6, abs=1e-12)
    assert record.em_max == pytest.approx(high * 1e-6, abs=1e-12)
    assert record.wavelength_origin == origin


def test_time_is_all_integrations_not_exptime(medium: str) -> None:
    record = record_of(medium)
    assert (record.dit, record.ndit, record.exposure_time) == (0.5, 120, 60.0)
    lost = record_of(changed(medium, ESO_DET_DIT=None))
    assert lost.exposure_time is None
    assert "Missing 'HIERARCH ESO DET DIT'" in [m.text for m in lost.messages]


def test_three_stations_give_three_baselines_and_finito_is_named(medium: str) -> None:
    record = record_of(medium)
    assert len(record.stations) == 3
    assert [(b.first, b.second) for b in record.baselines] == [
        (record.stations[0], record.stations[1]),
        (record.stations[0], record.stations[2]),
        (record.stations[1], record.stations[2]),
    ]
    assert (record.fringe_tracker, record.fringe_tracker_status) == ("FINITO", "ON")


def test_angles_edited_by_reduction_software_are_flagged(medium: str) -> None:
    assert "baseline-disagrees" in codes(record_of(medium))


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("DARK", "not-on-sky"),
        ("SKY", "not-on-sky"),
        ("WAVE,3TEL", "not-on-sky"),
        ("FRNSRC,BASE12", "fringe-search"),
    ],
)
def test_frames_filed_as_science_are_refused_by_their_type(medium: str, kind: str, code: str) -> None:
    refusal = refusal_of(changed(medium, ESO_DPR_TYPE=kind))
    assert refusal.code == code
    assert f"'{kind}'" in refusal.reason
