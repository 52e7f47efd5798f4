"""Names, aliases and facts of the built-in facilities, and a third one added by a file."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obsportal.interferometry import facility as module
from obsportal.interferometry.facility import (
    FacilityFileError,
    UnknownFacility,
    UnknownInstrument,
    UnknownMode,
    UnknownStation,
    facilities,
    facility,
    find_instrument,
    find_mode,
    modes,
    set_extra,
)
from obsportal.interferometry.geometry import project

# A published number never changes its meaning. Add lines, never edit one.
MODE_IDS = {
    "VLTI MIDI": {1: "HIGH_SENS+PRISM", 2: "HIGH_SENS+GRISM", 3: "SCI_PHOT+PRISM", 4: "SCI_PHOT+GRISM"},
    "VLTI AMBER": {
        21: "Low_JHK",
        22: "Medium_H_1_1.65",
        23: "Medium_K_1_2.1",
        24: "Medium_K_1_2.3",
        25: "High_K_1_1.979",
        26: "High_K_1_2.018",
        27: "High_K_1_2.056",
        28: "High_K_1_2.095",
        29: "High_K_1_2.133",
        30: "High_K_1_2.172",
        31: "High_K_1_2.211",
        32: "High_K_1_2.249",
        33: "High_K_1_2.288",
        34: "High_K_1_2.326",
        35: "High_K_1_2.365",
        36: "High_K_1_2.403",
        37: "High_K_1_2.442",
        38: "High_K_1_2.481",
    },
    "VLTI PIONIER": {
        5: "BROAD-H",
        6: "SMALL-H",
        7: "LARGE-H",
        8: "BROAD-K",
        9: "LARGE-K",
        10: "GRISM-H",
        11: "FREE-H",
    },
    "VLTI GRAVITY": {
        41: "LOW-COMBINED",
        42: "LOW-SPLIT",
        43: "MEDIUM-COMBINED",
        44: "MEDIUM-SPLIT",
        45: "HIGH-COMBINED",
        46: "HIGH-SPLIT",
    },
    "VLTI GRAVITY_FT": {47: "LOW"},
    "VLTI MATISSE": {
        51: "SI_PHOT_L_LOW",
        52: "SI_PHOT_LM_LOW",
        53: "SI_PHOT_M_LOW",
        54: "SI_PHOT_LM_MEDIUM",
        55: "SI_PHOT_L_HIGH",
        56: "SI_PHOT_L_VERY_HIGH",
        57: "SI_PHOT_M_VERY_HIGH",
        58: "HIGH_SENS_N_LOW",
        59: "HIGH_SENS_N_HIGH",
    },
    "CHARA CLASSIC": {101: "J", 102: "H", 103: "K-Prime", 104: "K-Cont", 105: "B-gamma"},
    "CHARA CLIMB": {106: "J", 107: "H", 108: "K-Prime", 109: "K-Cont", 110: "B-gamma"},
    "CHARA FRIEND": {111: "LR", 112: "HR-600", 113: "HR-650", 114: "HR-700", 115: "HR-750"},
    "CHARA JOUFLU": {116: "K-Prime", 117: "K-Cont"},
    "CHARA MIRC": {
        118: "Low_H",
        119: "Low_K",
        120: "Medium_H",
        121: "Medium_K",
        122: "High_H",
        123: "High_K",
    },
    "CHARA MIRCX": {124: "Low_H", 125: "Medium_H", 126: "High_H", 127: "Low_J", 128: "Med_J", 129: "High_J"},
    "CHARA MYSTIC": {130: "Low_K", 131: "Med_K", 132: "High_K"},
    "CHARA PAVO": {133: "R"},
    "CHARA SPICA": {
        134: "LR",
        135: "MR640",
        136: "MR685",
        137: "MR720",
        138: "MR800",
        139: "MR850",
        140: "HR",
    },
    "CHARA VEGA": {
        141: "R2656",
        142: "R2668",
        143: "R2720",
        144: "R1656",
        145: "R1589",
        146: "R1770",
        147: "R1849",
        148: "R1854",
        149: "R1867",
    },
}


def test_mode_ids_are_what_they_always_were() -> None:
    found: dict[str, dict[int, str]] = {}
    for mode in modes():
        found.setdefault(f"{mode.facility} {mode.instrument}", {})[mode.id] = mode.name
    assert found == MODE_IDS


def test_mode_ids_are_unique_over_all_facilities() -> None:
    assert len({mode.id for mode in modes()}) == len(modes()) == 94


def test_the_arrays_come_in_aspro2s_order() -> None:
    assert list(facilities()) == ["VLTI", "CHARA"]


STATIONS = [
    # asked, log name, ASPRO2's name
    ("U1", "U1", "UT1"),
    ("UT4", "U4", "UT4"),
    ("ut2", "U2", "UT2"),
    ("A0", "A0", "A0"),
    ("A 0", "A0", "A0"),
    (" j6 ", "J6", "J6"),
]


@pytest.mark.parametrize(("asked", "log_name", "aspro_name"), STATIONS)
def test_a_station_is_found_by_each_of_its_names(asked: str, log_name: str, aspro_name: str) -> None:
    vlti = facility("VLTI")
    assert vlti.station(asked) is vlti.stations[log_name]
    assert vlti.log_station(asked) == log_name
    assert vlti.aspro_station(asked) == aspro_name


@pytest.mark.parametrize("asked", ["", "U5", "A", "A00", "Ω1", "*"])
def test_an_unknown_station_is_refused_with_the_names_there_are(asked: str) -> None:
    with pytest.raises(UnknownStation) as caught:
        facility("VLTI").station(asked)
    assert isinstance(caught.value, LookupError)
    assert caught.value.code == "unknown_station"
    assert caught.value.allowed[:5] == ("U1", "U2", "U3", "U4", "A0")
    assert "allowed: U1, U2" in str(caught.value)


HORIZONTAL = [  # east, north, up in metres
    ("VLTI", "U1", -9.925, -20.335, 13.044),
    ("VLTI", "A0", -14.642, -55.812, 4.540),
    ("VLTI", "J6", 59.810, 96.706, 4.540),
    ("CHARA", "S1", 0.0, 0.0, 0.0),
    ("CHARA", "E1", 125.336, 305.929, -5.911),
    ("CHARA", "W1", -175.073, 216.322, -10.785),
]


@pytest.mark.parametrize(("name", "station", "east", "north", "up"), HORIZONTAL)
def test_stations_stand_where_they_should(
    name: str, station: str, east: float, north: float, up: float
) -> None:
    found = facility(name).station(station)
    assert (found.east, found.north, found.up) == pytest.approx((east, north, up), abs=6e-4)


def test_stations_and_delay_lines_are_aspro2s(shared_data: Path) -> None:
    for array in facilities().values():
        tree = ET.parse(shared_data / "aspro" / "conf" / f"{array.name}.xml").getroot()
        described = tree.find("description")
        assert described is not None
        listed = described.findall("station")
        assert [one.findtext("name") for one in listed] == [s.aspro_name for s in array.stations.values()]
        for one in listed:
            station = array.station(one.findtext("name") or "")
            place = [float(one.findtext(f"relativePosition/pos{axis}") or "nan") for axis in "XYZ"]
            assert (station.x, station.y, station.z) == pytest.approx(place, abs=1e-6)
            assert station.fixed_offset == pytest.approx(float(one.findtext("delayLineFixedOffset") or 0.0))
            lengths = [float(pop.findtext("opticalLength") or "nan") for pop in one.findall("popLink")]
            assert array.pops.get(station.log_name, ()) == pytest.approx(lengths)
        for one in described.findall("delayLine"):
            line = array.delay_lines[one.findtext("name") or ""]
            assert line.throw == float(one.findtext("maximumThrow") or "nan")
            assert line.station == (one.findtext("station") or "")
        for one in described.findall("telescope"):
            telescope = array.telescopes[one.findtext("name") or ""]
            assert telescope.diameter == float(one.findtext("diameter") or "nan")
            assert telescope.max_elevation == float(one.findtext("maxElevation") or "nan")


def spectral_range(mode: ET.Element) -> tuple[float, float]:
    """ASPRO2's range in micrometres: its spectral table with half a channel at each end, else as written."""
    table = mode.findtext("table/data")
    if table is None:
        return float(mode.findtext("waveLengthMin") or "nan"), float(mode.findtext("waveLengthMax") or "nan")
    rows = [[float(cell) * 1e6 for cell in line.split()[:2]] for line in table.strip().splitlines()]
    return rows[0][0] - rows[0][1] / 2.0, rows[-1][0] + rows[-1][1] / 2.0


