"""Following another portal by its ``search.votable``: a full portal on the first day, and a daily copy.

Windows of the time of change, at most a year each as OiDB asks for them, oldest first; smaller where
an answer is too large, breaks off or does not come. Rows and cursor are written together. What this
portal knows at first hand is never touched: rows with a header of their own, of a log, of another
portal, and rows that are not public here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from obsportal.accounts.access import Visibility
from obsportal.connectors.http import Http, Interrupted, Manners, RemoteError
from obsportal.connectors.portal import AddressError, Portal, Window, portal_address
from obsportal.exposures.bulk import refresh_statistics
from obsportal.exposures.digest import Digest
from obsportal.exposures.models import Exposure, Provenance, RefusedHeader
from obsportal.exposures.record import Refusal
from obsportal.exposures.services import IngestOptions, ingest
from obsportal.exposures.versions import lock
from obsportal.formats.portal_votable import Limits, PortalAnswer, PortalAnswerError, PortalRow, Problem, Row
from obsportal.sync import sources
from obsportal.sync.job import Cancelled, Job, SyncError
from obsportal.sync.models import SyncCursor
from obsportal.sync.portal_record import REFUSALS, RowRefusedError, describe_row

BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
"""No portal has rows that were changed before."""
YEAR = timedelta(days=365)
SECOND = timedelta(seconds=1)
OVERLAP = timedelta(minutes=10)
"""Read again before the cursor: rows whose transaction began before others that are read."""
SETTLED = timedelta(days=1)
"""A window that ended so long ago is complete, whatever the clocks say."""
CHUNK = 500
"""Rows written per transaction."""
MOST_FAILURES = 8
"""Broken answers in a row after which a run gives up; nothing at all counts MOST_SILENCES."""
MOST_SILENCES = 3
MOST_REFUSED = 20_000
"""Refused rows after which a portal is not worth following."""
MANY = 1000
PATIENT = frozenset({429, 503})
"""Statuses of a portal that wants to be left alone for now."""


@dataclass(slots=True)
class _Outcome:
    """How the reading of a window ended: whole, or with a reason to ask for less."""

    newest: datetime | None = None
    count: int = 0
    light: bool = True
    """Whether a window twice as wide may be asked for next."""
    problem: PortalAnswerError | RemoteError | None = None
    limited: bool = False
    """Whether the limit of the run ended it."""


@dataclass(slots=True)
class PortalSource:
    """Another portal as a source.

    ``manners`` are those of the settings unless given; ``folder``, where answers wait while they are
    read, is the cache of the data folder.
    """

    address: str
    manners: Manners | None = None
    beginning: datetime = BEGINNING
    limits: Limits = field(default_factory=Limits)
    folder: Path | None = None
    _first_hand: dict[int | None, bool] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        """Raises SyncError for an address that cannot be a portal's."""
        try:
            self.address = portal_address(self.address)
        except AddressError as error:
            raise SyncError(str(error)) from None

    @property
    def name(self) -> str:
        """The address without a trailing slash."""
        return self.address

    def run(self, job: Job) -> None:
        """Read what was changed since the last run. See ``sync.source.Source``."""
        self._first_hand.clear()
        manners = self.manners or sources.manners()
        # A window that fails is asked for again by halves: repeating the whole helps little.
        manners = replace(manners, tries=min(manners.tries, 3))
        folder = self.folder or settings.OBSPORTAL_DATA / "cache"
        folder.mkdir(parents=True, exist_ok=True)
        with Http(manners, stop=job.stop) as http:
            portal = Portal(self.address, http, self.limits, folder)
            try:
                for instrument in job.options.instruments or ("",):
                    self._follow(job, portal, instrument)
            except Interrupted:
                raise Cancelled from None
            finally:
                if job.counts["added"] >= MANY and not job.options.dry_run:
                    refresh_statistics()

    def _follow(self, job: Job, portal: Portal, instrument: str) -> None:
        now = timezone.now().replace(microsecond=0)
        start = self._start(job, instrument, now)
        span = YEAR
        failures = silences = 0
        while True:
            job.checkpoint()
            last = start + span >= now
            window = Window(start, None if last else start + span)
            outcome = self._read(job, portal, window, instrument, now)
            if outcome.limited:
                return
            if problem := outcome.problem:
                if isinstance(problem, RemoteError):
                    silences += 1
                elif problem.problem is Problem.CUT:
                    failures += 1
                width = (now if last else start + span) - start
                if failures >= MOST_FAILURES or silences >= MOST_SILENCES or width <= SECOND:
                    raise SyncError(f"{self.address}: rows changed from {window}: {problem}")
                job.count("retried")
                span = max(SECOND, (width / 2) - timedelta(microseconds=(width / 2).microseconds))
                continue
            failures = silences = 0
            if last:
                return
            start = start + span
            if outcome.light:
                span = min(YEAR, span * 2)

    def _start(self, job: Job, instrument: str, now: datetime) -> datetime:
        """Where the first window begins: before the cursor, or at the beginning."""
        cursor = SyncCursor.objects.filter(source=self.name, instrument=instrument).first()
        since = job.options.since
        if cursor is None or cursor.position is None:
            start = since or self.beginning
        else:
            start = cursor.position - OVERLAP
            start = min(start, since) if since else start
        return min(start.astimezone(UTC).replace(microsecond=0), now)

    def _read(self, job: Job, portal: Portal, window: Window, instrument: str, now: datetime) -> _Outcome:
        """Read and write one window; the cursor moves with its last rows when it came whole."""
        outcome = _Outcome()
        job.count("windows")
        with portal.changed(window, instrument) as (answer, rows), closing(_Chunks(rows, job)) as chunks:
            pending: list[Row] = []
            try:
                for chunk in chunks:
                    if pending:
                        self._write(job, pending)
                    pending = chunk
                    outcome.newest = _newest(chunk, outcome.newest)
                    self._check_heeded(chunk, window)
            except PortalAnswerError as error:
                if error.problem is Problem.REFUSED:
                    self._write(job, pending)
                    raise SyncError(f"{self.address}: {error}") from None
                outcome.problem = error
            except RemoteError as error:
                if not error.transient or error.status in PATIENT:
                    raise
                outcome.problem = error
            if answer.overflow and outcome.problem is None:
                outcome.problem = PortalAnswerError(
                    Problem.TOO_LARGE, "the portal has more rows than it gives"
                )
            outcome.limited = chunks.limited
            outcome.light = self._is_light(answer)
            whole = outcome.problem is None and not outcome.limited
            self._write(
                job, pending, self._position(window, outcome.newest, now) if whole else None, instrument
            )
        return outcome

    def _is_light(self, answer: PortalAnswer) -> bool:
        return answer.count * 4 < self.limits.rows and answer.size * 4 < self.limits.size

    def _check_heeded(self, chunk: Sequence[Row], window: Window) -> None:
        """Raise SyncError when the portal gives rows of another time: it does not know the parameters."""
        for row in chunk:
            when = row.exp_date_updated if isinstance(row, PortalRow) else None
            if when and (when < window.start - SETTLED or (window.end and when > window.end + SETTLED)):
                raise SyncError(
                    f"{self.address} was asked for rows changed from {window} and gave one changed at"
                    f" {when:%Y-%m-%dT%H:%M:%S}: it does not heed date_updated_from and date_updated_to"
                )

    def _position(self, window: Window, newest: datetime | None, now: datetime) -> datetime | None:
        """Where the cursor stands after a whole window; None where that is not known.

        Not long behind the present, or each run would read the latest changes again, which may be all.
        """
        if window.end is not None and window.end < now - SETTLED:
            return window.end
        if window.end is None:
            return min(max(newest or window.start, now - SETTLED), now)
        return min(newest, now) if newest else None

    def _write(
        self, job: Job, rows: Sequence[Row], position: datetime | None = None, instrument: str = ""
    ) -> None:
        """Write rows, and the cursor when it is to move, in one transaction."""
        digests = [self._digest(row) for row in _told_once(rows)]
        try:
            self._commit(job, digests, position, instrument)
        except IntegrityError:  # somebody took one of the rows in at this moment: it is known now
            self._commit(job, digests, position, instrument)
        if job.counts["refused"] > MOST_REFUSED:
            raise SyncError(f"{self.address}: more than {MOST_REFUSED} rows cannot be understood")

    def _commit(self, job: Job, digests: list[Digest], position: datetime | None, instrument: str) -> None:
        with transaction.atomic():
            lock()
            kept = self._kept([d.records[0].exp_id for d in digests if d.records])
            news = [d for d in digests if not d.records or d.records[0].exp_id not in kept]
            report = ingest(news, IngestOptions(list_refusals=0)) if news else None
            settled = {d.records[0].exp_id for d in news if d.records}
            settled -= {d.refusal.header_id for d in news if d.refusal}
            RefusedHeader.objects.filter(header_id__in=settled, code__in=tuple(REFUSALS)).delete()
            if position is not None and not job.options.dry_run:
                self._move(instrument, position)
            if job.options.dry_run:
                transaction.set_rollback(True)
        job.count("kept", len(digests) - len(news))
        for name in ("added", "updated", "unchanged", "refused"):
            job.count(name, getattr(report, name) if report else 0)

    def _digest(self, row: Row | _Repeated) -> Digest:
        identity = row.exp_id[:120] or f"{self.address}: a row without exp_id"
        if isinstance(row, PortalRow):
            try:
                record = describe_row(row, self.address)
            except RowRefusedError as error:
                code, reason = "portal-row", str(error)
            else:
                made = Digest(record.header_id, self.address)
                made.take([record])
                return made
            instrument, mjd = row.instrument_name[:20], row.exp_mjd_start
            return Digest(identity, self.address, refusal=Refusal(identity, code, reason, instrument, mjd))
        code = "portal-row-repeated" if isinstance(row, _Repeated) else "portal-row"
        return Digest(identity, self.address, refusal=Refusal(identity, code, row.reason))

    def _kept(self, exp_ids: Sequence[str]) -> set[str]:
        """Those exposures that this portal has at first hand, or keeps from the public."""
        known = list(
            Exposure.objects.select_for_update()
            .filter(exp_id__in=exp_ids)
            .values_list("exp_id", "visibility", "header_id", "provenance_id")
        )
        unknown = {provenance for *_, provenance in known} - self._first_hand.keys() - {None}
        if unknown:
            told = Provenance.objects.filter(pk__in=unknown).values_list("pk", "origins")
            for pk, origins in told:
                self._first_hand[pk] = origins.get("portal") != self.address
        return {
            exp_id
            for exp_id, visibility, header, provenance in known
            if visibility != Visibility.PUBLIC or header is not None or self._first_hand.get(provenance, True)
        }

    def _move(self, instrument: str, position: datetime) -> None:
        cursor, _ = SyncCursor.objects.select_for_update().get_or_create(
            source=self.name, instrument=instrument, defaults={"updated_at": timezone.now()}
        )
        if cursor.position is None or position > cursor.position:
            cursor.position = position
        cursor.updated_at = timezone.now()
        cursor.save(update_fields=["position", "updated_at"])


