"""From files to the records: headers of any kind, and the observing log of the CHARA Array."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from django.db import transaction

from obsportal.accounts.access import Visibility
from obsportal.exposures import chara
from obsportal.exposures.digest import Digest, compress, decompress, digest_all
from obsportal.exposures.gather import targets
from obsportal.exposures.models import Exposure, Target
from obsportal.exposures.observations import derive
from obsportal.exposures.record import ExposureRecord, Level, Message, ObsType, Sighting
from obsportal.exposures.services import IngestOptions, IngestReport, header_text, ingest
from obsportal.exposures.versions import bump, lock
from obsportal.formats.fits_header import Header, HeaderError
from obsportal.formats.header_sources import HeaderSource, read_headers, read_stream
from obsportal.stars.lookup import find
from obsportal.stars.names import normalise

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
    visibility = (options or IngestOptions()).visibility
    frames: list[Frame] = []
    replaced: set[str] = set()

    def others() -> Iterator[tuple[HeaderSource, Mapping[str, Any] | None]]:
        for source, row in sources:
            if source.text is not None and _is_chara_frame(source.text):
                frames.append(Frame.of(source.name, source.text))
            else:
                yield source, row

    def digests() -> Iterator[Digest]:
        yield from digest_all(others(), include_products=include_products, processes=processes)
        yield from _block_digests(frames, replaced, visibility)

    report = ingest(digests(), options, progress)
    _hide(replaced, visibility)
    return report


@dataclass(frozen=True, slots=True)
class Frame:
    """The header of one frame file, compressed: a night has thousands."""

    name: str
    text_zstd: bytes
    size: int

    @classmethod
    def of(cls, name: str, text: str) -> Frame:
        """From the header's text."""
        raw = text.encode("latin-1", "replace")
        return cls(name, compress(raw), len(raw))

    @property
    def raw(self) -> bytes:
        """The header's text, latin-1."""
        return decompress(self.text_zstd, self.size)


BETWEEN_FRAMES = b"\f"
"""Stands between the headers of a block in its stored text."""


_FRAME = re.compile(r"INSTRUME=\s*'(?:MIRC-?X|MYSTIC)\s*'")


def _is_chara_frame(text: str) -> bool:
    """Whether a header is of a raw frame that belongs to a block of many."""
    at = text.find("INSTRUME=")
    return at >= 0 and bool(_FRAME.match(text, at)) and "OI_TARGET" not in text


def _block_digests(frames: Sequence[Frame], replaced: set[str], visibility: Visibility) -> Iterator[Digest]:
    """One digest for each block of frames, and one refusal for each frame left out.

    Frames of the same time that are in the records already are grouped anew with these, so that a
    night that arrives in parts gives the blocks of the whole. ``replaced`` receives the identifiers
    of exposures that these blocks tell better: former blocks, and entries of the log. Public frames
    are never grouped with protected ones, and take nothing from protected entries of the log.
    """
    if not frames:
        return
    fresh = chara.group_frames(_headers(frames)).records
    earlier = _stored_blocks(fresh, visibility)
    kept = {frame.raw for frame in frames}
    known = [f for f in _stored_frames(earlier) if f.raw not in kept]
    every = {frame.name: frame for frame in (*known, *frames)}
    refused_texts: list[Digest] = []
    grouped = chara.group_frames(_headers(every.values(), refused_texts))
    yield from refused_texts
    for refusal in grouped.refusals:
        yield Digest(refusal.header_id, refusal.header_id, refusal=refusal)
    records = [record for block in grouped.blocks for record in block.records]
    joined = chara.join_log(records, _log_entries(records, visibility))
    replaced |= {entry for entry, _ in joined.pairs}
    replaced |= {row.exp_id for row in earlier} - {record.exp_id for record in records}
    for block in grouped.blocks:
        raw = BETWEEN_FRAMES.join(every[name].raw for name in block.sources)
        made = Digest(
            header_id=block.header_id,
            source=f"{block.sources[0]} and {len(block.sources) - 1} more",
            sha256=hashlib.sha256(raw).hexdigest(),
            size=len(raw),
            text_zstd=compress(raw),
        )
        made.take(block.records)
        yield made


