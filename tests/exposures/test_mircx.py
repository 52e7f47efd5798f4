"""Raw frame headers of MIRC-X and MYSTIC."""

from __future__ import annotations

from pathlib import Path

import pytest

from obsportal.exposures.instruments.context import Context
from obsportal.exposures.instruments.mircx import describe, read_frame
from obsportal.exposures.record import ExposureRecord, Level, ObsType, Refusal
from obsportal.formats.fits_header import Header

START = 59818.4
UNIX = (START - 40587.0) * 86400


def header(**changes: object) -> Header:
    """A header as the instrument writes it; a change to None drops the card."""
    cards: dict[str, object] = {
        "SIMPLE": True,
        "INSTRUME": "MIRC-X",
        "OBJECT": "HD_698",
        "FILETYPE": "DATA",
        "CONF_NA": "H_PRISM50",
        "MIRC COMBINER_TYPE": "ALL-IN-ONE",
        "GAIN": 60,
        "STARTFR": 1,
        "LASTFR": 3600,
        "EXPOSURE": 2.8,
        "DATE-OBS": "2022-08-27",
        "UTC-OBS": "09:36:00.000",
        "TIME_S": int(UNIX),
        "TIME_US": 250_000_000,
        "RA": "00:11:37.147",
        "DEC": "58:12:42.59",
    }
    cards.update(changes)
    lines = []
    for key, value in cards.items():
        if value is None:
            continue
        text = {True: "T", False: "F"}.get(value) if isinstance(value, bool) else None
        text = text or (f"'{value}'" if isinstance(value, str) else repr(value))
        lines.append(f"{f'HIERARCH {key}' if ' ' in key else f'{key:<8}'}= {text}")
    return Header.parse("\n".join([*lines, "END", ""]))


def described(**changes: object) -> ExposureRecord:
    found = describe(header(**changes))
    assert not isinstance(found, Refusal), found
    (record,) = found
    return record


def refused(**changes: object) -> Refusal:
    found = describe(header(**changes))
    assert isinstance(found, Refusal)
    return found


def codes(record: ExposureRecord) -> set[str]:
    return {message.code for message in record.messages}


def test_a_frame_gives_an_exposure_with_times_star_mode_and_fifteen_baselines() -> None:
    record = described()
    assert record.header_id == "MIRCX.2022-08-27T09:36:00.250"
    assert record.exp_id == "MIRCX.2022-08-27T09:36:00.250_1"
    assert record.mjd_start == pytest.approx(START + 0.25 / 86400, abs=1e-9)
    assert record.mjd_end is not None
    assert (record.mjd_end - START) * 86400 == pytest.approx(0.25 + 3600 * 2.8e-3, abs=1e-3)
    assert (record.ndit, record.dit, record.exposure_time) == (3600, 0.0028, pytest.approx(10.08))
    assert record.target is not None
    assert record.target.name == "HD 698"
    assert record.pointing_ra == pytest.approx(2.9047792)
    assert record.pointing_dec == pytest.approx(58.2118306)
    assert (record.interferometer_name, record.interferometer_version) == ("CHARA", "2022B")
    assert record.stations == ("S1", "S2", "E1", "E2", "W1", "W2")
    assert len(record.baselines) == 15
    assert str(record.night) == "2022-08-26"
    assert record.obs_type is ObsType.SCIENCE
    assert {"role-unknown", "stations-assumed"} <= codes(record)
    assert not [message for message in record.messages if message.level is Level.ERROR]


def test_the_night_is_that_of_the_local_noon_before() -> None:
    noon_in_california = int(UNIX) + int(9.4 * 3600)  # 19:00 UT
    assert str(described(TIME_S=noon_in_california - 60).night) == "2022-08-26"
    assert str(described(TIME_S=noon_in_california + 60).night) == "2022-08-27"


