"""``obsportal regroup``: make observations and calibrator links anew."""

from __future__ import annotations

import json
import time
from datetime import date
from typing import Annotated

import typer

from obsportal.cli.common import JsonOption, fail, out, progress_bar, setup


def regroup(
    everything: Annotated[
        bool, typer.Option("--all", help="All nights, not only those with exposures that are in none.")
    ] = False,
    night: Annotated[
        list[str] | None, typer.Option(help="The date a night begins at, YYYY-MM-DD; can be repeated.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make observations and calibrator links anew; with --all targets too.

    From the exposures and the curators' decisions. Ingest does this by itself; the command is for records
    of an earlier version, and for checks. Run twice, it changes nothing the second time.
    """
    if everything and night:
        fail("--all and --night exclude each other")
    dates = [_date(text) for text in night or ()]
    setup()
    from obsportal.exposures.gather import targets
    from obsportal.exposures.observations import derive

    began = time.perf_counter()
    nights = None
    if everything:
        with progress_bar("Gathering targets", None):
            targets.regather()
    else:
        nights = derive.nights_on(dates) if dates else derive.waiting_nights()
    with progress_bar("Grouping exposures", derive.count(nights)) as show:
        report = derive.regroup_all(show, nights)
    seconds = round(time.perf_counter() - began, 2)
    if as_json:
        out.print_json(json.dumps(report.as_dict() | {"seconds": seconds}))
    else:
        out.print(f"{report.sentence()}, in {seconds} s", highlight=False)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        fail(f"--night {text!r}: a date as 2020-01-26 is needed")
