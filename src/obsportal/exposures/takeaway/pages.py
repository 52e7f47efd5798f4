"""Pages and files that people take away of a selection. Thin: parameters in, documents out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import http_date
from django.views.decorators.http import require_safe

from obsportal import __version__
from obsportal.exposures import answers
from obsportal.exposures.kept import last_change
from obsportal.exposures.listing import query as query_string
from obsportal.exposures.pages.search_pages import DATA_FORMS, bad_request, fresh, json_answer
from obsportal.exposures.search import Search, etag, facets, parse
from obsportal.exposures.search_values import SearchError, boolean
from obsportal.exposures.takeaway import (
    citation,
    download_scripts,
    downloads,
    extent,
    feed,
    log_forms,
    observing_log,
    repeat,
)
from obsportal.exposures.versions import last_modified

View = Callable[..., HttpResponseBase]
SHOWN_ROWS = 200
"""Rows of a log or a download list that its page shows; the files hold all."""
OWN = ("per", "calibrators", "comments", "format")
"""Parameters of these pages that are none of a search."""
CONDITIONS = (
    "Dates are those of the first exposure, in UTC. N is the number of exposures. Seeing and coherence"
    " time are means over the exposures, as their headers give them."
)


def _selection(request: HttpRequest) -> tuple[dict[str, str], Search]:
    """The parameters, and the whole selection they mean: without page, limit and grouping."""
    params = answers.parameters(request)
    chosen = {name: value for name, value in params.items() if name not in {"page", "limit", "group", "sort"}}
    return params, parse(chosen)


def _query(params: Mapping[str, str], **changes: str | None) -> str:
    """The search's parameters and those of these pages as a query string with ``?``."""
    kept = {name: value for name, value in params.items() if name in repeat.KNOWN or name in OWN}
    return query_string(kept, **({"limit": None, "sort": None, "group": None, "comments": None} | changes))


def _search_query(params: Mapping[str, str]) -> str:
    return _query(params, **dict.fromkeys(OWN)).rstrip("?")


def _site(request: HttpRequest) -> str:
    return str(request.build_absolute_uri("/"))


def _citation(request: HttpRequest, params: Mapping[str, str], search: Search) -> citation.Citation:
    address = _site(request) + "search" + _search_query(params)
    return citation.citation(search, request.user, address, site=_site(request))


def _comments(request: HttpRequest, params: Mapping[str, str], search: Search, what: str) -> list[str]:
    """What stands at the head of a file: what it is, how to repeat it, what to acknowledge."""
    cited = _citation(request, params, search)
    lines = repeat.repeat(repeat.known(params), _site(request))
    now = timezone.now()
    return [
        f"{what}: {search.words}",
        f"made by obsportal {__version__} at {_site(request)} on {now:%Y-%m-%d %H:%M} UTC",
        f"repeat the search: {lines.curl}",
        "",
        "Acknowledgements:",
        *cited.sentences,
    ]


def _plain_errors(view: View) -> View:
    """Answer a wrong parameter of a file with a sentence."""

    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except SearchError as error:
            return answers.error(str(kwargs.get("form", "text")), str(error), 400)

    return checked


def _page_errors(view: View) -> View:
    """Answer a wrong parameter of a page with a page."""

    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except SearchError as error:
            return bad_request(request, error)

    return checked


def _file(params: Mapping[str, str], body: str | bytes, media: str, name: str) -> HttpResponse:
    """A file to be kept, under this name."""
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Access-Control-Allow-Origin": "*",
        "Cache-Control": "no-cache",
        "Vary": "Cookie",
        "X-Content-Type-Options": "nosniff",
        "Link": repeat.cite_link(params),
    }
    return HttpResponse(body, content_type=media, headers=headers)


@require_safe
@fresh
@_page_errors
def take_away_page(request: HttpRequest) -> HttpResponseBase:
    """Everything that can be made of a selection, with its size, before it is made."""
    params, search = _selection(request)
    total, counted = facets(search, request.user)
    parts = [
        (value.value, value.count, _search_query(dict(params) | {"instrument": str(value.value)}))
        for value in counted["instrument"]
    ]
    context = {
        "params": params,
        "search": search,
        "total": total,
        "big": total > extent.BIG,
        "threshold": extent.BIG,
        "sizes": [(form, extent.words(size)) for form, size in extent.sizes(total).items()],
        "reduced": [
            (form, extent.words(size)) for form, size in extent.sizes(total, all_fields=False).items()
        ],
        "parts": parts if len(parts) > 1 else [],
        "science": next((v.count for v in counted["obs_type"] if v.value == "science"), 0),
        "science_query": _search_query(dict(params) | {"obs_type": "science"}),
        "query": _search_query(params),
        "reduced_query": _search_query(dict(params) | {"all_fields": "false"}),
        "repeat": repeat.repeat(repeat.known(params), _site(request)),
        "forms": DATA_FORMS,
    }
    return render(request, "exposures/takeaway/take_away.html", context)


@require_safe
def count_data(request: HttpRequest) -> HttpResponseBase:
    """How many rows and about how many bytes a search would send."""
    try:
        params = answers.parameters(request)
        found = extent.extent(parse(params), request.user)
    except SearchError as error:
        return answers.error("json", str(error), 400)
    return json_answer({"status": "OK", **found.as_dict()})


def _log(request: HttpRequest) -> tuple[dict[str, str], Search, observing_log.Log]:
    params, search = _selection(request)
    return params, search, observing_log.log(search, request.user, observing_log.per_of(params))


