"""A demonstration archive: headers of nights that never were, but could have been.

Everything follows from a seed. The headers go through the portal's ordinary ingest. They are marked so
that none can be taken for a real one: identifiers begin with ``DEMO.`` (authority ``demo.obsportal``),
ORIGIN is OBSPORTAL-DEMO, investigators, calibrators and most programmes are invented.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from functools import lru_cache
from itertools import chain
from pathlib import Path

import numpy as np

from obsportal.demo.headers import DemoHeader, render_night
from obsportal.demo.instruments import BY_NAME, INSTRUMENTS, DemoInstrument
from obsportal.demo.nights import Site, dark_time, date_of, mjd_of
from obsportal.demo.plan import FAULTS, REMARKS, Frame, NightPlan, NightPlanner
from obsportal.demo.programmes import Programme, eso_period, programmes_of
from obsportal.demo.stars import Sky, build_sky
from obsportal.demo.weather import weather_of_night
from obsportal.interferometry.facility import Facility, facility

AUTHORITY = "demo.obsportal"
EXPOSURES_A_NIGHT = 90.0
EXPOSURES_A_SURVEY_STAR = 40  # larger archives have more stars, not more exposures of each
TWILIGHT = {"VLTI": -12.0, "CHARA": -18.0}
CHARA_SHARE = 0.10  # of the exposures of a night at VLTI, once SPICA is there
# Exposures a year relative to today's: the archive grew as instruments with more beams came.
ACTIVITY_DATES = tuple(mjd_of(date(year, 1, 1)) for year in (2004, 2011, 2018))
ACTIVITY = (0.25, 0.5, 1.0)
SAMPLE_NIGHTS = 12  # of each instrument, spread over its era, to find one header of each kind
STAY = 8  # nights the movable telescopes stay where they are


def generate(
    exposures: int = 20_000, seed: int = 20_260_101, *, start: date, end: date
) -> Iterator[DemoHeader]:
    """Headers in time order from nights between two dates (both included), the same for the same arguments.

    About ``exposures`` of them describe sound exposures; three per cent more are frames to refuse
    and two per cent more have validation errors. A night holds some 250 exposures: a span too short for
    the number asked for gives fewer. Raises ValueError for a span without a night or a negative number.
    """
    if exposures < 0:
        raise ValueError(f"the number of exposures is {exposures}; it must be 0 or more")
    if end < start:
        raise ValueError(f"the end {end} is before the start {start}")
    archive = _Archive(seed, survey=max(500, exposures // EXPOSURES_A_SURVEY_STAR))
    nights = _choose_nights(seed, exposures, start, end)
    wanted = exposures / max(len(nights), 1)
    made = 0
    for count, night in enumerate(nights, 1):
        quota = wanted * count - made
        if quota < 1.0:
            continue
        headers, accepted = archive.night(night, quota)
        made += accepted
        yield from headers


def write_samples(folder: Path, seed: int = 20_260_101) -> list[Path]:
    """Write one header of each kind into ``folder``: by instrument, band, what it is and what is wrong.

    Returns the files, named like ``GRAVITY_science.hdr``; existing ones are replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for kind, header in samples(seed):
        path = folder / f"{kind}.hdr"
        path.write_text(header.text, encoding="latin-1")
        written[kind] = path
    return list(written.values())


def samples(seed: int = 20_260_101) -> Iterator[tuple[str, DemoHeader]]:
    """One header of each kind with a name for it, instrument by instrument."""
    archive = _Archive(seed, survey=500)
    for instrument in INSTRUMENTS:
        first, last = mjd_of(instrument.first), min(mjd_of(instrument.last), mjd_of(date(2026, 3, 1)))
        found: dict[str, DemoHeader] = {}
        for night in np.linspace(first + 1, last - 1, SAMPLE_NIGHTS).astype(int):
            plan = archive.plan(int(night), instrument, EXPOSURES_A_NIGHT)
            wanted: dict[str, Frame] = {}
            for frame in plan.frames:
                if frame.spare is None:
                    for variant in _variants(frame):
                        wanted.setdefault(_kind(variant), variant)
            new = [frame for kind, frame in wanted.items() if kind not in found]
            found |= {_kind(frame): header for frame, header in archive.render(int(night), instrument, new)}
        yield from found.items()


def _variants(frame: Frame) -> Iterator[Frame]:
    """A frame as it could have been: sound, with each damage, and as each frame beside the target."""
    yield replace(frame, damage="")
    if frame.block.role == "SCI":
        yield from (replace(frame, damage=damage) for damage in (*FAULTS, *REMARKS))
        if frame.band in ("", frame.block.instrument.bands[0]):
            yield from (replace(frame, damage="", spare=spare) for spare in frame.block.instrument.spares)


def _kind(frame: Frame) -> str:
    """Name of a kind of header, such as MATISSE_LM_science."""
    if frame.spare is not None:
        what = frame.spare.dpr_type.lower().replace(",", "-")
    else:
        what = frame.damage or ("science" if frame.block.role == "SCI" else "calibrator")
    if frame.block.setting.dual and frame.block.role == "SCI":
        what += "-dual"
    return "_".join(part for part in (frame.block.instrument.name, frame.band, what) if part)