@pytest.mark.parametrize("name", ["VLTI", "CHARA"])
def test_modes_are_aspro2s_with_their_wavelengths(shared_data: Path, name: str) -> None:
    array = facility(name)
    ours = {
        (mode.variant, mode.name): mode
        for instrument in array.instruments.values()
        for mode in instrument.modes.values()
    }
    tree = ET.parse(shared_data / "aspro" / "conf" / f"{name}.xml")
    theirs = {
        (instrument.findtext("name"), mode.findtext("name")): mode
        for instrument in tree.iter("focalInstrument")
        for mode in instrument.findall("mode")
    }
    assert set(ours) == set(theirs)
    for key, element in theirs.items():
        found = (ours[key].wavelength_min * 1e6, ours[key].wavelength_max * 1e6)
        assert found == pytest.approx(spectral_range(element), abs=1e-4), key
        if element.find("table") is None:
            assert ours[key].resolution == float(element.findtext("resolution") or "nan")


INSTRUMENTS = [
    # asked, bare name, ASPRO2's entries, name a log row carries for ASPRO2
    ("GRAVITY", "GRAVITY", ("GRAVITY",), "GRAVITY"),
    ("GRAVI", "GRAVITY", ("GRAVITY",), "GRAVITY"),
    ("gravity_ft", "GRAVITY_FT", ("GRAVITY_FT",), "GRAVITY_FT"),
    ("MATIS", "MATISSE", ("MATISSE_LM", "MATISSE_N"), "MATISSE"),
    ("MATISSE_N", "MATISSE", ("MATISSE_LM", "MATISSE_N"), "MATISSE"),
    ("PIONI", "PIONIER", ("PIONIER", "PIONIER_2"), "PIONIER"),
    ("PIONIER_2", "PIONIER", ("PIONIER", "PIONIER_2"), "PIONIER"),
    ("AMBER", "AMBER", ("AMBER",), "AMBER"),
    ("MIDI", "MIDI", ("MIDI",), "MIDI"),
    ("MIRC", "MIRC", ("MIRC",), "MIRC"),
    ("MIRC-X", "MIRCX", ("MIRCX-MYSTIC",), "MIRCX"),
    ("MIRCX", "MIRCX", ("MIRCX-MYSTIC",), "MIRCX"),
    ("MIRCX-MYSTIC", "MIRCX", ("MIRCX-MYSTIC",), "MIRCX"),
    ("mircx_6t", "MIRCX", ("MIRCX-MYSTIC",), "MIRCX"),
    ("MYSTIC", "MYSTIC", ("MIRCX-MYSTIC",), "MIRCX-MYSTIC"),
    ("SPICA_6T", "SPICA", ("SPICA",), "SPICA"),
    ("PAVO", "PAVO", ("PAVO",), "PAVO"),
    ("VEGA_3T", "VEGA", ("VEGA",), "VEGA"),
    ("CLASSIC", "CLASSIC", ("CLASSIC",), "CLASSIC"),
    ("CLIMB", "CLIMB", ("CLIMB",), "CLIMB"),
    ("FLUOR", "JOUFLU", ("JOUFLU",), "JOUFLU"),
    ("FRIEND", "FRIEND", ("FRIEND",), "FRIEND"),
]


