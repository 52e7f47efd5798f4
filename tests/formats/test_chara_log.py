"""The CHARA observing log, CSV text to lines."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obsportal.formats.chara_log import (
    REQUIRED,
    CharaLogError,
    StarType,
    parse_angle,
    parse_scopes,
    read_chara_log,
)

HEADER = "UT-DATE,STAR,PI,PROGRAM,COMBINER,TYPE,MJD,FILTER,SCOPES,B1,B2,B3,T0_OBS,T0_500nm"
GOOD = {
    "UT-DATE": "2012-05-03", "STAR": "HD_131156", "PI": "Boyajian", "PROGRAM": "B12", "COMBINER": "CLIMB",
    "TYPE": "OBJ", "MJD": "56050.25", "FILTER": "K'", "SCOPES": "S1/E1/W1", "B1": "330.1", "B2": "250.2",
    "B3": "310.3", "T0_OBS": "45.2", "T0_500nm": "8.1",
}  # fmt: skip


def log(*rows: dict[str, str], columns: tuple[str, ...] = REQUIRED) -> str:
    lines = [",".join(columns)]
    lines += [",".join({**GOOD, **row}.get(column, "") for column in columns) for row in rows]
    return "\n".join(lines) + "\n"


def test_a_line_gives_every_column_with_its_unit_converted() -> None:
    (line,) = read_chara_log(log({})).lines
    assert (line.line, line.star, line.pi, line.program) == (2, "HD_131156", "Boyajian", "B12")
    assert (line.combiner, line.type, line.mjd, line.filter) == ("CLIMB", StarType.OBJECT, 56050.25, "K'")
    assert line.stations == ("S1", "E1", "W1")
    assert line.lengths == (330.1, 250.2, 310.3)
    assert line.ut_date == date(2012, 5, 3)
    assert line.t0_obs == pytest.approx(0.0452)
    assert line.t0_500nm == pytest.approx(0.0081)
    assert line.remarks == ()


def test_columns_are_found_in_any_order_and_usual_spelling() -> None:
    names = " program , Pi,ut date,STAR,Combiner,type,mjd,Filter,scopes,b1 (m),b2,b3,t0_obs,T0_500nm [s],site"
    text = (
        "\ufeff# "
        + names
        + "\r\nB12,Boyajian,20120503,eps Per,CLIMB,cal1,56050.25,H,S1E1,330,0,0,20,0.008,x\r\n"
    )
    (line,) = read_chara_log(text.encode()).lines
    assert (line.star, line.program, line.type) == ("eps Per", "B12", StarType.CALIBRATOR_1)
    assert line.t0_500nm == pytest.approx(0.008)
    assert line.lengths == (330.0,)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_comma_semicolon_and_tab_separate_and_quotes_protect_them(delimiter: str) -> None:
    cells = [GOOD[name] for name in REQUIRED]
    cells[2] = f'"Boyajian{delimiter} T."'
    text = delimiter.join(REQUIRED) + "\n" + delimiter.join(cells) + "\n"
    (line,) = read_chara_log(text).lines
    assert line.pi == " ".join(f"Boyajian{delimiter} T.".split())


@pytest.mark.parametrize(
    ("text", "stations"),
    [
        ("S1/E1", ("S1", "E1")),
        ("S1 E1", ("S1", "E1")),
        ("w1-s2-e2", ("W1", "S2", "E2")),
        ("S1, W2", ("S1", "W2")),
        ("S1S2E1E2W1W2", ("S1", "S2", "E1", "E2", "W1", "W2")),
    ],
)
def test_scopes_are_read_in_the_order_written(text: str, stations: tuple[str, ...]) -> None:
    assert parse_scopes(text) == stations


@pytest.mark.parametrize("text", ["", "S1", "S1/S1", "S3/E1", "S1/E1/X", "U1 U2"])
def test_scopes_that_are_not_two_different_stations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="two or more different stations"):
        parse_scopes(text)


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("STAR", "", "it is empty"),
        ("COMBINER", "", "it is empty"),
        ("TYPE", "DARK", "one of OBJ, CAL1, CAL2, CHK, UNKNO"),
        ("MJD", "yesterday", "an MJD from"),
        ("MJD", "nan", "an MJD from"),
        ("MJD", "0", "an MJD from"),
        ("MJD", "56055.2", "within a day of UT-DATE 2012-05-03"),
        ("SCOPES", "S1", "two or more different stations"),
        ("B1", "long", "a projected baseline from 0 to 331 m"),
        ("B2", "-3", "a projected baseline from 0 to 331 m"),
        ("B3", "nan", "a projected baseline from 0 to 331 m"),
    ],
)
def test_a_bad_cell_refuses_its_line_alone_and_says_where_and_what_is_allowed(
    column: str, value: str, says: str
) -> None:
    found = read_chara_log(log({}, {column: value}, {"MJD": "56050.26"}))
    assert [line.line for line in found.lines] == [2, 4]
    (bad,) = found.refused
    assert (bad.line, bad.column, bad.value) == (3, column, value)
    assert says in str(bad)


def test_a_line_without_any_baseline_length_is_refused() -> None:
    (bad,) = read_chara_log(log({"B1": "0", "B2": "", "B3": "0.0"})).refused
    assert bad.column == "B1, B2, B3"
    assert "a sum above 0 m" in bad.allowed


def test_a_line_with_too_few_or_too_many_fields_is_refused() -> None:
    text = (
        log({})
        + "2012-05-03,HD 1,PI\n"
        + log({}).splitlines()[1]
        + ",,,\n"
        + log({}).splitlines()[1]
        + ",x\n"
    )
    found = read_chara_log(text)
    assert [line.line for line in found.lines] == [2, 4]
    assert [(bad.line, bad.value) for bad in found.refused] == [(3, "3 fields"), (5, "15 fields")]


@pytest.mark.parametrize("missing", REQUIRED)
def test_a_missing_column_refuses_the_file_by_name(missing: str) -> None:
    columns = tuple(name for name in REQUIRED if name != missing)
    with pytest.raises(CharaLogError, match=f"lacks {missing};") as caught:
        read_chara_log(log({}, columns=columns))
    assert caught.value.code == "log-column-missing"


def test_a_column_given_twice_refuses_the_file() -> None:
    with pytest.raises(CharaLogError, match="both mean STAR") as caught:
        read_chara_log(HEADER + ",TARGET\n")
    assert caught.value.code == "log-column-twice"


@pytest.mark.parametrize("text", ["", "\n\n", "  ,,\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused_with_the_columns_it_should_have(text: str | bytes) -> None:
    with pytest.raises(CharaLogError, match="UT-DATE, STAR, PI") as caught:
        read_chara_log(text)
    assert caught.value.code == "log-empty"


def test_blank_and_comment_lines_are_passed_over_and_counted() -> None:
    text = log({}).replace("\n2012", "\n\n# clouds\n2012")
    (line,) = read_chara_log(text).lines
    assert line.line == 4


def test_a_julian_date_is_read_as_one_and_remarked() -> None:
    (line,) = read_chara_log(log({"MJD": "2456050.75"})).lines
    assert line.mjd == 56050.25
    assert line.remarks == ("MJD 2456050.75 was read as a JD",)


def test_a_date_one_day_off_is_remarked_and_one_that_is_no_date_too() -> None:
    one, two = read_chara_log(log({"UT-DATE": "2012-05-02"}, {"UT-DATE": "May 3rd"})).lines
    assert "the day after UT-DATE 2012-05-02" in one.remarks[0]
    assert "'May 3rd' is not a date" in two.remarks[0]


@pytest.mark.parametrize(
    ("text", "seconds", "remarks"),
    [
        ("8.1", 0.0081, 0),
        ("0.008", 0.008, 1),
        ("", None, 0),
        ("0", None, 0),
        ("-99", None, 0),
        ("NaN", None, 0),
        ("bad", None, 1),
        ("9999", None, 1),
    ],
)
def test_coherence_times_are_milliseconds_and_never_refuse_a_line(
    text: str, seconds: float | None, remarks: int
) -> None:
    (line,) = read_chara_log(log({"T0_500nm": text})).lines
    assert line.t0_500nm == (pytest.approx(seconds) if seconds is not None else None)
    assert len(line.remarks) == remarks


@pytest.mark.parametrize(
    ("ra", "dec", "position"),
    [
        ("222.847", "19.1004", (222.847, 19.1004)),
        ("14:51:23.38", "+19:06:01.7", (222.84741667, 19.10047222)),
        ("14 51 23.38", "-00 06 00", (222.84741667, -0.1)),
        ("14h51m23.38s", "19d06m01.7s", (222.84741667, 19.10047222)),
        ("", "", None),
        ("400", "19", None),
        ("14:61:00", "19", None),
        ("222.8", "", None),
    ],
)
def test_positions_are_degrees_or_sexagesimal_and_a_bad_one_is_left_out(
    ra: str, dec: str, position: tuple[float, float] | None
) -> None:
    (line,) = read_chara_log(log({"RA": ra, "DEC": dec}, columns=(*REQUIRED, "RA", "DEC"))).lines
    found = None if line.ra is None or line.dec is None else (line.ra, line.dec)
    assert found == (pytest.approx(position) if position else None)
    assert bool(line.remarks) == (position is None and bool(ra))


@pytest.mark.parametrize(
    ("text", "pops"), [("124", "124"), ("P1 P2 P4", "124"), ("", ""), ("12", ""), ("126", "")]
)
def test_pops_need_one_digit_for_each_station(text: str, pops: str) -> None:
    (line,) = read_chara_log(log({"POPS": text}, columns=(*REQUIRED, "POPS"))).lines
    assert line.pops == pops


@pytest.mark.parametrize(("text", "seconds"), [("240", 240.0), ("", None), ("-1", None), ("long", None)])
def test_a_stated_duration_is_seconds(text: str, seconds: float | None) -> None:
    (line,) = read_chara_log(log({"DURATION": text}, columns=(*REQUIRED, "DURATION"))).lines
    assert line.duration == seconds


@given(st.text() | st.binary())
def test_any_content_is_read_or_refused_as_a_log(content: str | bytes) -> None:
    with pytest.raises(CharaLogError):
        read_chara_log(content)


@given(st.lists(st.text(), max_size=6))
def test_any_lines_after_a_good_first_line_are_lines_or_refusals(rows: list[str]) -> None:
    found = read_chara_log(HEADER + "\n" + "\n".join(rows))
    assert not found.lines
    assert all(bad.line > 1 and bad.allowed for bad in found.refused)


@given(st.floats(0, 359.99), st.integers(0, 23), st.integers(0, 59), st.floats(0, 59.9))
def test_angles_come_back_from_both_notations(
    degrees: float, hours: int, minutes: int, seconds: float
) -> None:
    assert parse_angle(repr(degrees), hours=True) == degrees
    text = f"{hours}:{minutes}:{seconds:.6f}"
    assert parse_angle(text, hours=True) == pytest.approx(
        15 * (hours + minutes / 60 + seconds / 3600), abs=1e-7
    )
