"""The command as a user meets it: exit codes, help, JSON."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from obsportal.cli import app
from obsportal.demo.chara_log import demo_chara_log
from obsportal.demo.generate import generate

ROOT = Path(__file__).resolve().parents[1]


def run(data: Path, *words: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[str]:
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("OBSPORTAL_", "DJANGO_"))
    } | {"OBSPORTAL_DATA": str(data), "COLUMNS": "120"}
    done = subprocess.run(
        [sys.executable, "-m", "obsportal", *words], env=environment, input=stdin, capture_output=True, check=False,
        timeout=300,
    )  # fmt: skip
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture(scope="module")
def headers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("headers")
    for number, header in enumerate(generate(60, 5, start=date(2016, 1, 1), end=date(2022, 1, 1))):
        (folder / f"{number:03}.hdr").write_text(header.text, encoding="latin-1")
    return folder


def test_headers_come_in_twice_and_are_there_once(tmp_path: Path, headers: Path):
    first = run(tmp_path, "ingest", "headers", "--json", str(headers))
    report = json.loads(first.stdout)
    assert report["read"] == len(list(headers.iterdir()))
    assert first.returncode == (1 if report["refused"] else 0)
    assert report["added"] > 40
    second = json.loads(run(tmp_path, "ingest", "headers", "--json", str(headers)).stdout)
    assert (second["added"], second["updated"]) == (0, 0)
    stats = json.loads(run(tmp_path, "stats", "--json").stdout)
    assert stats["exposures"] == report["added"]
    refused = json.loads(run(tmp_path, "stats", "--refused", "--json").stdout)
    assert refused["refused"] == report["refused"] == len(report["refusals"])


def test_a_zip_and_standard_input_are_as_good_as_a_folder(tmp_path: Path, headers: Path):
    archive = tmp_path / "all.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in headers.iterdir():
            packed.write(path, path.name)
    as_zip = json.loads(run(tmp_path / "a", "ingest", "headers", "--json", str(archive)).stdout)
    piped = json.loads(
        run(tmp_path / "b", "ingest", "headers", "--json", "-", stdin=archive.read_bytes()).stdout
    )
    assert as_zip["added"] == piped["added"] > 40


def test_what_is_refused_is_listed_and_the_exit_code_says_so(tmp_path: Path):
    (tmp_path / "empty.fits").touch()
    (tmp_path / "text.hdr").write_text("not a header")
    done = run(
        tmp_path / "data", "ingest", "headers", str(tmp_path / "empty.fits"), str(tmp_path / "text.hdr")
    )
    assert done.returncode == 1
    assert "2 refused" in done.stdout
    assert "empty.fits" in done.stderr
    assert "text.hdr" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ingest", "headers", "/no/such/folder"), "no such file"),
        (("ingest", "chara-log", "/no/such.csv"), "no such file"),
        (("serve", "--port", "99999"), "--port"),
        (("demo", "--exposures", "0"), "--exposures"),
        (("restore", "/no/such.tar"), "does not exist"),
        (("fly",), "fly"),
    ],
)
def test_wrong_usage_ends_with_2_and_a_sentence(tmp_path: Path, words: tuple[str, ...], said: str):
    done = run(tmp_path, *words)
    assert done.returncode == 2
    assert said in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr


def test_every_command_has_help():
    for words in ("demo", "serve", "worker", "ingest headers", "ingest chara-log", "stats", "doctor", "createadmin",
                  "backup", "restore"):  # fmt: skip
        done = CliRunner().invoke(app, [*words.split(), "--help"])
        assert done.exit_code == 0
        assert "Usage" in done.output


def test_a_wrong_setting_is_named(tmp_path: Path):
    (tmp_path / "obsportal.toml").write_text('colour = "green"\n')
    done = run(tmp_path, "stats")
    assert done.returncode == 2
    assert "colour" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_chara_log_comes_in_and_a_file_that_is_none_is_refused(tmp_path: Path):
    log = tmp_path / "log.csv"
    log.write_text(demo_chara_log(3))
    report = json.loads(run(tmp_path / "data", "ingest", "chara-log", "--json", str(log)).stdout)
    assert report["added"] > 100
    again = json.loads(run(tmp_path / "data", "ingest", "chara-log", "--json", str(log)).stdout)
    assert (again["added"], again["updated"]) == (0, 0)
    log.write_text("a,b\n1,2\n")
    done = run(tmp_path / "data", "ingest", "chara-log", str(log))
    assert done.returncode == 2
    assert "UT-DATE" in done.stderr


def test_demo_is_made_once_and_never_over_other_records(tmp_path: Path, headers: Path):
    made = json.loads(run(tmp_path, "demo", "--exposures", "300", "--no-serve", "--json").stdout)
    assert made["generated"] is True
    assert made["exposures"] >= 290
    again = json.loads(run(tmp_path, "demo", "--exposures", "300", "--no-serve", "--json").stdout)
    assert (again["generated"], again["exposures"]) == (False, made["exposures"])
    other = tmp_path / "other"
    run(other, "ingest", "headers", str(headers))
    refused = run(other, "demo", "--exposures", "300", "--no-serve")
    assert refused.returncode == 2
    assert "OBSPORTAL_DATA" in refused.stderr


def test_doctor_worker_and_createadmin_work_on_a_new_portal(tmp_path: Path):
    assert run(tmp_path, "doctor").returncode == 0
    assert run(tmp_path, "worker", "--once").returncode == 0
    findings = {f["name"]: f for f in json.loads(run(tmp_path, "doctor", "--json").stdout)}
    assert all(f["ok"] for f in findings.values())
    assert "last heard" in findings["Worker"]["detail"]
    short = run(tmp_path, "createadmin", "ada", "--password-stdin", stdin=b"short\n")
    assert short.returncode == 2
    made = run(tmp_path, "createadmin", "ada", "--password-stdin", stdin=b"long enough 77\n")
    assert made.returncode == 0
    assert (tmp_path / "secret_key").stat().st_mode & 0o077 == 0


def test_serve_answers_aspro2_and_stops_when_told(tmp_path: Path):
    import socket
    from urllib.request import urlopen

    run(tmp_path, "demo", "--exposures", "100", "--no-serve")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"OBSPORTAL_DATA": str(tmp_path), "OBSPORTAL_DATABASE_URL": ""}
    server = subprocess.Popen(
        [sys.executable, "-m", "obsportal", "serve", "--port", str(port)],
        env=environment,
        stderr=subprocess.PIPE,
    )
    try:
        for _ in range(150):
            try:
                body = urlopen(f"http://127.0.0.1:{port}/search.votable?limit=3", timeout=10).read()
                break
            except OSError:
                time.sleep(0.1)
        assert body.count(b"<TR>") == 3
        taken = run(tmp_path, "serve", "--port", str(port))
        assert taken.returncode == 2
        assert "--port" in taken.stderr
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) is not None
