"""The addresses of the exposure pages."""

from __future__ import annotations

from django.urls import include, path, re_path, register_converter
from django.urls.converters import StringConverter

from obsportal.exposures.pages import (
    curator_pages,
    night_pages,
    observation_pages,
    place_pages,
    programme_pages,
    search_pages,
    statistics_pages,
    target_pages,
)


class AnyText(StringConverter):
    """An identifier as headers have it: with slashes, and with line breaks, or links to it would fail."""

    regex = r"[^\x00]+"


register_converter(AnyText, "any")

urlpatterns = [
    path("", search_pages.home_page, name="home"),
    path("search", search_pages.search_page, name="search"),
    path("detail/exposure/<any:exp_id>/header.txt", place_pages.header_text, name="header-text"),
    path("detail/exposure/<any:exp_id>", place_pages.exposure_page, name="exposure"),
    path("observation/<any:key>", observation_pages.observation_page, name="observation"),
    path("target/<int:key>", target_pages.target_page, name="target"),
    re_path(r"^night/(?P<night>[\d-]+/[\d-]+)$", night_pages.night_page, name="night"),
    path("night/<str:night>", night_pages.night_page, name="night"),
    path("night/<str:night>/<str:interferometer>", night_pages.night_page, name="night"),
    path("position", place_pages.position_page, name="position"),
    path("uv", place_pages.uv_page, name="uv"),
    re_path(r"^uv\.(?P<form>svg|png|pdf|json)$", place_pages.uv_file, name="uv-file"),
    path("statistics", statistics_pages.statistics_page, name="statistics"),
    re_path(
        r"^statistics\.(?P<form>votable|csv|tsv|json)$",
        statistics_pages.statistics_page,
        name="statistics-data",
    ),
    path("programme/<any:identifier>", programme_pages.programme_page, name="programme"),
    path("refused", search_pages.refused_page, name="refused"),
    re_path(r"^refused\.(?P<form>votable|csv|tsv|json)$", search_pages.refused_page, name="refused-data"),
    path("refused/<int:key>/header.txt", search_pages.refused_header, name="refused-header"),
    path("curator", curator_pages.curator_page, name="curator"),
    path("help/api", search_pages.help_page, name="help-api"),
    path("", include("obsportal.exposures.takeaway.urls")),
]