@pytest.mark.parametrize(("asked", "name", "variants", "log_name"), INSTRUMENTS)
def test_an_instrument_is_found_by_each_of_its_names(
    asked: str, name: str, variants: tuple[str, ...], log_name: str
) -> None:
    found = find_instrument(asked)
    assert (found.name, found.variants, found.aspro_log_name) == (name, variants, log_name)
    assert find_instrument(asked, found.facility) is found
    assert facility(found.facility).instrument(asked) is found


MODES = [
    # instrument, asked, exact name, ASPRO2's entry
    ("GRAVITY", "LOW-COMBINED", "LOW-COMBINED", "GRAVITY"),
    ("GRAVI", "low,combined", "LOW-COMBINED", "GRAVITY"),
    ("GRAVITY", "MED-SPLIT", "MEDIUM-SPLIT", "GRAVITY"),
    ("GRAVITY", 45, "HIGH-COMBINED", "GRAVITY"),
    ("GRAVITY", "45", "HIGH-COMBINED", "GRAVITY"),
    ("GRAVITY_FT", "LOW", "LOW", "GRAVITY_FT"),
    ("MATISSE", "SI_PHOT_LM_LOW", "SI_PHOT_LM_LOW", "MATISSE_LM"),
    ("MATISSE", "HIGH_SENS_N_LOW", "HIGH_SENS_N_LOW", "MATISSE_N"),
    ("PIONIER", "FREE-H", "FREE-H", "PIONIER_2"),
    ("PIONIER", "LARGE-H", "LARGE-H", "PIONIER"),
    ("AMBER", "Medium_K_1_2.1", "Medium_K_1_2.1", "AMBER"),
    ("AMBER", 29, "High_K_1_2.133", "AMBER"),
    ("MIDI", "HIGH_SENS+GRISM", "HIGH_SENS+GRISM", "MIDI"),
    ("SPICA", "MR855", "MR850", "SPICA"),
    ("MIRC", "Low_H", "Low_H", "MIRC"),
    ("MIRC-X", "Low_H", "Low_H", "MIRCX-MYSTIC"),
    ("MIRCX", "Low_K", "Low_K", "MIRCX-MYSTIC"),
    ("MIRCX-MYSTIC", "Medium_K", "Med_K", "MIRCX-MYSTIC"),
    ("MYSTIC", "Low_K", "Low_K", "MIRCX-MYSTIC"),
    ("VEGA", "R2656", "R2656", "VEGA"),
    ("", 58, "HIGH_SENS_N_LOW", "MATISSE_N"),
]


