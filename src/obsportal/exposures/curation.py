"""What curators decide of targets and calibrator links, and the log of all their decisions.

Decisions are rows that append; withdrawing one is a row too. Their effect follows in the same
transaction, and every re-run finds them again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from obsportal.accounts.access import may_curate
from obsportal.accounts.models import User
from obsportal.exposures import corrections
from obsportal.exposures.gather import targets
from obsportal.exposures.models import (
    Exposure,
    LinkDecision,
    Observation,
    Override,
    Target,
    TargetDecision,
    TargetPointing,
)
from obsportal.exposures.observations import derive
from obsportal.exposures.versions import bump
from obsportal.interferometry.sky import separation_deg

FARTHEST_DEG = 0.5
"""Targets farther apart than this are never one star, whatever a curator types."""
NEWEST = 200
"""Decisions listed."""


class CurationError(ValueError):
    """A decision that is not possible; the message says why."""


def _check(author: User, reason: str) -> None:
    if not may_curate(author):
        raise PermissionError("only curators may decide this")
    if not reason.strip():
        raise CurationError("a decision needs a reason")


def merge_targets(first: Target, second: Target, *, reason: str, author: User) -> TargetDecision:
    """Two targets are one star. Raises CurationError, or PermissionError for who may not curate."""
    _check(author, reason)
    if first.pk == second.pk:
        raise CurationError("both numbers are of the same target")
    one, other = _anchor(first), _anchor(second)
    if None not in (one.ra, one.dec, other.ra, other.dec):
        apart = separation_deg(one.ra, one.dec, other.ra, other.dec)  # type: ignore[arg-type]
        if apart > FARTHEST_DEG:
            allowed = f"only targets within {FARTHEST_DEG * 60:.0f} arcmin can be merged"
            raise CurationError(f"they are {apart * 60:.1f} arcmin apart: {allowed}")
    with transaction.atomic():
        made = _decide(TargetDecision.Kind.SAME, one, other, reason, author)
        targets.regather([one.pk, other.pk])
    return made


def split_target(
    target: Target, pointing: TargetPointing, *, reason: str, author: User
) -> list[TargetDecision]:
    """A pointing, with all of its name around it, is another star than the rest of its target.

    One decision for each other name. Raises CurationError, or PermissionError for who may not curate.
    """
    _check(author, reason)
    if pointing.target_id != target.pk:
        raise CurationError("this pointing does not belong to the target")
    others = _others(target, pointing)
    if not others:
        raise CurationError("the target has no other pointing to be split from")
    with transaction.atomic():
        made = [_decide(TargetDecision.Kind.DIFFERENT, pointing, other, reason, author) for other in others]
        targets.regather([pointing.pk, *[other.pk for other in others]])
    return made


def _anchor(target: Target) -> TargetPointing:
    """The pointing that stands for a target in a decision: its earliest."""
    found = target.pointings.order_by("mjd_first", "key").first()
    if found is None:
        raise CurationError(f"target {target.pk} has no pointing")
    return found


def _others(target: Target, pointing: TargetPointing) -> list[TargetPointing]:
    """The pointing nearest to the given one of each other name; of the same name when there is no other."""
    rest = target.pointings.exclude(pk=pointing.pk)
    named = rest.exclude(normalised_name=pointing.normalised_name)
    nearest: dict[str, tuple[float, str, TargetPointing]] = {}
    for other in named if named.exists() else rest:
        known = None not in (other.ra, other.dec, pointing.ra, pointing.dec)
        apart = separation_deg(other.ra, other.dec, pointing.ra, pointing.dec) if known else 0.0  # type: ignore[arg-type]
        found = (apart, other.key, other)
        kept = nearest.get(other.normalised_name)
        if kept is None or found[:2] < kept[:2]:
            nearest[other.normalised_name] = found
    return [other for _, _, other in nearest.values()]


def _decide(
    kind: TargetDecision.Kind, one: TargetPointing, other: TargetPointing, reason: str, author: User
) -> TargetDecision:
    return TargetDecision.objects.create(
        kind=kind,
        first_name=one.normalised_name,
        first_ra=one.ra,
        first_dec=one.dec,
        second_name=other.normalised_name,
        second_ra=other.ra,
        second_dec=other.dec,
        reason=reason,
        author=author,
        created_at=timezone.now().replace(microsecond=0),
    )


def decide_link(
    kind: LinkDecision.Kind, science_key: str, calibrator_key: str, *, reason: str, author: User
) -> LinkDecision:
    """A calibrator observation belongs to a science observation, or does not.

    Raises CurationError, or PermissionError for who may not curate.
    """
    _check(author, reason)
    for name, key in (("science", science_key), ("calibrator", calibrator_key)):
        if not Observation.objects.filter(key=key).exists():
            raise CurationError(f"the {name} observation {key[:120]!r} is not known")
    if science_key == calibrator_key:
        raise CurationError("an observation cannot be linked to itself by hand")
    with transaction.atomic():
        made = LinkDecision.objects.create(
            kind=kind,
            science_key=science_key,
            calibrator_key=calibrator_key,
            reason=reason,
            author=author,
            created_at=timezone.now().replace(microsecond=0),
        )
        _relink([science_key, calibrator_key])
    return made


def _relink(keys: Iterable[str]) -> None:
    exposures = Exposure.objects.filter(observation__key__in=list(keys)).values_list("pk", flat=True)
    derive.regroup_nights(derive.nights_of(exposures))
    bump("exposures")


def withdraw(kind: str, key: int, *, reason: str, author: User) -> None:
    """End a decision: ``kind`` is override, target or link, ``key`` its number.

    Raises CurationError when there is none in force, PermissionError for who may not curate.
    """
    _check(author, reason)
    try:
        match kind:
            case "override":
                corrections.withdraw(Override.objects.get(pk=key), reason=reason, author=author)
            case "target":
                _withdraw_target(TargetDecision.objects.get(pk=key), reason, author)
            case "link":
                _withdraw_link(LinkDecision.objects.get(pk=key), reason, author)
            case _:
                raise CurationError(f"{kind[:20]!r}: allowed are override, target and link")
    except (Override.DoesNotExist, TargetDecision.DoesNotExist, LinkDecision.DoesNotExist):
        raise CurationError(f"there is no such decision: {kind} {key}") from None
    except corrections.OverrideError as error:
        raise CurationError(str(error)) from None


def _withdrawal(row: TargetDecision | LinkDecision, reason: str, author: User) -> None:
    """Append the row that ends another."""
    skipped = {"id", "reason", "author", "created_at", "withdraws"}
    values = {f.name: getattr(row, f.name) for f in row._meta.fields if f.name not in skipped}
    if row.withdraws_id is not None:
        raise CurationError("a withdrawal cannot be withdrawn: decide anew")
    values |= {"reason": reason, "author": author, "created_at": timezone.now().replace(microsecond=0)}
    try:
        with transaction.atomic():
            type(row).objects.create(**values, withdraws_id=row.pk)
    except IntegrityError:
        raise CurationError("this decision was withdrawn already") from None


def _withdraw_target(row: TargetDecision, reason: str, author: User) -> None:
    """A split from several names was one decision, so all of its rows are withdrawn."""
    with transaction.atomic():
        rows = [row, *(other for other in _made_together(row) if not hasattr(other, "withdrawn_by"))]
        for one in rows:
            _withdrawal(one, reason, author)
        names = {name for one in rows for name in (one.first_name, one.second_name)}
        pointings = TargetPointing.objects.filter(normalised_name__in=names)
        targets.regather(pointings.values_list("pk", flat=True))


_OF_ONE_SPLIT = ("kind", "first_name", "first_ra", "first_dec", "reason", "author_id", "created_at")


def _made_together(row: TargetDecision) -> list[TargetDecision]:
    """The other rows of the same split."""
    if row.kind != TargetDecision.Kind.DIFFERENT:
        return []
    same = {name: getattr(row, name) for name in _OF_ONE_SPLIT}
    rows = TargetDecision.objects.filter(**same, withdraws=None).exclude(pk=row.pk)
    return list(rows.select_related("withdrawn_by").order_by("pk"))


def _withdraw_link(row: LinkDecision, reason: str, author: User) -> None:
    with transaction.atomic():
        _withdrawal(row, reason, author)
        _relink([row.science_key, row.calibrator_key])


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log of decisions."""

    kind: str
    key: int
    what: str
    reason: str
    author: str
    created_at: datetime
    state: str
    """``in force``, ``replaced``, ``withdrawn`` or ``withdrawal``."""
    exp_id: str = ""
    """The exposure of a correction."""

    @property
    def in_force(self) -> bool:
        """Whether it can be withdrawn."""
        return self.state == "in force"


