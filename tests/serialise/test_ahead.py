"""Fetching ahead keeps order, errors and ends."""

from __future__ import annotations

import threading
from collections.abc import Generator

import pytest

from obsportal.serialise.ahead import ahead


def numbers(end: int, log: list[str]) -> Generator[int, None, None]:
    try:
        yield from range(end)
    finally:
        log.append(threading.current_thread().name)


def test_items_come_in_order_and_the_source_is_closed_in_its_thread():
    log: list[str] = []
    assert list(ahead(numbers(1000, log))) == list(range(1000))
    assert log == ["ahead"]


def test_an_error_of_the_source_comes_after_the_items_before_it():
    def source() -> Generator[int, None, None]:
        yield 1
        raise ValueError("broken")

    stream = ahead(source())
    assert next(stream) == 1
    with pytest.raises(ValueError, match="broken"):
        next(stream)


def test_leaving_early_closes_the_source():
    log: list[str] = []
    stream = ahead(numbers(10**9, log))
    assert next(stream) == 0
    stream.close()  # type: ignore[attr-defined]
    assert log == ["ahead"]
