"""Following the ESO archive: changed rows from a stand-in on this machine to committed SQLite rows.

Beside it the same headers through plain ingest, and a run that finds nothing new. The stand-in is a
process of its own on the same cores.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROWS = int(os.environ.get("OBSPORTAL_BENCH_ROWS", "10000"))
SERVER = Path(__file__).resolve().parents[1] / "tests" / "sync" / "archive_server.py"


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="obsportal-sync-"))
    os.environ.update(OBSPORTAL_DATA=str(folder / "data"), DJANGO_SETTINGS_MODULE="obsportal.site.settings")
    command = [sys.executable, str(SERVER), str(ROWS)]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        address, rows = server.stdout.readline().split()
        run(server, address, int(rows))
    finally:
        server.communicate()
        shutil.rmtree(folder)


def run(server: subprocess.Popen[str], address: str, rows: int) -> None:
    import django

    django.setup()
    from obsportal.connectors.http import Manners
    from obsportal.exposures.models import Exposure
    from obsportal.site import schema
    from obsportal.sync import report, runs
    from obsportal.sync.eso import EsoSource

    schema.upgrade()
    manners = Manners(parallel=8)
    source = EsoSource(f"{address}/tap_obs", f"{address}/hdr", manners, datetime(2019, 1, 1, tzinfo=UTC))
    memory: list[float] = []

    def timed(what: str) -> float:
        began = time.perf_counter()
        ended = runs.run(source, progress=lambda job: memory.append(own_memory_mb()))
        seconds = time.perf_counter() - began
        if ended.status != "done":
            raise SystemExit(f"{what}: {ended.status}: {ended.problem}")
        print(f"{what + ':':16} {seconds:7.1f} s   {report.sentence(ended)}")
        return seconds

    first = timed("back-fill")
    print(f"{rows / first:23.0f} headers/s, {Exposure.objects.count()} exposures")
    assert server.stdin
    assert server.stdout
    server.stdin.write(f"{datetime.now(UTC) - timedelta(minutes=1):%Y-%m-%dT%H:%M:%S}+00:00\n")
    server.stdin.flush()
    server.stdout.readline()
    memory.clear()
    changed = timed("changed rows")
    quarter = max(1, len(memory) // 4)
    print(
        f"{rows / changed:23.0f} headers/s (goal: at least 200); memory of its own {max(memory[:quarter]):.0f} MB"
        f" in the first quarter, {max(memory[-quarter:]):.0f} MB in the last"
    )
    print(f"{plain_rate(rows):23.0f} headers/s by plain ingest of the same texts")
    nothing = timed("nothing new")
    print(f"{nothing:23.2f} s with nothing new (goal: under 2)")


def own_memory_mb() -> float:
    """Memory of this process that is its own."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("RssAnon"))


def plain_rate(rows: int) -> float:
    """Headers a second of ingest in this process, texts as they were received."""
    from obsportal.exposures.intake import ingest_sources
    from obsportal.exposures.models import ContinuationFile, Exposure, HeaderVersion, RefusedHeader
    from obsportal.exposures.services import header_text
    from obsportal.formats.header_sources import HeaderSource
    from obsportal.sync.models import ArchiveRow

    texts = [(v.header_id, header_text(v)) for v in HeaderVersion.objects.order_by("pk")[:2000]]
    told = dict(ArchiveRow.objects.values_list("dp_id", "row"))
    from django.db import connection, transaction

    class UndoneError(Exception):
        pass

    began = ended = 0.0
    try:
        with transaction.atomic():
            for model in (Exposure, RefusedHeader, ContinuationFile, HeaderVersion):
                model.objects.all().delete()
            began = time.perf_counter()
            made = ingest_sources((HeaderSource(name, text), told.get(name)) for name, text in texts)
            ended = time.perf_counter()
            print(
                f"{'plain ingest:':16} {made.added} of {len(texts)} added, {sum(len(t) for _, t in texts) // len(texts)} bytes each"
            )
            raise UndoneError
    except UndoneError:
        connection.close()
    return len(texts) / (ended - began)


if __name__ == "__main__":
    main()