@require_safe
@fresh
@_page_errors
def log_page(request: HttpRequest) -> HttpResponseBase:
    """The observing log as it will be printed."""
    params, search, log = _log(request)
    context = {
        "log": log,
        "rows": log.rows[:SHOWN_ROWS],
        "shown": SHOWN_ROWS,
        "search": search,
        "query": _query(params),
        "search_query": _search_query(params),
        "commented": _query(params, comments="true"),
        "choices": [(p.label, _query(params, per=p.value), p is log.per) for p in observing_log.Per],
        "nightly": log.per is observing_log.Per.TARGET_NIGHT,
        "cited": _citation(request, params, search),
    }
    return render(request, "exposures/takeaway/log.html", context)


@require_safe
@_plain_errors
def log_file(request: HttpRequest, form: str) -> HttpResponseBase:
    """The observing log as LaTeX or CSV."""
    params, search, log = _log(request)
    if form == "tex":
        comments = _comments(request, params, search, "Observing log")
        notes = [CONDITIONS, *_citation(request, params, search).observatories]
        body, media = log_forms.write_latex(log, notes, comments), "application/x-tex"
    else:
        body = log_forms.write_csv(log, _told(request, params, search, "Observing log"))
        media = "text/csv; charset=utf-8"
    return _file(params, body, media, f"observing-log.{form}")


def _told(request: HttpRequest, params: Mapping[str, str], search: Search, what: str) -> Sequence[str]:
    """The comments of a table, where ``comments=true`` asks for them: not every reader skips them."""
    text = params.get("comments", "").strip()
    return _comments(request, params, search, what) if text and boolean("comments", text) else ()


def _downloads(request: HttpRequest) -> tuple[dict[str, str], Search, downloads.Downloads]:
    params, search = _selection(request)
    text = params.get("calibrators", "").strip()
    wanted = boolean("calibrators", text) if text else True
    return params, search, downloads.downloads(search, request.user, calibrators=wanted)


@require_safe
@_page_errors
def downloads_page(request: HttpRequest) -> HttpResponseBase:
    """The raw files of a selection, counted and marked, with the scripts that fetch them."""
    params, search, found = _downloads(request)
    without = params.get("calibrators", "").strip().lower() in {"false", "0", "no", "off"}
    context = {
        "found": found,
        "rows": found.files[:SHOWN_ROWS],
        "shown": SHOWN_ROWS,
        "search": search,
        "query": _query(params),
        "search_query": _search_query(params),
        "commented": _query(params, comments="true"),
        "without": without,
        "other": _query(params, calibrators=None if without else "false"),
        "cited": _citation(request, params, search),
    }
    response = render(request, "exposures/takeaway/downloads.html", context)
    response["Cache-Control"] = "no-cache"
    return response


@require_safe
@_plain_errors
def downloads_file(request: HttpRequest, form: str) -> HttpResponseBase:
    """The raw files as a curl or astroquery script, a table or a plain list."""
    params, search, found = _downloads(request)
    comments = [
        *_comments(request, params, search, "Raw files"),
        "",
        f"{len(found.files)} files: {found.science} science, {found.calibrators} calibrator;"
        f" {found.proprietary} proprietary today",
    ]
    match form:
        case "sh":
            body, media = download_scripts.curl_script(found, comments), "text/x-shellscript; charset=utf-8"
        case "py":
            body, media = download_scripts.astroquery_script(found, comments), "text/x-python; charset=utf-8"
        case "txt":
            body, media = download_scripts.plain_list(found, comments), "text/plain; charset=utf-8"
        case _:
            told = _told(request, params, search, "Raw files")
            body, media = download_scripts.csv_table(found, told), "text/csv; charset=utf-8"
    return _file(params, body, media, f"downloads.{form}")


@require_safe
@fresh
@_page_errors
def cite_page(request: HttpRequest) -> HttpResponseBase:
    """What to acknowledge when a selection is used."""
    params, search = _selection(request)
    cited = _citation(request, params, search)
    if params.get("format", "").strip().lower() == "json":
        return json_answer(
            {
                "sentences": cited.sentences,
                "programmes": cited.programmes,
                "bibtex": cited.bibtex,
                "policies": [address for _, address in cited.advice],
            }
        )
    context = {"cited": cited, "search": search, "search_query": _search_query(params)}
    return render(request, "exposures/takeaway/cite.html", context)


@require_safe
def atom_feed(request: HttpRequest) -> HttpResponseBase:
    """The Atom feed of a search."""
    try:
        params, search = _selection(request)
    except SearchError as error:
        return answers.error("text", str(error), 400)
    version = last_modified()
    modified = last_change(request.user, version)
    host = request.build_absolute_uri("/")
    validator = etag(params, request.user, f"atom|{host}|{__version__}", version[0])
    headers = {
        "ETag": validator,
        "Last-Modified": http_date(modified.timestamp()),
        "Cache-Control": "no-cache",
        "Vary": "Cookie",
        "Access-Control-Allow-Origin": "*",
    }
    if validator in request.headers.get("If-None-Match", ""):
        return HttpResponse(status=304, headers=headers)
    found = feed.entries(search, request.user)
    rights = "What to acknowledge: " + host + "cite" + _search_query(params)
    body = feed.atom(search, params, found, host, modified, rights)
    return HttpResponse(body, content_type="application/atom+xml; charset=utf-8", headers=headers)
