from __future__ import annotations

import pytest

from obsportal.demo.chara_log import COLUMNS, demo_chara_log
from obsportal.demo.nights import Site, altitude, sun
from obsportal.formats.chara_log import read_chara_log
from obsportal.interferometry.facility import facility, find_mode
from obsportal.interferometry.geometry import project

LOG = read_chara_log(demo_chara_log(5))


def test_the_log_is_read_without_a_refused_line() -> None:
    assert len(LOG.lines) > 300
    assert LOG.refused == ()


def test_the_log_follows_from_its_seed() -> None:
    assert demo_chara_log(5, nights=3) == demo_chara_log(5, nights=3)
    assert demo_chara_log(5, nights=3) != demo_chara_log(6, nights=3)
    assert demo_chara_log(5, nights=3).splitlines()[0] == ",".join(COLUMNS)


def test_lines_are_in_time_order_at_night_with_known_modes() -> None:
    times = [line.mjd for line in LOG.lines]
    assert times == sorted(times)
    place = facility("CHARA")
    site = Site(place.name, place.longitude_deg, place.latitude_deg)
    for line in LOG.lines:
        ra, dec = sun(line.mjd)
        assert altitude(site, line.mjd, ra, dec) < -17.9
        assert find_mode(line.combiner, line.filter, "CHARA").facility == "CHARA"
        assert line.program.startswith("DEMO-")


def test_logged_lengths_are_those_of_the_geometry() -> None:
    for line in LOG.lines[::7]:
        assert line.ra is not None
        assert line.dec is not None
        computed = [b.length for b in project(facility("CHARA"), line.stations, line.mjd, line.ra, line.dec)]
        assert sorted(line.lengths) == pytest.approx(sorted(computed), abs=0.02)
