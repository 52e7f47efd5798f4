"""Pages of one exposure and one position; and their UV coverage in every format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from obsportal.exposures import answers, listing, quick, services
from obsportal.exposures.models import Exposure
from obsportal.exposures.pages import facts, related
from obsportal.exposures.pages.search_pages import (
    DATA_FORMS,
    bad_request,
    fresh,
    json_answer,
    plain_text,
    wanted_form,
)
from obsportal.exposures.plots import lst, uv, uv_plots
from obsportal.exposures.plots.uv_plots import Unit
from obsportal.exposures.search import PAGE_SIZE, Search, etag, parse
from obsportal.exposures.search_values import SearchError

UV_FORMS = {
    "svg": "image/svg+xml",
    "png": "image/png",
    "pdf": "application/pdf",
    "json": "application/json",
}
LST_ROWS = 5_000
WIDER_RADII = (60, 300, 1800)
"""Offered where nothing was found (arcsec)."""


def unit_of(params: Mapping[str, str]) -> Unit:
    """The unit asked for by ``unit=``, Mλ without one. Raises SearchError."""
    text = params.get("unit", "").strip().lower() or Unit.MEGA_LAMBDA.value
    try:
        return Unit(text)
    except ValueError:
        raise SearchError("unit", f"unit is {text[:20]!r}: allowed are m and mlambda") from None


def drawing(coverage: uv.Coverage, unit: Unit, params: Mapping[str, str], uv_query: str) -> dict[str, Any]:
    """What the plot's template part needs; in metres when no wavelength is known and no unit is asked for."""
    if coverage.tracks and coverage.band is None and not params.get("unit", "").strip():
        unit = Unit.METRES
    return {
        "coverage": coverage,
        "unit": unit,
        "plot": uv_plots.svg(coverage, unit),
        "switch": listing.query(params, unit=unit.other.value),
        "query": f"{uv_query}&unit={unit.value}",
    }


def as_data(form: str, params: Mapping[str, str]) -> HttpResponse:
    """The same rows in a data format: where the search gives them."""
    return HttpResponseRedirect(f"{reverse('search-data', args=[form])}?{urlencode(params)}")


def _exposure(request: HttpRequest, exp_id: str) -> Exposure:
    rows = Exposure.objects.visible_to(request.user)
    return get_object_or_404(
        rows.select_related("target", "ft_target", "provenance", "header", "observation").defer(
            "header__text_zstd"
        ),
        exp_id=exp_id,
    )


@require_safe
@fresh
def exposure_page(request: HttpRequest, exp_id: str) -> HttpResponseBase:
    """All that is known of one exposure."""
    exposure = _exposure(request, exp_id)
    params = request.GET.dict()
    try:
        form = wanted_form(params)
        unit = unit_of(params)
    except SearchError as error:
        return bad_request(request, error)
    if form == "json":
        return json_answer(_exposure_json(exposure))
    if form != "html":
        return as_data(form, {"exp_id": exposure.exp_id})
    coverage = uv.from_rows([uv.row_of(exposure)], exposure.exp_id)
    corrections = related.corrections(exposure)
    context = {
        "exposure": exposure,
        "groups": facts.groups(exposure),
        "remarks": facts.remarks(exposure),
        "corrections": corrections,
        "type_corrected": any(one.row.field == "obs_type" for one in corrections),
        "siblings": related.siblings(exposure, request.user),
        "further_files": related.further_files(exposure),
        "same_block": related.same_block(exposure, request.user),
        "calibrators": related.calibrators(exposure, request.user),
        "sciences": related.sciences(exposure, request.user),
        "outside": related.outside(exposure),
        "header_text": services.header_text(exposure.header) if exposure.header else "",
        "uv": drawing(coverage, unit, params, listing.query({"exp_id": exposure.exp_id})),
        "forms": DATA_FORMS,
    }
    return render(request, "exposures/exposure.html", context)


def _exposure_json(exposure: Exposure) -> dict[str, Any]:
    coverage = uv.from_rows([uv.row_of(exposure)], exposure.exp_id)
    return {
        **related.as_dict(exposure),
        "origins": exposure.provenance.origins if exposure.provenance else {},
        "validation": [{"code": r.code, "level": r.level, "text": r.text} for r in facts.remarks(exposure)],
        "overrides": [
            {"field": c.row.field, "value": c.row.value, "reason": c.row.reason, "at": c.row.created_at}
            for c in related.corrections(exposure)
        ],
        "tracks": [track.as_dict() for track in coverage.tracks],
        "header_url": reverse("header-text", args=[exposure.exp_id]) if exposure.header else None,
    }


@require_safe
@fresh
def header_text(request: HttpRequest, exp_id: str) -> HttpResponse:
    """The header of an exposure, as it was received."""
    exposure = _exposure(request, exp_id)
    if exposure.header is None:
        raise Http404("no header is kept for this exposure")
    response = plain_text(services.header_text(exposure.header))
    response["Content-Disposition"] = 'inline; filename="header.txt"'
    return response


