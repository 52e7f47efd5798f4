"""Pages for people: home, search, refused headers, help. Thin: parameters in, templates out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import F
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
)
from django.shortcuts import get_object_or_404, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from obsportal import __version__
from obsportal.exposures import answers, listing, quick, services, stream
from obsportal.exposures.contract import ContractColumn, IsoSeconds
from obsportal.exposures.criteria import PARAMETERS
from obsportal.exposures.groups import group_listing
from obsportal.exposures.groups.group_columns import COLUMNS as GROUP_COLUMNS
from obsportal.exposures.groups.group_columns import GROUP_SORTS, Group
from obsportal.exposures.models import RefusedHeader
from obsportal.exposures.pages import home, refusals
from obsportal.exposures.search import PAGE_SIZE, PAGE_SIZE_MAX, SORTS, Search, etag, facets, parse
from obsportal.exposures.search_values import SearchError
from obsportal.serialise import FORMATS
from obsportal.stars import typed

if TYPE_CHECKING:
    from obsportal.accounts.access import Actor

DATA_FORMS = ("votable", "csv", "tsv", "json")

View = Callable[..., HttpResponseBase]


def fresh(view: View) -> View:
    """Answer 304 to a reader who has this page already; the exposures' version decides."""

    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "POST":
            return view(request, *args, **kwargs)
        variant = f"{request.path}|{__version__}|{request.headers.get('Accept', '')[:40]}"
        validator = etag(request.GET.dict(), request.user, variant)
        if not settings.DEBUG and validator in request.headers.get("If-None-Match", ""):
            response: HttpResponseBase = HttpResponse(status=304)
        else:
            response = view(request, *args, **kwargs)
        if response.status_code in {200, 304} and "ETag" not in response:
            response["ETag"] = validator
            response["Cache-Control"] = "no-cache"
            response["Vary"] = "Cookie, Accept"
        return response

    return checked


def wanted_form(params: Mapping[str, str], forms: Iterable[str] = DATA_FORMS) -> str:
    """The format asked for by ``format=``, ``html`` without one. Raises SearchError."""
    form = params.get("format", "").strip().lower() or "html"
    if form != "html" and form not in forms:
        raise SearchError("format", f"format is {form[:20]!r}: allowed are html, {', '.join(forms)}")
    return form


def bad_request(request: HttpRequest, error: SearchError) -> HttpResponse:
    """A page that says which parameter is wrong and what is allowed."""
    return render(request, "400.html", {"error": error}, status=400)


def json_answer(value: Any, status: int = 200) -> HttpResponse:
    """A JSON document; times as ISO 8601."""
    text = json.dumps(value, default=_iso, ensure_ascii=False, allow_nan=False)
    return HttpResponse(
        text, status=status, content_type="application/json", headers={"Access-Control-Allow-Origin": "*"}
    )


def _iso(value: Any) -> str:
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)


@require_safe
def home_page(request: HttpRequest) -> HttpResponseBase:
    """What the portal holds, and one box to ask it."""
    if "q" in request.GET:
        return HttpResponseRedirect(quick.destination(request.GET["q"], request.user))
    return render(request, "exposures/home.html", home.context(request.user))


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
@fresh
def search_page(request: HttpRequest) -> HttpResponseBase:
    """The search: filters with counts, rows, and the same in every format."""
    params: dict[str, str] = {}
    try:
        params = answers.parameters(request)
        if params.get("q", "").strip():
            return HttpResponseRedirect(quick.destination(params["q"], request.user))
        form = wanted_form(params)
        if form != "html":
            return answers.answer(request, form)
        search = parse(params, page_size=PAGE_SIZE)
    except SearchError as error:
        context: dict[str, Any] = {"params": params, "errors": {error.parameter: str(error)}, "error": error}
        context["choices"] = listing.unanswered(params)
        return render(request, "exposures/search.html", context, status=400)
    total, counted = facets(search, request.user)
    context = {
        "params": params,
        "errors": {},
        "search": search,
        "total": total,
        "choices": listing.choices(params, counted),
        "chips": listing.chips(params, search.criteria),
        "switches": group_listing.switches(params, search),
        "query": listing.query(params),
        "forms": DATA_FORMS,
        "sizes": (25, PAGE_SIZE, 100, PAGE_SIZE_MAX),
    }
    context |= _listed(params, search, request.user, total)
    context["resolution"] = typed.explain(params, empty=not total)
    if not total:
        context["relaxations"] = listing.relaxations(params, search, request.user)
        context["similar"] = quick.similar_targets(params.get("target_name", ""), request.user)
    return render(request, "exposures/search.html", context)


