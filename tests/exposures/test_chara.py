"""CHARA nights: grouping, splitting, joining."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from obsportal.exposures import chara_array
from obsportal.exposures.chara import (
    DEFAULT_LINE_S,
    describe_log,
    group_frames,
    join_log,
)
from obsportal.exposures.chara_checks import CHECKS, REFUSALS
from obsportal.exposures.record import ExposureRecord, Level, ObsType, Refusal
from obsportal.formats.fits_header import Header
from obsportal.interferometry.times import lst_deg

COLUMNS = "UT-DATE,STAR,PI,PROGRAM,COMBINER,TYPE,MJD,FILTER,SCOPES,B1,B2,B3,T0_OBS,T0_500nm,RA,DEC,DURATION"
NIGHT = 59818.35  # 2022-08-27, HD 698 is high over CHARA
HD_698 = (2.9047792, 58.2118306)


def lengths(scopes: str, mjd: float, ra: float, dec: float) -> list[str]:
    found = chara_array.lookup_angles(scopes.split("/"), mjd, ra, dec)
    return [*(f"{baseline.length:.2f}" for baseline in found), "0", "0"][:3]


def line(minutes: float = 0.0, **changes: str) -> str:
    mjd = NIGHT + minutes / 1440
    cells = {
        "UT-DATE": "2022-08-27", "STAR": "HD_698", "PI": "Monnier, J.", "PROGRAM": "M12",
        "COMBINER": "CLIMB", "TYPE": "OBJ", "MJD": f"{mjd:.6f}", "FILTER": "K'", "SCOPES": "S1/E1/W1",
        "T0_OBS": "", "T0_500nm": "8.0", "RA": str(HD_698[0]), "DEC": str(HD_698[1]), "DURATION": "",
    }  # fmt: skip
    cells.update(changes)
    b1, b2, b3 = lengths("S1/E1/W1" if len(cells["SCOPES"]) > 5 else "S1/E1", mjd, *HD_698)
    cells = {"B1": b1, "B2": b2, "B3": b3, **cells}
    return ",".join(f'"{cells[name]}"' for name in COLUMNS.split(","))


def log(*lines: str) -> str:
    return "\n".join([COLUMNS, *lines]) + "\n"


def records(*lines: str) -> list[ExposureRecord]:
    found = describe_log(log(*lines))
    assert not found.refusals
    return found.records


def codes(record: ExposureRecord) -> set[str]:
    return {message.code for message in record.messages}


def seconds(record: ExposureRecord) -> float:
    assert record.mjd_start is not None
    assert record.mjd_end is not None
    return (record.mjd_end - record.mjd_start) * 86400


def frame(minutes: float, **changes: object) -> tuple[str, Header]:
    """A raw MIRC-X frame of 10 s and the name of its file."""
    unix = (NIGHT + minutes / 1440 - 40587) * 86400
    cards: dict[str, object] = {
        "SIMPLE": True, "INSTRUME": "MIRC-X", "OBJECT": "HD_698", "FILETYPE": "DATA", "CONF_NA": "H_PRISM50",
        "GAIN": 60, "STARTFR": 1, "LASTFR": 1000, "EXPOSURE": 10.0, "TIME_S": int(unix),
        "TIME_US": round((unix - int(unix)) * 1e9), "RA": "00:11:37.147", "DEC": "58:12:42.59",
    }  # fmt: skip
    cards.update(changes)
    texts = ("T" if v is True else f"'{v}'" if isinstance(v, str) else repr(v) for v in cards.values())
    cards_text = [f"{key:<8}= {text}" for key, text in zip(cards, texts, strict=True)]
    return f"mircx{minutes:06.2f}.fits", Header.parse("\n".join([*cards_text, "END", ""]))


def test_consecutive_lines_of_one_setting_are_one_exposure_to_the_end_of_the_last() -> None:
    (record,) = records(line(0), line(5), line(10))
    assert record.header_id == "CHARA.CLIMB.2022-08-27T08:24:00.000"
    assert record.exp_id == record.header_id + "_1"
    assert record.mjd_start == pytest.approx(NIGHT, abs=1e-6)
    assert seconds(record) == pytest.approx(900, abs=0.5)
    assert record.provenance["mjd_end"] == "last line + median step between lines"
    assert (record.program_id, record.pi_coi) == ("M12", "Monnier, J.")
    assert (record.instrument_name, record.instrument_mode) == ("CLIMB", "K-Prime")
    assert (record.stations, record.interferometer_version) == (("S1", "E1", "W1"), "2022B")
    assert record.configuration_basis == "offered"
    assert str(record.night) == "2022-08-26"
    assert record.tau0 == pytest.approx(0.008)
    assert [(b.first, b.second) for b in record.baselines] == [("S1", "E1"), ("S1", "W1"), ("E1", "W1")]
    assert not record.messages


def test_a_single_line_has_the_default_length_and_says_so() -> None:
    (record,) = records(line(0))
    assert seconds(record) == pytest.approx(DEFAULT_LINE_S, abs=0.5)
    assert "length-assumed" in codes(record)
    assert "default length" in record.provenance["mjd_end"]


def test_a_stated_duration_is_used_and_counted_as_integration() -> None:
    (record,) = records(line(0, DURATION="200"), line(5, DURATION="200"))
    assert seconds(record) == pytest.approx(500, abs=0.5)
    assert record.exposure_time == pytest.approx(400)
    assert "length-assumed" not in codes(record)


def test_a_block_ends_where_the_next_line_of_the_same_combiner_begins() -> None:
    science, calibrator = records(line(0), line(3, STAR="HD_886", TYPE="CAL1"))
    assert seconds(science) == pytest.approx(180, abs=0.5)
    assert calibrator.obs_type is ObsType.CALIBRATOR


@pytest.mark.parametrize(
    "changes",
    [
        {"STAR": "HD_886"},
        {"FILTER": "H"},
        {"SCOPES": "S1/E1/W2"},
        {"PROGRAM": "M13"},
        {"TYPE": "CAL1"},
    ],
)
def test_another_star_or_setting_begins_another_block(changes: dict[str, str]) -> None:
    assert len(records(line(0), line(5, **changes), line(10))) == 3


def test_a_gap_begins_another_block_and_another_combiner_does_not_interrupt() -> None:
    assert len(records(line(0), line(25))) == 2
    found = records(line(0), line(2, COMBINER="PAVO", FILTER="R"), line(5))
    assert [record.instrument_name for record in found] == ["CLIMB", "PAVO"]


def test_the_same_log_gives_the_same_identifiers_in_any_order_of_lines() -> None:
    lines = [line(0), line(5), line(30), line(40, STAR="HD_886"), line(2, COMBINER="PAVO", FILTER="R")]
    once = describe_log(log(*lines))
    again = describe_log(log(*reversed(lines)))
    assert [record.exp_id for record in once.records] == [record.exp_id for record in again.records]
    assert len({record.exp_id for record in once.records}) == len(once.records) == 4


def test_two_blocks_that_begin_together_keep_identifiers_of_their_own() -> None:
    found = records(line(0, SCOPES="S1/E1", COMBINER="CLASSIC"), line(0, SCOPES="W1/W2", COMBINER="CLASSIC"))
    assert len({record.exp_id for record in found}) == 2


@pytest.mark.parametrize(
    ("kind", "role"),
    [
        ("OBJ", ObsType.SCIENCE),
        ("CAL1", ObsType.CALIBRATOR),
        ("CAL2", ObsType.CALIBRATOR),
        ("CHK", ObsType.CALIBRATOR),
        ("UNKNO", ObsType.SCIENCE),
    ],
)
def test_each_type_has_a_role_with_its_reason_and_stays_verbatim(kind: str, role: ObsType) -> None:
    (record,) = records(line(0, TYPE=kind))
    assert (record.obs_type, record.obs_type_header) == (role, kind)
    assert kind in record.obs_type_reason
    assert ("role-unknown" in codes(record)) == (kind == "UNKNO")


@pytest.mark.parametrize(
    ("combiner", "filter_text", "name", "mode"),
    [
        ("CLASSIC", "K'", "CLASSIC", "K-Prime"),
        ("classic", "K_PRIME", "CLASSIC", "K-Prime"),
        ("CLIMB1", "Kp", "CLIMB", "K-Prime"),
        ("CLIMB", "H-band", "CLIMB", "H"),
        ("JouFLU", "K", "JOUFLU", "K-Prime"),
        ("PAVO", "R", "PAVO", "R"),
        ("MIRC", "H-PRISM50", "MIRC", "Low_H"),
        ("MIRC-X", "PRISM50", "MIRCX", "Low_H"),
        ("MIRCX", "H_GRISM190", "MIRCX", "Medium_H"),
        ("MYSTIC", "PRISM49", "MIRCX-MYSTIC", "Low_K"),
        ("VEGA", "MR656", "VEGA", "R2656"),
        ("SPICA", "MR855", "SPICA", "MR850"),
    ],
)
def test_combiner_and_filter_give_the_instrument_and_mode_of_aspro2(
    combiner: str, filter_text: str, name: str, mode: str
) -> None:
    (record,) = records(line(0, COMBINER=combiner, FILTER=filter_text))
    assert (record.instrument_name, record.instrument_mode) == (name, mode)
    assert record.em_min is not None
    assert record.header_id.startswith(f"CHARA.{combiner.upper().replace('-', '')}.2022")


def test_an_unknown_filter_keeps_the_exposure_without_mode_and_names_the_known_ones() -> None:
    (record,) = records(line(0, FILTER="Z"))
    assert record.instrument_mode == ""
    assert "K-Prime" in next(m.text for m in record.messages if m.code == "unknown-mode")


def test_bad_lines_are_refused_alone_with_their_place_and_the_rest_goes_on() -> None:
    found = describe_log(
        log(line(0), line(5, COMBINER="SILMARIL"), line(6, MJD="x"), line(7, STAR="HD_1")), source="night.csv"
    )
    assert len(found.records) == 2
    by_id = {refusal.header_id: refusal for refusal in found.refusals}
    assert set(by_id) == {"night.csv:3", "night.csv:4"}
    assert by_id["night.csv:3"].code == "log-line-refused"
    assert "line 3, column COMBINER: 'SILMARIL' is not" in by_id["night.csv:3"].reason
    assert "CLIMB" in by_id["night.csv:3"].reason


def test_a_repeated_line_is_counted_once_and_named() -> None:
    found = describe_log(log(line(0), line(5), line(5)))
    assert len(found.records) == 1
    assert [refusal.reason for refusal in found.refusals] == ["line 4 repeats line 3"]


def test_a_log_that_lacks_a_column_is_one_refusal() -> None:
    found = describe_log(log(line(0)).replace("SCOPES", "ELSE"), source="night.csv")
    assert not found.records
    assert [(refusal.header_id, refusal.code) for refusal in found.refusals] == [
        ("night.csv", "log-column-missing")
    ]


def test_positions_come_from_the_resolver_asked_once_by_usual_spellings() -> None:
    asked: list[str] = []

    def position_of(name: str) -> tuple[float, float] | None:
        asked.append(name)
        return HD_698 if name == "HD 698" else None

    lines = [line(minute, RA="", DEC="", STAR="HD_698_A") for minute in (0, 30)]
    found = describe_log(log(*lines), position_of=position_of).records
    assert [record.pointing_ra for record in found] == [HD_698[0]] * 2
    assert all(len(record.baselines) == 3 for record in found)
    assert asked == ["HD_698_A", "HD 698 A", "HD_698", "HD 698"]


def test_without_position_the_record_stays_with_an_error_and_no_baselines() -> None:
    (record,) = describe_log(log(line(0, RA="", DEC=""))).records
    assert record.baselines == ()
    assert "position-missing" in {m.code for m in record.messages if m.level is Level.ERROR}
    assert (record.target.name if record.target else "") == "HD 698"


def test_logged_lengths_further_than_a_metre_from_the_computed_are_warned_of() -> None:
    b1, b2, b3 = lengths("S1/E1/W1", NIGHT, *HD_698)
    (right,) = records(line(0, B1=b3, B2=b1, B3=b2))
    assert "lengths-disagree" not in codes(right)
    (wrong,) = records(line(0, B1=f"{float(b1) - 5:.2f}"))
    text = next(m.text for m in wrong.messages if m.code == "lengths-disagree")
    assert "line 2 logs" in text
    (pair,) = records(line(0, B1=b1, B2="0", B3="0"))
    assert "lengths-disagree" not in codes(pair)


def test_the_observed_coherence_time_is_scaled_to_500_nm_only_where_that_one_is_missing() -> None:
    (both,) = records(line(0, T0_OBS="50", T0_500nm="8"))
    (one,) = records(line(0, T0_OBS="50", T0_500nm=""))
    assert both.tau0 == pytest.approx(0.008)
    assert one.tau0 == pytest.approx(0.050 * (0.5 / 2.135) ** 1.2)


def longest_turn(record: ExposureRecord) -> float:
    turns = [
        abs((b.angle_end - b.angle_start + 180) % 360 - 180)
        for b in record.baselines
        if b.angle_end is not None and b.angle_start is not None
    ]
    return max(turns)


@settings(max_examples=25, deadline=None)
@given(
    dec=st.floats(0, 89), hour_angle=st.floats(-60, 0), step=st.floats(2, 19), count=st.integers(1, 12),
    scopes=st.sampled_from(["S1/S2", "E1/E2", "S1/E1/W1", "S1S2E1E2W1W2"]),
)  # fmt: skip
def test_no_baseline_on_a_star_above_20_degrees_turns_by_ten_and_no_time_is_lost(
    dec: float, hour_angle: float, step: float, count: int, scopes: str
) -> None:
    ra = (lst_deg(NIGHT, chara_array.array().longitude_deg) - hour_angle) % 360
    lines = [
        line(k * step, RA=repr(ra), DEC=repr(dec), SCOPES=scopes, B1="100", DURATION=repr(step * 60))
        for k in range(count)
    ]
    found = records(*lines)
    assert max(map(longest_turn, found)) < 10
    assert [record.exp_id.rsplit("_", 1)[1] for record in found] == [str(n + 1) for n in range(len(found))]
    assert len({record.header_id for record in found}) == 1
    assert found[0].mjd_start == pytest.approx(NIGHT, abs=1e-6)
    assert sum(map(seconds, found)) == pytest.approx(count * step * 60, abs=1)
    assert all(a.mjd_end == b.mjd_start for a, b in pairwise(found))


def test_a_star_below_the_horizon_is_not_cut_into_slivers_and_its_turn_is_an_error() -> None:
    (record,) = records(line(0, RA="243", DEC="4", SCOPES="S1S2E1E2W1W2", B1="100", DURATION="15"))
    assert "angle-jump" in {m.code for m in record.messages if m.level is Level.ERROR}


def test_frames_of_a_night_become_blocks_by_setting_and_gap() -> None:
    night = [frame(k / 5) for k in range(20)]  # a frame each 12 s
    night += [frame(20 + k / 5) for k in range(5)]  # after a gap
    night += [frame(22 + k / 5, OBJECT="HD_886", RA="00:13:14.15", DEC="15:11:01") for k in range(5)]
    night += [frame(k / 5, INSTRUME="MYSTIC", CONF_NA="PRISM49") for k in range(20)]
    night += [frame(30, FILETYPE="BACKGROUND"), frame(31, OBJECT="STS")]
    found = group_frames(reversed(night))
    assert [(b.header_id[:6], len(b.records), len(b.sources)) for b in found.blocks] == [
        ("MIRCX.", 1, 20), ("MIRCX.", 1, 5), ("MIRCX.", 1, 5), ("MYSTIC", 1, 20),
    ]  # fmt: skip
    first = found.records[0]
    assert seconds(first) == pytest.approx(19 * 12 + 10, abs=0.01)
    assert (first.ndit, first.exposure_time) == (20_000, pytest.approx(200.0))
    assert first.header_id == "MIRCX.2022-08-27T08:24:00.000"
    assert sorted(refusal.code for refusal in found.refusals) == ["internal-source", "not-on-sky"]


def test_a_long_block_of_frames_is_cut_between_frames_before_a_baseline_turns_too_far() -> None:
    found = group_frames(frame(k / 5) for k in range(900))  # three hours
    (block,) = found.blocks
    assert len(block.records) > 3
    assert max(map(longest_turn, block.records)) < 10
    assert sum(record.ndit or 0 for record in block.records) == 900_000
    assert all(a.mjd_end < b.mjd_start for a, b in pairwise(block.records))  # type: ignore[operator]


def test_the_same_frame_twice_counts_once_and_is_named() -> None:
    name, header = frame(0)
    found = group_frames([(name, header), (name + ".fz", header)])
    assert [block.sources for block in found.blocks] == [(name,)]
    assert [(refusal.header_id, refusal.code) for refusal in found.refusals] == [
        (name + ".fz", "frame-repeated")
    ]


def test_frames_take_programme_role_and_stations_from_the_log_and_replace_its_entry() -> None:
    frames = group_frames(frame(k / 5) for k in range(20)).records
    entries = records(
        line(
            1,
            STAR="HD 698",
            COMBINER="MIRC-X",
            FILTER="H_PRISM50",
            SCOPES="S1S2E1E2W1",
            TYPE="CAL1",
            B1="100",
        ),
        line(1, STAR="HD 698", COMBINER="MYSTIC", FILTER="PRISM49", B1="100"),
        line(60, STAR="HD 698", COMBINER="MIRC-X", FILTER="H_PRISM50", PROGRAM="M13", B1="100"),
    )
    joined = join_log(frames, entries)
    first = joined.records[0]
    assert (first.program_id, first.pi_coi) == ("M12", "Monnier, J.")
    assert (first.obs_type, first.obs_type_header) == (ObsType.CALIBRATOR, "CAL1")
    assert first.stations == ("S1", "S2", "E1", "E2", "W1")
    assert len(first.baselines) == 10
    assert first.tau0 == pytest.approx(0.008)
    assert not {"role-unknown", "stations-assumed"} & codes(first)
    assert first.provenance["program_id"].startswith("observing log")
    assert [log_id[:31] for log_id, _ in joined.pairs] == ["CHARA.MIRCX.2022-08-27T08:24:59"]
    assert [record.header_id[:12] for record in joined.records[1:]] == ["CHARA.MIRCX.", "CHARA.MYSTIC"]


def test_a_log_entry_of_another_star_or_time_is_not_joined() -> None:
    frames = group_frames([frame(0)]).records
    far = {"RA": "10", "DEC": "20"}
    entries = records(
        line(0, STAR="HD 886", COMBINER="MIRCX", FILTER="Low_H", **far),
        line(40, COMBINER="MIRCX", FILTER="Low_H"),
    )
    joined = join_log(frames, entries)
    assert joined.pairs == []
    assert len(joined.records) == 3
    assert joined.records[0].program_id == ""


def test_a_star_of_another_name_at_the_same_position_is_the_same_star() -> None:
    frames = group_frames([frame(0)]).records
    joined = join_log(frames, records(line(0, STAR="V742 Cas", COMBINER="MIRCX", FILTER="Low_H")))
    assert joined.records[0].program_id == "M12"


def test_two_programmes_at_one_time_are_warned_of_and_the_longer_shared_is_taken() -> None:
    frames = group_frames(frame(k / 5) for k in range(20)).records
    entries = records(
        line(0, COMBINER="MIRCX", FILTER="Low_H"), line(3, COMBINER="MIRCX", FILTER="Low_H", PROGRAM="M13")
    )
    (first, *_) = join_log(frames, entries).records
    assert first.program_id == "M12"
    assert "M12, M13" in next(m.text for m in first.messages if m.code == "programme-ambiguous")


@given(st.text(max_size=300) | st.binary(max_size=300))
def test_any_content_gives_refusals_and_never_an_exception(content: str | bytes) -> None:
    found = describe_log(content)
    assert not found.records
    assert all(isinstance(refusal, Refusal) for refusal in found.refusals)
    assert found.refusals


MEASURED = (
    "CHARA_MIRCX_L2.2022Aug27.HD_698.oifits",
    "MIRCX_L2.2021Dec18.kap_Dra.MIRCX_IDL.1.SPLIT.oifits",
    "MIRCX_L2.2021Jun01.12_Vul.MIRCX_IDL.1.SPLIT.oifits",
    "MIRCX_L2.2023Oct14._bet_Ari.MIRCX_IDL.nn.AVG10m.fits",
)


@pytest.mark.parametrize("name", MEASURED)
def test_computed_baselines_agree_with_the_measured_ones_of_a_real_file(shared_data: Path, name: str) -> None:
    with fits.open(shared_data / "oifits" / "real" / "mircx" / name) as hdus:
        target = hdus["OI_TARGET"].data[0]
        stations = {row["STA_INDEX"]: row["STA_NAME"].strip() for row in hdus["OI_ARRAY"].data}
        rows = [row for hdu in hdus if hdu.name == "OI_VIS2" for row in hdu.data]
        for row in rows:
            second, first = (stations[index] for index in row["STA_INDEX"])  # OIFITS counts the other way
            (found,) = chara_array.lookup_angles(
                (first, second), float(row["MJD"]), float(target["RAEP0"]), float(target["DECEP0"])
            )
            apart = math.hypot(found.u - row["UCOORD"], found.v - row["VCOORD"])
            assert apart < 0.7, (first, second)  # metres, as 30 s of Earth rotation on 300 m


def test_the_documentation_lists_every_code_and_column() -> None:
    text = (Path(__file__).parents[2] / "docs" / "chara.md").read_text()
    for name in (*CHECKS, *REFUSALS, *COLUMNS.split(",")):
        assert f"`{name}`" in text, name


def test_the_example_of_the_documentation_is_a_log_without_a_fault() -> None:
    text = (Path(__file__).parents[2] / "docs" / "chara.md").read_text()
    example = "\n".join(
        row.strip() for row in text.splitlines() if row.startswith(("    UT-DATE", "    2022-"))
    )
    found = describe_log(example)
    assert not found.refusals
    assert [record.obs_type for record in found.records] == [ObsType.CALIBRATOR, ObsType.SCIENCE]
    assert {code for record in found.records for code in codes(record)} == {"length-assumed"}
