"""All real ESO headers through all rules, and headers that were damaged on purpose."""

from __future__ import annotations

import csv
import math
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from eso_headers import changed, codes, paths, raw, real, record_of, refusal_of, text_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from obsportal.exposures.describe import describe, on_sky
from obsportal.exposures.record import ExposureRecord, Level, ObsType, Refusal
from obsportal.exposures.validation import CHECKS, REFUSALS, validation_level
from obsportal.formats.fits_header import Header, HeaderError
from obsportal.interferometry.facility import facility, find_mode
from obsportal.interferometry.geometry import project

ACCEPTED = {"AMBER": 3, "GRAVITY": 24, "MATISSE": 15, "MIDI": 1, "PIONIER": 69}
"""Real headers that are exposures on the sky; two more MATISSE headers are of an internal lamp."""


@pytest.fixture(scope="module")
def records(shared_data: Path) -> dict[Path, ExposureRecord]:
    found = {}
    for path in paths(shared_data):
        outcome = describe(Header.parse(text_of(path)), include_products=True)
        if not isinstance(outcome, Refusal):
            (found[path],) = outcome
    return found


def test_every_real_header_is_accepted_but_the_internal_lamps(
    shared_data: Path, records: dict[Path, ExposureRecord]
) -> None:
    assert Counter(r.instrument_name for r in records.values()) == ACCEPTED
    lamps = [p for p in paths(shared_data) if p not in records]
    assert len(lamps) == 2
    for path in lamps:
        refusal = refusal_of(text_of(path), include_products=True)
        assert refusal.code == "not-on-sky"
        assert "LAMP" in refusal.reason
        assert refusal.header_id.startswith("MATIS.2025-02-10T10:")


def test_without_products_only_the_two_raw_headers_are_accepted(shared_data: Path) -> None:
    outcomes = {p: describe(Header.parse(text_of(p))) for p in paths(shared_data)}
    accepted = [p.name for p, o in outcomes.items() if not isinstance(o, Refusal)]
    assert accepted == [
        "MATIS.2025-05-19T00-43-54.470__raw.hdr",
        "MIDI.2010-08-29T04-16-46.000__raw.hdr",
    ]
    refused = [o for o in outcomes.values() if isinstance(o, Refusal)]
    assert {o.code for o in refused} == {"reduced-product"}
    assert all("PRO CATG is '" in o.reason and o.header_id and o.mjd_start for o in refused)


def test_modes_are_in_the_vocabulary_of_aspro2(records: dict[Path, ExposureRecord]) -> None:
    for record in records.values():
        mode = find_mode(record.instrument_name, record.instrument_mode)
        assert mode.name == record.instrument_mode
        assert mode.variant == record.instrument_variant
        assert record.em_min is not None
        assert record.em_max is not None
        assert mode.wavelength_min - 1e-9 <= record.em_min < record.em_max <= mode.wavelength_max + 1e-9
        assert record.em_res_power == mode.resolution


def test_durations_are_those_of_whole_exposures(records: dict[Path, ExposureRecord]) -> None:
    for path, record in records.items():
        assert record.mjd_start is not None
        assert record.mjd_end is not None
        seconds = (record.mjd_end - record.mjd_start) * 86400
        joined = record.provenance["mjd_end"] == "MJD-END"  # with the gaps between joined exposures
        assert record.exposure_time is not None
        assert -0.001 < seconds - record.exposure_time < (30 if joined else 0.001), path.name
        assert 7.9 < seconds < 500, path.name
        assert record.dit is not None
        assert record.ndit
        day = datetime(1858, 11, 17) + timedelta(days=record.mjd_start - 0.65)  # Paranal's noon is 15 or 16 h
        assert record.night == day.date()


def test_baselines_agree_with_stations_time_and_position(records: dict[Path, ExposureRecord]) -> None:
    vlti = facility("VLTI")
    compared, far = 0, []
    for record in records.values():
        n = len(record.stations)
        assert len(record.baselines) == n * (n - 1) // 2
        assert record.baselines_origin == "header"
        if "product-times-moved" in codes(record):
            continue
        assert record.mjd_start is not None
        assert record.pointing_ra is not None
        assert record.pointing_dec is not None
        theory = project(vlti, record.stations, record.mjd_start, record.pointing_ra, record.pointing_dec)
        for found, expected in zip(record.baselines, theory, strict=True):
            assert (found.first, found.second) == (expected.first, expected.second)
            compared += 1
            assert found.length_start == pytest.approx(expected.length, abs=1.0)
            assert found.angle_start is not None
            turned = abs((found.angle_start - expected.angle + 180) % 360 - 180)
            if turned > 3:
                far.append(record.instrument_name)
    assert compared > 400
    assert set(far) == {"AMBER"}  # angles edited by amdlib


