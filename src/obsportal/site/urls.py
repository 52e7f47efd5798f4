"""The addresses of the portal."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path, re_path

from obsportal.exposures import answers
from obsportal.site import health

urlpatterns = [
    re_path(r"^search\.(?P<form>votable|csv|tsv|json)$", answers.answer, name="search-data"),
    path("health", health.health, name="health"),
    path("health.json", health.health_json, name="health-json"),
    path("health/live", health.live, name="health-live"),
    path("health/ready", health.ready, name="health-ready"),
    path("admin/", admin.site.urls),
    path("", include("obsportal.sync.urls")),
    path("", include("obsportal.exposures.urls_pages")),
]
