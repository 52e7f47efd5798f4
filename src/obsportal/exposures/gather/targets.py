"""Targets in the records: pointings gathered to stars, and kept so while exposures come, change and go.

What belongs to what is decided by :mod:`obsportal.exposures.gathering`, from the whole neighbourhood of
what changed; so the result depends on what is there, not on how it came.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from obsportal.exposures.bulk import parts
from obsportal.exposures.gather import pointings
from obsportal.exposures.gather.gathering import Cluster, Decided, Named, gather
from obsportal.exposures.gather.pointings import Claims, Row, class_of
from obsportal.exposures.models import Exposure, Target, TargetDecision, TargetPointing
from obsportal.exposures.observations import derive
from obsportal.exposures.record import Sighting
from obsportal.exposures.versions import bump, lock
from obsportal.interferometry.sky import place
from obsportal.stars import lookup
from obsportal.stars.changes import Change
from obsportal.stars.models import Star
from obsportal.stars.names import UNNAMED, is_generic, normalise
from obsportal.stars.sky import KnownStar, cell_ranges, path_cells

NEAR_ORDER = 15
"""Cells of 6.4 arcsec: with those around, they hold all places that gathering may join."""


Keys = Mapping[str, tuple[str, str | None]]
"""Exposure -> keys of its pointing and of its fringe-tracker star's."""


def settle(claims: Claims, keys: Keys, now: datetime) -> dict[str, dict[str, int | None]]:
    """Find or make the pointings that exposures need, and gather anew what they touch.

    Answers the columns that file each exposure. Within the caller's transaction; exposures of other
    pointings that move are updated.
    """
    if not claims.rows:
        return {}
    lock()
    known = pointings.with_keys(claims.rows.keys())
    changed: dict[str, Row] = {}
    for key, claim in claims.rows.items():
        row = known.get(key)
        if row is None:
            changed[key] = claim
            continue
        row.take(claim)
        if row.changing != row.stored:
            changed[key] = row
    for pair in _new_pairs(claims.apart, known):
        changed |= {key: known[key] for key in pair}
    if changed:
        known |= _gather(changed, claims.apart, now)
    return {
        name: _columns_of(known[own], known[tracked] if tracked is not None else None)
        for name, (own, tracked) in keys.items()
    }


def _columns_of(own: Row, tracked: Row | None) -> dict[str, int | None]:
    return {
        "pointing_id": own.pk,
        "target_id": own.target_id,
        "ft_pointing_id": tracked.pk if tracked else None,
        "ft_target_id": tracked.target_id if tracked else None,
    }


def _new_pairs(apart: Iterable[tuple[str, str]], known: dict[str, Row]) -> list[tuple[str, str]]:
    """Pairs of known pointings that were not yet the two fields of one exposure."""
    pairs = [pair for pair in apart if pair[0] in known and pair[1] in known]
    if not pairs:
        return []
    stored = pointings.pairs_of({known[tracked].pk or 0 for _, tracked in pairs})
    return [pair for pair in pairs if (known[pair[0]].pk, known[pair[1]].pk) not in stored]


def left(pointing_ids: Iterable[int | None], now: datetime) -> None:
    """Look anew at pointings that exposures left, or whose exposures changed; empty ones go."""
    _look_anew({pk for pk in pointing_ids if pk is not None}, now, always=False)


def regather(pointing_ids: Iterable[int] | None = None) -> None:
    """Gather the neighbourhood of some pointings anew; None makes everything anew from the exposures.

    In one transaction: a kill leaves what was there.
    """
    with transaction.atomic():
        now = timezone.now().replace(microsecond=0)
        if pointing_ids is None:
            _everything(now)
        else:
            _look_anew(set(pointing_ids), now, always=True)


def _look_anew(ids: set[int], now: datetime, *, always: bool) -> None:
    """Count the exposures of pointings anew, drop empty ones, and gather what is around where it matters."""
    if not ids:
        return
    lock()
    rows = {row.key: row for row in pointings.with_ids(ids)}
    empty = set(pointings.empty(ids))
    pointings.recount(row for row in rows.values() if row.pk not in empty)
    if always or empty or any(row.stored != row.changing for row in rows.values()):
        _gather(rows, (), now, empty)


def as_pointed(rows: QuerySet[Exposure]) -> list[Exposure]:
    """Exposures with what ``repoint`` reads of them."""
    return list(rows.select_related("pointing", "ft_pointing", "ft_target"))


