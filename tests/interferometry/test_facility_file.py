"""A mistake in a facility file is an error that says where and what."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from obsportal.interferometry.facility_file import FacilityFileError, read_facility

GOOD = """
name = "TOY"
timezone = "UTC"
longitude_deg = 10.0
latitude_deg = 45.0
altitude_m = 100.0
channels = ["1"]

[telescopes]
T = { diameter_m = 1.0, max_elevation_deg = 85.0 }

[stations]
P1 = { telescope = "T", xyz = [0.0, 0.0, 0.0] }
P2 = { telescope = "T", xyz = [0.0, 30.0, 0.0], log_name = "Q2" }
P3 = { telescope = "T", enu = [0.0, 40.0, 0.0] }

[delay_lines]
D1 = { throw_m = 50.0, modes = { TWICE = 100.0 } }

[pops]
Q2 = [0.0, 10.0]

[[instruments]]
name = "EYE"
beams = [2, 3]
[[instruments.variants]]
name = "EYE"
modes = [
  { id = 901, name = "H", range = [1.5e-6, 1.8e-6], resolution = 30 },
  { id = 902, name = "K", range = [2.0e-6, 2.4e-6], resolution = 30, aliases = ["Ks"] },
]

[versions]
pattern = "{year}{letter}"
starts = ["02-01", "08-01"]
origin = { date = 2020-02-01, number = 1 }

[configuration_names]
T = [{ up_to_m = 40.0, name = "near" }, { up_to_m = 100.0, name = "far" }]

[configuration_sets]
some = ["P1 P2", "compact: P1 P2 P3"]

[offered]
"2020A" = { some = "EYE" }