def test_moved_product_times_do_not_make_baselines_disagree(records: dict[Path, ExposureRecord]) -> None:
    disagree = [r.header_id for r in records.values() if "baseline-disagrees" in codes(r)]
    assert disagree == ["AMBER.2010-04-15T07:12:11.258"]


def test_every_field_that_is_set_has_a_provenance(records: dict[Path, ExposureRecord]) -> None:
    explained = {
        "exp_id", "instrument_name", "interferometer_name", "time_origin", "position_origin", "dit", "ndit",
        "obs_type_reason", "obs_type_header", "technical", "interferometer_version", "configuration_basis",
        "baselines_origin", "instrument_variant", "em_min", "em_max", "em_res_power", "wavelength_origin",
        "time_counted", "group_index", "product_category", "messages", "provenance", "chopping", "night",
        "instrument_submode", "pi_coi",
    }  # fmt: skip
    for record in records.values():
        for name in record.__dataclass_fields__:
            value = getattr(record, name)
            if value not in (None, "", (), False) and name not in explained:
                assert record.provenance.get(name), (record.header_id, name)


def test_messages_and_refusals_are_documented_and_no_real_exposure_is_invalid(
    records: dict[Path, ExposureRecord],
) -> None:
    for record in records.values():
        assert codes(record) <= set(CHECKS)
        assert validation_level(record) == 1, record.messages
        assert codes(record) >= {"product-times"} or not record.product_category


def test_identifiers_are_those_of_the_raw_frames(records: dict[Path, ExposureRecord]) -> None:
    for path, record in records.items():
        assert record.exp_id == record.header_id + "_1"
        stem = path.name.partition("__")[0]
        if stem.startswith(("PIONIER.", "GRAVITY.")):
            assert "identifier-derived" in codes(record)
            assert record.header_id.startswith(("PIONI.20", "GRAVI.20"))
            assert len(record.header_id) == len("PIONI.2010-12-07T05:33:29.635")
        else:
            assert record.header_id.replace(":", "-") == stem
    assert len({r.header_id for r in records.values()}) == len(records)


ROWS = ("amber-2013-12-07-raw-frames.csv", "pionier-2014-09-25-raw-frames.csv")


@pytest.mark.parametrize("name", ROWS)
def test_the_rows_of_a_real_night_are_kept_or_dropped_by_their_frame_type(
    shared_data: Path, name: str
) -> None:
    with (shared_data / "eso-tap" / name).open() as file:
        rows = list(csv.DictReader(file))
    kept = [
        r
        for r in rows
        if not on_sky(name.split("-")[0], r["dp_cat"], r["dp_type"], r.get("dp_tech") or "INTERFEROMETRY")
    ]
    on_star = {"OBJECT", "FRINGE,OBJECT"}
    assert kept == [r for r in rows if r["dp_type"] in on_star]
    assert len(kept) == 15
    assert any(r["dp_cat"] == "SCIENCE" and r["dp_type"] in ("DARK", "SKY") for r in rows) == (
        "amber" in name
    )


