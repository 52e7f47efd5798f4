"""Who may see and do what. The only place that decides; everything else asks here.

Access is a query: each model with private rows offers ``visible_to(actor)``, which starts from
one of the functions below. What no rule allows is denied.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from django.db.models import Q

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from obsportal.accounts.models import User

    Actor = User | AnonymousUser | None


class Visibility(StrEnum):
    """Who may know that a row exists."""

    PUBLIC = "public"
    PROTECTED = "protected"
    """Metadata-protected runs (guaranteed time, commissioning): curators only."""
    REPLACED = "replaced"
    """Told better by another row (a log entry whose frames arrived): kept, shown to nobody."""

    @property
    def label(self) -> str:
        """The word shown to people."""
        return {"public": "Public", "protected": "Metadata protected", "replaced": "Replaced"}[self.value]


def is_curator(actor: Actor) -> bool:
    """Whether the actor may see protected rows and correct records."""
    return bool(actor is not None and actor.is_authenticated and actor.is_active and actor.is_staff)


class Reader(StrEnum):
    """What kind of reader an actor is; readers of one kind see the same rows."""

    PUBLIC = "public"
    CURATOR = "curator"


def reader(actor: Actor) -> Reader:
    """The kind of reader an actor is."""
    return Reader.CURATOR if is_curator(actor) else Reader.PUBLIC


def rows_for(kind: Reader) -> Q:
    """The condition that rows with a ``visibility`` column must meet for this kind of reader."""
    if kind is Reader.CURATOR:
        return Q(visibility__in=(Visibility.PUBLIC, Visibility.PROTECTED))
    return Q(visibility=Visibility.PUBLIC)


def visible_rows(actor: Actor) -> Q:
    """The condition that rows with a ``visibility`` column must meet for this actor to see them."""
    return rows_for(reader(actor))


def may_curate(actor: Actor) -> bool:
    """Whether the actor may override values of exposures."""
    return is_curator(actor)