[relocations]
stations = ["near -> far: P2 P3"]
"""


def read(folder: Path, text: str) -> object:
    path = folder / "toy.toml"
    path.write_text(text)
    return read_facility(path)


def test_a_small_file_says_everything(tmp_path: Path) -> None:
    path = tmp_path / "toy.toml"
    path.write_text(GOOD)
    toy = read_facility(path)
    assert (toy.name, toy.timezone, toy.longitude_deg) == ("TOY", "UTC", 10.0)
    assert list(toy.stations) == ["P1", "Q2", "P3"]
    assert toy.pops == {"Q2": (0.0, 10.0)}
    assert toy.delay_lines["D1"].throw_by_mode == {"TWICE": 100.0}
    night = 58900.5  # 21 February 2020
    assert toy.version_at(night) == "2020A"
    assert toy.configuration(["P1", "P2", "P3"], night, "EYE").name == "compact"
    assert toy.configuration(["P2", "P1"], night).name == "compact"  # part of the triplet
    assert toy.configuration(["P3", "P2"], night).basis == "relocated"


def test_without_a_whole_of_one_name_the_longest_baseline_names_a_configuration(tmp_path: Path) -> None:
    path = tmp_path / "toy.toml"
    path.write_text(GOOD.replace(', "compact: P1 P2 P3"', ', "P1 P3"'))
    toy = read_facility(path)
    assert toy.configuration(["P1", "P2"], 58900.5).name == "near"
    path.write_text(GOOD.replace(', "compact: P1 P2 P3"', "").replace("up_to_m = 40.0", "up_to_m = 20.0"))
    assert read_facility(path).configuration(["P1", "P2"], 58900.5).name == "far"


MISTAKES = [
    # text in the good file, text instead, what the error says
    ('name = "TOY"', "", "toy.toml: name is missing"),
    ('name = "TOY"', "name = 3", "name must be text, found 3"),
    ('"UTC"', '"Mars/Olympus"', "'Mars/Olympus' is not an IANA time zone"),
    ('"UTC"', '"../UTC"', "is not an IANA time zone"),
    ("latitude_deg = 45.0", "latitude_deg = 95.0", "latitude_deg must be a number in .*found 95.0"),
    ("altitude_m = 100.0", "altitude_m = nan", "altitude_m must be a number"),
    ("altitude_m = 100.0", "altitude_m = true", "altitude_m must be a number"),
    ("altitude_m = 100.0", "altitude_m = 100.0\nheight = 3", "toy.toml: unknown key height"),
    ('channels = ["1"]', "channels = [1]", "channels must be a list of texts"),
    ("diameter_m = 1.0", "diametre_m = 1.0", "telescopes, T: diameter_m is missing"),
    ("diameter_m = 1.0", "diameter_m = 1.0, colour = 2", "telescopes, T: unknown key colour"),
    ('T = { diameter_m = 1.0, max_elevation_deg = 85.0 }', "T = 1", "telescopes, T: expected a table"),
    ('P1 = { telescope = "T"', 'P1 = { telescope = "X"', "stations, P1: no telescope class X"),
    ("xyz = [0.0, 0.0, 0.0]", "xyz = [0.0, 0.0]", "stations, P1: xyz must be 3 numbers"),
    ("xyz = [0.0, 0.0, 0.0]", "xyz = [0.0, inf, 0.0]", "xyz must be 3 numbers"),
    ("xyz = [0.0, 0.0, 0.0]", 'xyz = "here"', "xyz must be 3 numbers"),
    (', xyz = [0.0, 0.0, 0.0]', "", "give either xyz .* or enu"),
    ("enu = [0.0, 40.0, 0.0]", "enu = [0, 1, 2], xyz = [0, 1, 2]", "give either xyz .* or enu"),
    ('log_name = "Q2"', 'log_name = "P1"', "two stations answer to P1"),
    ('log_name = "Q2"', 'log_name = "p-1"', "two stations answer to P1"),
    ("throw_m = 50.0", "throw_m = -50.0", "delay_lines, D1: throw_m must be a number in"),
    ("Q2 = [0.0, 10.0]", "Q9 = [0.0]", "pops: no station Q9"),
    ("beams = [2, 3]", "beams = [2]", "instruments 1: beams must be 2 numbers"),
    ("id = 902", "id = 902.5", "modes 2: id must be a whole number"),
    ("id = 902", "id = 0", "instruments 1, variants 1, modes 2: id must be a number"),
    ("range = [2.0e-6, 2.4e-6]", "range = [2.0, 2.4]", "range must be two wavelengths in metres"),
    ("range = [2.0e-6, 2.4e-6]", "range = [2.4e-6, 2.0e-6]", "range must be two wavelengths in metres"),
    ('aliases = ["Ks"]', 'aliases = ["h"]', "K and H answer to one name"),
    ("[versions]", '[[instruments]]\nname = "EYE"\nbeams = [2, 2]\n[versions]', "two instruments EYE"),
    ('aliases = ["Ks"]', 'from = "2020"', "from must be a date"),
    ('starts = ["02-01", "08-01"]', 'starts = ["08-01", "02-01"]', "starts must be in order"),
    ('starts = ["02-01", "08-01"]', 'starts = ["02-31"]', "starts must be MM-DD, found '02-31'"),
    ('starts = ["02-01", "08-01"]', "starts = []", "starts must be in order"),
    ("date = 2020-02-01", "date = 2020-02-02", "origin.date be one of them"),
    ("{year}{letter}", "{season}", "pattern may use"),
    ("{year}{letter}", "{", "pattern may use"),
    ("T = [{ up_to_m = 40.0", "X = [{ up_to_m = 40.0", "configuration_names: no telescope class X"),
    ("T = [{ up_to_m = 40.0", "T = [{ up_to = 40.0", "up_to_m is missing"),
    ('"P1 P2",', '"P1 P9",', "configuration_sets: some: no station 'P9'"),
    ('"P1 P2",', '"P1 P1",', "has no station or one of them twice"),
    ('"P1 P2",', '"",', "has no station"),
    ('"P1 P2",', '"a: b: P1",', "cannot read"),
    ('{ some = "EYE" }', '{ other = "EYE" }', "offered, 2020A: unknown set other"),
    ('{ some = "EYE" }', '{ some = "EAR" }', "offered, 2020A: unknown instrument EAR"),
    ('"near -> far: P2 P3"', '"near -> far: P2 P7"', "relocations: stations: no station 'P7'"),
    ("[telescopes]", "[telescopes", "toy.toml: .*line"),
]  # fmt: skip


@pytest.mark.parametrize(("good", "bad", "message"), MISTAKES)
def test_a_mistake_is_refused_with_its_place(tmp_path: Path, good: str, bad: str, message: str) -> None:
    assert GOOD.count(good) >= 1
    with pytest.raises(FacilityFileError, match=message) as caught:
        read(tmp_path, GOOD.replace(good, bad, 1))
    assert str(caught.value).startswith("toy.toml")


def test_a_file_without_stations_is_refused(tmp_path: Path) -> None:
    start, end = GOOD.index("[stations]"), GOOD.index("[delay_lines]")
    with pytest.raises(FacilityFileError, match="stations: no station"):
        read(tmp_path, GOOD[:start] + GOOD[end:])


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FacilityFileError, match=r"none\.toml"):
        read_facility(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FacilityFileError, match=r"bytes\.toml"):
        read_facility(tmp_path / "bytes.toml")


LINES = GOOD.strip().splitlines()


@settings(max_examples=150)
@given(
    number=st.integers(0, len(LINES) - 1),
    start=st.integers(0, 60),
    length=st.integers(1, 12),
    instead=st.text(st.sampled_from('[]{}"=,.:0123456789eE-+ abP\n'), max_size=6),
)
def test_a_damaged_file_is_read_or_refused_as_a_facility_file(
    tmp_path_factory: pytest.TempPathFactory, number: int, start: int, length: int, instead: str
) -> None:
    line = LINES[number]
    damaged = [*LINES[:number], line[:start] + instead + line[start + length :], *LINES[number + 1 :]]
    path = tmp_path_factory.getbasetemp() / "damaged.toml"
    path.write_text("\n".join(damaged))
    message = "damaged.toml"
    try:
        assert read_facility(path).stations
    except FacilityFileError as error:
        message = str(error)
    assert message.startswith("damaged.toml")
