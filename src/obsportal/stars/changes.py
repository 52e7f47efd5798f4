"""Telling others that known stars were added, changed or removed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.dispatch import Signal

from obsportal.stars.sky import KnownStar

stars_changed = Signal()
"""Sent with ``change`` in the transaction of the change: receivers that fail undo it."""


@dataclass(slots=True)
class Change:
    """The stars that changed, as they were and as they are."""

    stars: list[KnownStar] = field(default_factory=list)

    @property
    def names(self) -> set[str]:
        """All their normalised names."""
        return {name for star in self.stars for name in star.names}


def tell(stars: Iterable[KnownStar]) -> None:
    """Tell that these changed; nothing is told of none."""
    change = Change(list(stars))
    if change.stars:
        stars_changed.send(sender=Change, change=change)
