"""The statistics page: the portal's holdings per instrument, drawn by year, type and configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from obsportal.exposures import answers
from obsportal.exposures.kept import Kept
from obsportal.exposures.pages import addresses, statistics
from obsportal.exposures.pages.search_pages import DATA_FORMS, bad_request, json_answer, wanted_form
from obsportal.exposures.pages.statistics import UNKNOWN, Counts, InstrumentStatistics, Refusals, Statistics
from obsportal.exposures.plots import bars
from obsportal.exposures.search_values import SearchError
from obsportal.serialise import FORMATS
from obsportal.serialise.columns import Column
from obsportal.serialise.rows import PlainBatch

COLUMNS: tuple[Column, ...] = (
    Column("interferometer_name", "unicodeChar", ucd="meta.id;instr.obsty"),
    Column("instrument_name", "unicodeChar", ucd="meta.id;instr"),
    Column("headers", "long", ucd="meta.number"),
    Column("targets", "long", ucd="meta.number;src"),
    Column("observations", "long", ucd="meta.number;obs"),
    Column("exposures", "long", ucd="meta.number;obs.exposure"),
    Column("valid", "long", ucd="meta.number", description="exposures without errors"),
    Column("valid_percent", "double", unit="%", ucd="stat.value"),
    Column("refused", "long", ucd="meta.number", description="headers that were refused"),
    Column("first_date", "unicodeChar", ucd="time.start;obs", xtype="timestamp"),
    Column("last_date", "unicodeChar", ucd="time.end;obs", xtype="timestamp"),
    Column("last_modified", "unicodeChar", ucd="time.processing", xtype="timestamp"),
)

MOST_CONFIGURATIONS = 12
OTHERS = "others"


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing of counts and the table beneath it."""

    key: str
    title: str
    about: str
    drawing: str
    heading: str
    columns: tuple[str, ...]
    lines: tuple[PlotLine, ...]


@dataclass(frozen=True, slots=True)
class PlotLine:
    """A row of the table beneath a plot: its label, the search it stands for, numbers and their sum."""

    label: str
    address: str
    cells: tuple[tuple[int, str], ...]
    """Numbers with their searches ("" for none)."""
    total: int


@require_safe
def statistics_page(request: HttpRequest, form: str = "") -> HttpResponseBase:
    """What the portal holds, counted per instrument."""
    try:
        params = answers.parameters(request)
        form = form or wanted_form(params)
    except SearchError as error:
        return answers.error(form, str(error), 400) if form in DATA_FORMS else bad_request(request, error)
    found = statistics.exposures_seen(request.user)
    refused = statistics.refused_seen(request.user)
    rows = with_refused(found.instruments, refused)
    total = replace(found.total, refused=refused.total)
    if form == "json":
        return json_answer(as_dict(found, rows, total, refused))
    if form != "html":
        return _table(form, rows)
    context = {
        "rows": rows,
        "total": total,
        "refused": refused,
        "plots": drawn(request.user),
        "forms": DATA_FORMS,
        "query": "",
    }
    return render(request, "exposures/statistics.html", context)


def with_refused(rows: Iterable[InstrumentStatistics], refused: Refusals) -> tuple[InstrumentStatistics, ...]:
    """The rows with the number of headers of each instrument that were refused."""
    counts = dict(refused.instruments)
    return tuple(replace(row, refused=counts.get(row.instrument, 0)) for row in rows)


def as_dict(
    found: Statistics,
    rows: Iterable[InstrumentStatistics],
    total: InstrumentStatistics,
    refused: Refusals,
) -> dict[str, Any]:
    """For JSON."""
    return {
        "total": total.as_dict(),
        "instruments": [row.as_dict() for row in rows],
        "years": found.years,
        "configurations": found.configurations,
        "types": found.types,
        "refused": [{"code": code, "headers": n} for code, n in refused.codes],
    }


def _table(form: str, rows: Iterable[InstrumentStatistics]) -> HttpResponse:
    """The table of instruments in a data format."""
    fmt = FORMATS[form]
    cells = [tuple(row.as_dict().values()) for row in rows]
    batches = [PlainBatch(list(zip(*cells, strict=True)))] if cells else []
    body = b"".join(fmt.writer(batches, COLUMNS, params={"status": "OK"}))
    headers = {
        "Content-Disposition": f'inline; filename="statistics.{fmt.extension}"',
        "Access-Control-Allow-Origin": "*",
        "Vary": "Cookie",
    }
    return HttpResponse(body, content_type=fmt.media_type, headers=headers)


def plots(found: Statistics) -> list[Plot]:
    """The drawings: by year and instrument, by instrument and type, by configuration and instrument."""
    names = [row.instrument for row in found.instruments]
    colours = bars.shades(dict.fromkeys(names))
    kinds = dict(zip(("science", "calibrator", UNKNOWN), (*bars.COLOURS[:2], bars.OTHER_COLOUR), strict=True))
    years = _plot(
        "years", "By year", "Exposures of each year (UTC) by instrument", "Year", found.years, colours
    )
    types = _plot(
        "types", "By instrument", "Exposures of each instrument by type", "Instrument", found.types, kinds
    )
    few = fewer(found.configurations, MOST_CONFIGURATIONS)
    about = "Exposures in each configuration by instrument"
    configurations = _plot("configurations", "By configuration", about, "Configuration", few, colours)
    return [plot for plot in (years, types, configurations) if plot.lines]


drawn: Kept[list[Plot]] = Kept(lambda actor: plots(statistics.exposures_seen(actor)))
"""The drawings of what an actor may see."""


def fewer(counts: Counts, most: int) -> Counts:
    """The first ``most`` entries; what follows them as one, but for what is unknown."""
    known = [label for label in counts if label != UNKNOWN]
    kept = {label: counts[label] for label in known[:most]}
    for label in known[most:]:
        others = kept.setdefault(OTHERS, {})
        for name, n in counts[label].items():
            others[name] = others.get(name, 0) + n
    return kept | ({UNKNOWN: counts[UNKNOWN]} if UNKNOWN in counts else {})


def _plot(key: str, title: str, about: str, heading: str, counts: Counts, colours: Mapping[str, str]) -> Plot:
    labels = list(counts)
    layers = bars.layers(counts, labels, colours)
    draw = bars.upright if key == "years" else bars.lying
    lines = tuple(
        PlotLine(
            label,
            _search(key, label),
            tuple((layer.values[k], _search(key, label, layer.label)) for layer in layers),
            sum(layer.values[k] for layer in layers),
        )
        for k, label in enumerate(labels)
    )
    drawing = draw(about, labels, layers) if lines else ""
    return Plot(key, title, about, drawing, heading, tuple(layer.label for layer in layers), lines)


def _search(key: str, label: str, layer: str = "") -> str:
    """The search whose exposures a number counts; "" where no search says it."""
    if UNKNOWN in {label, layer} or label == OTHERS:
        return ""
    match key:
        case "years":
            query = {"date_from": f"{label}-01-01", "date_to": f"{label}-12-31"}
        case "types":
            query = {"instrument": label}
        case _:
            query = {"configuration": label}
    if layer:
        query["obs_type" if key == "types" else "instrument"] = layer
    return addresses.search(**query)
