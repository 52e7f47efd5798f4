"""`obsportal stars ...`: lists of known stars, and asking the name service."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from obsportal.cli.common import JsonOption, err, fail, out, progress_bar, setup

stars_app = typer.Typer(help="Known stars: names, places, motion.", no_args_is_help=True)


@stars_app.command("load")
def load_list(
    file: Annotated[Path, typer.Argument(help="CSV, ECSV, VOTable or FITS table.")],
    list_name: Annotated[str, typer.Option("--list", help="Name of the list; it replaces one of that name.")],
    epoch: Annotated[
        float | None, typer.Option(help="Julian year of positions without one, as 1991.25; else 2000.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Load a list of stars; targets are gathered anew where they are."""
    setup()
    from obsportal.stars import services

    try:
        report = services.load(file, list_name, epoch)
    except ValueError as error:
        fail(str(error))
    if as_json:
        out.print_json(json.dumps(asdict(report)))
        return
    out.print(
        f"{report.read} stars read: {report.added} added, {report.changed} changed, {report.removed} removed",
        highlight=False,
    )


@stars_app.command("list")
def show_lists(as_json: JsonOption = False) -> None:
    """Show the lists that are loaded, and what Sesame told."""
    setup()
    from obsportal.stars import services

    rows = services.lists()
    if as_json:
        out.print_json(json.dumps(rows, default=str))
        return
    table = Table(box=None, pad_edge=False)
    for title in ("list", "stars", "updated (UTC)"):
        table.add_column(title)
    for row in rows:
        table.add_row(row["source"], str(row["stars"]), f"{row['updated_at']:%Y-%m-%d %H:%M}")
    out.print(table if rows else "No star is known: obsportal stars load FILE --list NAME")


@stars_app.command("remove")
def remove_list(
    list_name: Annotated[str, typer.Argument(help="Name of the list; sesame for what Sesame told.")],
) -> None:
    """Forget a list; targets are gathered anew without its stars."""
    setup()
    from obsportal.stars import services

    try:
        count = services.remove(list_name)
    except LookupError as error:
        fail(str(error.args[0]))
    out.print(f"{count} stars removed", highlight=False)


@stars_app.command("resolve")
def resolve_names(
    names: Annotated[list[str] | None, typer.Argument(help="Names; without any, those of targets.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Ask for at most so many names.")] = 1000,
    as_json: JsonOption = False,
) -> None:
    """Ask Sesame for the names of public targets that are not known yet. Protected names are not sent."""
    setup()
    from obsportal.exposures.gather import targets
    from obsportal.stars import services

    for name in names or ():
        if targets.is_protected_name(name):
            fail(f"{name!r} is a name of protected exposures alone: it is sent to nobody")
    wanted = (names or services.unanswered(targets.public_names()))[:limit]
    with progress_bar("names", len(wanted)) as done:
        report = services.resolve(wanted, progress=done)
    if as_json:
        out.print_json(json.dumps(asdict(report)))
    else:
        out.print(
            f"{report.asked} asked: {report.found} found, {len(report.unknown)} unknown,"
            f" {len(report.failed)} without an answer",
            highlight=False,
        )
    if report.stopped:
        err.print(report.stopped, highlight=False, markup=False)
        raise typer.Exit(1)
