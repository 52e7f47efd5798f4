"""What one line typed into the search box means: an exposure, a position, a programme, a night, a name."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

from django.db.models import Q
from django.urls import reverse
from django.utils.http import urlencode

from obsportal.accounts.access import Visibility
from obsportal.exposures.angles import parse_position
from obsportal.exposures.models import Exposure, Observation, Target
from obsportal.exposures.pages import programmes
from obsportal.exposures.pages.night_log import read_night
from obsportal.exposures.search_values import SearchError
from obsportal.interferometry.facility import find_instrument
from obsportal.stars import typed
from obsportal.stars.names import normalise

if TYPE_CHECKING:
    from obsportal.accounts.access import Actor

POSITION_RADIUS = 60
"""arcsec around a typed position: what GetStar's links use."""

_RUN = re.compile(r"\d{2,4}\.[A-Z]-\d{3,4}(\([A-Z]+\))?$|\d{3}\.[0-9A-Z]{4}(\.\d{3})?$", re.IGNORECASE)
"""ESO programmes and runs, in both grammars."""
_RUNS = re.compile(r"(?=[^*]*\*)\d{2,4}\.[0-9A-Z*().-]{1,20}$", re.IGNORECASE)
"""Several of them, with * for any text."""


def destination(typed: str, actor: Actor) -> str:
    """The address that answers what was typed. An empty line leads to all exposures."""
    text = _plain(typed)
    if not text:
        return reverse("search")
    exposure = _exposure(text, actor)
    if exposure:
        return exposure
    try:
        return reverse("night", args=[read_night(text).isoformat()])
    except SearchError:
        pass
    if Observation.objects.visible_to(actor).filter(key=text).exists():
        return reverse("observation", args=[text])
    found = parameters(text, actor)
    if set(found) == {"program_id"} and (name := programmes.known(found["program_id"], actor)):
        return reverse("programme", args=[name])
    return f"{reverse('search')}?{urlencode(found)}"


def _plain(typed: str) -> str:
    """A typed line without what no database keeps."""
    return " ".join(typed.replace("\x00", "").split())[:200]


def _exposure(text: str, actor: Actor) -> str | None:
    """The page of the exposure, or of the only exposure of the header, with this identifier."""
    rows = Exposure.objects.visible_to(actor).filter(Q(exp_id=text) | Q(exp_header_id=text))
    found = list(rows.order_by("pk").values_list("exp_id", flat=True)[:2])
    if text in found or len(found) == 1:
        return reverse("exposure", args=[text if text in found else found[0]])
    return f"{reverse('search')}?{urlencode({'exp_header_id': text})}" if found else None


def parameters(text: str, actor: Actor) -> dict[str, str]:
    """The search parameters that a line of text stands for, other than an exposure's identifier."""
    text = _plain(text)
    position = parse_position(text)
    if position:
        return {
            "ra": str(round(position[0], 6)),
            "dec": str(round(position[1], 6)),
            "radius": str(POSITION_RADIUS),
        }
    if _RUN.match(text) or _RUNS.match(text):
        return {"program_id": text.upper()}
    if _is_date(text):
        return {"night": text}
    if _is_target(normalise(text), actor):
        return {"target_name": text}
    if Exposure.objects.visible_to(actor).filter(Q(obs_program=text) | Q(obs_program_root=text)).exists():
        return {"program_id": text}
    try:
        return {"instrument": find_instrument(text).name}
    except LookupError:
        place = typed.resolve(text).place
    if place is None:
        return {"target_name": text}
    return {
        "ra": str(round(place[0], 6)),
        "dec": str(round(place[1], 6)),
        "radius": str(POSITION_RADIUS),
        "name": text,
    }


def _is_target(plain: str, actor: Actor) -> bool:
    """Whether a target that the actor may see has this normalised name, by any spelling."""
    seen = Target.objects.visible_to(actor)
    own = Q(normalised_name=plain) | Q(star__names__normalised_name=plain)
    pointed = Q(pointings__normalised_name=plain, pointings__visibility=Visibility.PUBLIC)
    if seen.filter(own).exists() or seen.filter(pointed).exists():
        return True
    return Exposure.objects.visible_to(actor).filter(target_normalised_name=plain).exists()


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return "-" in text


def similar_targets(name: str, actor: Actor, limit: int = 12) -> list[Target]:
    """Targets whose names contain this one, or its longest word: what to try when nothing was found."""
    plain = normalise(name)
    if not plain:
        return []
    targets = Target.objects.visible_to(actor)
    found = list(targets.filter(normalised_name__contains=plain).order_by("normalised_name")[:limit])
    if found:
        return found
    words = sorted((normalise(word) for word in name.split()), key=len)
    if words and len(words[-1]) >= 3:
        return list(targets.filter(normalised_name__contains=words[-1]).order_by("normalised_name")[:limit])
    return []
