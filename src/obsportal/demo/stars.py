"""The sky of the demonstration: real stars by name, and invented ones that cannot be mistaken.

Positions are ICRS at J2000 in degrees, proper motions mas/yr with cos(dec) in the RA part, as
SIMBAD and the Hipparcos catalogue (van Leeuwen 2007) give them. Calibrators and survey stars are
pseudo-random: their HD numbers start above 900000, beyond the end of the Henry Draper catalogue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

MJD_J2000 = 51544.5
DAYS_PER_JULIAN_YEAR = 365.25
MAS_PER_DEG = 3.6e6
FIRST_DEMONSTRATION_HD = 900_001  # the real catalogue ends at HD 359083


class Kind(StrEnum):
    """What a target is to the observers."""

    STAR = "star"
    FIELD = "field"
    SURVEY = "survey"
    CALIBRATOR = "calibrator"


@dataclass(frozen=True, slots=True)
class Target:
    """A direction observers point at; ``scatter`` is the pointing scatter (1 sigma, arcsec)."""

    names: tuple[str, ...]  # the first is the usual one, the others are variants as typed by PIs
    ra: float
    dec: float
    pm_ra: float
    pm_dec: float
    kind: Kind
    scatter: float
    magnitude: float  # K band
    companion: tuple[str, float, float] | None = None  # name, offset east and north in mas

    @property
    def name(self) -> str:
        """The usual name."""
        return self.names[0]


# names | RA | Dec | pm RA | pm Dec | K
_STARS = """
alf Cen A, alf Cen, alpha_Cen, alf_Cen_A, HD 128620 | 219.902058 | -60.833993 | -3679.25 | 473.67 | -1.5
alf Cen B, alf_Cen_B, HD 128621 | 219.896096 | -60.837528 | -3614.39 | 802.98 | -0.6
Proxima Cen, Proxima, V645 Cen, GJ 551 | 217.428953 | -62.679484 | -3781.31 | 769.77 | 4.4
Sirius, alf CMa, alf_CMa, HD 48915 | 101.287155 | -16.716116 | -546.01 | -1223.07 | -1.4
Vega, alf Lyr, alf_Lyr, HD 172167 | 279.234735 | 38.783689 | 200.94 | 286.23 | 0.1
Altair, alf Aql, alpha_Aql, HD 187642 | 297.695827 | 8.868321 | 536.23 | 385.29 | 0.1
Betelgeuse, alf Ori, alf_Ori, HD 39801 | 88.792939 | 7.407064 | 27.54 | 11.30 | -4.4
R Dor, R_Dor, RDor, HD 29712 | 69.189964 | -62.077166 | -69.36 | -75.78 | -4.2
Achernar, alf Eri, alpha Eri, HD 10144 | 24.428523 | -57.236753 | 87.00 | -38.24 | 0.9
eta Car, Eta Car, eta_Car, HD 93308 | 161.264773 | -59.684431 | -11.00 | 4.10 | 1.0
bet Pic, beta Pic, beta_Pic, HD 39060 | 86.821199 | -51.066511 | 4.65 | 83.10 | 3.5
Fomalhaut, alf PsA, alf_PsA, HD 216956 | 344.412693 | -29.622237 | 328.95 | -164.67 | 1.0
Procyon, alf CMi, HD 61421 | 114.825498 | 5.224988 | -714.59 | -1036.80 | -0.7
Antares, alf Sco, alpha_Sco, HD 148478 | 247.351915 | -26.432003 | -12.11 | -23.30 | -3.8
HD 100546, HD_100546, HD100546, KR Mus | 173.356002 | -70.194788 | -38.93 | 0.29 | 5.4
FU Ori, FU_Ori, FUOri | 86.343186 | 9.070081 | 2.20 | -2.80 | 5.2
Canopus, alf Car, HD 45348 | 95.987958 | -52.695661 | 19.93 | 23.24 | -1.3
Rigel, bet Ori, beta Ori, HD 34085 | 78.634467 | -8.201638 | 1.31 | 0.50 | 0.2
Arcturus, alf Boo, alf_Boo, HD 124897 | 213.915300 | 19.182409 | -1093.39 | -2000.06 | -2.9
Spica, alf Vir, HD 116658 | 201.298247 | -11.161319 | -42.35 | -30.67 | 1.7
Regulus, alf Leo, alf_Leo, HD 87901 | 152.092962 | 11.967209 | -248.73 | 5.59 | 1.6
Aldebaran, alf Tau, alf_Tau, HD 29139 | 68.980163 | 16.509302 | 63.45 | -188.94 | -2.8
Pollux, bet Gem, HD 62509 | 116.328958 | 28.026199 | -626.55 | -45.80 | -1.1
Deneb, alf Cyg, HD 197345 | 310.357980 | 45.280339 | 2.01 | 1.85 | 0.9
Capella, alf Aur, alf_Aur, HD 34029 | 79.172328 | 45.997991 | 75.25 | -426.89 | -1.8
Mira, omi Cet, omi_Cet, HD 14386 | 34.836617 | -2.977643 | 9.33 | -237.36 | -2.5
tau Cet, tau_Cet, HD 10700 | 26.017014 | -15.937480 | -1721.05 | 854.16 | 1.7
eps Eri, eps_Eri, HD 22049 | 53.232685 | -9.458259 | -975.17 | 19.49 | 1.7
eps Ind, eps Ind A, HD 209100 | 330.840223 | -56.785979 | 3960.93 | -2539.23 | 2.2
del Sco, DelSco, delta Sco, HD 143275 | 240.083355 | -22.621706 | -10.21 | -35.41 | 2.4
L2 Pup, L2_Pup, HD 56096 | 108.384660 | -44.639739 | 106.31 | 324.99 | -2.3
W Hya, W_Hya, HD 120285 | 207.258342 | -28.367648 | -49.31 | -59.72 | -3.2
pi1 Gru, pi01 Gru, HD 212087 | 335.684190 | -45.947948 | 28.51 | -12.22 | -2.1
Hadar, bet Cen, beta_Cen, HD 122451 | 210.955856 | -60.373035 | -33.27 | -23.16 | 1.3
gam Vel, gamma2 Vel, HD 68273 | 122.383126 | -47.336587 | -6.07 | 10.43 | 2.1
zet Pup, zeta Pup, HD 66811 | 120.896031 | -40.003148 | -29.71 | 16.68 | 3.0
alf Ara, alf_Ara, HD 158427 | 262.960381 | -49.876145 | -32.66 | -67.20 | 2.5
51 Oph, 51_Oph, HD 158643 | 262.853973 | -23.962643 | 4.25 | -24.87 | 4.3
HD 163296, HD_163296, HD163296 | 269.088701 | -21.956076 | -7.98 | -39.25 | 4.8
HD 142527, HD_142527 | 239.174542 | -42.323124 | -11.76 | -24.46 | 5.0
HD 169142, HD_169142 | 276.124078 | -29.780369 | -2.32 | -37.80 | 6.4
HD 50138, HD_50138, MWC 158 | 102.889165 | -6.966514 | -3.62 | -4.30 | 4.1
HD 45677, HD_45677, FS CMa | 97.072584 | -13.053095 | 2.17 | 0.23 | 4.8
HD 62623, l Pup, 3 Pup | 115.951956 | -28.954826 | -5.48 | 4.04 | 2.4
VY CMa, VY_CMa | 110.743035 | -25.767566 | -2.80 | 2.60 | -0.7
TW Hya, TW_Hya, TWA 1 | 165.466273 | -34.704731 | -68.39 | -14.02 | 7.3
R Car, R_Car, HD 82901 | 143.060833 | -62.788889 | -31.90 | 16.57 | -1.4
R Leo, R_Leo, HD 84748 | 146.889533 | 11.428840 | -0.57 | -42.70 | -2.6
CW Leo, IRC+10216, CW_Leo | 146.989193 | 13.278768 | 35.00 | 12.00 | 1.2
bet Hyi, beta Hyi, HD 2151 | 6.437793 | -77.254246 | 2219.54 | 324.09 | 1.3
del Pav, delta Pav, HD 190248 | 302.181706 | -66.182068 | 1211.03 | -1130.34 | 2.0
bet Lyr, beta Lyr, HD 174638 | 282.519978 | 33.362670 | 1.90 | -3.53 | 3.2
gam Cas, gamma Cas, HD 5394 | 14.177213 | 60.716740 | 25.17 | -3.92 | 2.0
zet Tau, zeta Tau, HD 37202 | 84.411189 | 21.142544 | 1.78 | -20.07 | 2.8
kap Dra, kappa Dra, HD 109387 | 188.370583 | 69.788236 | -61.27 | 11.46 | 3.9
alf Oph, Rasalhague, HD 159561 | 263.733623 | 12.560037 | 108.07 | -221.57 | 1.7
alf Cep, Alderamin, HD 203280 | 319.644881 | 62.585573 | 150.55 | 49.09 | 2.1
bet Cas, Caph, HD 432 | 2.294522 | 59.149781 | 523.50 | -179.77 | 1.5
eps Aur, HD 31964 | 75.492219 | 43.823307 | -0.86 | -2.66 | 1.5
P Cyg, P_Cyg, HD 193237 | 304.446667 | 38.032930 | -3.53 | -6.88 | 3.3
ups And, HD 9826 | 24.199340 | 41.405457 | -173.33 | -381.80 | 2.9
61 Cyg A, HD 201091 | 316.724748 | 38.749417 | 4168.31 | 3269.20 | 2.2
chi Cyg, chi_Cyg, HD 187796 | 297.641333 | 32.914056 | -20.16 | -38.34 | -1.9
HD 206893, HD_206893 | 326.341271 | -12.783353 | 93.78 | 0.02 | 5.6
HR 8799, HR_8799, HD 218396 | 346.869649 | 21.134251 | 107.93 | -49.63 | 5.2
"""

# Crowded or faint fields, where the pointing is a choice: names | RA | Dec | pm | pm | scatter | K
_FIELDS = """
Sgr A*, SGR A, SgrA, GC_field | 266.416837 | -29.007811 | -3.15 | -5.55 | 12.0 | 9.5
GC IRS 7, IRS7, GC_IRS7 | 266.416668 | -29.006180 | -1.30 | -4.70 | 8.0 | 6.5
tet1 Ori C, theta1 Ori C, Trapezium | 83.818600 | -5.389680 | 2.26 | 1.22 | 6.0 | 4.6
NGC 3603, NGC3603_field | 168.780000 | -61.260000 | 0.0 | 0.0 | 20.0 | 7.5
Westerlund 1, Wd1_field | 251.767000 | -45.850000 | 0.0 | 0.0 | 20.0 | 7.0
HD 93129A, Trumpler 14 | 160.989500 | -59.547800 | -7.00 | 2.60 | 10.0 | 6.1
NGC 1068, NGC_1068, M 77 | 40.669630 | -0.013290 | 0.0 | 0.0 | 4.0 | 8.0
3C 273, 3C273 | 187.277915 | 2.052388 | 0.0 | 0.0 | 3.0 | 9.0
Circinus, ESO 97-13, Circinus galaxy | 213.291460 | -65.339220 | 0.0 | 0.0 | 5.0 | 8.5
NGC 3783, NGC_3783 | 174.757340 | -37.738670 | 0.0 | 0.0 | 4.0 | 9.2
R CrA, R_CrA, RCrA field | 285.473688 | -36.952263 | 1.58 | -30.84 | 8.0 | 3.5
rho Oph field, Oph_S1 | 246.642000 | -24.391000 | -5.0 | -25.0 | 15.0 | 6.3
Serpens South, Ser_South | 277.516000 | -2.045000 | 0.0 | 0.0 | 18.0 | 7.8
Lupus field, Lup_YSO | 242.130000 | -39.080000 | -10.0 | -23.0 | 15.0 | 6.9
Cha I field, Cha_I | 167.460000 | -77.540000 | -22.0 | 2.0 | 15.0 | 6.8
"""

# Companions for the dual-field mode: rounded offsets around 2020, east and north, mas.
_COMPANIONS = {
    "bet Pic": ("beta Pic b", 68.5, 126.3),
    "HD 206893": ("HD 206893 B", 130.7, 198.1),
    "HR 8799": ("HR 8799 e", -357.6, -163.3),
    "Sgr A*": ("S2", 60.0, 110.0),
    "GC IRS 7": ("IRS 16C", 1100.0, -5100.0),
}


def _numbers(cells: Sequence[str]) -> list[float]:
    return [float(cell) for cell in cells]


def named_stars() -> list[Target]:
    """The well-known stars, with their names as observers type them."""
    stars = []
    for line in _STARS.strip().splitlines():
        names, *cells = line.split("|")
        ra, dec, pm_ra, pm_dec, magnitude = _numbers(cells)
        spelt = tuple(name.strip() for name in names.split(","))
        companion = _COMPANIONS.get(spelt[0])
        stars.append(Target(spelt, ra, dec, pm_ra, pm_dec, Kind.STAR, 0.4, magnitude, companion))
    return stars


def field_targets() -> list[Target]:
    """Faint or crowded fields, whose pointing scatters by up to about 20 arcsec."""
    fields = []
    for line in _FIELDS.strip().splitlines():
        names, *cells = line.split("|")
        ra, dec, pm_ra, pm_dec, scatter, magnitude = _numbers(cells)
        spelt = tuple(name.strip() for name in names.split(","))
        companion = _COMPANIONS.get(spelt[0])
        fields.append(Target(spelt, ra, dec, pm_ra, pm_dec, Kind.FIELD, scatter, magnitude, companion))
    return fields


def survey_stars(seed: int, count: int = 500) -> list[Target]:
    """``count`` invented stars spread evenly over the sphere, HD numbers from 900001."""
    rng = np.random.default_rng((seed, 1))
    ra = rng.uniform(0.0, 360.0, count)
    dec = np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, count)))
    pm = rng.normal(0.0, 25.0, (count, 2))
    magnitude = rng.uniform(1.5, 8.0, count)
    return [
        Target(
            demonstration_names(FIRST_DEMONSTRATION_HD + i),
            *(float(ra[i]), float(dec[i]), float(pm[i, 0]), float(pm[i, 1])),
            *(Kind.SURVEY, 0.6, float(magnitude[i])),
        )
        for i in range(count)
    ]


def calibrators(seed: int, near: Sequence[Target], each: int = 2) -> list[Target]:
    """``each`` invented calibrators 1 to 6 deg from every target of ``near``, in that order."""
    rng = np.random.default_rng((seed, 2))
    first = FIRST_DEMONSTRATION_HD + 50_000
    found = []
    for i, target in enumerate(near):
        for j in range(each):
            distance, bearing = rng.uniform(1.0, 6.0), rng.uniform(0.0, 2.0 * np.pi)
            ra, dec = _offset(target.ra, target.dec, float(distance), float(bearing))
            pm_ra, pm_dec = (float(x) for x in rng.normal(0.0, 20.0, 2))
            names = demonstration_names(first + i * each + j)
            magnitude = float(np.clip(target.magnitude + rng.normal(0.0, 0.5), -2.0, 8.0))
            found.append(Target(names, ra, dec, pm_ra, pm_dec, Kind.CALIBRATOR, 0.4, magnitude))
    return found


def demonstration_names(number: int) -> tuple[str, ...]:
    """The spellings of an invented star's name, all above the end of the real catalogue."""
    return (f"HD {number}", f"HD{number}", f"HD_{number}")


