"""Put the demonstration archive into the records."""

from __future__ import annotations

import csv
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from obsportal.demo.chara_log import demo_chara_log
from obsportal.demo.generate import AUTHORITY, generate
from obsportal.demo.stars import named_stars
from obsportal.exposures.intake import ingest_chara_log, ingest_sources
from obsportal.exposures.models import Exposure
from obsportal.exposures.services import IngestOptions, IngestReport
from obsportal.formats.header_sources import HeaderSource
from obsportal.stars import services as stars

FIRST_NIGHT = date(2004, 1, 1)
LAST_NIGHT = date(2026, 9, 30)
PROCESSES = 2
STAR_LIST = "demonstration"


class DemoRefusedError(RuntimeError):
    """The data folder holds records that are not of the demonstration."""


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What is there after loading."""

    exposures: int
    refused: int
    generated: bool
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "exposures": self.exposures,
            "refused": self.refused,
            "generated": self.generated,
            "seconds": round(self.seconds, 1),
        }

    def sentence(self) -> str:
        """For people."""
        if not self.generated:
            return f"The demonstration archive is there: {self.exposures} exposures."
        return (
            f"Generated {self.exposures} demonstration exposures and {self.refused} refused frames"
            f" in {self.seconds:.1f} s."
        )


def load(exposures: int, seed: int, progress: Callable[[IngestReport], None] | None = None) -> DemoResult:
    """Generate and ingest about ``exposures`` exposures, unless as many are there already.

    An interrupted load goes on where it was: the same seed gives the same headers. Raises DemoRefusedError
    where other records are.
    """
    began = time.monotonic()
    if Exposure.objects.exclude(authority=AUTHORITY).exists():
        raise DemoRefusedError(
            "this portal holds other records; set OBSPORTAL_DATA to another folder for the demonstration"
        )
    present = Exposure.objects.count()
    if present >= exposures * 0.98:
        return DemoResult(present, 0, False, time.monotonic() - began)
    _load_stars()
    options = IngestOptions(authority=AUTHORITY, list_refusals=0)
    report = ingest_sources(
        _sources(exposures, seed), processes=PROCESSES, options=options, progress=progress
    )
    log = ingest_chara_log(demo_chara_log(seed).encode(), "demonstration log", options)
    return DemoResult(Exposure.objects.count(), report.refused + log.refused, True, time.monotonic() - began)


def _load_stars() -> None:
    """The well-known stars with their motion, so that fast ones are one target over all years."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stars.csv"
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(("name", "names", "ra", "dec", "pmra", "pmdec"))
            for star in named_stars():
                writer.writerow((star.name, "|".join(star.names), star.ra, star.dec, star.pm_ra, star.pm_dec))
        stars.load(path, STAR_LIST)


def _sources(exposures: int, seed: int) -> Iterator[tuple[HeaderSource, Mapping[str, Any]]]:
    for header in generate(exposures, seed, start=FIRST_NIGHT, end=LAST_NIGHT):
        yield HeaderSource(header.name, header.text), header.archive_row