def _headers(frames: Iterable[Frame], refused: list[Digest] | None = None) -> Iterator[tuple[str, Header]]:
    for frame in frames:
        try:
            yield frame.name, Header.parse(frame.raw)
        except HeaderError as error:
            if refused is not None:
                refused.append(Digest.refused(frame.name, error.code, str(error)))


def _stored_blocks(records: Sequence[ExposureRecord], visibility: Visibility) -> list[Exposure]:
    """Exposures of frames of this visibility in the records around the time of these records."""
    rows = Exposure.objects.filter(
        interferometer_name="CHARA",
        exp_mjd_start__range=_between(records),
        header__isnull=False,
        visibility__in=(visibility, Visibility.REPLACED),
    ).exclude(exp_header_id__startswith=LOG_PREFIX)
    names = {record.instrument_name for record in records}
    return list(rows.filter(instrument_name__in=names).select_related("header").order_by("pk"))


def _stored_frames(rows: Iterable[Exposure]) -> Iterator[Frame]:
    """The frames whose headers the stored texts of blocks hold."""
    seen: set[int] = set()
    for row in rows:
        if row.header is None or row.header_id in seen or row.visibility == Visibility.REPLACED:
            continue
        seen.add(row.header.pk)
        for number, raw in enumerate(header_text(row.header).split(BETWEEN_FRAMES.decode())):
            yield Frame.of(f"{row.exp_header_id} frame {number + 1}", raw)


def _hide(exp_ids: set[str], visibility: Visibility) -> None:
    """Keep out of sight what others of this visibility tell better; protected ones hide no public row."""
    if not exp_ids:
        return
    with transaction.atomic():
        lock()
        rows = Exposure.objects.filter(exp_id__in=exp_ids).exclude(visibility=Visibility.REPLACED)
        if visibility is not Visibility.PUBLIC:
            rows = rows.exclude(visibility=Visibility.PUBLIC)
        hidden = list(rows.values_list("pk", flat=True))
        if hidden:
            rows.update(visibility=Visibility.REPLACED)
            targets.repoint(targets.as_pointed(Exposure.objects.filter(pk__in=hidden)))
            bump("exposures")
            derive.regroup_nights(derive.nights_of(hidden), mark=False)


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
    _join_known_frames(result.records, options)
    return report


def _join_known_frames(log: Sequence[ExposureRecord], options: IngestOptions | None) -> None:
    """Group the frames of the log's time anew: their exposures then take what the log tells."""
    for visibility in (Visibility.PUBLIC, Visibility.PROTECTED):
        frames = list(_stored_frames(_stored_blocks(log, visibility)))
        replaced: set[str] = set()
        as_frames = replace(options or IngestOptions(), visibility=visibility)
        ingest(_block_digests(frames, replaced, visibility), as_frames)
        _hide(replaced, visibility)


def _position_of(name: str) -> tuple[float, float] | None:
    """The position of the known star of that name, else of the one public target, when there is just one."""
    if star := find(name):
        return star.ra, star.dec
    named = Target.objects.filter(
        pointings__normalised_name=normalise(name), pointings__visibility=Visibility.PUBLIC, ra__isnull=False
    )
    found = list(named.distinct()[:2])
    if len(found) != 1 or found[0].ra is None or found[0].dec is None:
        return None
    return found[0].ra, found[0].dec


def _between(records: Sequence[ExposureRecord]) -> tuple[float, float]:
    starts = [r.mjd_start for r in records if r.mjd_start is not None]
    return (min(starts) - 0.5, max(starts) + 0.5) if starts else (0.0, -1.0)


def _log_entries(records: Sequence[ExposureRecord], visibility: Visibility) -> list[ExposureRecord]:
    """What the log already told of the time of these records, to frames of this visibility."""
    rows = Exposure.objects.filter(
        exp_header_id__startswith=LOG_PREFIX, exp_mjd_start__range=_between(records)
    )
    if visibility is Visibility.PUBLIC:
        rows = rows.exclude(visibility=Visibility.PROTECTED)
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
