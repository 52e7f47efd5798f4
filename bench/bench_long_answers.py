"""Two clients that stall in the middle of the whole archive, beside short answers of the same process."""

from __future__ import annotations

import socket
import statistics
import time
from pathlib import Path

import portal


def main() -> None:
    portal.prepare()
    with portal.served(workers=1) as address:
        one = portal.Connection(address)
        one.get("/search.votable?limit=10")
        pid = portal.worker_pid()
        alone = portal.median_ms(lambda: one.get("/search.votable?limit=10"), 50)
        began_at = portal.own_memory_mb(pid)
        with portal.Watched(pid) as watched:
            stalled = [ask(address, "/search.votable") for _ in range(2)]
            print("two long answers:   ", *(status(client) for client in stalled))
            print("a third:            ", status(ask(address, "/search.json")))
            times = [portal.timed(lambda: one.get("/search.votable?limit=10")) for _ in range(50)]
            before = ticks(pid)
            time.sleep(1)
            idle = ticks(pid) - before
            stalled.pop(0).close()
            began = time.perf_counter()
            while "200" not in status(stalled_again := ask(address, "/search.votable")):
                time.sleep(0.02)
            freed = time.perf_counter() - began
            for client in (*stalled, stalled_again):
                client.close()
        grown = watched.peak - began_at
    print(f"short answer alone:   {alone:8.2f} ms, beside them {statistics.median(times) * 1000:.2f} ms")
    print(f"place free again:     {freed:8.2f} s after a client went away")
    print(f"work while stalled:   {idle:8d} ticks a second")
    print(f"memory growth:        {grown:8.0f} MB")


def ask(address: tuple[str, int], path: str) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    client.connect(address)
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
    return client


def status(client: socket.socket) -> str:
    return client.recv(65536).split(b"\r\n")[0].decode()


def ticks(pid: int) -> int:
    """Processor time of a process so far, user and system."""
    return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))


if __name__ == "__main__":
    main()
