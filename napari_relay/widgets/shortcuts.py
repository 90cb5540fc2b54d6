"""The keys of the app: one table for what they do, the tooltips and the help sheet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import monotonic
from weakref import ref

from napari.viewer import Viewer
from qtpy.QtWidgets import QWidget

_TAP_S = 0.3
"""A key that is held longer is let go of, not tapped."""

Press = Callable[[], None]
Hold = Callable[[], Callable[[], None]]
"""Called when a key is pressed; what it returns, when it is let go of."""


@dataclass(frozen=True)
class Shortcut:
    """A key and what it is for."""

    key: str
    """As napari writes it, e.g. ``Shift-N``."""
    does: str
    """What it does, for the help sheet."""

    @property
    def label(self) -> str:
        """What a person reads on the keyboard, e.g. ``Shift+N``."""
        return self.key.replace("-", "+")


PREDICT_VIEW = Shortcut("G", "Predict what is in view")
PEEK = Shortcut("H", "Hide the prediction while the key is held; a tap hides or shows it")
NEXT_CLASS = Shortcut("N", "Take the next class to paint with")
PREVIOUS_CLASS = Shortcut("Shift-N", "Take the class before it")
NEXT_TOKEN = Shortcut("K", "Show the attention of the next relay token")
NEXT_PLACE = Shortcut(".", "Look at the next place that the model is unsure of")
PREVIOUS_PLACE = Shortcut(",", "Look at the place before")
SKIP_PLACE = Shortcut("J", "Jump over the place that is looked at")
AGREE = Shortcut("U", "Agree with the prediction in the place that is looked at")
ACCEPT_TOOL = Shortcut("Shift-C", "Confirm what is predicted: click on it, or draw round it")
RELABEL_TOOL = Shortcut("Shift-R", "Give what is predicted the chosen class instead")
REFUSE_TOOL = Shortcut("Shift-X", "Say that something is not what is predicted")
IGNORE_TOOL = Shortcut("Shift-I", "Say that nobody can say what something is")
LASSO_TOOL = Shortcut("Shift-O", "Draw round an area with the button held")
PROBE = Shortcut("Q", "Take the probe in hand, or put it down; Esc puts it down too")
HELP = Shortcut("F1", "Open this page")

SHORTCUTS = (
    PREDICT_VIEW, PEEK, NEXT_CLASS, PREVIOUS_CLASS, NEXT_TOKEN, PROBE, NEXT_PLACE, PREVIOUS_PLACE,
    SKIP_PLACE, AGREE, ACCEPT_TOOL, RELABEL_TOOL, REFUSE_TOOL, IGNORE_TOOL, LASSO_TOOL, HELP,
)  # fmt: skip
"""All of them. None is one of napari's own."""


class KeyBindings:
    """Binds keys of a viewer, wherever in its window the focus is, until it is closed.

    A field that a person types in keeps its letters: Qt passes on what it leaves.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._acts: dict[Shortcut, Press | Hold] = {}

    @property
    def bound(self) -> tuple[Shortcut, ...]:
        """What is bound, in the order in which it was."""
        return tuple(self._acts)

    def press(self, shortcut: Shortcut, act: Press) -> None:
        """Call a function when a key is pressed; a key that is taken stays as it is."""
        # The viewer must not keep alive what belongs to the panel.
        keys = ref(self)

        def pressed(_viewer: Viewer) -> None:
            if (mine := keys()) is not None:
                mine._acts[shortcut]()

        self._bind(shortcut, act, pressed)

    def hold(self, shortcut: Shortcut, act: Hold) -> None:
        """As :meth:`press`, and call what that returned when the key is let go of."""
        keys = ref(self)

        def held(_viewer: Viewer) -> Iterator[None]:
            let_go = None
            if (mine := keys()) is not None:
                let_go = mine._acts[shortcut]()
            yield
            if let_go is not None:
                let_go()

        self._bind(shortcut, act, held)

    def close(self) -> None:
        """Give the keys back."""
        for shortcut in self._acts:
            self._viewer.bind_key(shortcut.key, None)
        self._acts.clear()

    def _bind(
        self, shortcut: Shortcut, act: Press | Hold, function: Callable[[Viewer], object]
    ) -> None:
        try:
            self._viewer.bind_key(shortcut.key, function)
        except ValueError:  # by a person's own start-up file, or a second panel
            return
        self._acts[shortcut] = act


class Peek:
    """Hides or shows something while a key is held, and for good when it is tapped.

    Parameters
    ----------
    is_shown
        Whether it is shown; None when there is nothing.
    show
        Shows it, or hides it.
    """

    def __init__(self, is_shown: Callable[[], bool | None], show: Callable[[bool], None]) -> None:
        self._is_shown = is_shown
        self._show = show

    def __call__(self) -> Callable[[], None]:
        """Press the key."""
        shown, pressed = self._is_shown(), monotonic()
        if shown is None:
            return lambda: None
        self._show(not shown)
        return lambda: self._show(shown) if monotonic() - pressed > _TAP_S else None


def add_hint(widget: QWidget, shortcut: Shortcut) -> None:
    """Name a key at the end of a widget's tooltip."""
    widget.setToolTip(f"{widget.toolTip()} ({shortcut.label})".strip())
