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
        pid = server_pid()
        began_at = memory_mb(pid)
        results = [stream(address) for _ in range(3)]
        grown = peak_mb(pid) - began_at
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


def server_pid() -> int:
    """The worker process of the benchmarked server: the one with the largest memory."""
    listing = subprocess.run(["ps", "-eo", "pid,rss,args"], capture_output=True, text=True, check=True).stdout
    mine = [
        line.split(None, 2) for line in listing.splitlines() if "obsportal" in line and "bench" not in line
    ]
    return int(max(mine, key=lambda fields: int(fields[1]))[0])


def memory_mb(pid: int) -> float:
    return status_mb(pid, "VmRSS")


def peak_mb(pid: int) -> float:
    return status_mb(pid, "VmHWM")


def status_mb(pid: int, name: str) -> float:
    with open(f"/proc/{pid}/status") as lines:  # noqa: PTH123
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


def tenfold() -> None:
    """Peak memory of writing N and ten times N rows, in a process each: flat is flat."""
    code = (
        "import resource, sys, django; django.setup()\n"
        "from itertools import chain, repeat\n"
        "from obsportal.exposures import contract, search, stream\n"
        "from obsportal.serialise import FORMATS\n"
        "def batches(n):\n"
        "    for _ in range(n):\n"
        "        yield from stream.batches(search.parse({'limit': '60000'}).statement(None), contract.COLUMNS)\n"
        "write = FORMATS['votable'].writer\n"
        "columns = [c.column for c in contract.COLUMNS]\n"
        "size = sum(map(len, write(batches(int(sys.argv[1])), columns, params={'status': 'OK'})))\n"
        "print(size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)\n"
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
    print(f"peak memory:       {peaks[0]:10.0f} MB for 60,000 rows, {peaks[1]:.0f} MB for ten times as many")


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
