from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from napari_relay.exploring.token_gallery import GalleryOptions, TokenGallery, token_gallery
from napari_relay.inference import PredictionStore, PredictOptions, predict
from napari_relay.inference.attention_choice import AttentionChoice
from relay_tokens import UserError
from tests.inference.samples import make_image, tiny_relay, value_checkpoint
from tests.inference.tiles import pattern_store, pattern_tile

READ = AttentionChoice("relay_to_patch")


def gallery(store: PredictionStore, choice=READ, **options) -> TokenGallery:
    *_, last = token_gallery(store, choice, GalleryOptions(**options))
    assert last.gallery is not None
    return last.gallery


def bright_spots(folder: Path, size: tuple[int, int], spots: dict[tuple[int, int], float]):
    """A prediction whose attention is how bright a 16-px patch is; tiles of 64 px."""
    pixels = np.zeros((*size, 1), np.float32)
    for (row, col), value in spots.items():
        pixels[row * 16 : row * 16 + 16, col * 16 : col * 16 + 16] = value
    image, checkpoint = make_image(pixels), value_checkpoint(2, crop_size=128)
    options = PredictOptions(device="cpu", halo=32)
    store = PredictionStore.create(folder, image, checkpoint, options)
    list(predict(checkpoint, image, store, options=options))
    return store


def test_the_places_are_where_the_attention_is_strongest(tmp_path: Path) -> None:
    # 9 patches are 144 px: far enough. The one beside the strongest is not.
    spots = {(3, 4): 0.9, (3, 5): 0.8, (3, 13): 0.7, (15, 4): 0.95}
    found = gallery(bright_spots(tmp_path / "s", (300, 300), spots), READ._replace(block=0))
    for one in found.tokens:
        first, second, third, *_ = one.places
        assert [round(p.value, 2) for p in (first, second, third)] == [0.95, 0.9, 0.7]
        for place, (row, col) in ((first, (15, 4)), (second, (3, 4)), (third, (3, 13))):
            assert place.window[2:] == (128, 128)
            assert place.window.center == (row * 16 + 7.5, col * 16 + 7.5)


def test_places_are_different_and_inside_the_image(tmp_path: Path) -> None:
    image, checkpoint = make_image(np.zeros((199, 263, 3), np.uint8)), tiny_relay()
    options = PredictOptions(device="cpu")
    store = PredictionStore.create(tmp_path / "s", image, checkpoint, options)
    list(predict(checkpoint, image, store, options=options))
    found = gallery(store)
    assert found.seen == found.predicted == store.finished.size
    for one in found.tokens:
        assert 1 < len(one.places) <= 10
        assert list(one.places) == sorted(one.places, key=lambda p: -p.value)
        middles = [place.window.center for place in one.places]
        assert all(0 <= y < 199 and 0 <= x < 263 for y, x in middles)
        for a, b in combinations(middles, 2):
            assert max(abs(a[0] - b[0]), abs(a[1] - b[1])) >= 64


def test_the_patterns_are_the_means_over_the_predicted_tiles(tmp_path: Path) -> None:
    store = pattern_store(tmp_path / "s", 300, 5000)
    done = [(0, 0), (2, 3), (4, 70)]
    tiles = [pattern_tile(store, position) for position in done]
    store.write(tiles)
    layout = store.attention.layout
    choice = AttentionChoice("patch_to_relay", 1)
    found = gallery(store, choice)
    assert (found.seen, found.cell) == (3, 16)
    channels = layout.channels(16, "patch_to_relay", 1)
    for branch in ("local", "global"):
        expected = np.mean([t.attention[branch, 16][channels] for t in tiles], axis=0, dtype=float)
        shown = np.stack([one.patterns[branch] for one in found.tokens])
        np.testing.assert_allclose(shown, expected, rtol=1e-6)


def test_one_tile_is_enough(tmp_path: Path) -> None:
    store = pattern_store(tmp_path / "s", 300, 500)
    store.write([pattern_tile(store, (1, 2))])
    found = gallery(store)
    assert found.seen == 1
    for one in found.tokens:
        (place,) = one.places
        assert store.grid.tile(1, 2).intersects(place.window)


def test_of_many_tiles_evenly_spread_ones_are_looked_at_and_it_says_so(tmp_path: Path) -> None:
    store = pattern_store(tmp_path / "s", 300, 12_000)
    positions = [(i, j) for i in range(5) for j in range(188)]
    store.write(pattern_tile(store, position) for position in positions)
    found = gallery(store, most_tiles=300)
    assert found.predicted == 940
    assert 150 <= found.seen <= 450
    columns = [place.window.x0 for one in found.tokens for place in one.places]
    assert max(columns) - min(columns) > 6000
    assert gallery(store).seen == 940


def test_blocks_with_larger_patches_count_on_the_smallest_ones(tmp_path: Path) -> None:
    store = pattern_store(tmp_path / "s", 300, 500)
    tile = pattern_tile(store, (1, 2))
    store.write([tile])
    layout = store.attention.layout
    parts = []
    for block, stride in enumerate(layout.strides):
        cells = tile.attention["global", stride][layout.channels(stride, "relay_to_patch", block)]
        parts.append(cells.astype(float).repeat(stride // 16, 1).repeat(stride // 16, 2))
    for blocks in ((0, 2), (0, 1, 2)):
        found = gallery(store, READ._replace(block=blocks))
        shown = np.stack([one.patterns["global"] for one in found.tokens])
        np.testing.assert_allclose(shown, sum(parts[b] for b in blocks) / len(blocks), rtol=1e-6)


def test_it_can_be_stopped_after_each_block_and_tells_how_far_it_is(tmp_path: Path) -> None:
    store = pattern_store(tmp_path / "s", 1500, 1500)
    positions = [(i, j) for i in range(24) for j in range(24)]
    store.write(pattern_tile(store, position) for position in positions)
    steps = token_gallery(store, READ)
    first = next(steps)
    assert 0 < first.done < first.total == 576
    assert first.gallery is None
    steps.close()


def test_nothing_predicted_and_wrong_blocks_are_one_sentence(tmp_path: Path) -> None:
    store = pattern_store(tmp_path / "s", 300, 500)
    with pytest.raises(UserError, match="Nothing is predicted yet"):
        list(token_gallery(store, READ))
    store.write([pattern_tile(store, (1, 2))])
    with pytest.raises(UserError, match="no block 7"):
        list(token_gallery(store, AttentionChoice("relay_to_patch", 7)))


def test_places_beyond_the_edge_are_never_shown(tmp_path: Path) -> None:
    # The last tile has 3 rows of the image: its patches' middles are all outside.
    store = pattern_store(tmp_path / "s", 67, 70)
    store.write([pattern_tile(store, (1, 1))])
    found = gallery(store)
    assert all(one.places == () for one in found.tokens)
