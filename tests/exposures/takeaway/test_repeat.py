"""Lines that repeat a search really repeat it."""

from __future__ import annotations

import os
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from obsportal.exposures.takeaway.repeat import repeat
from portal import make_exposure

NASTY = """it's "HD" $(1) `2` \\ & 50%; α"""


def test_only_what_a_search_understands_is_repeated():
    lines = repeat({"instrument": "GRAVITY", "per": "x", "limit": "", "evil": "1"}, "http://h/")
    assert lines.url == "http://h/search.votable?instrument=GRAVITY"
    assert "evil" not in lines.pyvo
    assert repeat({}, "http://h/").url == "http://h/search.votable"
    assert "search.csv" in repeat({}, "http://h/", "csv").curl


@given(st.text(max_size=60))
def test_any_value_gives_lines_that_parse(text: str):
    lines = repeat({"target_name": text}, "http://127.0.0.1/")
    for line in (lines.astropy, lines.pyvo):
        compile(line, "line", "exec")
    assert "\n" not in lines.curl


@pytest.fixture
def short_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's threads leave no connection to the database behind."""
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)


@pytest.fixture
def site(short_connections: None, live_server: Any) -> str:
    for name in (NASTY, "HD 58647"):
        for _ in range(2):
            make_exposure(name=name, ra=10.0 + len(name))
    make_exposure(name="HD 58647", ra=10.0 + len("HD 58647"), instrument_name="PIONIER")
    return f"{live_server.url}/"


SEARCHES: list[tuple[dict[str, str], int]] = [
    ({"target_name": NASTY}, 2),
    ({"target_name": "HD 58647", "instrument": "GRAVITY"}, 2),
    ({"ra": "18", "dec": "-14.17878", "radius": "30", "sort": "-exp_mjd_start"}, 3),
    ({}, 5),
]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", ["astropy", "pyvo"])
@pytest.mark.parametrize(("params", "count"), SEARCHES)
def test_the_python_lines_find_the_same_rows(site: str, way: str, params: dict[str, str], count: int):
    names: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(getattr(repeat(params, site), way), names)  # the line is the code under test
    assert len(names["rows"]) == count
    assert "exp_id" in names["rows"].colnames


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("params", "count"), SEARCHES)
def test_the_curl_line_finds_the_same_rows(site: str, tmp_path: Path, params: dict[str, str], count: int):
    if not shutil.which("curl"):
        pytest.skip("NOT TESTED HERE: the curl line (curl is not on PATH)")
    clean = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
    line = repeat(params, site).curl
    subprocess.run(["sh", "-c", line], cwd=tmp_path, env=clean, check=True, capture_output=True)
    assert (tmp_path / "search.xml").read_text().count("<TR>") == count


@pytest.mark.django_db
def test_the_search_page_shows_the_lines_escaped(client: Client):
    make_exposure(name="<b>")
    html = client.get("/search", {"target_name": "<b>"}).content.decode()
    assert "Repeat this search" in html
    assert "curl --fail --output search.xml" in html
    assert "search.votable?target_name=%3Cb%3E&#x27;" in html
