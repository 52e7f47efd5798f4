"""Periods, semesters, and which offered configuration a set of stations was."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import date
from itertools import combinations, permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obsportal.interferometry.configurations import Basis, VersionRule, list_of, name_of
from obsportal.interferometry.facility import UnknownStation, facility
from obsportal.interferometry.times import datetime_to_mjd, parse_isot


def mjd(text: str) -> float:
    return datetime_to_mjd(parse_isot(text))


VERSIONS = [
    # an ESO period begins at local noon of 1 April (15 or 16 h UTC) or 1 October
    ("VLTI", "2019-10-01T14:59:00", "Period 103"),
    ("VLTI", "2019-10-01T15:00:00", "Period 104"),
    ("VLTI", "2020-01-09T03:34:07", "Period 104"),
    ("VLTI", "2020-04-01T12:00:00", "Period 104"),
    ("VLTI", "2020-04-01T20:00:00", "Period 105"),
    ("VLTI", "2015-06-15T03:00:00", "Period 95"),
    ("VLTI", "2007-03-31T01:39:00", "Period 78"),
    ("VLTI", "2010-12-07T05:33:29", "Period 86"),
    ("VLTI", "2025-05-19T00:43:54", "Period 115"),
    ("VLTI", "2026-10-02T03:00:00", "Period 118"),
    ("CHARA", "2023-06-01T06:00:00", "2023A"),
    ("CHARA", "2023-08-01T18:00:00", "2023A"),
    ("CHARA", "2023-08-01T20:00:00", "2023B"),
    ("CHARA", "2022-01-14T10:40:42", "2021B"),
    ("CHARA", "2022-08-27T06:00:00", "2022B"),
]


@pytest.mark.parametrize(("name", "instant", "version"), VERSIONS)
def test_a_night_belongs_to_a_period_or_semester(name: str, instant: str, version: str) -> None:
    assert facility(name).version_at(mjd(instant)) == version


@given(st.dates(date(1950, 1, 1), date(2080, 1, 1)))
def test_a_version_starts_on_or_before_its_nights_and_holds_until_the_next(night: date) -> None:
    rule = VersionRule("P{number}", ((4, 1), (10, 1)), date(2019, 10, 1), 104)
    starts = rule.first_nights()
    version = rule.version_on(night)
    assert starts[version] <= night < starts[f"P{int(version[1:]) + 1}"]
    assert (starts[version].month == 4) == (int(version[1:]) % 2 == 1)


MATCHES = [
    # stations, instant, instrument -> version, name, basis; real headers where they can be had
    ("A0 B2 D0 C1", "2020-02-04", "GRAVITY", "Period 104", "small", "offered"),
    ("K0 G2 D0 J3", "2022-03-02", "GRAVI", "Period 108", "medium", "offered"),
    ("A0 G1 J2 J3", "2022-04-21", "MATISSE", "Period 109", "large", "offered"),
    ("A0 G1 J2 K0", "2021-01-09", "GRAVITY", "Period 106", "astrometric", "offered"),
    ("A0 G1 J2 K0", "2021-01-09", "PIONIER", "Period 106", "astrometric", "equivalent"),
    ("A0 G1 J2 K0", "2021-01-09", "", "Period 106", "astrometric", "offered"),
    ("A0 G1 J2 K0", "2024-01-09", "GRAVITY", "Period 112", "large", "offered"),
    ("A0 B5 J2 J6", "2025-05-19", "MATIS", "Period 115", "extended", "offered"),
    ("A0 B5 D0 G1", "2025-12-01", "MATISSE", "Period 116", "medium", "offered"),
    ("K0 G2 D0 J3", "2025-12-01", "MATISSE", "Period 116", "medium", "equivalent"),
    ("U1 U2 U3 U4", "2020-01-09", "GRAVITY", "Period 104", "UTs", "offered"),
    ("UT4 UT3 UT2 UT1", "2020-01-09", "GRAVITY", "Period 104", "UTs", "offered"),
    # periods without names in ASPRO2
    ("K0 A1 G1 J3", "2014-02-28", "PIONIER", "Period 92", "large", "offered"),
    ("D0 G1 H0 I1", "2013-07-03", "PIONIER", "Period 91", "medium", "offered"),
    ("A1 B2 C1 D0", "2013-02-17", "PIONI", "Period 90", "small", "offered"),
    ("D0 H0 G1", "2010-04-15", "AMBER", "Period 85", "medium", "offered"),
    ("D0 A1 B2", "2013-04-15", "AMBER", "Period 91", "small", "offered"),
    ("U1 U2 U4", "2012-03-31", "AMBER", "Period 88", "UTs", "offered"),
    ("U2 U3", "2012-03-31", "MIDI", "Period 88", "UTs", "offered"),
    ("A0 G1 J2 J3", "2019-06-01", "MATISSE", "Period 103", "large", "offered"),
    ("A0 G1 J2 K0", "2019-06-01", "GRAVITY", "Period 103", "astrometric", "offered"),
    # ASPRO2 has no period 95 and none before 84
    ("A0 G1 J2 J3", "2015-06-15", "PIONIER", "Period 95", "large", "equivalent"),
    ("A1 G1 K0 J3", "2015-06-15", "PIONIER", "Period 95", "large", "equivalent"),
    ("U1 U2 U4", "2007-03-31", "AMBER", "Period 78", "UTs", "equivalent"),
    ("E0 G0", "2008-02-08", "MIDI", "Period 80", "small", "equivalent"),
    # parts of what was offered, and other instruments' periods
    ("G1 J2 J3", "2022-04-21", "MATISSE", "Period 109", "large", "equivalent"),
    ("U1 U4", "2022-04-21", "GRAVITY", "Period 109", "UTs", "equivalent"),
    ("A1 B2", "2013-04-15", "AMBER", "Period 91", "small", "equivalent"),
    ("A0 B2 C1 D0", "2018-12-09", "MATISSE", "Period 102", "small", "offered"),
    # on the way from one configuration to another
    ("A0 B2 D0 K0", "2022-04-21", "GRAVITY", "Period 109", "large -> small", "relocated"),
    ("K0 B2 D0 J3", "2021-12-21", "PIONIER", "Period 108", "small -> medium", "relocated"),
    # alike in lengths, and unlike anything
    ("D0 G0 K0", "2010-12-20", "AMBER", "Period 86", "medium", "equivalent"),
    ("U1 U2 A0 G1", "2022-04-21", "GRAVITY", "Period 109", "", "unoffered"),
    ("B0 B1 B2 M0", "2022-04-21", "GRAVITY", "Period 109", "", "unoffered"),
    ("A0", "2022-04-21", "GRAVITY", "Period 109", "", "unoffered"),
]


@pytest.mark.parametrize(("stations", "day", "instrument", "version", "name", "basis"), MATCHES)
def test_a_vlti_array_is_recognised(
    stations: str, day: str, instrument: str, version: str, name: str, basis: str
) -> None:
    found = facility("VLTI").configuration(stations.split(), mjd(f"{day}T05:00:00"), instrument)
    assert (found.version, found.name, found.basis) == (version, name, basis)
    assert found.reason


def test_the_order_of_stations_does_not_matter() -> None:
    vlti = facility("VLTI")
    found = {
        vlti.configuration(order, 58883.2, "GRAVITY") for order in permutations(["A0", "B2", "D0", "C1"])
    }
    assert len(found) == 1


def test_the_reason_says_where_a_configuration_was_found() -> None:
    vlti = facility("VLTI")
    assert vlti.configuration(["A0", "G1", "J2", "J3"], 57188.2).reason == "offered in Period 96"
    assert vlti.configuration(["A1", "G1", "K0", "J3"], 57188.2).reason == "offered in Period 94"
    assert vlti.configuration(["G1", "J2", "J3"], 59690.2).reason == "part of A0 G1 J2 J3 of Period 109"
    assert vlti.configuration(["B0", "B1", "B2", "M0"], 59690.2).reason == "not offered in Period 109"
    other = vlti.configuration(["A0", "G1", "J2", "K0"], 59223.2, "PIONIER")
    assert other.reason == "offered in Period 106 to GRAVITY, GRAVITY_FT"


def test_an_unknown_station_is_refused_and_an_unknown_instrument_ignored() -> None:
    vlti = facility("VLTI")
    with pytest.raises(UnknownStation, match="'X9'"):
        vlti.configuration(["A0", "X9"], 58883.2)
    assert vlti.configuration(["A0", "B2", "D0", "C1"], 58883.2, "NEWCOMER").basis is Basis.OFFERED


CHARA_MATCHES = [
    ("S1 S2 E1 E2 W1 W2", "2022-08-27", "MIRC-X", "2022B", "offered"),
    ("E1 W2 W1 S2", "2022-08-27", "MYSTIC", "2022B", "offered"),
    ("S1 S2 E1", "2022-08-27", "MIRCX", "2022B", "equivalent"),  # offered to CLIMB and PAVO
    ("S1 W1", "2023-06-01", "CLASSIC", "2023A", "offered"),
    ("S1 E1 W1 E2", "2020-06-01", "MIRCX", "2020A", "offered"),  # no list of its own: the one for all
    ("S1 S2 E1 E2 W1 W2", "2024-06-01", "SPICA", "2024A", "offered"),
    ("W1 W2 S1", "2018-06-01", "VEGA", "2018A", "equivalent"),  # a triplet only part of what VEGA had
]


@pytest.mark.parametrize(("stations", "day", "instrument", "version", "basis"), CHARA_MATCHES)
def test_a_chara_array_has_a_semester_and_no_name(
    stations: str, day: str, instrument: str, version: str, basis: str
) -> None:
    found = facility("CHARA").configuration(stations.split(), mjd(f"{day}T06:00:00"), instrument)
    assert (found.version, found.name, found.basis) == (version, "", basis)


NAMES = {"small", "medium", "large", "extended", "astrometric", "UTs"}


def test_every_configuration_the_vlti_ever_offered_has_a_name() -> None:
    vlti = facility("VLTI")
    named = {
        (version, name_of(vlti, offer, version)) for version in vlti.offers for offer in vlti.offers[version]
    }
    assert {name for _, name in named} == NAMES
    assert {version for version, name in named if name == "extended"} == {
        f"Period {number}" for number in range(112, 118)
    }
    for version in vlti.offers:
        assert ("UTs" in {name_of(vlti, offer, version) for offer in list_of(vlti, version)}) is True


@given(st.data())
def test_any_stations_get_one_of_the_four_answers(data: st.DataObject) -> None:
    vlti = facility("VLTI")
    stations = data.draw(
        st.lists(st.sampled_from(sorted(vlti.stations)), min_size=0, max_size=4, unique=True)
    )
    instant = data.draw(st.floats(52000.0, 62000.0))
    found = vlti.configuration(stations, instant, data.draw(st.sampled_from(["", "GRAVITY", "AMBER"])))
    assert found.basis in set(Basis)
    assert (found.name == "") == (found.basis == Basis.UNOFFERED)
    assert found.version == vlti.version_at(instant)


def aspro_lists(path: Path) -> Iterator[tuple[str, str, str, frozenset[str]]]:
    """Version, instrument, name and stations of every configuration of an ASPRO2 file."""
    for setting in ET.parse(path).getroot().iter("configuration"):
        if setting.find("interferometer") is None:
            continue
        for instrument in setting.iter("instrument"):
            for one in instrument.iter("configuration"):
                yield (
                    setting.findtext("version") or "",
                    instrument.findtext("focalInstrument") or "",
                    one.findtext("altName") or "",
                    frozenset((one.findtext("stations") or "").split()),
                )


@pytest.mark.parametrize(("name", "versions"), [("VLTI", 33), ("CHARA", 13)])
def test_the_lists_are_aspro2s(shared_data: Path, name: str, versions: int) -> None:
    array = facility(name)
    theirs = {
        (version, instrument, title if title == "UTs" else title.lower(), stations)
        for version, instrument, title, stations in aspro_lists(
            shared_data / "aspro" / "conf" / f"{name}.xml"
        )
        if version != "Future"
    }
    ours = {
        (version, variant, offer.name, frozenset(array.aspro_station(one) for one in offer.stations))
        for version, offers in array.offers.items()
        for offer in offers
        for variant in offer.variants
    }
    assert ours == theirs
    assert len(array.offers) == versions


def test_the_arrays_in_between_are_aspro2s(shared_data: Path) -> None:
    theirs = {
        (title.lower(), stations)
        for version, _, title, stations in aspro_lists(shared_data / "aspro" / "conf" / "VLTI.xml")
        if version == "Future" and "->" in title
    }
    ours = {(offer.name, frozenset(offer.stations)) for offer in facility("VLTI").relocations}
    assert ours == theirs


def test_the_other_arrays_of_aspro2s_future_version_are_offered_in_some_period(shared_data: Path) -> None:
    vlti = facility("VLTI")
    known = {frozenset(offer.stations) for offers in vlti.offers.values() for offer in offers}
    for version, _, title, stations in aspro_lists(shared_data / "aspro" / "conf" / "VLTI.xml"):
        if version == "Future" and "->" not in title:
            assert frozenset(vlti.log_station(one) for one in stations) in known


def test_pairs_and_triplets_of_amber_and_midi_are_named_after_their_quadruplet() -> None:
    vlti = facility("VLTI")
    quadruplets = {"A1 G1 K0 J3": "large", "D0 H0 G1 I1": "medium", "A1 B2 C1 D0": "small"}
    for members, name in quadruplets.items():
        for size in (2, 3):
            for part in combinations(members.split(), size):
                found = vlti.configuration(part, 56600.2, "AMBER" if size == 3 else "MIDI")
                assert (found.version, found.name, found.basis) == ("Period 92", name, "offered"), part