class _Chunks:
    """Rows in lots of about CHUNK. Rows of one start stay together, for they may be of one identifier.

    When the rows break off, what came before is handed out first. ``limited`` is set when the limit of
    the run ended them.
    """

    def __init__(self, rows: Iterator[Row], job: Job) -> None:
        self.limited = False
        self._rows = rows
        self._job = job

    def __iter__(self) -> Iterator[list[Row]]:
        chunk: list[Row] = []
        failure: Exception | None = None
        try:
            for row in self._rows:
                if self._job.limit_left("read") == 0:
                    self.limited = True
                    break
                if len(chunk) >= CHUNK and (_start_of(row) != _start_of(chunk[-1]) or len(chunk) > 4 * CHUNK):
                    self._job.checkpoint()
                    yield chunk
                    chunk = []
                chunk.append(row)
                self._job.count("read")
        except (PortalAnswerError, RemoteError) as error:
            failure = error
        if chunk:
            yield chunk
        if failure:
            raise failure

    def close(self) -> None:
        """Let go of the answer."""
        close = getattr(self._rows, "close", None)
        if close:
            close()


@dataclass(frozen=True, slots=True)
class _Repeated:
    """A further row of an identifier, in another mode."""

    exp_id: str
    reason: str


def _start_of(row: Row) -> float | None:
    return row.exp_mjd_start if isinstance(row, PortalRow) else None


def _told_once(rows: Sequence[Row]) -> list[Row | _Repeated]:
    """One row for each identifier, of several modes the first by name; the others as repetitions."""
    first: dict[str, PortalRow] = {}
    for row in rows:
        if isinstance(row, PortalRow) and row.exp_id:
            known = first.get(row.exp_id)
            if known is None or row.instrument_mode < known.instrument_mode:
                first[row.exp_id] = row
    found: list[Row | _Repeated] = []
    for row in rows:
        kept = first.get(row.exp_id) if isinstance(row, PortalRow) else None
        if kept is None or kept is row:
            found.append(row)
        elif isinstance(row, PortalRow) and row.instrument_mode != kept.instrument_mode:
            reason = (
                f"{row.exp_id} is given in mode {row.instrument_mode!r} too;"
                f" the exposure in mode {kept.instrument_mode!r} is kept"
            )
            found.append(_Repeated(row.exp_id, reason))
    return found


def _newest(rows: Sequence[Row], newest: datetime | None) -> datetime | None:
    """The latest time of change among rows and an earlier one."""
    moments = [row.exp_date_updated for row in rows if isinstance(row, PortalRow)]
    return max([m for m in (*moments, newest) if m is not None], default=None)
