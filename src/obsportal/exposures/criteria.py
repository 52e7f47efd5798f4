"""The vocabulary of a search: each parameter parses to a condition that can explain itself.

Wrong values raise SearchError with a sentence that says what was given and what is allowed.
Empty and unknown parameters are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache

from django.db.models import Q
from django.db.models.expressions import RawSQL

from obsportal.exposures.programme_id import program_root
from obsportal.exposures.search_values import SearchError, boolean, integer, mjd, moment, number, said, shown
from obsportal.interferometry import facility as facilities
from obsportal.interferometry.sky import chord_squared, cone_ranges, unit_vector
from obsportal.stars.names import normalise

MAX_RADIUS = 648_000.0
"""arcsec: the whole sky."""
DEFAULT_RADIUS = 30.0
"""arcsec, when a position comes without a radius: what ASPRO2 sends."""

CONFIGURATIONS = ("UTs", "small", "medium", "large", "extended", "astrometric")


@dataclass(frozen=True, slots=True)
class Criterion:
    """One condition of a search, and its words for people."""

    parameter: str
    words: str
    condition: Q
    raw: tuple[str, tuple[float, ...]] | None = None
    """The same condition as SQL for primary keys with its parameters, where it is so made."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One documented search parameter. ``parse`` turns its value into conditions."""

    name: str
    help: str
    parse: Callable[[str], Criterion]
    example: str = ""


def cone(ra: float, dec: float, radius_arcsec: float) -> Criterion:
    """Exposures whose target, fringe-tracker target or pointing lies in a cone, exactly.

    Index ranges select candidates; the squared chord between unit vectors decides, which is exact
    at the poles and across RA 0 and keeps its precision for the smallest radii.
    """
    statement, params = cone_statement(ra, dec, radius_arcsec / 3600)
    return Criterion(
        "position",
        f"within {radius_arcsec:g} arcsec of RA {ra:.6g}°, Dec {dec:.6g}°",
        Q(pk__in=RawSQL(statement, params)),  # noqa: S611
        (statement, tuple(params)),
    )


def cone_statement(ra: float, dec: float, radius_deg: float) -> tuple[str, list[float]]:
    """SQL for the primary keys of the exposures in a cone, and its parameters.

    One index search each by target, by fringe-tracker target and by pointing.
    """
    ranges = cone_ranges(ra, dec, radius_deg)
    inside: list[float] = [edge for pair in ranges for edge in pair]
    x, y, z = unit_vector(ra, dec)
    inside += [x, x, y, y, z, z, chord_squared(radius_deg)]
    return _cone_sql(len(ranges)), inside + inside


@lru_cache(maxsize=64)
def _cone_sql(ranges: int) -> str:
    def inside(prefix: str) -> str:
        found = " OR ".join([f"{prefix}hpx BETWEEN %s AND %s"] * ranges)
        chord = " + ".join(f"({prefix}{axis} - %s) * ({prefix}{axis} - %s)" for axis in "xyz")
        return f"({found}) AND {chord} <= %s"

    return f"""
        WITH found AS (SELECT id FROM exposures_target WHERE {inside("")})
        SELECT id FROM exposures_exposure WHERE {inside("pointing_")}
        UNION SELECT id FROM exposures_exposure WHERE target_id IN (SELECT id FROM found)
        UNION SELECT id FROM exposures_exposure WHERE ft_target_id IN (SELECT id FROM found)
    """  # noqa: S608


def _name(text: str) -> Criterion:
    if "*" in text:
        if text.count("*") > 5:
            raise SearchError("target_name", "target_name has more than five *")
        value = "%".join(_like(normalise(part)) for part in text.split("*"))
        test = "LIKE %s ESCAPE '!'"
    else:
        value = normalise(text)
        test = "= %s"
    # Names of protected pointings find no public rows: they are matched by the rows' own names alone.
    statement = f"""
        WITH found AS (
            SELECT id FROM exposures_target WHERE normalised_name {test}
            UNION SELECT target_id FROM exposures_targetpointing
                WHERE normalised_name {test} AND visibility = 'public'
            UNION SELECT t.id FROM exposures_target t JOIN stars_starname n ON n.star_id = t.star_id
                WHERE n.normalised_name {test}
        )
        SELECT id FROM exposures_exposure WHERE target_normalised_name {test}
        UNION SELECT id FROM exposures_exposure WHERE target_id IN (SELECT id FROM found)
        UNION SELECT id FROM exposures_exposure WHERE ft_target_id IN (SELECT id FROM found)
    """  # noqa: S608
    return Criterion(
        "target_name",
        f"target named {text}",
        Q(pk__in=RawSQL(statement, [value] * 4)),  # noqa: S611
    )


