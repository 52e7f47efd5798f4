"""The search for programs: ``/search.votable``, ``.csv``, ``.tsv``, ``.json``.

Form-encoded GET and POST, no CSRF token, no redirect, status 200 also when nothing is found: ASPRO2
accepts nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from django.core.exceptions import BadRequest, RequestDataTooBig, TooManyFieldsSent
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict, StreamingHttpResponse
from django.http.multipartparser import MultiPartParserError
from django.utils.http import http_date
from django.views.decorators.csrf import csrf_exempt

from obsportal.exposures import contract, stream
from obsportal.exposures.groups import group_columns, grouped
from obsportal.exposures.groups.group_columns import Group
from obsportal.exposures.kept import last_change
from obsportal.exposures.search import Search, etag, parse
from obsportal.exposures.search_values import SearchError
from obsportal.exposures.takeaway import extent, gate
from obsportal.exposures.takeaway.repeat import cite_link
from obsportal.exposures.versions import last_modified
from obsportal.serialise import FORMATS, error_document

if TYPE_CHECKING:
    from obsportal.accounts.access import Actor
    from obsportal.serialise.rows import Batch

WHOLE = 8_000_000
"""Bytes up to which an answer is sent whole, with its length, so that no slow client holds a thread."""


def parameters(request: HttpRequest) -> dict[str, str]:
    """The parameters of a request, of the body before those of the URL; repeated ones are joined.

    NUL characters, which no database keeps, are dropped. Raises SearchError for a body that is no
    form, rather than to answer as if nothing had been asked.
    """
    try:
        found = _joined(request.GET)
        if request.method == "POST":
            _check_form(request)
            found |= _joined(request.POST)
    except (RequestDataTooBig, TooManyFieldsSent) as error:
        raise SearchError("body", f"the request is too large: {error}") from None
    except (MultiPartParserError, BadRequest, ValueError, OSError) as error:
        raise SearchError("body", f"the request body cannot be read as a form: {error}") from None
    return found


def _joined(query: QueryDict) -> dict[str, str]:
    return {name: ",".join(filter(None, values)).replace("\x00", "") for name, values in query.lists()}


FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")


def _check_form(request: HttpRequest) -> None:
    if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
        raise ValueError("its length is not stated (Content-Length)")
    if request.META.get("CONTENT_LENGTH") not in {None, "", "0"} and request.content_type not in FORM_TYPES:
        raise ValueError(f"its type is {request.content_type!r}, not {FORM_TYPES[0]}")


@csrf_exempt
def answer(request: HttpRequest, form: str) -> HttpResponseBase:
    """A search in a data format."""
    if request.method not in {"GET", "HEAD", "POST"}:
        refused = error(form, f"{request.method} is not answered here: allowed are GET and POST", 405)
        refused["Allow"] = "GET, HEAD, POST"
        return refused
    try:
        asked = parameters(request)
        search = parse(asked)
    except SearchError as wrong:
        return error(form, str(wrong), 400)
    version = last_modified()
    modified = last_change(request.user, version)
    validator = etag(asked, request.user, form, version[0])
    headers = {
        "ETag": validator,
        "Last-Modified": http_date(modified.timestamp()),
        "Cache-Control": "no-cache",
        "Vary": "Cookie",
        "Access-Control-Allow-Origin": "*",
        "Link": cite_link(asked),
    }
    if request.method != "POST" and validator in request.headers.get("If-None-Match", ""):
        return HttpResponse(status=304, headers=headers)
    if request.method == "HEAD":
        return _announced(search, request.user, form, headers)
    fmt = FORMATS[form]
    stated = {"status": "OK", "last_mod_date": f"{modified:%Y-%m-%d %H:%M:%S}+00:00"}
    columns, rows = _rows(search, request.user)
    if search.group is not Group.EXPOSURE:
        stated["group"] = search.group
    chunks = fmt.writer(rows, [c.column for c in columns], params=stated)
    headers["Content-Type"] = fmt.media_type
    headers["Content-Disposition"] = f'inline; filename="search.{fmt.extension}"'
    return respond(chunks, headers, form)


def _announced(search: Search, actor: Actor, form: str, headers: dict[str, str]) -> HttpResponse:
    """What a search would send: its rows, and about how many bytes."""
    found = extent.extent(search, actor)
    rows = {"X-Row-Count": str(found.rows), "X-Size-Estimate": str(found.bytes[form])}
    return HttpResponse(content_type=FORMATS[form].media_type, headers=headers | rows)


def _rows(search: Search, actor: Actor) -> tuple[Sequence[contract.ContractColumn], Iterator[Batch]]:
    """The published columns of an answer and its rows."""
    if search.group is Group.EXPOSURE:
        columns = contract.columns(all_fields=search.all_fields)
        return columns, stream.batches(search.statement(actor), columns)
    columns = group_columns.columns(all_fields=search.all_fields)
    return columns, grouped.batches(search, actor, columns)


def respond(chunks: Iterator[bytes], headers: dict[str, str], form: str) -> HttpResponseBase:
    """Answers up to WHOLE bytes whole, with their length; longer ones streamed, a few at a time.

    A stream that finds no place is refused with 503, so that shorter answers find a thread.
    """
    first: list[bytes] = []
    size = 0
    for chunk in chunks:
        first.append(chunk)
        size += len(chunk)
        if size > WHOLE:
            place = gate.STREAMS.enter()
            if place is None:
                return _busy(form)
            return StreamingHttpResponse(gate.Placed(place, first, chunks), headers=headers)
    body = b"".join(first)
    return HttpResponse(body, headers=headers | {"Content-Length": str(len(body))})


def _busy(form: str) -> HttpResponse:
    refused = error(
        form,
        f"{gate.STREAMS.places} long answers are being sent already, the most at a time: ask again in"
        f" {gate.RETRY_AFTER} s, or for less (/search.count tells how much a search sends)",
        503,
    )
    refused["Retry-After"] = str(gate.RETRY_AFTER)
    refused["Cache-Control"] = "no-store"
    return refused


def error(form: str, sentence: str, status: int) -> HttpResponse:
    """An error in the format that was asked for."""
    match form:
        case "votable":
            body, media = error_document(sentence, "contract"), "application/x-votable+xml"
        case "json":
            body = json.dumps({"status": "ERROR", "message": sentence}).encode()
            media = "application/json"
        case _:
            body, media = f"{sentence}\n".encode(), "text/plain; charset=utf-8"
    return HttpResponse(body, status=status, content_type=media, headers={"Access-Control-Allow-Origin": "*"})
