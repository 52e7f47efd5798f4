"""What each instrument of the demonstration does: eras, modes, integration times, templates.

The keyword values follow real headers: which keyword carries the mode, what EXPTIME means there and
how long an exposure lasts differ by instrument. Times in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any


@dataclass(frozen=True, slots=True)
class Setting:
    """One instrument mode: its keyword values, one exposure's length and how often it is chosen."""

    weight: float
    duration: float
    values: dict[str, Any]
    first: date = date(1999, 1, 1)
    last: date = date(2100, 1, 1)
    dual: bool = False


@dataclass(frozen=True, slots=True)
class Spare:
    """A frame that is not an exposure on the target: its DPR TYPE, length in seconds, if on the sky."""

    dpr_type: str
    duration: float
    on_sky: bool
    science: bool = False  # DPR CATG = SCIENCE, which some instruments write for skies and darks


@dataclass(frozen=True, slots=True)
class DemoInstrument:
    """An instrument, when it was in use, and how its templates run."""

    name: str
    prefix: str
    site: str
    telescopes: int
    first: date
    last: date
    share: float
    exposures: dict[str, tuple[int, ...]]  # by role, SCI and CAL
    gap: float  # between two exposures
    acquisition: tuple[float, float]  # shortest and longest
    template: str
    template_name: str
    science_type: str
    calibrator_type: str
    settings: tuple[Setting, ...]
    spares: tuple[Spare, ...]
    bands: tuple[str, ...] = ("",)
    category: str = "C"
    titles: tuple[str, ...] = field(default=())

    def in_use(self, day: date) -> bool:
        """Whether the instrument took data then."""
        return self.first <= day <= self.last

    def settings_at(self, day: date) -> list[Setting]:
        """The modes there were at a date."""
        return [s for s in self.settings if s.first <= day <= s.last]


def _gravity(weight: float, res: str, pola: str, dit: float, ndit: int, dual: bool = False) -> Setting:
    values = {"spec_res": res, "pola": pola, "dit": dit, "ndit": ndit}
    return Setting(weight, dit * ndit, values, dual=dual)


def _matisse(weight: float, dil: str, din: str, fil: str, gra4mat: bool) -> Setting:
    short, tracked = {"LOW": (0.111, 0.6), "MED": (0.6, 1.3), "HIGH": (1.3, 3.0)}[dil]
    dit = tracked if gra4mat else short
    period = dit + 0.117
    ndit = round(61.0 / period)
    values = {
        **{"dil": dil, "din": din, "fil": fil, "dit": dit, "period": period, "ndit": ndit},
        **{"ft_sensor": "GRAVITY" if gra4mat else "NONE", "ft_status": "ON" if gra4mat else "OFF"},
        "wl0": 4.1 if dil != "LOW" else 3.5,
    }
    first = date(2020, 10, 1) if gra4mat else date(2018, 5, 1)
    return Setting(weight, round(ndit * period, 3), values, first=first)


def _pionier(
    weight: float, opti2: str, opti3: str, dit: float, ndit: int, first: date, last: date
) -> Setting:
    values = {"opti2": opti2, "opti3": opti3, "dit": dit, "ndit": ndit}
    return Setting(weight, dit * ndit, values, first=first, last=last)


def _amber(weight: float, mode: str, dit: float, ndit: int, grating: tuple[str, float, int]) -> Setting:
    name, wavelength, order = grating
    values = {"speconf": mode, "dit": dit, "ndit": ndit, "grat": name, "wlen": wavelength, "order": order}
    return Setting(weight, dit * ndit, values)


def _midi(weight: float, opt1: str, gris: str, dit: float, ndit: int) -> Setting:
    return Setting(weight, dit * ndit, {"opt1": opt1, "gris": gris, "dit": dit, "ndit": ndit})


_OLD_PIONIER_END = date(2014, 11, 30)
_NEW_PIONIER_START = date(2014, 12, 1)
_START, _END = date(2010, 10, 1), date(2100, 1, 1)