FRAMES = [
    ("GRAVITY", "SCIENCE", "OBJECT,SINGLE", "INTERFEROMETRY", ""),
    ("GRAVITY", "CALIB", "STD,DUAL", "INTERFEROMETRY", ""),
    ("GRAVITY", "SCIENCE", "SKY,SINGLE", "INTERFEROMETRY", "sky"),
    ("GRAVITY", "CALIB", "WAVE,SC", "INTERFEROMETRY", "WAVE,SC"),
    ("GRAVITY", "CALIB", "P2VM", "INTERFEROMETRY", "P2VM"),
    ("GRAVITY", "TEST", "OBJECT,SINGLE", "INTERFEROMETRY", "TEST"),
    ("GRAVITY", "ACQUISITION", "OBJECT,SINGLE", "INTERFEROMETRY", "ACQUISITION"),
    ("GRAVITY", "SCIENCE", "OBJECT,SINGLE", "IMAGE", "IMAGE"),
    ("GRAVITY", "", "OBJECT,SINGLE", "INTERFEROMETRY", "missing"),
    ("GRAVITY", "SCIENCE", "", "INTERFEROMETRY", "missing"),
    ("MATISSE", "SCIENCE", "OBJECT", "INTERFEROMETRY", ""),
    ("MATISSE", "CALIB", "STD", "INTERFEROMETRY", ""),
    ("MATISSE", "CALIB", "OBJECT,FLUX", "INTERFEROMETRY", ""),
    ("MATISSE", "CALIB", "STD", "IMAGE", "IMAGE"),
    ("MATISSE", "CALIB", "STD,RMNREC", "INTERFEROMETRY", "residual"),
    ("MATISSE", "CALIB", "KAPPA,OBJECT", "INTERFEROMETRY", "KAPPA"),
    ("MATISSE", "CALIB", "WAVE,LAMP,PINHOLE", "INTERFEROMETRY", "WAVE"),
    ("PIONIER", "SCIENCE", "FRINGE,OBJECT", "INTERFEROMETRY", ""),
    ("PIONIER", "SCIENCE", "OBJECT", "IMAGE", ""),
    ("PIONIER", "SCIENCE", "FRINGE,OBJECT", "IMAGE", "IMAGE"),
    ("PIONIER", "CALIB", "KAPPA,OBJECT", "INTERFEROMETRY", "one by one"),
    ("PIONIER", "CALIB", "FRINGE,LAMP", "INTERFEROMETRY", "internal"),
    ("AMBER", "SCIENCE", "OBJECT", "INTERFEROMETRY", ""),
    ("AMBER", "SCIENCE", "FRNSRC,BASE12", "INTERFEROMETRY", "search"),
    ("AMBER", "CALIB", "3P2V", "INTERFEROMETRY", "internal"),
    ("AMBER", "CALIB", "STD", "IMAGE", "image"),
    ("MIDI", "CALIB", "TRACK,OBJECT,DISPERSED", "INTERFEROMETRY", ""),
    ("MIDI", "SCIENCE", "FRINGE_TRACK,OBJECT,FOURIER", "INTERFEROMETRY", ""),
    ("MIDI", "SCIENCE", "TRACK, OBJECT, FOURIER", "INTERFEROMETRY", ""),
    ("MIDI", "SCIENCE", "SEARCH,OBJECT,DISPERSED", "INTERFEROMETRY", "search"),
    ("MIDI", "SCIENCE", "PHOTOMETRY,OBJECT", "INTERFEROMETRY", "one by one"),
    ("MIDI", "CALIB", "COARSE,OBJECT", "IMAGE", "image"),
    ("ESPRESSO", "SCIENCE", "OBJECT", "ECHELLE", "no frame types"),
]


@pytest.mark.parametrize(("instrument", "category", "kind", "technique", "reason"), FRAMES)
def test_a_frame_type_is_an_exposure_or_is_refused_with_its_value(
    instrument: str, category: str, kind: str, technique: str, reason: str
) -> None:
    said = on_sky(instrument, category, kind, technique)
    assert bool(said) == bool(reason)
    assert reason in said


def test_the_archive_row_gives_what_headers_do_not_have(shared_data: Path) -> None:
    with (shared_data / "eso-tap" / "query_main_sgra.csv").open() as file:
        row = next(csv.DictReader(file))
    text = changed(real(shared_data, "MATIS.2025-05-19T00-43"), ESO_OBS_PROG_ID=None, ESO_OBS_ID=None)
    record = record_of(text, archive_row=row)
    assert record.release_date == datetime(2014, 8, 27, 4, 3, 31, 840_000, tzinfo=UTC)
    assert record.last_modified == datetime(2013, 8, 27, 4, 2, 35, 663_000, tzinfo=UTC)
    assert record.pi_coi.startswith("GILLESSEN/ GENZEL/")
    assert record.program_title.startswith("WATCHING THE GAS CLOUD G2")
    assert record.program_id == "091.B-0088(B)"
    assert record.ob_id == 200282039
    assert record.provenance["program_id"] == "archive prog_id"


def test_the_archive_row_stands_in_for_missing_frame_types(shared_data: Path) -> None:
    text = changed(real(shared_data, "MATIS.2025-05-19T00-43"), ESO_DPR_CATG=None, ESO_DPR_TYPE=None)
    assert refusal_of(text).code == "not-on-sky"
    assert record_of(text, archive_row={"dp_cat": "CALIB", "dp_type": "STD"}).obs_type is ObsType.CALIBRATOR
    assert refusal_of(text, archive_row={"dp_cat": "CALIB", "dp_type": "DARK"}).code == "not-on-sky"


def test_a_header_names_its_own_frame_unless_told_otherwise(shared_data: Path) -> None:
    text = real(shared_data, "MATIS.2025-05-19T00-43")
    assert record_of(text).header_id == "MATIS.2025-05-19T00:43:54.470"
    assert record_of(text, header_id="MATIS.2025-05-19T00:43:54.471.fits").header_id.endswith(".471")
    page = changed(text, ARCFILE=None).replace("\nEND", "\nDP.ID   = 'MATIS.2025-05-19T00:43:54.470'\nEND", 1)
    assert record_of(page).header_id == "MATIS.2025-05-19T00:43:54.470"
    nameless = changed(text, ARCFILE=None)
    assert record_of(nameless).header_id == "MATIS.2025-05-19T00:43:54.469"
    assert refusal_of(changed(nameless, DATE__OBS=None)).code == "no-identifier"


