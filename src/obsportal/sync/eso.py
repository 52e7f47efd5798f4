"""The ESO archive as a source: what has changed since last time, and the past window by window.

Listing and reading are two steps. A page of the archive's table is kept (and the cursor moved) by one
transaction; the headers of the kept rows are read afterwards, those that wait from earlier runs too.
The past is filled newest first: what people look for most is there on the first day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from itertools import chain

from django.db.models import Q
from django.utils import timezone

from obsportal.connectors.eso import (
    FIRST_LIGHT,
    HEADER_URL,
    PAGE_ROWS,
    TAP_URL,
    EsoArchive,
    Page,
    RawRow,
    Selection,
)
from obsportal.connectors.http import Http, Manners
from obsportal.exposures.bulk import refresh_statistics
from obsportal.exposures.instruments import on_sky, rule_for
from obsportal.exposures.services import MANY
from obsportal.sync import headers, listing
from obsportal.sync.job import Job, SyncError
from obsportal.sync.models import ArchiveRow, SyncCursor
from obsportal.sync.source import ESO

OVERLAP = timedelta(hours=1)
"""How far before its cursor a run begins: rows may become visible a little after their time."""
WINDOW = timedelta(days=30)
LONGEST_WINDOW = timedelta(days=366)
SHORTEST_WINDOW = timedelta(days=1)
EDGE = timedelta(seconds=1)
"""Windows are listed with so much more on either side, for the archive rounds the times it prints."""
DOUBTFUL = 20
"""From so many vanished rows on, when they are most of a window or of all, the answer is not believed."""


@dataclass(frozen=True, slots=True)
class EsoSource:
    """The raw frames of the interferometric instruments in the ESO archive."""

    tap_url: str = TAP_URL
    header_url: str = HEADER_URL
    manners: Manners = field(default_factory=Manners)
    since: datetime | None = None
    """How far back the past is filled, by start of exposure; None is each instrument's first light."""
    page_rows: int = PAGE_ROWS
    name: str = ESO

    def run(self, job: Job) -> None:
        """List what changed and fill the past, reading headers as rows come."""
        instruments = self._instruments(job)
        with Http(self.manners, stop=job.stop) as http:
            archive = EsoArchive(http, self.tap_url, self.header_url, self.page_rows)
            steps = _Steps(self, archive, job, job.options.since or self.since)
            for instrument in instruments:
                steps.follow(instrument)
            steps.read(instruments)
            steps.fill(instruments)
            if job.options.check:
                steps.check(instruments)
        if job.counts["added"] >= MANY:
            refresh_statistics()

    def _instruments(self, job: Job) -> tuple[str, ...]:
        asked = tuple(dict.fromkeys(name.upper() for name in job.options.instruments))
        for name in asked:
            if name not in FIRST_LIGHT:
                raise SyncError(
                    f"{name!r} is no instrument of the archive: allowed are {', '.join(FIRST_LIGHT)}"
                )
        return asked or tuple(FIRST_LIGHT)


@lru_cache
def selection(instrument: str) -> Selection:
    """What is asked of an instrument: the frame types that its rule keeps."""
    rules = getattr(rule_for(instrument), "RULES", None)
    return Selection(instrument, tuple(sorted(rules.keep)) if rules else ())


def wanted(row: RawRow) -> bool:
    """Whether a row can be an exposure on the sky. Its header has the last word."""
    told = row.values
    instrument, technique = str(told["instrument"] or ""), str(told["dp_tech"] or "INTERFEROMETRY")
    return not on_sky(instrument, str(told["dp_cat"] or ""), str(told["dp_type"] or ""), technique)


@dataclass(slots=True)
class _Compared:
    """How a list of the archive compares with what is known."""

    listed: int
    known: int
    gone: set[str]

    def __iadd__(self, other: _Compared) -> _Compared:
        self.listed += other.listed
        self.known += other.known
        self.gone |= other.gone
        return self

    def believed(self, instrument: str, what: str, job: Job) -> bool:
        """Whether so much can have vanished: not most of many files, and not all there are."""
        if not self.gone or (self.listed and (len(self.gone) < DOUBTFUL or 2 * len(self.gone) <= self.known)):
            return True
        job.count("doubtful", len(self.gone))
        job.say(
            f"{instrument} {what}: the archive lists {self.known - len(self.gone)} of {self.known}"
            " known files; that is not believed and nothing was marked"
        )
        return False


