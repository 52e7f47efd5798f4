"""The addresses of the exposure pages."""

from __future__ import annotations

from django.urls import path, re_path

from obsportal.exposures import pages, place_pages

urlpatterns = [
    path("", pages.home_page, name="home"),
    path("search", pages.search_page, name="search"),
    path("detail/exposure/<path:exp_id>/header.txt", place_pages.header_text, name="header-text"),
    path("detail/exposure/<path:exp_id>", place_pages.exposure_page, name="exposure"),
    path("target/<int:key>", place_pages.target_page, name="target"),
    path("position", place_pages.position_page, name="position"),
    path("uv", place_pages.uv_page, name="uv"),
    re_path(r"^uv\.(?P<form>svg|png|pdf|json)$", place_pages.uv_file, name="uv-file"),
    path("refused", pages.refused_page, name="refused"),
    re_path(r"^refused\.(?P<form>votable|csv|tsv|json)$", pages.refused_page, name="refused-data"),
    path("refused/<int:key>/header.txt", pages.refused_header, name="refused-header"),
    path("help/api", pages.help_page, name="help-api"),
]
