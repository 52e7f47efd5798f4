"""Known stars in the records: lists, Sesame, and what readers type."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from sesame_server import sesame_server
from typer.testing import CliRunner

from obsportal.accounts.access import Visibility
from obsportal.cli import app
from obsportal.exposures import quick
from obsportal.exposures.gather import targets
from obsportal.exposures.models import Exposure, Target
from obsportal.stars import lookup, services, typed
from obsportal.stars.list_file import ListError
from obsportal.stars.models import NameQuery, Star, StarName
from portal import make_exposure

pytestmark = pytest.mark.django_db
RA, DEC = 219.902058, -60.833993


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def sesame(asked: list[str], settings: Any) -> Iterator[Any]:
    with sesame_server(asked) as url:
        settings.OBSPORTAL_SESAME = True
        settings.OBSPORTAL_SESAME_URL = url
        yield settings


def listed(folder: Path, *rows: str, name: str = "list.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(["name,names,ra,dec,pmra,pmdec", *rows]) + "\n")
    return path


def test_a_list_is_loaded_and_loaded_again(tmp_path: Path):
    path = listed(tmp_path, "Vega,alf Lyr|HR 7001,279.2,38.8,200,286", "Deneb,,310.4,45.3,2,2")
    assert services.load(path, "mine") == services.LoadReport(2, 2, 0, 0)
    kept = services.find("ALF_LYR")
    assert kept is not None
    path = listed(tmp_path, "Vega,alf Lyr,279.2,38.8,201,286", "Altair,,297.7,8.9,536,385")
    assert services.load(path, "mine") == services.LoadReport(2, 1, 1, 1)
    assert services.load(path, "mine") == services.LoadReport(2, 0, 0, 0)
    vega = Star.objects.get(name="Vega")
    assert (vega.pk, vega.pm_ra) == (kept.pk, 201)
    assert sorted(StarName.objects.values_list("normalised_name", flat=True)) == ["alflyr", "altair", "vega"]
    assert [row["stars"] for row in services.lists()] == [2]
    assert services.find("HR 7001") is None
    assert services.remove("mine") == 2
    with pytest.raises(LookupError, match="known are none"):
        services.remove("mine")


def test_a_bad_row_leaves_the_list_as_it_was(tmp_path: Path):
    services.load(listed(tmp_path, "Vega,,279.2,38.8,200,286"), "mine")
    with pytest.raises(ListError, match="row 2"):
        services.load(listed(tmp_path, "Deneb,,310.4,45.3,2,2", "Altair,,297.7,98.9,0,0"), "mine")
    assert Star.objects.get().name == "Vega"
    for name in ("", "sesame", "x" * 81):
        with pytest.raises(ValueError, match="the list is named"):
            services.load(listed(tmp_path, "Deneb,,310.4,45.3,2,2"), name)


def test_one_star_of_two_sources_is_known_once_and_by_all_names(tmp_path: Path):
    services.load(listed(tmp_path, f"alf Cen A,,{RA},{DEC},-3679,474", "far,alf Cen,10,20,0,0"), "mine")
    Star.objects.create(
        source="sesame", name="alf Cen A", ra=RA + 1e-5, dec=DEC, hpx=0, updated_at=timezone.now()
    )
    StarName.objects.create(star=Star.objects.get(source="sesame"), name="Rigil", normalised_name="rigil")
    names = {tuple(sorted(star.names)) for star in lookup.every()}
    assert names == {("alfcena", "rigil"), ("alfcen", "far")}
    found = services.find("alf Cen A")
    assert found is not None
    assert found.source == "mine"


def test_names_of_public_targets_are_resolved_and_gathered(sesame: Any, asked: list[str]):
    make_exposure(name="alf Cen", ra=RA, dec=DEC)
    make_exposure(name="Unheard of", ra=10.0, dec=20.0)
    make_exposure(name="TARGET", ra=11.0, dec=20.0)
    make_exposure(name="Secret star", ra=12.0, dec=20.0, visibility=Visibility.PROTECTED)
    waits: list[float] = []
    report = services.resolve(services.unanswered(targets.public_names()), wait=waits.append)
    assert sorted(asked) == ["Unheard of", "alf Cen"]
    assert (report.found, report.unknown, report.stopped, waits) == (1, ["Unheard of"], "", [services.PAUSE])
    target = Exposure.objects.get(target_typed_name="alf Cen").target
    assert (target.name, target.ra) == ("alf Cen A", RA)
    assert services.unanswered(targets.public_names()) == []
    NameQuery.objects.update(asked_at=timezone.now() - timedelta(days=31))
    assert services.unanswered(targets.public_names()) == ["Unheard of"]
    services.resolve(["alf Cen"])
    assert Star.objects.count() == 1


def test_a_service_that_fails_is_left_alone_after_three_times(sesame: Any, asked: list[str]):
    report = services.resolve(["busy", "html", "empty", "alf Cen"], wait=lambda _: None)
    assert asked == ["busy", "html", "empty"]
    assert report.failed == asked
    assert "3 failures in a row, with 1 names left" in report.stopped
    assert set(NameQuery.objects.values_list("outcome", flat=True)) == {"failed"}
    assert services.unanswered(["busy", "alf Cen"]) == ["alf Cen"]
    NameQuery.objects.update(asked_at=timezone.now() - timedelta(days=2))
    assert services.unanswered(["busy"]) == ["busy"]


def test_nothing_is_asked_where_it_is_switched_off(asked: list[str], settings: Any):
    settings.OBSPORTAL_SESAME = False
    assert "switched off" in services.resolve(["alf Cen"]).stopped
    assert "switched off" in typed.resolve("alf Cen").sentence
    assert not NameQuery.objects.exists()


def test_a_typed_name_leads_to_the_place_that_sesame_gives(sesame: Any, asked: list[str], client: Client):
    make_exposure(name="TARGET", ra=RA, dec=DEC)
    for _ in range(2):
        found = quick.parameters("Rigil", None)
        assert found == {"ra": str(RA), "dec": str(DEC), "radius": "60", "name": "Rigil"}
    assert asked == ["Rigil"]
    assert not Star.objects.exists(), "a reader's question changes no target"
    page = client.get("/", {"q": "Rigil"}, follow=True).content.decode()
    assert "resolved by Sesame to alf Cen A" in page
    assert "TARGET" in page


def test_own_names_come_before_sesame(sesame: Any, asked: list[str], tmp_path: Path):
    make_exposure(name="Rigil", ra=RA, dec=DEC)
    make_exposure(name="My star", ra=RA, dec=DEC)
    services.load(
        listed(tmp_path, f"alf Cen A,HIP 71683,{RA},{DEC},-3679,474", "Elsewhere,,10,20,0,0"), "mine"
    )
    for name in ("rigil", "MY STAR", "hip71683", "alf Cen A"):
        assert quick.parameters(name, None) == {"target_name": name}
    assert quick.parameters("elsewhere", None)["ra"] == "10.0"
    assert asked == []


@pytest.mark.parametrize(
    ("name", "words"),
    [("no such star", "either this portal nor Sesame knows"), ("busy", "could not be asked"),
     ("html", "could not be asked")],
)  # fmt: skip
def test_a_page_says_what_became_of_a_name(sesame: Any, client: Client, name: str, words: str):
    page = client.get("/", {"q": name}, follow=True).content.decode()
    assert words in page


def test_after_a_failure_and_after_many_questions_nobody_waits(sesame: Any, asked: list[str]):
    typed.resolve("busy")
    assert "a moment ago" in typed.resolve("Rigil").sentence
    assert asked == ["busy"]
    NameQuery.objects.all().delete()
    now = timezone.now()
    NameQuery.objects.bulk_create(
        NameQuery(normalised_name=f"n{k}", name=f"n{k}", outcome="unknown", asked_at=now) for k in range(30)
    )
    assert "too many" in typed.resolve("Rigil").sentence
    assert asked == ["busy"]


def test_a_protected_name_is_shown_and_sent_to_nobody(sesame: Any, asked: list[str]):
    make_exposure(name="Rigil", ra=RA, dec=DEC, visibility=Visibility.PROTECTED)
    runner = CliRunner()
    refused = runner.invoke(app, ["stars", "resolve", "rigil"])
    assert (refused.exit_code, asked) == (2, [])
    assert runner.invoke(app, ["stars", "resolve"]).exit_code == 0
    assert asked == []
    assert quick.similar_targets("rigil", None) == []


def test_the_commands_load_list_and_remove(tmp_path: Path):
    runner = CliRunner()
    path = str(listed(tmp_path, "Vega,,279.2,38.8,200,286"))
    make_exposure(name="Vega", ra=279.2, dec=38.8 + 10 / 3600)
    assert "1 added" in runner.invoke(app, ["stars", "load", path, "--list", "mine"]).output
    assert Target.objects.get().dec == 38.8
    assert "mine" in runner.invoke(app, ["stars", "list"]).output
    assert runner.invoke(app, ["stars", "remove", "other"]).exit_code == 2
    assert "1 stars removed" in runner.invoke(app, ["stars", "remove", "mine"]).output
    broken = tmp_path / "broken.csv"
    broken.write_text("name,ra,dec\nVega,x,y\n")
    assert runner.invoke(app, ["stars", "load", str(broken), "--list", "mine"]).exit_code == 2
