"""Raw files: which, of whom, when public; and scripts that really run."""

from __future__ import annotations

import csv
import io
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from obsportal.accounts.models import User
from obsportal.exposures.models import CalibratorLink, ContinuationFile, HeaderVersion, Observation
from obsportal.exposures.search import parse
from obsportal.exposures.search_values import SearchError
from obsportal.exposures.takeaway import download_scripts, downloads
from obsportal.exposures.takeaway.downloads import Downloads, RawFile, Role, is_dp_id
from portal import make_exposure

A = "GRAVI.2020-01-27T03:39:01.234"
B = "GRAVI.2020-01-27T04:00:00.000"
C = "GRAVI.2020-01-27T05:00:00.000"
COMMENTS = ["what\nit is", "", "evil\r\nrm -rf /", "$(touch evil) `touch evil` 'quoted'"]


def observation(key: str) -> Observation:
    return Observation.objects.create(
        key=key, basis="block", interferometer_name="VLTI", instrument_name="GRAVITY"
    )


def found(query: dict[str, str] | None = None, actor: User | None = None, **options: Any) -> Downloads:
    return downloads.downloads(parse(query or {}), actor, **options)


def ids(files: Downloads) -> list[str]:
    return [file.dp_id for file in files.files]


@pytest.mark.django_db
def test_science_comes_with_its_linked_calibrators():
    science, calibrator = observation("S"), observation("C")
    make_exposure(exp_header_id=B, observation=calibrator, obs_type="calibrator", name="HD 9", ra=10.0)
    make_exposure(exp_header_id=A, observation=science)
    CalibratorLink.objects.create(
        science=science, calibrator=calibrator, basis="time", confidence="high", score=1
    )
    files = found({"target_name": "HD 58647"})
    assert [(f.dp_id, f.role, f.target, f.linked) for f in files.files] == [
        (A, Role.SCIENCE, "HD 58647", False),
        (B, Role.CALIBRATOR, "HD 9", True),
    ]
    assert files.files[0].url == f"https://dataportal.eso.org/dataPortal/file/{A}"
    assert (files.science, files.calibrators, files.public) == (1, 1, 2)
    assert ids(found({"target_name": "HD 58647"}, calibrators=False)) == [A]


@pytest.mark.django_db
def test_the_other_detector_and_further_files_come_along():
    make_exposure(exp_header_id=A, pair_key="p", instrument_mode="LM")
    make_exposure(exp_header_id=B, pair_key="p", instrument_mode="N", name="other", ra=10.0)
    make_exposure(exp_header_id=C, group_key="g", name="third", ra=20.0)
    version = HeaderVersion.objects.create(
        header_id="x", sha256="0" * 64, text_zstd=b"", size=0, source="s", received_at=timezone.now()
    )
    further = "MIDI.2005-01-01T00:00:00.001"
    for number, name in enumerate((further, "../../etc/passwd")):
        ContinuationFile.objects.create(
            group_key="g", header_version=version, header_id=name, index=number + 2
        )
    assert ids(found({"target_name": "HD 58647"})) == [A, B]
    third = found({"target_name": "third"})
    assert ids(third) == [C, further]
    assert third.left_out == (("the identifier is not of the archive's form", 1),)


@pytest.mark.django_db
def test_a_header_of_two_exposures_is_one_file():
    make_exposure(exp_header_id=A)
    make_exposure(exp_header_id=A)
    assert ids(found()) == [A]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("days", "public"), [(None, True), (-1, True), (1, False)], ids=["no date", "yesterday", "tomorrow"]
)
def test_public_or_proprietary_is_told_as_of_now(days: int | None, public: bool):
    now = datetime(2024, 1, 1, tzinfo=UTC)
    release = None if days is None else now + timedelta(days=days)
    make_exposure(exp_header_id=A, exp_date_release=release)
    files = found(now=now)
    assert (files.files[0].public, files.proprietary) == (public, 0 if public else 1)


@pytest.mark.django_db
def test_what_has_no_file_is_counted_with_its_reason():
    make_exposure(authority="chara.gsu.edu", exp_header_id="20200101.x")
    make_exposure(authority="demo.obsportal")
    make_exposure(authority="eso.org", exp_header_id="GRAVI.2020; rm -rf /")
    assert found().files == ()
    assert sorted(found().left_out) == [
        ("demonstration data: there are no files", 1),
        ("not from the ESO archive", 1),
        ("the identifier is not of the archive's form", 1),
    ]


