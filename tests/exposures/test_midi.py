"""MIDI: modes, continuation files of one exposure, photometry."""

from __future__ import annotations

from pathlib import Path

import pytest
from eso_headers import changed, codes, real, record_of, refusal_of


@pytest.fixture
def track(shared_data: Path) -> str:
    """The real raw MIDI header: a calibrator, tracked."""
    return real(shared_data, "MIDI.2010-08-29")


def test_the_raw_header_is_described_in_full(track: str) -> None:
    record = record_of(track, include_products=False)
    assert record.messages == []
    assert record.obs_type == "calibrator"
    assert record.target is not None
    assert record.target.name == "HD220009"
    assert (record.dit, record.ndit, record.exposure_time) == (0.018, 3560, 64.08)
    assert (record.instrument_mode, record.instrument_submode) == ("HIGH_SENS+PRISM", "DISPERSED")
    assert record.stations == ("U1", "U4")
    assert [(b.first, b.second) for b in record.baselines] == [("U1", "U4")]
    assert record.group_key == "MIDI.2010-08-29T04:16:46.000"
    assert record.group_index == 1


def test_a_continuation_file_shares_the_key_of_its_exposure(track: str) -> None:
    second = changed(track, ARCFILE="MIDI.2010-08-29T04:17:20.000.fits", ESO_OCS_EXPO_FILENO=2)
    record = record_of(second)
    assert record.header_id == "MIDI.2010-08-29T04:17:20.000"
    assert record.group_key == record_of(track).group_key
    assert record.group_index == 2


def test_a_continuation_without_the_list_of_files_is_grouped_by_its_template(track: str) -> None:
    text = changed(track, ESO_OCS_EXPO1_FNAME1=None, ESO_OCS_EXPO_FILENO=3)
    record = record_of(text)
    assert record.group_key == "MIDI/2010-08-29T04:15:24/1"
    assert record.group_index == 3
    assert record_of(changed(text, ESO_OCS_EXPO_FILENO=None)).group_key == ""


@pytest.mark.parametrize(
    ("element", "disperser", "mode"),
    [
        ("HIGH_SENS", "GRISM", "HIGH_SENS+GRISM"),
        ("SCI_PHOT", "PRISM", "SCI_PHOT+PRISM"),
        ("OPEN", "PRISM", ""),
    ],
)
def test_modes_are_beam_combiner_and_disperser(track: str, element: str, disperser: str, mode: str) -> None:
    record = record_of(changed(track, ESO_INS_OPT1_NAME=element, ESO_INS_GRIS_NAME=disperser))
    assert record.instrument_mode == mode
    assert ("unknown-mode" in codes(record)) == (mode == "")


@pytest.mark.parametrize("shutter", ["AOPEN", "BOPEN"])
def test_a_frame_with_one_beam_is_photometry(track: str, shutter: str) -> None:
    refusal = refusal_of(changed(track, ESO_INS_SHUT_NAME=shutter))
    assert refusal.code == "photometry"
    assert shutter in refusal.reason


def test_time_without_exptime_is_all_integrations(track: str) -> None:
    assert record_of(changed(track, EXPTIME=None)).exposure_time == pytest.approx(64.08)
