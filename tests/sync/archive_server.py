"""A stand-in for the ESO archive on this machine: real TAP answers and header pages, and bad manners on demand.

Rows are those of ``dbo.raw``; their times are kept to the microsecond and printed to the millisecond
below, as the archive does. A query of a shape it does not know is an error, as it would be there.
Run as a program it serves so many demonstration rows: ``archive_server.py ROWS``.
"""

from __future__ import annotations

import html
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

TIMES = ("exp_start", "last_mod_date", "release_date")
NUMBERS = {"ob_id": "int", "mjd_obs": "double", "exposure": "float"}
INSTRUMENTS = ("GRAVITY", "MATISSE", "PIONIER", "AMBER", "MIDI")
Row = dict[str, Any]


@dataclass
class Archive:
    """What is archived, and how the server is to misbehave."""

    rows: dict[str, Row] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    """DP.ID -> status answered in place of its header."""
    pages: dict[str, bytes] = field(default_factory=dict)
    """DP.ID -> page answered in place of its header."""
    most_rows: int = 1_000_000
    faults: list[str] = field(default_factory=list)
    """What goes wrong with the next requests, one each: 503, 429, cut, html, error; "" is none."""
    retry_after: str = ""
    watch: Callable[[int, str], None] | None = None
    """Called with number and path of each request before it is answered."""
    asked: list[str] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    most_at_once: int = 0

    def add(self, text: str, row: Row) -> None:
        """Archive a file."""
        row = {**row}
        for name in TIMES:
            row[name] = moment(row[name]) if row.get(name) else None
        self.rows[row["dp_id"]] = row
        self.headers[row["dp_id"]] = text

    def touch(self, dp_id: str, when: datetime, **values: Any) -> None:
        """Change a row at a moment."""
        self.rows[dp_id] |= {**values, "last_mod_date": when}

    def remove(self, dp_id: str) -> None:
        """Withdraw a file."""
        del self.rows[dp_id]

    def headers_asked(self) -> list[str]:
        """DP.IDs whose headers were asked for."""
        return [what.removeprefix("header ") for what in self.asked if what.startswith("header ")]

    def queries(self) -> list[str]:
        """The queries that were asked."""
        return [what.removeprefix("query ") for what in self.asked if what.startswith("query ")]


def moment(text: str | datetime) -> datetime:
    when = text if isinstance(text, datetime) else datetime.fromisoformat(text)
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def demo_archive(number: int, *, start: date, end: date, seed: int = 5) -> Archive:
    """About so many frames of demonstration nights."""
    from obsportal.demo.generate import generate

    archive = Archive()
    for header in generate(number, seed, start=start, end=end):
        if header.archive_row["instrument"] in INSTRUMENTS:
            archive.add(header.text, dict(header.archive_row))
    return archive


class QueryError(Exception):
    """A query that the service does not understand."""


_QUERY = re.compile(r"SELECT (?P<columns>.+) FROM dbo\.raw WHERE (?P<where>.+) ORDER BY (?P<order>.+)")
_CONDITIONS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(\w+) = '((?:[^']|'')*)'"), "="),
    (re.compile(r"(\w+) >= '([^']*)'"), ">="),
    (re.compile(r"(\w+) > '([^']*)'"), ">"),
    (re.compile(r"(\w+) < '([^']*)'"), "<"),
    (re.compile(r"(\w+) IN \((.*)\)"), "IN"),
    (re.compile(r"\((\w+ LIKE '.*')\)"), "LIKE"),
    (re.compile(r"(\w+) IS NULL()"), "NULL"),
)


def select(archive: Archive, query: str) -> tuple[list[str], list[Row]]:
    """Columns and rows of a query."""
    found = _QUERY.fullmatch(query)
    if not found:
        raise QueryError(f"cannot parse: {query[:200]}")
    columns = found["columns"].split(", ")
    sample = next(iter(archive.rows.values()), {})
    for column in columns:
        if sample and column not in sample:
            raise QueryError(f"no column {column}")
    tests = [_condition(text) for text in found["where"].split(" AND ")]
    rows = [row for row in archive.rows.values() if all(test(row) for test in tests)]
    order = found["order"].split(", ")
    rows.sort(key=lambda row: tuple(row[name] for name in order))
    return columns, rows