def _listed(params: Mapping[str, str], search: Search, actor: Actor, total: int) -> dict[str, Any]:
    """The rows of a page of ``total`` exposures or of their groups, their columns, number and paging."""
    rows: Sequence[Any] = []
    number = total
    if search.group is Group.EXPOSURE:
        heads = listing.heads(params, search)
        if total:
            rows = listing.page_rows(search, actor)
    else:
        heads = group_listing.heads(params, search)
        if total:
            rows, number = group_listing.page_rows(params, search, actor)
    paging = listing.paging(params, search.page, search.limit or PAGE_SIZE, number)
    return {"rows": rows, "number": number, "heads": heads, "paging": paging}


@require_safe
def refused_page(request: HttpRequest, form: str = "") -> HttpResponseBase:
    """The headers that were refused, and why."""
    try:
        params = answers.parameters(request)
        form = form or wanted_form(params)
        search = refusals.parse(params)
    except SearchError as error:
        if form in DATA_FORMS:
            return answers.error(form, str(error), 400)
        return bad_request(request, error)
    rows = search.rows(request.user)
    if form != "html":
        return _refusals_as(form, rows)
    counts = search.counts(request.user)
    total = rows.count()
    first = (search.page - 1) * refusals.PAGE_SIZE
    context = {
        "params": params,
        "search": search,
        "counts": counts,
        "total": total,
        "rows": rows[first : first + refusals.PAGE_SIZE],
        "paging": listing.paging(params, search.page, refusals.PAGE_SIZE, total),
        "query": listing.query(params),
        "forms": DATA_FORMS,
    }
    return render(request, "exposures/refused.html", context)


def _refusals_as(form: str, rows: Any) -> HttpResponseBase:
    expressions: dict[str, Any] = {"last_seen": IsoSeconds("last_seen")}
    columns = [ContractColumn(c, expressions.get(c.name, F(c.name))) for c in refusals.COLUMNS]
    fmt = FORMATS[form]
    statement = rows.values_list(*[c.expression for c in columns]).query.sql_with_params()
    batches = stream.batches(statement, columns)
    chunks = fmt.writer(batches, [c.column for c in columns], params={"status": "OK"})
    headers = {
        "Content-Type": fmt.media_type,
        "Content-Disposition": f'inline; filename="refused.{fmt.extension}"',
        "Access-Control-Allow-Origin": "*",
        "Vary": "Cookie",
    }
    return answers.respond(chunks, headers, form)


@require_safe
def refused_header(request: HttpRequest, key: int) -> HttpResponse:
    """The text of a refused header, as it was received."""
    rows = RefusedHeader.objects.visible_to(request.user).select_related("header_version")
    refusal = get_object_or_404(rows.exclude(header_version=None), pk=key)
    assert refusal.header_version is not None
    return plain_text(services.header_text(refusal.header_version))


def plain_text(text: str) -> HttpResponse:
    """A header's text; never taken for HTML."""
    return HttpResponse(
        text.encode("utf-8"),
        content_type="text/plain; charset=utf-8",
        headers={"X-Content-Type-Options": "nosniff"},
    )


@require_safe
def help_page(request: HttpRequest) -> HttpResponse:
    """How programs ask: the parameters, the formats, examples."""
    context = {
        "parameters": PARAMETERS,
        "sorts": SORTS,
        "group_sorts": GROUP_SORTS,
        "groups": list(Group),
        "group_columns": [c.column for c in GROUP_COLUMNS],
        "base": request.build_absolute_uri("/"),
        "forms": DATA_FORMS,
    }
    return render(request, "exposures/help_api.html", context)
