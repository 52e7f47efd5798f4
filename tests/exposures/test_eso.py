"""What ESO headers write alike: programme, target, position, weather, times."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from eso_headers import changed, codes, raw, real, record_of

from obsportal.exposures.record import Level, ObsType
from obsportal.exposures.validation import validation_level


@pytest.fixture
def gravity(shared_data: Path) -> str:
    """A raw GRAVITY header of a science star."""
    return raw(real(shared_data, "GRAVI.2020-01-27T03"), "SCIENCE", "OBJECT,SINGLE")


def texts(record: object) -> list[str]:
    return [m.text for m in record.messages]  # type: ignore[attr-defined]


def test_a_raw_header_is_described_in_full_without_any_message(gravity: str) -> None:
    record = record_of(gravity, include_products=False)
    assert record.messages == []
    assert record.header_id == "GRAVI.2020-01-27T03:39:22.003"
    assert (record.program_id, record.technical) == ("0104.C-0567(A)", False)
    assert (record.ob_id, record.ob_name) == (2728776, "SCI_HD_58647")
    assert record.ob_start == datetime(2020, 1, 27, 3, 34, 51, tzinfo=UTC)
    assert (record.container_id, record.container_type) == (2728774, "U")
    assert (record.template_id, record.template_expno) == ("GRAVITY_single_obs_exp", 1)
    assert record.target is not None
    assert (record.target.name, record.target.ra, record.target.dec) == ("HD_58647", 111.483684, -14.17877)
    assert record.stations == ("A0", "G2", "J2", "J3")
    assert [f"{b.first}-{b.second}" for b in record.baselines] == [
        "A0-G2", "A0-J2", "A0-J3", "G2-J2", "G2-J3", "J2-J3",
    ]  # fmt: skip
    assert record.baselines[0].length_start == 67.734
    assert record.baselines[5].angle_end == 340.705
    assert record.interferometer_version == "Period 104"
    assert record.pi_coi == ""
    assert record.fringe_tracker == "GRAVITY"
    assert record.ao_mode == "NAOMI"
    assert record.chopping is False
    assert record.night is not None
    assert record.night.isoformat() == "2020-01-26"


@pytest.mark.parametrize(
    ("category", "kind", "obs_type"),
    [("SCIENCE", "OBJECT,SINGLE", ObsType.SCIENCE), ("CALIB", "STD,SINGLE", ObsType.CALIBRATOR)],
)
def test_the_category_tells_science_from_calibrator(
    gravity: str, category: str, kind: str, obs_type: ObsType
) -> None:
    record = record_of(changed(gravity, ESO_DPR_CATG=category, ESO_DPR_TYPE=kind))
    assert record.obs_type is obs_type
    assert record.obs_type_header == category
    assert record.obs_type_reason == f"DPR CATG is '{category}'"


def test_a_block_named_against_the_category_is_noted(gravity: str) -> None:
    assert "type-doubted" in codes(record_of(changed(gravity, ESO_OBS_NAME="CAL_HD58647")))
    assert "type-doubted" in codes(record_of(changed(gravity, ESO_DPR_CATG="CALIB")))


@pytest.mark.parametrize(
    ("typed", "object_", "name"),
    [
        ("V CI Tau", "STD", "V CI Tau"),
        ("alf_CMa", "other", "alf_CMa"),
        (None, "HD 45677", "HD 45677"),
        ("No name", "HD 45677", "HD 45677"),
        (None, "OBJECT,SINGLE", ""),
        (None, "STD", ""),
    ],
)
def test_the_name_is_the_one_the_pi_typed(
    shared_data: Path, typed: str | None, object_: str, name: str
) -> None:
    text = real(shared_data, "MATIS.2025-05-19T00-43")
    record = record_of(changed(text, ESO_OBS_TARG_NAME=typed, OBJECT=object_))
    assert record.target is not None
    assert record.target.name == name
    assert ("target-name-missing" in codes(record)) == (name == "")


@pytest.mark.parametrize(
    ("ra", "dec"), [(None, None), (0.0, 0.0), (-596.52323555, -596.52323555), ("NaN", "NaN"), (None, -14.0)]
)
def test_an_unusable_pointing_is_replaced_by_the_users_coordinates(
    gravity: str, ra: object, dec: object
) -> None:
    record = record_of(changed(gravity, RA=ra, DEC=dec))
    assert record.position_origin == "ISS REF"
    assert record.pointing_ra == pytest.approx(111.483708, abs=1e-5)
    assert record.pointing_dec == pytest.approx(-14.178750, abs=1e-5)
    assert record.target is not None
    assert record.target.ra == record.pointing_ra
    assert "position-fallback" in codes(record)
    assert ("Missing 'RA'" in texts(record)) == (ra is None or ra == "NaN")
    assert "baseline-disagrees" not in codes(record)


def test_without_any_position_the_exposure_is_invalid_but_keeps_its_baselines(gravity: str) -> None:
    record = record_of(changed(gravity, RA=None, DEC=None, ESO_ISS_REF_RA=None, ESO_ISS_REF_DEC=None))
    assert record.target is not None
    assert record.target.ra is None
    assert "position-missing" in codes(record)
    assert validation_level(record) == 0
    assert len(record.baselines) == 6
    assert record.baselines_origin == "header"


@pytest.mark.parametrize(
    ("program", "technical"),
    [("60.A-9257(E)", True), ("115.2810.005", False), ("105.20FU.002", False), ("4103.L-0941(A)", False)],
)
def test_both_grammars_of_programmes_are_kept_as_written(gravity: str, program: str, technical: bool) -> None:
    record = record_of(changed(gravity, ESO_OBS_PROG_ID=program))
    assert (record.program_id, record.technical) == (program, technical)


def test_no_container_and_no_block_are_none(gravity: str) -> None:
    record = record_of(changed(gravity, ESO_OBS_CONTAINER_ID=-999, ESO_OBS_ID=0))
    assert (record.container_id, record.container_type, record.ob_id) == (None, "", None)


@pytest.mark.parametrize(
    ("start", "end", "seeing"), [(0.8, 1.0, 0.9), (-1.0, 1.0, 1.0), (0.8, -1.0, 0.8), (-1.0, -1.0, None)]
)
def test_seeing_is_the_mean_of_what_was_measured(
    gravity: str, start: float, end: float, seeing: float | None
) -> None:
    record = record_of(changed(gravity, ESO_ISS_AMBI_FWHM_START=start, ESO_ISS_AMBI_FWHM_END=end))
    assert record.seeing == (None if seeing is None else pytest.approx(seeing))
    assert ("seeing-missing" in codes(record)) == (seeing is None)


def test_no_data_values_of_the_weather_are_missing(gravity: str) -> None:
    negative = {f"ESO_ISS_AMBI_{name}": -1.0 for name in ("TAU0_END", "WINDSP", "WINDDIR", "RHUM")}
    zero = {f"ESO_ISS_AMBI_{name}": 0.0 for name in ("TAU0_START", "IWV_START", "IWV_END")}
    record = record_of(changed(gravity, **negative, **zero))
    assert record.tau0 is None
    assert "tau0-missing" in codes(record)
    assert (record.wind_speed, record.wind_direction, record.humidity, record.iwv) == (None,) * 4
    assert record.temperature is not None


def test_missing_keywords_are_named_and_do_not_make_the_exposure_invalid(gravity: str) -> None:
    record = record_of(
        changed(gravity, ESO_ISS_AMBI_TAU0_START=None, ESO_ISS_AMBI_TEMP=None, ESO_OBS_PROG_ID=None)
    )
    assert texts(record) == [
        "Missing 'HIERARCH ESO OBS PROG ID'",
        "Missing 'HIERARCH ESO ISS AMBI TAU0 START'",
        "Missing 'HIERARCH ESO ISS AMBI TEMP'",
    ]
    assert {m.level for m in record.messages} == {Level.WARNING}
    assert validation_level(record) == 1


def test_a_clock_far_from_the_identifier_is_noted(gravity: str) -> None:
    record = record_of(changed(gravity, MJD__OBS=58875.152338 + 60 / 86400))
    assert "clock-disagrees" in codes(record)
    assert any("+60.0 s" in t for t in texts(record))
    assert "clock-disagrees" not in codes(record_of(changed(gravity, MJD__OBS=58875.152338 + 5 / 86400)))


def test_a_date_stands_in_for_a_missing_mjd(gravity: str) -> None:
    record = record_of(changed(gravity, MJD__OBS=None))
    assert record.mjd_start == pytest.approx(58875.152338, abs=20 / 86400)
    assert record.provenance["mjd_start"] == "DATE-OBS"
    assert "Missing 'MJD-OBS'" in texts(record)
    lost = record_of(changed(gravity, MJD__OBS=None, DATE__OBS="yesterday"))
    assert lost.mjd_start is None
    assert "mjd-invalid" in codes(lost)


def test_a_date_that_does_not_exist_is_noted(gravity: str) -> None:
    record = record_of(changed(gravity, ESO_OBS_START="2020-02-30T00:00:00"))
    assert record.ob_start is None
    assert "bad-value" in codes(record)


def test_technical_words_for_people_are_no_names(gravity: str) -> None:
    assert record_of(changed(gravity, **{"PI__COI": "CONDOR"})).pi_coi == "CONDOR"
    assert record_of(changed(gravity, ESO_OBS_PI__COI_NAME="GARCIA LOPEZ")).pi_coi == "GARCIA LOPEZ"


@pytest.mark.parametrize(
    ("iss", "det", "chopping"),
    [("T", False, True), ("F", True, False), (None, True, True), (None, None, None)],
)
def test_chopping_is_text_for_the_array_and_logical_for_the_detector(
    gravity: str, iss: str | None, det: bool | None, chopping: bool | None
) -> None:
    assert record_of(changed(gravity, ESO_ISS_CHOP_ST=iss, ESO_DET_CHOP_ST=det)).chopping is chopping
