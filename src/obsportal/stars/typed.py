"""What a name typed by somebody stands for: a known star, else what Sesame answers within two seconds.

Stars that Sesame tells of here are not kept as known stars: a reader's question changes no target.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from obsportal.connectors.sesame import SesameError, UnknownNameError
from obsportal.stars.lookup import SESAME, find
from obsportal.stars.models import NameQuery
from obsportal.stars.names import is_generic, normalise
from obsportal.stars.services import UNKNOWN_DAYS, ask, note

TIMEOUT = 2.0
"""Seconds that somebody who typed a name waits for Sesame."""
PER_MINUTE = 30
"""Questions that Sesame is sent in a minute for all readers together."""
REST_MINUTES = 1
"""After a failure nobody waits for Sesame for so long."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a typed name stands for: a place in degrees (J2000) when it is known; a sentence for people."""

    sentence: str
    place: tuple[float, float] | None = None


def resolve(text: str) -> Answer:
    """The place of a typed name, from what is known, else from Sesame: one question at most."""
    answer = remembered(text)
    if answer is not None:
        return answer
    if not settings.OBSPORTAL_SESAME:
        return _not_asked(text, "it is switched off here")
    since = timezone.now() - timedelta(minutes=1)
    if NameQuery.objects.filter(asked_at__gt=since).count() >= PER_MINUTE:
        return _not_asked(text, "too many names were asked for within a minute")
    rests = timezone.now() - timedelta(minutes=REST_MINUTES)
    if NameQuery.objects.filter(outcome=NameQuery.Outcome.FAILED, asked_at__gt=rests).exists():
        return _not_asked(text, "it did not answer a moment ago")
    try:
        found = ask(text, TIMEOUT)
    except UnknownNameError as error:
        note(text, NameQuery.Outcome.UNKNOWN, str(error))
    except SesameError as error:
        note(text, NameQuery.Outcome.FAILED, str(error))
    else:
        note(text, NameQuery.Outcome.FOUND, f"{found.ra!r} {found.dec!r} {found.name}")
    return remembered(text) or _not_asked(text, "its answer was lost")


def remembered(text: str) -> Answer | None:
    """What is known of a typed name without asking; None when it may be asked for."""
    plain = normalise(text)
    if is_generic(plain):
        return Answer(f"{text!r} is no name of a star")
    star = find(text)
    if star is not None:
        source = "Sesame" if star.source == SESAME else f"the star list {star.source}"
        return _resolved(text, source, star.name, star.ra, star.dec)
    query = NameQuery.objects.filter(normalised_name=plain).first()
    if query is None:
        return None
    age = timezone.now() - query.asked_at
    if query.outcome == NameQuery.Outcome.FOUND and query.star is None and age < timedelta(days=UNKNOWN_DAYS):
        ra, dec, name = query.detail.split(" ", 2)
        return _resolved(text, "Sesame", name, float(ra), float(dec))
    if query.outcome == NameQuery.Outcome.UNKNOWN and age < timedelta(days=UNKNOWN_DAYS):
        return Answer(f"neither this portal nor Sesame knows the name {text!r}")
    if query.outcome == NameQuery.Outcome.FAILED and age < timedelta(minutes=REST_MINUTES):
        return _not_asked(text, query.detail)
    return None


def explain(params: dict[str, str], *, empty: bool) -> str:
    """The sentence for a search that began with a typed name: ``name`` beside a position, or no target."""
    named, target = params.get("name", "").strip()[:80], params.get("target_name", "").strip()[:80]
    if named and params.get("ra"):
        answer = remembered(named)
        return answer.sentence if answer and answer.place else ""
    if target and empty and "*" not in target:
        answer = remembered(target)
        if answer is None and not settings.OBSPORTAL_SESAME:
            answer = _not_asked(target, "it is switched off here")
        return answer.sentence if answer else ""
    return ""


def _resolved(text: str, source: str, name: str, ra: float, dec: float) -> Answer:
    return Answer(f"{text!r} resolved by {source} to {name}, RA {ra:.5f}°, Dec {dec:+.5f}°", (ra, dec))


def _not_asked(text: str, why: str) -> Answer:
    return Answer(f"no target here has the name {text!r}; the name service Sesame could not be asked: {why}")
