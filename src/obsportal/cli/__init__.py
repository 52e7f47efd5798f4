"""The ``obsportal`` command.

Exit codes: 0 all well, 1 some inputs were refused (they are listed), 2 wrong usage.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from obsportal import __version__
from obsportal.cli.common import JsonOption, PortOption, err, fail, out, progress_bar, setup
from obsportal.cli.regroup import regroup
from obsportal.cli.stars import stars_app
from obsportal.cli.sync import app as sync_app

if TYPE_CHECKING:
    from obsportal.exposures.services import IngestReport

app = typer.Typer(
    name="obsportal",
    help="The observation portal for optical interferometers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
ingest_app = typer.Typer(help="Take observations in.", no_args_is_help=True)
app.add_typer(ingest_app, name="ingest")
app.add_typer(sync_app, name="sync")
app.command()(regroup)
app.add_typer(stars_app, name="stars")


@app.command()
def version() -> None:
    """Print the version."""
    out.print(__version__)


@app.command()
def demo(
    exposures: Annotated[int, typer.Option(min=1, max=5_000_000, help="About how many exposures.")] = 20_000,
    serve_after: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Serve the portal afterwards.")
    ] = True,
    port: PortOption = 6543,
    seed: Annotated[int, typer.Option(help="The same seed gives the same archive.")] = 20260101,
    as_json: JsonOption = False,
) -> None:
    """Generate a physically consistent demonstration archive and serve it.

    Its identifiers begin with DEMO and have an authority of their own. A data folder that holds other
    records is refused.
    """
    setup()
    from obsportal.demo.load import DemoRefusedError, load

    try:
        with progress_bar("Generating exposures", exposures) as show:
            result = load(exposures, seed, lambda report: show(report.added))
    except DemoRefusedError as error:
        fail(str(error))
    if as_json:
        out.print_json(json.dumps(result.as_dict()))
    else:
        out.print(result.sentence(), highlight=False)
    if serve_after:
        run_server("127.0.0.1", port, 2)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: PortOption = 6543,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Server processes.")] = 2,
) -> None:
    """Serve the portal."""
    setup()
    run_server(host, port, workers)


def run_server(host: str, port: int, workers: int) -> None:
    """Run the web server until interrupted."""
    from django.conf import settings

    from obsportal.site.server import AddressTakenError, run

    url = f"http://{'127.0.0.1' if host in {'0.0.0.0', '::'} else host}:{port}"  # noqa: S104
    err.print(
        f"[bold]{settings.OBSPORTAL_SITE_NAME}[/bold] answers at {url} (Ctrl-C stops it)", highlight=False
    )
    try:
        run(host, port, workers)
    except AddressTakenError as error:
        fail(str(error))


@app.command()
def worker(
    once: Annotated[bool, typer.Option(help="Do what is due, then stop.")] = False,
) -> None:
    """Run background work: housekeeping, and the sources that OBSPORTAL_SYNC names, each when it is due."""
    setup()
    from obsportal.site.worker import run

    run(once=once)


@ingest_app.command("headers")
def ingest_headers(
    paths: Annotated[
        list[str], typer.Argument(help="Files, folders, zip or tar archives; - is standard input.")
    ],
    include_products: Annotated[
        bool, typer.Option("--include-products", help="Take headers of reduced products (PRO CATG) too.")
    ] = False,
    protected: Annotated[
        bool, typer.Option("--protected", help="Mark new rows as metadata-protected: only curators see them.")
    ] = False,
    processes: Annotated[int, typer.Option(min=1, max=64, help="Processes that read headers.")] = min(
        4, os.cpu_count() or 1
    ),
    as_json: JsonOption = False,
) -> None:
    """Take raw headers in: card text, archive pages, FITS (.gz, .fz), folders, zip, tar.

    The same input twice changes nothing the second time. What is refused is listed with its reason
    and kept; it never stops the rest.
    """
    for path in paths:
        if path != "-" and not Path(path).exists():
            fail(f"{path}: no such file or folder")
    setup()
    from obsportal.accounts.access import Visibility
    from obsportal.exposures.intake import ingest_paths
    from obsportal.exposures.services import IngestOptions

    options = IngestOptions(visibility=Visibility.PROTECTED if protected else Visibility.PUBLIC)
    with progress_bar("Reading headers", None) as show:
        report = ingest_paths(
            paths,
            include_products=include_products,
            processes=processes,
            options=options,
            progress=lambda r: show(r.read),
        )
    _finish(report, as_json)


@ingest_app.command("chara-log")
def ingest_chara_log(
    file: Annotated[str, typer.Argument(help="A CHARA observation log (CSV); - is standard input.")],
    as_json: JsonOption = False,
) -> None:
    """Take a CHARA observation log in; baselines are computed from stations, date and target."""
    if file != "-" and not Path(file).is_file():
        fail(f"{file}: no such file")
    setup()
    from obsportal.exposures.intake import LogRefusedError, ingest_chara_log

    try:
        report = ingest_chara_log(sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes(), file)
    except LogRefusedError as error:
        fail(f"{file}: {error}")
    _finish(report, as_json)


def _finish(report: IngestReport, as_json: bool) -> None:
    """Print what an ingest did; exit 1 when anything was refused."""
    if as_json:
        out.print_json(json.dumps(report.as_dict()))
    else:
        out.print(
            f"{report.read} read: {report.added} added, {report.updated} updated,"
            f" {report.unchanged} unchanged, {report.refused} refused",
            highlight=False,
        )
        for refusal in report.refused_items[:200]:
            err.print(
                f"refused {refusal.header_id}: {refusal.reason} [{refusal.code}]",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
        if report.refused > 200:
            err.print(f"... and {report.refused - 200} more: obsportal stats --refused", highlight=False)
    if report.refused:
        raise typer.Exit(1)


@app.command()
def stats(
    refused: Annotated[bool, typer.Option("--refused", help="Counts of refused headers, and why.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Count what the portal holds."""
    setup()
    from obsportal.exposures.pages import statistics

    found = statistics.refusals() if refused else statistics.overview()
    if as_json:
        out.print_json(json.dumps(found, default=str))
        return
    for title, rows in statistics.tables(found).items():
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        for name in rows[0] if rows else ("nothing",):
            table.add_column(name)
        for row in rows:
            table.add_row(*[str(value) for value in row.values()])
        out.print(table)


