"""What can be done with exposures: ingest headers, override a value, read what is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

import zstandard
from django.db import transaction
from django.utils import timezone

from obsportal.accounts.access import Visibility
from obsportal.exposures import archive_values, bulk, pairs
from obsportal.exposures.corrections import corrected, in_force
from obsportal.exposures.gather import targets
from obsportal.exposures.gather.pointings import Claims
from obsportal.exposures.models import (
    ContinuationFile,
    Exposure,
    HeaderVersion,
    Provenance,
    RefusedHeader,
)
from obsportal.exposures.observations import derive
from obsportal.exposures.projection import AUTHORITIES
from obsportal.exposures.record import ExposureRecord, Refusal
from obsportal.exposures.versions import bump, lock

if TYPE_CHECKING:
    from obsportal.exposures.digest import Digest, OriginSet

BATCH = 500
"""Headers written per transaction: a kill loses at most these, and a re-run brings them back."""


@dataclass(slots=True)
class IngestReport:
    """What an ingest did, counted by header; refusals are listed."""

    read: int = 0
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    refused_items: list[Refusal] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "read": self.read,
            "added": self.added,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "refused": self.refused,
            "refusals": [{"id": r.header_id, "code": r.code, "reason": r.reason} for r in self.refused_items],
        }


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """How headers are taken in."""

    visibility: Visibility = Visibility.PUBLIC
    authority: str = ""
    """Who gave the identifiers; "" takes the interferometer's own."""
    list_refusals: int = 10_000
    """How many refusals the report lists; all are counted."""
    current: bool = False
    """These are what the archive holds now: a text that was kept before is the newest again."""


def ingest(
    digests: Iterable[Digest],
    options: IngestOptions | None = None,
    progress: Callable[[IngestReport], None] | None = None,
) -> IngestReport:
    """Write described headers into the records, a batch per transaction.

    Idempotent: the same header twice changes nothing the second time. A refused header is kept
    with its reason; it never stops the batch.
    """
    options = options or IngestOptions()
    report = IngestReport()
    stream = iter(digests)
    cache = _Caches()
    while batch := list(islice(stream, BATCH)):
        with transaction.atomic():
            _write(batch, options, report, cache)
        if progress:
            progress(report)
    if report.added >= MANY:
        bulk.refresh_statistics()
    return report


MANY = 1000
"""Rows added by one ingest from which the planner should look at the table anew."""


@dataclass(slots=True)
class _Caches:
    """Identities looked up often during one ingest."""

    provenance: dict[str, int] = field(default_factory=dict)


def _write(batch: list[Digest], options: IngestOptions, report: IngestReport, cache: _Caches) -> None:
    now = timezone.now().replace(microsecond=0)
    report.read += len(batch)
    lock()
    try:
        headers = _keep_headers(batch, now, current=options.current)
        _refuse(batch, headers, options, report, now)
        _provenance(batch, cache)
        touched = _project(batch, headers, options, report, cache, now)
    except BaseException:
        cache.provenance.clear()  # rows made in a transaction that is rolled back
        raise
    if touched.any:
        _join_continuations(touched.groups, now)
        pairs.count_once(touched.pairs)
        bump("exposures", now)
        derive.regroup_nights(touched.nights, mark=False)


def _keep_headers(
    batch: list[Digest], now: datetime, *, current: bool
) -> dict[tuple[str, str], HeaderVersion]:
    """Store the texts not yet kept; answer the versions of each header of the batch, the newest marked.

    A new text is received after all that are kept, whatever the clock says. One that is kept already
    is received anew only when it is ``current``.
    """
    texts = {(d.header_id, d.sha256): d for d in batch if d.text_zstd}
    kept = HeaderVersion.objects.filter(header_id__in={key[0] for key in texts}).defer("text_zstd")
    last: dict[str, datetime] = {}
    known = set()
    for header in kept:
        known.add((header.header_id, header.sha256))
        last[header.header_id] = max(header.received_at, last.get(header.header_id, header.received_at))
    fresh = []
    for key, digest in texts.items():
        if key not in known:
            last[key[0]] = _after(now, last.get(key[0]))
            fresh.append(
                {
                    "header_id": key[0],
                    "sha256": key[1],
                    "text_zstd": digest.text_zstd,
                    "size": digest.size,
                    "source": digest.source[-300:],
                    "received_at": last[key[0]],
                }
            )
    bulk.insert(HeaderVersion, fresh, ignore_existing=True)
    versions = {(h.header_id, h.sha256): h for h in kept.order_by("received_at", "pk").all()}
    newest = {header.header_id: header for header in versions.values()}
    if current:
        for key in texts:
            again = versions[key]
            if newest[key[0]] is not again:
                again.received_at = _after(now, newest[key[0]].received_at)
                again.save(update_fields=["received_at"])
                newest[key[0]] = again
    for header in versions.values():
        header.newest = newest[header.header_id] is header  # type: ignore[attr-defined]
    return versions


