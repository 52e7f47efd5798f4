"""The ESO science archive: its table of raw frames (TAP) and the headers of its files.

Table ``dbo.raw`` at https://archive.eso.org/tap_obs; headers at https://archive.eso.org/hdr. Both are
anonymous. ``last_mod_date`` follows every change of a row.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import isfinite

from obsportal.connectors.http import MEGABYTE, Http, RemoteError, shown
from obsportal.formats.fits_header import HeaderError
from obsportal.formats.header_text import headers_of_text
from obsportal.formats.votable_reader import Value, VOTableError, VOTableReader

TAP_URL = "https://archive.eso.org/tap_obs"
HEADER_URL = "https://archive.eso.org/hdr"
COLUMNS = (
    *("dp_id", "instrument", "dp_cat", "dp_type", "dp_tech", "exp_start", "last_mod_date"),
    *("release_date", "prog_id", "prog_title", "pi_coi", "ob_id"),
)
"""The columns of ``dbo.raw`` that the portal uses; all else is in the header."""
FIRST_LIGHT = {
    "MIDI": datetime(2002, 12, 1, tzinfo=UTC),
    "AMBER": datetime(2004, 3, 1, tzinfo=UTC),
    "PIONIER": datetime(2010, 10, 1, tzinfo=UTC),
    "GRAVITY": datetime(2015, 7, 1, tzinfo=UTC),
    "MATISSE": datetime(2018, 2, 1, tzinfo=UTC),
}
"""Interferometric instruments, by the archive's names, and a date before their first frame."""
PAGE_ROWS = 5000
MARGIN = timedelta(milliseconds=10)
"""More than the archive rounds its times by when it prints them."""
MAX_HEADER_PAGE = 16 * MEGABYTE
MAX_PAGE = 200 * MEGABYTE

_DP_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{2,118}")
_NAMED = re.compile(r"^(?:ARCFILE|DP\.ID|HIERARCH ESO DP ID) *= *'([^']*)'", re.MULTILINE)
_STARTED = re.compile(r"^MJD-OBS *= *([0-9.]+)", re.MULTILINE)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?$")
_END = re.compile(r"^END *$", re.MULTILINE)
_MJD_ZERO = datetime(1858, 11, 17, tzinfo=UTC)
OTHER_FILE = timedelta(hours=1)
"""A header that names no file is of another one when it began so long from the time in the identifier."""


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row of the archive's table; ``values`` has every column as text or number, fit for JSON."""

    dp_id: str
    modified_at: datetime
    exp_start: datetime | None
    values: dict[str, Value]


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows. ``complete_to``: every row modified before this has been given with this page."""

    rows: list[RawRow]
    complete_to: datetime | None = None
    bad: list[str] = field(default_factory=list)
    """What was wrong with rows that cannot be used."""
    last: str = ""
    """The identifier of the last row, usable or not."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which frames are asked for: an instrument and the frame types (DPR TYPE) of it."""

    instrument: str
    kinds: tuple[str, ...] = ()

    def conditions(self) -> list[str]:
        """As ADQL. Types match with any blanks after their commas."""
        found = [f"instrument = {_literal(self.instrument)}", "dp_cat IN ('SCIENCE', 'CALIB')"]
        if self.kinds:
            types = " OR ".join(f"dp_type LIKE {_literal(kind.replace(',', ',%'))}" for kind in self.kinds)
            found.append(f"({types})")
        return found