INSTRUMENTS: tuple[DemoInstrument, ...] = (
    DemoInstrument(
        name="MIDI",
        prefix="MIDI",
        site="VLTI",
        telescopes=2,
        first=date(2004, 4, 1),
        last=date(2015, 3, 5),
        share=0.5,
        exposures={"SCI": (2, 3, 4), "CAL": (2, 3)},
        gap=35.0,
        acquisition=(420.0, 900.0),
        template="MIDI_starintf_obs_fringe",
        template_name="MIDI STARINTF OBS FRINGE",
        science_type="TRACK,OBJECT,DISPERSED",
        calibrator_type="TRACK,OBJECT,DISPERSED",
        settings=(
            _midi(6, "HIGH_SENS", "PRISM", 0.018, 3560),
            _midi(2, "HIGH_SENS", "GRISM", 0.036, 3300),
            _midi(2, "SCI_PHOT", "PRISM", 0.018, 8000),
            _midi(1, "SCI_PHOT", "GRISM", 0.036, 4000),
        ),
        spares=(
            Spare("PHOTOMETRY,OBJECT", 40.0, on_sky=True),
            Spare("SEARCH,OBJECT,DISPERSED", 60.0, on_sky=True),
            Spare("COARSE,OBJECT", 20.0, on_sky=True),
        ),
        titles=("dust in the winds of evolved stars", "tori of active galactic nuclei in the N band"),
    ),
    DemoInstrument(
        name="AMBER",
        prefix="AMBER",
        site="VLTI",
        telescopes=3,
        first=date(2004, 6, 1),
        last=date(2018, 9, 20),
        share=0.7,
        exposures={"SCI": (5, 8, 10), "CAL": (5, 5, 8)},
        gap=12.0,
        acquisition=(480.0, 900.0),
        template="AMBER_3Tstd_obs_1row",
        template_name="AMBER 3 telescopes / 1 row standard observation",
        science_type="OBJECT",
        calibrator_type="OBJECT",
        settings=(
            _amber(5, "Low_JHK", 0.05, 1000, ("PRISM", -1.0, 0)),
            _amber(4, "Medium_K_1_2.1", 0.5, 120, ("GMR", 2100.205, 1)),
            _amber(3, "Medium_K_1_2.3", 0.2, 300, ("GMR", 2300.310, 1)),
            _amber(1, "Medium_H_1_1.65", 0.2, 300, ("GMR", 1650.120, 1)),
            _amber(2, "High_K_1_2.172", 1.0, 70, ("GHR", 2172.015, 1)),
            _amber(1, "High_K_1_2.288", 0.12, 500, ("GHR", 2288.040, 1)),
        ),
        spares=(
            Spare("DARK", 50.0, on_sky=False, science=True),
            Spare("SKY", 50.0, on_sky=True, science=True),
            Spare("WAVE,3TEL", 20.0, on_sky=False),
        ),
        titles=("hot gas in the environment of massive stars", "the molecular layers of giants"),
        category="D",
    ),
    DemoInstrument(
        name="PIONIER",
        prefix="PIONI",
        site="VLTI",
        telescopes=4,
        first=date(2010, 11, 1),
        last=date(2100, 1, 1),
        share=1.0,
        exposures={"SCI": (5, 10), "CAL": (5, 5, 10)},
        gap=9.0,
        acquisition=(240.0, 540.0),
        template="PIONIER_obs_calibrator",
        template_name="PIONIER fringe observation",
        science_type="FRINGE,OBJECT",
        calibrator_type="FRINGE,OBJECT",
        settings=(
            _pionier(5, "H", "SMALL", 0.6977, 100, _START, _OLD_PIONIER_END),
            _pionier(2, "H", "LARGE", 0.6977, 100, _START, _OLD_PIONIER_END),
            _pionier(1, "H", "FREE", 0.4100, 100, _START, _OLD_PIONIER_END),
            _pionier(6, "GRISM", "REF", 0.001, 51200, _NEW_PIONIER_START, _END),
            _pionier(2, "FREE", "REF", 0.000519, 51200, _NEW_PIONIER_START, _END),
        ),
        spares=(Spare("DARK", 51.2, on_sky=False), Spare("KAPPA,OBJECT", 51.2, on_sky=True)),
        titles=("the inner rim of discs around young stars", "diameters and companions of nearby stars"),
    ),
    DemoInstrument(
        name="GRAVITY",
        prefix="GRAVI",
        site="VLTI",
        telescopes=4,
        first=date(2016, 1, 10),
        last=date(2100, 1, 1),
        share=1.3,
        exposures={"SCI": (8, 9, 12), "CAL": (4, 5)},
        gap=14.0,
        acquisition=(360.0, 720.0),
        template="GRAVITY_single_obs_exp",
        template_name="Single Field Science",
        science_type="OBJECT",
        calibrator_type="STD",
        settings=(
            _gravity(4, "HIGH", "COMBINED", 30.0, 10),
            _gravity(2, "HIGH", "SPLIT", 10.0, 24),
            _gravity(3, "MEDIUM", "COMBINED", 30.0, 8),
            _gravity(1, "MEDIUM", "SPLIT", 30.0, 10),
            _gravity(1, "LOW", "COMBINED", 3.0, 100),
            _gravity(2, "MEDIUM", "COMBINED", 30.0, 10, dual=True),
            _gravity(1, "LOW", "SPLIT", 10.0, 30, dual=True),
        ),
        spares=(Spare("SKY", 300.0, on_sky=True, science=True), Spare("DARK", 300.0, on_sky=False)),
        titles=("Brackett gamma in accreting stars", "orbits in the Galactic Centre", "a planet directly"),
        category="B",
    ),
    DemoInstrument(
        name="MATISSE",
        prefix="MATIS",
        site="VLTI",
        telescopes=4,
        first=date(2018, 5, 10),
        last=date(2100, 1, 1),
        share=1.1,
        exposures={"SCI": (8, 8, 4), "CAL": (4, 8)},
        gap=16.0,
        acquisition=(480.0, 840.0),
        template="MATISSE_hyb_obs",
        template_name="Hybrid observation",
        science_type="OBJECT",
        calibrator_type="STD",
        settings=(
            _matisse(5, "LOW", "LOW", "LM", gra4mat=False),
            _matisse(3, "LOW", "LOW", "LM", gra4mat=True),
            _matisse(2, "MED", "LOW", "LM", gra4mat=True),
            _matisse(1, "HIGH", "HIGH", "L", gra4mat=True),
        ),
        spares=(Spare("SKY", 30.0, on_sky=True), Spare("KAPPA,OBJECT", 30.0, on_sky=True)),
        bands=("LM", "N"),
        titles=("dust and gas in discs from 3 to 13 micrometres", "the mass loss of giants"),
    ),
    DemoInstrument(
        name="SPICA",
        prefix="SPICA",
        site="CHARA",
        telescopes=6,
        first=date(2022, 5, 1),
        last=date(2100, 1, 1),
        share=1.0,
        exposures={"SCI": (4, 6), "CAL": (4, 5)},
        gap=20.0,
        acquisition=(480.0, 900.0),
        template="SPICA_obs_exp",
        template_name="SPICA observation",
        science_type="OBJECT",
        calibrator_type="STD",
        settings=(
            Setting(6, 300.0, {"mode": "LR", "dit": 0.2, "ndit": 1500}),
            Setting(1, 300.0, {"mode": "MR640", "dit": 0.3, "ndit": 1000}),
            Setting(1, 300.0, {"mode": "MR720", "dit": 0.3, "ndit": 1000}),
            Setting(1, 300.0, {"mode": "HR", "dit": 0.6, "ndit": 500}),
        ),
        spares=(Spare("DARK", 60.0, on_sky=False), Spare("SKY", 60.0, on_sky=True)),
        titles=("angular diameters of stars with planets", "the limb darkening of A stars"),
        category="S",
    ),
)

BY_NAME = {instrument.name: instrument for instrument in INSTRUMENTS}
