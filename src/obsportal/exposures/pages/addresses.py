"""Addresses of pages that other parts of the portal offer; empty where a page is not offered."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.urls import NoReverseMatch, reverse
from django.utils.http import urlencode


def page(name: str, *args: Any, **query: str) -> str:
    """The address of a route with its query, "" when there is no such route."""
    try:
        found = reverse(name, args=args)
    except NoReverseMatch:
        return ""
    return f"{found}?{urlencode(query)}" if query else found


def search(**query: str) -> str:
    """A search for exposures."""
    return f"{reverse('search')}?{urlencode(query)}"


def night(begun: date, interferometer: str) -> str:
    """The page of a night at an interferometer, else its exposures."""
    return page("night", begun.isoformat(), interferometer) or search(
        night=begun.isoformat(), interferometer=interferometer
    )


def programme(identifier: str) -> str:
    """The page of a programme or run, "" for a nameless one."""
    return page("programme", identifier) if identifier else ""
