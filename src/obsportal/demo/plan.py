"""One night at one site: which targets were observed when, in which order, and what went wrong.

Observing blocks come in concatenations (calibrator, science, calibrator) that share a container. A
target is taken only while it is above ``LOWEST`` and within reach of the delay lines for the whole
block. The result is plain data; ``headers`` writes it down.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from obsportal.demo.instruments import DemoInstrument, Setting, Spare
from obsportal.demo.nights import Site, altitude, lst, precess
from obsportal.demo.programmes import Programme
from obsportal.demo.stars import Kind, Sky
from obsportal.interferometry.facility import Facility

Array = NDArray[np.float64]

SECOND = 1.0 / 86400.0
LOWEST = 30.0
HIGHEST = {"VLTI": 87.0, "CHARA": 85.0}
LONGEST_HOUR_ANGLE = 60.0  # deg
DELAY_REACH = 100.0  # m of optical path between two beams, of the order of the throw of a delay line
MAX_SCATTER = 20.0  # arcsec
REFUSED_SHARE = 0.03
INVALID_SHARE = 0.02
REMARK_SHARE = 0.008
SAME_POINTING = 0.9  # how often a second visit in a night uses the pointing of the first
FAULTS = ("short", "unknown_mode", "sentinel")
"""What makes an exposure invalid: one integration for the whole, a mode nobody knows, no position."""
REMARKS = ("missing_end", "no_seeing")
"""What leaves it valid with a remark: no baselines at the end, no seeing measured."""
SEQUENCES = (("CAL", "SCI", "CAL"), ("CAL", "SCI"), ("CAL", "SCI", "CAL", "SCI", "CAL"), ("SCI",))
SEQUENCE_SHARES = (0.45, 0.25, 0.22, 0.08)


@dataclass(slots=True)
class Block:
    """One execution of an observing block: one pointing, one template."""

    instrument: DemoInstrument
    setting: Setting
    programme: Programme
    role: str  # SCI or CAL
    target: int
    name: str
    ra: float
    dec: float
    stations: tuple[str, ...]
    ob_id: int
    container_id: int | None
    ob_start: float
    template_start: float
    nexp: int
    index: int = 0


@dataclass(slots=True)
class Frame:
    """One file: its block, band, times and what is wrong with it ("" for nothing)."""

    block: Block
    start: float
    duration: float
    number: int
    band: str = ""
    spare: Spare | None = None
    damage: str = ""
    state: int = 0  # which of the four positions of the beam commuting devices


@dataclass(slots=True)
class NightPlan:
    """The frames of a night in time order, and how many of them are sound exposures."""

    frames: list[Frame] = field(default_factory=list)
    accepted: int = 0


class NightPlanner:
    """Fills one night at one site, from dusk to dawn or until ``quota`` exposures are taken."""

    def __init__(
        self,
        rng: np.random.Generator,
        site: Site,
        facility: Facility,
        sky: Sky,
        night: int,
        dark: tuple[float, float],
    ) -> None:
        self._rng = rng
        self._site = site
        self._sky = sky
        self._night = night
        self._dusk, self._dawn = dark
        self._facility = facility
        self._ra, self._dec = sky.at(self._dusk)
        self._ra_now, self._dec_now = precess(self._ra, self._dec, self._dusk)
        self._pointings: dict[int, tuple[float, float]] = {}
        self._next_id = 100_000 + (night - 52_000) * 400

    def fill(
        self,
        instrument: DemoInstrument,
        stations: Sequence[tuple[str, ...]],
        programmes: Sequence[Programme],
        quota: float,
    ) -> NightPlan:
        """Plan the night with one instrument; ``stations`` are the arrays to choose from."""
        plan = NightPlan()
        rng = self._rng
        moment = self._dusk + rng.uniform(2.0, 15.0) / 1440.0
        idle = self._idle_factor(instrument, quota)
        while moment < self._dawn - 40.0 / 1440.0 and plan.accepted < quota:
            array = stations[int(rng.integers(len(stations)))]
            began = moment
            moment = self._concatenation(plan, instrument, array, programmes, moment)
            if moment == began:
                moment += rng.uniform(8.0, 25.0) / 1440.0
            else:
                moment += rng.exponential(idle) * (moment - began)
        plan.frames.sort(key=lambda frame: frame.start)
        return plan

    def _idle_factor(self, instrument: DemoInstrument, quota: float) -> float:
        """Idle time after a concatenation as a share of its length, so that the quota lasts the night."""
        usual = float(np.mean(instrument.exposures["SCI"])) * len(instrument.bands)
        length = float(np.mean(instrument.acquisition)) + usual / len(instrument.bands) * (
            instrument.settings[0].duration + instrument.gap
        )
        possible = (self._dawn - self._dusk) / SECOND / length * usual
        return float(np.clip(0.8 * possible / max(quota, 1.0) - 1.0, 0.02, 12.0))

    def _concatenation(
        self,
        plan: NightPlan,
        instrument: DemoInstrument,
        array: tuple[str, ...],
        programmes: Sequence[Programme],
        moment: float,
    ) -> float:
        """Observe one sequence from ``moment``; its end, or ``moment`` when nothing could be done."""
        rng = self._rng
        sequence = SEQUENCES[int(rng.choice(len(SEQUENCES), p=SEQUENCE_SHARES))]
        span = len(sequence) * 30.0 / 1440.0
        chosen = self._choose(programmes, array, moment, min(moment + span, self._dawn))
        if chosen is None:
            return moment
        programme, science = chosen
        calibrator = self._sky.calibrators_of[science][int(rng.integers(2))]
        container = self._take_id() if len(sequence) > 1 else None
        for role in sequence:
            target = science if role == "SCI" else calibrator
            end = self._block(plan, instrument, array, programme, role, target, container, moment)
            if end is None:
                break
            moment = end
        return moment

    def _choose(
        self, programmes: Sequence[Programme], array: tuple[str, ...], start: float, end: float
    ) -> tuple[Programme, int] | None:
        """A programme with a target that can be observed from start to end, and that target."""
        for i in self._rng.permutation(len(programmes)):
            programme = programmes[int(i)]
            targets = np.array(programme.targets)
            good = self._lowest(targets, start, end) > LOWEST + 4.0
            ready = [int(t) for t in targets[good & self._reachable(targets, array, start, end)]]
            if ready:
                kinds = [self._sky.targets[t].kind for t in ready]
                weights = np.array([1.0 if kind is Kind.SURVEY else 5.0 for kind in kinds])
                return programme, ready[int(self._rng.choice(len(ready), p=weights / weights.sum()))]
        return None

    def _lowest(self, targets: NDArray[np.int64], start: float, end: float) -> Array:
        times = np.array([[start], [end]])
        heights = altitude(self._site, times, self._ra_now[targets], self._dec_now[targets])
        too_high = heights.max(axis=0) > HIGHEST[self._site.name] - 1.0
        return np.where(too_high, -90.0, heights.min(axis=0))

    def _reachable(
        self, targets: NDArray[np.int64], array: tuple[str, ...], start: float, end: float
    ) -> NDArray[np.bool_]:
        """Which targets have hour angles and path differences within limits at start and end."""
        times = np.array([[start], [end]])
        angles = (lst(times, self._site.longitude) - self._ra_now[targets] + 180.0) % 360.0 - 180.0
        good: NDArray[np.bool_] = np.abs(angles).max(axis=0) < LONGEST_HOUR_ANGLE
        if self._site.name != "VLTI":
            return good  # the PoPs of CHARA are chosen to bring a target into reach
        places = [self._facility.stations[name] for name in array]
        x, y, z = (np.array([[[getattr(p, axis)]] for p in places]) for axis in "xyz")
        hour, dec = np.radians(angles), np.radians(self._dec_now[targets])
        paths = np.cos(dec) * (np.cos(hour) * x - np.sin(hour) * y) + np.sin(dec) * z
        within: NDArray[np.bool_] = np.ptp(paths, axis=0).max(axis=0) < DELAY_REACH
        return good & within

    def _block(
        self,
        plan: NightPlan,
        instrument: DemoInstrument,
        array: tuple[str, ...],
        programme: Programme,
        role: str,
        target: int,
        container: int | None,
        moment: float,
    ) -> float | None:
        """Append the frames of one block; its end, or None when it cannot be done."""
        rng = self._rng
        setting = programme.setting
        choices = instrument.exposures[role]
        nexp = choices[int(rng.integers(len(choices)))]
        template = moment + float(rng.uniform(*instrument.acquisition)) * SECOND
        first = template + float(rng.uniform(8.0, 25.0)) * SECOND
        spare = None
        if rng.random() < REFUSED_SHARE * nexp * len(instrument.bands):
            spare = instrument.spares[int(rng.integers(len(instrument.spares)))]
        length = nexp * (setting.duration + instrument.gap) + (spare.duration + 20.0 if spare else 0.0)
        end = first + length * SECOND
        if end > self._dawn:
            return None
        only = np.array([target])
        high = self._lowest(only, first, end)[0] > LOWEST + 0.3
        if not (high and self._reachable(only, array, first, end)[0]):
            return None
        ra, dec = self._pointing(target)
        block = Block(
            instrument,
            setting,
            programme,
            role,
            target,
            programme.spelling.get(target) or self._calibrator_name(target, programme),
            ra,
            dec,
            array,
            self._take_id(),
            container,
            moment,
            template,
            nexp,
        )
        moment = first
        for number in range(1, nexp + 1):
            for band in instrument.bands:
                damage = self._damage()
                lag = 0.0 if band in ("", "LM") else float(rng.uniform(0.05, 0.6)) * SECOND
                state = (number - 1) % 4
                plan.frames.append(
                    Frame(block, moment + lag, setting.duration, number, band, None, damage, state)
                )
                plan.accepted += damage not in FAULTS
            moment += (setting.duration + instrument.gap * float(rng.uniform(0.8, 1.0))) * SECOND
        if spare is not None:
            band = instrument.bands[0]
            plan.frames.append(Frame(block, moment, spare.duration, nexp + 1, band, spare))
            moment += (spare.duration + 15.0) * SECOND
        return moment

    def _pointing(self, target: int) -> tuple[float, float]:
        """Where the telescopes point: tonight's position plus a scatter, with the digits of a header."""
        known = self._pointings.get(target)
        if known is not None and self._rng.random() < SAME_POINTING:
            return known
        scatter = self._sky.targets[target].scatter
        east, north = self._rng.normal(0.0, scatter, 2)
        size = math.hypot(east, north)
        shrink = min(1.0, MAX_SCATTER / size) / 3600.0 if size else 0.0
        dec = float(self._dec[target]) + float(north) * shrink
        ra = float(self._ra[target]) + float(east) * shrink / math.cos(math.radians(dec))
        pointing = (round(ra % 360.0, 6), round(dec, 5))
        self._pointings[target] = pointing
        return pointing

    def _damage(self) -> str:
        """What is wrong with the next frame, mostly nothing."""
        lot = self._rng.random() * (1.0 + INVALID_SHARE)
        for share, damages in ((INVALID_SHARE, FAULTS), (REMARK_SHARE, REMARKS)):
            if lot < share:
                return damages[int(self._rng.integers(len(damages)))]
            lot -= share
        return ""

    def _calibrator_name(self, target: int, programme: Programme) -> str:
        """A calibrator's name in the spelling that the programme's PI has for all of them."""
        names = self._sky.targets[target].names
        return names[programme.pi_number % len(names)]

    def _take_id(self) -> int:
        self._next_id += 1
        return self._next_id
