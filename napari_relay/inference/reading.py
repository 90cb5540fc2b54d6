"""Reading crop pairs ahead of the forward pass."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Generic, TypeVar

Key = TypeVar("Key")
Read = TypeVar("Read")


class ReadAhead(Generic[Key, Read]):
    """Threads that read what was asked for; it is taken in the order of asking.

    The caller bounds the memory: it asks for no more than it wants to keep.

    Parameters
    ----------
    read
        Called in the threads, for several keys at once.
    threads
        How many.
    """

    def __init__(self, read: Callable[[Key], Read], threads: int) -> None:
        self._read = read
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="relay-reader")
        self._underway: dict[Key, Future[Read]] = {}

    @property
    def underway(self) -> Collection[Key]:
        """What was asked for and not taken yet."""
        return self._underway.keys()

    def ask(self, keys: Iterable[Key]) -> None:
        """Read these, after what was asked for before."""
        for key in keys:
            self._underway[key] = self._pool.submit(self._read, key)

    def take(self) -> tuple[Key, Read]:
        """Wait for what was asked for first; an error of its reading is raised here."""
        key = next(iter(self._underway))
        return key, self._underway.pop(key).result()

    def each(self, keys: Iterable[Key], ahead: int) -> Iterator[tuple[Key, Read]]:
        """Read all of these in order, at most ``ahead`` at a time."""
        left = iter(keys)
        while True:
            self.ask(islice(left, ahead - len(self._underway)))
            if not self._underway:
                return
            yield self.take()

    def close(self) -> None:
        """Let the running reads end and drop the others."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._underway.clear()
