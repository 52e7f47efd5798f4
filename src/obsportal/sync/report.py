"""What runs did and where sources stand, in words and as plain values: command line, page, health."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Count
from django.utils import timezone

from obsportal.accounts.access import is_curator, visible_rows
from obsportal.exposures.bulk import parts
from obsportal.exposures.models import Exposure, RefusedHeader
from obsportal.sync import runs, schedule, sources
from obsportal.sync.models import ArchiveRow, SyncCursor, SyncRun

if TYPE_CHECKING:
    from obsportal.accounts.access import Actor

LABELS = {
    "listed": "rows listed",
    "new": "new",
    "changed": "changed",
    "returned": "listed again",
    "off_sky": "not on the sky",
    "bad_rows": "unusable rows",
    "headers": "headers read",
    "added": "added",
    "updated": "updated",
    "unchanged": "unchanged",
    "refused": "refused",
    "failed": "failed",
    "vanished": "vanished",
    "doubtful": "doubtful",
}
"""Counts of runs in the order they are told; a source may count more, shown by their names."""
HIDDEN = {"sentences", "checked"}
LAST_RUNS = 10
LAST_FAILURES = 20


def counted(counts: Mapping[str, Any]) -> list[tuple[str, int]]:
    """The counts of a run with their labels, those that are not zero."""
    names = [*LABELS, *(name for name in counts if name not in LABELS)]
    return [
        (LABELS.get(name, name.replace("_", " ")), counts[name])
        for name in names
        if isinstance(counts.get(name), int) and counts[name] and name not in HIDDEN
    ]


def done(counts: Mapping[str, int]) -> int:
    """One number for a progress bar."""
    return counts.get("headers") or counts.get("listed") or sum(counts.values())


def sentence(run: SyncRun, *, dry_run: bool = False) -> str:
    """A run in one line."""
    told = ", ".join(f"{number:,} {label}" for label, number in counted(run.counts)) or "nothing new"
    dry = " (dry run: nothing was written)" if dry_run else ""
    return f"{run.source}: {run.status} in {duration(run):.1f} s: {told}{dry}"


def sentences(run: SyncRun) -> list[str]:
    """What a person should know of the run."""
    return [str(said) for said in run.counts.get("sentences", [])]


def duration(run: SyncRun) -> float:
    """Seconds, until now while it runs."""
    return ((run.ended_at or timezone.now()) - run.started_at).total_seconds()


def status(run: SyncRun) -> str:
    """How a run ended; one that still says it is running may have been killed."""
    if run.status == SyncRun.Status.RUNNING and runs.is_gone(run):
        return str(SyncRun.Status.KILLED.value)
    return str(run.status)


def as_dict(run: SyncRun) -> dict[str, Any]:
    """A run for machines."""
    return {
        "source": run.source,
        "status": status(run),
        "started": _iso(run.started_at),
        "ended": _iso(run.ended_at),
        "seconds": round(duration(run), 1),
        "counts": {k: v for k, v in run.counts.items() if k not in HIDDEN},
        "sentences": sentences(run),
        "problem": run.problem,
    }


def summary() -> list[dict[str, Any]]:
    """Each source with its last run and how far behind it is: for the health page."""
    found = []
    for name in _names():
        last = SyncRun.objects.filter(source=name).order_by("-pk").first()
        told = _cursors(name)
        read = [c.updated_at for c in told]
        found.append(
            {
                "name": name,
                "status": status(last) if last else "",
                "started": last.started_at if last else None,
                "problem": last.problem if last else "",
                "lag_s": _lag(min(read)) if read else None,
                "next": schedule.next_run(name),
                "late": is_late(name, last),
            }
        )
    return found


def is_late(name: str, last: SyncRun | None) -> bool:
    """Whether a followed source has not been read, or not well, when it should have been."""
    if name not in sources.configured():
        return False
    return last is None or status(last) in ("failed", "killed")


def standing(actor: Actor) -> list[dict[str, Any]]:
    """Each source: runs, cursors, numbers of rows, the latest failures; as this reader may know them."""
    found = []
    for told in summary():
        name = told["name"]
        rows = ArchiveRow.objects.visible_to(actor).filter(source=name)
        numbers = _numbers(name, actor)
        failures = rows.filter(state=ArchiveRow.State.FAILED).order_by("-retry_at", "-pk")[:LAST_FAILURES]
        past = SyncRun.objects.filter(source=name).order_by("-pk")[:LAST_RUNS]
        found.append(
            told
            | {
                "runs": [as_dict(run) for run in past],
                "instruments": [
                    {
                        "instrument": cursor.instrument,
                        "position": cursor.position,
                        "filled_to": cursor.backfilled_to,
                        "lag_s": _lag(cursor.updated_at),
                        **{state: numbers[cursor.instrument][state] for state in _STATES},
                    }
                    for cursor in _cursors(name)
                ],
                "failures": [
                    {
                        "dp_id": row.dp_id,
                        "instrument": row.instrument,
                        "reason": row.problem,
                        "attempts": row.attempts,
                        "retry": row.retry_at,
                    }
                    for row in failures
                ],
            }
        )
    return found


_STATES = tuple(state.value for state in ArchiveRow.State)


def _numbers(name: str, actor: Actor) -> dict[str, Counter[str]]:
    """Rows per instrument and state, without those of files that this reader may not know of.

    Taken in is what the other states leave of all: both are counted from indexes alone.
    """
    found: dict[str, Counter[str]] = defaultdict(Counter)
    done = ArchiveRow.State.DONE
    rows = ArchiveRow.objects.filter(source=name)
    for instrument, number in rows.values_list("instrument").annotate(n=Count("pk")).order_by():
        found[instrument][done] = number
    others = rows.filter(state__in=[state for state in ArchiveRow.State if state != done])
    for instrument, state, number in (
        others.values_list("instrument", "state").annotate(n=Count("pk")).order_by()
    ):
        found[instrument][state] = number
        found[instrument][done] -= number
    public = not is_curator(actor)
    if public:
        withheld = rows.filter(ArchiveRow.withheld())
        for instrument, number in withheld.values_list("instrument").annotate(n=Count("pk")).order_by():
            found[instrument][ArchiveRow.State.FAILED] -= number
    for part in parts(_hidden_ids(actor)):
        hidden = rows.filter(dp_id__in=part)
        if public:
            hidden = hidden.exclude(ArchiveRow.withheld())
        for instrument, state in hidden.values_list("instrument", "state"):
            found[instrument][state] -= 1
    return found


def _hidden_ids(actor: Actor) -> list[str]:
    """Identifiers of files whose exposures or refusals this reader may not see."""
    unseen = ~visible_rows(actor)
    hidden = set(RefusedHeader.objects.filter(unseen).values_list("header_id", flat=True))
    # In two steps, for the keys alone come from an index and the table is wide.
    for part in parts(list(Exposure.objects.filter(unseen).values_list("pk", flat=True))):
        hidden.update(Exposure.objects.filter(pk__in=part).values_list("exp_header_id", flat=True))
    return sorted(hidden)


def _names() -> list[str]:
    """The sources that are followed, then those that were read by hand."""
    followed = sources.configured()
    others = SyncRun.objects.exclude(source__in=followed).values_list("source", flat=True)
    return [*followed, *sorted(set(others.order_by().distinct()))]


def _cursors(name: str) -> list[SyncCursor]:
    """Where the source stands, without the row that only serves as its lock."""
    rows = SyncCursor.objects.filter(source=name).order_by("instrument")
    return [row for row in rows if row.instrument or row.position]


def _lag(read: datetime) -> int:
    return max(0, round((timezone.now() - read).total_seconds()))


def _iso(when: datetime | None) -> str | None:
    return when.isoformat() if when else None
