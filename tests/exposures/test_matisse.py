"""MATISSE: two detectors, photometry, windows of wavelength, the fringe tracker of GRAVITY."""

from __future__ import annotations

from pathlib import Path

import pytest
from eso_headers import changed, codes, raw, real, record_of, refusal_of

from obsportal.exposures.record import ObsType

RAW = "MATIS.2025-05-19T00-43"
N_BAND = "MATIS.2019-03-24T09-09-10"


@pytest.fixture
def lm(shared_data: Path) -> str:
    """The one real raw MATISSE header: L and M, with GRA4MAT."""
    return real(shared_data, RAW)


@pytest.fixture
def n(shared_data: Path) -> str:
    """A raw N-band header."""
    return raw(real(shared_data, N_BAND), "SCIENCE", "OBJECT")


def test_the_raw_header_is_accepted_without_products(lm: str) -> None:
    record = record_of(lm, include_products=False)
    assert record.messages == []
    assert (record.instrument_name, record.instrument_variant) == ("MATISSE", "MATISSE_LM")
    assert record.instrument_mode == "SI_PHOT_LM_LOW"
    assert (record.exposure_time, record.dit, record.ndit) == (61.7, 0.6, 86)
    assert record.fringe_tracker == "GRA4MAT"
    assert record.bcd == "IN-IN"
    assert record.chopping is False
    assert record.time_counted
    assert record.pair_key == "2025-05-19T00:40:24/6/4176377"


def test_both_detectors_of_an_exposure_share_a_key_and_time_is_counted_once(lm: str) -> None:
    twin = changed(lm, ESO_DET_CHIP_NAME="AQUARIUS", ARCFILE="MATIS.2025-05-19T00:43:54.471.fits")
    first, second = record_of(lm), record_of(twin)
    assert first.pair_key == second.pair_key != ""
    assert (first.time_counted, second.time_counted) == (True, False)
    assert first.exp_id != second.exp_id
    assert second.instrument_variant == "MATISSE_N"
    assert second.instrument_mode == "HIGH_SENS_N_LOW"
    assert record_of(changed(lm, ESO_TPL_EXPNO=7)).pair_key != first.pair_key


@pytest.mark.parametrize(
    ("disperser", "filter_name", "centre", "mode"),
    [
        ("LOW", "LM", 4.1, "SI_PHOT_LM_LOW"),
        ("LOW", "L", 3.5, "SI_PHOT_L_LOW"),
        ("LOW", "M", 4.75, "SI_PHOT_M_LOW"),
        ("LOW", "OPEN", 4.1, "SI_PHOT_LM_LOW"),
        ("MED", "LM", 3.5, "SI_PHOT_LM_MEDIUM"),
        ("HIGH", "LM", 3.5, "SI_PHOT_L_HIGH"),
        ("HIGH+", "LM", 4.05, "SI_PHOT_L_VERY_HIGH"),
        ("HIGH+", "LM", 4.75, "SI_PHOT_M_VERY_HIGH"),
        ("HIGH+", "M", None, "SI_PHOT_M_VERY_HIGH"),
    ],
)
def test_modes_of_l_and_m(lm: str, disperser: str, filter_name: str, centre: float | None, mode: str) -> None:
    record = record_of(
        changed(lm, ESO_INS_DIL_NAME=disperser, ESO_INS_FIL_NAME=filter_name, ESO_SEQ_DIL_WL0=centre)
    )
    assert record.instrument_mode == mode


@pytest.mark.parametrize(
    ("disperser", "mode"), [("LOW", "HIGH_SENS_N_LOW"), ("HIGH", "HIGH_SENS_N_HIGH"), ("ODD", "")]
)
def test_modes_of_n(n: str, disperser: str, mode: str) -> None:
    record = record_of(changed(n, ESO_INS_DIN_NAME=disperser))
    assert record.instrument_mode == mode
    assert record.instrument_variant == "MATISSE_N"
    assert ("unknown-mode" in codes(record)) == (mode == "")