def _condition(text: str) -> Callable[[Row], bool]:
    found = ((pattern.fullmatch(text), kind) for pattern, kind in _CONDITIONS)
    match, kind = next((pair for pair in found if pair[0]), (None, ""))
    if match is None:
        raise QueryError(f"unknown condition: {text}")
    if kind == "LIKE":
        patterns = [_like(part) for part in match[1].split(" OR ")]
        return lambda row: any(p.fullmatch(str(row[name])) for name, p in patterns)
    name, value = match[1], match[2].replace("''", "'")
    if kind == "NULL":
        return lambda row: row[name] is None
    if kind == "IN":
        allowed = {part.strip(" '") for part in value.split(",")}
        return lambda row: row[name] in allowed
    limit: Any = moment(value) if name in TIMES else value
    compare: dict[str, Callable[[Any], bool]] = {
        "=": lambda v: v == limit,
        ">=": lambda v: v >= limit,
        ">": lambda v: v > limit,
        "<": lambda v: v < limit,
    }
    return lambda row: row[name] is not None and compare[kind](row[name])


def _like(text: str) -> tuple[str, re.Pattern[str]]:
    match = re.fullmatch(r"(\w+) LIKE '(.*)'", text)
    if not match:
        raise QueryError(f"unknown condition: {text}")
    parts = [{"%": ".*", "_": "."}.get(c, re.escape(c)) for c in match[2]]
    return match[1], re.compile("".join(parts))


def votable(columns: list[str], rows: Iterable[Row], overflow: bool) -> Iterator[bytes]:
    """The answer of the service."""
    fields = "".join(_field(name) for name in columns)
    yield (
        '<?xml version="1.0" encoding="UTF-8"?>\n<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">'
        f'<RESOURCE type="results"><INFO name="QUERY_STATUS" value="OK"/><TABLE>{fields}<DATA><TABLEDATA>\n'
    ).encode()
    for row in rows:
        cells = "".join(f"<TD>{_cell(row[name])}</TD>" for name in columns)
        yield f"<TR>{cells}</TR>\n".encode()
    over = '<INFO name="QUERY_STATUS" value="OVERFLOW"/>' if overflow else ""
    yield f"</TABLEDATA></DATA></TABLE>{over}</RESOURCE></VOTABLE>\n".encode()


def _field(name: str) -> str:
    if name in NUMBERS:
        return f'<FIELD name="{name}" datatype="{NUMBERS[name]}"/>'
    return f'<FIELD name="{name}" datatype="char" arraysize="*"/>'


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03d}Z"
    return html.escape(str(value), quote=False)


def failure(sentence: str) -> bytes:
    """The service's own answer to a query it cannot do."""
    return (
        '<?xml version="1.0"?><VOTABLE version="1.4"><RESOURCE type="results">'
        f'<INFO name="QUERY_STATUS" value="ERROR">{html.escape(sentence)}</INFO></RESOURCE></VOTABLE>'
    ).encode()


def page_of(text: str) -> bytes:
    """A header as the archive shows it: trailing blanks cut, entities, no END card."""
    lines = [line.rstrip() for line in text.splitlines() if line.rstrip() != "END"]
    body = html.escape("\n".join(lines)).replace("&#x27;", "&#39;")
    return f"<html><head><title>Header</title></head><body><pre>\n{body}\n</pre></body></html>".encode(
        "latin-1"
    )


