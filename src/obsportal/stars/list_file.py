"""Star lists from files: CSV, ECSV, VOTable, FITS tables. Columns are found by name or UCD. No database."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from astropy import units as u
from astropy.coordinates import Angle
from astropy.table import Column, Table

from obsportal.stars.motion import place_at
from obsportal.stars.names import normalise

LARGEST_FILE = 500_000_000
FORMATS = {
    ".csv": "ascii.csv", ".ecsv": "ascii.ecsv", ".vot": "votable", ".votable": "votable", ".xml": "votable",
    ".fits": "fits", ".fit": "fits",
}  # fmt: skip
_NAMES = {
    "name": ("name", "main_id", "star", "target", "target_name", "object", "designation", "id"),
    "ra": ("ra", "raj2000", "_raj2000", "ra_icrs", "ra_deg", "radeg", "ra_j2000", "alpha"),
    "dec": ("dec", "de", "dej2000", "decj2000", "_dej2000", "de_icrs", "dec_icrs", "dec_deg", "dedeg",
            "dec_j2000", "delta"),
    "pm_ra": ("pmra", "pm_ra", "pmra_cosdec", "pm_ra_cosdec", "pmracosdec"),
    "pm_dec": ("pmdec", "pmde", "pm_dec", "pm_de"),
    "parallax": ("parallax", "plx"),
    "epoch": ("epoch", "ref_epoch", "refepoch"),
    "object_type": ("otype", "object_type", "main_type"),
    "spectral_type": ("sp_type", "sptype", "spectral_type"),
}  # fmt: skip
_UCDS = {
    "name": ("meta.id;meta.main", "id_main", "meta.id"),
    "ra": ("pos.eq.ra;meta.main", "pos_eq_ra_main", "pos.eq.ra"),
    "dec": ("pos.eq.dec;meta.main", "pos_eq_dec_main", "pos.eq.dec"),
    "pm_ra": ("pos.pm;pos.eq.ra", "pos_eq_pmra"),
    "pm_dec": ("pos.pm;pos.eq.dec", "pos_eq_pmdec"),
    "parallax": ("pos.parallax.trig", "pos.parallax", "pos_parlx_trig"),
}
_LISTED = ("names", "aliases", "other_names", "ids")
"""Columns with several names, separated by | or ;."""
_CATALOGUES = {"hd": "HD", "hip": "HIP", "hr": "HR", "sao": "SAO", "gj": "GJ", "bd": "BD", "tyc": "TYC"}
_UNITS = {"ra": u.deg, "dec": u.deg, "pm_ra": u.mas / u.yr, "pm_dec": u.mas / u.yr, "parallax": u.mas}
_YEARS = (1800.0, 2100.0)


class ListError(ValueError):
    """A star list that cannot be used: says which file, row and column, and what is needed."""


@dataclass(frozen=True, slots=True)
class ListedStar:
    """One star of a list: place at J2000 in degrees, motion in mas/yr, parallax in mas."""

    name: str
    names: tuple[str, ...]
    ra: float
    dec: float
    pm_ra: float | None = None
    pm_dec: float | None = None
    parallax: float | None = None
    object_type: str = ""
    spectral_type: str = ""


def read_list(path: Path, epoch: float | None = None) -> list[ListedStar]:
    """The stars of a file. ``epoch`` (Julian year) is that of positions without one; J2000 without it.

    Raises ListError. Rows are counted from 1, the header not included.
    """
    if epoch is not None and not _YEARS[0] <= epoch <= _YEARS[1]:
        raise ListError(f"epoch is {epoch}: a year such as 1991.25 is needed")
    table = _table(path)
    columns = _columns(table, path.name)
    stars = [*_stars(table, columns, path.name, 2000.0 if epoch is None else epoch)]
    seen: dict[str, int] = {}
    for number, star in enumerate(stars, 1):
        first = seen.setdefault(star.name, number)
        if first != number:
            raise ListError(f"{path.name}, row {number}: the name {star.name!r} is in row {first} already")
    if not stars:
        raise ListError(f"{path.name}: there is no row")
    return stars


def _table(path: Path) -> Table:
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise ListError(f"{path.name}: the name of the file has to end in {', '.join(sorted(FORMATS))}")
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ListError(f"{path.name}: larger than {LARGEST_FILE // 1_000_000} MB")
        if form == "votable" and b"<!" in path.read_bytes().replace(b"<!--", b"").replace(b"<![CDATA[", b""):
            raise ListError(f"{path.name}: a VOTable with a document type or entities is not read")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Table.read(path, format=form)
    except ListError:
        raise
    except OSError as error:
        raise ListError(f"{path.name}: {error.strerror or 'it cannot be read'}") from None
    except Exception as error:  # the readers of astropy raise many kinds
        reason = " ".join(str(error).split())[:200]
        raise ListError(f"{path.name}: it cannot be read as {form.split('.')[-1]}: {reason}") from None


def _columns(table: Table, file: str) -> dict[str, str]:
    """What is meant -> name of the column; by name first, then by UCD."""
    lower = {name.lower(): name for name in reversed(table.colnames)}
    ucds = {
        str(table[name].meta.get("ucd") or "").lower(): name
        for name in reversed(table.colnames)
        if hasattr(table[name], "meta")
    }
    found = {}
    for meant, names in _NAMES.items():
        hit = next((lower[name] for name in names if name in lower), None)
        hit = hit or next((ucds[ucd] for ucd in _UCDS.get(meant, ()) if ucd in ucds), None)
        if hit is not None:
            found[meant] = hit
    catalogue = next((name for name in _CATALOGUES if name in lower), None)
    if "name" not in found and catalogue:
        found["name"] = lower[catalogue]
    for meant in ("name", "ra", "dec"):
        if meant not in found:
            raise ListError(
                f"{file}: no column for {meant}: one of {', '.join(_NAMES[meant])} is needed,"
                f" found are {', '.join(table.colnames)[:200]}"
            )
    return found


def _stars(table: Table, columns: dict[str, str], file: str, epoch: float) -> Iterator[ListedStar]:
    lower = {name.lower(): name for name in table.colnames}
    others = {lower[name]: title for name, title in _CATALOGUES.items() if name in lower}
    listed = [lower[name] for name in _LISTED if name in lower]
    for number in range(len(table)):
        where = f"{file}, row {number + 1}"
        row = table[number]
        title = others.get(columns["name"], "")
        name = _named(title, _text(row[columns["name"]]))
        if not normalise(name) or len(name) > 80:
            raise ListError(
                f"{where}: {columns['name']} is {name[:40]!r}: a name of 1 to 80 characters is needed"
            )
        values = {
            meant: _quantity(row[columns[meant]], table[columns[meant]], meant, f"{where}, {columns[meant]}")
            for meant in ("ra", "dec", "pm_ra", "pm_dec", "parallax", "epoch")
            if meant in columns
        }
        ra, dec = values["ra"], values["dec"]
        if ra is None or not 0 <= ra <= 360:
            raise ListError(f"{where}: {columns['ra']} is {ra}: a right ascension is needed")
        if dec is None or not -90 <= dec <= 90:
            raise ListError(f"{where}: {columns['dec']} is {dec}: a declination is needed")
        year = values.get("epoch") or epoch
        if not _YEARS[0] <= year <= _YEARS[1]:
            raise ListError(f"{where}: {columns['epoch']} is {year}: a year such as 1991.25 is needed")
        motion = values.get("pm_ra"), values.get("pm_dec")
        ra, dec = place_at(ra % 360.0, dec, *motion, 2000.0 - year) if year != 2000.0 else (ra % 360.0, dec)
        names = [name, *(_named(title, _text(row[column])) for column, title in others.items())]
        for column in listed:
            names += _text(row[column]).replace(";", "|").split("|")
        kept = dict.fromkeys(one.strip()[:80] for one in names)
        yield ListedStar(
            name,
            tuple(one for one in kept if normalise(one)),
            ra,
            dec,
            *motion,
            values.get("parallax"),
            _text(row[columns["object_type"]])[:20] if "object_type" in columns else "",
            _text(row[columns["spectral_type"]])[:40] if "spectral_type" in columns else "",
        )


def _named(title: str, text: str) -> str:
    """A catalogue number with its catalogue: HD and 48915 make HD 48915."""
    if not text or not title or text.upper().startswith(title):
        return text
    return f"{title} {text}" if text not in {"0", "nan"} else ""


def _text(value: Any) -> str:
    if value is None or getattr(value, "mask", False):
        return ""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return " ".join(str(value).replace("\x00", "").split())


def _quantity(value: Any, column: Column, meant: str, where: str) -> float | None:
    """A number in our units; a sexagesimal text for an angle; None where there is none."""
    text = _text(value)
    if text.lower() in {"", "nan", "--", "null"}:
        return None
    try:
        number = float(text)
    except ValueError:
        if meant not in ("ra", "dec"):
            raise ListError(f"{where} is {text[:40]!r}: a number is needed") from None
        try:
            return float(Angle(text, unit=u.hourangle if meant == "ra" else u.deg).deg)
        except Exception:  # astropy raises several kinds
            raise ListError(f"{where} is {text[:40]!r}: an angle is needed") from None
    if not math.isfinite(number):
        raise ListError(f"{where} is {text}: a finite number is needed")
    unit = getattr(column, "unit", None)
    if unit is None or meant not in _UNITS:
        return number
    try:
        return float((number * u.Unit(unit)).to_value(_UNITS[meant]))
    except (u.UnitsError, TypeError, ValueError):
        raise ListError(f"{where}: its unit is {unit}, {_UNITS[meant]} is needed") from None
