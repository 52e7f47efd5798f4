"""The accounts application."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """People, and what they may see and do."""

    name = "obsportal.accounts"
    label = "accounts"
