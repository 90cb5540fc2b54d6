"""How a command that fails ends: one sentence and an exit status, never a traceback."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from typing import Any

import typer
from rich.console import Console
from typer.core import TyperGroup

FAILED = 1
"""Exit status after a mistake a user can mend."""
INTERRUPTED = 130
"""Exit status after Ctrl-C, as a shell has it: 128 + SIGINT."""

_REMEDIES = {
    errno.ENOSPC: "The disk is full{place}; free some room and run the same command again.",
    errno.EDQUOT: "The disk quota is used up{place}; free some room and run the command again.",
    errno.EACCES: "Permission was denied{place}; choose another place or change its permissions.",
    errno.EROFS: "The disk is read-only{place}; choose another place.",
}


class RelayGroup(TyperGroup):
    """The commands; errors that a user can mend end in one red sentence."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except typer.Exit:
            raise
        except KeyboardInterrupt as error:
            say_error("Stopped.")
            raise typer.Exit(INTERRUPTED) from error
        except Exception as error:
            sentence = sentence_for(error)
            if sentence is None:
                raise
            say_error(sentence)
            raise typer.Exit(FAILED) from error


def say_error(sentence: str) -> None:
    """Write one red line to the standard error stream, however long it is."""
    console = Console(stderr=True, highlight=False)
    console.print(" ".join(sentence.split()), style="red", markup=False, soft_wrap=True)


def sentence_for(error: BaseException) -> str | None:
    """What to tell a user of an error, or None when it is a defect."""
    if _is_user_error(error):
        return str(error)
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.errno in _REMEDIES:
            place = f" at {cause.filename}" if cause.filename else ""
            return _REMEDIES[cause.errno].format(place=place)
    return None


def _is_user_error(error: BaseException) -> bool:
    # Where relay_tokens is not loaded, none was raised; loading it takes seconds (torch).
    if "relay_tokens" not in sys.modules:
        return False
    from relay_tokens import UserError

    return isinstance(error, UserError)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and those it came from, nearest first."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__
