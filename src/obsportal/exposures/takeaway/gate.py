"""A limit on how many long answers a server process streams at a time, so that short ones find a thread."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TypeVar

MOST = 2
"""Long answers at a time, half of a process's threads."""
RETRY_AFTER = 20
"""Seconds after which a refused one may ask again."""

Item = TypeVar("Item")


class Gate:
    """Places for long answers. ``enter`` never waits: waiting would hold the thread it is to spare."""

    def __init__(self, places: int) -> None:
        self.places = places
        self._lock = threading.Lock()
        self._taken = 0

    @property
    def taken(self) -> int:
        """Places in use."""
        return self._taken

    def enter(self) -> Place | None:
        """A place, to be given back by ``leave``; None when all are taken."""
        with self._lock:
            if self._taken >= self.places:
                return None
            self._taken += 1
        return Place(self)

    def _free(self) -> None:
        with self._lock:
            self._taken -= 1


class Place:
    """A taken place. Giving it back twice does no harm."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._held = True
        self._lock = threading.Lock()

    def leave(self) -> None:
        """Give the place back."""
        with self._lock:
            held, self._held = self._held, False
        if held:
            self._gate._free()


class Placed(Iterator[Item]):
    """A stream that holds a place until it ends, fails or is closed; closing stops its source.

    ``begun`` are the items that were taken from ``source`` already.
    """

    def __init__(self, place: Place, begun: Iterable[Item], source: Iterator[Item]) -> None:
        self._place = place
        self._begun = deque(begun)
        self._source = source

    def __next__(self) -> Item:
        """The next item."""
        if self._begun:
            return self._begun.popleft()
        try:
            return next(self._source)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop the source and give the place back."""
        self._begun.clear()
        try:
            stop = getattr(self._source, "close", None)
            if stop is not None:
                stop()
        finally:
            self._place.leave()

    def __del__(self) -> None:
        self._place.leave()


STREAMS = Gate(MOST)
"""Of this process."""