def log() -> list[Entry]:
    """The newest decisions of all kinds, newest first."""
    found = [*_corrections(), *_targets(), *_links()]
    return sorted(found, key=lambda entry: (entry.created_at, entry.key), reverse=True)[:NEWEST]


def _corrections() -> list[Entry]:
    rows = list(Override.objects.select_related("exposure", "author").order_by("-pk")[:NEWEST])
    standing = {row.pk for row in corrections.standing({row.exposure_id for row in rows})}
    ended = {row.parent_id for row in rows if row.withdraws}
    return [
        Entry(
            "override",
            row.pk,
            f"{row.field} is what the header says" if row.withdraws else f"{row.field} is {row.value}",
            row.reason,
            row.author.get_username(),
            row.created_at,
            "withdrawal"
            if row.withdraws
            else "in force"
            if row.pk in standing
            else "withdrawn"
            if row.pk in ended
            else "replaced",
            row.exposure.exp_id,
        )
        for row in rows
    ]


def _targets() -> list[Entry]:
    rows = TargetDecision.objects.select_related("author", "withdrawn_by").order_by("-pk")[:NEWEST]
    together: dict[tuple[object, ...], list[TargetDecision]] = {}
    for row in rows:
        split = row.kind == TargetDecision.Kind.DIFFERENT
        same = tuple(getattr(row, name) for name in _OF_ONE_SPLIT) if split else (row.pk,)
        together.setdefault((row.withdraws_id is None, *same), []).append(row)
    return [
        _entry(
            "target",
            same[0],
            f"{_said(same[0], 'first')} and {', '.join(_said(row, 'second') for row in same)}:"
            f" {same[0].get_kind_display()}",
        )
        for same in together.values()
    ]


def _said(row: TargetDecision, which: str) -> str:
    name, ra, dec = (getattr(row, f"{which}_{part}") for part in ("name", "ra", "dec"))
    return name if ra is None else f"{name} at {ra:.5f} {dec:+.5f}"


def _links() -> list[Entry]:
    rows = LinkDecision.objects.select_related("author", "withdrawn_by").order_by("-pk")[:NEWEST]
    return [
        _entry("link", row, f"calibrator {row.calibrator_key} {row.get_kind_display()}: {row.science_key}")
        for row in rows
    ]


def _entry(kind: str, row: TargetDecision | LinkDecision, what: str) -> Entry:
    if row.withdraws_id is not None:
        state, what = "withdrawal", f"no longer: {what}"
    else:
        state = "withdrawn" if hasattr(row, "withdrawn_by") else "in force"
    return Entry(kind, row.pk, what, row.reason, row.author.get_username(), row.created_at, state)
