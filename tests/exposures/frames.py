"""Frames for tests of grouping and linking, made without a database."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

from obsportal.exposures.observations.grouping import Frame
from obsportal.interferometry.times import datetime_to_mjd

NIGHT = date(2020, 1, 26)
EVENING = datetime(2020, 1, 27, 1, tzinfo=UTC)
"""When the minutes of :func:`frame` begin."""
_numbers = count(1)


def at(minutes: float) -> datetime:
    """The instant so many minutes into the night."""
    return EVENING + timedelta(minutes=minutes)


def frame(minutes: float, *, lasts: float = 5.0, **values: Any) -> Frame:
    """A GRAVITY frame that begins so many minutes into the night; any field can be given."""
    start = datetime_to_mjd(at(minutes))
    number = next(_numbers)
    given: dict[str, Any] = {
        "pk": number,
        "exp_id": f"GRAVI.{at(minutes).isoformat()}.{number:06d}_1",
        "public": True,
        "interferometer": "VLTI",
        "instrument": "GRAVITY",
        "variant": "GRAVITY",
        "night": NIGHT,
        "mjd_start": start,
        "mjd_end": start + lasts / 1440.0,
        "target": 1,
        "ra": 111.48,
        "dec": -14.18,
        "station_set": "U1 U2 U3 U4",
        "program": "0104.C-0567(A)",
        "mode": "HIGH-COMBINED",
        "submode": "SINGLE",
        "fringe_tracker": "GRAVITY",
        "dit": 30.0,
        "airmass": 1.1,
    }
    return Frame(**(given | values))


def block(minutes: float, obs_id: int, *, frames: int = 2, **values: Any) -> list[Frame]:
    """Frames of one execution of a block, one every six minutes, that started two minutes before."""
    values = {"obs_id": obs_id, "obs_start": at(minutes - 2)} | values
    return [frame(minutes + 6 * k, **values) for k in range(frames)]
