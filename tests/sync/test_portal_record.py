"""What a row of another portal becomes."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from portal_stand_in import BASELINES, document, row

from obsportal.exposures.baseline_text import baselines_to_text
from obsportal.exposures.projection import columns
from obsportal.exposures.record import Baseline, ExposureRecord, Level
from obsportal.exposures.validation import CHECKS as COMMON_CHECKS
from obsportal.formats.portal_votable import PortalAnswer, PortalRow
from obsportal.sync.portal_record import CHECKS, REFUSALS, RowRefusedError, baselines, describe_row

PORTAL = "http://obs.example.org"
DOCS = Path(__file__).resolve().parents[2] / "docs"


def described(**cells: str) -> ExposureRecord:
    (found,) = PortalAnswer().rows([document([row(**cells)], tuple(row(**cells)))])
    assert isinstance(found, PortalRow)
    return describe_row(found, PORTAL)


def said(record: ExposureRecord, level: Level | None = None) -> list[str]:
    return [m.code for m in record.messages if level in (None, m.level)]


def test_a_sound_row_becomes_a_sound_exposure() -> None:
    record = described()
    assert said(record) == []
    assert (record.header_id, record.ob_id) == ("GRAVI.2020-01-09T03:34:07.546", 44050)
    assert (record.instrument_variant, record.instrument_mode) == ("GRAVITY", "HIGH-COMBINED")
    assert (record.night, record.configuration) == (date(2020, 1, 8), "UTs")
    assert record.interferometer_version == "Period 104"
    assert baselines_to_text(record.baselines) == BASELINES
    assert record.provenance["portal"] == PORTAL
    values = columns(record)
    assert (values["exp_validation_level"], values["pointing_ra"]) == (1, 111.483684)
    assert values["obs_program_root"] == "0104.C-0425"


def test_the_real_rows_become_exposures_of_the_level_they_had(shared_data: Path) -> None:
    for path in sorted((shared_data / "aspro" / "obsportal").glob("*.xml")):
        for found in PortalAnswer().rows([path.read_bytes()]):
            assert isinstance(found, PortalRow)
            values = columns(describe_row(found, PORTAL))
            assert values["exp_validation_level"] == found.exp_validation_level
            assert tuple(json.loads(values["exp_validation_log"] or "[]")) == found.exp_validation_log
            assert values["exp_projected_baselines"] == found.exp_projected_baselines


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"exp_id": ""}, "exp_id is empty"),
        ({"exp_id": "x" * 121}, "at most 120 printable"),
        ({"exp_id": "a\tb"}, "exp_id is 'a"),
        ({"instrument_name": ""}, "instrument_name is empty"),
        ({"instrument_name": "An instrument of a long name"}, "at most 20 printable"),
        ({"obs_type": ""}, "obs_type is '': allowed are science, calibrator"),
        ({"obs_type": "dark"}, "obs_type is 'dark'"),
        ({"interferometer_name": "", "instrument_name": "XYZ"}, "no interferometer has an instrument 'XYZ'"),
    ],
)
def test_a_row_that_cannot_be_an_exposure_is_refused_with_the_cell(cells: dict[str, str], words: str) -> None:
    with pytest.raises(RowRefusedError) as caught:
        described(**cells)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("cells", "field", "value"),
    [
        ({"obs_type": "CALIBRATOR"}, "obs_type", "calibrator"),
        ({"interferometer_name": ""}, "interferometer_name", "VLTI"),
        ({"interferometer_stations": "UT1 UT2 UT3 UT4"}, "stations", ("U1", "U2", "U3", "U4")),
        ({"interferometer_stations": "K0 A1 G1 J3"}, "stations", ("K0", "A1", "G1", "J3")),
        ({"instrument_name": "GRAVI"}, "instrument_name", "GRAVITY"),
        ({"instrument_name": "MATISSE", "instrument_mode": "HIGH_SENS_N_LOW"}, "instrument_variant", "MATISSE_N"),
        ({"target_name": "-"}, "target.name", ""),
        ({"target_ra": "0", "target_dec": "0"}, "pointing_ra", None),
        ({"target_ra": "361"}, "pointing_dec", None),
        ({"exp_header_id": ""}, "header_id", "GRAVI.2020-01-09T03:34:07.546"),
        ({"instrument_em_min": "", "instrument_em_max": "NaN"}, "wavelength_origin", "mode"),
        ({"interferometer_version": "Period 99"}, "interferometer_version", "Period 99"),
        ({"exp_mjd_start": "1e300"}, "night", None),
        ({"interferometer_name": "NPOI", "instrument_name": "VISION"}, "interferometer_name", "NPOI"),
    ],
)  # fmt: skip
def test_cells_are_understood_as_people_mean_them(cells: dict[str, str], field: str, value: Any) -> None:
    found: Any = described(**cells)
    for part in field.split("."):
        found = getattr(found, part)
    assert found == value


def test_a_mode_that_is_not_known_here_is_left_out_and_told() -> None:
    record = described(instrument_mode="ULTRA")
    assert record.instrument_mode == ""
    (told,) = [m for m in record.messages if m.code == "unknown-mode"]
    assert "'ULTRA'" in told.text
    assert columns(record)["exp_validation_level"] == 0


def test_what_the_portal_found_wrong_is_kept_word_for_word_and_ours_is_not_added() -> None:
    log = ["Missing 'EXPTIME'", "Something else"]
    record = described(
        exp_validation_level="0", exp_validation_log=json.dumps(log), exp_projected_baselines=""
    )
    assert said(record, Level.ERROR) == ["portal-finding", "portal-finding"]
    values = columns(record)
    assert (values["exp_validation_level"], json.loads(values["exp_validation_log"])) == (0, log)


@pytest.mark.parametrize("level", ["1", "2", ""])
def test_where_the_portal_finds_nothing_our_checks_decide(level: str) -> None:
    record = described(exp_validation_level=level, exp_projected_baselines="", exp_validation_log='["hm"]')
    assert said(record, Level.ERROR) == ["no-usable-baseline"]
    assert "portal-remark" in said(record, Level.WARNING)
    assert said(described(exp_validation_level=level)) == []


def test_a_row_marked_invalid_without_a_reason_stays_invalid() -> None:
    assert said(described(exp_validation_level="0"), Level.ERROR) == ["portal-finding"]
    assert said(described(exp_validation_level="0", exp_projected_baselines=""), Level.ERROR) == [
        "no-usable-baseline"
    ]


def test_a_cell_that_cannot_be_read_is_told_with_the_exposure() -> None:
    record = described(exp_seeing="good", exp_projected_baselines="[1]")
    assert said(record, Level.WARNING) == ["portal-value", "portal-value"]
    assert record.seeing is None
    assert record.baselines == ()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ()),
        ("{}", ()),
        ("None", ()),
        (BASELINES, (Baseline("U1", "U2", 55.904, 55.897, 3.3, 4.0),)),
        (BASELINES.replace("'55.8970'", "None"), (Baseline("U1", "U2", 55.904, None, 3.3, 4.0),)),
        (BASELINES.replace("'55.8970'", "55.8970"), (Baseline("U1", "U2", 55.904, 55.897, 3.3, 4.0),)),
        (BASELINES.replace("'55.8970'", "'nan'"), (Baseline("U1", "U2", 55.904, None, 3.3, 4.0),)),
        (BASELINES.replace("'", '"'), (Baseline("U1", "U2", 55.904, 55.897, 3.3, 4.0),)),
        (
            BASELINES.replace("'", '"').replace('"55.8970"', "null"),
            (Baseline("U1", "U2", 55.904, None, 3.3, 4.0),),
        ),
    ],
)
def test_projected_baselines_are_read_as_written_or_as_json(text: str, found: tuple[Baseline, ...]) -> None:
    assert baselines(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "55.9",
        "{'A0-G1': {'length': 90.507, 'angle': 114.8}}",
        BASELINES[:-1],
        BASELINES + BASELINES,
        BASELINES.replace("U1-U2", "U1"),
        BASELINES.replace("'55.8970'", "'x'"),
        BASELINES.replace("'U1-U2'", '"U1\'-U2"'),
        "{" * 15_000,
        "{" + "'a': {" * 3000 + "}" * 3001,
        "{'U1-U2': " + "-" * 15_000 + "1}",
        "{'U1-U2': 1" + "+1" * 5000 + "}",
        "{'U1-U2': __import__('os').getcwd()}",
        "{**{}}",
        "{" + "'a': 1, " * 4000 + "}",
    ],
)
def test_what_is_no_table_of_baselines_is_refused_unread(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a dictionary|JSON|Expecting|Extra|convert"):
        baselines(text)


@given(st.text("{}'\"-:,.0123456789eUlengthastrd None\\[]()*", max_size=80))
@example("{" * 500)
def test_no_text_of_baselines_raises_anything_but_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert all(isinstance(b, Baseline) for b in baselines(text))


NUMBERS = st.none() | st.floats(-1000, 1000).map(lambda x: round(x, 4) + 0.0)
NAMES = st.text("ABCDEFGHIJKLMUSWEN0123456789", min_size=1, max_size=4)
TABLES = st.lists(
    st.builds(Baseline, NAMES, NAMES, NUMBERS, NUMBERS, NUMBERS, NUMBERS),
    max_size=6,
    unique_by=lambda b: (b.first, b.second),
)


@given(TABLES)
def test_baselines_that_our_portal_writes_come_back_as_they_were(found: list[Baseline]) -> None:
    assert baselines(baselines_to_text(found)) == tuple(found)


def test_every_code_is_in_the_operators_documentation_and_is_no_other_checks() -> None:
    text = (DOCS / "operator.md").read_text()
    for code in (*CHECKS, *REFUSALS):
        assert f"`{code}`" in text
        assert code not in COMMON_CHECKS
