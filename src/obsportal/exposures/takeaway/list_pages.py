"""The list check on a page and as data. Thin: a list in, what exists out."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import BadRequest, RequestDataTooBig, TooManyFieldsSent
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.http.multipartparser import MultiPartParserError
from django.shortcuts import render
from django.utils.http import urlencode
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from obsportal.exposures import answers
from obsportal.exposures.search_values import SearchError, number
from obsportal.exposures.takeaway import list_check, list_forms, list_input
from obsportal.serialise import FORMATS

ADDRESS_LENGTH = 1_500
"""Characters of a list up to which its check has an address that can be passed on."""
RAW_TYPES = ("text/plain", "text/csv", "text/tab-separated-values", "application/x-votable+xml", "text/xml")
"""Body types that are a list as they are."""


def _radius(request: HttpRequest) -> float:
    text = (request.POST.get("radius") or request.GET.get("radius") or "").strip()
    if not text:
        return list_check.DEFAULT_RADIUS
    return number("radius", text, 0, list_check.MAX_RADIUS, "arcsec")


def _given(request: HttpRequest) -> str | bytes | None:
    """The list of a request: an uploaded file, a field, or the body itself; None when there is none."""
    try:
        if request.method == "POST" and request.content_type in RAW_TYPES:
            return request.body
        if int(request.META.get("CONTENT_LENGTH") or 0) > settings.FILE_UPLOAD_MAX_MEMORY_SIZE:
            raise SearchError(
                "list", f"the upload is too large: at most {list_input.MAX_BYTES} bytes are read"
            )
        upload = request.FILES.get("file") if request.method == "POST" else None
        if isinstance(upload, UploadedFile) and upload.size:
            if upload.size > list_input.MAX_BYTES:
                raise SearchError(
                    "list", f"the file has {upload.size} bytes: at most {list_input.MAX_BYTES} are read"
                )
            return bytes(upload.read())
        fields = request.POST if "list" in request.POST else request.GET
        return fields.get("list")
    except (RequestDataTooBig, TooManyFieldsSent) as error:
        raise SearchError("list", f"the list is too large: {error}") from None
    except (MultiPartParserError, BadRequest, ValueError, OSError) as error:
        if isinstance(error, SearchError):
            raise
        raise SearchError("list", f"the request body cannot be read: {error}") from None


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def list_page(request: HttpRequest) -> HttpResponseBase:
    """A form for a list of stars, and what exists of each. Uploads stay in memory and bounded."""
    if request.method == "POST":
        request.upload_handlers = [MemoryFileUploadHandler(request)]
    response: HttpResponseBase = _list_page(request)
    return response


@csrf_protect
def _list_page(request: HttpRequest) -> HttpResponseBase:
    context: dict[str, Any] = {
        "most": list_input.PAGE_LINES,
        "most_data": list_input.MOST_LINES,
        "default_radius": list_check.DEFAULT_RADIUS,
        "forms": list(list_forms.LIST_FORMS),
        "radius": "",
        "text": "",
    }
    status = 200
    try:
        given = _given(request)
        if isinstance(given, str):
            context["text"] = given
        context["radius"] = request.POST.get("radius", request.GET.get("radius", ""))
        radius = _radius(request)
        if given is not None and given.strip():
            lines = list_input.read_list(given)
            text = "\n".join(line.as_text for line in lines) if isinstance(given, bytes) else given
            checked = list_check.check(lines, request.user, radius)
            context |= {
                "text": text,
                "checked": checked,
                "found": sum(1 for c in checked if c.found),
                "unread": [c for c in checked if c.line.problem],
                "used_radius": radius,
                "address": _address(text, radius),
            }
        elif request.method == "POST":
            raise SearchError("list", "no list was given: paste one star a line, or choose a file")
    except SearchError as error:
        context["error"] = error
        status = 400
    response = render(request, "exposures/takeaway/list.html", context, status=status)
    response["Cache-Control"] = "no-cache"
    return response


def _address(text: str, radius: float) -> str:
    query = urlencode({"list": text, "radius": f"{radius:g}"})
    return f"?{query}" if len(query) <= ADDRESS_LENGTH else ""


@csrf_exempt
def list_data(request: HttpRequest, form: str) -> HttpResponseBase:
    """The check as data: GET, or POST of a form, a file or the list itself."""
    if request.method not in {"GET", "HEAD", "POST"}:
        refused = answers.error(form, f"{request.method} is not answered here: allowed are GET and POST", 405)
        refused["Allow"] = "GET, HEAD, POST"
        return refused
    if request.method == "POST":
        request.upload_handlers = [MemoryFileUploadHandler(request)]
    try:
        given = _given(request)
        if given is None or not given.strip():
            raise SearchError(
                "list", f"no list was given: list is needed, one star a line, {list_input.ALLOWED}"
            )
        lines = list_input.read_list(given, list_input.MOST_LINES)
        radius = _radius(request)
    except SearchError as error:
        return answers.error(form, str(error), 400)
    checked = list_check.check(lines, request.user, radius)
    fmt = FORMATS[list_forms.LIST_FORMS[form]]
    body = b"".join(list_forms.document(form, checked, request.build_absolute_uri("/")[:-1], radius))
    headers = {
        "Content-Disposition": f'attachment; filename="list-check.{fmt.extension}"',
        "Access-Control-Allow-Origin": "*",
        "Cache-Control": "no-cache",
        "Vary": "Cookie",
    }
    return HttpResponse(body, content_type=fmt.media_type, headers=headers)
