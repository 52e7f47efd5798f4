"""What the home page tells: what there is, the last nights, what came in, for what a reader may see."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Count

from obsportal.exposures.kept import Kept
from obsportal.exposures.models import Exposure, ExposureQuerySet, Target
from obsportal.exposures.pages import addresses
from obsportal.exposures.pages.related import Link
from obsportal.exposures.plots import bars

if TYPE_CHECKING:
    from obsportal.accounts.access import Actor

NEW_DAYS = 7
"""What came in is told of so many days up to the newest update."""
MANY = 20_000
"""Of more new exposures than these (a portal being filled), only their number is told."""
LISTED = 8


@dataclass(frozen=True, slots=True)
class InstrumentCount:
    """One instrument's share."""

    interferometer: str
    instrument: str
    exposures: int
    first: date | None
    last: date | None


@dataclass(frozen=True, slots=True)
class Share:
    """A programme, target or instrument, and its number of exposures."""

    name: str
    exposures: int
    key: int = 0
    """The number of a target."""


@dataclass(frozen=True, slots=True)
class LatestNight:
    """The newest night with exposures at one interferometer, with its largest shares."""

    night: date
    interferometer: str
    exposures: int
    targets: int
    programmes: int
    most_targets: tuple[Share, ...] = ()
    most_programmes: tuple[Share, ...] = ()
    instruments: tuple[Share, ...] = ()


@dataclass(frozen=True, slots=True)
class NewProgramme:
    """A programme none of whose exposures was here before."""

    root: str
    title: str
    pi: str


@dataclass(frozen=True, slots=True)
class NewObservation:
    """One of the newest observations: its first exposure tells."""

    exposure: Exposure
    exposures: int


@dataclass(frozen=True, slots=True)
class New:
    """What came in or changed within ``NEW_DAYS`` of the newest update."""

    since: date
    until: date
    exposures: int
    days: dict[str, dict[str, int]] = field(default_factory=dict)
    """Exposures by UTC day and instrument."""
    observations: tuple[NewObservation, ...] = ()
    targets: tuple[Target, ...] = ()
    target_count: int = 0
    programmes: tuple[NewProgramme, ...] = ()
    programme_count: int = 0
    more: bool = False
    """There are more than are counted."""
    first: bool = False
    """Everything is new: the portal was filled in these days."""


@dataclass(frozen=True, slots=True)
class Overview:
    """Counts of a portal; all are of rows the reader may see."""

    exposures: int
    targets: int
    nights: int
    instruments: tuple[InstrumentCount, ...]
    latest: tuple[LatestNight, ...]
    demonstration: bool = False
    """Some of the exposures are invented."""
    new: New | None = None


def count(actor: Actor) -> Overview:
    """Count now."""
    rows = Exposure.objects.visible_to(actor).order_by()
    counted = rows.values_list("interferometer_name", "instrument_name").annotate(n=Count("pk"))
    instruments = tuple(
        InstrumentCount(at, name, n, *_first_and_last(rows, at, name))
        for at, name, n in counted.order_by("-n", "instrument_name")
    )
    by_night = rows.exclude(night=None).values("night", "interferometer_name").distinct()
    last: dict[str, date] = {}
    for one in instruments:
        if one.last:
            last[one.interferometer] = max(one.last, last.get(one.interferometer, one.last))
    latest = [_latest_night(rows, name, night) for name, night in last.items()]
    latest.sort(key=lambda found: found.night, reverse=True)
    total = sum(i.exposures for i in instruments)
    return Overview(
        exposures=total,
        targets=rows.values("target").distinct().count(),
        nights=by_night.count(),
        instruments=instruments,
        latest=tuple(latest),
        demonstration=rows.filter(authority__startswith="demo.").exists(),
        new=_new(rows, total, actor),
    )


overview: Kept[Overview] = Kept(count)
"""The counts for an actor, kept until the exposures change."""


def _first_and_last(
    rows: ExposureQuerySet, interferometer: str, instrument: str
) -> tuple[date | None, date | None]:
    """The nights of an instrument's first and last exposure, by the index of its times."""
    timed = rows.filter(instrument_name=instrument, interferometer_name=interferometer)
    timed = timed.exclude(exp_mjd_start=None)
    first = timed.order_by("exp_mjd_start").values_list("night", flat=True).first()
    last = timed.order_by("-exp_mjd_start").values_list("night", flat=True).first()
    return first, last


def _latest_night(rows: ExposureQuerySet, interferometer: str, night: date) -> LatestNight:
    own = rows.filter(interferometer_name=interferometer)
    programmes: Counter[str] = Counter()
    targets: Counter[tuple[str, int]] = Counter()
    instruments: Counter[str] = Counter()
    for root, pk, name, instrument in own.filter(night=night).values_list(
        "obs_program_root", "target_id", "target__name", "instrument_name"
    ):
        programmes[root] += bool(root)
        targets[name, pk] += 1
        instruments[instrument] += 1
    del programmes[""]
    return LatestNight(
        night=night,
        interferometer=interferometer,
        exposures=targets.total(),
        targets=len(targets),
        programmes=len(programmes),
        most_targets=tuple(Share(name, n, pk) for (name, pk), n in _most(targets)),
        most_programmes=tuple(Share(root, n) for root, n in _most(programmes)),
        instruments=tuple(Share(name, n) for name, n in _most(instruments)),
    )


def _most(counted: Counter) -> list:  # type: ignore[type-arg]
    return sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:LISTED]


