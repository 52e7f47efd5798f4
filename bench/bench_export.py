"""All exposures with all fields as VOTable, over HTTP, beside astropy's writer on the same rows."""

from __future__ import annotations

import io
import os
import subprocess
import time

import portal


def main() -> None:
    portal.prepare()
    from obsportal.exposures.models import Exposure

    total = Exposure.objects.filter(visibility="public").count()
    with portal.served(workers=1) as address:
        portal.Connection(address).get("/search.votable?limit=10")
        pid = portal.worker_pid()
        began_at = portal.own_memory_mb(pid)
        with portal.Watched(pid) as watched:
            results = [stream(address) for _ in range(3)]
        grown = watched.peak - began_at
    first, seconds, size = min(results, key=lambda r: r[1])
    peer = astropy_rows_per_second(4000)
    rate = total / seconds
    print(f"{total} rows, {size / 1e6:.0f} MB, best of {len(results)}")
    print(f"to the client:     {rate:10.0f} rows/s   (goal: at least 100000)")
    print(f"first byte:        {first:10.3f} s        (goal: under 0.3)")
    print(f"memory growth:     {grown:10.0f} MB       (goal: under 200)")
    print(f"astropy's writer:  {peer:10.0f} rows/s   ratio {rate / peer:.0f}")
    tenfold()


def stream(address: tuple[str, int]) -> tuple[float, float, int]:
    """Seconds to the first byte and to the last, and the size."""
    began = time.perf_counter()
    connection = portal.Connection(address).socket
    connection.sendall(b"GET /search.votable HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    buffer = bytearray(1 << 20)
    size, first, tail = 0, 0.0, b""
    while got := connection.recv_into(buffer):
        if not size:
            first = time.perf_counter() - began
        size += got
        tail = (tail + bytes(buffer[max(0, got - 40) : got]))[-40:]
    if b"</VOTABLE>" not in tail:
        raise RuntimeError("the answer was cut")
    return first, time.perf_counter() - began, size


def tenfold() -> None:
    """Peak memory of writing N and ten times N rows, in a process each: flat is flat."""
    code = (
        "import sys, django; django.setup()\n"
        "sys.path.insert(0, 'bench')\n"
        "import os, portal\n"
        "from obsportal.exposures import contract, search, stream\n"
        "from obsportal.serialise import FORMATS\n"
        "def batches(n):\n"
        "    for _ in range(n):\n"
        "        yield from stream.batches(search.parse({'limit': '30000'}).statement(None), contract.COLUMNS)\n"
        "write = FORMATS['votable'].writer\n"
        "columns = [c.column for c in contract.COLUMNS]\n"
        "with portal.Watched(os.getpid()) as watched:\n"
        "    before = watched.peak\n"
        "    size = sum(map(len, write(batches(int(sys.argv[1])), columns, params={'status': 'OK'})))\n"
        "print(size, watched.peak - before)\n"
    )
    peaks = []
    for times in ("1", "10"):
        done = subprocess.run(
            [portal.sys.executable, "-c", code, times],
            env=os.environ,
            capture_output=True,
            text=True,
            check=True,
        )
        peaks.append(float(done.stdout.split()[1]))
    print(
        f"growth in one process: {peaks[0]:6.0f} MB for 30,000 rows, {peaks[1]:.0f} MB for ten times as many"
    )


def astropy_rows_per_second(number: int) -> float:
    """Rows per second of the usual way: the ORM's rows, an astropy table, astropy's writer."""
    from astropy.table import Table

    from obsportal.exposures import contract
    from obsportal.exposures.models import Exposure

    rows = Exposure.objects.order_by("exp_mjd_start").values_list(*[c.expression for c in contract.COLUMNS])
    began = time.perf_counter()
    columns = list(zip(*rows[:number], strict=True))
    names = [c.column.name for c in contract.COLUMNS]
    table = Table(
        {
            name: [
                value if value is not None else float("nan") if c.column.datatype != "unicodeChar" else ""
                for value in values
            ]
            for name, values, c in zip(names, columns, contract.COLUMNS, strict=True)
        }
    )
    table.write(io.BytesIO(), format="votable")
    return number / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
