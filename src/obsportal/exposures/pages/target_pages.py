"""The page of a target: everything observed of one star, summed up, and its observations."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from obsportal.exposures import listing
from obsportal.exposures.models import Exposure, Target
from obsportal.exposures.pages import related, target_facts
from obsportal.exposures.pages.place_pages import as_data, drawing, unit_of
from obsportal.exposures.pages.search_pages import DATA_FORMS, bad_request, fresh, json_answer, wanted_form
from obsportal.exposures.pages.target_facts import Execution, Partner, Sight, Tally
from obsportal.exposures.plots import lst, uv, uv_panels
from obsportal.exposures.plots.uv_plots import Unit
from obsportal.exposures.search_values import SearchError, integer

if TYPE_CHECKING:
    from obsportal.accounts.access import Actor

PAGE_SIZE = 25
"""Observations listed at once."""
DRAWN = 240
"""Exposures drawn in the small plots together."""
LISTED = 12
"""Partners, runs and names shown at once; the rest is folded away."""


@require_safe
@fresh
def target_page(request: HttpRequest, key: int) -> HttpResponseBase:
    """Everything observed of one target."""
    found = Target.objects.visible_to(request.user).select_related("star")
    target = get_object_or_404(found, pk=key)
    params = request.GET.dict()
    own = {"target_id": str(target.pk)}
    try:
        form = wanted_form(params)
        unit = unit_of(params)
        page = integer("page", params.get("page", "").strip() or "1", 1, 10_000_000)
    except SearchError as error:
        return bad_request(request, error)
    if form not in {"html", "json"}:
        return as_data(form, own | {n: params[n] for n in ("page", "sort", "limit") if n in params})
    rows = target_facts.fetch(target, request.user)
    tracked = Exposure.objects.visible_to(request.user).filter(ft_target=target).count()
    partners = target_facts.partners(target, rows, request.user)
    bars, by = lst.bars(_lst_rows(rows))
    if form == "json":
        return json_answer(_json(target, rows, tracked, partners, (bars, by), request.user))
    listed = target_facts.executions(rows)
    window = listed[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    instruments = list(dict.fromkeys(row.instrument for row in rows))
    context = {
        "target": target,
        "star": target.star,
        "star_names": list(target.star.names.order_by("pk")) if target.star else [],
        "tally": target_facts.tally(rows),
        "roles": Counter(row.obs_type for row in rows).most_common(),
        "demonstration": any(row.authority.startswith("demo.") for row in rows),
        "tracked": tracked,
        "matrix": _matrix(target_facts.matrix(rows), own),
        "calibrators": _folded(partners.calibrators),
        "sciences": _folded(partners.sciences),
        "names": _folded(target_facts.typed_names(rows, request.user)),
        "runs": _folded(target_facts.runs(rows)),
        "executions": [_execution(found, partners.of_observation) for found in window],
        "paging": listing.paging(params, page, PAGE_SIZE, len(listed)),
        "own": own,
        "query": listing.query(own),
        "uv": None if len(instruments) > 1 else drawing(
            _coverage(rows, request.user), unit, params, listing.query(own)
        ),
        "panels": _panels(rows, instruments, request.user, unit) if len(instruments) > 1 else None,
        "unit": unit,
        "switch": listing.query(params, unit=unit.other.value),
        "lst_by": by,
        "lst_bars": bars,
        "lst_plot": lst.svg(bars) if bars else "",
        "outside": related.simbad(target) + related.vizier(target),
        "forms": DATA_FORMS,
    }  # fmt: skip
    return render(request, "exposures/target.html", context)


def _folded(items: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
    """What is shown at once, and the rest."""
    return (items, []) if len(items) <= LISTED + 2 else (items[:LISTED], items[LISTED:])


def _lst_rows(rows: Sequence[Sight]) -> list[dict[str, Any]]:
    return [
        {
            "exp_mjd_start": row.start,
            "exp_mjd_end": row.end,
            "interferometer_name": row.interferometer,
            "instrument_name": row.instrument,
            "night": row.night,
        }
        for row in rows
    ]


def _coverage(rows: Sequence[Sight], actor: Actor, limit: int = uv.MAX_EXPOSURES) -> uv.Coverage:
    chosen = thinned(rows, limit)
    name = "target"
    found = uv.search_rows(actor, [row.pk for row in chosen])
    if found:
        name = found[0]["target__name"]
    return uv.from_rows(found, name, len(rows))


def thinned(rows: Sequence[Sight], limit: int) -> Sequence[Sight]:
    """At most ``limit`` of the rows, evenly taken."""
    return rows[:: max(1, math.ceil(len(rows) / max(1, limit)))]


def _panels(rows: Sequence[Sight], instruments: Sequence[str], actor: Actor, unit: Unit) -> dict[str, Any]:
    """A small plot for each instrument, the one with most exposures first."""
    by: dict[str, list[Sight]] = {name: [] for name in instruments}
    for row in rows:
        by[row.instrument].append(row)
    chosen = [row.pk for found in by.values() for row in thinned(found, DRAWN // len(by))]
    tracks: dict[str, list[dict[str, Any]]] = {name: [] for name in by}
    for one in uv.search_rows(actor, chosen):
        tracks[one["instrument_name"]].append(one)
    ordered = sorted(by, key=lambda name: (-len(by[name]), name))
    coverages = [(name, uv.from_rows(tracks[name], name, len(by[name]))) for name in ordered]
    return {"plots": uv_panels.panels(coverages, unit), "scale": uv_panels.colour_scale(coverages)}


def _matrix(found: target_facts.Matrix, own: dict[str, str]) -> dict[str, Any]:
    """The matrix with the address of the search behind each cell ("" where no search says it)."""
    lines = []
    for line in found.lines:
        base = own | {"interferometer": line.interferometer, "instrument": line.instrument}
        alone = sum(1 for cell in line.cells if cell) == 1
        cells = []
        for name, cell in zip(found.configurations, line.cells, strict=True):
            query = base | ({"configuration": name} if name else {})
            cells.append((cell, f"{reverse('search')}?{urlencode(query)}" if name or alone else ""))
        lines.append({"line": line, "cells": cells, "address": f"{reverse('search')}?{urlencode(base)}"})
    return {"configurations": found.configurations, "lines": lines}


def _execution(rows: tuple[Sight, ...], counts: Counter[int]) -> Execution:
    key = rows[0].observation_id
    return Execution(rows, counts[key] if key else 0)


def _tally_json(found: Tally) -> dict[str, Any]:
    return {
        "exposures": found.exposures,
        "exposures_valid": found.valid,
        "observations": len(found.observations - {None}),
        "nights": len(found.nights - {None}),
        "mjd_first": found.first,
        "mjd_last": found.last,
        "exp_time_s": found.integration,
    }


def _partner_json(one: Partner) -> dict[str, Any]:
    return {
        "target_id": one.target_id,
        "target_name": one.name,
        "url": reverse("target", args=[one.target_id]),
        "observations": len(one.observations),
        "observations_linked": len(one.served),
        "confidence": dict(one.certainty),
        "instruments": sorted(one.instruments),
        "last_night": one.last,
    }


def _star_json(target: Target) -> dict[str, Any] | None:
    star = target.star
    if star is None:
        return None
    return {
        "name": star.name,
        "names": [one.name for one in star.names.order_by("pk")],
        "ra": star.ra,
        "dec": star.dec,
        "pm_ra_mas_yr": star.pm_ra,
        "pm_dec_mas_yr": star.pm_dec,
        "parallax_mas": star.parallax,
        "object_type": star.object_type,
        "spectral_type": star.spectral_type,
        "source": star.source,
    }


def _json(
    target: Target,
    rows: Sequence[Sight],
    tracked: int,
    partners: target_facts.Partners,
    ranges: tuple[list[lst.Bar], str],
    actor: Actor,
) -> dict[str, Any]:
    own = {"target_id": str(target.pk)}
    matrix = target_facts.matrix(rows)
    bars, by = ranges
    return {
        "about": related.target_dict(target),
        "star": _star_json(target),
        **_tally_json(target_facts.tally(rows)),
        "exposures_tracked": tracked,
        "exposures_url": reverse("search-data", args=["json"]) + listing.query(own),
        "names": [
            {
                "target_typed_name": one.name,
                "pointings": one.pointings,
                "basis": list(one.bases),
                "separation_max_arcsec": one.separation,
                **_tally_json(one.tally),
            }
            for one in target_facts.typed_names(rows, actor)
        ],
        "set_ups": [
            {
                "interferometer_name": line.interferometer,
                "instrument_name": line.instrument,
                "configuration": name,
                **_tally_json(cell),
            }
            for line in matrix.lines
            for name, cell in zip(matrix.configurations, line.cells, strict=True)
            if cell
        ],
        "calibrators": [_partner_json(one) for one in partners.calibrators],
        "calibrates": [_partner_json(one) for one in partners.sciences],
        "programmes": [
            {
                "obs_program": run.program,
                "obs_program_title": run.title,
                "obs_program_pi_coi": run.pi,
                "instruments": list(run.instruments),
                **_tally_json(run.tally),
            }
            for run in target_facts.runs(rows)
        ],
        "lst_hours": [{by: bar.label, "ranges": bar.ranges, "exposures": bar.exposures} for bar in bars],
        "uv": _coverage(rows, actor).as_dict(),
    }
