"""The formats a result can be asked in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import pyarrow as pa

from obsportal.serialise.columns import Column
from obsportal.serialise.delimited import write_csv, write_tsv
from obsportal.serialise.json import write_json
from obsportal.serialise.votable import Dialect, Serialisation, write_votable


class Writer(Protocol):
    """Turns record batches into chunks of bytes."""

    def __call__(
        self,
        batches: Iterable[pa.RecordBatch],
        columns: Sequence[Column],
        *,
        params: Mapping[str, str] | None = None,
    ) -> Iterator[bytes]:
        """The document, chunk by chunk."""


@dataclass(frozen=True, slots=True)
class Format:
    """A name for `?format=`, what to send as Content-Type, how to end a file name, and the writer."""

    name: str
    media_type: str
    extension: str
    writer: Writer


VOTABLE = "application/x-votable+xml"

FORMATS: dict[str, Format] = {
    form.name: form
    for form in (
        Format("votable", VOTABLE, "xml", partial(write_votable, dialect=Dialect.CONTRACT)),
        Format(
            "votable/td",
            f"{VOTABLE};serialization=TABLEDATA",
            "xml",
            partial(write_votable, dialect=Dialect.IVOA),
        ),
        Format(
            "votable/b2",
            f"{VOTABLE};serialization=BINARY2",
            "xml",
            partial(write_votable, dialect=Dialect.IVOA, serialisation=Serialisation.BINARY2),
        ),
        Format("csv", "text/csv; charset=utf-8", "csv", write_csv),
        Format("tsv", "text/tab-separated-values", "tsv", write_tsv),
        Format("json", "application/json", "json", write_json),
    )
}
