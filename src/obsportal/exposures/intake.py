"""From files to the records: headers of any kind, and the observing log of the CHARA Array."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from obsportal.accounts.access import Visibility
from obsportal.exposures import chara
from obsportal.exposures.digest import Digest, compress, digest_all
from obsportal.exposures.models import Exposure, Target
from obsportal.exposures.projection import columns
from obsportal.exposures.record import ExposureRecord, Level, Message, ObsType, Sighting
from obsportal.exposures.services import IngestOptions, IngestReport, bump, ingest
from obsportal.exposures.sightings import normalise
from obsportal.formats.fits_header import Header, HeaderError
from obsportal.formats.header_sources import HeaderSource, read_headers, read_stream

Progress = Callable[[IngestReport], None]

LOG_PREFIX = "CHARA."
"""Identifiers of exposures that come from the observing log begin so."""


class LogRefusedError(ValueError):
    """A log that cannot be read at all; the message says why."""


def ingest_paths(
    paths: Iterable[str],
    *,
    include_products: bool = False,
    processes: int = 1,
    options: IngestOptions | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Take in every header found at these paths; ``-`` is standard input."""
    return ingest_sources(
        ((source, None) for source in _sources(paths)),
        include_products=include_products,
        processes=processes,
        options=options,
        progress=progress,
    )


def _sources(paths: Iterable[str]) -> Iterator[HeaderSource]:
    for path in paths:
        if path == "-":
            yield from read_stream(sys.stdin.buffer, "standard input")
        else:
            yield from read_headers(Path(path))


