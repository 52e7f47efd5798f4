"""The exposures application."""

from django.apps import AppConfig


class ExposuresConfig(AppConfig):
    """Level 0: raw headers become exposures."""

    name = "obsportal.exposures"
    label = "exposures"
