"""SPICA headers. No raw one is public: these are written from what the ObsPortal of 2022 named."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from obsportal.exposures.instruments.context import Context
from obsportal.exposures.instruments.spica import describe
from obsportal.exposures.record import ExposureRecord, Level, ObsType, Refusal
from obsportal.exposures.validation import validate, validation_level
from obsportal.formats.fits_header import Header

BARE: dict[str, object] = {
    "SIMPLE": True,
    "INSTRUME": "SPICA",
    "OBJECT": "hd79929",
    "RA": 139.3996,
    "DEC": 27.42218,
    "MJD-OBS": 59593.44481,
    "MJD-END": 59593.4449257407,
    "OBS PROG ID": "SPICA_DEV_TESTS",
    "INS MODE": "LR",
}
WEATHER: dict[str, object] = {
    "ISS AMBI TAU0 START": 0.006,
    "ISS AMBI TAU0 END": 0.008,
    "ISS AMBI TEMP": 11.5,
    "ISS AMBI FWHM START": 0.9,
    "ISS AMBI FWHM END": 1.1,
}
ARRAY: dict[str, object] = {
    "ISS CONF NTEL": 3,
    "ISS CONF STATION1": "E1",
    "ISS CONF STATION2": "W2",
    "ISS CONF STATION3": "S2",
    "EXPTIME": 10.0,
}


def header(cards: dict[str, object], prefix: str = "") -> Header:
    lines = []
    for key, value in cards.items():
        if value is None:
            continue
        text = "T" if value is True else f"'{value}'" if isinstance(value, str) else repr(value)
        lines.append(f"{f'HIERARCH {prefix}{key}' if ' ' in key else f'{key:<8}'}= {text}")
    return Header.parse("\n".join([*lines, "END", ""]))


def described(cards: dict[str, object], *, header_id: str = "", prefix: str = "") -> ExposureRecord:
    found = describe(header(cards, prefix), Context(header_id=header_id))
    assert not isinstance(found, Refusal), found
    return validate(found[0])


def published_log(record: ExposureRecord) -> list[str]:
    return [message.text for message in record.messages if message.level is Level.ERROR]


def sample_row(shared_data: Path, number: int) -> dict[str, str]:
    tree = ET.parse(shared_data / "aspro" / "obsportal" / "obsportal-dev-spica.votable.xml")
    space = {"v": "http://www.ivoa.net/xml/VOTable/v1.4"}
    names = [field.get("name") or "" for field in tree.iterfind(".//v:FIELD", space)]
    row = tree.findall(".//v:TR", space)[number]
    return dict(zip(names, [cell.text or "" for cell in row], strict=True))


def test_a_header_without_array_and_weather_is_logged_as_the_obsportal_did(shared_data: Path) -> None:
    row = sample_row(shared_data, 0)
    record = described(BARE, header_id=row["exp_header_id"])
    assert (record.header_id, record.exp_id) == (row["exp_header_id"], row["exp_id"])
    assert published_log(record)[:7] == json.loads(row["exp_validation_log"])
    assert validation_level(record) == int(row["exp_validation_level"])
    assert (record.mjd_start, record.mjd_end) == (float(row["exp_mjd_start"]), float(row["exp_mjd_end"]))
    assert (record.obs_type.value, record.program_id) == (row["obs_type"], row["obs_program"])
    assert (record.instrument_name, record.instrument_mode) == (
        row["instrument_name"],
        row["instrument_mode"],
    )
    assert record.target is not None
    assert (record.target.name, record.target.ra, record.target.dec) == (
        row["target_name"],
        float(row["target_ra"]),
        float(row["target_dec"]),
    )
    assert record.technical
    assert (record.tau0, record.seeing, record.temperature) == (None, None, None)


def test_missing_weather_alone_is_a_warning_and_leaves_level_1() -> None:
    record = described({**BARE, **ARRAY})
    missing = [message for message in record.messages if message.code == "missing-keyword"]
    assert len(missing) == 5
    assert {message.level for message in missing} == {Level.WARNING}
    assert validation_level(record) == 1


@pytest.mark.parametrize("prefix", ["", "ESO "])
def test_a_full_header_gives_array_baselines_and_weather(prefix: str) -> None:
    record = described({**BARE, **ARRAY, **WEATHER}, prefix=prefix)
    assert record.stations == ("E1", "W2", "S2")
    assert [(b.first, b.second) for b in record.baselines] == [("E1", "W2"), ("E1", "S2"), ("W2", "S2")]
    assert record.baselines_origin == "computed"
    assert (record.tau0, record.seeing) == (pytest.approx(0.007), pytest.approx(1.0))
    assert record.temperature == 11.5
    assert record.interferometer_version == "2021B"
    assert (record.em_min, record.em_max) == (0.6124e-6, 0.9036e-6)
    assert validation_level(record) == 1
    assert not record.messages


def test_the_headers_own_baselines_are_kept_where_complete() -> None:
    own = {
        "ISS PBL12 START": 221.5, "ISS PBL12 END": 221.4, "ISS PBLA12 START": 80.0, "ISS PBLA12 END": 80.1,
        "ISS PBL13 START": 250.0,
    }  # fmt: skip
    record = described({**BARE, **ARRAY, **own})
    assert (record.baselines[0].length_start, record.baselines[0].angle_end) == (221.5, 80.1)
    assert record.baselines[1].length_start != 250.0
    assert record.baselines_origin == "header+computed"


@pytest.mark.parametrize(
    ("cards", "seconds"),
    [
        ({"MJD-END": None, "EXPTIME": 20.0}, 20.0),
        ({"MJD-END": None, "DATE-END": "2022-01-14T10:40:51.584"}, 20.0),
        ({"MJD-END": None, "DET DIT": 0.02, "DET NDIT": 1000}, 20.0),
        ({"MJD-END": None}, None),
    ],
)
def test_the_end_is_found_in_any_of_its_keywords(cards: dict[str, object], seconds: float | None) -> None:
    record = described({**BARE, **cards})
    assert record.mjd_start is not None
    if seconds is None:
        assert record.mjd_end is None
        assert "end-missing" in {message.code for message in record.messages}
    else:
        assert record.mjd_end is not None
        assert (record.mjd_end - record.mjd_start) * 86400 == pytest.approx(seconds, abs=1e-3)


@pytest.mark.parametrize(
    ("given", "cards", "expected"),
    [
        ("SPICA.2021-09-24T17:25:45.325079", {}, "SPICA.2021-09-24T17:25:45.325079"),
        ("SCIDET:20220114:104042_target.fits", {}, "SPICA.SCIDET:20220114:104042_target"),
        ("", {"ARCFILE": "SPICA.2022-01-14T10:40:31.584.fits"}, "SPICA.2022-01-14T10:40:31.584"),
        ("", {}, "SPICA.2022-01-14T10:40:31.584"),
    ],
)
def test_the_identifier_comes_from_outside_the_header_or_the_start(
    given: str, cards: dict[str, object], expected: str
) -> None:
    assert described({**BARE, **cards}, header_id=given).header_id == expected


@pytest.mark.parametrize(
    ("category", "kind", "role"),
    [
        (None, None, ObsType.SCIENCE),
        ("SCIENCE", "OBJECT", ObsType.SCIENCE),
        ("CALIB", "STD", ObsType.CALIBRATOR),
        ("CALIB", "OBJECT,CALIBRATOR", ObsType.CALIBRATOR),
    ],
)
def test_the_role_follows_the_dpr_keywords(category: str | None, kind: str | None, role: ObsType) -> None:
    record = described({**BARE, "DPR CATG": category, "DPR TYPE": kind})
    assert record.obs_type is role
    assert record.obs_type_header == ", ".join(part for part in (category, kind) if part)


@pytest.mark.parametrize(
    ("cards", "code"),
    [
        ({"DPR CATG": "CALIB", "DPR TYPE": "DARK"}, "not-on-sky"),
        ({"DPR CATG": "SCIENCE", "DPR TYPE": "SKY"}, "not-on-sky"),
        ({"DPR CATG": "CALIB", "DPR TYPE": "OTHER"}, "not-on-sky"),
        ({"DPR CATG": "TEST"}, "not-on-sky"),
        ({"MJD-OBS": None}, "no-start"),
    ],
)
def test_what_is_not_on_sky_or_has_no_start_is_refused(cards: dict[str, object], code: str) -> None:
    found = describe(header({**BARE, **cards}))
    assert isinstance(found, Refusal)
    assert found.code == code


def test_sexagesimal_right_ascension_is_hours_and_a_missing_position_is_an_error() -> None:
    assert described({**BARE, "RA": "09:17:35.904"}).pointing_ra == pytest.approx(139.3996)
    record = described({**BARE, "RA": None})
    assert record.pointing_ra is None
    assert "position-missing" in {message.code for message in record.messages}


@pytest.mark.parametrize(("text", "mode"), [("MR855", "MR850"), ("HR", "HR"), ("XX", "")])
def test_modes_are_aspro2_names_and_the_old_spelling_is_known(text: str, mode: str) -> None:
    assert described({**BARE, "INS MODE": text}).instrument_mode == mode