@pytest.mark.parametrize(
    ("instrume", "configuration", "name", "mode", "resolution", "code"),
    [
        ("MIRC-X", "H_PRISM22", "MIRCX", "Low_H", 22, "mode-nearest"),
        ("MIRC-X", "H_PRISM50", "MIRCX", "Low_H", 50, ""),
        ("MIRC-X", "H_PRISM102", "MIRCX", "Medium_H", 102, "mode-nearest"),
        ("MIRC-X", "H_GRISM190", "MIRCX", "Medium_H", 190, ""),
        ("MIRC-X", "H_GRISM1170", "MIRCX", "High_H", 1170, ""),
        ("MIRC-X", "J_PRISM50", "MIRCX", "Low_J", 50, ""),
        ("MIRC-X", "JH_GRISM190", "MIRCX", "Med_J", 190, ""),
        ("MYSTIC", "PRISM49", "MIRCX-MYSTIC", "Low_K", 49, ""),
        ("MYSTIC", "K_GRISM278", "MIRCX-MYSTIC", "Med_K", 278, ""),
        ("MYSTIC", "GRISM981", "MIRCX-MYSTIC", "High_K", 981, ""),
        ("MIRC-X", "H_FABRY", "MIRCX", "", None, "unknown-mode"),
        ("MIRC-X", "K_PRISM50", "MIRCX", "", None, "unknown-mode"),
        ("MIRC-X", "", "MIRCX", "", None, "unknown-mode"),
    ],
)
def test_the_disperser_gives_the_nearest_mode_under_a_name_that_aspro2_resolves(
    instrume: str, configuration: str, name: str, mode: str, resolution: float | None, code: str
) -> None:
    record = described(INSTRUME=instrume, CONF_NA=configuration)
    assert (record.instrument_name, record.instrument_variant) == (name, "MIRCX-MYSTIC")
    assert (record.instrument_mode, record.em_res_power) == (mode, resolution)
    assert record.instrument_submode.split(",")[0] == instrume
    assert (record.em_min is not None) == bool(mode)
    assert code in {*codes(record), ""}
    if not code:
        assert not {"mode-nearest", "unknown-mode"} & codes(record)


@pytest.mark.parametrize(
    "changes", [{"CONF_NA": "H_PRISM50_WOLL"}, {"DPOL_ROW": 12}], ids=["suffix", "second row"]
)
def test_the_wollaston_prism_splits_polarisation_and_leaves_the_mode(changes: dict[str, object]) -> None:
    record = described(**changes)
    assert (record.polarisation, record.instrument_mode) == ("SPLIT", "Low_H")
    assert record.instrument_submode == "MIRC-X,H_PRISM50"


@pytest.mark.parametrize("text", ["2022-08-27", "2022/08/27", "08/27/2022", "2022-08-27T09:36:00"])
def test_all_three_date_formats_are_read_without_the_computer_clock(text: str) -> None:
    record = described(TIME_S=None, TIME_US=None, **{"DATE-OBS": text})
    assert record.mjd_start == pytest.approx(START, abs=1e-8)
    assert record.provenance["mjd_start"] == "DATE-OBS + UTC-OBS"


def test_clocks_that_differ_are_remarked_and_the_computer_clock_is_taken() -> None:
    record = described(**{"UTC-OBS": "09:36:20.25"})
    assert record.mjd_start == pytest.approx(START + 0.25 / 86400, abs=1e-9)
    assert "differ by 20.0 s" in next(m.text for m in record.messages if m.code == "clocks-differ")


def test_the_older_word_for_the_last_frame_is_read() -> None:
    assert described(LASTFR=None, ENDFR=1800).ndit == 1800


def test_the_frame_rate_stands_in_for_a_missing_exposure() -> None:
    assert described(EXPOSURE=None, **{"MIRC FRAME_RATE": 500.0}).dit == 0.002


@pytest.mark.parametrize("changes", [{"LASTFR": None}, {"LASTFR": 0}, {"EXPOSURE": None}, {"STARTFR": None}])
def test_an_unknown_length_is_an_error_of_the_exposure_and_no_refusal(changes: dict[str, object]) -> None:
    record = described(**changes)
    assert record.exposure_time is None
    assert "frames-missing" in codes(record)


@pytest.mark.parametrize(("ra", "dec"), [(None, None), ("hello", "58:12:42"), ("25:00:00", "58"), (0.0, 0.0)])
def test_an_unusable_position_leaves_out_the_baselines_and_says_so(ra: object, dec: object) -> None:
    record = described(RA=ra, DEC=dec)
    assert record.baselines == ()
    assert record.pointing_ra is None
    assert "position-missing" in codes(record)


def test_decimal_right_ascension_is_hours() -> None:
    assert described(RA=0.5, DEC="-10.25").pointing_ra == 7.5


