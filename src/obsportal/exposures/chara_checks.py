"""What can be said of a CHARA exposure, and why a line or frame is none, beside the common tables.

Codes, levels and sentences work as in ``exposures.validation``; ``docs/chara.md`` lists them all.
"""

from __future__ import annotations

from collections.abc import Mapping

from obsportal.exposures import validation
from obsportal.exposures.record import Level, Message
from obsportal.exposures.validation import Check

CHECKS: Mapping[str, Check] = {
    "mode-nearest": Check(
        Level.WARNING,
        "Mode {mode} (R = {expected:.0f}) is the nearest one to {setting} (R = {stated:.0f})",
        "The disperser's resolving power is more than 1.5 times off that of every ASPRO2 mode.",
    ),
    "role-unknown": Check(
        Level.WARNING,
        "{where} does not say science or calibrator: taken as science",
        "Frame headers never do; in a log it is TYPE UNKNO. Joining the log or a curator settles it.",
    ),
    "stations-assumed": Check(
        Level.NOTE,
        "The header does not name the stations: all six are assumed",
        "Joining the log replaces them by its SCOPES.",
    ),
    "clocks-differ": Check(
        Level.WARNING,
        "TIME_S and UTC-OBS differ by {seconds:.1f} s; TIME_S is used",
        "Two clocks of the instrument; up to 2 s is usual.",
    ),
    "frames-missing": Check(
        Level.ERROR,
        "The length is not known: {reason}",
        "It is (LASTFR - STARTFR + 1) x EXPOSURE.",
    ),
    "length-assumed": Check(
        Level.NOTE,
        "The log gives one time and no length: {seconds:.0f} s are assumed",
        "A block of one line has no second time. A DURATION column states the length.",
    ),
    "log-remark": Check(
        Level.WARNING,
        "Line {line}: {remark}",
        "A cell of the log was read with a doubt, or left out.",
    ),
    "lengths-disagree": Check(
        Level.WARNING,
        "{wrong} of {lines} log lines are over 1 m from the computed baselines; most: line {line} logs "
        "{logged:.2f} m, computed {computed:.2f} m",
        "Wrong SCOPES, MJD or star. The computed baselines are served.",
    ),
    "programme-ambiguous": Check(
        Level.WARNING,
        "The log has the programmes {programmes} at this time; {taken} is taken",
        "The one that shares most time with the frames.",
    ),
    "product-incomplete": Check(
        Level.ERROR,
        "A level 2 header copy holds no times, stations or position ({known}); give the OIFITS file",
        "They are in the cells of its tables.",
    ),
}
"""Checks that only CHARA data need."""

REFUSALS: Mapping[str, str] = {
    "no-start": "Nothing in the header gives the time it begins.",
    "no-target": "OBJECT is empty or NOSTAR, or the copy of a product's header names no star.",
    "internal-source": "The light came from the internal source (STS), not from the sky.",
    "etalon": "The etalon was in the beam, as for the wavelength calibration.",
    "frame-repeated": "The same frame was given twice, for example as .fits and .fits.fz.",
    "log-empty": "The log has no line.",
    "log-too-large": "The log has more than 64 MiB.",
    "log-unreadable": "The first line is not CSV.",
    "log-column-missing": "The first line lacks a column of the layout.",
    "log-column-twice": "Two columns mean the same.",
    "log-line-refused": "A cell of the line is not what its column allows; the reason names both.",
    "log-line-repeated": "The same line was given twice.",
}
"""Why a CHARA log, line or frame is no exposure, beside the common reasons."""


def message(code: str, **values: object) -> Message:
    """The message of a check of this table or of the common one. Raises KeyError for an unknown code."""
    check = CHECKS.get(code)
    if check is None:
        return validation.message(code, **values)
    return Message(code, check.level, check.sentence.format(**values))
