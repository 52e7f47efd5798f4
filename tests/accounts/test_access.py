"""Default deny: every model and every route is covered by a decision about access."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.apps import apps
from django.contrib.auth.models import AnonymousUser
from django.db.models import Q
from django.urls import URLPattern, URLResolver, get_resolver

from obsportal.accounts.access import Visibility, is_curator, may_curate, reader, rows_for, visible_rows
from obsportal.accounts.models import User

ROOMS = ("accounts", "stars", "exposures", "sync", "site")

ASKED = {"ArchiveRow", "Exposure", "Target", "RefusedHeader", "Observation", "CalibratorLink"}
"""Models whose rows are shown: they offer visible_to(actor)."""

NOT_SHOWN = {
    "User": "administration only",
    "TableVersion": "counters without private content",
    "HeaderVersion": "reached only through a visible exposure or refusal",
    "Provenance": "reached only through a visible exposure",
    "ContinuationFile": "reached only through a visible exposure",
    "Override": "reached only through a visible exposure, or the administration",
    "TargetPointing": "reached only through a visible target; its rows carry a visibility of their own",
    "TargetDecision": "curators only",
    "LinkDecision": "curators only",
    "Star": "published catalogues and name services, nothing private",
    "StarName": "published catalogues and name services, nothing private",
    "NameQuery": "never shown; names of protected targets are not asked for",
    "SyncCursor": "sources page, without rows of observations",
    "SyncRun": "sources page, counts and problems only",
    "Heartbeat": "health page, without private content",
}

ROUTES = {
    "search-data", "health", "health-json", "health-live", "health-ready", "home", "search", "exposure",
    "header-text", "observation", "night", "target", "position", "refused", "refused-data", "refused-header", "uv", "uv-file", "help-api", "sources",
    "programme", "statistics", "statistics-data", "curator", "list", "list-data", "take-away", "log", "log-file",
    "downloads", "downloads-file", "cite", "search-atom", "search-count",
}  # fmt: skip
"""Routes whose views start from visible_to(actor), or show nothing private; the page tests prove it."""


def test_every_model_either_answers_visible_to_or_is_never_shown():
    for app in ROOMS:
        for model in apps.get_app_config(app).get_models():
            name = model.__name__
            if name in ASKED:
                assert hasattr(model.objects, "visible_to"), f"{name} must offer visible_to(actor)"
            else:
                assert name in NOT_SHOWN, f"decide who sees rows of {name}, then list it here"


def routes(patterns: list[URLPattern | URLResolver], inside: str = "") -> Iterator[tuple[str, str]]:
    for pattern in patterns:
        path = inside + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, path)
        else:
            yield pattern.name or "", path


def test_every_route_is_listed_with_a_decision():
    found = {
        name: path for name, path in routes(get_resolver().url_patterns) if not path.startswith("admin/")
    }
    unknown = {name: path for name, path in found.items() if name not in ROUTES}
    assert unknown == {}, "decide who may use these routes, then list them here"


@pytest.mark.parametrize(
    ("actor", "curator"),
    [
        (None, False),
        (AnonymousUser(), False),
        (User(username="a"), False),
        (User(username="b", is_staff=True), True),
        (User(username="c", is_staff=True, is_active=False), False),
        (User(username="d", is_superuser=True), False),
    ],
)
def test_who_is_a_curator(actor: User | None, curator: bool):
    assert is_curator(actor) is curator
    assert may_curate(actor) is curator
    assert visible_rows(actor) == rows_for(reader(actor))
    assert (visible_rows(actor) == Q(visibility=Visibility.PUBLIC)) is not curator


def test_every_visibility_has_a_label_and_replaced_rows_are_in_nobodys_view():
    assert all(v.label for v in Visibility)
    for kind in ("public", "curator"):
        assert Visibility.REPLACED not in str(rows_for(kind))  # type: ignore[arg-type]
