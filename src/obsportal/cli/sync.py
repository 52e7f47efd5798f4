"""``obsportal sync``: keep the records up to date from the archives and from other portals."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from obsportal.cli.common import JsonOption, err, fail, out, progress_bar, setup

if TYPE_CHECKING:
    from obsportal.sync.job import SyncError, SyncOptions
    from obsportal.sync.models import SyncRun

app = typer.Typer(
    help="Keep the records up to date from the ESO archive and from other portals.",
    invoke_without_command=True,
)
SinceOption = Annotated[
    str, typer.Option("--since", help="Go back no further than this date or time (ISO, UTC).")
]
LimitOption = Annotated[int | None, typer.Option("--limit", min=1, help="Read at most so many.")]
DryOption = Annotated[bool, typer.Option("--dry-run", help="Count what would be done; write nothing.")]


@app.callback()
def sync(
    ctx: typer.Context,
    every: Annotated[
        bool, typer.Option("--all", help="Every source that OBSPORTAL_SYNC names, one after the other.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Keep the records up to date from the ESO archive and from other portals."""
    if ctx.invoked_subcommand is not None:
        if every:
            fail("--all goes with no source: every source of OBSPORTAL_SYNC is read")
        return
    if not every:
        fail("say what to read: eso, obsportal URL, or --all for every source of OBSPORTAL_SYNC")
    setup()
    from obsportal.sync import schedule, sources
    from obsportal.sync.job import SyncOptions

    names = sources.configured()
    if not names:
        fail("OBSPORTAL_SYNC names no source: allowed are eso and addresses of portals, with commas")
    with _stop_when_asked() as stop:
        ended = [
            _run(name, SyncOptions(check=schedule.check_is_due(name)), stop, quiet=as_json)
            for name in names
            if not stop.is_set()
        ]
    if as_json:
        out.print_json(json.dumps([_as_dict(name, run) for name, run in zip(names, ended, strict=False)]))
    _finish(ended)


@app.command()
def eso(
    instrument: Annotated[
        list[str] | None, typer.Option("--instrument", help="Only this one; may be repeated.")
    ] = None,
    since: SinceOption = "",
    limit: LimitOption = None,
    dry_run: DryOption = False,
    check: Annotated[
        bool, typer.Option("--check", help="Compare with the archive's whole list: marks what has vanished.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Take in what is new or changed in the ESO archive, then fill the past, newest first.

    Killed or stopped at any point, the next run goes on from there.
    """
    from obsportal.connectors.eso import FIRST_LIGHT

    asked = tuple(name.upper() for name in instrument or ())
    for name in asked:
        if name not in FIRST_LIGHT:
            fail(f"--instrument is {name!r}: allowed are {', '.join(FIRST_LIGHT)}")
    _one("eso", asked, since, limit, dry_run, check, as_json)


@app.command()
def obsportal(
    url: Annotated[str, typer.Argument(help="Address of a portal, such as https://obs.example.org.")],
    since: SinceOption = "",
    limit: LimitOption = None,
    dry_run: DryOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take in the exposures of another portal, by its search.votable."""
    if not url.startswith(("http://", "https://")):
        fail(f"{url!r} is no address of a portal: http://... or https://... is needed")
    _one(url.rstrip("/"), (), since, limit, dry_run, False, as_json)


def _one(
    name: str,
    instruments: tuple[str, ...],
    since: str,
    limit: int | None,
    dry_run: bool,
    check: bool,
    as_json: bool,
) -> None:
    """Run one source from the command line."""
    begin = _moment(since)
    setup()
    from obsportal.sync.job import SyncOptions

    options = SyncOptions(instruments, begin, limit, dry_run, check)
    with _stop_when_asked() as stop:
        ended = _run(name, options, stop, quiet=as_json)
    if as_json:
        out.print_json(json.dumps(_as_dict(name, ended)))
    _finish([ended])


BUSY = 3
"""Exit code when nothing failed, but another run is reading a source: cron beside the worker."""


def _run(name: str, options: SyncOptions, stop: threading.Event, *, quiet: bool) -> SyncRun | SyncError:
    """The ended run, or why it could not begin; told as it goes unless ``quiet``."""
    from obsportal.sync import report, runs, sources
    from obsportal.sync.job import SyncError

    try:
        with progress_bar(f"Reading {name}", None) as show:
            ended = runs.run(
                sources.source_of(name),
                options,
                stop=stop,
                progress=lambda job: show(report.done(job.counts)),
            )
    except SyncError as error:
        err.print(str(error), markup=False, highlight=False, soft_wrap=True)
        return error
    if not quiet:
        out.print(report.sentence(ended, dry_run=options.dry_run), markup=False, highlight=False)
        for said in report.sentences(ended):
            err.print(said, markup=False, highlight=False, soft_wrap=True)
    if ended.problem:
        err.print(f"{name}: {ended.problem}", markup=False, highlight=False, soft_wrap=True)
    return ended


def _as_dict(name: str, ended: SyncRun | SyncError) -> dict[str, Any]:
    from obsportal.sync import report
    from obsportal.sync.runs import BusyError

    if isinstance(ended, Exception):
        status = "busy" if isinstance(ended, BusyError) else "refused"
        return {"source": name, "status": status, "problem": str(ended)}
    return report.as_dict(ended)


def _finish(ended: list[SyncRun | SyncError]) -> None:
    """Exit 1 unless every run came to its end; BUSY when those that did not are being read elsewhere."""
    from obsportal.sync.runs import BusyError

    if any(isinstance(run, BusyError) for run in ended):
        ended = [run for run in ended if not isinstance(run, BusyError)]
        code = BUSY
    else:
        code = 0
    if any(isinstance(run, Exception) or run.status != "done" for run in ended):
        code = 1
    if code:
        raise typer.Exit(code)


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        fail(f"--since is {text!r}: a date or time such as 2024-01-31 or 2024-01-31T12:00:00 is needed")
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when


@contextmanager
def _stop_when_asked() -> Iterator[threading.Event]:
    """SIGTERM and Ctrl-C end the run after what it is doing; a second Ctrl-C ends it at once."""
    stop = threading.Event()

    def ask(number: int, _: Any) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