def _after(now: datetime, last: datetime | None) -> datetime:
    return now if last is None or now > last else last + timedelta(microseconds=1)


def _refuse(
    batch: list[Digest],
    headers: Mapping[tuple[str, str], HeaderVersion],
    options: IngestOptions,
    report: IngestReport,
    now: datetime,
) -> None:
    refused = {(d.refusal.header_id[:300], d.refusal.code): d for d in batch if d.refusal}
    report.refused += sum(1 for d in batch if d.refusal)
    for digest in batch:
        if digest.refusal:
            report.refusals[digest.refusal.code] += 1
            if len(report.refused_items) < options.list_refusals:
                report.refused_items.append(digest.refusal)
    accepted = [headers[d.header_id, d.sha256].pk for d in batch if d.records and d.text_zstd]
    RefusedHeader.objects.filter(header_version__in=accepted).delete()
    if options.current:
        ids = [d.header_id for d in batch if d.records]
        RefusedHeader.objects.filter(header_id__in=ids, header_version__isnull=False).delete()
    if not refused:
        return
    known = {
        (r.header_id, r.code): r
        for r in RefusedHeader.objects.filter(header_id__in={key[0] for key in refused})
    }
    fresh = []
    for key, digest in refused.items():
        refusal = digest.refusal
        assert refusal is not None
        header = headers.get((digest.header_id, digest.sha256))
        values = {
            "reason": refusal.reason.replace("\x00", ""),
            "source": digest.source[-300:],
            "instrument_name": refusal.instrument_name[:20],
            "exp_mjd_start": refusal.mjd_start,
            "header_version_id": header.pk if header else None,
            "last_seen": now,
        }
        if key in known:
            RefusedHeader.objects.filter(pk=known[key].pk).update(**values)
        else:
            identity = {"header_id": key[0], "code": key[1], "first_seen": now}
            fresh.append(identity | {"visibility": options.visibility.value} | values)
    bulk.insert(RefusedHeader, fresh)


def _provenance(batch: list[Digest], cache: _Caches) -> None:
    wanted = {p.sha256: p for d in batch for p in d.provenances if p.sha256 not in cache.provenance}
    if not wanted:
        return
    bulk.insert(
        Provenance,
        [{"sha256": p.sha256, "origins": p.origins} for p in wanted.values()],
        ignore_existing=True,
    )
    cache.provenance.update(Provenance.objects.filter(sha256__in=wanted).values_list("sha256", "pk"))


@dataclass(slots=True)
class _Touched:
    """Keys of the exposures that a batch changed."""

    any: bool = False
    groups: set[str] = field(default_factory=set)
    pairs: set[str] = field(default_factory=set)
    nights: set[derive.Night] = field(default_factory=set)
    pointings: set[int | None] = field(default_factory=set)
    """Pointings that may have lost an exposure, or are no longer of the same dates."""

    def leave(self, existing: Exposure, row: Mapping[str, Any]) -> None:
        """Note the pointings of an exposure where the new row says otherwise."""
        columns = ("pointing_id", "ft_pointing_id", "exp_mjd_start", "instrument_name", "target_typed_name")
        if any(getattr(existing, name) != row[name] for name in columns):
            self.pointings |= {existing.pointing_id, existing.ft_pointing_id}

    def add(self, record: ExposureRecord) -> None:
        self.any = True
        self.nights.add(derive.night_of_row(record.night, record.mjd_start, record.interferometer_name))
        self.groups |= {record.group_key} - {""}
        self.pairs |= {record.pair_key} - {""}