@pytest.mark.parametrize(("instrument", "asked", "name", "variant"), MODES)
def test_a_mode_is_found_by_name_alias_or_number(
    instrument: str, asked: str | int, name: str, variant: str
) -> None:
    found = find_mode(instrument, asked)
    assert (found.name, found.variant) == (name, variant)
    if instrument:
        assert find_mode(find_instrument(instrument), asked) is found


NO_MODES = [
    ("GRAVITY", "ULTRA"),
    ("GRAVITY", "29"),
    ("AMBER", 999),
    ("", "LOW"),
    ("GRAVITY", ""),
    ("MIRC", "Low_J"),
]


@pytest.mark.parametrize(("instrument", "asked"), NO_MODES)
def test_an_unknown_mode_is_refused_with_what_there_is(instrument: str, asked: str | int) -> None:
    with pytest.raises(UnknownMode, match=r"unknown mode.*allowed: \S+") as caught:
        find_mode(instrument, asked)
    assert caught.value.code == "unknown_mode"


def test_unknown_instruments_and_facilities_are_refused_with_what_there_is() -> None:
    with pytest.raises(UnknownInstrument, match=r"'HARPS'; allowed: MIDI, AMBER.*VEGA"):
        find_instrument("HARPS")
    with pytest.raises(UnknownInstrument, match="of CHARA: 'GRAVITY'; allowed: CLASSIC"):
        find_instrument("GRAVITY", "CHARA")
    with pytest.raises(UnknownInstrument):
        find_mode("HARPS", 1)
    with pytest.raises(UnknownFacility, match="'ALMA'; allowed: VLTI, CHARA"):
        facility("ALMA")
    with pytest.raises(UnknownFacility):
        find_instrument("GRAVITY", "ALMA")


@given(st.text(max_size=12))
def test_any_text_is_a_name_or_refused_as_one(text: str) -> None:
    for find in (facility, find_instrument, facility("VLTI").station, facility("CHARA").instrument):
        message = "allowed:"
        try:
            find(text)
        except LookupError as error:
            message = str(error)
        assert "allowed:" in message


def test_facts_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        find_mode("GRAVITY", "LOW-SPLIT").id = 7  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        facility("VLTI").station("U1").x = 0.0  # type: ignore[misc]


# Facts of the NPOI from aspro-conf NPOI.xml of 2025-10-08 (JMMC), some of its stations.
NPOI = """
name = "NPOI"
timezone = "US/Arizona"
longitude_deg = -111.535
latitude_deg = 35.096603
altitude_m = 2224.4
channels = ["Channel1", "Channel2"]
delay_lines = { DL1 = { throw_m = 35.0 } }

[telescopes]
AS = { diameter_m = 0.12, max_elevation_deg = 90.0 }
IS = { diameter_m = 0.12, max_elevation_deg = 90.0 }

[stations]
AC0 = { telescope = "AS", xyz = [3.2428, -0.5000, -4.6146] }
AE0 = { telescope = "AS", xyz = [7.4141, 16.9893, -10.5521] }
AN0 = { telescope = "AS", enu = [-0.6271, 17.213, -0.008] }
W07 = { telescope = "IS", xyz = [18.9003, -44.2031, -27.0373] }

[[instruments]]
name = "VISION"
aliases = ["VISION_4T"]
beams = [4, 6]
[[instruments.variants]]
name = "VISION"
modes = [{ id = 301, name = "Low_Res", range = [0.58e-6, 0.85e-6], resolution = 200 }]

[[instruments]]
name = "CLASSIC"
beams = [4, 4]
[[instruments.variants]]
name = "CLASSIC"
modes = [{ id = 302, name = "R", range = [0.56e-6, 0.85e-6], resolution = 50, from = 1996-01-01 }]

[configuration_sets]
all = ["any 3 to 4 of AC0 AE0 AN0 W07"]

[offered]
"" = { all = "VISION CLASSIC" }
"""


