"""Fixtures of the synchronisation tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from archive_server import Archive, served
from following import small_archive


@pytest.fixture
def archive() -> Archive:
    """A few nights of demonstration frames."""
    return small_archive()


@pytest.fixture
def address(archive: Archive) -> Iterator[str]:
    """Where that archive answers."""
    with served(archive) as found:
        yield found
