"""What all commands share: output, errors, progress, loading the portal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

out = Console()
err = Console(stderr=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]
PortOption = Annotated[int, typer.Option(min=1, max=65535, help="TCP port; ASPRO2's local switch asks 6543.")]


def fail(message: str) -> NoReturn:
    """End with a usage error."""
    err.print(f"[red]Error:[/red] {message}", highlight=False)
    raise typer.Exit(2)


def setup(*, migrate: bool = True) -> None:
    """Load Django; create or update the records' schema."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "obsportal.site.settings")
    import django
    from django.db import OperationalError

    from obsportal.site.config import ConfigError

    try:
        django.setup()
        if migrate:
            from obsportal.site import schema
            from obsportal.site.backup import finish_interrupted_restore

            if tidied := finish_interrupted_restore():
                err.print(tidied, highlight=False)
            schema.upgrade()
    except ConfigError as error:
        fail(str(error))
    except OperationalError as error:
        fail(f"the records cannot be opened: {str(error).strip()}")


@contextmanager
def progress_bar(description: str, total: int | None) -> Iterator[Any]:
    """A progress bar on standard error; nothing when that is not a terminal."""
    with Progress(
        SpinnerColumn(),
        TextColumn("[progress.description]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    ) as bars:
        task = bars.add_task(description, total=total)
        yield lambda done: bars.update(task, completed=done)