@pytest.mark.parametrize("values", [(1, 2, 3, 4, 5, 1), ("POP1", "POP2", "POP3", "POP4", "POP5", "POP1")])
def test_pops_are_read_for_all_six_stations(values: tuple[object, ...]) -> None:
    stations = ("S1", "S2", "E1", "E2", "W1", "W2")
    cards = {f"CHARA {name}_POP": value for name, value in zip(stations, values, strict=True)}
    assert described(**cards).pops == "123451"
    assert described(**dict(list(cards.items())[:5])).pops == ""


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"FILETYPE": "BACKGROUND"}, "not-on-sky", "BACKGROUND"),
        ({"FILETYPE": "BEAM3"}, "not-on-sky", "BEAM3"),
        ({"FILETYPE": None}, "not-on-sky", "missing"),
        ({"FILETYPE": "DATA_RTS"}, "reduced-product", "DATA_RTS"),
        ({"FILETYPE": "BEAM1_MAP"}, "reduced-product", "BEAM1_MAP"),
        ({"OBJECT": "STS"}, "internal-source", "STS"),
        ({"MIRC STS_IR_FOLD": "IN"}, "internal-source", "HD_698"),
        ({"OBJECT": "HD_698_E"}, "etalon", "HD_698_E"),
        ({"MIRC ARMADA": "IN"}, "etalon", "HD_698"),
        ({"OBJECT": "NOSTAR"}, "no-target", "NOSTAR"),
        ({"OBJECT": None}, "no-target", "missing"),
        ({"TIME_S": None, "DATE-OBS": "27 August"}, "no-start", "neither"),
    ],
)
def test_what_is_not_a_frame_on_a_star_is_refused_with_the_value_that_decided(
    changes: dict[str, object], code: str, says: str
) -> None:
    found = refused(**changes)
    assert found.code == code
    assert says in found.reason


def test_products_are_taken_on_request_and_marked() -> None:
    found = describe(header(FILETYPE="DATA_RTS"), Context(include_products=True))
    assert not isinstance(found, Refusal)
    assert (found[0].product_category, found[0].time_origin) == ("DATA_RTS", "product")


def test_an_identifier_from_outside_is_used_but_a_nightly_file_number_is_not() -> None:
    own = described().header_id
    for given, expected in (("MIRCX.mine", "MIRCX.mine"), ("2022Aug27/mircx00123.fits.fz", own)):
        found = describe(header(), Context(header_id=given))
        assert not isinstance(found, Refusal)
        assert found[0].header_id == expected


@pytest.mark.parametrize(
    ("name", "instrument", "star", "night"),
    [
        ("CHARA_MIRCX_L2.2022Aug27.HD_698.allhdu.hdr", "MIRCX", "HD 698", "2022-08-26"),
        ("CHARA_MYSTIC_L2.2021Dec18.kap_Dra.allhdu.hdr", "MIRCX-MYSTIC", "kap Dra", "2021-12-17"),
    ],
)
def test_a_real_level_2_header_copy_is_refused_or_gives_only_what_can_be_known(
    shared_data: Path, name: str, instrument: str, star: str, night: str
) -> None:
    text = Header.parse((shared_data / "headers" / "CHARA" / name).read_text())
    found = describe(text, Context(header_id=name))
    assert isinstance(found, Refusal)
    assert found.code == "reduced-product"
    assert "INSNAME MIRCX" in found.reason
    found = describe(text, Context(header_id=name, include_products=True))
    assert not isinstance(found, Refusal)
    (record,) = found
    assert (record.instrument_name, record.instrument_variant) == (instrument, "MIRCX-MYSTIC")
    assert record.target is not None
    assert (record.target.name, str(record.night)) == (star, night)
    assert record.mjd_start is None
    assert "product-incomplete" in codes(record)


def test_a_level_2_header_copy_under_another_name_is_refused_for_want_of_a_star(shared_data: Path) -> None:
    name = "CHARA_MIRCX_L2.2022Aug27.HD_698.allhdu.hdr"
    text = Header.parse((shared_data / "headers" / "CHARA" / name).read_text())
    found = describe(text, Context(header_id="x.hdr", include_products=True))
    assert isinstance(found, Refusal)
    assert found.code == "no-target"


def test_a_header_of_no_instrument_and_no_array_is_refused() -> None:
    found = describe(Header.parse("SIMPLE  = T\nEND\n"))
    assert isinstance(found, Refusal)
    assert found.code == "unknown-instrument"


def test_frames_of_one_setting_share_their_group_and_others_do_not() -> None:
    one = read_frame(header())
    assert not isinstance(one, Refusal)
    for changes in ({"GAIN": 20}, {"CONF_NA": "H_GRISM190"}, {"OBJECT": "HD_1"}, {"INSTRUME": "MYSTIC"}):
        other = read_frame(header(**changes))
        assert not isinstance(other, Refusal)
        assert other.group != one.group
    later = read_frame(header(TIME_S=int(UNIX) + 12, **{"UTC-OBS": "09:36:12"}))
    assert not isinstance(later, Refusal)
    assert later.group == one.group
