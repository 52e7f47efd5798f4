"""The synchronisation application."""

from django.apps import AppConfig


class SyncConfig(AppConfig):
    """Sources, their runs and where each stands."""

    name = "obsportal.sync"
    label = "sync"