@pytest.mark.parametrize(
    ("disperser", "centre", "rows", "low", "high", "origin"),
    [
        ("LOW", 4.1, 118, 2.8528, 4.9081, "mode"),
        ("LOW", 3.5, 64, 2.8528, 4.2008, "header"),
        ("MED", 3.5, 118, 3.4051, 3.5949, "header"),
        ("HIGH", 4.05, 110, 4.0100, 4.0900, "header"),
        ("HIGH+", 4.05, 88, 4.0399, 4.0601, "header"),
        ("HIGH", None, 110, 2.8186, 4.2007, "mode"),
        ("HIGH", 4.05, None, 2.8186, 4.2007, "mode"),
    ],
)
def test_the_range_is_that_of_the_rows_read_around_the_central_wavelength(
    lm: str, disperser: str, centre: float | None, rows: int | None, low: float, high: float, origin: str
) -> None:
    record = record_of(
        changed(lm, ESO_INS_DIL_NAME=disperser, ESO_SEQ_DIL_WL0=centre, ESO_DET_WIN_MTRH2=rows)
    )
    assert record.em_min == pytest.approx(low * 1e-6, abs=2e-10)
    assert record.em_max == pytest.approx(high * 1e-6, abs=2e-10)
    assert record.wavelength_origin == origin


@pytest.mark.parametrize(
    ("open_beams", "accepted"), [("TTTT", True), ("TTFF", True), ("TFFF", False), ("FFFF", False)]
)
def test_frames_of_single_beams_are_photometry(n: str, open_beams: str, accepted: bool) -> None:
    shutters = {f"ESO_INS_BSN{i}_ST": state == "T" for i, state in enumerate(open_beams, 1)}
    text = changed(n, **shutters)
    if accepted:
        assert record_of(text).instrument_variant == "MATISSE_N"
    else:
        refusal = refusal_of(text)
        assert refusal.code == "photometry"
        assert open_beams in refusal.reason


def test_shutters_of_the_other_band_do_not_matter(shared_data: Path) -> None:
    text = real(shared_data, "MATIS.2018-12-02T06")
    assert "BSN1 ST" in text
    assert record_of(text).instrument_variant == "MATISSE_LM"


def test_time_falls_back_to_the_period_of_an_integration(lm: str) -> None:
    record = record_of(changed(lm, ESO_DET_SEQ1_EXPTIME=None))
    assert record.exposure_time == pytest.approx(86 * 0.717)
    record = record_of(changed(lm, ESO_DET_SEQ1_EXPTIME=None, ESO_DET_SEQ1_PERIOD=None))
    assert record.exposure_time == pytest.approx(86 * 0.6)
    record = record_of(changed(lm, ESO_DET_SEQ1_EXPTIME=None, ESO_DET_NDIT=None))
    assert record.exposure_time is None
    assert any(m.text == "Missing 'HIERARCH ESO DET SEQ1 EXPTIME'" for m in record.messages)


@pytest.mark.parametrize(
    ("beginning", "obs_type"),
    [
        ("MATIS.2018-07-17T09", ObsType.CALIBRATOR),
        ("MATIS.2019-04-12T23", ObsType.CALIBRATOR),
        ("MATIS.2019-05-06T06", ObsType.CALIBRATOR),
        ("MATIS.2018-12-02T06", ObsType.SCIENCE),
    ],
)
def test_products_take_their_type_from_the_raw_frames(
    shared_data: Path, beginning: str, obs_type: ObsType
) -> None:
    record = record_of(real(shared_data, beginning))
    assert record.obs_type is obs_type
    assert record.obs_type_header == ("TARGET_RAW" if obs_type is ObsType.SCIENCE else "CALIB_RAW")


def test_bcd_states_come_from_either_place(lm: str) -> None:
    assert record_of(changed(lm, ESO_CFG_BCD_MODE="OUT-OUT")).bcd == "OUT-OUT"
    assert record_of(changed(lm, ESO_INS_BCD2_NAME="OUT")).bcd == "IN-OUT"
    assert record_of(changed(lm, ESO_INS_BCD2_NAME=None)).bcd == ""