def _choose_nights(seed: int, exposures: int, start: date, end: date) -> list[int]:
    """Nights (MJD of the evening) over the whole span, one drawn from each stretch of equal activity."""
    if exposures == 0:
        return []
    nights = np.arange(mjd_of(start), mjd_of(end) + 1)
    activity = np.cumsum(np.interp(nights, ACTIVITY_DATES, ACTIVITY))
    wanted = int(np.clip(round(exposures / EXPOSURES_A_NIGHT), 1, len(nights)))
    rng = np.random.default_rng((seed, 4))
    drawn = (np.arange(wanted) + rng.random(wanted)) / wanted * activity[-1]
    return [int(night) for night in np.unique(nights[np.searchsorted(activity, drawn)])]


class _Archive:
    """What the nights of one seed share: the sky, the facilities and the programmes."""

    def __init__(self, seed: int, survey: int) -> None:
        self._seed = seed
        self._sky: Sky = build_sky(seed, survey)
        self._sites: dict[str, tuple[Facility, Site]] = {}
        for name in TWILIGHT:
            place = facility(name)
            self._sites[name] = place, Site(name, place.longitude_deg, place.latitude_deg)
        self._programmes: dict[tuple[str, int], tuple[Programme, ...]] = {}

    def night(self, night: int, quota: float) -> tuple[list[DemoHeader], int]:
        """Headers of one night at all sites in time order, and how many are sound exposures."""
        day = date_of(night)
        rng = np.random.default_rng((self._seed, 5, night))
        spica = BY_NAME["SPICA"]
        elsewhere = quota * CHARA_SHARE if spica.in_use(day) else 0.0
        found: list[tuple[Frame, DemoHeader]] = []
        accepted = 0
        if elsewhere >= 1.0:
            found, accepted = self.frames(night, spica, elsewhere)
        working = [i for i in INSTRUMENTS if i.site == "VLTI" and i.in_use(day)]
        if working:
            shares = np.array([i.share for i in working])
            chosen = working[int(rng.choice(len(working), p=shares / shares.sum()))]
            more, number = self.frames(night, chosen, quota - accepted)
            found, accepted = found + more, accepted + number
        found.sort(key=lambda pair: (pair[0].start, pair[1].name))
        return [header for _, header in found], accepted

    def frames(
        self, night: int, instrument: DemoInstrument, quota: float
    ) -> tuple[list[tuple[Frame, DemoHeader]], int]:
        """Frames and headers of a night with one instrument, and how many are sound exposures."""
        plan = self.plan(night, instrument, quota)
        return list(self.render(night, instrument, plan.frames)), plan.accepted

    def plan(self, night: int, instrument: DemoInstrument, quota: float) -> NightPlan:
        """What one instrument does in a night."""
        place, site = self._sites[instrument.site]
        dark = self._dark(site, night)
        rng = np.random.default_rng((self._seed, 6, night, *instrument.name.encode()))
        planner = NightPlanner(rng, site, place, self._sky, night, dark)
        arrays = self._arrays(place, instrument, night, dark[0])
        return planner.fill(instrument, arrays, self._programmes_of(instrument, date_of(night)), quota)

    def render(
        self, night: int, instrument: DemoInstrument, frames: list[Frame]
    ) -> Iterator[tuple[Frame, DemoHeader]]:
        """Headers of frames of one night, in the weather of that night."""
        place, site = self._sites[instrument.site]
        rng = np.random.default_rng((self._seed, 9, night, *instrument.site.encode()))
        weather = weather_of_night(rng, *self._dark(site, night), date_of(night).timetuple().tm_yday)
        return render_night(place, site, frames, self._sky, weather)

    def _dark(self, site: Site, night: int) -> tuple[float, float]:
        dusk, dawn = dark_time(site, np.array([night]), TWILIGHT[site.name])
        return float(dusk[0]), float(dawn[0])

    def _programmes_of(self, instrument: DemoInstrument, day: date) -> tuple[Programme, ...]:
        key = (instrument.name, eso_period(day))
        if key not in self._programmes:
            self._programmes[key] = programmes_of(self._seed, key[1], day, instrument, self._sky)
        return self._programmes[key]

    def _arrays(
        self, place: Facility, instrument: DemoInstrument, night: int, dusk: float
    ) -> list[tuple[str, ...]]:
        """The arrays of a night: one quadruplet, or the pairs and triplets within the same telescopes."""
        offered = offered_arrays(place, place.version_at(dusk), instrument.name, instrument.telescopes)
        rng = np.random.default_rng((self._seed, 7, night // STAY))
        chosen = offered[int(rng.integers(len(offered)))]
        same_kind = [array for array in offered if array[0][0] == chosen[0][0] == "U"]
        return same_kind or [chosen]


@lru_cache(maxsize=1024)
def offered_arrays(
    place: Facility, version: str, instrument: str, telescopes: int
) -> tuple[tuple[str, ...], ...]:
    """Stations of the configurations offered to an instrument with so many telescopes.

    Falls back, for times without an offer, to other instruments of the version, then to the nearest
    version in the facility's list that has one.
    """
    variants = frozenset(place.instrument(instrument).variants)
    for only_own in (True, False):
        for candidate in chain((version,), _nearest(place, version)):
            offers = place.offers.get(candidate, ())
            found = {
                offer.stations: None
                for offer in offers
                if len(offer.stations) == telescopes and (not only_own or offer.variants & variants)
            }
            if found:
                return tuple(found)
    raise LookupError(f"no configuration with {telescopes} telescopes is known for {instrument}")


def _nearest(place: Facility, version: str) -> Iterator[str]:
    """The other versions, nearest start first; worked out only when they are asked for."""
    starts = place.version_rule.first_nights() if place.version_rule else {}
    here = starts.get(version)
    known = [other for other in place.offers if other in starts]
    if here is not None:
        known.sort(key=lambda other: abs((starts[other] - here).days))
    yield from known
