"""A portal with demonstration data for benchmarks, served on a free port of this machine."""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

EXPOSURES = int(os.environ.get("OBSPORTAL_BENCH_EXPOSURES", "342284"))
DATA = Path(
    os.environ.get("OBSPORTAL_BENCH_DATA") or Path(tempfile.gettempdir()) / f"obsportal-bench-{EXPOSURES}"
)


sys.setswitchinterval(0.0005)  # or the eight clients, threads of this process, wait for each other

server_pid = 0
"""The running server's main process."""


def own_memory_mb(pid: int) -> float:
    """Memory of a process that is its own: mapped files, such as the database, do not count."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("RssAnon"))


def worker_pid() -> int:
    """The server's worker process: the child with the most memory of its own."""
    listing = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True).stdout
    family = {server_pid}
    pairs = [tuple(map(int, line.split())) for line in listing.splitlines()[1:]]
    for _ in range(3):
        family |= {pid for pid, parent in pairs if parent in family}
    return max(family - {server_pid}, key=own_memory_mb)


class Watched:
    """Samples a process's own memory while the block runs; ``peak`` is in MB."""

    def __init__(self, pid: int) -> None:
        self.pid, self.peak, self._over = pid, own_memory_mb(pid), threading.Event()

    def __enter__(self) -> Watched:
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            self.peak = max(self.peak, own_memory_mb(self.pid))

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def environment() -> dict[str, str]:
    """The environment of the benchmarked portal."""
    return os.environ | {"OBSPORTAL_DATA": str(DATA), "DJANGO_SETTINGS_MODULE": "obsportal.site.settings"}


def prepare() -> None:
    """Generate the archive once (kept for the next benchmark), and load Django onto it."""
    command = [sys.executable, "-m", "obsportal", "demo", "--no-serve", "--exposures", str(EXPOSURES)]
    subprocess.run(command, env=environment(), check=True)
    os.environ.update(environment())
    import django

    django.setup()
    from obsportal.exposures.models import Exposure

    pointings = Exposure.objects.values("pointing_ra", "pointing_dec").distinct().count()
    print(f"archive: {Exposure.objects.count()} exposures, {pointings} pointings, in {DATA}")


@contextmanager
def served(workers: int = 2) -> Iterator[tuple[str, int]]:
    """The portal answering on a free port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "obsportal", "serve", "--port", str(port), "--workers", str(workers)]
    server = subprocess.Popen(command, env=environment(), stderr=subprocess.DEVNULL)
    global server_pid
    server_pid = server.pid
    try:
        for _ in range(200):
            time.sleep(0.1)
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
        else:
            raise RuntimeError("the server did not start")
        yield "127.0.0.1", port
    finally:
        server.terminate()
        server.wait(10)


class Connection:
    """A keep-alive HTTP connection with as little work of its own as possible."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def post(self, path: str, params: dict[str, str]) -> bytes:
        """Send a form as ASPRO2 does; answer the body (with its framing when it came in chunks).

        Raises RuntimeError for any status but 200.
        """
        body = urlencode(params).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self.socket.sendall(head.encode() + body)
        return self._answer()

    def get(self, path: str) -> bytes:
        """Answer the body of a GET."""
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        return self._answer()

    def _answer(self) -> bytes:
        got = b""
        while b"\r\n\r\n" not in got:
            got += self._more()
        head, _, body = got.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.decode("latin-1"))
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
        if b"content-length" not in fields:
            while not body.endswith(b"\r\n0\r\n\r\n"):
                body += self._more()
            return body
        length = int(fields[b"content-length"])
        parts = [body]
        missing = length - len(body)
        while missing > 0:
            part = self._more()
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def _more(self) -> bytes:
        part = self.socket.recv(1 << 18)
        if not part:
            raise RuntimeError("the server closed the connection")
        return part


def timed(call: Callable[[], object]) -> float:
    """Seconds one call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def median_ms(call: Callable[[], object], times: int) -> float:
    """Median milliseconds of repeated calls."""
    return statistics.median(timed(call) for _ in range(times)) * 1000


def together(calls: list[Callable[[], object]]) -> float:
    """Seconds until all calls, each in a thread of its own, have ended."""
    threads = [threading.Thread(target=call) for call in calls]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began