@pytest.mark.django_db
def test_protected_files_show_to_curators_alone():
    science, calibrator = observation("S"), observation("C")
    make_exposure(exp_header_id=A, observation=science, pair_key="p")
    make_exposure(exp_header_id=B, observation=calibrator, obs_type="calibrator", visibility="protected")
    make_exposure(exp_header_id=C, pair_key="p", visibility="protected")
    CalibratorLink.objects.create(
        science=science, calibrator=calibrator, basis="time", confidence="high", score=1
    )
    assert ids(found()) == [A]
    assert sorted(ids(found(actor=User.objects.create(username="c", is_staff=True)))) == [A, B, C]


@pytest.mark.django_db
def test_a_selection_too_large_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(downloads, "MOST_EXPOSURES", 1)
    make_exposure(exp_header_id=A)
    make_exposure(exp_header_id=B)
    with pytest.raises(SearchError, match="more than 1 exposures"):
        found()


@pytest.mark.parametrize("text", [A, "MATIS.2019-05-10T23:59:59.999", "AMBER.2013-08-27T01:05:24.327"])
def test_identifiers_of_the_archive_are_known(text: str):
    assert is_dp_id(text)


@pytest.mark.parametrize("text", ["", f"{A}\n", f" {A}", f"{A}_1", f"{A}; ls", "$(ls)", f"../{A}", A.lower()])
def test_nothing_else_is_an_identifier(text: str):
    assert not is_dp_id(text)


@given(st.text(max_size=40))
def test_no_other_text_passes_for_an_identifier(text: str):
    assert (
        not is_dp_id(text)
        or text.replace(".", "").replace(":", "").replace("-", "").replace("_", "").isalnum()
    )


def listed(*files: tuple[str, bool]) -> Downloads:
    return Downloads(
        tuple(
            RawFile(dp_id, Role.SCIENCE, "HD 1", "GRAVITY", "0104.C-0567(A)", None, public, False)
            for dp_id, public in files
        ),
        (),
        "all",
    )


class Archive(ThreadingHTTPServer):
    """A stand-in for the archive's file service: ranges, and tokens where a file is proprietary."""

    body = b"0123456789" * 1000
    proprietary = {B}

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Files)
        self.asked: list[tuple[str, str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/file"


class _Files(BaseHTTPRequestHandler):
    server: Archive

    def do_GET(self) -> None:
        dp_id = self.path.rpartition("/")[2]
        token, span = self.headers.get("Authorization", ""), self.headers.get("Range", "")
        self.server.asked.append((dp_id, token, span))
        if dp_id == C:
            self.send_error(404)
            return
        if dp_id in self.server.proprietary and token != "Bearer secret":
            self.send_error(401)
            return
        start = int(span.removeprefix("bytes=").rstrip("-")) if span else 0
        if start >= len(self.server.body):
            self.send_error(416)
            return
        self.send_response(206 if span else 200)
        self.send_header("Content-Length", str(len(self.server.body) - start))
        if span:
            whole = len(self.server.body)
            self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        self.end_headers()
        self.wfile.write(self.server.body[start:])

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def archive() -> Iterator[Archive]:
    server = Archive()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def run(tmp_path: Path) -> Any:
    if not shutil.which("curl") or not shutil.which("bash"):
        pytest.skip("NOT TESTED HERE: the curl script (curl or bash is not on PATH)")

    def run(script: str, server: Archive, **environ: str) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "downloads.sh"
        path.write_text(script)
        clean = {k: v for k, v in os.environ.items() if "proxy" not in k.lower() and k != "ESO_TOKEN"}
        return subprocess.run(
            ["bash", str(path), "data"], capture_output=True, text=True, cwd=tmp_path, check=False,
            env=clean | {"DATA_PORTAL": server.url} | environ,
        )  # fmt: skip

    return run


def test_the_curl_script_fetches_skips_continues_and_keeps_its_token_to_itself(run: Any, tmp_path: Path):
    script = download_scripts.curl_script(listed((A, True), (B, False)), COMMENTS)
    name = tmp_path / "data" / (A.replace(":", "_") + ".fits.Z")
    with archive() as server:
        first = run(script, server)
        assert first.returncode == 0, first.stderr
        assert "1 fetched, 0 there already, 0 failed, 1 proprietary left out" in first.stdout
        assert name.read_bytes() == server.body
        assert server.asked == [(A, "", "")]

        name.rename(name.with_suffix(".Z.part"))
        name.with_suffix(".Z.part").write_bytes(server.body[:4000])
        second = run(script, server, ESO_TOKEN="secret")
        assert "2 fetched" in second.stdout, second.stderr
        assert name.read_bytes() == server.body
        assert server.asked[1:] == [(A, "", "bytes=4000-"), (B, "Bearer secret", "")]

        third = run(script, server, ESO_TOKEN="secret")
        assert "0 fetched, 2 there already" in third.stdout
        assert len(server.asked) == 3
    assert not (tmp_path / "evil").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["data", "downloads.sh"] or len(
        list(tmp_path.iterdir())
    ) == 2


def test_the_curl_script_says_what_it_could_not_fetch(run: Any, tmp_path: Path):
    with archive() as server:
        done = run(download_scripts.curl_script(listed((C, True), (A, True)), []), server)
    assert done.returncode == 1
    assert f"{C} was not fetched" in done.stderr
    assert "1 fetched, 0 there already, 1 failed" in done.stdout


STUB = """
class Eso:
    def login(self, **who):
        print("login", who)
    def retrieve_data(self, names, destination):
        print(len(names), names[0], names[-1], destination)
"""


def test_the_astroquery_script_runs_in_chunks_and_logs_in_only_when_told(tmp_path: Path):
    package = tmp_path / "astroquery"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "eso.py").write_text(STUB)
    many = [(f"GRAVI.2020-01-27T03:{i // 60:02d}:{i % 60:02d}.000", True) for i in range(120)]
    script = tmp_path / "downloads.py"
    script.write_text(download_scripts.astroquery_script(listed(*many, (B, False)), COMMENTS))

    def run(**environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(script), "out"], capture_output=True, text=True, check=True,
            env={"PYTHONPATH": str(tmp_path), "PATH": os.environ["PATH"]} | environ,
        )  # fmt: skip

    plain = run()
    assert [line.split()[0] for line in plain.stdout.splitlines()] == ["50", "50", "50", "100", "20", "120"]
    assert "1 proprietary files are left out" in plain.stderr
    signed_in = run(ESO_USER="me").stdout
    assert "login {'username': 'me'}" in signed_in
    assert f"21 {many[100][0]} {B} out" in signed_in


