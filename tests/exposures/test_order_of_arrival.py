"""Targets, observations and links are the same in whatever order and portions headers arrive."""

from __future__ import annotations

import random
from datetime import date
from typing import Any

import pytest
from django.db import transaction
from django.db.models import F

from obsportal.accounts.access import Visibility
from obsportal.accounts.models import User
from obsportal.demo import load
from obsportal.demo.generate import generate
from obsportal.exposures import corrections, curation
from obsportal.exposures.digest import Digest, digest
from obsportal.exposures.gather import targets
from obsportal.exposures.models import CalibratorLink, Exposure, Observation, Target, TargetPointing
from obsportal.exposures.observations import derive
from obsportal.exposures.services import IngestOptions, ingest
from obsportal.exposures.versions import last_modified
from obsportal.formats.header_sources import HeaderSource

pytestmark = pytest.mark.django_db

PROTECTED = IngestOptions(visibility=Visibility.PROTECTED)


@pytest.fixture(scope="module")
def digests() -> list[Digest]:
    """A few dense nights of all instruments: 350 exposures."""
    made = generate(350, 5, start=date(2023, 11, 1), end=date(2023, 11, 20))
    return [digest(HeaderSource(f"{header.name}.hdr", header.text)) for header in made]


def arrive(digests: list[Digest], seed: int) -> None:
    """Take headers in, shuffled and in portions; about a fifth of them is protected."""
    chance = random.Random(seed)
    order = list(digests)
    if seed:
        chance.shuffle(order)
    while order:
        size = chance.randint(1, 120) if seed else 500
        portion, order = order[:size], order[size:]
        hidden = [one for one in portion if sum(one.header_id.encode()) % 5 == 0]
        ingest([one for one in portion if one not in hidden])
        ingest(hidden, PROTECTED)


def state() -> dict[str, Any]:
    """What was worked out, without the keys that the database gives."""
    partition: dict[int, set[str]] = {}
    for key, target in TargetPointing.objects.values_list("key", "target_id"):
        partition.setdefault(target, set()).add(key)
    columns = ("name", "normalised_name", "visibility", "ra", "dec", "hpx", "star__name")
    return {
        "targets": {
            tuple(sorted(partition[pk])): row
            for pk, *row in Target.objects.values_list("pk", *columns)
        },
        "pointings": sorted(
            map(repr, TargetPointing.objects.values_list(
                "key", "typed_name", "tolerance", "mjd_first", "mjd_last", "basis", "score", "separation"
            ))
        ),
        "exposures": {
            row[0]: row[1:]
            for row in Exposure.objects.values_list(
                "exp_id", "pointing__key", "ft_pointing__key", "target__name", "ft_target__name",
                "observation__key", "time_counted", "visibility",
            )
        },
        "observations": sorted(
            map(repr, Observation.objects.values_list(
                "key", "basis", "interferometer_name", "instrument_name", "night", "obs_id", "obs_start"
            ))
        ),
        "links": sorted(
            map(repr, CalibratorLink.objects.values_list(
                "science__key", "calibrator__key", "instrument_variant", "basis", "confidence", "score",
                "gap_minutes", "separation",
            ))
        ),
        "elsewhere": Exposure.objects.exclude(target=F("pointing__target")).count(),
    }  # fmt: skip


def after(digests: list[Digest], seed: int) -> dict[str, Any]:
    with transaction.atomic():
        load._load_stars()
        arrive(digests, seed)
        found = state()
        transaction.set_rollback(True)
    return found


def test_the_order_and_the_portions_of_headers_do_not_matter(digests: list[Digest]):
    expected = after(digests, 0)
    assert len(expected["targets"]) > 20
    assert len(expected["observations"]) > 40
    assert len(expected["links"]) > 20
    assert expected["elsewhere"] == 0
    for seed in (1, 2, 3):
        found = after(digests, seed)
        for part, rows in expected.items():
            assert found[part] == rows, (seed, part)


def test_to_work_everything_out_again_changes_nothing(digests: list[Digest]):
    load._load_stars()
    arrive(digests, 7)
    before, counter = state(), last_modified()
    dates = list(Exposure.objects.order_by("pk").values_list("exp_date_updated", flat=True))
    keys = list(Target.objects.order_by("pk").values_list("pk", "name"))
    targets.regather()
    report = derive.regroup_all()
    assert not report.changed
    assert report.moved == 0
    assert state() == before
    assert last_modified() == counter
    assert list(Exposure.objects.order_by("pk").values_list("exp_date_updated", flat=True)) == dates
    assert list(Target.objects.order_by("pk").values_list("pk", "name")) == keys
    ingest(digests)
    assert last_modified() == counter


def decide(author: User) -> set[tuple[str, str]]:
    """Decisions of each kind; what they say, so that it can be asked for again."""
    links = CalibratorLink.objects.order_by("science__key", "calibrator__key")
    gone = links[0]
    science, calibrator = Observation.objects.filter(night=links.last().science.night).order_by("key")[:2]
    reason = {"reason": "seen at the telescope", "author": author}
    curation.decide_link("unlink", gone.science.key, gone.calibrator.key, **reason)
    curation.decide_link("link", science.key, calibrator.key, **reason)
    rows = Exposure.objects.filter(visibility="public").order_by("exp_id")
    corrections.override(rows[0], "obs_program", "60.A-9999(A)", **reason)
    corrections.override(rows[3], "visibility", "protected", **reason)
    corrections.override(rows[7], "obs_type", "calibrator", **reason)
    star = TargetPointing.objects.filter(visibility="public", target__star=None, ra__isnull=False)
    one = star.order_by("key")[0]
    other = min(
        star.exclude(target=one.target), key=lambda p: (abs(p.ra - one.ra) + abs(p.dec - one.dec), p.key)
    )
    curation.merge_targets(one.target, other.target, **reason)
    return {("unlinked", f"{gone.science.key} {gone.calibrator.key}"), ("same", f"{one.key} {other.key}")}


def test_what_curators_decided_stands_when_all_is_worked_out_or_arrives_again(
    digests: list[Digest], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(curation, "FARTHEST_DEG", 180.0)
    arrive(digests, 0)
    made = dict(decide(User.objects.create_user("curator", password="x", is_staff=True)))
    before = state()
    first, second = (TargetPointing.objects.get(key=key) for key in made["same"].split(" "))
    assert first.target_id == second.target_id
    science, calibrator = made["unlinked"].split(" ")
    assert not CalibratorLink.objects.filter(science__key=science, calibrator__key=calibrator).exists()
    assert CalibratorLink.objects.filter(basis="manual").exists()
    assert Exposure.objects.filter(obs_program="60.A-9999(A)", technical=True).count() == 1
    targets.regather()
    derive.regroup_all()
    assert state() == before
    for seed in (1, 2):
        Exposure.objects.update(exp_temperature=-99.0)  # so that each header has something to say again
        arrive(digests, seed)
        assert state() == before
        assert Exposure.objects.filter(obs_program="60.A-9999(A)", technical=True).count() == 1
        assert not Exposure.objects.filter(exp_temperature=-99.0).exists()
