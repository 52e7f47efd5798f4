"""Clients of long answers that stall or go away, against a server with threads."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connections

from obsportal.exposures import answers, bulk, stream
from obsportal.exposures.models import Exposure
from obsportal.exposures.takeaway import gate
from portal import make_exposure

pytestmark = pytest.mark.django_db(transaction=True)
ROWS = 12_000
"""As many as no socket takes into its buffers at once."""
PROMPT = 10.0
"""s within which an abandoned stream must end; it takes a few tenths."""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> tuple[str, int]:
    """A portal with many rows, of which any answer of more than 100 kB counts as long."""
    monkeypatch.setattr(answers, "WHOLE", 100_000)
    monkeypatch.setattr(stream, "BATCH_ROWS", 500)
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)
    live: Any = request.getfixturevalue("live_server")
    model = make_exposure()
    first = {
        f.attname: getattr(model, f.attname) for f in Exposure._meta.concrete_fields if f.attname != "id"
    }
    bulk.insert(Exposure, [first | {"exp_id": f"E{i}_1"} for i in range(ROWS)])
    found = urlsplit(live.url)
    return found.hostname or "", found.port or 0


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> threading.Semaphore:
    """Released each time a place is given back."""
    counted = threading.Semaphore(0)
    leave = gate.Place.leave

    def told(place: gate.Place) -> None:
        held = place._held
        leave(place)
        if held:
            counted.release()

    monkeypatch.setattr(gate.Place, "leave", told)
    return counted


def ask(site: tuple[str, int], path: str) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
    client.settimeout(30)
    client.connect(site)
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    return client


def head(client: socket.socket) -> str:
    got = b""
    while b"\r\n\r\n" not in got:
        part = client.recv(4096)
        assert part
        got += part
    return got.partition(b"\r\n\r\n")[0].decode()


def test_a_client_that_goes_away_stops_its_stream_and_frees_its_place(
    site: tuple[str, int], left: threading.Semaphore
):
    client = ask(site, "/search.json")
    assert " 200 " in head(client).splitlines()[0]
    assert gate.STREAMS.taken == 1
    began = time.perf_counter()
    client.close()
    assert left.acquire(timeout=PROMPT)
    assert time.perf_counter() - began < PROMPT
    assert gate.STREAMS.taken == 0
    assert not [t for t in threading.enumerate() if t.name == "ahead"]


def test_two_stalled_clients_hold_up_no_short_answer_and_a_third_is_told_when_to_come_again(
    site: tuple[str, int], left: threading.Semaphore
):
    stalled = [ask(site, "/search.json") for _ in range(gate.MOST)]
    assert all(" 200 " in head(client).splitlines()[0] for client in stalled)
    third = head(ask(site, "/search.csv"))
    assert " 503 " in third.splitlines()[0]
    assert f"Retry-After: {gate.RETRY_AFTER}" in third
    for path in ("/search.json?limit=3", "/search.count", "/takeaway"):
        assert " 200 " in head(ask(site, path)).splitlines()[0]
    for client in stalled:
        client.close()
    assert all(left.acquire(timeout=PROMPT) for _ in stalled)
    assert gate.STREAMS.taken == 0
