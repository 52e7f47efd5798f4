"""Fixtures for the tests that need whole portals."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from portals import Databases, MakePortal, Portal


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any) -> Iterator[Databases]:
    pool = Databases(tmp_path_factory.mktemp("templates"))
    with django_db_blocker.unblock():
        yield pool
        pool.drop()


@pytest.fixture
def make(tmp_path: Path, databases: Databases) -> Iterator[MakePortal]:
    """make(name, engine) -> an empty portal; the engine of the run unless named."""
    with ExitStack() as stack:

        def made(name: str, engine: str = "") -> Portal:
            engine = engine or connections["default"].vendor
            return stack.enter_context(databases.portal(tmp_path / name, engine))

        yield made


@pytest.fixture(scope="module")
def sound_archive(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Path:
    """A backup of a filled portal."""
    folder = tmp_path_factory.mktemp("archive")
    with databases.portal(folder / "source", connections["default"].vendor) as portal:
        portal.fill()
        return portal.backup(folder / "backup.tar").path


@pytest.fixture
def archive(sound_archive: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    return Path(shutil.copy(sound_archive, tmp_path / "backup.tar"))