class EsoArchive:
    """Questions to the archive. Every method raises RemoteError with a sentence for people."""

    def __init__(
        self, http: Http, tap_url: str = TAP_URL, header_url: str = HEADER_URL, page_rows: int = PAGE_ROWS
    ) -> None:
        self._http = http
        self._tap_url = tap_url.rstrip("/") + "/sync"
        self._header_url = header_url
        self._page_rows = page_rows

    def modified(self, selection: Selection, since: datetime) -> Iterator[Page]:
        """Rows modified since a moment, oldest change first; a row may come twice, none is left out.

        A page that overflows is continued from a little before its last moment. More rows of one
        moment than a page holds are read in the order of their identifiers.
        """
        start = since
        while True:
            page, overflow = self._page(
                [*selection.conditions(), f"last_mod_date >= {_moment(start)}"], "last_mod_date, dp_id"
            )
            if not overflow:
                latest = max((row.modified_at for row in page.rows), default=None)
                yield Page(page.rows, latest, page.bad)
                return
            moments = [row.modified_at for row in page.rows]
            if not moments or any(b < a - MARGIN for a, b in pairwise(moments)):
                raise RemoteError(f"{shown(self._tap_url)} gave a part of its rows, and not in order")
            resume = moments[-1] - 2 * MARGIN
            if resume > start:
                complete = moments[-1] - MARGIN
                kept = [row for row in page.rows if row.modified_at < complete]
                yield Page(kept, resume, page.bad)
                start = resume
                continue
            end = max(moments[-1], start) + MARGIN
            span = [f"last_mod_date >= {_moment(start)}", f"last_mod_date < {_moment(end)}"]
            yield from self._by_name([*selection.conditions(), *span])
            yield Page([], end)
            start = end

    def begun(self, selection: Selection, start: datetime, end: datetime) -> Iterator[Page]:
        """Rows of exposures begun from ``start`` until before ``end``, in the order of their names."""
        span = [f"exp_start >= {_moment(start)}", f"exp_start < {_moment(end)}"]
        yield from self._by_name([*selection.conditions(), *span])

    def undated(self, selection: Selection) -> Iterator[Page]:
        """Rows without a start of exposure, which no window holds, in the order of their names."""
        yield from self._by_name([*selection.conditions(), "exp_start IS NULL"])

    def header(self, dp_id: str) -> str:
        """The header of a file, one card a line."""
        if not _DP_ID.fullmatch(dp_id):
            raise RemoteError(f"{dp_id[:120]!r} is no identifier of the archive")
        where = shown(self._header_url)
        joined = "&" if "?" in self._header_url else "?"
        # The archive does not decode the identifier: it is written as it is.
        reply = self._http.get(f"{self._header_url}{joined}DpId={dp_id}", limit=MAX_HEADER_PAGE)
        page = reply.body.decode("latin-1")
        try:
            text = headers_of_text(page)
        except HeaderError:
            raise RemoteError(f"{where} answered a page without a header") from None
        if not text.startswith("SIMPLE"):
            raise RemoteError(f"{where} answered something that is no header")
        in_page = "<pre" in page[:20_000].lower()
        if not _END.search(text) or (in_page and "</pre" not in page[-20_000:].lower()):
            raise RemoteError(f"{where} broke off in the header", transient=True)
        other = _other_file(text, dp_id)
        if other:
            raise RemoteError(f"{where} answered the header of {other}")
        return text

    def _by_name(self, conditions: Sequence[str]) -> Iterator[Page]:
        """All rows of a condition, page after page in the order of dp_id."""
        after = ""
        while True:
            more = [f"dp_id > {_literal(after)}"] if after else []
            page, overflow = self._page([*conditions, *more], "dp_id")
            yield page
            if not overflow:
                return
            last = page.last or after
            if last == after:
                raise RemoteError(f"{shown(self._tap_url)} gave the same part of its rows again")
            after = last

    def _page(self, conditions: Sequence[str], order: str) -> tuple[Page, bool]:
        """One answer, and whether there are more rows than it gave."""
        query = f"SELECT {', '.join(COLUMNS)} FROM dbo.raw WHERE {' AND '.join(conditions)} ORDER BY {order}"  # noqa: S608
        form = {
            "REQUEST": "doQuery",
            "LANG": "ADQL",
            "FORMAT": "application/x-votable+xml;serialization=TABLEDATA",
            "MAXREC": str(self._page_rows),
            "QUERY": query,
        }
        rows: list[RawRow] = []
        bad: list[str] = []
        last = ""
        with tempfile.SpooledTemporaryFile(max_size=8 * MEGABYTE) as file:
            self._http.post(self._tap_url, form, limit=MAX_PAGE, into=file)
            file.seek(0)
            reader = VOTableReader(file)
            try:
                for values in reader:
                    last = str(values.get("dp_id") or last)
                    try:
                        rows.append(_raw_row(values))
                    except (KeyError, ValueError) as error:
                        bad.append(f"row {values.get('dp_id')!r}: {error}"[:200])
            except VOTableError as error:
                raise RemoteError(f"{shown(self._tap_url)}: {error}") from None
        missing = set(COLUMNS) - {f.name for f in reader.fields}
        if missing:
            raise RemoteError(f"{shown(self._tap_url)} has no column {min(missing)}")
        return Page(rows, None, bad, last), reader.overflow or len(rows) + len(bad) >= self._page_rows


def _raw_row(values: dict[str, Value]) -> RawRow:
    dp_id = str(values["dp_id"] or "").strip()
    if not _DP_ID.fullmatch(dp_id):
        raise ValueError("dp_id is no identifier")
    start = _instant(values["exp_start"])
    # A row without a time of change is followed by its values alone.
    modified = _instant(values["last_mod_date"]) or start
    if modified is None:
        raise ValueError("last_mod_date and exp_start are missing")
    finite = {name: None if _is_endless(value) else value for name, value in values.items()}
    return RawRow(dp_id, modified, start, {**finite, "dp_id": dp_id})


def _is_endless(value: Value) -> bool:
    """Infinity, which JSON does not know."""
    return isinstance(value, float) and not isfinite(value)


def _other_file(text: str, dp_id: str) -> str:
    """What a header says it is of, when that is not the file of this identifier; "" when it may be."""
    named = _NAMED.search(text)
    if named:
        name = named[1].strip()
        return "" if name.removesuffix(".fits") == dp_id else ascii(name[:80])[1:-1]
    started, told = _STARTED.search(text), _TIME.search(dp_id)
    try:
        if started and told:
            begun = _MJD_ZERO + timedelta(days=float(started[1]))
            if abs(begun - datetime.fromisoformat(told[0]).replace(tzinfo=UTC)) > OTHER_FILE:
                return f"a file begun at {begun:%Y-%m-%dT%H:%M:%S}"
    except (ValueError, OverflowError):
        pass  # what is said of the times of a header is for its validation
    return ""


def _instant(value: Value) -> datetime | None:
    """A moment as the archive writes it: ISO, UTC, with or without its Z."""
    if value is None:
        return None
    when = datetime.fromisoformat(str(value).strip())
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


def _moment(when: datetime) -> str:
    """A moment in ADQL, to the millisecond below."""
    return f"'{when.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03d}'"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