@pytest.mark.parametrize("bad", [f"{A}; touch evil", "$(touch evil)", f"{A}'\n", "' + evil + '"])
def test_no_other_identifier_reaches_a_script(bad: str):
    files = listed((bad, True), (A, True))
    for write in (
        download_scripts.curl_script,
        download_scripts.astroquery_script,
        download_scripts.plain_list,
        download_scripts.csv_table,
    ):
        text = write(files, [])
        assert bad not in text
        assert A in text


@given(st.lists(st.text(max_size=40), max_size=4))
def test_comments_never_leave_their_lines(comments: list[str]):
    text = download_scripts.comment_lines(comments)
    assert all(line.startswith("#") for line in text.split("\n")[:-1])
    assert text.count("\n") == len(comments) == len(text.splitlines())


@pytest.mark.django_db
def test_the_page_and_its_files(client: Client):
    make_exposure(exp_header_id=A)
    make_exposure(exp_header_id=B, exp_date_release=timezone.now() + timedelta(days=30))
    make_exposure(authority="chara.gsu.edu")
    html = client.get("/downloads?instrument=GRAVITY").content.decode()
    for words in (
        A,
        B,
        "proprietary</span> until",
        "not from the ESO archive",
        "/downloads.sh?instrument=GRAVITY",
    ):
        assert words in html
    script = client.get("/downloads.sh").content.decode()
    assert f"fetch {A} public\n" in script
    assert f"fetch {B} proprietary\n" in script
    assert "2 files: 2 science, 0 calibrator; 1 proprietary today" in script
    assert "under ESO programme 0104.C-0567(A)" in script
    compile(client.get("/downloads.py").content.decode(), "downloads.py", "exec")
    rows = list(csv.DictReader(io.StringIO(client.get("/downloads.csv").content.decode())))
    assert [(r["dp_id"], r["public"], r["role"]) for r in rows] == [
        (A, "true", "science"),
        (B, "false", "science"),
    ]
    addresses = [
        x for x in client.get("/downloads.txt").content.decode().splitlines() if not x.startswith("#")
    ]
    assert addresses == [r["url"] for r in rows]


@pytest.mark.django_db
@pytest.mark.parametrize("form", ["sh", "py", "csv", "txt"])
def test_a_wrong_value_is_refused_and_no_script_comes_of_it(client: Client, form: str):
    response = client.get(f"/downloads.{form}?calibrators=perhaps")
    assert (response.status_code, response["Content-Type"]) == (400, "text/plain; charset=utf-8")


@pytest.mark.django_db
def test_nothing_found_is_a_page(client: Client):
    assert "Nothing meets the search" in client.get("/downloads").content.decode()
