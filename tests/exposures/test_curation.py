"""Decisions of curators: targets merged and split, calibrator links, all revertible, all kept on a re-run."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from obsportal.accounts.models import User
from obsportal.exposures import curation
from obsportal.exposures.curation import CurationError
from obsportal.exposures.gather import targets
from obsportal.exposures.models import (
    CalibratorLink,
    Exposure,
    LinkDecision,
    Observation,
    TargetDecision,
)
from obsportal.exposures.observations import derive
from portal import make_exposure

pytestmark = pytest.mark.django_db


@pytest.fixture
def curator() -> User:
    return User.objects.create(username="curator", is_staff=True)


@pytest.fixture
def pair() -> tuple[Exposure, Exposure]:
    """Two stars of different names, 10 arcsec apart."""
    return (
        make_exposure(name="HD 1", ra=10.0, dec=-20.0),
        make_exposure(name="Other", ra=10.0, dec=-20.0 + 10 / 3600),
    )


def target_of(exposure: Exposure) -> int:
    return Exposure.objects.get(pk=exposure.pk).target_id


def test_merged_targets_are_one_and_stay_one_when_everything_is_made_anew(
    curator: User, pair: tuple[Exposure, Exposure]
):
    first, second = pair
    assert target_of(first) != target_of(second)
    curation.merge_targets(first.target, second.target, reason="one star, two catalogues", author=curator)
    assert target_of(first) == target_of(second)
    targets.regather(None)
    assert target_of(first) == target_of(second)


def test_a_withdrawn_merge_parts_them_again(curator: User, pair: tuple[Exposure, Exposure]):
    first, second = pair
    made = curation.merge_targets(first.target, second.target, reason="a", author=curator)
    curation.withdraw("target", made.pk, reason="b", author=curator)
    assert target_of(first) != target_of(second)
    assert TargetDecision.objects.count() == 2
    with pytest.raises(CurationError, match="already"):
        curation.withdraw("target", made.pk, reason="c", author=curator)


def test_a_pointing_split_off_is_a_target_of_its_own(curator: User):
    one = make_exposure(name="HD 2", ra=30.0, dec=5.0)
    alias = make_exposure(name="Alias", ra=30.0, dec=5.0 + 0.5 / 3600)
    assert target_of(one) == target_of(alias)
    pointing = Exposure.objects.get(pk=alias.pk).pointing
    assert pointing is not None
    made = curation.split_target(alias.target, pointing, reason="a companion", author=curator)
    assert target_of(one) != target_of(alias)
    targets.regather(None)
    assert target_of(one) != target_of(alias)
    curation.withdraw("target", made[0].pk, reason="it was the star", author=curator)
    assert target_of(one) == target_of(alias)


def test_a_split_from_several_names_is_one_line_of_the_log_and_withdrawn_at_once(curator: User):
    stars = [make_exposure(name=name, ra=30.0, dec=5.0) for name in ("HD 2", "Alias", "Third")]
    assert len({target_of(star) for star in stars}) == 1
    pointing = Exposure.objects.get(pk=stars[2].pk).pointing
    assert pointing is not None
    made = curation.split_target(pointing.target, pointing, reason="a companion", author=curator)
    assert len(made) == 2
    assert len({target_of(star) for star in stars}) == 2
    (entry,) = curation.log()
    assert entry.in_force
    assert "hd2" in entry.what
    assert "alias" in entry.what
    curation.withdraw("target", entry.key, reason="the star itself", author=curator)
    assert len({target_of(star) for star in stars}) == 1
    assert [e.state for e in curation.log()] == ["withdrawal", "withdrawn"]


def test_one_name_at_two_places_can_be_split(curator: User):
    here = make_exposure(name="IRS 7", ra=30.0, dec=5.0)
    there = make_exposure(name="IRS 7", ra=30.0, dec=5.0 + 20 / 3600)
    assert target_of(here) == target_of(there)
    pointing = Exposure.objects.get(pk=there.pk).pointing
    assert pointing is not None
    curation.split_target(there.target, pointing, reason="two stars of one name", author=curator)
    assert target_of(here) != target_of(there)
    targets.regather(None)
    assert target_of(here) != target_of(there)


def test_what_cannot_be_merged_or_split_says_why(curator: User, pair: tuple[Exposure, Exposure]):
    first, _ = pair
    far = make_exposure(name="Far", ra=200.0, dec=40.0)
    with pytest.raises(CurationError, match="same target"):
        curation.merge_targets(first.target, first.target, reason="a", author=curator)
    with pytest.raises(CurationError, match="arcmin apart"):
        curation.merge_targets(first.target, far.target, reason="a", author=curator)
    with pytest.raises(CurationError, match="reason"):
        curation.merge_targets(first.target, far.target, reason=" ", author=curator)
    pointing = Exposure.objects.get(pk=first.pk).pointing
    assert pointing is not None
    with pytest.raises(CurationError, match="no other pointing"):
        curation.split_target(first.target, pointing, reason="a", author=curator)
    with pytest.raises(CurationError, match="does not belong"):
        curation.split_target(far.target, pointing, reason="a", author=curator)
    with pytest.raises(PermissionError):
        curation.merge_targets(
            first.target, far.target, reason="a", author=User.objects.create(username="someone")
        )
    assert TargetDecision.objects.count() == 0


@pytest.fixture
def observations() -> tuple[str, str]:
    """A science observation and a calibrator taken too long after it to be linked."""
    begin = datetime(2020, 1, 27, 1, tzinfo=UTC)
    make_exposure(
        name="HD 1",
        ra=10.0,
        dec=-20.0,
        obs_id=1,
        obs_start=begin,
        exp_mjd_start=58875.05,
        exp_mjd_end=58875.06,
    )
    make_exposure(
        name="HD 9", ra=12.0, dec=-20.0, obs_id=2, obs_type="calibrator", exp_mjd_start=58875.35, exp_mjd_end=58875.36,
        obs_start=begin.replace(hour=8),
    )  # fmt: skip
    derive.regroup_all()
    found = dict(Observation.objects.values_list("obs_id", "key"))
    return found[1], found[2]


def test_a_link_by_hand_stays_when_everything_is_made_anew_and_ends_when_withdrawn(
    curator: User, observations: tuple[str, str]
):
    science, calibrator = observations
    assert CalibratorLink.objects.count() == 0
    made = curation.decide_link(
        LinkDecision.Kind.LINK, science, calibrator, reason="night log", author=curator
    )
    link = CalibratorLink.objects.get()
    assert (link.basis, link.confidence, link.calibrator.key) == ("manual", "high", calibrator)
    derive.regroup_all()
    assert CalibratorLink.objects.get().basis == "manual"
    curation.withdraw("link", made.pk, reason="wrong star", author=curator)
    assert CalibratorLink.objects.count() == 0


def test_links_of_observations_that_are_not_there_are_refused(curator: User, observations: tuple[str, str]):
    with pytest.raises(CurationError, match="not known"):
        curation.decide_link(LinkDecision.Kind.LINK, observations[0], "X", reason="a", author=curator)
    with pytest.raises(CurationError, match="itself"):
        curation.decide_link(
            LinkDecision.Kind.LINK, observations[0], observations[0], reason="a", author=curator
        )


def test_the_log_tells_every_decision_newest_first_with_its_state(
    curator: User, pair: tuple[Exposure, Exposure]
):
    from obsportal.exposures.corrections import override

    first, second = pair
    override(first, "obs_type", "calibrator", reason="in JSDC", author=curator)
    made = curation.merge_targets(first.target, second.target, reason="same", author=curator)
    curation.withdraw("target", made.pk, reason="not the same", author=curator)
    states = [(entry.kind, entry.state) for entry in curation.log()]
    assert sorted(states) == [("override", "in force"), ("target", "withdrawal"), ("target", "withdrawn")]


@pytest.mark.parametrize(("kind", "key"), [("target", 99), ("link", 99), ("override", 99), ("star", 1)])
def test_a_decision_that_is_not_there_cannot_be_withdrawn(curator: User, kind: str, key: int):
    with pytest.raises(CurationError):
        curation.withdraw(kind, key, reason="r", author=curator)