@require_safe
@fresh
def position_page(request: HttpRequest) -> HttpResponseBase:
    """Everything observed around a position."""
    params = request.GET.dict()
    if params.get("q", "").strip():
        params |= quick.parameters(params.pop("q"), request.user)
    given = {name: params[name] for name in ("ra", "dec", "radius") if params.get(name, "").strip()}
    try:
        if "ra" not in given or "dec" not in given:
            missing = "ra" if "ra" not in given else "dec"
            raise SearchError(missing, f"{missing} is missing: a position needs ra and dec in degrees")
        search = parse(given)
    except SearchError as error:
        return bad_request(request, error)
    ra, dec = float(given["ra"]), float(given["dec"])
    context = {
        "title": search.words,
        "ra": ra,
        "dec": dec,
        "radii": [radius for radius in WIDER_RADII if radius > float(given.get("radius", 0))],
        "outside": [related.simbad_position(ra, dec, 60)],
    }
    return _place(request, params, given, context, {"ra": ra, "dec": dec})


def _place(
    request: HttpRequest, params: dict[str, str], own: dict[str, str], context: dict[str, Any], about: Any
) -> HttpResponseBase:
    """The page of a position: its exposures, UV coverage and sidereal times."""
    try:
        form = wanted_form(params)
        unit = unit_of(params)
        extent = {name: params[name] for name in ("page", "sort", "limit") if name in params}
        search = parse(own | extent, page_size=PAGE_SIZE)
    except SearchError as error:
        return bad_request(request, error)
    if form not in {"html", "json"}:
        return as_data(form, own | extent)
    rows = search.exposures(request.user)
    coverage = uv.coverage(search, request.user)
    observed = rows.order_by("-exp_mjd_start").values(*lst.COLUMNS)[:LST_ROWS]
    ranges, by = lst.bars(observed)
    if form == "json":
        return json_answer(
            {
                "about": about,
                "exposures": coverage.found,
                "exposures_url": reverse("search-data", args=["json"]) + listing.query(own),
                "lst_hours": [
                    {by: bar.label, "ranges": bar.ranges, "exposures": bar.exposures} for bar in ranges
                ],
                "uv": coverage.as_dict(),
            }
        )
    total = coverage.found
    paged = {k: v for k, v in params.items() if k not in own}
    context |= {
        "search": search,
        "total": total,
        "rows": listing.page_rows(search, request.user),
        "heads": listing.heads(paged, search),
        "paging": listing.paging(paged, search.page, search.limit or PAGE_SIZE, total),
        "own": own,
        "query": listing.query(own),
        "uv": drawing(coverage, unit, params, listing.query(own)),
        "lst_by": by,
        "lst_bars": ranges,
        "lst_plot": lst.svg(ranges) if ranges else "",
        "forms": DATA_FORMS,
    }
    return render(request, "exposures/place.html", context)


def _uv_search(request: HttpRequest) -> tuple[dict[str, str], Search, Unit]:
    params = answers.parameters(request)
    return params, uv.selection(params), unit_of(params)


@require_safe
@fresh
def uv_page(request: HttpRequest) -> HttpResponse:
    """The UV coverage of any search or selection, on a page."""
    try:
        params, search, unit = _uv_search(request)
    except SearchError as error:
        return bad_request(request, error)
    coverage = uv.coverage(search, request.user)
    plain = {name: value for name, value in params.items() if name != "unit"}
    rows = listing.page_rows(replace(search, limit=PAGE_SIZE), request.user)
    context = {
        "search": search,
        "total": coverage.found,
        "rows": rows,
        "heads": [],
        "query": listing.query(plain),
        "uv": drawing(coverage, unit, params, listing.query(plain)),
    }
    return render(request, "exposures/uv.html", context)


@require_safe
def uv_file(request: HttpRequest, form: str) -> HttpResponse:
    """The UV coverage of any search or selection as SVG, PNG, PDF or JSON."""
    try:
        params, search, unit = _uv_search(request)
    except SearchError as error:
        return answers.error("json" if form == "json" else "text", str(error), 400)
    headers = {
        "ETag": etag(params, request.user, f"uv.{form}"),
        "Cache-Control": "no-cache",
        "Vary": "Cookie",
        "Access-Control-Allow-Origin": "*",
        "Content-Disposition": f'inline; filename="uv.{form}"',
    }
    if not settings.DEBUG and headers["ETag"] in request.headers.get("If-None-Match", ""):
        return HttpResponse(status=304, headers=headers)
    coverage = uv.coverage(search, request.user)
    body: str | bytes
    match form:
        case "json":
            return _with(json_answer(coverage.as_dict()), headers)
        case "svg":
            body = uv_plots.svg(coverage, unit, standalone=True)
        case _:
            body = uv_plots.figure(coverage, unit, form)
    return HttpResponse(body, content_type=UV_FORMS[form], headers=headers)


def _with(response: HttpResponse, headers: Mapping[str, str]) -> HttpResponse:
    for name, value in headers.items():
        response[name] = value
    return response
