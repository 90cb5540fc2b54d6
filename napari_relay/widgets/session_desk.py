"""All that a panel has to do with sessions on disk."""

from __future__ import annotations

from pathlib import Path

from napari_relay.widgets.controller import RelayController
from napari_relay.widgets.read_only_banner import ReadOnlyBanner
from napari_relay.widgets.sections.attention_section import AttentionSection
from napari_relay.widgets.sections.image_section import ImageSection
from napari_relay.widgets.sections.section import Section
from napari_relay.widgets.sections.session_part import SessionPart
from napari_relay.widgets.session_keeper import SessionKeeper
from napari_relay.widgets.session_opener import SessionOpener
from napari_relay.widgets.session_saver import SessionSaver
from napari_relay.widgets.session_view import ViewKeeper


class SessionDesk:
    """Keeps, opens and saves the session of a window.

    Parameters
    ----------
    controller
        Of the window.
    image
        Section that the session's buttons belong to.
    attention
        Section that knows which attention is chosen.
    writing
        Sections that nobody can use while the session can only be looked at.
    """

    def __init__(
        self,
        controller: RelayController,
        image: ImageSection,
        attention: AttentionSection,
        writing: tuple[Section, ...],
    ) -> None:
        view = ViewKeeper(image, attention)
        self.keeper = SessionKeeper(controller, view)
        self.opener = SessionOpener(controller, self.keeper, view)
        self.saver = SessionSaver(controller, self.keeper)
        self.part = SessionPart(self.keeper, self.opener, self.saver)
        self.banner = ReadOnlyBanner(controller, self.keeper, self.opener)
        image.add(self.part)
        self._writing = writing
        self.keeper.changed.connect(self._lock)
        controller.session_changed.connect(self._lock)
        controller.model_changed.connect(self._lock)

    def open(self, folder: Path) -> bool:
        """Open a session in place of what is open; a mistake is shown, and False returned."""
        return self.opener.open(folder)

    def _lock(self) -> None:
        for section in self._writing:
            section.lock(self.keeper.read_only)
