"""Another portal's ``search.votable``: its rows changed within a window of time.

Requests are those OiDB makes: ``date_updated_from`` and ``date_updated_to`` with zone and without
fractions of a second. Nothing else is told to the other portal.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from obsportal.connectors.http import Http, RemoteError, shown
from obsportal.formats.portal_votable import Limits, PortalAnswer, PortalAnswerError, Problem, Row

PIECE = 65_536
SEARCH = "search.votable"


class AddressError(ValueError):
    """An address that cannot be a portal's; the message says what is allowed."""


def portal_address(text: str) -> str:
    """The address of a portal without trailing slash, as cursors and runs name it. Raises AddressError.

    That of its search page or of ``search.votable`` is understood too.
    """
    text = text.strip()
    try:
        parts = urlsplit(text)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.scheme not in {"http", "https"} or len(text) > 180 or not text.isascii():
        raise AddressError(
            f"{text[:80]!r} is no address of a portal: http://HOST/ or https://HOST/PATH is needed"
        )
    if parts.username or parts.password or parts.fragment:
        raise AddressError(f"{shown(text)}: a portal's address has no user, password or fragment")
    path = parts.path.rstrip("/").removesuffix(f"/{SEARCH}").removesuffix("/search").rstrip("/")
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


@dataclass(frozen=True, slots=True)
class Window:
    """Rows changed from ``start`` to ``end``, both included, aware; without ``end``: until now."""

    start: datetime
    end: datetime | None = None

    def __str__(self) -> str:
        return f"{_said(self.start)} to {_said(self.end) if self.end else 'now'}"


def _said(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"


def question(address: str, window: Window, instrument: str = "") -> str:
    """The URL of a window. Fractions of a second are cut from its start and rounded up at its end."""
    asked = [f"date_updated_from={_said(window.start)}%2B00:00"]
    if window.end is not None:
        whole = window.end.replace(microsecond=0)
        end = whole if whole == window.end else whole + timedelta(seconds=1)
        asked.append(f"date_updated_to={_said(end)}%2B00:00")
    if instrument:
        asked.insert(0, f"instrument={quote(instrument, safe='')}")
    return f"{address}/{SEARCH}?{'&'.join(asked)}"


class Spool(io.BufferedRandom):
    """A nameless file on disk that refuses to grow beyond ``limit`` bytes."""

    def __init__(self, limit: int, folder: Path | None = None) -> None:
        super().__init__(tempfile.TemporaryFile(buffering=0, dir=folder))  # noqa: SIM115 - it closes it
        self.limit = limit

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Raises PortalAnswerError when the file would become too large."""
        if self.tell() + len(data) > self.limit:
            sentence = f"the answer has more than {self.limit / 1e6:g} MB"
            raise PortalAnswerError(Problem.TOO_LARGE, sentence)
        return super().write(data)

    def pieces(self) -> Iterator[bytes]:
        """The content, from the beginning."""
        self.seek(0)
        while piece := self.read(PIECE):
            yield piece


@dataclass(frozen=True, slots=True)
class Portal:
    """Another portal. ``folder`` is where answers wait while they are read."""

    address: str
    http: Http
    limits: Limits = field(default_factory=Limits)
    folder: Path | None = None

    @contextmanager
    def changed(self, window: Window, instrument: str = "") -> Iterator[tuple[PortalAnswer, Iterator[Row]]]:
        """The rows changed within a window, beside the answer they come from.

        An answer is received whole before its first row is handed out, so that slow writing here does
        not hold the other portal up. When it broke off, the rows that came are handed out first. Then,
        or at once, iterating raises PortalAnswerError, or RemoteError when nothing came.
        """
        with Spool(self.limits.size, self.folder) as spool:
            answer = PortalAnswer(self.limits)
            yield answer, self._rows(answer, spool, question(self.address, window, instrument))

    def _rows(self, answer: PortalAnswer, spool: Spool, url: str) -> Iterator[Row]:
        failure: PortalAnswerError | None = None
        try:
            self.http.get(url, limit=sys.maxsize, into=spool, headers={"Accept-Encoding": "gzip"})
        except RemoteError as error:
            if not error.transient or error.status is not None or not spool.tell():
                raise
            failure = PortalAnswerError(Problem.CUT, str(error))
        except PortalAnswerError as error:
            failure = error
        try:
            yield from answer.rows(spool.pieces())
        except PortalAnswerError as error:
            # A document that was not received whole ends in the middle: the cause says more.
            raise (failure if failure and error.problem is Problem.CUT else error) from None
        if failure:
            raise failure
