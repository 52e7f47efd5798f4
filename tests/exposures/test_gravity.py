"""GRAVITY: modes, one field and two, the time of the science detector."""

from __future__ import annotations

from pathlib import Path

import pytest
from eso_headers import changed, codes, raw, real, record_of, refusal_of

from obsportal.exposures.record import ObsType
from obsportal.exposures.validation import validation_level


@pytest.fixture
def single(shared_data: Path) -> str:
    """A raw header of one field."""
    return raw(real(shared_data, "GRAVI.2020-01-27T03"), "SCIENCE", "OBJECT,SINGLE")


@pytest.fixture
def dual(shared_data: Path) -> str:
    """CO Ori B observed beside CO Ori A: the header is named after A."""
    return raw(real(shared_data, "GRAVI.2016-09-12T09"), "SCIENCE", "OBJECT,DUAL")


@pytest.mark.parametrize(
    ("resolution", "polarisation", "mode"),
    [
        ("LOW", "COMBINED", "LOW-COMBINED"),
        ("MED", "SPLIT", "MEDIUM-SPLIT"),
        ("MEDIUM", "COMBINED", "MEDIUM-COMBINED"),
        ("HIGH", "SPLIT", "HIGH-SPLIT"),
    ],
)
def test_mode_and_polarisation_follow_the_science_spectrometer(
    single: str, resolution: str, polarisation: str, mode: str
) -> None:
    record = record_of(changed(single, ESO_INS_SPEC_RES=resolution, ESO_INS_POLA_MODE=polarisation))
    assert record.instrument_mode == mode
    assert record.instrument_variant == "GRAVITY"
    assert record.instrument_submode == "SINGLE"
    assert record.polarisation == polarisation
    assert record.feed == "ONAXIS"
    assert record.wavelength_origin == "mode"


def test_an_unknown_mode_is_an_error_that_quotes_the_header(single: str) -> None:
    record = record_of(changed(single, ESO_INS_SPEC_RES="ULTRA"))
    assert record.instrument_mode == ""
    assert [m.text for m in record.messages] == [
        "The instrument mode 'ULTRA-COMBINED' is not one ASPRO2 knows"
    ]
    assert validation_level(record) == 0


def test_time_is_that_of_the_science_detector(single: str) -> None:
    record = record_of(changed(single, EXPTIME=0.00085))
    assert (record.dit, record.ndit, record.exposure_time) == (30.0, 10, 300.0)
    assert record.mjd_end == pytest.approx(58875.152338 + 300 / 86400, abs=1e-9)
    fallback = record_of(changed(single, ESO_DET2_NDIT=None, EXPTIME=240.0))
    assert fallback.exposure_time == 240.0
    assert fallback.provenance["exposure_time"] == "EXPTIME"
    lost = record_of(changed(single, ESO_DET2_NDIT=None))
    assert lost.exposure_time is None
    assert {"missing-keyword", "end-missing"} <= codes(lost)


def test_two_fields_file_the_data_under_the_science_object(dual: str) -> None:
    record = record_of(dual)
    assert record.target is not None
    assert record.ft_target is not None
    assert (record.target.name, record.ft_target.name) == ("CO_Ori_B", "CO_Ori_A")
    assert record.instrument_submode == "DUAL"
    ra, dec = 15 * (5 + 27 / 60 + 38.339 / 3600), 11 + 25 / 60 + 38.975 / 3600
    assert (record.ft_target.ra, record.ft_target.dec) == (pytest.approx(ra), pytest.approx(dec))
    assert (record.ft_offset_ra, record.ft_offset_dec) == (-2051.0, 169.0)
    assert record.target.ra == pytest.approx(ra - 2.051 / 3600 / 0.980184, abs=1e-7)
    assert record.target.dec == pytest.approx(dec + 0.169 / 3600, abs=1e-9)
    assert record.target.ra < record.ft_target.ra
    assert record.pointing_ra == 81.907214


def test_the_same_holds_for_a_product_of_two_fields(shared_data: Path) -> None:
    record = record_of(real(shared_data, "GRAVI.2016-09-12T09"))
    assert record.target is not None
    assert record.target.name == "CO_Ori_B"
    assert record.product_category == "DUAL_SCI_VIS_CALIBRATED"
    assert record.technical


def test_two_fields_without_offset_or_star_fall_back_with_a_message(dual: str) -> None:
    record = record_of(changed(dual, ESO_INS_SOBJ_X=None, ESO_FT_ROBJ_ALPHA=None, ESO_FT_ROBJ_NAME=None))
    assert "offset-missing" in codes(record)
    assert record.target is not None
    assert record.ft_target is not None
    assert record.ft_target.name == "CO_Ori_A"
    assert (record.target.ra, record.ft_target.ra) == (81.907214, 81.907214)


def test_southern_declinations_between_zero_and_minus_one_keep_their_sign(dual: str) -> None:
    record = record_of(changed(dual, ESO_FT_ROBJ_DELTA="-002538.975"))
    assert record.ft_target is not None
    assert record.ft_target.dec == pytest.approx(-(25 / 60 + 38.975 / 3600))


def test_wide_and_off_axis_are_told(dual: str) -> None:
    record = record_of(changed(dual, ESO_TPL_ID="GRAVITY_dual_wide_obs_exp", ESO_INS_ROOF_POS="OFFAXIS"))
    assert record.instrument_submode == "DUAL-WIDE"
    assert record.feed == "OFFAXIS"


def test_one_field_has_no_second_target_and_no_offset(single: str) -> None:
    record = record_of(single)
    assert (record.ft_target, record.ft_offset_ra, record.ft_offset_dec) == (None, None, None)


def test_an_early_header_without_names_takes_that_of_the_science_object(shared_data: Path) -> None:
    record = record_of(real(shared_data, "GRAVITY.2016-01-09"))
    assert record.target is not None
    assert record.target.name == "tet01OriC"
    assert record.exposure_time == 300.0


@pytest.mark.parametrize(
    ("product", "obs_type", "submode"),
    [
        ("SINGLE_SCI_VIS", ObsType.SCIENCE, "SINGLE"),
        ("SINGLE_CAL_VIS", ObsType.CALIBRATOR, "SINGLE"),
        ("DUAL_CAL_VIS", ObsType.CALIBRATOR, "DUAL"),
        ("VIS_DUAL_SCIENCE", ObsType.SCIENCE, "DUAL"),
        ("P2VM", None, ""),
        ("DARK", None, ""),
        ("SINGLE_SKY_AVERAGE", None, ""),
    ],
)
def test_the_category_of_a_product_gives_its_frame_type(
    shared_data: Path, product: str, obs_type: ObsType | None, submode: str
) -> None:
    text = changed(real(shared_data, "GRAVI.2020-01-27T03"), ESO_PRO_CATG=product)
    if obs_type is None:
        refusal = refusal_of(text, include_products=True)
        assert refusal.code == "not-on-sky"
        assert product in refusal.reason
    else:
        record = record_of(text)
        assert (record.obs_type, record.instrument_submode) == (obs_type, submode)
        assert "product-deduced" in codes(record)


def test_skies_and_darks_of_a_science_block_are_refused(single: str) -> None:
    for kind in ("SKY,SINGLE", "DARK", "WAVE,SC"):
        refusal = refusal_of(changed(single, ESO_DPR_TYPE=kind))
        assert refusal.code == "not-on-sky"
        assert f"'{kind}'" in refusal.reason
        assert refusal.header_id == "GRAVI.2020-01-27T03:39:22.003"
