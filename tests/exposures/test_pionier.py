"""PIONIER: the modes of three epochs, early frames, and times of joined products."""

from __future__ import annotations

from pathlib import Path

import pytest
from eso_headers import changed, codes, raw, real, record_of, refusal_of

OLD, NEW = "PIONIER.2012-12-19", "PIONI.2019-01-10T05-35"


@pytest.mark.parametrize(
    ("beginning", "cards", "mode"),
    [
        (NEW, {}, "GRISM-H"),
        (NEW, {"ESO_INS_OPTI2_NAME": "FREE"}, "FREE-H"),
        (OLD, {}, "SMALL-H"),
        (OLD, {"ESO_INS_OPTI3_NAME": "LARGE"}, "LARGE-H"),
        (OLD, {"ESO_INS_OPTI3_NAME": "FREE"}, "BROAD-H"),
        (OLD, {"ESO_INS_OPTI3_NAME": "FREE", "ESO_INS_OPTI2_NAME": "K"}, "BROAD-K"),
        (OLD, {"ESO_INS_OPTI3_NAME": "LARGE", "ESO_INS_OPTI2_NAME": "K"}, "LARGE-K"),
        (OLD, {"ESO_INS_OPTI2_NAME": "FREE"}, "BROAD-H"),
        (OLD, {"ESO_INS_OPTI3_NAME": "ODD"}, ""),
        ("PIONIER.2013-05-13", {}, "BROAD-H"),
    ],
)
def test_modes_of_all_epochs(shared_data: Path, beginning: str, cards: dict[str, object], mode: str) -> None:
    record = record_of(changed(real(shared_data, beginning), **cards))
    assert record.instrument_mode == mode
    assert ("unknown-mode" in codes(record)) == (mode == "")
    assert record.instrument_name == "PIONIER"
    if mode:
        assert record.instrument_variant == ("PIONIER_2" if mode in ("GRISM-H", "FREE-H") else "PIONIER")


def test_early_frames_on_stars_are_filed_as_images(shared_data: Path) -> None:
    text = raw(real(shared_data, OLD), "SCIENCE", "OBJECT", "IMAGE")
    assert record_of(text, include_products=False).obs_type == "science"
    assert refusal_of(changed(text, ESO_DPR_TYPE="FRINGE,OBJECT")).code == "not-interferometry"
    assert refusal_of(changed(text, ESO_DPR_TYPE="KAPPA,OBJECT")).code == "photometry"


def test_time_is_exptime_or_scans_by_their_length(shared_data: Path) -> None:
    old = record_of(real(shared_data, OLD))
    assert old.exposure_time == pytest.approx(69.77)
    assert old.provenance["exposure_time"] == "ESO DET DIT * ESO DET NDIT"
    text = raw(real(shared_data, "PIONI.2014-09-21"), "SCIENCE", "FRINGE,OBJECT")
    assert record_of(text).exposure_time == pytest.approx(26.5728)
    assert record_of(changed(text, EXPTIME=0.000519)).exposure_time == pytest.approx(26.5728)


def test_a_joined_product_keeps_its_own_times_and_says_so(shared_data: Path) -> None:
    record = record_of(real(shared_data, "PIONI.2015-11-30T02"))
    assert record.time_origin == "product"
    assert record.header_id == "PIONI.2015-11-30T02:51:25.151"
    assert record.mjd_start == 57356.1173510869
    assert record.mjd_end == 57356.1188325684
    assert record.exposure_time == pytest.approx(128.0)
    assert {"product-times", "product-times-moved"} <= codes(record)
    assert "baseline-disagrees" not in codes(record)


def test_an_identifier_is_made_of_the_date_where_the_header_has_none(shared_data: Path) -> None:
    record = record_of(real(shared_data, OLD))
    assert record.header_id == "PIONI.2012-12-19T05:26:54.913"
    assert "identifier-derived" in codes(record)
    assert record.fringe_tracker == ""
