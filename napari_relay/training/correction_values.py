"""What the pixels of corrections mean, beyond class ids."""

from __future__ import annotations

NOT_CLASS = 128
"""``NOT_CLASS + c``: whatever it is, it is not class ``c``."""

IGNORED = 254
"""Neither to be learnt nor to be rehearsed: nobody can say what it is."""

MAX_CLASSES = IGNORED - NOT_CLASS
"""Classes that can be corrected: each needs a value for "it" and one for "not it"."""
