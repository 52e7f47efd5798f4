"""Counts that are kept until the exposures change: one for each kind of reader."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from obsportal.accounts.access import reader
from obsportal.exposures.models import Exposure
from obsportal.exposures.versions import last_modified

if TYPE_CHECKING:
    from obsportal.accounts.access import Actor, Reader

T = TypeVar("T")

_ALL: list[Kept[Any]] = []


class Kept(Generic[T]):
    """A count made once for each kind of reader and kept while ``version()`` stays the same.

    Readers of one kind see the same rows. The version is read before counting: what changes meanwhile
    is counted again.
    """

    def __init__(self, count: Callable[[Actor], T], version: Callable[[], Hashable] | None = None) -> None:
        self._count = count
        self._version: Callable[[], Hashable] = version or last_modified
        self._found: dict[Reader, tuple[Hashable, T]] = {}
        self._lock = Lock()
        _ALL.append(self)

    def __call__(self, actor: Actor, version: Hashable = None) -> T:
        """The count for this actor. ``version`` is the present one, where the caller knows it already."""
        kind, version = reader(actor), version or self._version()
        kept = self._found.get(kind)
        if kept is not None and kept[0] == version:
            return kept[1]
        with self._lock:  # one thread counts, the others wait for what it found
            kept = self._found.get(kind)
            if kept is None or kept[0] != version:
                kept = self._found[kind] = (version, self._count(actor))
            return kept[1]

    def forget(self) -> None:
        """Count anew at the next call."""
        self._found.clear()


def _last_change(actor: Actor) -> datetime:
    newest = Exposure.objects.visible_to(actor).order_by("-exp_date_updated")
    return newest.values_list("exp_date_updated", flat=True).first() or datetime(1970, 1, 1, tzinfo=UTC)


last_change: Kept[datetime] = Kept(_last_change)
"""When the rows that an actor may see last changed: nothing tells when others did."""


def forget_all() -> None:
    """Count everything anew at the next call."""
    for kept in _ALL:
        kept.forget()
