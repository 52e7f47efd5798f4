"""How to acknowledge what was taken away: the observatories with the programmes used, and the portal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils import timezone

from obsportal.exposures.search import Search

if TYPE_CHECKING:
    from obsportal.accounts.access import Actor

ESO_POLICY = "https://www.eso.org/sci/observing/policies/publications.html"
CHARA_POLICY = "http://www.chara.gsu.edu/observers/acknowledgements"
NAMED = 200
"""Programmes that the sentence names at most."""


@dataclass(frozen=True, slots=True)
class Citation:
    """Sentences for the acknowledgements of a paper."""

    observatories: tuple[str, ...]
    portal: str
    programmes: tuple[str, ...]
    """Runs of the VLTI in the selection, in order of name."""
    unnamed: int
    """Programmes beyond NAMED, which the sentence leaves out."""
    bibtex: str
    advice: tuple[tuple[str, str], ...]
    """Words and addresses of what the observatories ask for."""

    @property
    def sentences(self) -> tuple[str, ...]:
        """All of them in order."""
        return (*self.observatories, self.portal)


def citation(search: Search, actor: Actor, address: str, on: date | None = None, site: str = "") -> Citation:
    """The citation of a selection, from the programmes of the exposures this actor may see.

    ``address`` is the absolute URL of the search, ``site`` that of the portal.
    """
    rows = search.exposures(actor).order_by()
    pairs = set(rows.values_list("interferometer_name", "obs_program").distinct())
    return for_programmes(
        {name for name, _ in pairs},
        sorted({run for name, run in pairs if name == "VLTI" and run}),
        address,
        on or timezone.now().date(),
        site or address,
    )


def for_programmes(
    interferometers: set[str], programmes: Sequence[str], address: str, on: date, site: str
) -> Citation:
    """The citation for these interferometers and runs of the VLTI."""
    named = programmes[:NAMED]
    found: list[str] = []
    advice: list[tuple[str, str]] = []
    if "VLTI" in interferometers:
        word = "programme" if len(named) == 1 else "programmes"
        under = f" under ESO {word} {_listed(named)}" if named else ""
        left = len(programmes) - len(named)
        more = f" and {left} more" if left else ""
        found.append(f"Based on observations collected at the European Southern Observatory{under}{more}.")
        found.append(
            "This research has made use of data obtained from the ESO Science Archive Facility (CC BY 4.0)."
        )
        advice.append(("What ESO asks of publications", ESO_POLICY))
    if "CHARA" in interferometers:
        found.append(
            "This work is based upon observations with the CHARA Array of Georgia State University on Mount"
            f" Wilson; the full wording, with grants and instruments, is at {CHARA_POLICY}."
        )
        advice.append(("What CHARA asks of publications", CHARA_POLICY))
    others = sorted(interferometers - {"VLTI", "CHARA"})
    found += [f"This work is based upon observations with {name}." for name in others]
    name = settings.OBSPORTAL_SITE_NAME
    portal = (
        f"This research has made use of the observation portal {name} ({site}), consulted on"
        f" {on.isoformat()}; the selection: {address}"
    )
    return Citation(
        observatories=tuple(found),
        portal=portal,
        programmes=tuple(programmes),
        unnamed=len(programmes) - len(named),
        bibtex=_bibtex(name, site, on),
        advice=tuple(advice),
    )


def _listed(names: Sequence[str]) -> str:
    """``A``, ``A and B``, ``A, B and C``."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _bibtex(name: str, site: str, on: date) -> str:
    key = re.sub(r"\W+", "", name.lower()) or "portal"
    title = re.sub(r"[{}\\]", "", name)
    return (
        f"@misc{{{key},\n  title = {{{{{title}: observation portal for optical interferometers}}}},\n"
        f"  howpublished = {{\\url{{{site}}}}},\n  year = {{{on.year}}},\n"
        f"  note = {{consulted on {on.isoformat()}}}\n}}"
    )