def repoint(exposures: Iterable[Exposure]) -> None:
    """File exposures again whose visibility changed: public targets know public pointings alone."""
    with transaction.atomic():
        lock()
        now = timezone.now().replace(microsecond=0)
        claims, keys, left_behind = Claims(), {}, set()
        rows = {exposure.exp_id: exposure for exposure in exposures}
        for exp_id, exposure in rows.items():
            own, tracked = sightings_of(exposure)
            keys[exp_id] = claims.add_pair(
                own, tracked, exposure.visibility, exposure.instrument_name, exposure.exp_mjd_start
            )
            left_behind |= {exposure.pointing_id, exposure.ft_pointing_id}
        for exp_id, columns in settle(claims, keys, now).items():
            for name, value in columns.items():
                setattr(rows[exp_id], name, value)
            Exposure.objects.filter(exp_id=exp_id).update(**columns)
        left(left_behind, now)


def sightings_of(exposure: Exposure) -> tuple[Sighting, Sighting | None]:
    """What an exposure was pointed at, science target and fringe-tracker star, as the records tell."""
    tracked: Sighting | None = None
    if exposure.ft_pointing is not None:
        star = exposure.ft_pointing
        tracked = Sighting(star.typed_name, star.ra, star.dec)
    elif exposure.ft_target is not None:
        tracked = Sighting(exposure.ft_target.name, exposure.ft_target.ra, exposure.ft_target.dec)
    if exposure.pointing is not None:
        return Sighting(exposure.target_typed_name, exposure.pointing.ra, exposure.pointing.dec), tracked
    ra, dec = exposure.pointing_ra, exposure.pointing_dec
    return Sighting(exposure.target_typed_name, ra, dec), tracked


def follow_stars(change: Change) -> None:
    """Gather anew what stars that were added, changed or removed may hold: by names and along their paths."""
    with transaction.atomic():
        lock()
        found = {row.pk for row in pointings.with_names({n for n in change.names if not is_generic(n)})}
        cells = [cell for star in change.stars for cell in path_cells(star)]
        found |= {row.pk for row in pointings.within(cell_ranges(cells, 13))}
        if ids := found - {None}:
            regather(pk for pk in ids if pk is not None)


def public_names() -> list[str]:
    """The names that public exposures were given, as typed: what may be asked of others."""
    rows = TargetPointing.objects.filter(visibility=class_of("public")).order_by("mjd_first", "key")
    return list({normalise(name): name for name in rows.values_list("typed_name", flat=True)}.values())


def is_protected_name(name: str) -> bool:
    """Whether only protected exposures have this name: it is told to nobody."""
    rows = TargetPointing.objects.filter(normalised_name=normalise(name))
    return rows.exists() and not rows.filter(visibility=class_of("public")).exists()


# The neighbourhood


def _neighbourhood(changed: dict[str, Row], decisions: Collection[Decided]) -> dict[str, Row]:
    """All pointings that what belongs to these may depend on, transitively."""
    found = dict(changed)
    fresh = list(changed.values())
    names_asked: set[str] = set()
    cells_asked: set[int] = set()
    while fresh:
        names = {row.normalised_name for row in fresh}
        for decided in decisions:
            ends = {decided.first.name, decided.second.name}
            names |= ends if ends & names else set()
        names = {name for name in names if not is_generic(name)} - names_asked
        names_asked |= names
        cells = {row.hpx >> 28 for row in fresh if row.hpx is not None} - cells_asked
        cells_asked |= cells
        near = [*pointings.with_names(names)] if names else []
        near += pointings.within(cell_ranges([cell << 28 for cell in sorted(cells)], NEAR_ORDER))
        fresh = []
        for row in near:
            if row.key not in found:
                found[row.key] = row
                fresh.append(row)
    return found


def _decisions() -> list[Decided]:
    rows = TargetDecision.objects.filter(withdraws__isnull=True, withdrawn_by__isnull=True)
    return [
        Decided(
            row.kind == TargetDecision.Kind.SAME,
            Named(row.first_name, row.first_ra, row.first_dec),
            Named(row.second_name, row.second_ra, row.second_dec),
        )
        for row in rows.order_by("pk")
    ]


