"""The addresses of what people take away."""

from __future__ import annotations

from django.urls import path, re_path

from obsportal.exposures.takeaway import list_pages, pages

urlpatterns = [
    path("list", list_pages.list_page, name="list"),
    re_path(r"^list\.(?P<form>votable|csv|json)$", list_pages.list_data, name="list-data"),
    path("takeaway", pages.take_away_page, name="take-away"),
    path("log", pages.log_page, name="log"),
    re_path(r"^log\.(?P<form>tex|csv)$", pages.log_file, name="log-file"),
    path("downloads", pages.downloads_page, name="downloads"),
    re_path(r"^downloads\.(?P<form>sh|py|csv|txt)$", pages.downloads_file, name="downloads-file"),
    path("cite", pages.cite_page, name="cite"),
    path("search.atom", pages.atom_feed, name="search-atom"),
    path("search.count", pages.count_data, name="search-count"),
]
