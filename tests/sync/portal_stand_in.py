"""A small portal of another make on 127.0.0.1: answers search.votable, and misbehaves when told to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

TEXT = 'arraysize="*" datatype="unicodeChar"'
BASELINES = (
    "{'U1-U2': {'length': {'start': '55.9040', 'end': '55.8970'},"
    " 'angle': {'start': '3.3000', 'end': '4.0000'}}}"
)
ROW: Mapping[str, str] = {
    "exp_id": "GRAVI.2020-01-09T03:34:07.546_1",
    "exp_header_id": "GRAVI.2020-01-09T03:34:07.546",
    "exp_mjd_start": "58857.14869845",
    "exp_mjd_end": "58857.1514762278",
    "exp_projected_baselines": BASELINES,
    "exp_validation_level": "1",
    "exp_validation_log": "",
    "exp_tau0": "0.0049675",
    "exp_temperature": "12.3",
    "exp_seeing": "0.71",
    "exp_date_updated": "2021-03-01 12:00:00+00:00",
    "exp_date_release": "2021-01-09 03:34:07+00:00",
    "obs_id": "44050",
    "obs_type": "science",
    "obs_program": "0104.C-0425(A)",
    "obs_program_title": "Young stars",
    "obs_program_pi_coi": "Doe/ Roe",
    "interferometer_name": "VLTI",
    "interferometer_stations": "U1 U2 U3 U4",
    "instrument_name": "GRAVITY",
    "instrument_mode": "HIGH-COMBINED",
    "instrument_submode": "SINGLE",
    "instrument_em_min": "1.97e-06",
    "instrument_em_max": "2.4e-06",
    "instrument_em_res_power": "4134",
    "target_id": "33138",
    "target_name": "HD 58647",
    "target_ra": "111.483684",
    "target_dec": "-14.17878",
}
"""A row as the portal of 2022 publishes it."""

Fault = Callable[["Answer"], None]


def row(number: int = 0, **cells: str) -> dict[str, str]:
    """A sound row; rows of other numbers are other exposures, each six minutes after the one before."""
    name = f"GRAVI.2020-01-09T03:34:{number:06.3f}" if number else ROW["exp_header_id"]
    own = {"exp_id": f"{name}_1", "exp_header_id": name}
    if number:
        start = 58857.2 + number / 240
        own |= {"exp_mjd_start": repr(start), "exp_mjd_end": repr(start + 300 / 86400)}
    return {**ROW, **own, **cells}


def document(
    rows: Sequence[Mapping[str, str]], columns: Sequence[str] = tuple(ROW), head: str = "", tail: str = ""
) -> bytes:
    """A VOTable as astropy writes it, with PARAMs or INFOs before and after the table."""
    fields = "".join(f'<FIELD ID="{name}" {TEXT} name="{name}"/>\n' for name in columns)
    cells = "".join(
        "<TR>\n" + "".join(f"<TD>{escape(one.get(name, ''))}</TD>\n" for name in columns) + "</TR>\n"
        for one in rows
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.4">\n'
        f' <RESOURCE type="results">\n{head}<TABLE>\n{fields}<DATA><TABLEDATA>\n{cells}'
        f"</TABLEDATA></DATA></TABLE>\n{tail}</RESOURCE></VOTABLE>\n"
    ).encode()


BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE VOTABLE [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
    b'<VOTABLE><RESOURCE><PARAM name="status" value="&b;"/></RESOURCE></VOTABLE>'
)
PAGE = b"<!DOCTYPE html><html><head><title>Down for maintenance</title></head><body><br></body></html>"


class Answer:
    """What is about to be sent; a fault changes it."""

    def __init__(self, body: bytes) -> None:
        self.status = 200
        self.body = body
        self.headers: dict[str, str] = {}
        self.cut_at: int | None = None


def status(code: int, body: bytes = b"") -> Fault:
    """Answer with a status."""

    def fault(answer: Answer) -> None:
        answer.status, answer.body = code, body

    return fault


def instead(body: bytes) -> Fault:
    """Answer 200 with something else."""

    def fault(answer: Answer) -> None:
        answer.body = body

    return fault


def cut(share: float, *, honest: bool = False) -> Fault:
    """Break off after a share of the bytes; an honest server announces no more than it sends."""

    def fault(answer: Answer) -> None:
        end = int(len(answer.body) * share)
        if honest:
            answer.body = answer.body[:end]
        else:
            answer.cut_at = end

    return fault


def fine(answer: Answer) -> None:
    """No fault."""


class StandIn:
    """The portal: its rows, its faults in the order of requests, and what was asked of it."""

    def __init__(self) -> None:
        self.rows: list[dict[str, str]] = []
        self.columns: Sequence[str] = tuple(ROW)
        self.faults: list[Fault] = []
        self.queries: list[str] = []
        self.agents: list[str] = []
        self.heeds_windows = True
        self.most: int | None = None
        """Rows it gives at most, saying OVERFLOW when it has more."""
        self.address = ""

    def windows(self) -> list[tuple[datetime, datetime | None]]:
        """The windows that were asked for."""
        found = []
        for query in self.queries:
            asked = parse_qs(query)
            end = asked.get("date_updated_to")
            start = datetime.fromisoformat(asked["date_updated_from"][0])
            found.append((start, datetime.fromisoformat(end[0]) if end else None))
        return found

    def answer(self, query: str) -> Answer:
        """The answer to a query, as the next fault has it."""
        self.queries.append(query)
        asked = parse_qs(query)
        rows = [one for one in self.rows if self._is_asked(one, asked)]
        rows.sort(key=lambda one: float(one.get("exp_mjd_start") or 0))
        tail = ""
        if self.most is not None and len(rows) > self.most:
            rows, tail = rows[: self.most], '<INFO name="QUERY_STATUS" value="OVERFLOW"/>'
        made = Answer(document(rows, self.columns, '<PARAM name="status" value="OK"/>\n', tail))
        if self.faults:
            self.faults.pop(0)(made)
        return made

    def _is_asked(self, one: Mapping[str, str], asked: Mapping[str, list[str]]) -> bool:
        if asked.get("instrument", [one["instrument_name"]]) != [one["instrument_name"]]:
            return False
        if not self.heeds_windows or not one.get("exp_date_updated"):
            return True
        when = datetime.fromisoformat(one["exp_date_updated"])
        start = datetime.fromisoformat(asked["date_updated_from"][0])
        end = datetime.fromisoformat(asked.get("date_updated_to", ["9999-01-01T00:00:00+00:00"])[0])
        return start <= when <= end


@contextmanager
def serving() -> Iterator[StandIn]:
    """A stand-in that answers until the block ends."""
    portal = StandIn()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            portal.agents.append(self.headers.get("User-Agent", ""))
            made = portal.answer(urlsplit(self.path).query)
            self.send_response(made.status)
            self.send_header("Content-Length", str(len(made.body)))
            for name, value in made.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(made.body[: made.cut_at])
            if made.cut_at is not None:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    portal.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield portal
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
