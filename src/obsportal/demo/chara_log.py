"""A demonstration observing log of the CHARA Array, in the CSV layout that OiDB imports.

Columns UT-DATE, STAR, PI, PROGRAM, COMBINER, TYPE, MJD, FILTER, SCOPES, B1, B2, B3, T0_OBS, T0_500nm
(coherence times in ms, lengths in m), and RA, DEC in degrees. Programmes begin with DEMO.
"""

from __future__ import annotations

import csv
import io
import math
from datetime import date

import numpy as np

from obsportal.demo.nights import Site, altitude, dark_time, date_of, mjd_of, precess
from obsportal.demo.programmes import INVESTIGATORS
from obsportal.demo.stars import Kind, Sky, build_sky
from obsportal.interferometry.facility import Facility, facility
from obsportal.interferometry.geometry import project

COLUMNS = (
    "UT-DATE", "STAR", "PI", "PROGRAM", "COMBINER", "TYPE", "MJD", "FILTER", "SCOPES",
    "B1", "B2", "B3", "T0_OBS", "T0_500nm", "RA", "DEC",
)  # fmt: skip
# Combiner, filters, wavelength in nm, telescopes.
_SETUPS = (
    ("CLASSIC", ("K-Prime", "H"), 2130.0, ("S1/E1", "S2/W2", "E1/W1", "S1/W1")),
    ("CLIMB", ("K-Prime", "H"), 2130.0, ("S1/E1/W1", "S2/E2/W2", "S1/E1/W2")),
    ("PAVO", ("R",), 740.0, ("S2/W2", "E2/W2", "S1/W2")),
)
_FIRST, _LAST = date(2014, 1, 10), date(2023, 11, 20)
_TWILIGHT = -18.0
_LOWEST = 32.0
_LINES_A_STAR = 3


def demo_chara_log(seed: int = 20_260_101, nights: int = 24) -> str:
    """CSV text of ``nights`` nights between 2014 and 2023, the same for the same arguments."""
    place = facility("CHARA")
    site = Site(place.name, place.longitude_deg, place.latitude_deg)
    sky = build_sky(seed)
    rng = np.random.default_rng((seed, 8))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    drawn = rng.choice(mjd_of(_LAST) - mjd_of(_FIRST), size=nights, replace=False)
    for night in sorted(mjd_of(_FIRST) + int(day) for day in drawn):
        writer.writerows(_night(rng, place, site, sky, night))
    return text.getvalue()


def _night(rng: np.random.Generator, place: Facility, site: Site, sky: Sky, night: int) -> list[list[str]]:
    dusk, dawn = (float(bound[0]) for bound in dark_time(site, np.array([night]), _TWILIGHT))
    combiner, filters, wavelength, scopes = _SETUPS[int(rng.integers(len(_SETUPS)))]
    filter_name = filters[int(rng.integers(len(filters)))]
    stations = scopes[int(rng.integers(len(scopes)))]
    investigator = INVESTIGATORS[int(rng.integers(len(INVESTIGATORS)))]
    programme = f"DEMO-{combiner[:2]}{int(rng.integers(1, 40)):02d}"
    t0_500 = float(np.clip(rng.normal(9.0, 3.0), 3.0, 20.0))
    stars = np.array([i for i in sky.by_kind[Kind.STAR] if sky.targets[i].dec > -15.0])
    ra, dec = sky.at(dusk)
    ra_now, dec_now = precess(ra, dec, dusk)
    lines = []
    moment = dusk + float(rng.uniform(0.01, 0.05))
    while moment < dawn - 0.09:
        ends = np.array([[moment], [moment + 0.085]])
        low = altitude(site, ends, ra_now[stars], dec_now[stars]).min(axis=0)
        ready = stars[low > _LOWEST + 5.0]
        if not len(ready):
            moment += 0.02
            continue
        science = int(rng.choice(ready))
        calibrator = sky.calibrators_of[science][0]
        for role, target in (("CAL1", calibrator), ("OBJ", science), ("CAL1", calibrator)):
            name = sky.targets[target].name
            for _ in range(_LINES_A_STAR):
                when = round(moment, 5)
                position = (round(float(ra[target]), 5), round(float(dec[target]), 5))
                baselines = project(place, stations.split("/"), when, *position)
                lengths = [f"{baseline.length:.2f}" for baseline in baselines]
                t0 = t0_500 * math.exp(float(rng.normal(0.0, 0.1)))
                lines.append(
                    [
                        *(date_of(int(when)).isoformat(), name, investigator, programme, combiner, role),
                        *(f"{when:.5f}", filter_name, stations, *[*lengths, "0.00", "0.00"][:3]),
                        *(f"{t0 * (wavelength / 500.0) ** 1.2:.2f}", f"{t0:.2f}"),
                        *(f"{position[0]:.5f}", f"{position[1]:.5f}"),
                    ]
                )
                moment += float(rng.uniform(4.0, 6.0)) / 1440.0
            moment += float(rng.uniform(6.0, 10.0)) / 1440.0
        moment += float(rng.exponential(0.02))
    return lines
