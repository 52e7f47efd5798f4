"""The headers against the rules: what the demonstration intends is what the portal makes of it."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest

from obsportal.demo.generate import generate, samples
from obsportal.demo.headers import DemoHeader, sexagesimal
from obsportal.demo.plan import FAULTS, REMARKS
from obsportal.exposures.describe import describe
from obsportal.exposures.record import ExposureRecord, Refusal
from obsportal.exposures.validation import validation_level
from obsportal.formats.fits_header import Header
from obsportal.interferometry.facility import find_mode

SEED = 20_260_101
CODE_OF_DAMAGE = {
    "short": "too-short",
    "unknown_mode": "unknown-mode",
    "sentinel": "position-missing",
    "missing_end": "baselines-computed",
    "no_seeing": "seeing-missing",
}


def _describe(header: DemoHeader) -> ExposureRecord | Refusal:
    found = describe(Header.parse(header.text), archive_row=header.archive_row, header_id=header.name)
    if isinstance(found, Refusal):
        return found
    (record,) = found
    return record


@pytest.fixture(scope="module")
def described() -> list[tuple[DemoHeader, ExposureRecord | Refusal]]:
    """A few nights of every era, each header with what the rules make of it."""
    headers = generate(4000, SEED, start=date(2004, 1, 1), end=date(2026, 6, 30))
    return [(header, _describe(header)) for header in headers]


def _codes(record: ExposureRecord) -> set[str]:
    return {message.code.replace("_", "-") for message in record.messages}


def test_every_header_is_taken_or_refused_as_intended(
    described: list[tuple[DemoHeader, ExposureRecord | Refusal]],
) -> None:
    surprises = []
    for header, found in described:
        if isinstance(found, Refusal):
            outcome = "refused"
        else:
            outcome = "exposure" if validation_level(found) == 1 else "invalid"
        if outcome != header.expected:
            said = found.reason if isinstance(found, Refusal) else [str(m) for m in found.messages]
            surprises.append((header.name, header.expected, header.damage, outcome, said))
    assert surprises == []
    assert {header.expected for header, _ in described} == {"exposure", "invalid", "refused"}


def test_each_damage_is_reported_under_its_code(
    described: list[tuple[DemoHeader, ExposureRecord | Refusal]],
) -> None:
    seen = Counter()
    for header, found in described:
        if header.damage and isinstance(found, ExposureRecord) and found.instrument_name != "SPICA":
            assert CODE_OF_DAMAGE[header.damage] in _codes(found), (header.name, header.damage)
            seen[header.damage] += 1
    assert set(seen) == {*FAULTS, *REMARKS}


def test_sound_headers_cause_no_message_at_all(
    described: list[tuple[DemoHeader, ExposureRecord | Refusal]],
) -> None:
    loud = Counter()
    for header, found in described:
        if header.expected == "exposure" and not header.damage:
            assert isinstance(found, ExposureRecord)
            loud.update((found.instrument_name, message.code) for message in found.messages)
    assert loud == {}


def test_records_say_what_the_plan_said(
    described: list[tuple[DemoHeader, ExposureRecord | Refusal]],
) -> None:
    for header, found in described:
        if header.expected != "exposure":
            continue
        assert isinstance(found, ExposureRecord)
        row = header.archive_row
        assert found.header_id.endswith(header.name)
        assert found.exposure_time == pytest.approx(row["exposure"], rel=0.01)
        assert found.obs_type == ("science" if row["dp_cat"] == "SCIENCE" else "calibrator")
        assert found.program_id == row["prog_id"]
        assert found.ob_id == row["ob_id"]
        assert found.technical == row["prog_id"].startswith("60.")
        assert found.pointing_ra == pytest.approx(row["ra"], abs=1e-6)
        assert found.pointing_dec == pytest.approx(row["dec"], abs=1e-5)
        assert find_mode(found.instrument_name, found.instrument_mode).name == found.instrument_mode
        assert found.baselines_origin == (
            "header" if header.damage != "missing_end" else found.baselines_origin
        )


def test_several_modes_of_each_instrument_occur(
    described: list[tuple[DemoHeader, ExposureRecord | Refusal]],
) -> None:
    modes: dict[str, set[str]] = {}
    for _, found in described:
        if isinstance(found, ExposureRecord) and found.instrument_mode:
            modes.setdefault(found.instrument_name, set()).add(found.instrument_mode)
    assert set(modes) == {"MIDI", "AMBER", "PIONIER", "GRAVITY", "MATISSE", "SPICA"}
    assert all(len(names) >= 2 for names in modes.values()), modes


def test_both_detectors_of_matisse_are_one_shutter_opening(
    described: list[tuple[DemoHeader, ExposureRecord | Refusal]],
) -> None:
    pairs: dict[str, list[ExposureRecord]] = {}
    for _, found in described:
        if isinstance(found, ExposureRecord) and found.instrument_name == "MATISSE":
            pairs.setdefault(found.pair_key, []).append(found)
    assert "" not in pairs
    assert {len(records) for records in pairs.values()} == {2}
    assert all(sum(record.time_counted for record in records) == 1 for records in pairs.values())


def test_the_dual_field_sample_has_both_objects() -> None:
    header = dict(samples(SEED))["GRAVITY_science-dual"]
    record = _describe(header)
    assert isinstance(record, ExposureRecord)
    assert record.instrument_submode == "DUAL"
    assert record.ft_target is not None
    assert record.target is not None
    assert record.target.name != record.ft_target.name
    assert record.ft_offset_ra not in (None, 0.0)


def test_every_kind_of_sample_is_taken_or_refused_as_intended() -> None:
    for kind, header in samples(SEED):
        found = _describe(header)
        if isinstance(found, Refusal):
            assert header.expected == "refused", kind
        else:
            assert header.expected == ("exposure" if validation_level(found) == 1 else "invalid"), kind


@pytest.mark.parametrize("kind", ["science", "calibrator"])
def test_samples_of_every_instrument_are_exposures(kind: str) -> None:
    found = {name: header for name, header in samples(SEED) if name.endswith(f"_{kind}")}
    assert len(found) == 7
    for header in found.values():
        record = _describe(header)
        assert isinstance(record, ExposureRecord)
        assert validation_level(record) == 1


@pytest.mark.parametrize(
    ("degrees", "packed"), [(7.432247, 72556.089), (-14.178778, -141043.601), (-0.5034, -3012.24), (0.0, 0.0)]
)
def test_angles_are_packed_as_sexagesimal_numbers(degrees: float, packed: float) -> None:
    assert sexagesimal(degrees) == pytest.approx(packed, abs=0.001)
