"""The site application: templates and static files shared by all rooms."""

from django.apps import AppConfig


class SiteConfig(AppConfig):
    """Base templates, static files, health."""

    name = "obsportal.site"
    label = "site"
