"""Which attention of the relay tokens is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from magicgui.widgets import ComboBox
from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QCheckBox, QFormLayout, QWidget
from superqt import QLabeledRangeSlider

from napari_relay.inference.attention import BRANCHES, AttentionLayout, Blocks, Branch
from napari_relay.inference.attention_choice import AttentionChoice
from napari_relay.widgets import attention_words
from napari_relay.widgets.attention_layers import AttentionLayers
from napari_relay.widgets.controller import PREDICTING, RelayController
from napari_relay.widgets.gallery_window import GalleryWindow
from napari_relay.widgets.jobs import report
from napari_relay.widgets.saving import Saving
from napari_relay.widgets.sections.section import Section, add_field, button, note
from relay_tokens import UserError

_BOTH = "both"
_SCALES = [
    *((f"{name}: {seen}", name) for name, seen in attention_words.BRANCHES.items()),
    ("both, one over the other", _BOTH),
]
_DIRECTIONS = [(words, name) for name, words in attention_words.DIRECTIONS.items()]
_MEAN = -1


class AttentionSection(Section):
    """Switch the attention overlays on, choose what they show, look into it and save it."""

    def __init__(self, controller: RelayController, parent: QWidget | None = None) -> None:
        super().__init__("Attention", parent)
        self._controller = controller
        self.saving = Saving(controller, self)
        self._gallery: GalleryWindow | None = None
        self._followed: AttentionLayers | None = None
        self.shown = QCheckBox("Show the relay tokens' attention")
        self.shown.setToolTip("Where information passes between the detailed and the wide crop")
        self.shown.toggled.connect(self._apply)
        self.remark = note("This model has no relay tokens, or none were recorded.")
        self.add(self.shown)
        self.add(self.remark)
        self._add_fields(self.add_form())
        self._add_buttons()
        controller.model_changed.connect(self._refresh)
        self._refresh()

    def _add_fields(self, form: QFormLayout) -> None:
        self.branch = ComboBox(label="Scale", choices=_SCALES)
        self.direction = ComboBox(label="Direction", choices=_DIRECTIONS)
        self.token = ComboBox(label="Token", choices=[("mean of all", _MEAN)])
        self.head = ComboBox(label="Head", choices=[("mean of all", _MEAN)])
        self.blocks = QLabeledRangeSlider(Qt.Orientation.Horizontal)
        self.blocks.setToolTip("The transformer blocks whose mean is shown, first to last")
        for field in (self.branch, self.direction, self.token):
            add_field(form, field.label, field.native)
        add_field(form, "Blocks", self.blocks)
        add_field(form, self.head.label, self.head.native)
        for field in (self.branch, self.direction, self.token, self.head):
            field.changed.connect(self._apply)
        self.blocks.valueChanged.connect(self._apply)
        self.every_head = QCheckBox("Keep every head (needs predicting again)")
        self.every_head.setToolTip(
            "Keep the attention of each head, not only their mean; it takes more room on disk. "
            "Both predictions are kept, and found again when you switch back."
        )
        self.every_head.toggled.connect(self._on_every_head)
        self.add(self.every_head)

    def _add_buttons(self) -> None:
        self.contrast = button(
            "Auto contrast", "Fit the contrast to what is shown now", self._auto_contrast
        )
        self.gallery = button(
            "Token gallery…",
            "What each relay token looks for: its mean pattern, and the places that it reads most",
            self.open_gallery,
        )
        self.save_figure = button(
            "Save figure…",
            "Save what is shown, with scale bar, legend and settings, as PNG or SVG",
            self.saving.ask_figure,
        )
        self.save_arrays = button(
            "Save arrays…",
            "Save the attention maps as OME-Zarr, one channel a relay token",
            lambda: self.saving.ask_arrays(self.branches(), self.choice()),
        )
        self.add_row(self.contrast, self.gallery)
        self.add_row(self.save_figure, self.save_arrays)
        self.saving_status = note()
        self.stop_saving = button("Stop", "Save nothing", self.saving.cancel)
        self.add(self.saving_status)
        self.add(self.stop_saving)
        self._on_saving("")
        self.saving.advanced.connect(self._on_saving)

    def _on_saving(self, words: str) -> None:
        self.saving_status.setText(words)
        for widget in (self.saving_status, self.stop_saving):
            widget.setVisible(bool(words))

    # --- what is chosen

    def choice(self) -> AttentionChoice:
        """What the fields say."""
        token, head = int(self.token.value), int(self.head.value)
        return AttentionChoice(
            self.direction.value,
            self._chosen_blocks(),
            None if token == _MEAN else token,
            None if head == _MEAN else head,
        )

    def branches(self) -> Sequence[Branch]:
        """The branches that are chosen."""
        return [branch for branch in BRANCHES if self.branch.value in (branch, _BOTH)]

    def choose(self, branches: Sequence[Branch], choice: AttentionChoice) -> None:
        """Choose what the fields say, as a person would; no branches: hide it."""
        if self._layout() is None:
            return
        with QSignalBlocker(self.blocks), QSignalBlocker(self.shown):
            self.direction.value = choice.direction
            if branches:
                self.branch.value = branches[0] if len(branches) == 1 else _BOTH
            self.blocks.setValue(self._span(choice.block))
            self._fit_heads()
            for field, value in ((self.token, choice.token), (self.head, choice.head)):
                if value in field.choices:
                    field.value = value
            self.shown.setChecked(bool(branches))
        self._apply()

    def _span(self, blocks: Blocks) -> tuple[int, int]:
        """First and last block as the slider counts them; all of them where there are none."""
        chosen = (blocks,) if isinstance(blocks, int) else tuple(blocks or ())
        if not chosen:
            return self.blocks.minimum(), self.blocks.maximum()
        return min(chosen) + 1, max(chosen) + 1

    def next_token(self) -> None:
        """Show the attention of the next relay token; their mean after the last."""
        if not self.isEnabled():
            return
        values = list(self.token.choices)
        self.token.value = values[(values.index(self.token.value) + 1) % len(values)]
        self.shown.setChecked(True)

    def _chosen_blocks(self) -> Blocks:
        layout = self._layout()
        first, last = self.blocks.value()
        if layout is None or (first, last) == (self.blocks.minimum(), self.blocks.maximum()):
            return None
        # The slider counts from 1, as people do.
        chosen = tuple(block for block in layout.blocks if first <= block + 1 <= last)
        return chosen[0] if len(chosen) == 1 else chosen

    def _layout(self) -> AttentionLayout | None:
        session = self._controller.session
        store = session.store if session else None
        return store.header.attention if store is not None else None

    def _apply(self) -> None:
        layers = self._controller.current
        if layers is None:
            return
        self._fit_heads()
        if self.shown.isChecked():
            layers.attention.show(self.branches(), self.choice())
        else:
            layers.attention.hide()

    def _auto_contrast(self) -> None:
        if self._controller.current is not None:
            self._controller.current.attention.auto_contrast()

    def open_gallery(self) -> None:
        """Show what each relay token looks for, in a window of its own."""
        session = self._controller.session
        if session is None or session.store is None:
            return
        if self._gallery is None:
            self._gallery = GalleryWindow(self._controller, self)
        self._gallery.look_for(self.choice())

    # --- following the session

    def _follow(self, layers: AttentionLayers | None) -> None:
        """Follow what is shown of the current image, in napari's layer list too."""
        if layers is not self._followed:
            if self._followed is not None:
                self._followed.visibility_changed.disconnect(self._on_visible)
            if layers is not None:
                layers.visibility_changed.connect(self._on_visible)
            self._followed = layers
        self._on_visible()

    def _on_visible(self) -> None:
        seen = self._followed.shown if self._followed is not None else []
        with QSignalBlocker(self.shown):
            self.shown.setChecked(bool(seen))
        if seen:
            with self.branch.changed.blocked():
                self.branch.value = seen[0] if len(seen) == 1 else _BOTH

    def _on_every_head(self, wanted: bool) -> None:
        session = self._controller.session
        if session is None:
            return
        if self._controller.jobs.name == PREDICTING:
            self._controller.cancel()
        try:
            session.use_options(
                replace(session.options, attention_heads="all" if wanted else "mean")
            )
        except UserError as error:
            report(error)
            self._refresh()

    def _refresh(self) -> None:
        layers = self._controller.current
        self._follow(layers.attention if layers is not None else None)
        layout, session = self._layout(), self._controller.session
        self.setEnabled(layout is not None)
        self.remark.setVisible(session is not None and bool(session.store) and layout is None)
        if session is None or layout is None:
            return
        with QSignalBlocker(self.every_head):
            self.every_head.setChecked(session.options.attention_heads == "all")
        self._fill(self.token, layout.num_tokens)
        first, last = layout.blocks[0] + 1, layout.blocks[-1] + 1
        if (self.blocks.minimum(), self.blocks.maximum()) != (first, last):
            with QSignalBlocker(self.blocks):
                self.blocks.setRange(first, last)
                self.blocks.setValue((first, last))
        self._fit_heads()
        self._apply()

    def _fit_heads(self) -> None:
        """Offer the heads that there are in all the chosen blocks."""
        layout = self._layout()
        count = layout.head_numbers(self._chosen_blocks()) if layout is not None else 0
        self._fill(self.head, count)
        self.head.enabled = count > 0
        self.head.tooltip = "" if count else "This prediction keeps the mean of all heads"

    def _fill(self, field: ComboBox, count: int) -> None:
        choices = [("mean of all", _MEAN), *((str(i + 1), i) for i in range(count))]
        if len(field.choices) != len(choices):
            with field.changed.blocked():
                field.choices = choices
