"""How fast the demonstration archive is made, and how fast a header of it is read and described.

Run: python bench/bench_demo.py [exposures]
"""

from __future__ import annotations

import sys
import time
from datetime import date

from obsportal.demo.generate import generate
from obsportal.exposures.describe import describe
from obsportal.formats.fits_header import Header


def main() -> None:
    exposures = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    began = time.process_time()
    headers = list(generate(exposures, start=date(2004, 1, 1), end=date(2026, 6, 30)))
    made = time.process_time() - began
    began = time.process_time()
    for header in headers:
        describe(Header.parse(header.text), archive_row=header.archive_row, header_id=header.name)
    described = time.process_time() - began
    size = sum(len(header.text) for header in headers)
    each = 1e3 / len(headers)
    print(f"{len(headers)} headers, {size / 1e6:.0f} MB, CPU time per header:")
    print(f"  generate {made * each:.3f} ms (goal 0.45)")
    print(f"  parse and describe {described * each:.3f} ms, {described / made:.1f} times as long")


if __name__ == "__main__":
    main()