@app.command()
def doctor(as_json: JsonOption = False) -> None:
    """Check that this installation works, and say what to do where it does not."""
    setup(migrate=False)
    from obsportal.site.doctor import examine

    findings = examine()
    if as_json:
        out.print_json(json.dumps([f.as_dict() for f in findings]))
    else:
        for finding in findings:
            mark = "[green]ok[/green]   " if finding.ok else "[red]wrong[/red]"
            out.print(f"{mark} {finding.name}: {finding.detail}", highlight=False)
    if not all(f.ok for f in findings):
        raise typer.Exit(1)


@app.command()
def createadmin(
    username: Annotated[str, typer.Argument(help="Name to sign in with.")],
    email: Annotated[str, typer.Option(help="Mail address.")] = "",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
) -> None:
    """Create an administrator, or give an existing one a new password."""
    setup()
    from django.contrib.auth.password_validation import validate_password
    from django.core.exceptions import ValidationError

    from obsportal.accounts.models import User

    if password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    try:
        validate_password(password)
        User.username_validator(username)
    except ValidationError as error:
        fail(" ".join(error.messages))
    user, created = User.objects.get_or_create(username=username, defaults={"email": email})
    user.is_staff = user.is_superuser = True
    user.set_password(password)
    user.save()
    out.print(f"{username} {'created' if created else 'updated'}; sign in at /admin/", highlight=False)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The archive to write (.tar).")], as_json: JsonOption = False
) -> None:
    """Write records, header texts and files to one archive, consistent while serving."""
    setup()
    from obsportal.site.backup import BackupError
    from obsportal.site.backup import backup as write

    try:
        report = write(file)
    except BackupError as error:
        fail(str(error))
    out.print_json(json.dumps(report.as_dict())) if as_json else out.print(report.sentence(), highlight=False)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="An archive written by backup.", exists=True, dir_okay=False)],
    force: Annotated[bool, typer.Option(help="Replace the records that are here.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring an archive back. A portal that holds records is replaced only with --force."""
    setup(migrate=False)
    from obsportal.site.backup import BackupError
    from obsportal.site.backup import restore as read

    try:
        report = read(file, force=force)
    except BackupError as error:
        fail(str(error))
    out.print_json(json.dumps(report.as_dict())) if as_json else out.print(report.sentence(), highlight=False)


def main() -> None:
    """Entry point of the installed command."""
    try:
        app()
    except BrokenPipeError:
        os._exit(0)
