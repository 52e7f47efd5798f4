"""The web server: granian, with the WSGI application in threads."""

from __future__ import annotations

import os
import socket

THREADS = 4
"""Per process: enough to wait for the database and for slow clients side by side."""


class AddressTakenError(OSError):
    """The address cannot be listened on; the message says why and what to do."""


def run(host: str, port: int, workers: int) -> None:
    """Serve until interrupted. Raises AddressTakenError before starting when the port is in use."""
    check(host, port)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "obsportal.site.settings")
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings
    from granian.log import LogLevels

    Granian(
        "obsportal.site.wsgi:application",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=THREADS,
        blocking_threads_idle_timeout=600,
        backpressure=64,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(),
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=8,  # a stalled reader of a long answer must not hold a restart up
        log_level=LogLevels.error,
    ).serve()


def check(host: str, port: int) -> None:
    """Try the address first: a clear sentence in place of a server's trace."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            raise AddressTakenError(
                f"cannot listen on {host}:{port}: {getattr(error, 'strerror', error)};"
                " choose another with --port"
            ) from error
