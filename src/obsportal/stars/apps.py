"""The stars application."""

from django.apps import AppConfig


class StarsConfig(AppConfig):
    """Known stars, their names and their motion."""

    name = "obsportal.stars"
    label = "stars"
