"""``obsportal regroup`` as a user meets it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from obsportal.demo.generate import generate


def run(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command with a data folder of its own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OBSPORTAL_", "DJANGO_"))}
    return subprocess.run(
        [sys.executable, "-m", "obsportal", *words], env=kept | {"OBSPORTAL_DATA": str(data), "COLUMNS": "200"},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with two nights of demonstration headers."""
    folder = tmp_path_factory.mktemp("regroup")
    headers = folder / "headers"
    headers.mkdir()
    for number, header in enumerate(generate(60, 5, start=date(2016, 1, 1), end=date(2022, 1, 1))):
        (headers / f"{number:03}.hdr").write_text(header.text, encoding="latin-1")
    run(folder / "data", "ingest", "headers", str(headers))
    return folder / "data"


def test_after_an_ingest_nothing_waits(portal: Path):
    report = json.loads(run(portal, "regroup", "--json").stdout)
    assert (report["nights"], report["exposures"], report["moved"]) == (0, 0, 0)


def test_all_nights_are_made_anew_and_are_the_same(portal: Path):
    done = run(portal, "regroup", "--all", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["exposures"] > 40
    assert report["moved"] == 0
    assert sum(report["observations"].values()) > 5
    assert sum(report["links"].values()) > 0
    told = run(portal, "regroup", "--all").stdout
    assert told.startswith(f"{report['exposures']} exposures of {report['nights']} nights:")


def test_nights_can_be_named(portal: Path):
    whole = json.loads(run(portal, "regroup", "--all", "--json").stdout)
    one = json.loads(run(portal, "regroup", "--night", "1999-01-01", "--json").stdout)
    assert one["exposures"] == 0 < whole["exposures"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--all", "--night", "2020-01-26"], "--all and --night exclude each other"),
        (["--night", "26.1.2020"], "--night '26.1.2020': a date as 2020-01-26 is needed"),
        (["--night", "2020-02-30"], "--night '2020-02-30': a date as 2020-01-26 is needed"),
    ],
)
def test_wrong_usage_is_refused(tmp_path: Path, words: list[str], said: str):
    done = run(tmp_path, "regroup", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert not any(tmp_path.iterdir())
