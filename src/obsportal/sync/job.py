"""One run of a source from the inside: what was asked, what has been done, whether to stop."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime


class SyncError(Exception):
    """A source that cannot be followed; the message says what, where and what is allowed."""


class Cancelled(Exception):  # noqa: N818
    """Somebody asked the run to stop; what is written stays, the next run goes on from it."""


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """What a run is asked to do."""

    instruments: tuple[str, ...] = ()
    """Only these, in the source's own words; none means all."""
    since: datetime | None = None
    """Aware. How far back a first run goes; changes after a cursor are read in any case."""
    limit: int | None = None
    """At most so many headers (or rows of a portal) in this run."""
    dry_run: bool = False
    """Count what would be done; write nothing."""
    check: bool = False
    """Compare with the whole list of the source: finds what has vanished."""


@dataclass
class Job:
    """What a source is given for one run.

    ``stop`` is set when the process was asked to end. ``keep`` stores counts and renews the lease;
    runs.run gives it.
    """

    options: SyncOptions = field(default_factory=SyncOptions)
    stop: threading.Event = field(default_factory=threading.Event)
    progress: Callable[[Job], None] | None = None
    keep: Callable[[Job], None] | None = None
    counts: Counter[str] = field(default_factory=Counter)
    sentences: list[str] = field(default_factory=list)

    KEEP_EVERY = 2.0
    """Seconds between two writes of the counts; the lease lasts much longer."""

    def __post_init__(self) -> None:
        self._kept = time.monotonic()

    def count(self, name: str, n: int = 1) -> None:
        """Add to a count that the summary and the sources page show, such as ``added``."""
        if n:
            self.counts[name] += n

    def say(self, sentence: str) -> None:
        """Something a person should know of this run; kept with it (the first hundred)."""
        if len(self.sentences) < 100:
            self.sentences.append(sentence)

    def checkpoint(self) -> None:
        """Between two pieces of work: store counts, renew the lease, stop when asked to.

        Cheap, so call it often. Raises Cancelled; SyncError when another run has taken over.
        """
        if self.stop.is_set():
            raise Cancelled
        if self.progress:
            self.progress(self)
        if self.keep and time.monotonic() - self._kept > self.KEEP_EVERY:
            self.keep(self)
            self._kept = time.monotonic()

    def limit_left(self, done: str) -> int | None:
        """How many more the limit allows, when ``done`` is the count it is of; None without limit."""
        limit = self.options.limit
        return None if limit is None else max(0, limit - self.counts[done])
