"""A property that is worked out when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

Owner = TypeVar("Owner")
Value = TypeVar("Value")


class drawn_once(Generic[Owner, Value]):  # noqa: N801  (a decorator)
    """:func:`functools.cached_property` without its lock.

    Up to Python 3.11 that lock is one for all objects of a class, so that threads
    that draw different tiles would wait for each other. Two threads that ask the
    same object at once both work the value out, which is the same.
    """

    def __init__(self, draw: Callable[[Owner], Value]) -> None:
        self._draw = draw
        self.__doc__ = draw.__doc__

    def __get__(self, owner: Owner, kind: type[Owner]) -> Value:
        # What is in an object's own dictionary is found before this is asked.
        value = owner.__dict__[self._draw.__name__] = self._draw(owner)
        return value
