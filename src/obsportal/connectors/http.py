"""Asking other machines politely: few at once, with a name, patient when they are busy, never for ever."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import IO, Self
from urllib.parse import urlsplit, urlunsplit

import httpx

from obsportal import __version__

TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses of a server that may answer later."""
MEGABYTE = 1_000_000


class RemoteError(Exception):
    """Another machine did not give what was asked. The message is a sentence for people.

    ``status`` is the HTTP status where there was one, ``transient`` whether asking later may help.
    """

    def __init__(self, sentence: str, *, status: int | None = None, transient: bool = False) -> None:
        super().__init__(sentence)
        self.status = status
        self.transient = transient


class Interrupted(Exception):  # noqa: N818
    """The caller asked to stop while a reply was awaited."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How others are asked. Times in seconds."""

    contact: str = ""
    """Address of a person, said in the User-Agent."""
    parallel: int = 4
    """Requests at once."""
    pause: float = 0.0
    """Least time between the beginnings of two requests."""
    timeout: float = 60.0
    """Longest silence within a reply."""
    longest_reply: float = 900.0
    """Longest time a whole reply may take."""
    tries: int = 5
    first_wait: float = 1.0
    """Before the second try; doubled each time, and made uneven so that clients do not come together."""
    longest_wait: float = 120.0
    """A server that asks for more patience than this is left alone for now."""

    @property
    def user_agent(self) -> str:
        """Who asks."""
        said = self.contact.strip()
        return f"obsportal/{__version__}" + (f" (+{said})" if said else "")


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered: the body is empty when it was written to a file."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def shown(url: str) -> str:
    """An address without user, password and query, to be shown to people."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    place = f"{host}:{parts.port}" if parts.port else host
    return urlunsplit((parts.scheme, place, parts.path, "", ""))


class Http:
    """A client that many threads may use. It retries, waits as it is told, and keeps its limits.

    ``stop`` ends waits: Interrupted is then raised. ``wait`` and ``clock`` are for tests without time.
    """

    def __init__(
        self,
        manners: Manners | None = None,
        *,
        stop: threading.Event | None = None,
        wait: Callable[[float], bool] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.manners = manners or Manners()
        self._stop = stop or threading.Event()
        self._wait = wait or self._stop.wait
        self._clock = clock
        self._turn = threading.Lock()
        self._not_before = 0.0
        parallel = self.manners.parallel
        self._client = httpx.Client(
            headers={"User-Agent": self.manners.user_agent},
            timeout=httpx.Timeout(self.manners.timeout, pool=None),
            limits=httpx.Limits(max_connections=parallel, max_keepalive_connections=parallel),
            follow_redirects=True,
            max_redirects=5,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def get(
        self,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        limit: int = 20 * MEGABYTE,
        into: IO[bytes] | None = None,
    ) -> Reply:
        """GET; ``url`` is sent as it is written, ``params`` are encoded and added to it.

        Raises RemoteError for any status of 400 or above, and for a body of more than ``limit`` bytes.
        """
        return self._ask("GET", url, limit=limit, into=into, params=params, headers=headers)

    def post(
        self,
        url: str,
        data: Mapping[str, str],
        *,
        headers: Mapping[str, str] | None = None,
        limit: int = 20 * MEGABYTE,
        into: IO[bytes] | None = None,
    ) -> Reply:
        """POST a form; otherwise as ``get``. Only for questions: it is repeated when it fails."""
        return self._ask("POST", url, limit=limit, into=into, data=data, headers=headers)

    def _ask(
        self,
        method: str,
        url: str,
        *,
        limit: int,
        into: IO[bytes] | None,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        try:
            request = self._client.build_request(method, url, params=params, data=data, headers=headers)
        except (httpx.InvalidURL, UnicodeError) as error:
            raise RemoteError(f"{url[:200]!r} is no address: {error}") from None
        for attempt in range(1, self.manners.tries + 1):
            self._await_turn()
            try:
                return self._once(request, limit, into)
            except _BusyError as busy:
                self._heed(busy)
                if attempt == self.manners.tries:
                    times = f" ({attempt} times)" if attempt > 1 else ""
                    raise RemoteError(f"{busy}{times}", status=busy.status, transient=True) from None
                self._rest(attempt, busy)
        raise AssertionError("tries is at least 1")

    def _await_turn(self) -> None:
        """Wait until the next request may begin."""
        while True:
            if self._stop.is_set():
                raise Interrupted
            with self._turn:
                now = self._clock()
                left = self._not_before - now
                if left <= 0:
                    self._not_before = now + self.manners.pause
                    return
                if left > max(self.manners.longest_wait, self.manners.pause):
                    raise RemoteError(f"it is left alone for {left:.0f} s, as it asked", transient=True)
            self._wait(left)

    def _heed(self, busy: _BusyError) -> None:
        """Let no request begin before the server wants one."""
        if busy.retry_after is not None:
            with self._turn:
                self._not_before = max(self._not_before, self._clock() + busy.retry_after)

    def _rest(self, attempt: int, busy: _BusyError) -> None:
        """Be patient, as long as the server asked or longer each time."""
        manners = self.manners
        if busy.retry_after is not None:
            if busy.retry_after > manners.longest_wait:
                sentence = f"{busy}, and asks to wait {busy.retry_after:.0f} s"
                raise RemoteError(sentence, status=busy.status, transient=True)
            return
        longest = min(manners.longest_wait, manners.first_wait * 2 ** (attempt - 1))
        self._wait(longest * random.uniform(0.5, 1.0))  # noqa: S311 - no secret

    def _once(self, request: httpx.Request, limit: int, into: IO[bytes] | None) -> Reply:
        where = shown(str(request.url))
        ends = self._clock() + self.manners.longest_reply
        parts: list[bytes] = []
        size = 0
        if into is not None:
            into.seek(0)
            into.truncate()
        try:
            response = self._client.send(request, stream=True)
            try:
                status = response.status_code
                if status in TRY_AGAIN:
                    after = _retry_after(response.headers.get("Retry-After", ""))
                    raise _BusyError(f"{where} answered {status}", status, after)
                if status >= 400:
                    raise RemoteError(f"{where} answered {status}", status=status)
                for piece in response.iter_bytes():
                    size += len(piece)
                    if size > limit:
                        raise RemoteError(f"{where} answered more than {limit / MEGABYTE:g} MB")
                    if self._clock() > ends:
                        raise _BusyError(f"{where} took more than {self.manners.longest_reply:g} s")
                    if self._stop.is_set():
                        raise Interrupted
                    if into is None:
                        parts.append(piece)
                    else:
                        into.write(piece)
                return Reply(status, response.headers, b"".join(parts))
            finally:
                response.close()
        except httpx.TimeoutException:
            raise _BusyError(f"{where} was silent for {self.manners.timeout:g} s") from None
        except httpx.ConnectError as error:
            raise _BusyError(f"{where} cannot be reached ({_cause(error)})") from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise _BusyError(f"{where} broke off its answer ({_cause(error)})") from None
        except httpx.TooManyRedirects:
            raise RemoteError(f"{where} redirects without end") from None


class _BusyError(Exception):
    """A try that failed and may be repeated."""

    def __init__(self, sentence: str, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.retry_after = retry_after


def _cause(error: Exception) -> str:
    return type(error).__name__


def _retry_after(value: str) -> float | None:
    """Seconds of a Retry-After header, which holds seconds or a date; None without a usable one."""
    value = value.strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
