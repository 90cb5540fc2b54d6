"""The one error a user can mend."""

from __future__ import annotations


class UserError(Exception):
    """A mistake a user can mend.

    ``str(error)`` is one sentence that names the file or setting and says what
    to do. The CLI prints it, the app shows it as a notification; neither shows
    a traceback for it.
    """
