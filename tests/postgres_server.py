"""A temporary PostgreSQL server for tests: 127.0.0.1 only, no durability, gone at the end.

As a program, ``python tests/postgres_server.py -- COMMAND...`` runs the command with
``OBSPORTAL_DATABASE_URL`` set to the server and exits with the command's code, or with
``UNAVAILABLE`` where no server can be started.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

UNAVAILABLE = 69  # EX_UNAVAILABLE of sysexits.h
USER = "obsportal"
SPEED = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=128MB")


class ServerUnavailableError(Exception):
    """No PostgreSQL server can be started here; the message says why."""


def program_folder() -> Path:
    """The folder that holds initdb and pg_ctl. Raises ServerUnavailableError where there is none."""
    on_path = shutil.which("initdb")
    if on_path and shutil.which("pg_ctl"):
        return Path(on_path).resolve().parent
    folders = [initdb.parent for initdb in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    folders += [initdb.parent for initdb in Path("/usr").glob("pgsql-*/bin/initdb")]
    usable = [folder for folder in folders if (folder / "pg_ctl").exists()]
    if not usable:
        raise ServerUnavailableError("initdb and pg_ctl are neither on PATH nor under /usr/lib/postgresql")
    return max(usable, key=_version_of)


def _version_of(folder: Path) -> float:
    try:
        return float(folder.parent.name.removeprefix("pgsql-"))
    except ValueError:
        return 0.0


def _unprivileged_user() -> pwd.struct_passwd | None:
    """Whom the server runs as: PostgreSQL refuses root. None means ourselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise ServerUnavailableError("we are root, and neither the user postgres nor nobody exists")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _run(command: Sequence[str | Path], home: Path, user: pwd.struct_passwd | None) -> None:
    log = home / "commands.log"
    with log.open("ab") as output:
        done = subprocess.run(
            [str(word) for word in command],
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "LC_ALL": "C"},
            timeout=120,
            check=False,
            start_new_session=True,  # Ctrl-C reaches us, not the server: we stop it in order
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
        )
    if done.returncode:
        server_log = home / "server.log"
        said = log.read_text(errors="replace") + (
            server_log.read_text(errors="replace") if server_log.exists() else ""
        )
        raise ServerUnavailableError(f"{Path(command[0]).name} failed: {said.strip()[-800:]}")


@contextmanager
def running_server() -> Iterator[str]:
    """Start a server, yield its URL (a superuser's, with a password of this run), stop it."""
    programs = program_folder()
    user = _unprivileged_user()
    home = Path(tempfile.mkdtemp(prefix="obsportal-postgres-"))
    cluster = home / "cluster"
    try:
        try:
            url = _start(programs, home, cluster, user)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ServerUnavailableError(str(error)) from error
        try:
            yield url
        finally:
            _run([programs / "pg_ctl", "stop", "--mode", "immediate", "--pgdata", cluster], home, user)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _start(programs: Path, home: Path, cluster: Path, user: pwd.struct_passwd | None) -> str:
    password = secrets.token_urlsafe(16)
    password_file = home / "password"
    password_file.write_text(password)
    if user:
        for path in (home, password_file):
            os.chown(path, user.pw_uid, user.pw_gid)
    initdb: list[str | Path] = [
        programs / "initdb",
        "--no-sync",
        "--username",
        USER,
        "--auth",
        "scram-sha-256",
    ]
    initdb += ["--pwfile", password_file, "--encoding", "UTF8", "--locale", "C", "--pgdata", cluster]
    _run(initdb, home, user)
    port = _free_port()
    options = [f"-c {setting}" for setting in SPEED]
    options += ["-c listen_addresses=127.0.0.1", "-c unix_socket_directories=", f"-c port={port}"]
    start: list[str | Path] = [programs / "pg_ctl", "start", "--wait", "--pgdata", cluster]
    start += ["--log", home / "server.log", "--options", " ".join(options)]
    _run(start, home, user)
    return f"postgresql://{USER}:{password}@127.0.0.1:{port}/postgres"


def _stop(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def main(arguments: Sequence[str]) -> int:
    """Run a command beside a server; see the module's first lines."""
    if len(arguments) < 2 or arguments[0] != "--":
        print("usage: python tests/postgres_server.py -- COMMAND...", file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    started = False
    try:
        with running_server() as url:
            started = True
            print(f"PostgreSQL: {url}", flush=True)
            command = subprocess.Popen(arguments[1:], env={**os.environ, "OBSPORTAL_DATABASE_URL": url})
            try:
                return command.wait()
            except BaseException:
                command.terminate()
                command.wait()
                raise
    except ServerUnavailableError as reason:
        if started:
            raise
        line = f" NOT TESTED HERE: PostgreSQL ({reason}) "
        print(f"\n{'!' * 100}\n{line.center(100, '!')}\n{'!' * 100}\n", file=sys.stderr, flush=True)
        return UNAVAILABLE
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