def _offset(ra: float, dec: float, distance: float, bearing: float) -> tuple[float, float]:
    """Point at ``distance`` (deg) and position angle ``bearing`` (rad) from a direction, in degrees."""
    d0, r = np.radians(dec), np.radians(distance)
    sin_dec = np.sin(d0) * np.cos(r) + np.cos(d0) * np.sin(r) * np.cos(bearing)
    step = np.arctan2(np.sin(bearing) * np.sin(r) * np.cos(d0), np.cos(r) - np.sin(d0) * sin_dec)
    return float((ra + np.degrees(step)) % 360.0), float(np.degrees(np.arcsin(sin_dec)))


@dataclass(frozen=True, slots=True)
class Sky:
    """All targets in one list, with columns for vectorised work; indices refer to ``targets``."""

    targets: list[Target]
    science: NDArray[np.int64]
    by_kind: dict[Kind, list[int]]
    calibrators_of: dict[int, list[int]]
    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    pm_ra: NDArray[np.float64]
    pm_dec: NDArray[np.float64]

    def at(self, mjd: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Positions at ``mjd``: J2000 frame, proper motion applied; RA and Dec in degrees."""
        years = (mjd - MJD_J2000) / DAYS_PER_JULIAN_YEAR
        dec = self.dec + self.pm_dec * years / MAS_PER_DEG
        ra = self.ra + self.pm_ra * years / MAS_PER_DEG / np.cos(np.radians(self.dec))
        return ra % 360.0, dec


def build_sky(seed: int, survey: int = 500) -> Sky:
    """The whole demonstration sky of a seed, with ``survey`` invented stars besides the well-known ones."""
    science = [*named_stars(), *field_targets(), *survey_stars(seed, survey)]
    each = 2
    targets = [*science, *calibrators(seed, science, each)]
    first = len(science)
    return Sky(
        targets=targets,
        science=np.arange(first),
        by_kind={kind: [i for i, t in enumerate(targets) if t.kind is kind] for kind in Kind},
        calibrators_of={i: [first + i * each + j for j in range(each)] for i in range(first)},
        ra=np.array([t.ra for t in targets]),
        dec=np.array([t.dec for t in targets]),
        pm_ra=np.array([t.pm_ra for t in targets]),
        pm_dec=np.array([t.pm_dec for t in targets]),
    )