def _gather(
    changed: dict[str, Row],
    apart: Iterable[tuple[str, str]],
    now: datetime,
    empty: Collection[int] = (),
) -> dict[str, Row]:
    """Gather the neighbourhood of changed pointings without empty ones; answer its rows, all written."""
    decisions = _decisions()
    rows = _neighbourhood(changed, decisions)
    lost = {row.target_id for row in rows.values() if row.pk in empty}
    pointings.drop(empty)
    rows = {key: row for key, row in rows.items() if row.pk not in empty}
    stars = lookup.around(
        {row.normalised_name for row in rows.values()},
        [row.hpx for row in rows.values() if row.hpx is not None],
    )
    _write(rows, stars, apart, decisions, now)
    _drop_targets(lost)
    return rows


def _everything(now: datetime) -> None:
    lock()
    pointings.drop(pointings.empty(None))
    rows = {row.key: row for row in pointings.read("1 = 1")}
    pointings.recount(rows.values())
    claims, wanted = pointings.unpointed()
    for key, claim in claims.rows.items():
        if key in rows:
            rows[key].take(claim)
        else:
            rows[key] = claim
    _write(rows, lookup.every(), claims.apart, _decisions(), now)
    pointings.point(((pk, rows[own], rows[ft] if ft else None, had) for pk, own, ft, had in wanted), now)
    _drop_targets(None)
    if wanted:
        bump("exposures", now)


# Writing


def _write(
    rows: dict[str, Row],
    stars: Iterable[KnownStar],
    apart: Iterable[tuple[str, str]],
    decisions: Collection[Decided],
    now: datetime,
) -> None:
    key_of = {row.pk: row.key for row in rows.values() if row.pk is not None}
    pairs = [
        (key_of[a], key_of[b]) for a, b in pointings.pairs_of(key_of.keys()) if a in key_of and b in key_of
    ]
    clusters = gather((row.pointing() for row in rows.values()), stars, [*pairs, *apart], decisions)
    before = {row.key: row.target_id for row in rows.values()}
    chosen, renewed = _choose_targets(clusters, rows)
    for cluster, target in zip(clusters, chosen, strict=True):
        for member in cluster.members:
            row = rows[member.pointing.key]
            row.target_id, row.basis = target, member.basis.value
            row.score, row.separation = round(member.score, 6), member.separation
    pointings.write(rows.values())
    moved = {key for key, target in before.items() if target is not None and rows[key].target_id != target}
    _move((row for row in rows.values() if row.key in moved or row.target_id in renewed), now)
    _drop_targets({before[key] for key in moved})
    derive.regroup_nights(derive.nights_of_pointings(rows[key].pk for key in moved), mark=False)
    if moved or renewed:
        bump("exposures", now)


def _choose_targets(clusters: list[Cluster], rows: dict[str, Row]) -> tuple[list[int], set[int]]:
    """The target of each cluster, made where there is none, and those whose name, place or star changed.

    A cluster keeps the oldest target that it has; a known star has one. Public pointings choose first:
    none of them moves for a protected one.
    """
    keys = {cluster.star.key for cluster in clusters if cluster.star}
    ids = {row.target_id for row in rows.values() if row.target_id is not None}
    stored = _stored_targets(ids, keys)
    of_star: dict[int, int] = {}
    for target in sorted(stored, reverse=True):
        if stored[target]["star_id"] is not None:
            of_star[stored[target]["star_id"]] = target
    taken = {target for star, target in of_star.items() if star in keys}
    taken |= _held({target for star, target in of_star.items() if star not in keys}, rows)
    names = dict(_in_parts(Star.objects, keys, "pk", "name"))
    chosen: list[int | None] = [None] * len(clusters)
    for k in sorted(range(len(clusters)), key=lambda k: not clusters[k].public):
        cluster = clusters[k]
        pk = of_star.get(cluster.star.key) if cluster.star else None
        for public in (True, False):
            members = (m.pointing for m in cluster.members if m.pointing.public == public)
            own = {rows[pointing.key].target_id for pointing in members} - taken
            if pk is None:
                pk = min((one for one in own if one is not None), default=None)
        if pk is not None:
            taken.add(pk)
        chosen[k] = pk
    columns = [_columns(cluster, rows, names) for cluster in clusters]
    renewed = _update_targets(chosen, columns, stored)
    made = [k for k, pk in enumerate(chosen) if pk is None]
    fresh = Target.objects.bulk_create([Target(**columns[k]) for k in made], batch_size=500)
    for k, new in zip(made, fresh, strict=True):
        chosen[k] = new.pk
    return [pk for pk in chosen if pk is not None], renewed


