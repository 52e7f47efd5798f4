"""Headers from files to committed SQLite rows, beside reading them with astropy and saving with the ORM."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

HEADERS = 2000


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="obsportal-ingest-"))
    os.environ.update(OBSPORTAL_DATA=str(folder / "data"), DJANGO_SETTINGS_MODULE="obsportal.site.settings")
    try:
        run(folder)
    finally:
        shutil.rmtree(folder)


def run(folder: Path) -> None:
    import django

    django.setup()
    from obsportal.exposures.intake import ingest_paths
    from obsportal.site import schema

    schema.upgrade()
    size = write_headers(folder / "headers")
    for processes in (1, 2):
        from obsportal.exposures.models import Exposure, HeaderVersion, RefusedHeader

        for model in (Exposure, RefusedHeader, HeaderVersion):
            model.objects.all().delete()
        began = time.perf_counter()
        report = ingest_paths([str(folder / "headers")], processes=processes)
        rate = report.read / (time.perf_counter() - began)
        print(
            f"{processes} process(es): {rate:7.0f} headers/s end to end"
            f" ({report.added} exposures, {report.refused} refused; goal: at least 400)"
        )
    peer = astropy_rate(folder / "headers")
    print(f"astropy + ORM:   {peer:7.0f} headers/s   ratio {rate / peer:.1f}")
    print(f"headers of {size / 1000:.0f} kB on average")


def write_headers(folder: Path) -> float:
    """Demonstration headers padded to the real size with cards that no rule reads."""
    from datetime import date

    from obsportal.demo.generate import generate

    folder.mkdir()
    padding = [f"{f'HIERARCH ESO DET PAD{i} VAL = {i * 0.5}':80}" for i in range(800)]
    sizes = []
    for number, header in enumerate(generate(HEADERS, 3, start=date(2010, 1, 1), end=date(2024, 1, 1))):
        cards = header.text.splitlines()
        if "INSTRUME" in header.text and "ESO" in header.text:
            cards[-1:-1] = padding
        text = "\n".join(cards) + "\n"
        sizes.append(len(text))
        (folder / f"{number:06d}.hdr").write_text(text, encoding="latin-1")
    return sum(sizes) / len(sizes)


def astropy_rate(folder: Path) -> float:
    """Headers per second when astropy reads and Django saves a few values."""
    from astropy.io import fits
    from django.db import transaction
    from django.utils import timezone

    from obsportal.exposures.models import RefusedHeader

    files = sorted(folder.iterdir())[:200]
    began = time.perf_counter()
    with transaction.atomic():
        for path in files:
            header = fits.Header.fromstring(path.read_text(encoding="latin-1").rstrip("\n"), sep="\n")
            now = timezone.now()
            RefusedHeader.objects.create(
                header_id=str(header.get("ARCFILE", path.name)),
                code="peer",
                reason=str(header.get("OBJECT", "")),
                source=str(path),
                exp_mjd_start=header.get("MJD-OBS"),
                first_seen=now,
                last_seen=now,
            )
    return len(files) / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
