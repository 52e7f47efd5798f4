"""Fetch the next items of a stream while the caller works on the present one."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from typing import TypeVar

Item = TypeVar("Item")

_END = object()


def ahead(source: Generator[Item, None, None], depth: int = 2) -> Iterator[Item]:
    """The items of ``source`` in order, at most ``depth`` of them fetched early by a thread.

    An exception of the source is raised here, after the items before it. When the caller stops
    early the source is closed, in its own thread, before this returns.
    """
    waiting: queue.Queue[object] = queue.Queue(depth)
    stopped = threading.Event()

    def offer(item: object) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False

    def fetch() -> None:
        try:
            for item in source:
                if not offer(item):
                    return
            offer(_END)
        except BaseException as error:
            offer(_Failure(error))
        finally:
            source.close()

    thread = threading.Thread(target=fetch, name="ahead", daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not _END:
            if isinstance(item, _Failure):
                raise item.error
            yield item  # type: ignore[misc]
    finally:
        stopped.set()
        thread.join()


class _Failure:
    """An exception on its way from the fetching thread to the caller."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