def test_an_instrument_without_rules_is_refused_by_name(shared_data: Path) -> None:
    text = real(shared_data, "MATIS.2025-05-19T00-43")
    refusal = refusal_of(changed(text, INSTRUME="ESPRESSO"))
    assert refusal.code == "unknown-instrument"
    assert "'ESPRESSO'" in refusal.reason
    assert "GRAVITY" in refusal.reason
    assert refusal.header_id == "MATIS.2025-05-19T00:43:54.470"
    assert refusal_of(changed(text, INSTRUME=None)).code == "unknown-instrument"
    assert record_of(changed(text, INSTRUME="matisse  ")).instrument_name == "MATISSE"


KEYS = """RA, DEC, MJD-OBS, DATE-OBS, MJD-END, EXPTIME, ARCFILE, ESO ISS CONF NTEL, ESO ISS CONF STATION1,
ESO ISS PBL12 START, ESO ISS PBL12 END, ESO ISS PBLA12 START, ESO ISS AMBI TAU0 START, ESO ISS CHOP ST,
ESO ISS REF RA, ESO OBS ID, ESO OBS CONTAINER ID, ESO OBS TARG NAME, ESO TPL START, ESO TPL EXPNO,
ESO DET DIT, ESO DET NDIT, ESO DET2 SEQ1 DIT, ESO DET2 NDIT, ESO DET SEQ1 EXPTIME, ESO DET CHIP NAME,
ESO DET WIN MTRH2, ESO INS MODE, ESO INS SPEC RES, ESO INS SOBJ X, ESO INS GRAT1 WLEN, ESO INS OPTI3 NAME,
ESO FT ROBJ DELTA, ESO OCS EXPO FILENO, ESO SEQ DIL WL0, ESO DPR CATG, ESO PRO CATG""".replace(
    "\n", " "
).split(", ")
VALUES = st.one_of(
    st.sampled_from(
        ["", "T", "'T'", "NaN", "-596.52323555", "1e308", "-1e308", "0", "-1", "'UNKNOWN'", "'é'", "1D400"]
    ),
    st.floats().map(repr),
    st.integers(-(10**25), 10**25).map(str),
    st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40).map(lambda t: f"'{t}'"),
    st.datetimes().map(lambda d: f"'{d.isoformat()}'"),
)


@given(
    st.integers(0, 10_000),
    st.dictionaries(st.sampled_from(KEYS), st.one_of(st.none(), VALUES), max_size=8),
    st.booleans(),
)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_header_makes_the_rules_raise(
    shared_data: Path, which: int, cards: dict[str, str | None], products: bool
) -> None:
    files = paths(shared_data)
    text = text_of(files[which % len(files)])
    dropped = tuple(f"HIERARCH {k} " if " " in k else f"{k:<8}=" for k in cards)
    kept = [line for line in text.split("\n") if not line.startswith(dropped) and not line.startswith("END")]
    added = [f"{'HIERARCH ' if ' ' in k else ''}{k:<8}= {v}" for k, v in cards.items() if v is not None]
    try:
        header = Header.parse("\n".join([*kept, *added, "END"]))
    except HeaderError:
        return
    outcome = describe(header, include_products=products)
    if isinstance(outcome, Refusal):
        assert outcome.code in REFUSALS
        assert outcome.reason
        return
    for record in outcome:
        assert record.header_id
        assert codes(record) <= set(CHECKS)
        assert all(m.level in Level for m in record.messages)
        assert record.target is not None
        for value in (record.target.ra, record.target.dec, record.mjd_end, record.seeing, record.tau0):
            assert value is None or math.isfinite(value)


def test_a_raw_header_made_of_a_product_is_described_alike(shared_data: Path) -> None:
    text = real(shared_data, "GRAVI.2020-01-27T03")
    product, frame = record_of(text), record_of(raw(text, "SCIENCE", "OBJECT,SINGLE"), include_products=False)
    assert (product.time_origin, frame.time_origin) == ("product", "header")
    assert codes(frame) == set()
    for name in ("header_id", "mjd_start", "mjd_end", "baselines", "target", "instrument_mode", "obs_type"):
        assert getattr(product, name) == getattr(frame, name)


def test_every_single_integration_says_which_keyword_gave_it(shared_data: Path) -> None:
    for path in sorted((shared_data / "headers").glob("*/*.hdr")):
        if path.parent.name == "CHARA":
            continue
        header = Header.parse(path.read_text(encoding="latin-1"))
        found = describe(header, include_products=True)
        if isinstance(found, Refusal):
            continue
        for name in ("dit", "ndit"):
            value, keyword = getattr(found[0], name), found[0].provenance.get(name)
            assert (value is None) == (keyword is None), path.name
            assert keyword is None or header.number(keyword) == value, path.name