_TARGET = ("name", "normalised_name", "star_id", "visibility", "ra", "dec", "hpx", "x", "y", "z")

_SERVED = ("name", "star_id", "ra", "dec")
"""What followers of the portal see of a target: when it changes, its exposures are updated."""


def _stored_targets(ids: Collection[int], stars: Collection[int]) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for column, values in (("pk", ids), ("star", stars)):
        for part in parts(sorted(values)):
            rows = Target.objects.filter(**{f"{column}__in": part}).values_list("pk", *_TARGET)
            found |= {row[0]: dict(zip(_TARGET, row[1:], strict=True)) for row in rows}
    return found


def _in_parts(manager: Any, keys: Collection[int], *columns: str) -> list[tuple[Any, ...]]:
    return [row for part in parts(sorted(keys)) for row in manager.filter(pk__in=part).values_list(*columns)]


def _columns(cluster: Cluster, rows: dict[str, Row], names: dict[int, str]) -> dict[str, Any]:
    """What a target says of its cluster."""
    star = cluster.star
    ra, dec = (star.ra, star.dec) if star else (cluster.place.ra, cluster.place.dec)
    name = names[star.key] if star else rows[cluster.name.key].typed_name
    at = place(ra, dec) if ra is not None and dec is not None else None
    public = cluster.public or bool(star and _has_public(star.key, rows))
    return {
        "name": name[:80],
        "normalised_name": normalise(name) or UNNAMED,
        "star_id": star.key if star else None,
        "visibility": class_of("public" if public else "protected").value,
        "ra": ra,
        "dec": dec,
        "hpx": at.hpx if at else None,
        "x": at.x if at else None,
        "y": at.y if at else None,
        "z": at.z if at else None,
    }


def _held(ids: Collection[int], rows: dict[str, Row]) -> set[int]:
    """Which of these targets hold pointings that are not looked at now."""
    if not ids:
        return set()
    of_them = TargetPointing.objects.filter(target__in=ids).values_list("key", "target_id")
    return {target for key, target in of_them if key not in rows}


def _has_public(star: int, rows: dict[str, Row]) -> bool:
    """Whether public pointings that are not looked at now belong to the target of a star."""
    others = TargetPointing.objects.filter(target__star=star, visibility=class_of("public"))
    return any(key not in rows for key in others.values_list("key", flat=True))


def _update_targets(
    chosen: list[int | None], columns: list[dict[str, Any]], stored: dict[int, dict[str, Any]]
) -> set[int]:
    changed = [
        (pk, wanted)
        for pk, wanted in zip(chosen, columns, strict=True)
        if pk is not None and stored[pk] != wanted
    ]
    names = ", ".join(f"{name} = %s" for name in _TARGET)
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE exposures_target SET {names} WHERE id = %s",  # noqa: S608
            [(*(wanted[name] for name in _TARGET), pk) for pk, wanted in changed],
        )
    return {pk for pk, wanted in changed if any(stored[pk][name] != wanted[name] for name in _SERVED)}


def _move(rows: Iterable[Row], now: datetime) -> None:
    """Let the exposures of pointings follow them to their targets."""
    by_target: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        if row.pk is not None and row.target_id is not None:
            by_target[row.target_id].append(row.pk)
    for target, ids in sorted(by_target.items()):
        for part in parts(ids):
            Exposure.objects.filter(pointing__in=part).update(target=target, exp_date_updated=now)
            Exposure.objects.filter(ft_pointing__in=part).update(ft_target=target, exp_date_updated=now)


def _drop_targets(ids: Collection[int | None] | None) -> None:
    """Remove targets (of these, or of all) that have neither pointings nor exposures."""
    asked: Iterable[Sequence[int] | None] = [None]
    if ids is not None:
        asked = parts(sorted(pk for pk in ids if pk is not None))
    for part in asked:
        among = "" if part is None else f" AND id IN ({', '.join(map(str, part))})"
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM exposures_target AS t WHERE"  # noqa: S608
                " NOT EXISTS (SELECT 1 FROM exposures_targetpointing p WHERE p.target_id = t.id)"
                " AND NOT EXISTS (SELECT 1 FROM exposures_exposure e WHERE e.target_id = t.id)"
                f" AND NOT EXISTS (SELECT 1 FROM exposures_exposure e WHERE e.ft_target_id = t.id){among}"
            )
