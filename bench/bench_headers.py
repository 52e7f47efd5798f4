"""Headers described a second, beside the time astropy needs to read the same keywords of the same headers.

    python bench/bench_headers.py [folder of *.hdr files] [rounds]

Ours is everything: parse, decide, describe by all rules, recompute baselines, validate. Astropy's is
``Header.fromstring`` and the values of the keywords our rules asked for. Both in one process, rounds
taken in turn, the best of each counts.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from astropy.io import fits

from obsportal.exposures.describe import describe
from obsportal.formats.fits_header import Header

DEFAULT = Path(__file__).resolve().parents[2] / "shared" / "data" / "headers"


class Recorder(Header):
    """A header that writes down which keywords are asked for."""

    def _field(self, keyword: str) -> str | None:
        asked.add(keyword)
        return super()._field(keyword)


asked: set[str] = set()


def keywords_of(text: str) -> list[str]:
    asked.clear()
    describe(Recorder.parse(text), include_products=True)
    return sorted(asked)


def seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    files = sorted(p for p in folder.rglob("*.hdr") if p.parent.name != "CHARA")
    if not files:
        sys.exit(f"no *.hdr files in {folder}")
    raw = [p.read_bytes() for p in files]
    texts = [data.decode("latin-1") for data in raw]
    wanted = [keywords_of(text) for text in texts]

    def ours() -> None:
        for data in raw:
            describe(Header.parse(data), include_products=True)

    def astropys() -> None:
        for text, keywords in zip(texts, wanted, strict=True):
            header = fits.Header.fromstring(text.rstrip("\n"), sep="\n")
            for keyword in keywords:
                header.get(keyword)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mine, theirs = zip(*((seconds(ours), seconds(astropys)) for _ in range(rounds)), strict=True)
    n, size = len(files), sum(map(len, raw)) / len(files)
    each = sum(map(len, wanted)) / n
    print(f"{n} headers of {size / 1000:.0f} kB on average, {each:.0f} keywords asked of each")
    print(f"obsportal  {n / min(mine):8.0f} headers/s  described and validated")
    print(f"astropy    {n / min(theirs):8.0f} headers/s  parsed, the same keywords read")
    print(f"ratio      {min(theirs) / min(mine):8.1f}")


if __name__ == "__main__":
    main()
