"""Each check fires on what it is for, and each code is documented."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from obsportal.exposures.record import Baseline, ExposureRecord, Level, Sighting
from obsportal.exposures.validation import CHECKS, READ_ERRORS, REFUSALS, documentation, message, validate
from obsportal.exposures.validation import validation_level as level

DOCS = Path(__file__).resolve().parents[2] / "docs" / "validation.md"


def good() -> ExposureRecord:
    return ExposureRecord(
        header_id="GRAVI.2020-01-27T03:39:22.003",
        exp_id="GRAVI.2020-01-27T03:39:22.003_1",
        instrument_name="GRAVITY",
        interferometer_name="VLTI",
        mjd_start=58875.0,
        mjd_end=58875.0 + 300 / 86400,
        target=Sighting("HD 1", 10.0, -20.0),
        stations=("U1", "U2"),
        instrument_mode="HIGH-COMBINED",
        baselines=(Baseline("U1", "U2", 50.0, 50.1, 359.0, 1.0),),
        seeing=0.8,
        tau0=0.005,
    )


def test_a_good_exposure_gets_no_message() -> None:
    assert validate(good()).messages == []
    assert level(good()) == 1


SECOND = 1 / 86400
CASES = [
    ("mjd-invalid", {"mjd_start": None}),
    ("mjd-invalid", {"mjd_start": 0.0}),
    ("mjd-invalid", {"mjd_start": float("nan")}),
    ("mjd-invalid", {"mjd_start": 2458875.5}),
    ("end-missing", {"mjd_end": None}),
    ("end-not-after-start", {"mjd_end": 58875.0}),
    ("end-not-after-start", {"mjd_end": 58874.9}),
    ("too-short", {"mjd_end": 58875.0 + 0.9 * SECOND}),
    ("too-long", {"mjd_end": 58875.0 + 3601 * SECOND}),
    ("no-stations", {"stations": ()}),
    ("unknown-mode", {"instrument_mode": ""}),
    ("no-usable-baseline", {"baselines": ()}),
    ("no-usable-baseline", {"baselines": (Baseline("U1", "U2", 50.0, None, 3.0, None),)}),
    ("no-usable-baseline", {"baselines": (Baseline("U1", "U2", 0.0, 50.0, 3.0, 3.0),)}),
    ("angle-jump", {"baselines": (Baseline("U1", "U2", 50.0, 50.0, 355.0, 5.1),)}),
    ("angle-jump", {"baselines": (good().baselines[0], Baseline("U1", "U3", 50.0, 50.0, 20.0, 9.0))}),
    ("position-missing", {"target": Sighting("HD 1", None, None)}),
    ("position-missing", {"target": None}),
    ("target-name-missing", {"target": Sighting("", 10.0, -20.0)}),
    ("seeing-out-of-range", {"seeing": 8.0}),
    ("tau0-out-of-range", {"tau0": 5.0}),
]


@pytest.mark.parametrize(("code", "change"), CASES)
def test_a_bad_exposure_gets_the_message_of_its_check(code: str, change: dict[str, object]) -> None:
    record = validate(replace(good(), messages=[], **change))  # type: ignore[arg-type]
    assert code in {m.code for m in record.messages}
    assert level(record) == (0 if CHECKS[code].level is Level.ERROR else 1)


@pytest.mark.parametrize(
    "change",
    [
        {"mjd_end": 58875.0 + 1.1 * SECOND},
        {"baselines": (Baseline("U1", "U2", 50.0, 50.0, 355.0, 4.9),)},
        {
            "baselines": (
                Baseline("U1", "U2", 50.0, 50.0, 3.0, 3.0),
                Baseline("U1", "U3", None, None, None, None),
            )
        },
        {"seeing": None, "tau0": None},
    ],
)
def test_limits_are_aspro2s_and_missing_weather_is_no_fault(change: dict[str, object]) -> None:
    assert validate(replace(good(), messages=[], **change)).messages == []  # type: ignore[arg-type]


def test_validating_twice_says_nothing_twice_and_keeps_what_a_rule_said() -> None:
    record = replace(good(), instrument_mode="", messages=[message("unknown-mode", mode="'ODD'")])
    assert [m.text for m in validate(validate(record)).messages] == [
        "The instrument mode 'ODD' is not one ASPRO2 knows"
    ]


def test_missing_keywords_are_named_in_the_words_of_the_existing_portal() -> None:
    assert message("missing-keyword", keyword="HIERARCH ESO ISS CONF NTEL").text == (
        "Missing 'HIERARCH ESO ISS CONF NTEL'"
    )


def test_every_code_is_documented() -> None:
    assert DOCS.read_text() == documentation(), (
        "run python -m obsportal.exposures.validation > docs/validation.md"
    )
    for code in (*CHECKS, *REFUSALS, *READ_ERRORS):
        assert f"`{code}`" in documentation()
