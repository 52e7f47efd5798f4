"""What the tests of pages share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client

from obsportal.accounts.models import User
from obsportal.exposures import kept


@pytest.fixture(autouse=True)
def no_kept_counts() -> Iterator[None]:
    kept.forget_all()
    yield
    kept.forget_all()


@pytest.fixture
def curator() -> Client:
    client = Client()
    client.force_login(User.objects.create_user("curator", is_staff=True))
    return client
