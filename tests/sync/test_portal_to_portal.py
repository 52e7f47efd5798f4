"""A whole portal in its own process is harvested: what both publish must be the same."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from django.test import Client

from obsportal.connectors.http import Manners
from obsportal.demo.generate import generate
from obsportal.exposures.models import Exposure
from obsportal.formats.portal_votable import PortalAnswer, PortalRow
from obsportal.sync import runs
from obsportal.sync.models import SyncRun
from obsportal.sync.portal import PortalSource

pytestmark = pytest.mark.django_db
OWN = {"number", "exp_date_updated"}
"""What each portal says for itself."""


@dataclass
class OtherPortal:
    """A served portal with a data folder of its own, on SQLite."""

    data: Path
    address: str

    def command(self, *words: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "obsportal", *words], env=environment(self.data), capture_output=True, check=False
        )  # fmt: skip
        assert done.returncode in {0, 1}, done.stderr.decode()

    def execute(self, statement: str, *values: Any) -> int:
        with closing(sqlite3.connect(self.data / "records.sqlite3", timeout=30)) as records, records:
            return records.execute(statement, values).rowcount

    def rows(self) -> dict[str, dict[str, Any]]:
        with urlopen(f"{self.address}/search.votable") as answer:
            return published(answer.read())


def environment(data: Path) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("OBSPORTAL_", "DJANGO_"))
    }
    return kept | {"OBSPORTAL_DATA": str(data)}


def published(body: bytes) -> dict[str, dict[str, Any]]:
    """Every column of an answer but those that each portal says for itself, by exposure."""
    found = {}
    for row in PortalAnswer().rows([body]):
        assert isinstance(row, PortalRow)
        found[row.exp_id] = {name: value for name, value in asdict(row).items() if name not in OWN}
    return found


def ours() -> dict[str, dict[str, Any]]:
    answer = Client().get("/search.votable")
    return published(answer.content if hasattr(answer, "content") else b"".join(answer))  # type: ignore[arg-type]


def await_answer(address: str, alive: Callable[[], bool]) -> None:
    """Wait until a server that was just started answers."""
    deadline = time.monotonic() + 60
    while alive() and time.monotonic() < deadline:
        try:
            urlopen(f"{address}/health/live", timeout=5).close()
            return
        except (URLError, OSError):
            time.sleep(0.05)
    pytest.fail("the other portal did not start")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OtherPortal]:
    data = tmp_path_factory.mktemp("other")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    portal = OtherPortal(data, f"http://127.0.0.1:{port}")
    portal.command("demo", "--exposures", "200", "--no-serve")
    portal.execute("UPDATE exposures_exposure SET visibility = 'protected' WHERE id % 17 = 0")
    server = subprocess.Popen(
        [sys.executable, "-m", "obsportal", "serve", "--port", str(port), "--workers", "1"],
        env=environment(data),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        await_answer(portal.address, lambda: server.poll() is None)
        yield portal
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def harvest(other: OtherPortal) -> dict[str, Any]:
    run = runs.run(PortalSource(other.address, Manners(tries=1)))
    assert run.status == SyncRun.Status.DONE, run.problem
    return run.counts


def test_what_is_harvested_is_published_as_the_other_portal_publishes_it(
    other: OtherPortal, tmp_path: Path
) -> None:
    theirs = other.rows()
    assert len(theirs) > 150
    found = harvest(other)
    assert (found["read"], found["added"]) == (len(theirs), len(theirs))
    assert ours() == theirs

    old = datetime(2021, 1, 1, tzinfo=UTC)
    Exposure.objects.update(exp_date_updated=old)
    assert harvest(other)["unchanged"] == len(theirs)
    assert not Exposure.objects.exclude(exp_date_updated=old).exists()

    edited = sorted(theirs)[5]
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
    assert other.execute(
        "UPDATE exposures_exposure SET obs_program_title = ?, exp_seeing = 1.25, exp_date_updated = ?"
        " WHERE exp_id = ?",
        "Edited & told",
        now,
        edited,
    )
    headers = tmp_path / "new.hdr"
    texts = (header.text for header in generate(40, 77, start=date(2011, 3, 1), end=date(2011, 3, 9)))
    headers.write_text("\n\n".join(texts), encoding="latin-1")
    other.command("ingest", "headers", str(headers))
    theirs_now = other.rows()
    added = theirs_now.keys() - theirs.keys()
    assert added

    found = harvest(other)
    assert (found["added"], found["updated"]) == (len(added), 1)
    assert ours() == theirs_now
    changed = Exposure.objects.exclude(exp_date_updated=old).values_list("exp_id", flat=True)
    assert set(changed) == {*added, edited}