ERROR_PAGE = b"<html><body><h1>Service temporarily unavailable</h1></body></html>"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, archive: Archive) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.archive = archive
        self.lock = threading.Lock()
        self.number = 0
        self.at_once = 0
        self.ready: dict[str, bytes] = {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def do_GET(self) -> None:
        dp_id = self.path.partition("?DpId=")[2]
        self._answer(f"header {dp_id}", lambda: self._header(dp_id))

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self._answer(f"query {form.get('QUERY', [''])[0]}", lambda: self._query(form))

    def _answer(self, what: str, body: Callable[[], tuple[int, str, bytes]]) -> None:
        server, archive = self.server, self.server.archive
        with server.lock:
            server.number += 1
            number = server.number
            server.at_once += 1
            archive.most_at_once = max(archive.most_at_once, server.at_once)
            archive.asked.append(what)
            archive.agents.add(self.headers.get("User-Agent", ""))
            fault = archive.faults.pop(0) if archive.faults else ""
        try:
            if archive.watch:
                archive.watch(number, what)
            status, media, content = body() if fault in ("", "cut") else self._fault(fault)
            self.send_response(status)
            if fault in ("429", "503") and archive.retry_after:
                self.send_header("Retry-After", archive.retry_after)
            self.send_header("Content-Type", media)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if fault == "cut":
                self.wfile.write(content[: len(content) // 2])
                self.close_connection = True
                return
            self.wfile.write(content)
        except OSError:
            self.close_connection = True
        finally:
            with server.lock:
                server.at_once -= 1

    def _fault(self, fault: str) -> tuple[int, str, bytes]:
        if fault == "html":
            return 200, "text/html", ERROR_PAGE
        if fault == "error":
            return 200, "application/x-votable+xml", failure("the database is being restored")
        return int(fault), "text/html", ERROR_PAGE

    def _header(self, dp_id: str) -> tuple[int, str, bytes]:
        archive = self.server.archive
        if dp_id in archive.statuses:
            return archive.statuses[dp_id], "text/html", ERROR_PAGE
        if dp_id in archive.pages:
            return 200, "text/html", archive.pages[dp_id]
        text = archive.headers.get(dp_id)  # an encoded identifier is not found, as there
        return (200, "text/html", page_of(text)) if text else (404, "text/html", ERROR_PAGE)

    def _query(self, form: dict[str, list[str]]) -> tuple[int, str, bytes]:
        media = "application/x-votable+xml"
        archive = self.server.archive
        expected = {"REQUEST": "doQuery", "LANG": "ADQL"}
        if self.path != "/tap_obs/sync" or any(form.get(k) != [v] for k, v in expected.items()):
            return 400, media, failure("REQUEST=doQuery and LANG=ADQL are needed")
        try:
            columns, rows = select(archive, form["QUERY"][0])
        except QueryError as error:
            return 400, media, failure(str(error))
        most = min(archive.most_rows, int(form.get("MAXREC", ["1000000"])[0]))
        return 200, media, b"".join(votable(columns, rows[:most], len(rows) > most))

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def served(archive: Archive) -> Iterator[str]:
    """The archive answering; the address without a path."""
    server = _Server(archive)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def main() -> None:
    """Serve demonstration rows for the benchmark; print the address, then end with standard input."""
    archive = demo_archive(int(sys.argv[1]), start=date(2019, 1, 1), end=date(2020, 12, 31))
    padding = "\n".join(f"{f'HIERARCH ESO DET PAD{i} VAL = {i * 0.5}':80}" for i in range(800))
    archive.pages = {
        dp_id: page_of(text.replace("\nEND", f"\n{padding}\nEND")) for dp_id, text in archive.headers.items()
    }
    with served(archive) as address:
        print(address, len(archive.rows), flush=True)
        for line in sys.stdin:  # each line is a moment: every row is modified then
            began = moment(line.strip())
            for number, row in enumerate(archive.rows.values()):
                row["last_mod_date"] = datetime.fromtimestamp(began.timestamp() + number * 0.001, UTC)
                row["prog_title"] += " (revised)"
            print("modified", len(archive.rows), flush=True)


if __name__ == "__main__":
    main()
