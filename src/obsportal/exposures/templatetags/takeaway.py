"""What pages show of taking things away: links, sizes, lines that repeat a search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django import template
from django.template import Context
from django.urls import reverse
from django.utils.http import urlencode

from obsportal.exposures.takeaway import extent
from obsportal.exposures.takeaway.repeat import known, repeat

register = template.Library()


def _query(params: Mapping[str, str]) -> str:
    """The selection of a search as a query string with ``?``; order and extent of a page are left out."""
    asked = {k: v for k, v in known(params).items() if k not in {"page", "limit"}}
    return f"?{urlencode(asked)}" if asked else ""


def _base(context: Context) -> str:
    request = context.get("request")
    return str(request.build_absolute_uri("/")) if request else "/"


@register.inclusion_tag("exposures/takeaway/_menu.html", takes_context=True)
def take_away(context: Context, params: Mapping[str, str]) -> dict[str, Any]:
    """Links to everything that can be made of a search, and the lines that repeat it."""
    selection = {k: v for k, v in known(params or {}).items() if k not in {"page", "limit"}}
    return {"query": _query(selection), "repeat": repeat(selection, _base(context))}


@register.simple_tag(takes_context=True)
def feed_address(context: Context, params: Mapping[str, str]) -> str:
    """The absolute address of the Atom feed of a search."""
    return _base(context)[:-1] + reverse("search-atom") + _query(params or {})


@register.filter
def about_size(rows: int, form: str) -> str:
    """About how large so many rows are in a format."""
    return extent.words(extent.sizes(int(rows or 0)).get(form, 0))


@register.filter
def is_big(rows: Any) -> bool:
    """Whether so many rows should be asked about before they are sent."""
    return isinstance(rows, int) and rows > extent.BIG


@register.filter
def in_order(values: Iterable[str]) -> list[str]:
    """The values sorted, for those that have no order of their own."""
    return sorted(values)
