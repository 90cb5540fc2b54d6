"""Which attention of the relay tokens is shown."""

from __future__ import annotations

from magicgui.widgets import ComboBox
from qtpy.QtWidgets import QCheckBox, QWidget

from napari_relay.inference.attention import Branch, Direction
from napari_relay.widgets.attention_overlay import AttentionChoice
from napari_relay.widgets.controller import RelayController
from napari_relay.widgets.sections.section import Section, add_field, note

_BRANCHES: list[tuple[str, Branch]] = [
    ("local: the detailed crop", "local"),
    ("global: the wide crop", "global"),
]
_DIRECTIONS: list[tuple[str, Direction]] = [
    ("tokens read the patches", "relay_to_patch"),
    ("patches read the tokens", "patch_to_relay"),
]
_MEAN = -1


class AttentionSection(Section):
    """Switch the attention overlay on, and choose what it shows."""

    def __init__(self, controller: RelayController, parent: QWidget | None = None) -> None:
        super().__init__("Attention", parent)
        self._controller = controller
        self.shown = QCheckBox("Show the relay tokens' attention")
        self.shown.setToolTip("Where information passes between the detailed and the wide crop")
        self.shown.toggled.connect(self._apply)
        self.branch = ComboBox(label="Scale", choices=_BRANCHES)
        self.direction = ComboBox(label="Direction", choices=_DIRECTIONS)
        self.block = ComboBox(label="Block", choices=[("mean of all", _MEAN)])
        self.token = ComboBox(label="Token", choices=[("mean of all", _MEAN)])
        self.remark = note("This model has no relay tokens, or none were recorded.")
        self.add(self.shown)
        self.add(self.remark)
        form = self.add_form()
        for field in (self.branch, self.direction, self.block, self.token):
            add_field(form, field.label, field.native)
            field.changed.connect(self._apply)
        controller.model_changed.connect(self._refresh)
        self._refresh()

    def choice(self) -> AttentionChoice:
        """What the fields say."""
        block, token = int(self.block.value), int(self.token.value)
        return AttentionChoice(
            self.branch.value,
            self.direction.value,
            None if block == _MEAN else block,
            None if token == _MEAN else token,
        )

    def _apply(self) -> None:
        layers = self._controller.current
        if layers is None:
            return
        if self.shown.isChecked():
            layers.show_attention(self.choice())
        else:
            layers.hide_attention()

    def _refresh(self) -> None:
        session = self._controller.session
        store = session.store if session else None
        has_attention = store is not None and store.has_attention
        self.setEnabled(has_attention)
        self.remark.setVisible(store is not None and not has_attention)
        if session is None or session.checkpoint is None or not has_attention:
            return
        model = session.checkpoint.model
        self._fill(self.block, len(model.attention_strides))
        self._fill(self.token, model.config.num_relay_tokens)

    def _fill(self, field: ComboBox, count: int) -> None:
        choices = [("mean of all", _MEAN), *((str(i + 1), i) for i in range(count))]
        if len(field.choices) != len(choices):
            with field.changed.blocked():
                field.choices = choices
