"""Nights, versions of MJD and ISO dates, sidereal hours."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import astropy.units as u
import pytest
from astropy.coordinates import AltAz, EarthLocation, get_sun
from astropy.time import Time
from astropy.utils import iers
from hypothesis import given
from hypothesis import strategies as st

from obsportal.interferometry.facility import facilities, facility
from obsportal.interferometry.times import (
    datetime_to_mjd,
    lst_hours,
    mjd_to_datetime,
    night_of,
    parse_isot,
)

NIGHTS = [
    # site, instant in UTC, night; Chile is at UTC-3 in summer, UTC-4 in winter, California UTC-7 and UTC-8
    ("VLTI", "2020-01-09T03:34:07.546", date(2020, 1, 8)),
    ("VLTI", "2020-01-09T14:59:59.999", date(2020, 1, 8)),
    ("VLTI", "2020-01-09T15:00:00", date(2020, 1, 9)),
    ("VLTI", "2020-07-09T15:59:59.999", date(2020, 7, 8)),
    ("VLTI", "2020-07-09T16:00:00", date(2020, 7, 9)),
    ("VLTI", "2019-04-07T02:30:00", date(2019, 4, 6)),  # 23:30 summer time
    ("VLTI", "2019-04-07T03:30:00", date(2019, 4, 6)),  # 23:30 again, winter time
    ("VLTI", "2019-04-07T15:30:00", date(2019, 4, 6)),  # 11:30 winter time
    ("VLTI", "2019-04-06T15:30:00", date(2019, 4, 6)),  # 12:30 summer time
    ("CHARA", "2022-08-27T06:00:00", date(2022, 8, 26)),
    ("CHARA", "2022-08-27T18:59:59", date(2022, 8, 26)),
    ("CHARA", "2022-08-27T19:00:00", date(2022, 8, 27)),
    ("CHARA", "2021-12-18T19:30:00", date(2021, 12, 17)),
    ("CHARA", "2021-12-18T20:00:00", date(2021, 12, 18)),
]


@pytest.mark.parametrize(("site", "instant", "night"), NIGHTS)
def test_a_night_begins_at_local_noon(site: str, instant: str, night: date) -> None:
    assert night_of(datetime_to_mjd(parse_isot(instant)), facility(site)) == night


@given(name=st.sampled_from(sorted(facilities())), mjd=st.floats(50000.0, 65000.0))
def test_an_instant_lies_between_the_noon_of_its_night_and_the_next(name: str, mjd: float) -> None:
    array = facility(name)
    zone = ZoneInfo(array.timezone)
    night = night_of(mjd, array)
    noon = datetime(night.year, night.month, night.day, 12, tzinfo=zone)
    following = night + timedelta(days=1)
    next_noon = datetime(following.year, following.month, following.day, 12, tzinfo=zone)
    assert noon <= mjd_to_datetime(mjd) < next_noon


@pytest.mark.parametrize("name", ["VLTI", "CHARA"])
@pytest.mark.parametrize("day", [57113.0, 57300.0, 58850.0, 60500.0])
def test_the_dark_hours_around_a_midnight_belong_to_one_night(name: str, day: float) -> None:
    array = facility(name)
    site = EarthLocation.from_geodetic(array.longitude_deg, array.latitude_deg, array.altitude_m)
    start = day + 0.5 - array.longitude_deg / 360.0  # about local noon
    instants = [start + hour / 24.0 for hour in range(24)]
    with iers.conf.set_temp("auto_download", False):
        times = Time(instants, format="mjd")
        altitudes = get_sun(times).transform_to(AltAz(obstime=times, location=site)).alt
    dark = [mjd for mjd, altitude in zip(instants, altitudes, strict=True) if altitude < -6 * u.deg]
    assert len(dark) >= 8
    assert len({night_of(mjd, array) for mjd in dark}) == 1


@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)))
def test_a_datetime_survives_the_round_trip_through_mjd(when: datetime) -> None:
    aware = when.replace(tzinfo=UTC)
    back = mjd_to_datetime(datetime_to_mjd(aware))
    bound = 40 if 1850 < when.year < 2150 else 100  # µs: a double holds 16 digits
    assert abs(back - aware) <= timedelta(microseconds=bound)


@given(st.datetimes(datetime(1973, 1, 1), datetime(2026, 1, 1)))
def test_mjd_is_astropys(when: datetime) -> None:
    """To 0.3 s in the morning: astropy stretches the days that end in a leap second."""
    aware = when.replace(tzinfo=UTC, hour=when.hour % 7)
    assert datetime_to_mjd(aware) == pytest.approx(Time(aware).mjd, abs=0.3 / 86400)


def test_other_time_zones_mean_the_same_instant() -> None:
    paris = datetime(2020, 1, 9, 4, 34, tzinfo=timezone(timedelta(hours=1)))
    assert datetime_to_mjd(paris) == datetime_to_mjd(datetime(2020, 1, 9, 3, 34, tzinfo=UTC))


def test_a_datetime_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        datetime_to_mjd(datetime(2020, 1, 9))


@pytest.mark.parametrize("mjd", [math.nan, math.inf, -math.inf, 1e9, -1e6, 1e300])
def test_an_mjd_that_is_no_date_is_refused(mjd: float) -> None:
    with pytest.raises(ValueError, match="MJD"):
        mjd_to_datetime(mjd)


READ = [
    ("2020-01-27T03:39:33", datetime(2020, 1, 27, 3, 39, 33, tzinfo=UTC)),
    ("2020-01-27T03:39:33.5", datetime(2020, 1, 27, 3, 39, 33, 500000, tzinfo=UTC)),
    ("2016-10-13T06:55:06.1385", datetime(2016, 10, 13, 6, 55, 6, 138500, tzinfo=UTC)),
    ("2020-01-27 03:39:33Z", datetime(2020, 1, 27, 3, 39, 33, tzinfo=UTC)),
    ("2022-01-14 10:40:32+00:00", datetime(2022, 1, 14, 10, 40, 32, tzinfo=UTC)),
    (" 2020-01-27 ", datetime(2020, 1, 27, tzinfo=UTC)),
    ("2016-12-31T23:59:60", datetime(2017, 1, 1, tzinfo=UTC)),
    ("2016-12-31T23:59:60.25", datetime(2017, 1, 1, 0, 0, 0, 250000, tzinfo=UTC)),
    ("2019-12-31T23:59:59.9999999", datetime(2020, 1, 1, tzinfo=UTC)),
]


@pytest.mark.parametrize(("text", "expected"), READ)
def test_dates_of_headers_are_read_as_utc(text: str, expected: datetime) -> None:
    assert parse_isot(text) == expected
    assert parse_isot(text).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "text",
    ["", "2020", "2020-13-01", "2020-02-30T00:00:00", "2020-01-01T25:00:00", "20/01/2020", "2020-01-01T1:2:3",
     "2020-01-01T00:00:61", "2020-01-01T00:00", "2020-01-01T00:00:00+05:00", "9999-12-31T23:59:60",
     "0000-01-01"],
)  # fmt: skip
def test_what_is_not_a_utc_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a UTC date"):
        parse_isot(text)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_with_a_value_error(text: str) -> None:
    try:
        assert parse_isot(text).tzinfo is UTC
    except ValueError:
        return


SIDEREAL = [  # seconds of time: the mean sidereal time with UT1 from IERS tables
    ("VLTI", "2019-05-24T01:45:00", 13 * 3600 + 8 * 60 + 53.83),
    ("VLTI", "2017-09-28T08:14:15", 4 * 3600 + 1 * 60 + 50.37),
    ("VLTI", "2026-03-22T00:00:00", 7 * 3600 + 16 * 60 + 26.26),
    ("CHARA", "2026-06-21T07:00:00", 17 * 3600 + 5 * 60 + 45.37),
]


@pytest.mark.parametrize(("site", "instant", "seconds"), SIDEREAL)
def test_sidereal_hours_are_right_to_a_second(site: str, instant: str, seconds: float) -> None:
    found = lst_hours(datetime_to_mjd(parse_isot(instant)), facility(site)) * 3600.0
    assert found == pytest.approx(seconds, abs=1.2)  # UT1 - UTC and the equation of the equinoxes
