"""The sources page: where the records come from, and how well that goes."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from obsportal.sync import report

FORMS = ("html", "json")


@require_safe
@never_cache
def sources_page(request: HttpRequest) -> HttpResponse:
    """Each source with its runs, its lag and its failures; ``format=json`` for machines."""
    form = request.GET.get("format", "html").strip().lower()
    if form not in FORMS:
        return HttpResponse(
            f"format is {form[:40]!r}: allowed are html and json\n",
            status=400,
            content_type="text/plain; charset=utf-8",
        )
    found = report.standing(request.user)
    if form == "json":
        return JsonResponse({"sources": found})
    for source in found:
        for run in source["runs"]:
            run["told"] = report.counted(run["counts"])
    return render(request, "sync/sources.html", {"sources": found, "now": timezone.now()})