def ingest_sources(
    sources: Iterable[tuple[HeaderSource, Mapping[str, Any] | None]],
    *,
    include_products: bool = False,
    processes: int = 1,
    options: IngestOptions | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Take in (header, archive row) pairs. Frames of MIRC-X and MYSTIC are grouped to blocks first."""
    frames: list[HeaderSource] = []

    def others() -> Iterator[tuple[HeaderSource, Mapping[str, Any] | None]]:
        for source, row in sources:
            if source.text is not None and _is_chara_frame(source.text):
                frames.append(source)
            else:
                yield source, row

    def digests() -> Iterator[Digest]:
        yield from digest_all(others(), include_products=include_products, processes=processes)
        yield from _frame_digests(frames)

    return ingest(digests(), options, progress)


_FRAME = re.compile(r"INSTRUME=\s*'(?:MIRC-?X|MYSTIC)\s*'")


def _is_chara_frame(text: str) -> bool:
    """Whether a header is of a raw frame that belongs to a block of many."""
    at = text.find("INSTRUME=")
    return at >= 0 and bool(_FRAME.match(text, at)) and "OI_TARGET" not in text


def _frame_digests(sources: Sequence[HeaderSource]) -> Iterator[Digest]:
    """One digest for each block, and one refusal for each frame left out."""
    if not sources:
        return
    by_name = {source.name: source for source in sources}
    readable: list[tuple[str, Header]] = []
    for source in sources:
        try:
            readable.append((source.name, Header.parse(source.text or "")))
        except HeaderError as error:
            yield Digest.refused(source.name, error.code, str(error))
    grouped = chara.group_frames(readable)
    for refusal in grouped.refusals:
        yield Digest(refusal.header_id, refusal.header_id, refusal=refusal)
    records = [record for block in grouped.blocks for record in block.records]
    chara.join_log(records, _log_entries(records))
    for block in grouped.blocks:
        text = "".join(by_name[name].text or "" for name in block.sources)
        raw = text.encode("latin-1", "replace")
        made = Digest(
            header_id=block.header_id,
            source=f"{block.sources[0]} and {len(block.sources) - 1} more",
            sha256=hashlib.sha256(raw).hexdigest(),
            size=len(raw),
            text_zstd=compress(raw),
        )
        made.take(block.records)
        yield made


def ingest_chara_log(data: bytes, name: str, options: IngestOptions | None = None) -> IngestReport:
    """Take a CHARA observing log in. Raises LogRefusedError for a file that is no such log.

    Exposures already known from frames of MIRC-X and MYSTIC take programme, PI and role from it; the
    log's own entries of them stay in the records, out of sight.
    """
    result = chara.describe_log(data, source=Path(name).name, position_of=_position_of)
    if not result.records and len(result.refusals) == 1 and result.refusals[0].header_id == Path(name).name:
        raise LogRefusedError(result.refusals[0].reason)
    raw = data if data else b""
    sha256 = hashlib.sha256(raw).hexdigest()

    def digests() -> Iterator[Digest]:
        for refusal in result.refusals:
            yield Digest(refusal.header_id, name, refusal=refusal)
        for record in result.records:
            made = Digest(record.header_id, name, sha256=sha256)
            made.take([replace(record)])
            yield made

    report = ingest(digests(), options)
    _join_known_frames(result.records)
    return report


def _position_of(name: str) -> tuple[float, float] | None:
    """The position of the one target of that name, when there is just one."""
    found = list(Target.objects.filter(normalised_name=normalise(name), ra__isnull=False)[:2])
    if len(found) != 1 or found[0].ra is None or found[0].dec is None:
        return None
    return found[0].ra, found[0].dec


def _between(records: Sequence[ExposureRecord]) -> tuple[float, float]:
    starts = [r.mjd_start for r in records if r.mjd_start is not None]
    return (min(starts) - 0.5, max(starts) + 0.5) if starts else (0.0, -1.0)


def _log_entries(records: Sequence[ExposureRecord]) -> list[ExposureRecord]:
    """What the log already told of the time of these records."""
    rows = Exposure.objects.filter(
        exp_header_id__startswith=LOG_PREFIX, exp_mjd_start__range=_between(records)
    )
    return [_as_record(row) for row in rows.select_related("target")]


def _as_record(row: Exposure) -> ExposureRecord:
    """The parts of a stored exposure that joining frames with the log compares and hands over."""
    return ExposureRecord(
        header_id=row.exp_header_id,
        exp_id=row.exp_id,
        instrument_name=row.instrument_name,
        interferometer_name=row.interferometer_name,
        mjd_start=row.exp_mjd_start,
        mjd_end=row.exp_mjd_end,
        target=Sighting(row.target_typed_name, row.pointing_ra, row.pointing_dec),
        pointing_ra=row.pointing_ra,
        pointing_dec=row.pointing_dec,
        obs_type=ObsType(row.obs_type),
        obs_type_reason=row.obs_type_reason,
        obs_type_header=row.obs_type_header,
        program_id=row.obs_program,
        pi_coi=row.obs_program_pi_coi,
        technical=row.technical,
        stations=tuple(row.interferometer_stations.split()),
        pops=row.interferometer_pops,
        tau0=row.exp_tau0,
        messages=[
            Message(code, Level(level), text) for code, level, text in json.loads(row.exp_messages or "[]")
        ],
    )


def _join_known_frames(log: Sequence[ExposureRecord]) -> None:
    """Hand the log's facts to exposures of frames that came first; hide the entries they replace."""
    if not log:
        return
    chara_rows = Exposure.objects.filter(interferometer_name="CHARA", exp_mjd_start__range=_between(log))
    rows = {
        row.exp_id: row
        for row in chara_rows.exclude(exp_header_id__startswith=LOG_PREFIX).select_related("target")
    }
    records = [_as_record(row) for row in rows.values()]
    joined = chara.join_log(records, log)
    if not joined.pairs:
        return
    now = timezone.now().replace(microsecond=0)
    handed = (
        "obs_program", "obs_program_root", "obs_program_pi_coi", "technical", "obs_type", "obs_type_header",
        "obs_type_reason", "interferometer_stations", "station_set", "interferometer_pops", "exp_tau0",
    )  # fmt: skip
    by_id = {record.exp_id: record for record in records}
    with transaction.atomic():
        for exp_id in {frame for _, frame in joined.pairs}:
            values = columns(by_id[exp_id])
            row = rows[exp_id]
            if by_id[exp_id].baselines:
                row.exp_projected_baselines = values["exp_projected_baselines"]
            changed = [name for name in handed if getattr(row, name) != values[name]]
            for name in changed:
                setattr(row, name, values[name])
            row.exp_date_updated = now
            row.save()
        replaced = {entry for entry, _ in joined.pairs}
        Exposure.objects.filter(exp_id__in=replaced).update(visibility=Visibility.REPLACED)
        bump("exposures", now)
