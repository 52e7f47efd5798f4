"""The weather of a night: smooth random walks from one seed, so that neighbours agree.

Seeing and coherence time are anti-correlated, as they are above Paranal: tau0 in seconds is about
4.5 ms at a seeing of 0.75 arcsec and falls with its power 1.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

STEP_DAYS = 6.0 / 1440.0


@dataclass(frozen=True, slots=True)
class Weather:
    """Ambient conditions on a grid of times (MJD UTC): arcsec, s, degC, %, hPa, m/s, deg, mm, K/m."""

    times: Array
    seeing: Array
    tau0: Array
    temperature: Array
    humidity: Array
    pressure: Array
    wind_speed: Array
    wind_direction: Array
    iwv: Array
    lapse_rate: Array

    def at(self, mjd: Array, quantity: str) -> Array:
        """A quantity at times of the night."""
        series: Array = getattr(self, quantity)
        return np.interp(mjd, self.times, series)


def weather_of_night(rng: np.random.Generator, start: float, end: float, day_of_year: int) -> Weather:
    """Simulated conditions from ``start`` to ``end``; southern summer is the warmest."""
    times = np.arange(start - STEP_DAYS, end + 2 * STEP_DAYS, STEP_DAYS)
    count = len(times)
    steps = rng.normal(size=(8, count))
    walk = np.cumsum(steps, axis=1) / np.sqrt(40.0)
    walk -= walk.mean(axis=1, keepdims=True)
    padded = np.pad(walk, ((0, 0), (2, 2)), mode="edge")
    smooth = np.stack([padded[:, i : i + count] for i in range(5)]).mean(axis=0)
    level = rng.normal(size=8)
    season = np.cos(2.0 * np.pi * (day_of_year - 25) / 365.25)
    seeing = np.clip(0.80 * np.exp(0.28 * level[0] + 0.16 * smooth[0]), 0.32, 2.6)
    tau0 = 0.0045 * (0.75 / seeing) ** 1.2 * np.exp(0.18 * level[1] + 0.08 * smooth[1])
    fraction = (times - start) / max(end - start, STEP_DAYS)
    temperature = 12.5 + 2.6 * season + 1.6 * level[2] + 0.4 * smooth[2] - 2.2 * fraction
    humidity = np.clip(14.0 * np.exp(0.55 * level[3] + 0.15 * smooth[3]), 2.0, 68.0)
    wind_speed = np.clip(6.5 * np.exp(0.45 * level[4] + 0.15 * smooth[4]), 0.3, 17.5)
    wind_direction = 20.0 + 45.0 * level[5] + 14.0 * smooth[5]  # not folded, to be interpolated
    iwv = np.clip(2.6 * np.exp(0.5 * level[6] + 0.08 * smooth[6] + 0.25 * season), 0.4, 14.0)
    return Weather(
        times=times,
        seeing=seeing,
        tau0=np.clip(tau0, 0.0009, 0.0180),
        temperature=temperature,
        humidity=humidity,
        pressure=744.0 + 1.2 * level[7] + 0.3 * smooth[7],
        wind_speed=wind_speed,
        wind_direction=wind_direction,
        iwv=iwv,
        lapse_rate=-0.030 + 0.008 * smooth[2],
    )
