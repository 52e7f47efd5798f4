"""The page of an observation: one execution of a block, with what calibrates it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from obsportal.exposures import listing
from obsportal.exposures.models import Exposure, Observation
from obsportal.exposures.observations import sequences
from obsportal.exposures.observations.sequences import ObservationSummary
from obsportal.exposures.pages import observation_facts, related
from obsportal.exposures.pages.observation_facts import Linked
from obsportal.exposures.pages.place_pages import as_data, drawing, unit_of
from obsportal.exposures.pages.search_pages import DATA_FORMS, bad_request, fresh, json_answer, wanted_form
from obsportal.exposures.plots import uv
from obsportal.exposures.search_values import SearchError

MAX_ROWS = 500
"""Exposures listed on the page."""
NOT_NEEDED = ("header", "provenance", "exp_validation_log", "pointing_x", "pointing_y", "pointing_z")


@require_safe
@fresh
def observation_page(request: HttpRequest, key: str) -> HttpResponseBase:
    """What was executed, under which conditions, and what it is calibrated with."""
    observation = get_object_or_404(Observation.objects.visible_to(request.user), key=key)
    params = request.GET.dict()
    try:
        form = wanted_form(params)
        unit = unit_of(params)
    except SearchError as error:
        return bad_request(request, error)
    query = {"observation": observation.key}
    if form not in {"html", "json"}:
        return as_data(form, query)
    rows = _rows(observation, request)
    summary = sequences.summaries([observation.pk], request.user)[observation.pk]
    calibrators = observation_facts.calibrators([observation.pk], request.user)
    sciences = observation_facts.sciences([observation.pk], request.user)
    others = observation_facts.other_executions(observation, request.user)
    coverage = uv.from_rows([uv.row_of(row) for row in rows[: uv.MAX_EXPOSURES]], observation.key, len(rows))
    if form == "json":
        return json_answer(_json(observation, summary, rows, calibrators, sciences, others, coverage))
    first = rows[0]
    context = {
        "observation": observation,
        "summary": summary,
        "first": first,
        "targets": list({row.target_id: row.target for row in rows}.values()),
        "tracked": list({row.ft_target_id: row.ft_target for row in rows if row.ft_target}.values()),
        "flawed": summary.n_exposures - summary.n_valid,
        "programs": summary.programs,
        "names": observation_facts.distinct(row.obs_name for row in rows),
        "containers": _containers(rows),
        "variants": summary.instrument_variants if len(summary.instrument_variants) > 1 else (),
        "trackers": observation_facts.distinct(row.fringe_tracker for row in rows),
        "basis": {row.configuration_basis for row in rows} - {"offered", ""},
        "protected": sum(1 for row in rows if row.visibility != "public"),
        "demonstration": any(row.authority.startswith("demo.") for row in rows),
        "technical": any(row.technical for row in rows),
        "templates": observation_facts.templates(rows),
        "conditions": observation_facts.conditions(rows),
        "findings": observation_facts.findings(rows),
        "calibrators": calibrators,
        "sciences": sciences,
        "others": others,
        "outside": related.simbad(first.target),
        "rows": rows[:MAX_ROWS],
        "total": len(rows),
        "heads": [listing.Head(h.label, h.unit, numeric=h.numeric) for h in listing.HEADS],
        "uv": drawing(coverage, unit, params, listing.query(query)),
        "own": query,
        "query": listing.query(query),
        "forms": DATA_FORMS,
    }
    return render(request, "exposures/observation.html", context)


def _rows(observation: Observation, request: HttpRequest) -> list[Exposure]:
    rows = Exposure.objects.visible_to(request.user).filter(observation=observation)
    found = rows.select_related("target", "ft_target").defer(*NOT_NEEDED)
    return list(found.order_by("exp_mjd_start", "exp_id"))


def _containers(rows: Sequence[Exposure]) -> list[str]:
    found = {row.obs_container_id: row.obs_container_type for row in rows if row.obs_container_id}
    return [f"{number} ({kind})" if kind else str(number) for number, kind in found.items()]


def observation_dict(observation: Observation, summary: ObservationSummary) -> dict[str, Any]:
    """An observation for JSON: MJD UTC, seconds, degrees, arcsec."""
    return {
        "observation": observation.key,
        "basis": observation.basis,
        "url": reverse("observation", args=[observation.key]),
        "obs_id": observation.obs_id,
        "obs_start": observation.obs_start,
        "night": summary.night,
        "target_id": summary.target_id,
        "target_name": summary.target_name,
        "target_names": list(summary.target_names),
        "target_ra": summary.target_ra,
        "target_dec": summary.target_dec,
        "obs_types": list(summary.obs_types),
        "obs_programs": list(summary.programs),
        "interferometer_name": summary.interferometer_name,
        "interferometer_stations": list(summary.interferometer_stations),
        "configurations": list(summary.configurations),
        "instrument_name": summary.instrument_name,
        "instrument_variants": list(summary.instrument_variants),
        "instrument_modes": list(summary.instrument_modes),
        "mjd_start": summary.mjd_start,
        "mjd_end": summary.mjd_end,
        "exposures": summary.n_exposures,
        "exposures_valid": summary.n_valid,
        "templates": summary.n_templates,
        "exp_time_s": summary.integration_time,
        "seeing_mean": summary.seeing,
        "tau0_mean_s": summary.tau0,
    }


def linked_dict(one: Linked) -> dict[str, Any]:
    """A linked observation for JSON, with the link."""
    return observation_dict(one.observation, one.summary) | {
        "link": {
            "instrument_variant": one.link.instrument_variant,
            "basis": one.link.basis,
            "confidence": one.link.confidence,
            "score": one.link.score,
            "gap_minutes": one.link.gap_minutes,
            "separation_deg": one.link.separation,
        }
    }


def _json(
    observation: Observation,
    summary: ObservationSummary,
    rows: Sequence[Exposure],
    calibrators: Sequence[Linked],
    sciences: Sequence[Linked],
    others: Sequence[tuple[Observation, ObservationSummary]],
    coverage: uv.Coverage,
) -> dict[str, Any]:
    return observation_dict(observation, summary) | {
        "template_executions": [
            {
                "template_id": one.template,
                "template_start": one.start,
                "taken": one.taken,
                "planned": one.planned,
                "exposures": [row.exp_id for row in one.exposures],
            }
            for one in observation_facts.templates(rows)
        ],
        "conditions": [
            {"quantity": c.label, "unit": c.unit, "min": c.lowest, "mean": c.mean, "max": c.highest}
            for c in observation_facts.conditions(rows)
        ],
        "validation": [
            {"level": f.level, "code": f.code, "text": f.text, "exposures": f.exposures}
            for f in observation_facts.findings(rows)
        ],
        "calibrators": [linked_dict(one) for one in calibrators],
        "calibrates": [linked_dict(one) for one in sciences],
        "other_executions": [observation_dict(*one) for one in others],
        "exposures_url": reverse("search-data", args=["json"])
        + listing.query({"observation": observation.key}),
        "uv": coverage.as_dict(),
    }