def _project(
    batch: list[Digest],
    headers: Mapping[tuple[str, str], HeaderVersion],
    options: IngestOptions,
    report: IngestReport,
    cache: _Caches,
    now: datetime,
) -> _Touched:
    """Write the exposures of the newest header versions; answer the keys of those that changed."""
    exp_ids = {record.exp_id for d in batch for record in d.records}
    known = {e.exp_id: e for e in Exposure.objects.filter(exp_id__in=exp_ids)}
    overrides = in_force([e.pk for e in known.values()])
    plan = _plan(batch, headers, known)
    filed = targets.settle(*_claims(plan, known, options), now)
    fresh: dict[str, dict[str, Any]] = {}
    touched = _Touched()
    for digest, header, shown in plan:
        outcome = "unchanged"
        for record, values, provenance in shown:
            if record.group_index > 1 and header:
                if _keep_continuation(record, header):
                    outcome = "added"
                    touched.add(record)
                continue
            existing = known.get(record.exp_id)
            row = values | {
                "header_id": header.pk if header else None,
                "provenance_id": cache.provenance[provenance.sha256],
                "authority": options.authority or AUTHORITIES.get(record.interferometer_name, ""),
                **filed[record.exp_id],
            }
            if existing is None:
                fresh[record.exp_id] = row | {"visibility": options.visibility.value, "exp_date_updated": now}
                touched.add(record)
                outcome = "added"
                continue
            before = derive.night_of_row(existing.night, existing.exp_mjd_start, existing.interferometer_name)
            row = archive_values.kept(existing, row, provenance.origins)
            touched.leave(existing, row)
            if _update(existing, corrected(row, overrides.get(existing.pk, {})), now):
                touched.nights.add(before)
                touched.add(record)
                outcome = "updated" if outcome == "unchanged" else outcome
        if digest.records:
            setattr(report, outcome, getattr(report, outcome) + 1)
    bulk.insert(Exposure, list(fresh.values()))
    targets.left(touched.pointings, now)
    return touched


_Plan = list[tuple["Digest", HeaderVersion | None, list[tuple[ExposureRecord, dict[str, Any], "OriginSet"]]]]


def _plan(
    batch: list[Digest], headers: Mapping[tuple[str, str], HeaderVersion], known: Mapping[str, Exposure]
) -> _Plan:
    """The records that are to be shown: of the newest header version, raw ones before products."""
    categories = {exp_id: exposure.product_category for exp_id, exposure in known.items()}
    plan: _Plan = []
    for digest in batch:
        header = headers.get((digest.header_id, digest.sha256))
        shown = []
        for item in zip(digest.records, digest.columns, digest.provenances, strict=True):
            record = item[0]
            if categories.get(record.exp_id) == "" and record.product_category:
                continue  # a raw header is shown already
            if header and not getattr(header, "newest", True):
                continue  # a newer version is shown already
            if record.group_index <= 1 or not header:
                categories[record.exp_id] = record.product_category
            shown.append(item)
        plan.append((digest, header, shown))
    return plan


def _claims(
    plan: _Plan, known: Mapping[str, Exposure], options: IngestOptions
) -> tuple[Claims, dict[str, tuple[str, str | None]]]:
    """The pointings that the exposures of a plan need, and their keys by exposure."""
    records = {
        record.exp_id: record
        for _, header, shown in plan
        for record, _, _ in shown
        if record.group_index <= 1 or not header
    }
    claims = Claims()
    keys = {}
    for exp_id, record in records.items():
        visibility = known[exp_id].visibility if exp_id in known else options.visibility
        keys[exp_id] = claims.add_pair(
            record.target, record.ft_target, visibility, record.instrument_name, record.mjd_start
        )
    return claims, keys


def _update(existing: Exposure, values: dict[str, Any], now: datetime) -> bool:
    """Bring a row up to date; answer whether anything differed."""
    if existing.group_key:
        values.pop("exp_mjd_end")  # continuation files extend it
    if existing.pair_key:
        values.pop("time_counted")  # the pair decides
    different = [name for name, value in values.items() if getattr(existing, name) != value]
    if not different:
        return False
    for name in different:
        setattr(existing, name, values[name])
    existing.exp_date_updated = now
    existing.save(update_fields=[*different, "exp_date_updated"])
    return True


def _keep_continuation(record: ExposureRecord, header: HeaderVersion) -> bool:
    _, created = ContinuationFile.objects.update_or_create(
        header_id=record.header_id,
        defaults={
            "group_key": record.group_key,
            "header_version": header,
            "index": record.group_index,
            "exp_mjd_end": record.mjd_end,
        },
    )
    return created


def _join_continuations(group_keys: set[str], now: datetime) -> None:
    """An exposure ends when the last of its files ends."""
    for exposure in Exposure.objects.filter(group_key__in=group_keys):
        ends = ContinuationFile.objects.filter(group_key=exposure.group_key).values_list(
            "exp_mjd_end", flat=True
        )
        end = max([e for e in (*ends, exposure.exp_mjd_end) if e is not None], default=None)
        if end != exposure.exp_mjd_end:
            exposure.exp_mjd_end = end
            exposure.exp_date_updated = now
            exposure.save(update_fields=["exp_mjd_end", "exp_date_updated"])


def header_text(header: HeaderVersion) -> str:
    """The header as it was received, latin-1."""
    raw = zstandard.ZstdDecompressor().decompress(bytes(header.text_zstd), max_output_size=header.size)
    return raw.decode("latin-1")