def _like(text: str) -> str:
    """Text that LIKE takes literally, with ! as its escape."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def _listed(text: str) -> list[str]:
    return [part for part in re.split(r"[,;|\s]+", text.strip()) if part][:100]


@lru_cache(maxsize=1)
def served_names() -> dict[str, str]:
    """The name under which exposures of an instrument are kept: its own, but ASPRO2's entry for MYSTIC.

    ASPRO2 resolves an instrument when the name of one of its entries starts with the logged name.
    """
    return {
        m.instrument: m.instrument if not m.variant or m.variant.startswith(m.instrument) else m.variant
        for m in facilities.modes()
    }


def entry(text: str) -> str:
    """The entry of ASPRO2 that exposures are kept under, when this is one and no instrument; else ""."""
    served = served_names()
    return next((name for name in served.values() if name not in served and name == text.upper()), "")


def _instrument(text: str) -> Criterion:
    condition = Q()
    names = []
    for part in _listed(text):
        if kept := entry(part):
            names.append(kept)
            condition |= Q(instrument_name=kept)
            continue
        try:
            instrument = facilities.find_instrument(part)
        except LookupError:
            known = sorted({m.instrument for m in facilities.modes()})
            raise SearchError(
                "instrument", f"instrument is {shown(part)}: known are {', '.join(known)}"
            ) from None
        names.append(instrument.name)
        one = Q(instrument_name=served_names().get(instrument.name, instrument.name))
        if part.upper() != instrument.name.upper() and part.upper() in {
            v.upper() for v in instrument.variants
        }:
            one &= Q(instrument_variant__iexact=part)
            names[-1] = part.upper()
        condition |= one
    return Criterion("instrument", " or ".join(names), condition)


def _mode(text: str) -> Criterion:
    text = text.strip()
    known = facilities.modes()
    if text.isdecimal():
        found = [m for m in known if m.id == int(text[:9])]
        if not found:
            raise SearchError("instrument_mode", f"instrument_mode is {shown(text)}: no mode has this number")
        return Criterion(
            "instrument_mode",
            f"mode {found[0].name}",
            Q(instrument_mode=found[0].name, instrument_name=served_names()[found[0].instrument]),
        )
    names = {m.name for m in known if m.name.lower() == text.lower()}
    if not names:
        names = {m.name for m in known if text.lower() in {a.lower() for a in m.aliases}}
    if not names:
        raise SearchError(
            "instrument_mode",
            f"instrument_mode is {shown(text)}: the name or number of a mode is needed, such as GRISM-H",
        )
    return Criterion("instrument_mode", f"mode {', '.join(sorted(names))}", Q(instrument_mode__in=names))


def _interferometer(text: str) -> Criterion:
    known = {name.upper(): name for name in facilities.facilities()}
    found = known.get(text.strip().upper())
    if found is None:
        raise SearchError(
            "interferometer",
            f"interferometer is {shown(text)}: known are {', '.join(sorted(known.values()))}",
        )
    return Criterion("interferometer", found, Q(interferometer_name=found))


def _stations(text: str) -> Criterion:
    wanted = []
    for part in re.split(r"[\s,;+\-/]+", text.strip(" ,;+-/")):
        for array in facilities.facilities().values():
            try:
                wanted.append(array.station(part).log_name)
                break
            except LookupError:
                continue
        else:
            raise SearchError(
                "stations",
                f"stations has {shown(part)}: stations such as U1 U2 U3 U4, A0 G1 or S1 E1 are needed",
            )
    condition = Q()
    for name in dict.fromkeys(wanted[:12]):
        condition &= (
            Q(station_set=name)
            | Q(station_set__startswith=f"{name} ")
            | Q(station_set__endswith=f" {name}")
            | Q(station_set__contains=f" {name} ")
        )
    return Criterion("stations", f"with stations {' '.join(dict.fromkeys(wanted))}", condition)


@lru_cache(maxsize=1)
def _relocations() -> tuple[str, ...]:
    """Names of the arrays between two offered configurations, such as ``medium -> large``."""
    arrays = facilities.facilities().values()
    return tuple(sorted({offer.name for array in arrays for offer in array.relocations if offer.name}))


def _configuration(text: str) -> Criterion:
    parts = [p.strip() for p in text.split(",") if p.strip()]
    known = {name.lower(): name for name in _relocations() + CONFIGURATIONS}
    unknown = [p for p in parts if p.lower() not in known]
    if unknown or not parts:
        raise SearchError(
            "configuration", f"configuration is {shown(text)}: allowed are {', '.join(CONFIGURATIONS)}"
        )
    names = [known[p.lower()] for p in parts]
    return Criterion("configuration", f"configuration {' or '.join(names)}", Q(configuration__in=names))


def _program(text: str) -> Criterion:
    condition = Q()
    parts = _listed(text)
    for part in parts:
        if "*" in part:
            if part.count("*") > 5:
                raise SearchError("program_id", f"program_id {shown(part)} has more than five *")
            pattern = ".*".join(re.escape(piece) for piece in part.split("*"))
            condition |= Q(obs_program__regex=f"^{pattern}$")
        elif program_root(part) == part:
            condition |= Q(obs_program_root=part) | Q(obs_program=part)
        else:
            condition |= Q(obs_program=part)
    return Criterion("program_id", f"programme {', '.join(parts)}", condition)


def _obs_type(text: str) -> Criterion:
    value = text.strip().lower()
    if value not in {"science", "calibrator"}:
        raise SearchError("obs_type", f"obs_type is {shown(text)}: allowed are science and calibrator")
    return Criterion("obs_type", value, Q(obs_type=value))


def _valid(text: str) -> Criterion:
    good = boolean("valid", text)
    return Criterion(
        "valid", "without errors" if good else "with errors", Q(exp_validation_level=1 if good else 0)
    )


def _fringe_tracker(text: str) -> Criterion:
    if text.upper() == "NONE":
        return Criterion("fringe_tracker", "no fringe tracker", Q(fringe_tracker=""))
    return Criterion("fringe_tracker", f"fringe tracker {text[:60]}", Q(fringe_tracker__iexact=text))


def _observation(text: str) -> Criterion:
    key = text.strip()
    return Criterion("observation", f"observation {key[:80]}", Q(observation__key=key))


def _template_start(text: str) -> Criterion:
    if text.strip().lower() == "none":
        return Criterion("template_start", "without a template start", Q(template_start=None))
    value = moment("template_start", text)
    return Criterion("template_start", f"template of {value:%Y-%m-%d %H:%M:%S}", Q(template_start=value))


def _night(text: str) -> Criterion:
    try:
        value = date.fromisoformat(text.strip())
    except ValueError:
        raise SearchError("night", f"night is {shown(text)}: a date such as 2020-01-26 is needed") from None
    return Criterion("night", f"night of {value}", Q(night=value))


def _text_equal(name: str, column: str, words: str) -> Callable[[str], Criterion]:
    def parse(text: str) -> Criterion:
        return Criterion(name, f"{words} {text[:60]}", Q(**{column: text.strip()}))

    return parse


def _integer_equal(name: str, words: str) -> Callable[[str], Criterion]:
    def parse(text: str) -> Criterion:
        value = integer(name, text.strip(), 0, 2**62)
        return Criterion(name, f"{words} {value}", Q(**{name: value}))

    return parse


def _time_bound(name: str, column: str, *, end: bool, words: str) -> Callable[[str], Criterion]:
    def parse(text: str) -> Criterion:
        value = moment(name, text, end=end)
        bound: float | datetime = mjd(value) if column == "exp_mjd_start" else value
        return Criterion(name, f"{words} {said(value)}", Q(**{f"{column}__{'lte' if end else 'gte'}": bound}))

    return parse


def _mjd_bound(name: str, lookup: str, words: str) -> Callable[[str], Criterion]:
    def parse(text: str) -> Criterion:
        value = number(name, text, 0, 200_000, "days (MJD)")
        return Criterion(name, f"{words} MJD {value:g}", Q(**{f"exp_mjd_start__{lookup}": value}))

    return parse


PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        "target_name",
        "Target by any of its names; case, blanks and underscores do not matter; * matches any text.",
        _name,
        "HD 58647",
    ),
    Parameter(
        "instrument",
        "Instrument or a list; aliases such as MIRC-X and MATISSE_LM are understood.",
        _instrument,
        "GRAVITY",
    ),
    Parameter("instrument_mode", "Mode by ASPRO2's name, an alias, or its number.", _mode, "GRISM-H"),
    Parameter("interferometer", "VLTI, CHARA, ...", _interferometer, "VLTI"),
    Parameter(
        "stations", "Stations that took part, all of them; U1 and UT1 are the same.", _stations, "U1 U2"
    ),
    Parameter(
        "configuration",
        "small, medium, large, extended, astrometric or UTs; a comma list is allowed.",
        _configuration,
        "large",
    ),
    Parameter("program_id", "Run, programme root, a list, or with * for any text.", _program, "0103.C-0347"),
    Parameter("obs_id", "Observing block number.", _integer_equal("obs_id", "OB"), "2728776"),
    Parameter(
        "observation",
        "Observation: one execution of a block, by its key.",
        _observation,
        "VLTI.2728776.2020-01-26T03:27:45",
    ),
    Parameter(
        "template_start",
        "Start of the template's execution, ISO 8601 (UTC without a zone); none: not known.",
        _template_start,
        "2020-01-26T03:30:12",
    ),
    Parameter("obs_type", "science or calibrator.", _obs_type, "science"),
    Parameter("valid", "true: no validation error; false: at least one.", _valid, "true"),
    Parameter(
        "fringe_tracker",
        "Fringe tracker of the header: GRAVITY, GRA4MAT, FINITO, ..., or NONE.",
        _fringe_tracker,
        "GRAVITY",
    ),
    Parameter(
        "technical",
        "true: only technical time (60.A); false: none of it.",
        lambda t: Criterion(
            "technical",
            "technical time" if boolean("technical", t) else "no technical time",
            Q(technical=boolean("technical", t)),
        ),
        "false",
    ),
    Parameter(
        "exp_id",
        "Exposure identifier.",
        _text_equal("exp_id", "exp_id", "exposure"),
        "GRAVI.2020-01-09T03:34:07.546_1",
    ),
    Parameter(
        "exp_header_id",
        "Header identifier (the archive's file name).",
        _text_equal("exp_header_id", "exp_header_id", "header"),
        "GRAVI.2020-01-09T03:34:07.546",
    ),
    Parameter("target_id", "Number of a target in this portal.", _integer_equal("target_id", "target"), "12"),
    Parameter("night", "Local date at the beginning of the night.", _night, "2020-01-26"),
    Parameter(
        "mjd_from",
        "Start of the exposure at or after this MJD (UTC).",
        _mjd_bound("mjd_from", "gte", "from"),
        "58849",
    ),
    Parameter(
        "mjd_to",
        "Start of the exposure at or before this MJD (UTC).",
        _mjd_bound("mjd_to", "lte", "until"),
        "58850",
    ),
    Parameter(
        "date_from",
        "Start at or after this ISO 8601 date or time (UTC without a zone).",
        _time_bound("date_from", "exp_mjd_start", end=False, words="from"),
        "2020-01-01",
    ),
    Parameter(
        "date_to",
        "Start at or before this date or time; a bare date includes that day.",
        _time_bound("date_to", "exp_mjd_start", end=True, words="until"),
        "2020-01-31",
    ),
    Parameter(
        "date_updated_from",
        "Row changed at or after this date or time.",
        _time_bound("date_updated_from", "exp_date_updated", end=False, words="updated from"),
        "2019-01-01T00:00:00+00:00",
    ),
    Parameter(
        "date_updated_to",
        "Row changed at or before this date or time.",
        _time_bound("date_updated_to", "exp_date_updated", end=True, words="updated until"),
        "2020-01-01T00:00:00+00:00",
    ),
)


def position(params: Mapping[str, str]) -> Criterion | None:
    """The cone of ``ra``, ``dec`` (deg) and ``radius`` (arcsec), when one is asked for."""
    given = {name: params[name].strip() for name in ("ra", "dec", "radius") if params.get(name, "").strip()}
    if not given:
        return None
    radius = number("radius", given.get("radius", str(DEFAULT_RADIUS)), 0, MAX_RADIUS, "arcsec")
    if "ra" not in given and "dec" not in given:
        return None
    for name in ("ra", "dec"):
        if name not in given:
            raise SearchError(name, f"{name} is missing: a position needs ra and dec in degrees")
    ra = number("ra", given["ra"], 0, 360, "degrees")
    dec = number("dec", given["dec"], -90, 90, "degrees")
    return cone(ra, dec, radius)


def criteria(params: Mapping[str, str]) -> list[Criterion]:
    """All conditions of a request. Raises SearchError for the first value that means nothing."""
    found = []
    at = position(params)
    if at:
        found.append(at)
    for parameter in PARAMETERS:
        text = params.get(parameter.name, "").replace("\x00", "").strip()
        if text:
            found.append(parameter.parse(text))
    return found
