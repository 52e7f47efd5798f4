"""Restores that fail or are killed at any step leave the old state, or have reached the new one."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.db import connections

from obsportal.exposures.models import Target
from obsportal.site import backup as module
from obsportal.site import record_copy
from obsportal.site.backup import BackupError, finish_interrupted_restore

if TYPE_CHECKING:
    from portals import MakePortal


def test_an_error_at_any_step_of_a_restore_leaves_the_old_state(
    make: MakePortal, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal = make("other")
    portal.fill("HD 2")
    before = portal.state()
    steps = 0
    for failing in range(1, 50):
        with monkeypatch.context() as patch, suppress(BackupError):
            count_moves(patch, failing, failure)
            portal.restore(archive, force=True)
            break
        finish_interrupted_restore(portal.data, portal.using)
        assert portal.state() == before
        steps += 1
    assert steps >= 4
    assert [target.name for target in Target.objects.using(portal.using).all()] == ["HD 1"]


def failure() -> None:
    raise OSError(5, "broken")


def count_moves(
    monkeypatch: pytest.MonkeyPatch, failing: int, fail: Callable[[], None]
) -> list[tuple[Path, Path]]:
    """Let the n-th renaming of a file or folder fail."""
    done: list[tuple[Path, Path]] = []
    for name in ("rename", "replace"):
        original = getattr(Path, name)

        def move(path: Path, target: Path, original: Callable[[Path, Path], Path] = original) -> Path:
            if len(done) + 1 == failing:
                done.append((path, target))
                fail()
            done.append((path, target))
            return original(path, target)

        monkeypatch.setattr(Path, name, move)
    return done


def test_a_kill_at_any_step_leaves_the_old_or_the_new_state_and_a_restore_still_works(
    make: MakePortal, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal = make("other")
    portal.fill("HD 2")
    old = portal.state()
    outcomes = []
    for failing in range(1, 50):
        connections[portal.using].close()
        connections["default"].close()
        child = os.fork()
        if child == 0:
            try:
                count_moves(monkeypatch, failing, lambda: os._exit(9))
                portal.restore(archive, force=True)
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        done = finish_interrupted_restore(portal.data, portal.using)
        if os.waitstatus_to_exitcode(status) == 0:
            outcomes.append("finished")
            break
        assert done
        assert portal.state() == old
        outcomes.append("old")
    assert outcomes.count("old") >= 4
    assert outcomes[-1] == "finished"
    assert [target.name for target in Target.objects.using(portal.using).all()] == ["HD 1"]
    assert sorted(portal.files()) == ["kept/aside/bad header.hdr", "note.txt"]


def test_a_kill_after_the_switch_is_finished_to_the_new_state(
    make: MakePortal, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal = make("other")
    portal.fill("HD 2")
    for alias in (portal.using, "default"):
        connections[alias].close()
    child = os.fork()
    if child == 0:
        try:
            calls: list[None] = []
            original = module._finish_interrupted

            def second_kills(data: Path, using: str) -> str:
                calls.append(None)
                return original(data, using) if len(calls) == 1 else os._exit(9)

            monkeypatch.setattr(module, "_finish_interrupted", second_kills)
            portal.restore(archive, force=True)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert finish_interrupted_restore(portal.data, portal.using) == "a restore was finished"
    assert [target.name for target in Target.objects.using(portal.using).all()] == ["HD 1"]
    assert sorted(portal.files()) == ["kept/aside/bad header.hdr", "note.txt"]


def test_a_log_that_a_killed_server_left_does_not_touch_the_restored_records(
    make: MakePortal, archive: Path
) -> None:
    portal = make("other", "sqlite")
    connections[portal.using].close()
    child = os.fork()
    if child == 0:
        try:
            portal.fill("HD 2")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    log = portal.data / "records.sqlite3-wal"
    assert log.stat().st_size > 0
    portal.restore(archive, force=True)
    assert not log.exists()
    assert [target.name for target in Target.objects.using(portal.using).all()] == ["HD 1"]
    assert record_copy.check_sqlite(portal.data / "records.sqlite3") == ""
