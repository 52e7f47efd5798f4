"""An ESO source of a local archive, and what its runs leave in the records."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from archive_server import Archive, demo_archive
from django.forms.models import model_to_dict

from obsportal.connectors.http import Manners
from obsportal.exposures.models import Exposure, HeaderVersion, RefusedHeader
from obsportal.sync import runs
from obsportal.sync.eso import EsoSource
from obsportal.sync.job import SyncOptions
from obsportal.sync.models import ArchiveRow, SyncCursor, SyncRun

NIGHT = date(2019, 3, 1)
SINCE = datetime(2019, 1, 1, tzinfo=UTC)
QUICK = Manners(parallel=4, first_wait=0.001, longest_wait=0.05, tries=3, timeout=5.0)


def small_archive(number: int = 60, nights: int = 3) -> Archive:
    """A few demonstration nights."""
    return demo_archive(number, start=NIGHT, end=date(2019, 3, nights))


def source(address: str, page_rows: int = 5000, since: datetime = SINCE) -> EsoSource:
    return EsoSource(f"{address}/tap_obs", f"{address}/hdr", QUICK, since, page_rows)


def follow(address: str, page_rows: int = 5000, **options: Any) -> SyncRun:
    """One run."""
    return runs.run(source(address, page_rows), SyncOptions(**options))


def done(run: SyncRun) -> dict[str, Any]:
    """The counts of a run that went well."""
    assert run.status == "done", run.problem
    return dict(run.counts)


_OWN = {"id", "header", "provenance", "target", "ft_target", "pointing", "ft_pointing", "observation"}


def contents() -> dict[str, list[Any]]:
    """What the records hold, without keys and times of writing: equal for equal archives."""
    exposures = [
        {k: v for k, v in model_to_dict(e).items() if k not in _OWN | {"exp_date_updated"}}
        | {"target_name": e.target.name}
        for e in Exposure.objects.select_related("target").order_by("exp_id")
    ]
    return {
        "exposures": exposures,
        "headers": sorted(HeaderVersion.objects.values_list("header_id", "sha256")),
        "refused": sorted(RefusedHeader.objects.values_list("header_id", "code")),
        "rows": sorted(ArchiveRow.objects.values_list("dp_id", "state", "modified_at")),
        "filled": sorted(
            SyncCursor.objects.exclude(instrument="").values_list("instrument", "backfilled_to")
        ),
    }
