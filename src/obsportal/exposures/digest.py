"""A header read, described and compressed: all of ingest that needs no database.

Runs in worker processes when there are many headers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from itertools import chain, islice
from multiprocessing import get_context
from pathlib import PurePath
from typing import Any

import zstandard

from obsportal.exposures.describe import describe
from obsportal.exposures.projection import columns
from obsportal.exposures.record import ExposureRecord, Refusal
from obsportal.formats.fits_header import Header, HeaderError
from obsportal.formats.header_sources import HeaderSource

CHUNK = 200
"""Headers handed to a worker process at once."""
LONGEST_IDENTIFIER = 120
"""Characters of an exposure's identifier; ESO's have fewer than 40."""


@dataclass(frozen=True, slots=True)
class OriginSet:
    """Where the values of a record came from, with the hash that identifies the set."""

    sha256: str
    origins: dict[str, str]


@dataclass(slots=True)
class Digest:
    """One header, ready to be written."""

    header_id: str
    source: str
    sha256: str = ""
    size: int = 0
    text_zstd: bytes = b""
    records: list[ExposureRecord] = field(default_factory=list)
    columns: list[dict[str, Any]] = field(default_factory=list)
    provenances: list[OriginSet] = field(default_factory=list)
    refusal: Refusal | None = None

    def take(self, records: Sequence[ExposureRecord]) -> None:
        """Add the exposures with their columns; what only the columns need is dropped from the records."""
        for record in records:
            self.records.append(record)
            self.columns.append(columns(record))
            self.provenances.append(origin_set(record.provenance))
            record.provenance, record.baselines, record.messages = {}, (), []

    @classmethod
    def refused(cls, source: str, code: str, reason: str) -> Digest:
        """Something that could not be read."""
        return cls(source, source, refusal=Refusal(source, code, reason))


def origin_set(origins: Mapping[str, str]) -> OriginSet:
    """Where values came from, with the hash of it."""
    return _origin_set(tuple(sorted(origins.items())))


def compress(raw: bytes) -> bytes:
    """A header text as it is kept: zstd."""
    return _compressor().compress(raw)


def decompress(packed: bytes, size: int) -> bytes:
    """The header text of ``compress``; ``size`` bounds what is unpacked."""
    return zstandard.ZstdDecompressor().decompress(packed, max_output_size=size)


@lru_cache(maxsize=4096)
def _origin_set(items: tuple[tuple[str, str], ...]) -> OriginSet:
    origins = dict(items)
    text = json.dumps(origins, sort_keys=True)
    return OriginSet(hashlib.sha256(text.encode()).hexdigest(), origins)


def digest(
    source: HeaderSource,
    *,
    include_products: bool = False,
    archive_row: Mapping[str, Any] | None = None,
) -> Digest:
    """Describe one header. What cannot be read or is no exposure comes back as a refusal."""
    if source.error is not None or source.text is None:
        error = source.error
        refusal = Refusal(source.name, error.code if error else "unreadable", str(error or "no text"))
        return Digest(source.name, source.name, refusal=refusal)
    raw = source.text.encode("latin-1", "replace")
    made = Digest(source.name, source.name, hashlib.sha256(raw).hexdigest(), len(raw))
    try:
        header = Header.parse(source.text)
        outcome = describe(
            header,
            include_products=include_products,
            archive_row=archive_row,
            header_id=None if "INSTRUME" in header else PurePath(source.name).name,
        )
    except HeaderError as error:
        made.refusal = Refusal(source.name, error.code, str(error))
        return made
    made.text_zstd = compress(raw)
    if isinstance(outcome, Refusal):
        made.header_id = (outcome.header_id or source.name)[-120:]
        made.refusal = replace(outcome, header_id=made.header_id)
        return made
    made.header_id = outcome[0].header_id
    longest = max(len(record.exp_id) for record in outcome)
    if longest > LONGEST_IDENTIFIER:
        reason = f"the identifier has {longest} characters: at most {LONGEST_IDENTIFIER} are kept"
        made.header_id = made.header_id[:LONGEST_IDENTIFIER]
        made.refusal = Refusal(made.header_id, "no-identifier", reason, outcome[0].instrument_name)
        return made
    made.take(outcome)
    return made


@lru_cache(maxsize=1)
def _compressor() -> zstandard.ZstdCompressor:
    return zstandard.ZstdCompressor(level=1)  # level 3 takes a third longer for a tenth of the size


def _digest_chunk(
    chunk: list[tuple[HeaderSource, Mapping[str, Any] | None]], include_products: bool
) -> list[Digest]:
    return [digest(source, include_products=include_products, archive_row=row) for source, row in chunk]


def digest_all(
    sources: Iterable[tuple[HeaderSource, Mapping[str, Any] | None]],
    *,
    include_products: bool = False,
    processes: int = 1,
) -> Iterator[Digest]:
    """Digest (source, archive row) pairs in order; with ``processes`` > 1 beside the caller.

    At most a few chunks are in flight, so memory stays flat whatever the number of headers.
    """
    stream = iter(sources)
    first = list(islice(stream, CHUNK * 2))
    work: Callable[[list[tuple[HeaderSource, Mapping[str, Any] | None]]], list[Digest]]
    work = partial(_digest_chunk, include_products=include_products)
    if processes < 2 or len(first) < CHUNK * 2:
        for source, row in chain(first, stream):
            yield digest(source, include_products=include_products, archive_row=row)
        return
    stream = chain(first, stream)
    with ProcessPoolExecutor(processes, mp_context=get_context("forkserver")) as pool:
        pending = []
        for chunk in iter(lambda: list(islice(stream, CHUNK)), []):
            pending.append(pool.submit(work, chunk))
            if len(pending) > processes * 2:
                yield from pending.pop(0).result()
        for future in pending:
            yield from future.result()
