"""Sesame, the name resolver of the CDS: a name becomes a star with its place, motion and other names.

The address is ``URL/-oxI/SNV?name``: XML with all identifiers, from SIMBAD, then NED, then VizieR
(https://cds.unistra.fr/cgi-bin/Sesame). Positions are ICRS at epoch J2000.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from obsportal.connectors.http import Http, Manners, RemoteError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

DEFAULT_URL = "https://cds.unistra.fr/cgi-bin/nph-sesame"
OPTIONS = "-oxI/SNV"
LONGEST_ANSWER = 1_000_000
LONGEST_NAME = 80
_KIND = re.compile(r"^(\*\*|\*|V\*|EM\*|Cl\*|NAME)\s+", re.IGNORECASE)
_TROUBLE = re.compile(r"error|unavailable|timed? ?out|refused|failed", re.IGNORECASE)


class UnknownNameError(LookupError):
    """Sesame does not know a name."""


class SesameError(RuntimeError):
    """Sesame could not be asked, or its answer could not be read; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """What Sesame tells of a name: place in degrees (ICRS, J2000), motion in mas/yr, parallax in mas."""

    name: str
    ra: float
    dec: float
    pm_ra: float | None = None
    pm_dec: float | None = None
    parallax: float | None = None
    object_type: str = ""
    spectral_type: str = ""
    aliases: tuple[str, ...] = ()


def resolve(name: str, *, url: str = DEFAULT_URL, timeout: float = 15.0, contact: str = "") -> Resolved:
    """Ask Sesame for a name, once; ``timeout`` in seconds.

    Raises UnknownNameError, or SesameError where the service is at fault.
    """
    manners = Manners(contact=contact, parallel=1, timeout=timeout, longest_reply=timeout, tries=1)
    address = f"{url.rstrip('/')}/{OPTIONS}?{quote(name.strip(), safe='')}"
    try:
        with Http(manners) as http:
            body = http.get(address, limit=LONGEST_ANSWER).body
    except RemoteError as error:
        raise SesameError(str(error)) from None
    return parse(body, name)


def parse(body: bytes, name: str) -> Resolved:
    """Read an answer. Raises UnknownNameError, or SesameError for anything that is no answer of Sesame."""
    try:
        root = fromstring(body)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        raise SesameError("the answer is not XML of Sesame") from None
    if root.tag != "Sesame":
        raise SesameError(f"the answer is <{root.tag[:40]}>, not <Sesame>")
    for resolver in root.iter("Resolver"):
        found = _resolved(resolver, name)
        if found is not None:
            return found
    remarks = " ".join(element.text or "" for element in root.iter("INFO"))
    if _TROUBLE.search(remarks):
        raise SesameError(f"Sesame says: {' '.join(remarks.split())[:120]}")
    raise UnknownNameError(f"Sesame does not know {name[:LONGEST_NAME]!r}")


def _resolved(resolver: Element, asked: str) -> Resolved | None:
    ra, dec = _number(resolver, "jradeg"), _number(resolver, "jdedeg")
    if ra is None or dec is None or not 0 <= ra <= 360 or not -90 <= dec <= 90:
        return None
    aliases = [plain_name(element.text or "") for element in resolver.iter("alias")]
    return Resolved(
        name=(plain_name(_text(resolver, "oname")) or plain_name(asked))[:LONGEST_NAME],
        ra=ra % 360.0,
        dec=dec,
        pm_ra=_number(resolver, "pm/pmRA"),
        pm_dec=_number(resolver, "pm/pmDE"),
        parallax=_number(resolver, "plx/v"),
        object_type=_text(resolver, "otype")[:20],
        spectral_type=_text(resolver, "spType")[:40],
        aliases=tuple(dict.fromkeys(alias for alias in aliases if 0 < len(alias) <= LONGEST_NAME)),
    )


def plain_name(text: str) -> str:
    """A name of SIMBAD as people type it, without the mark of its kind: ``* alf Cen`` is alf Cen."""
    return _KIND.sub("", " ".join(text.replace("\x00", "").split()))


def _text(element: Element, path: str) -> str:
    return " ".join((element.findtext(path) or "").replace("\x00", "").split())


def _number(element: Element, path: str) -> float | None:
    try:
        value = float(_text(element, path))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
