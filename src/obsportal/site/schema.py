"""The records' schema: is it current, bring it up to date."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from obsportal.exposures.bulk import refresh_statistics


def pending() -> list[str]:
    """Names of migrations not yet applied."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def current() -> str:
    """The last migration applied to the exposures, or "" before the first."""
    applied = MigrationExecutor(connection).loader.applied_migrations
    return max((name for app, name in applied if app == "exposures"), default="")


def upgrade() -> None:
    """Create the data folder, and apply what is pending."""
    folder = Path(settings.OBSPORTAL_DATA)
    folder.mkdir(parents=True, exist_ok=True)
    if connection.vendor == "sqlite":
        Path(settings.DATABASES["default"]["NAME"]).parent.mkdir(parents=True, exist_ok=True)
    if pending():
        call_command("migrate", verbosity=0, interactive=False)
        refresh_statistics()  # a table that a migration makes anew forgets them
