"""A sync that is killed anywhere goes on and ends with the rows of an undisturbed one. SQLite files of their own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from archive_server import Archive, served
from following import small_archive

COLUMNS = {
    "exposures_exposure": (
        "exp_id, exp_mjd_start, exp_mjd_end, exp_projected_baselines, obs_program, obs_program_title,"
        " obs_program_pi_coi, exp_date_release, time_counted, target_typed_name, visibility, vanished_at"
    ),
    "exposures_headerversion": "header_id, sha256, size",
    "exposures_refusedheader": "header_id, code, reason",
    "exposures_observation": "key",
    "exposures_targetpointing": "normalised_name, ra, dec",
    "sync_archiverow": "source, instrument, dp_id, modified_at, exp_start, row, state, attempts, problem",
}


class Place:
    """A data folder, and the command in it."""

    def __init__(self, folder: Path, address: str) -> None:
        self.data = folder
        self.environment = os.environ | {
            "OBSPORTAL_DATA": str(folder),
            "OBSPORTAL_DATABASE_URL": f"sqlite:///{folder / 'records.sqlite3'}",
            "OBSPORTAL_SYNC": "eso",
            "OBSPORTAL_SYNC_PAUSE_MS": "0",
            "OBSPORTAL_ESO_TAP_URL": f"{address}/tap_obs",
            "OBSPORTAL_ESO_HEADER_URL": f"{address}/hdr",
            "OBSPORTAL_ESO_SINCE": "2019-01-01",
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "obsportal", *arguments], env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, *arguments: str) -> tuple[int, str, str]:
        process = self.start(*arguments)
        told, errors = process.communicate(timeout=120)
        return process.returncode, told, errors

    def rows(self) -> dict[str, list[Any]]:
        """Everything that must not depend on how often the sync was killed."""
        with sqlite3.connect(f"file:{self.data / 'records.sqlite3'}?mode=ro", uri=True) as connection:
            return {
                table: sorted(connection.execute(f"SELECT {columns} FROM {table}"), key=repr)
                for table, columns in COLUMNS.items()
            }

    def runs(self) -> list[str]:
        with sqlite3.connect(self.data / "records.sqlite3") as connection:
            return [s for (s,) in connection.execute("SELECT status FROM sync_syncrun ORDER BY id")]


@pytest.fixture(scope="module")
def frames() -> Archive:
    return small_archive(90, nights=4)


@pytest.fixture(scope="module")
def address(frames: Archive) -> Iterator[str]:
    with served(frames) as found:
        yield found


@pytest.fixture(scope="module")
def empty(address: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records with their schema and nothing else, to be copied."""
    place = Place(tmp_path_factory.mktemp("empty"), address)
    assert place.run("stats")[0] == 0
    return place.data


@pytest.fixture
def place(address: str, empty: Path, tmp_path: Path) -> Place:
    shutil.copytree(empty, tmp_path, dirs_exist_ok=True)
    return Place(tmp_path, address)


@pytest.fixture(scope="module")
def undisturbed(address: str, empty: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    folder = tmp_path_factory.mktemp("undisturbed")
    shutil.copytree(empty, folder, dirs_exist_ok=True)
    place = Place(folder, address)
    code, told, errors = place.run("sync", "eso")
    assert code == 0, errors
    assert "eso: done" in told
    found = place.rows()
    assert len(found["exposures_exposure"]) > 60
    code, told, _ = place.run("sync", "--all", "--json")
    (again,) = json.loads(told)
    assert (code, again["counts"].get("headers", 0)) == (0, 0), "nothing is left to do"
    return found


def kill_at(process: subprocess.Popen[str], frames: Archive, request: int, delay: float) -> None:
    """Kill a process with no warning, so long after its request of this number, and wait for its end."""
    last = len(frames.asked) + request
    timers = []

    def watch(number: int, what: str) -> None:
        if len(frames.asked) == last:
            timers.append(threading.Timer(delay, process.kill))
            timers[0].start()
            if not delay:
                timers[0].join()

    frames.watch = watch
    process.communicate(timeout=120)
    frames.watch = None
    for timer in timers:
        timer.join()


@pytest.mark.parametrize(
    ("kills", "delay"),
    [
        ((1,), 0.0),  # at the first question
        ((4, 12), 0.0),  # while the past is listed, and while headers are read
        ((60,), 0.02),  # at some moment after a request: a group is being written
        ((80, 40), 0.1),
    ],
)
def test_killed_at_any_step_it_goes_on_to_the_same_rows(kills, delay, undisturbed, frames, place):
    for request in kills:
        kill_at(place.start("sync", "eso"), frames, request, delay)
    code, told, errors = place.run("sync", "eso", "--json")
    assert code == 0, errors
    assert json.loads(told)["status"] == "done"
    assert place.rows() == undisturbed
    assert place.runs()[-1] == "done"
    assert "running" not in place.runs()
    assert "killed" in place.runs()


def test_a_run_that_is_told_to_end_ends_cleanly_and_the_next_goes_on(undisturbed, frames, place):
    process = place.start("sync", "eso")
    begun = len(frames.asked)
    frames.watch = lambda number, what: (
        process.send_signal(signal.SIGTERM) if len(frames.asked) == begun + 20 else None
    )
    told, _ = process.communicate(timeout=120)
    frames.watch = None
    assert process.returncode == 1
    assert "eso: cancelled" in told
    assert place.runs() == ["cancelled"]
    assert place.run("sync", "eso")[0] == 0
    assert place.rows() == undisturbed
