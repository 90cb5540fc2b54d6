"""What changes when the context is cut, blank, or another place's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_relay.exploring import ChangeTally, Place, WhatIf, view_changes, what_if
from napari_relay.exploring.crop_runner import CropRunner
from napari_relay.exploring.view_changes import middle_tiles
from napari_relay.exploring.what_if import ContextSwitch
from napari_relay.geometry import Window
from napari_relay.inference import PredictOptions, read_crop_pair, tile_grid
from relay_tokens import UserError, context_dependence
from tests.inference.samples import make_image, noise, tiny_relay

CHECKPOINT = tiny_relay()
with torch.no_grad():  # let the context matter to a model that has learned nothing
    for weight in CHECKPOINT.model.parameters():
        weight.add_(torch.randn_like(weight), alpha=0.2)
IMAGE = make_image(noise(400, 300))
PLACE = Place(203, 150)


@pytest.mark.parametrize("kind", ["cut", "blank"])
def test_the_answer_is_that_of_two_runs_which_differ_in_the_context_alone(kind) -> None:
    changes = what_if(CHECKPOINT, IMAGE, PLACE, WhatIf(kind))
    pair = read_crop_pair(IMAGE, changes.window, CHECKPOINT.model.config, CHECKPOINT.metadata)
    local, wide = (torch.from_numpy(crop)[None] for crop in (pair.local, pair.global_))
    expected = context_dependence(CHECKPOINT.model, local, wide, cut=kind == "cut")
    assert np.array_equal(changes.before, expected.before[0])
    assert np.array_equal(changes.after, expected.after[0])
    np.testing.assert_allclose(
        changes.probability_change, expected.probability_change[0], atol=1e-6
    )
    assert np.abs(changes.probability_change).max() > 1e-4


def test_the_wide_view_of_the_same_place_changes_nothing() -> None:
    changes = what_if(CHECKPOINT, IMAGE, PLACE, WhatIf("elsewhere", PLACE))
    assert changes.tally == ChangeTally(64 * 64, 0.0, {})
    assert (changes.new_classes == 255).all()


def test_the_wide_view_of_another_place_is_the_one_around_it() -> None:
    other = Place(30, 280)
    changes = what_if(CHECKPOINT, IMAGE, PLACE, WhatIf("elsewhere", other))
    here = read_crop_pair(IMAGE, changes.window, CHECKPOINT.model.config, CHECKPOINT.metadata)
    # On whole patches, with the other place in the middle.
    window = Window(0, 256, 64, 64)
    there = read_crop_pair(IMAGE, window, CHECKPOINT.model.config, CHECKPOINT.metadata)
    crops = (here.local, here.global_, there.global_)
    expected = context_dependence(CHECKPOINT.model, *(torch.from_numpy(c)[None] for c in crops))
    np.testing.assert_allclose(
        changes.probability_change, expected.probability_change[0], atol=1e-6
    )


def test_only_changed_pixels_have_a_new_class_and_all_are_counted() -> None:
    changes = what_if(CHECKPOINT, IMAGE, PLACE, WhatIf("blank"))
    changed = changes.before != changes.after
    assert np.array_equal(changes.new_classes[changed], changes.after[changed])
    assert (changes.new_classes[~changed] == 255).all()
    tally = changes.tally
    assert (tally.changed, tally.pixels) == (changed.sum(), changed.size)
    assert 0 < tally.share < 1
    assert tally.share == changed.mean()
    for (before, after), count in tally.transitions.items():
        assert count == ((changes.before == before) & (changes.after == after)).sum()
    assert tally.mean_moved == pytest.approx(changes.probability_change.mean(), abs=1e-6)


def test_pixels_without_data_neither_change_nor_count() -> None:
    pixels = noise(160, 160)
    pixels[60:100, 60:100] = 0
    image = make_image(pixels, nodata=0)
    changes = what_if(CHECKPOINT, image, Place(80, 80), WhatIf("blank"))
    hole = (slice(12, 52),) * 2
    assert changes.window == Window(48, 48, 64, 64)
    assert (changes.before[hole] == 255).all()
    assert (changes.new_classes[hole] == 255).all()
    assert not changes.probability_change[hole].any()
    assert changes.tally.pixels == 64 * 64 - 40 * 40


def test_outside_the_image_nothing_is_compared() -> None:
    changes = what_if(CHECKPOINT, IMAGE, Place(0, 0), WhatIf("cut"))
    assert changes.window == Window(0, 0, 32, 32)
    assert changes.before.shape == changes.probability_change.shape == (32, 32)


@pytest.mark.parametrize("fields", [("elsewhere",), ("cut", PLACE), ("nothing",)])
def test_a_question_that_makes_no_sense_is_refused(fields) -> None:
    with pytest.raises(UserError):
        WhatIf(*fields)


def test_another_place_outside_is_one_sentence() -> None:
    with pytest.raises(UserError, match=r"outside sample\.tif"):
        what_if(CHECKPOINT, IMAGE, PLACE, WhatIf("elsewhere", Place(0, 300)))


def test_tallies_of_two_windows_add_up_to_that_of_both() -> None:
    changes = what_if(CHECKPOINT, IMAGE, PLACE, WhatIf("blank"))
    whole, y0, x0 = changes.tally, changes.window.y0, changes.window.x0
    halves = [changes.within(Window(y0 + 32 * k, x0, 32, 64)).tally for k in (0, 1)]
    total = halves[0] + halves[1]
    assert total.transitions == whole.transitions
    assert total.pixels == whole.pixels
    assert total.moved == pytest.approx(whole.moved, abs=1e-5)
    assert total.largest[0][1] == max(whole.transitions.values())


def test_an_empty_tally_has_no_share() -> None:
    assert ChangeTally().share == ChangeTally().mean_moved == 0


# --- the view


def test_a_view_is_covered_once_from_the_middle_outwards() -> None:
    view = Window(60, 40, 200, 180)
    found = list(view_changes(CHECKPOINT, IMAGE, view, WhatIf("cut")))
    seen = np.zeros(IMAGE.shape, int)
    for one in found:
        seen[one.changes.window.slices] += 1
    area = found[0].area
    assert (seen[area.slices] == 1).all()
    assert seen.sum() == area.area
    assert area.intersection(view) == view
    away = [np.hypot(*np.subtract(one.changes.window.center, area.center)) for one in found]
    assert away == sorted(away)
    assert [one.done for one in found] == list(range(1, len(found) + 1))
    assert all((one.total, one.left_out) == (len(found), 0) for one in found)


def test_a_tile_of_the_view_changes_as_its_crop_does() -> None:
    options = PredictOptions(batch_size=3)
    grid = tile_grid(IMAGE, CHECKPOINT.model, options)
    question = WhatIf("blank")
    runner = CropRunner(CHECKPOINT, IMAGE, options)
    (alone,) = ContextSwitch(runner, question).compare(
        [runner.read(grid.crop(2, 3))], [grid.crop(2, 3)]
    )
    tile = grid.tile(2, 3)
    found = {
        one.changes.window: one.changes
        for one in view_changes(CHECKPOINT, IMAGE, tile.expanded(40), question, options)
    }
    assert np.array_equal(found[tile].new_classes, alone.within(tile).new_classes)
    np.testing.assert_allclose(
        found[tile].probability_change, alone.within(tile).probability_change, atol=1e-6
    )


def test_the_tally_of_a_view_is_the_sum_of_its_tiles() -> None:
    found = list(view_changes(CHECKPOINT, IMAGE, Window(0, 0, 150, 150), WhatIf("blank")))
    assert found[-1].tally == sum((one.changes.tally for one in found), ChangeTally())
    assert found[-1].tally.pixels == found[0].area.area


def test_of_a_large_view_the_middle_is_compared_and_the_rest_is_told() -> None:
    found = list(view_changes(CHECKPOINT, IMAGE, IMAGE.window, WhatIf("cut"), most_tiles=9))
    grid = tile_grid(IMAGE, CHECKPOINT.model)
    assert len(found) == found[0].total <= 9
    assert found[0].left_out == grid.shape[0] * grid.shape[1] - len(found)
    middle = np.subtract(found[0].area.center, IMAGE.window.center)
    assert np.abs(middle).max() <= grid.stride


def test_a_view_beside_the_image_has_no_tiles() -> None:
    assert not list(view_changes(CHECKPOINT, IMAGE, Window(900, 900, 50, 50), WhatIf("cut")))


def test_a_view_can_be_left_between_any_two_tiles() -> None:
    running = view_changes(CHECKPOINT, IMAGE, IMAGE.window, WhatIf("cut"))
    assert next(running).done == 1
    running.close()  # a thread that went on reading would fail this test


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 200))
def test_the_middle_tiles_fill_a_rectangle_around_the_middle(
    height: int, width: int, most: int
) -> None:
    tiles = middle_tiles(slice(10, 10 + height), slice(20, 20 + width), most)
    assert len(set(tiles)) == len(tiles) <= most
    if not tiles:
        assert height * width == 0
        return
    rows, cols = ({tile[axis] for tile in tiles} for axis in (0, 1))
    assert len(rows) * len(cols) == len(tiles)
    assert len(tiles) >= min(height * width, most) / 2
    for span, first, count in ((rows, 10, height), (cols, 20, width)):
        before, behind = min(span) - first, first + count - 1 - max(span)
        assert 0 <= before <= behind <= before + 1