@pytest.fixture
def npoi(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "npoi.toml").write_text(NPOI)
    set_extra([tmp_path])
    yield tmp_path
    set_extra([])


@pytest.mark.usefixtures("npoi")
def test_a_third_facility_is_added_by_a_file() -> None:
    assert list(facilities()) == ["VLTI", "CHARA", "NPOI"]
    array = facility("npoi")
    assert find_mode("VISION_4T", "low res").id == 301
    assert array.station("AC0").north == pytest.approx(-5.640, abs=6e-4)
    assert array.station("AN0").x == pytest.approx(-9.9034, abs=6e-4)
    assert array.station("AN0").z == pytest.approx(14.0782, abs=6e-4)
    assert len(project(array, ["AC0", "AE0", "W07"], 58000.3, 10.0, 20.0)) == 3
    found = array.configuration(["W07", "AE0", "AC0"], 58000.3, "VISION")
    assert (found.version, found.name, found.basis) == ("", "", "offered")
    assert array.configuration(["W07", "AE0"], 58000.3).basis == "equivalent"
    assert array.version_at(58000.3) == ""


@pytest.mark.usefixtures("npoi")
def test_a_name_of_two_facilities_is_the_first_ones_unless_one_is_named() -> None:
    assert find_instrument("CLASSIC").facility == "CHARA"
    assert find_instrument("CLASSIC", "NPOI").facility == "NPOI"
    assert find_mode("CLASSIC", "R", "NPOI").wavelength_min == pytest.approx(0.56e-6)
    assert find_mode("CLASSIC", "K-Cont").facility == "CHARA"


def test_the_environment_names_folders_of_facility_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "npoi.toml").write_text(NPOI)
    monkeypatch.setenv(module.FACILITIES_VARIABLE, str(tmp_path))
    set_extra([])
    try:
        assert "NPOI" in facilities()
    finally:
        monkeypatch.delenv(module.FACILITIES_VARIABLE)
        set_extra([])
    assert "NPOI" not in facilities()


CLASHES = [
    (
        NPOI.replace("id = 302", "id = 45"),
        "npoi.toml: mode id 45 of NPOI CLASSIC R belongs to VLTI GRAVITY HIGH-COMBINED",
    ),
    (NPOI.replace('"NPOI"', '"VLTI"'), "npoi.toml: there is already a facility named VLTI"),
]


@pytest.mark.parametrize(("text", "message"), CLASHES)
def test_a_file_that_clashes_with_another_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "npoi.toml").write_text(text)
    set_extra([tmp_path])
    try:
        with pytest.raises(FacilityFileError, match=message):
            facilities()
    finally:
        set_extra([])


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    set_extra([tmp_path / "nowhere"])
    try:
        with pytest.raises(FacilityFileError, match="nowhere: not a folder"):
            facilities()
    finally:
        set_extra([])


def test_offered_quadruplets_span_what_the_vlti_file_says() -> None:
    vlti = facility("VLTI")
    spans: dict[str, list[float]] = {}
    for version, offers in vlti.offers.items():
        for offer in offers:
            stations = [vlti.station(name) for name in offer.stations]
            if len(stations) == 4 and stations[0].telescope_class == "AT":
                longest = max(math.dist((a.x, a.y, a.z), (b.x, b.y, b.z)) for a in stations for b in stations)
                name = vlti.configuration(offer.stations, _a_night(version), min(offer.variants)).name
                spans.setdefault(name, []).append(longest)
    assert {name: (round(min(span)), round(max(span))) for name, span in spans.items()} == {
        "small": (34, 69),
        "medium": (82, 104),
        "large": (128, 140),
        "astrometric": (129, 129),
        "extended": (202, 202),
    }


def _a_night(version: str) -> float:
    """A date within an ESO period: 90 days after its start."""
    return 58757.0 + (int(version.split()[1]) - 104) * 182.625 + 90.0
