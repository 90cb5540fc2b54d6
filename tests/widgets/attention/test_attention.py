"""Looking into attention, as a person does: fields, buttons, napari's layer list."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from napari.utils.notifications import notification_manager

from napari_relay.inference import attention_cache
from napari_relay.inference.attention_maps import read_attention_stack
from napari_relay.widgets.panel import RelayPanel
from napari_relay.widgets.viewport import visible_window
from relay_tokens import UserError
from tests.widgets.attention.hand import choose, click, shown, values

Wait = Callable[[Callable[[], bool]], None]


@pytest.mark.parametrize("branch", ["local", "global"])
def test_each_branch_lies_exactly_over_the_image(
    predicted: RelayPanel, wait_for: Wait, branch: str
) -> None:
    choose(predicted, wait_for, branch=branch)
    session, layer = predicted.controller.session, shown(predicted).layer(branch)
    assert layer.name == f"Attention ({branch})"
    window = shown(predicted)._window
    found = session.store.attention_map(branch, "relay_to_patch", window=window)
    np.testing.assert_allclose(layer.data, found.values, rtol=2e-3)
    assert np.isfinite(found.values).all()
    # The middle of a cell is where the prediction says; a pixel of the image has 0.5 µm.
    for cell in ((0, 0), (3, 5)):
        place = np.array(found.translate) + np.array(cell) * found.factor
        np.testing.assert_allclose(layer.data_to_world(cell), place * 0.5)
        base = predicted.controller.current.base
        np.testing.assert_allclose(base.data_to_world(place), layer.data_to_world(cell))


def test_both_branches_can_be_shown_the_light_of_one_over_the_other(
    predicted: RelayPanel, wait_for: Wait
) -> None:
    viewer, layers = predicted.controller.viewer, shown(predicted)
    viewer.layers.remove(layers.layer("local"))
    choose(predicted, wait_for, branch="global")
    predicted.attention.shown.setChecked(True)
    wait_for(lambda: not layers.reading)
    assert str(layers.layer("global").blending) == "translucent"
    choose(predicted, wait_for, branch="both")
    assert layers.shown == ["local", "global"]
    names = [layer.name for layer in viewer.layers]
    assert names[-3:] == ["Attention (local)", "Attention (global)", "Corrections"]
    assert str(layers.layer("global").blending) == "additive"
    for branch in ("local", "global"):
        assert np.isfinite(values(predicted, branch)).any()
    choose(predicted, wait_for, branch="local")
    assert layers.shown == ["local"]


def test_every_choice_shows_another_map(predicted: RelayPanel, wait_for: Wait) -> None:
    seen = [values(predicted)]
    for field, value in (("blocks", (2, 2)), ("token", 2), ("direction", "patch_to_relay")):
        choose(predicted, wait_for, **{field: value})
        seen.append(values(predicted))
    for one, other in pairwise(seen):
        assert not np.allclose(one, other, equal_nan=True)


def test_a_range_of_blocks_is_the_mean_of_them(ready: RelayPanel, qtbot, wait_for: Wait) -> None:
    section = ready.attention
    assert (section.blocks.minimum(), section.blocks.maximum()) == (1, 2)
    assert section.choice().block is None
    section.blocks.setValue((2, 2))
    assert section.choice().block == 1
    section.blocks.setRange(1, 3)
    section.blocks.setValue((1, 2))
    assert section.choice().block == (0, 1)


def test_what_was_read_ahead_is_shown_at_once_without_the_disk(
    predicted: RelayPanel, wait_for: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = shown(predicted)
    # 2 directions, 2 blocks and their mean
    wait_for(lambda: len(layers._cache._kept) >= 6 and not layers._jobs.running)

    def read(*_: object) -> None:
        raise AssertionError("the disk was read")

    monkeypatch.setattr(attention_cache, "read_attention_stack", read)
    section = predicted.attention
    for field, value in (("token", 1), ("direction", "patch_to_relay"), ("token", 3)):
        before = values(predicted)
        getattr(section, field).value = value
        assert not np.allclose(values(predicted), before, equal_nan=True)
    section.blocks.setValue((1, 1))
    assert not layers.reading


def test_the_next_token_comes_with_each_call_and_their_mean_after_the_last(
    predicted: RelayPanel,
) -> None:
    section = predicted.attention
    section.shown.setChecked(False)
    tokens = []
    for _ in range(6):
        section.next_token()
        tokens.append(section.choice().token)
    assert tokens == [0, 1, 2, 3, None, 0]
    assert section.shown.isChecked()
    assert shown(predicted).shown == ["local"]


def test_nothing_happens_to_a_token_where_there_is_no_attention(panel: RelayPanel) -> None:
    panel.attention.next_token()
    assert not panel.attention.shown.isChecked()


def test_the_contrast_that_a_person_sets_stays_until_they_ask_for_another(
    predicted: RelayPanel, qtbot, wait_for: Wait
) -> None:
    layers = shown(predicted)
    layer = layers.layer("local")
    first = tuple(layer.contrast_limits)
    finite = values(predicted)[np.isfinite(values(predicted))]
    assert first[0] < np.median(finite) < first[1]
    choose(predicted, wait_for, token=1)
    choose(predicted, wait_for, blocks=(2, 2))
    assert tuple(layer.contrast_limits) == first
    layer.contrast_limits = (0.001, 0.002)
    choose(predicted, wait_for, token=3)
    layers.refresh()  # as when a tile arrives
    wait_for(lambda: not layers.reading)
    assert tuple(layer.contrast_limits) == (0.001, 0.002)
    choose(predicted, wait_for, direction="patch_to_relay")
    assert tuple(layer.contrast_limits) != (0.001, 0.002)
    choose(predicted, wait_for, direction="relay_to_patch")
    assert tuple(layer.contrast_limits) == (0.001, 0.002)
    click(qtbot, predicted.attention.contrast)
    low, high = layer.contrast_limits
    assert low < np.nanmedian(values(predicted)) < high


def test_hiding_or_deleting_a_layer_in_the_list_is_seen_in_the_panel(
    predicted: RelayPanel, wait_for: Wait
) -> None:
    section, layers = predicted.attention, shown(predicted)
    choose(predicted, wait_for, branch="both")
    layers.layer("local").visible = False
    assert section.branch.value == "global"
    layers.layer("global").visible = False
    assert not section.shown.isChecked()
    section.shown.setChecked(True)
    assert layers.shown == ["global"]
    predicted.controller.viewer.layers.remove(layers.layer("global"))
    assert not section.shown.isChecked()
    section.shown.setChecked(True)
    wait_for(lambda: not layers.reading)
    assert np.isfinite(values(predicted, "global")).any()


def test_every_head_is_kept_in_a_prediction_of_its_own(
    predicted: RelayPanel, qtbot, wait_for: Wait
) -> None:
    section, session = predicted.attention, predicted.controller.session
    assert session is not None
    usual = session.store.folder
    assert not section.head.enabled
    section.every_head.setChecked(True)
    assert session.store.folder != usual
    assert not session.store.finished.any()
    assert list(section.head.choices) == [-1, 0, 1, 2]
    click(qtbot, predicted.prediction.predict_all)
    wait_for(lambda: not predicted.controller.jobs.running)
    choose(predicted, wait_for, head=0)
    first = values(predicted)
    choose(predicted, wait_for, head=2)
    assert not np.allclose(values(predicted), first, equal_nan=True)
    section.every_head.setChecked(False)
    assert session.store.folder == usual
    assert session.store.finished.all()
    assert not section.head.enabled
    assert section.choice().head is None
    wait_for(lambda: not shown(predicted).reading)
    assert np.isfinite(values(predicted)).all()


def test_where_the_view_goes_the_attention_is_read(
    predicted: RelayPanel, qtbot, wait_for: Wait
) -> None:
    layers, camera = shown(predicted), predicted.controller.viewer.scene.camera
    camera.zoom *= 20
    layers._window = layers._window._replace(height=1, width=1)  # as if only that was read
    camera.center = (60.0, 80.0)
    wait_for(lambda: layers._window.height > 1)
    wait_for(lambda: not layers.reading)
    view = visible_window(predicted.controller.viewer, predicted.controller.current.base)
    assert layers._window.intersection(view) == view
    row, col = layers.layer("local").world_to_data((60.0, 80.0))
    assert np.isfinite(values(predicted)[round(row), round(col)])


def test_tiles_that_arrive_while_attention_is_read_are_shown_as_well(
    predicted: RelayPanel, wait_for: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers, reads, may_end = shown(predicted), [], threading.Event()

    def read(*parts):
        reads.append(parts)
        stack = read_attention_stack(*parts)
        if len(reads) > 1:
            return stack
        may_end.wait(30)
        return stack._replace(values=0 * stack.values)  # as it was before the tiles

    monkeypatch.setattr(attention_cache, "read_attention_stack", read)
    layers.refresh()
    wait_for(lambda: len(reads) == 1)
    layers.refresh()
    may_end.set()
    wait_for(lambda: not layers.reading)
    assert np.nanmax(values(predicted)) > 0


def test_attention_that_cannot_be_read_is_one_sentence_said_once(
    predicted: RelayPanel, qtbot, wait_for: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers, said = shown(predicted), []
    notification_manager.notification_ready.connect(said.append)

    def read(*_: object) -> None:
        raise UserError("c/0/0 is damaged; predict again into another folder.")

    monkeypatch.setattr(attention_cache, "read_attention_stack", read)
    layers.refresh()
    wait_for(lambda: not layers.reading)
    qtbot.wait(50)
    assert [one.message for one in said] == ["c/0/0 is damaged; predict again into another folder."]
    layers.hide()


def test_closing_the_image_while_attention_is_read_is_clean(
    predicted: RelayPanel, wait_for: Wait
) -> None:
    layers = shown(predicted)
    layers.refresh()
    predicted.controller.viewer.layers.remove("picture")
    wait_for(lambda: not layers._jobs.running)
    assert not predicted.attention.shown.isChecked()
    assert not predicted.attention.isEnabled()
