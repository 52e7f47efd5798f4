from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from archive_server import Archive
from django.utils import timezone
from typer.testing import CliRunner, Result

from obsportal.cli import app
from obsportal.sync import sources
from obsportal.sync.job import SyncError
from obsportal.sync.models import ArchiveRow, SyncRun
from obsportal.sync.source import Source


@pytest.fixture
def here(settings, address, monkeypatch):
    """The command in this process, on the test's records and archive."""
    monkeypatch.setattr("obsportal.cli.sync.setup", lambda **_: None)
    settings.OBSPORTAL_ESO_TAP_URL, settings.OBSPORTAL_ESO_HEADER_URL = f"{address}/tap_obs", f"{address}/hdr"
    settings.OBSPORTAL_ESO_SINCE = None
    settings.OBSPORTAL_SYNC_PAUSE_MS = 0
    return settings


def sync(*words: str) -> Result:
    return CliRunner().invoke(app, ["sync", *words])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "say what to read: eso, obsportal URL, or --all"),
        (("eso", "--instrument", "UVES"), "allowed are MIDI, AMBER, PIONIER, GRAVITY, MATISSE"),
        (("eso", "--since", "yesterday"), "--since is 'yesterday'"),
        (("eso", "--limit", "0"), "greater than or equal to 1"),
        (("obsportal", "obs.example.org"), "is no address of a portal"),
        (("--all", "eso"), "--all goes with no source"),
        (("vlt",), "No such command"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_allowed(words, said):
    ended = sync(*words)
    assert ended.exit_code == 2
    assert said in " ".join(ended.output.split())


@pytest.mark.django_db
def test_all_without_a_configured_source_says_how_to_name_one(here):
    ended = sync("--all")
    assert ended.exit_code == 2
    assert "OBSPORTAL_SYNC names no source" in ended.output


@pytest.mark.django_db
def test_a_run_is_told_in_a_line_and_exactly_for_machines(here, archive: Archive):
    ended = sync("eso", "--since", "2019-01-01", "--instrument", "gravity", "--limit", "5")
    assert ended.exit_code == 0, ended.output
    assert "eso: done in" in ended.output
    assert "5 headers read" in ended.output
    told = json.loads(sync("eso", "--since", "2019-01-01", "--json").stdout)
    assert told["source"] == "eso"
    assert told["status"] == "done"
    assert told["counts"]["headers"] == ArchiveRow.objects.count() - 5


@pytest.mark.django_db
def test_a_dry_run_says_that_nothing_was_written(here):
    ended = sync("eso", "--since", "2019-01-01", "--dry-run")
    assert ended.exit_code == 0
    assert "nothing was written" in ended.output
    assert not ArchiveRow.objects.exists()


@pytest.mark.django_db
def test_one_failed_source_of_all_ends_with_1_and_the_others_are_read(here, monkeypatch):
    here.OBSPORTAL_SYNC = ("https://obs.example.org", "eso")
    made = sources.source_of

    def source_of(name: str) -> Source:
        if name != "eso":
            raise SyncError(f"{name} cannot be read")
        return made(name)

    monkeypatch.setattr(sources, "source_of", source_of)
    ended = sync("--all", "--json")
    assert ended.exit_code == 1
    first, second = json.loads(ended.stdout)
    assert (first["source"], first["problem"]) == (
        "https://obs.example.org", "https://obs.example.org cannot be read"
    )  # fmt: skip
    assert (second["source"], second["status"]) == ("eso", "done")
    here.OBSPORTAL_SYNC = ("eso",)
    assert sync("--all").exit_code == 0


@pytest.mark.django_db
def test_a_source_that_is_being_read_is_refused_with_who_reads_it(here):
    now = timezone.now()
    lease = now.replace(year=now.year + 1)
    SyncRun.objects.create(source="eso", started_at=now, lease_until=lease, holder="elsewhere 17 1")
    ended = sync("eso")
    assert ended.exit_code == 3
    assert "eso is being read by process 17 on elsewhere" in " ".join(ended.output.split())


@pytest.mark.django_db
@pytest.mark.parametrize(("also", "code"), [((), 3), (("https://obs.example.org",), 1)])
def test_cron_beside_a_busy_worker_is_told_apart_from_a_failure(here, monkeypatch, also, code):
    here.OBSPORTAL_SYNC = ("eso", *also)
    lease = timezone.now() + timedelta(minutes=20)
    SyncRun.objects.create(
        source="eso", started_at=timezone.now(), lease_until=lease, holder="elsewhere 17 1"
    )

    def source_of(name: str) -> Source:
        if name != "eso":
            raise SyncError(f"{name} cannot be read")
        return made(name)

    made = sources.source_of
    monkeypatch.setattr(sources, "source_of", source_of)
    ended = sync("--all", "--json")
    assert ended.exit_code == code
    told = json.loads(ended.stdout)
    assert [one["status"] for one in told] == ["busy", *["refused" for _ in also]]
    assert not ArchiveRow.objects.exists()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("OBSPORTAL_SYNC", "eso,vlt", "allowed are eso and http"),
        ("OBSPORTAL_SYNC", "https://me:secret@obs.example.org", "has no user, password"),
        ("OBSPORTAL_SYNC", "https://", "is no address of a portal"),
        ("OBSPORTAL_SYNC_MINUTES", "0", "allowed are 1 to"),
        ("OBSPORTAL_SYNC_PARALLEL", "100", "allowed are 1 to 32"),
        ("OBSPORTAL_SYNC_PAUSE_MS", "fast", "a whole number is needed"),
        ("OBSPORTAL_ESO_SINCE", "long ago", "a date such as"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused(tmp_path: Path, name, value, said):
    from obsportal.site.config import Config, ConfigError

    config = Config({"OBSPORTAL_DATA": str(tmp_path), name: value})
    reads = {
        "OBSPORTAL_SYNC": config.sources,
        "OBSPORTAL_ESO_SINCE": lambda: config.moment(name),
    }
    with pytest.raises(ConfigError, match=said):
        reads.get(name, lambda: config.between(name, 1, 32))()


def test_sources_of_the_setting_are_told_once_and_without_a_last_slash(tmp_path: Path):
    from obsportal.site.config import Config

    text = " eso, https://obs.example.org/ ,eso,,https://obs.example.org/search.votable"
    config = Config({"OBSPORTAL_DATA": str(tmp_path), "OBSPORTAL_SYNC": text})
    assert config.sources() == ("eso", "https://obs.example.org")
    assert Config({"OBSPORTAL_DATA": str(tmp_path)}).sources() == ()


@pytest.mark.parametrize(
    "name", ["https://obs.example.org/search.votable", "http://h:6543/obs/search/", "eso"]
)
def test_a_source_of_the_setting_has_the_name_that_its_runs_have(tmp_path: Path, name):
    from obsportal.site.config import Config

    (told,) = Config({"OBSPORTAL_DATA": str(tmp_path), "OBSPORTAL_SYNC": name}).sources()
    assert sources.source_of(told).name == told, "or the worker would find no run of it, and begin for ever"