@dataclass
class _Steps:
    """The steps of one run."""

    source: EsoSource
    archive: EsoArchive
    job: Job
    since: datetime | None

    def follow(self, instrument: str) -> None:
        """Keep the rows changed since the cursor. The first time, only set it: the past is then filled."""
        now = timezone.now()
        cursor = SyncCursor.objects.filter(source=ESO, instrument=instrument).first()
        if cursor is None or cursor.position is None:
            if not self.job.options.dry_run:
                _move(instrument, position=now, backfilled_to=now + timedelta(days=1), read_at=now)
            return
        for page in self.archive.modified(selection(instrument), cursor.position - OVERLAP):
            position = min(page.complete_to, now) if page.complete_to else None
            self._store(page, partial(_move, instrument, position=position))
        if not self.job.options.dry_run:
            _move(instrument, read_at=now)

    def read(self, instruments: Sequence[str]) -> None:
        """Read the headers of the rows that wait."""
        if not self.job.options.dry_run:
            headers.take_in(ESO, self.archive, self.job, instruments, self.source.manners.parallel)

    def fill(self, instruments: Sequence[str]) -> None:
        """Go back into the past by windows of exposure start, newest first over all instruments."""
        now = timezone.now()
        kept = SyncCursor.objects.filter(source=ESO, instrument__in=instruments)
        reached = {cursor.instrument: cursor.backfilled_to for cursor in kept}
        ends = {name: reached.get(name) or now + timedelta(days=1) for name in instruments}
        spans = dict.fromkeys(instruments, WINDOW)
        while True:
            open_ends = [name for name, end in ends.items() if end > self._beginning(name)]
            instrument = max(open_ends, key=ends.__getitem__, default="")
            if not instrument or self.job.limit_left(self._limited) == 0:
                return
            end = ends[instrument]
            start = max(end - spans[instrument], self._beginning(instrument))
            listed = 0
            pages = self.archive.begun(selection(instrument), start, end)
            if start == self._beginning(instrument):  # before the window, which moves the cursor
                pages = chain(self.archive.undated(selection(instrument)), pages)
            for page, last in _with_last(pages):
                listed += len(page.rows)
                reaches = partial(_move, instrument, backfilled_to=start) if last else None
                self._store(page, reaches)
            ends[instrument] = start
            spans[instrument] = self._next_span(spans[instrument], listed)
            if listed:
                self.read([instrument])

    def check(self, instruments: Sequence[str]) -> None:
        """List the whole filled past again: take in what was missed, mark what has vanished."""
        for instrument in instruments:
            cursor = SyncCursor.objects.filter(source=ESO, instrument=instrument).first()
            if cursor is None or cursor.backfilled_to is None:
                continue
            asked = selection(instrument)
            end, span = timezone.now() + timedelta(days=1), WINDOW
            found = self._compare(
                instrument, self.archive.undated(asked), Q(exp_start=None), "without a date"
            )
            while end > cursor.backfilled_to:
                start = max(end - span, cursor.backfilled_to)
                pages = self.archive.begun(asked, start - EDGE, end + EDGE)
                within = Q(exp_start__gte=start, exp_start__lt=end)
                window = self._compare(instrument, pages, within, f"{start:%Y-%m-%d} to {end:%Y-%m-%d}")
                found += window
                span = self._next_span(span, window.listed)
                end = start
            if found.believed(instrument, "in all", self.job):
                gone = len(found.gone) if self.job.options.dry_run else listing.vanish(ESO, found.gone)
                self.job.count("vanished", gone)
            self.read([instrument])
        if not self.job.options.instruments:  # or the others would not be compared for a week
            self.job.count("checked", len(instruments))

    def _compare(self, instrument: str, pages: Iterator[Page], where: Q, what: str) -> _Compared:
        """Take a part of the list in, and find what is known of it and not listed any more."""
        listed: set[str] = set()
        for page in pages:
            listed.update(row.dp_id for row in page.rows)
            self._store(page)
        known = ArchiveRow.objects.filter(where, source=ESO, instrument=instrument)
        names = set(known.exclude(state=ArchiveRow.State.VANISHED).values_list("dp_id", flat=True))
        found = _Compared(len(listed), len(names), names - listed)
        if len(found.gone) >= DOUBTFUL and not found.believed(instrument, what, self.job):
            found.gone.clear()
        return found

    def _store(self, page: Page, then: Callable[[], None] | None = None) -> None:
        """Keep a page of rows and count what it brought."""
        for problem in page.bad:
            self.job.say(problem)
        self.job.count("bad_rows", len(page.bad))
        self.job.count("listed", len(page.rows))
        brought = listing.store(ESO, page.rows, wanted, dry_run=self.job.options.dry_run, then=then)
        for name in ("new", "changed", "returned", "off_sky"):
            self.job.count(name, getattr(brought, name))
        self.job.checkpoint()

    @property
    def _limited(self) -> str:
        return "new" if self.job.options.dry_run else "headers"

    def _beginning(self, instrument: str) -> datetime:
        first = FIRST_LIGHT[instrument]
        return max(first, self.since) if self.since else first

    def _next_span(self, span: timedelta, listed: int) -> timedelta:
        """Longer windows where there is little, shorter ones where a page overflows."""
        if listed >= self.source.page_rows:
            return max(span / 2, SHORTEST_WINDOW)
        return min(span * 2, LONGEST_WINDOW) if listed * 4 < self.source.page_rows else span


def _with_last(pages: Iterator[Page]) -> Iterator[tuple[Page, bool]]:
    """Each page, and whether it is the last."""
    ahead = next(pages, None)
    while ahead is not None:
        page, ahead = ahead, next(pages, None)
        yield page, ahead is None


def _move(
    instrument: str,
    *,
    position: datetime | None = None,
    backfilled_to: datetime | None = None,
    read_at: datetime | None = None,
) -> None:
    """Move a cursor: its position only forwards, the filled past only backwards."""
    cursor, _ = SyncCursor.objects.get_or_create(
        source=ESO, instrument=instrument, defaults={"updated_at": datetime.fromtimestamp(0, UTC)}
    )
    if position and (cursor.position is None or position > cursor.position):
        cursor.position = position
    if backfilled_to and (cursor.backfilled_to is None or backfilled_to < cursor.backfilled_to):
        cursor.backfilled_to = backfilled_to
    if read_at:
        cursor.updated_at = read_at
    cursor.save()
