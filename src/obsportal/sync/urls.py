"""The addresses of the synchronisation pages."""

from __future__ import annotations

from django.urls import path

from obsportal.sync import pages

urlpatterns = [path("sources", pages.sources_page, name="sources")]