def _new(rows: ExposureQuerySet, total: int, actor: Actor) -> New | None:
    """What came in up to the newest update that this reader may see."""
    newest = rows.order_by("-exp_date_updated").values_list("exp_date_updated", flat=True).first()
    if newest is None:
        return None
    midnight = newest.replace(hour=0, minute=0, second=0, microsecond=0)
    since = midnight - timedelta(days=NEW_DAYS - 1)
    recent = rows.filter(exp_date_updated__gte=since)
    if not rows.filter(exp_date_updated__lt=since).exists():
        return New(since.date(), newest.date(), total, first=True)
    found = recent[: MANY + 1].count()
    if found > MANY:
        return New(since.date(), newest.date(), MANY, more=True)
    days: dict[str, dict[str, int]] = {}
    for k in range(NEW_DAYS):
        day = since + timedelta(days=k)
        part = recent.filter(exp_date_updated__gte=day, exp_date_updated__lt=day + timedelta(days=1))
        days[f"{day:%Y-%m-%d}"] = dict(part.values_list("instrument_name").annotate(n=Count("pk")))
    targets = _unseen_targets(rows, recent, since)
    roots = _unseen_roots(rows, recent, since)
    return New(
        since=since.date(),
        until=newest.date(),
        exposures=found,
        days=days,
        observations=tuple(_newest_observations(recent, actor)),
        targets=tuple(Target.objects.visible_to(actor).filter(pk__in=targets[:LISTED]).order_by("name")),
        target_count=len(targets),
        programmes=tuple(_described(rows, root) for root in roots[:LISTED]),
        programme_count=len(roots),
    )


def _unseen_targets(rows: ExposureQuerySet, recent: ExposureQuerySet, since: datetime) -> list[int]:
    """Targets that had no exposure before, in order."""
    candidates = set(recent.values_list("target_id", flat=True).distinct())
    seen: set[int] = set()
    listed = sorted(candidates)
    for begin in range(0, len(listed), 5000):
        part = rows.filter(target__in=listed[begin : begin + 5000], exp_date_updated__lt=since)
        seen.update(part.values_list("target_id", flat=True).distinct())
    return sorted(candidates - seen, reverse=True)


def _unseen_roots(rows: ExposureQuerySet, recent: ExposureQuerySet, since: datetime) -> list[str]:
    """Programmes that had no exposure before, the last in the alphabet (the newest period) first."""
    named = recent.exclude(obs_program_root="")
    candidates = sorted(set(named.values_list("obs_program_root", flat=True).distinct()))
    seen: set[str] = set()
    for begin in range(0, len(candidates), 5000):
        part = rows.filter(obs_program_root__in=candidates[begin : begin + 5000], exp_date_updated__lt=since)
        seen.update(part.values_list("obs_program_root", flat=True).distinct())
    return sorted(set(candidates) - seen, reverse=True)


def _described(rows: ExposureQuerySet, root: str) -> NewProgramme:
    own = rows.filter(obs_program_root=root)
    title, named = own.order_by("-obs_program_title").values_list("obs_program_title", "obs_program_pi_coi")[
        0
    ]
    return NewProgramme(root, title, named.split("/")[0].strip())


def _newest_observations(recent: ExposureQuerySet, actor: Actor) -> list[NewObservation]:
    """The last observations by their time, of those that came in."""
    shown = recent.filter(obs_type="science").exclude(exp_mjd_start=None).order_by("-exp_mjd_start")
    keys = list(shown.values_list("pk", "observation_id", "obs_id", "target_id", "instrument_name")[:600])
    groups: dict[tuple[object, ...], list[int]] = {}
    for pk, observation, block, target, instrument in keys:
        group = (observation,) if observation is not None else (block, target, instrument)
        if group not in groups and len(groups) == LISTED:
            continue
        groups.setdefault(group, []).append(pk)
    firsts = Exposure.objects.visible_to(actor).select_related("target", "observation")
    found = firsts.in_bulk([pks[-1] for pks in groups.values()])
    return [NewObservation(found[pks[-1]], len(pks)) for pks in groups.values() if pks[-1] in found]


WAYS = (
    ("search", "Search with filters"),
    ("list", "Check a list of targets"),
    ("sources", "Where the records come from"),
)
"""Routes the home page leads to, where the portal has them."""


def context(actor: Actor) -> dict[str, Any]:
    """What the page's template needs."""
    found = overview(actor)
    new = found.new
    return {
        "overview": found,
        "nights": [(night, addresses.night(night.night, night.interferometer)) for night in found.latest],
        "ways": [Link(address, words) for name, words in WAYS if (address := addresses.page(name))],
        "new_days": NEW_DAYS,
        "new_address": addresses.search(date_updated_from=f"{new.since}T00:00:00Z") if new else "",
        "new_plot": _drawn(new, [i.instrument for i in found.instruments]) if new else "",
        "observations": [(o, _address(o.exposure)) for o in (new.observations if new else ())],
    }


def _drawn(new: New, instruments: list[str]) -> str:
    """What came in by day and instrument; nothing to draw of a single day."""
    labels = list(new.days)
    if sum(bool(parts) for parts in new.days.values()) < 2:
        return ""
    layers = bars.layers(new.days, labels, bars.shades(dict.fromkeys(instruments)))
    short = [f"{date.fromisoformat(day):%d %b}" for day in labels]
    return bars.upright("Exposures that came in or changed, by UTC day", short, layers, width=560)


def _address(exposure: Exposure) -> str:
    """The page of an exposure's observation, else of the exposure."""
    key = exposure.observation.key if exposure.observation else ""
    return (key and addresses.page("observation", key)) or addresses.page("exposure", exposure.exp_id)
