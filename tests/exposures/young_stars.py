"""Exposures of the young-star programmes: several runs each, mixed instruments, some of them protected."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from obsportal.accounts.access import Visibility
from obsportal.exposures.models import (
    CalibratorLink,
    Confidence,
    Exposure,
    LinkBasis,
    Observation,
    ObservationBasis,
)
from obsportal.exposures.versions import bump
from portal import make_exposure

ROOTS = ("099.C-0667", "0103.C-0347", "100.C-0278", "0102.C-0408")

MODES = {"GRAVITY": "HIGH-COMBINED", "MATISSE": "SI_PHOT_LM_LOW", "PIONIER": "GRISM-H"}
STARS = {
    "HD 58647": (111.483684, -14.17878),
    "HD 45677": (97.0740, -13.0531),
    "V856 Sco": (242.1428, -39.1049),
    "HD 57939": (110.7560, -26.9580),
}
TITLES = {
    "099.C-0667": "The inner rim of discs around young stars",
    "0103.C-0347": "Discs of Herbig stars through their life",
    "100.C-0278": "Winds of young stars",
    "0102.C-0408": "A ring around a star with emission lines",
}
NIGHT = {"099.C-0667": date(2017, 5, 3), "0103.C-0347": date(2019, 5, 12)}
NIGHT |= {"100.C-0278": date(2017, 12, 20), "0102.C-0408": date(2019, 1, 8)}

RUNS: tuple[tuple[str, str, str, int, str, int, Visibility], ...] = (
    # run, instrument, configuration, night of the programme, star, exposures, visibility
    ("099.C-0667(A)", "PIONIER", "small", 0, "HD 58647", 4, Visibility.PUBLIC),
    ("099.C-0667(B)", "PIONIER", "large", 40, "HD 58647", 3, Visibility.PUBLIC),
    ("099.C-0667(B)", "GRAVITY", "large", 40, "V856 Sco", 2, Visibility.PUBLIC),
    ("0103.C-0347(A)", "GRAVITY", "UTs", 0, "HD 58647", 3, Visibility.PUBLIC),
    ("0103.C-0347(C)", "MATISSE", "medium", 2, "V856 Sco", 5, Visibility.PUBLIC),
    ("0103.C-0347(D)", "PIONIER", "medium", 2, "V856 Sco", 2, Visibility.PUBLIC),
    ("0103.C-0347(F)", "GRAVITY", "UTs", 9, "HD 45677", 4, Visibility.PROTECTED),
    ("100.C-0278(A)", "GRAVITY", "astrometric", 0, "V856 Sco", 2, Visibility.PUBLIC),
    ("100.C-0278(E)", "PIONIER", "small", 1, "HD 58647", 2, Visibility.PUBLIC),
    ("0102.C-0408(A)", "PIONIER", "small", 0, "HD 45677", 3, Visibility.PUBLIC),
    ("0102.C-0408(D)", "MATISSE", "large", 5, "HD 45677", 3, Visibility.PROTECTED),
)


def make_young_stars() -> None:
    """Write them all, with an observation for each line and a linked calibrator for 0103.C-0347(A)."""
    for line, (run, instrument, configuration, after, star, count, visibility) in enumerate(RUNS):
        root = run.partition("(")[0]
        night = NIGHT[root] + timedelta(days=after)
        observed = _observe(run, instrument, night, 200000 + line)
        pi = "HIDDEN" if visibility is Visibility.PROTECTED else "BERGER"
        for k in range(count):
            _expose(
                star, night, k,
                obs_program=run, instrument_name=instrument, configuration=configuration, visibility=visibility,
                observation=observed, obs_id=200000 + line, obs_program_title=TITLES[root],
                obs_program_pi_coi=f"{pi}/ KLUSKA/ KRAUS",
            )  # fmt: skip
        if run == "0103.C-0347(A)":
            calibrated = _observe(run, instrument, night, 300000)
            _expose(
                "HD 57939", night, 9,
                obs_program=run, instrument_name=instrument, configuration=configuration, obs_type="calibrator",
                observation=calibrated, obs_id=300000, obs_program_pi_coi="BERGER/ KLUSKA/ KRAUS",
            )  # fmt: skip
            CalibratorLink.objects.create(
                science=observed,
                calibrator=calibrated,
                basis=LinkBasis.CONTAINER,
                confidence=Confidence.HIGH,
                score=1.0,
            )
    bump("exposures")


def _observe(run: str, instrument: str, night: date, block: int) -> Observation:
    return Observation.objects.create(
        key=f"VLTI.{block}.{run}.{instrument}",
        basis=ObservationBasis.BLOCK,
        interferometer_name="VLTI",
        instrument_name=instrument,
        night=night,
        obs_id=block,
    )


def _expose(star: str, night: date, number: int, **values: Any) -> Exposure:
    ra, dec = STARS[star]
    start = (night - date(1858, 11, 17)).days + 1.05 + number * 0.01
    later = datetime(night.year, night.month, night.day, 12, tzinfo=UTC)
    return make_exposure(
        name=star,
        ra=ra,
        dec=dec,
        night=night,
        exp_mjd_start=start,
        exp_mjd_end=start + 300 / 86400,
        instrument_mode=MODES[values["instrument_name"]],
        exp_date_updated=later + timedelta(days=1),
        exp_date_release=later + timedelta(days=366),
        **values,
    )
