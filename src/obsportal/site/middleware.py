"""Requests of programs take a short way: no session, no cookies, no redirects."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponseBase
from django.urls import resolve
from django.urls.exceptions import Resolver404

SERVICE_PATHS = ("/search.",)
"""Paths answered directly when no cookie comes with the request: nothing there needs a session."""


class PlainServices:
    """Answer the data paths before the middleware that only pages need.

    A request that carries a session cookie goes the long way, so that people signed in see through
    every format what they see on pages.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Call the view of a data path, or go on."""
        if not request.path_info.startswith(SERVICE_PATHS) or request.META.get("HTTP_COOKIE"):
            return self.get_response(request)
        try:
            match = resolve(request.path_info)
        except Resolver404:
            return self.get_response(request)
        request.user = AnonymousUser()
        response: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
        response["X-Content-Type-Options"] = "nosniff"
        return response
