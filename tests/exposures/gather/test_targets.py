"""Targets in the records follow the exposures, the known stars and the curators, in any order."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from django.db import connection
from django.utils import timezone

from obsportal.accounts.access import Visibility
from obsportal.accounts.models import User
from obsportal.exposures import search
from obsportal.exposures.corrections import override
from obsportal.exposures.digest import Digest, compress
from obsportal.exposures.gather import pointings, targets
from obsportal.exposures.models import Exposure, Target, TargetDecision, TargetPointing
from obsportal.exposures.record import ExposureRecord, Sighting
from obsportal.exposures.services import IngestOptions, ingest
from obsportal.exposures.versions import last_modified
from obsportal.stars import services as stars
from obsportal.stars.list_file import ListedStar
from obsportal.stars.models import Star
from obsportal.stars.motion import place_at
from portal import make_exposure

pytestmark = pytest.mark.django_db

ALF_CEN = (219.902058, -60.833993, -3679.25, 473.67)


def digest_of(
    number: int,
    name: str,
    ra: float | None,
    dec: float | None,
    *,
    mjd: float = 58000.0,
    tracked: Sighting | None = None,
    text: str = "",
) -> Digest:
    raw = (text or f"{number} {name}").encode()
    made = Digest(f"T{number}", "test", sha256(raw).hexdigest(), len(raw), compress(raw))
    made.take(
        [
            ExposureRecord(
                header_id=f"T{number}",
                exp_id=f"T{number}_1",
                instrument_name="GRAVITY",
                interferometer_name="VLTI",
                mjd_start=mjd,
                mjd_end=mjd + 0.001,
                target=Sighting(name, ra, dec),
                pointing_ra=ra,
                pointing_dec=dec,
                ft_target=tracked,
            )
        ]
    )
    return made


def partition() -> set[frozenset[str]]:
    """The pointings of each target."""
    found: dict[int, set[str]] = {}
    for key, target in TargetPointing.objects.values_list("key", "target_id"):
        found.setdefault(target, set()).add(key)
    return set(map(frozenset, found.values()))


def state() -> list[object]:
    rows = [
        Exposure.objects.order_by("pk").values_list(
            "pk", "target_id", "ft_target_id", "pointing_id", "ft_pointing_id", "exp_date_updated"
        ),
        TargetPointing.objects.order_by("pk").values_list(),
        Target.objects.order_by("pk").values_list(),
    ]
    return [list(one) for one in rows]


def told() -> list[str]:
    """What the records tell of pointings and targets, without their numbers."""
    rows = TargetPointing.objects.values_list("key", "basis", "score", "typed_name", "mjd_first", "mjd_last")
    named = Target.objects.values_list("name", "ra", "dec", "star__name", "visibility")
    return sorted(map(repr, [*rows, *named]))


def check() -> None:
    """Every exposure is filed where its pointings are; nothing is empty."""
    for e in Exposure.objects.select_related("pointing", "ft_pointing"):
        assert e.pointing is not None
        assert e.target_id == e.pointing.target_id
        assert e.ft_target_id == (e.ft_pointing.target_id if e.ft_pointing else None)
    assert not pointings.empty(None)
    assert Target.objects.filter(pointings__isnull=True).count() == 0


def know(*listed: ListedStar, source: str = "list") -> None:
    stars._replace(source, {one.name: one for one in listed})


def alf_cen(name: str = "alf Cen A") -> ListedStar:
    return ListedStar(name, (name, "alf Cen", "HD 128620"), *ALF_CEN)


def a_field(seed: int, count: int) -> list[Digest]:
    """Pointings of a few stars, companions and unnamed ones around one place, some of both fields."""
    luck = random.Random(seed)
    made = []
    for number in range(count):
        name = luck.choice(["HD 1", "Vega", "tau A", "tau B", "target", "HD 1"])
        east, north = (luck.choice([0.0, 1.0, 2.5, 30.0, 70.0]) + luck.gauss(0, 0.3) for _ in range(2))
        dec = 20 + north / 3600
        tracked = Sighting("Vega", 50.0, 20.0) if name == "tau A" and luck.random() < 0.5 else None
        ra, dec = (None, None) if luck.random() < 0.1 else (50 + east / 3600, dec)
        made.append(digest_of(number, name, ra, dec, mjd=51000 + luck.randrange(9000), tracked=tracked))
    return made


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_arrival_and_a_rerun_change_nothing(seed: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("obsportal.exposures.services.BATCH", 5)
    headers = a_field(seed, 60)
    know(ListedStar("Vega", ("Vega",), 50.0, 20.0, 900.0, -300.0))
    ingest(headers)
    check()
    first = partition()
    described = told()
    targets.regather(None)
    assert partition() == first
    for model in (Exposure, TargetPointing, Target):
        model.objects.all().delete()
    random.Random(seed).shuffle(headers)
    ingest(headers)
    check()
    assert partition() == first
    assert told() == described
    before, counter = state(), last_modified()
    assert ingest(headers).unchanged == 60
    targets.regather(None)
    targets.regather(TargetPointing.objects.values_list("pk", flat=True))
    assert (state(), last_modified()) == (before, counter)


def headers_of_alf_cen() -> list[Digest]:
    luck = random.Random(1)
    made = []
    for year in range(27):
        ra, dec = place_at(*ALF_CEN, year)
        ra += luck.gauss(0, 0.4) / 3600 / math.cos(math.radians(dec))
        name = ("alf Cen", "alf_Cen_A", "HD128620", "TARGET")[year % 4]
        made.append(digest_of(year, name, ra, dec, mjd=51544.5 + 365.25 * year))
    return made


@pytest.mark.parametrize("when", ["before", "after", "between"])
def test_alf_cen_over_26_years_comes_back_complete_from_a_cone_at_its_j2000_place(when: str):
    headers = headers_of_alf_cen()
    if when == "before":
        know(alf_cen())
    ingest(headers[:13])
    if when == "between":
        know(alf_cen())
    ingest(headers[13:])
    cone = {"ra": str(ALF_CEN[0]), "dec": str(ALF_CEN[1]), "radius": "30"}
    if when == "after":
        assert search.parse(cone).exposures(None).count() < 27
        know(alf_cen())
    check()
    found = search.parse(cone).exposures(None)
    assert found.count() == 27
    target = Target.objects.get()
    assert (target.name, target.ra, target.dec) == ("alf Cen A", *ALF_CEN[:2])
    assert search.parse({"target_name": "hd 128620"}).exposures(None).count() == 27


def test_a_star_that_is_removed_leaves_its_pointings_to_themselves():
    ingest(headers_of_alf_cen())
    before = partition()
    know(alf_cen())
    assert len(partition()) == 1
    assert stars.remove("list") == 1
    check()
    assert partition() == before
    assert not Star.objects.exists()
    assert not Target.objects.filter(star__isnull=False).exists()


def test_loading_a_list_again_changes_no_row():
    ingest(headers_of_alf_cen())
    know(alf_cen())
    before, counter = state(), last_modified()
    know(alf_cen())
    assert (state(), last_modified()) == (before, counter)


def test_a_list_wins_over_sesame():
    know(replace(alf_cen("* alf Cen A"), ra=ALF_CEN[0] + 1e-5), source="sesame")
    ingest(headers_of_alf_cen())
    assert Target.objects.get().name == "* alf Cen A"
    know(alf_cen())
    assert Target.objects.get().ra == ALF_CEN[0]
    stars.remove("list")
    assert Target.objects.get().name == "* alf Cen A"
    check()


def test_exposures_that_move_to_another_target_are_marked_as_updated():
    ingest([digest_of(1, "left", 10.0, 20.0), digest_of(2, "right", 10.0, 20.0 + 3.6 / 3600)])
    old = datetime(2001, 1, 1, tzinfo=UTC)
    Exposure.objects.update(exp_date_updated=old)
    counter = last_modified()[0]
    know(ListedStar("Middle", ("Middle",), 10.0, 20.0 + 1.8 / 3600))
    assert Target.objects.get().name == "Middle"
    assert last_modified()[0] > counter
    assert all(e.exp_date_updated > old for e in Exposure.objects.all())


def test_a_corrected_header_moves_its_exposure_and_empty_targets_go():
    ingest([digest_of(1, "HD 1", 10.0, 20.0, text="a"), digest_of(2, "HD 1", 10.0, 20.0, mjd=59000)])
    ingest([digest_of(1, "HD 2", 30.0, 20.0, text="b")])
    assert sorted(Target.objects.values_list("name", flat=True)) == ["HD 1", "HD 2"]
    assert TargetPointing.objects.get(normalised_name="hd1").mjd_first == 59000
    ingest([digest_of(2, "HD 2", 30.0, 20.0, text="c")])
    assert [t.name for t in Target.objects.all()] == ["HD 2"]
    check()


def test_pointings_hold_the_dates_and_the_name_of_their_exposures():
    ingest([digest_of(1, "HD_1", 10.0, 20.0, mjd=58002), digest_of(2, "HD 1", 10.0, 20.0, mjd=58001)])
    row = TargetPointing.objects.get()
    assert (row.typed_name, row.mjd_first, row.mjd_last, row.tolerance) == ("HD 1", 58001, 58002, 60)
    assert row.key == "public|hd1|10.0|20.0"


def test_both_fields_are_filed_apart_also_by_exposures_of_one_field():
    star, companion = Sighting("CO Ori", 80.0, 11.0), ("CO Ori B", 80.0, 11.0 + 0.5 / 3600)
    ingest([digest_of(1, *companion, tracked=star), digest_of(2, "CO Ori", 80.0, 11.0)])
    ingest([digest_of(3, "CO Ori B", 80.00001, 11.0 + 0.5 / 3600), digest_of(4, "V CO Ori", 80.0, 11.0)])
    found = dict(Exposure.objects.values_list("exp_id", "target__name"))
    assert found == {"T1_1": "CO Ori B", "T2_1": "CO Ori", "T3_1": "CO Ori B", "T4_1": "CO Ori"}
    check()


def test_a_pair_that_comes_later_parts_what_was_one():
    ingest([digest_of(1, "CO Ori B", 80.0, 11.0 + 0.5 / 3600), digest_of(2, "CO Ori", 80.0, 11.0)])
    assert Target.objects.count() == 1
    ingest([digest_of(3, "CO Ori B", 80.0, 11.0 + 0.5 / 3600, tracked=Sighting("CO Ori", 80.0, 11.0))])
    assert Target.objects.count() == 2
    check()


def test_an_override_of_visibility_takes_name_and_place_with_it():
    author = User.objects.create_user("curator", is_staff=True)
    ingest([digest_of(1, "Secret", 10.0, 20.0), digest_of(2, "HD 1", 10.0, 20.0 + 1 / 3600, mjd=59000)])
    assert Target.objects.get().name == "Secret"
    override(Exposure.objects.get(exp_id="T1_1"), "visibility", "protected", reason="GTO", author=author)
    check()
    assert Target.objects.get().name == "HD 1"
    assert search.parse({"target_name": "secret"}).exposures(None).count() == 0
    assert targets.is_protected_name("SECRET")
    assert targets.public_names() == ["HD 1"]
    override(Exposure.objects.get(exp_id="T1_1"), "visibility", "public", reason="over", author=author)
    assert Target.objects.get().name == "Secret"
    check()


def test_a_public_exposure_takes_over_from_a_protected_target():
    ingest([digest_of(1, "Secret", 10.0, 20.0)], IngestOptions(visibility=Visibility.PROTECTED))
    assert Target.objects.get().visibility == "protected"
    ingest([digest_of(2, "HD 1", 10.0, 20.0 + 1 / 3600, mjd=59000)])
    (target,) = Target.objects.all()
    assert (target.name, target.visibility) == ("HD 1", "public")
    check()


def test_decisions_are_kept_by_a_rerun():
    author = User.objects.create_user("curator", is_staff=True)
    ingest([digest_of(1, "HD 1", 10.0, 20.0), digest_of(2, "GC field", 10.01, 20.0)])
    TargetDecision.objects.create(
        kind="same", first_name="hd1", first_ra=10.0, first_dec=20.0, second_name="gcfield", second_ra=10.01,
        second_dec=20.0, reason="seen", author=author, created_at=timezone.now(),
    )  # fmt: skip
    targets.regather(TargetPointing.objects.filter(normalised_name="hd1").values_list("pk", flat=True))
    for _ in range(2):
        assert Target.objects.get().name in {"HD 1", "GC field"}
        assert TargetPointing.objects.filter(basis="curated").exists()
        targets.regather(None)
    ingest([digest_of(3, "GC field", 10.0101, 20.0, mjd=59000)])
    assert Target.objects.count() == 1
    check()


def test_an_archive_without_pointings_gets_them():
    tracked = Sighting("CO Ori", 80.0, 11.0)
    ingest([*a_field(3, 30), digest_of(99, "CO Ori B", 80.0, 11.0 + 0.5 / 3600, tracked=tracked)])
    before = partition()
    Exposure.objects.update(pointing=None, ft_pointing=None)
    TargetPointing.objects.all().delete()
    targets.regather(None)
    check()
    # Of a dual field the records keep the offset alone, which these have not.
    assert len(partition()) == len(before)


def test_a_failure_within_a_gathering_leaves_what_was_there(monkeypatch: pytest.MonkeyPatch):
    ingest(headers_of_alf_cen())
    before = state()

    def fails(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(targets, "_move", fails)
    with pytest.raises(OSError, match="disk full"):
        know(alf_cen())
    assert state() == before
    assert not Star.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_two_ingests_at_once_make_no_pointing_twice():
    def take(headers: Iterable[Digest]) -> None:
        try:
            ingest(headers)
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    failures: list[Exception] = []
    made = a_field(5, 120)
    threads = [threading.Thread(target=take, args=(part,)) for part in (made, made[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert Exposure.objects.count() == 120
    check()


def test_the_tolerance_is_that_of_the_instrument():
    assert pointings.tolerance_of("GRAVITY") == 60
    assert pointings.tolerance_of("no such instrument") == 60


def test_any_name_of_a_target_finds_it_but_not_a_protected_one():
    make_exposure(name="Rigil", ra=219.9, dec=-60.8)
    other = make_exposure(name="alf Cen", ra=219.9, dec=-60.8)
    make_exposure(name="Hidden name", ra=219.9, dec=-60.8, visibility=Visibility.PROTECTED)
    assert other.target.pointings.count() == 3
    assert search.parse({"target_name": "RIGIL"}).exposures(None).count() == 2
    assert search.parse({"target_name": "rig*"}).exposures(None).count() == 2
    assert search.parse({"target_name": "hidden name"}).exposures(None).count() == 0
    assert search.parse({"target_name": "hid*"}).exposures(None).count() == 0


def test_followers_see_that_an_earlier_exposure_gave_a_target_another_place():
    before = datetime(2019, 5, 1, tzinfo=UTC)
    later = make_exposure(name="HD 4", ra=40.0, dec=-10.0, exp_mjd_start=58900.0, exp_date_updated=before)
    assert later.target.ra == 40.0
    make_exposure(name="HD 4", ra=40.001, dec=-10.0, exp_mjd_start=58000.0)
    now = Exposure.objects.get(pk=later.pk)
    assert now.target.ra == 40.001
    assert now.exp_date_updated > before
