from __future__ import annotations

import numpy as np

from napari_relay.geometry import Window
from napari_relay.training import ArrayLabels, CorrectedImage
from napari_relay.training.corrected_places import (
    Region,
    choose_evenly,
    find_regions,
    held_out_regions,
)
from napari_relay.training.examples import ExampleReader
from napari_relay.training.labelled_image import Place
from tests.training.scenes import METADATA, blobs, tiny_model

IMAGE, LABELS = blobs(640)
SIDE = 64


def regions(values: np.ndarray) -> list[Region]:
    labels = ArrayLabels(values)
    windows = CorrectedImage(IMAGE, labels).corrected_windows(SIDE)
    reader = ExampleReader(IMAGE, labels, tiny_model().config, METADATA)
    return find_regions([reader], [windows], np.random.default_rng(0))


def spots(*places: tuple[int, int], value: int = 1) -> np.ndarray:
    values = np.full(IMAGE.shape, 255, np.uint8)
    for row, col in places:
        values[row : row + 10, col : col + 10] = value
    return values


def test_neighbouring_crops_are_one_region_and_distant_ones_another() -> None:
    found = regions(spots((10, 60), (70, 70), (400, 400)))
    assert sorted(len(region.places) for region in found) == [1, 3]


def test_a_large_region_is_cut_into_blocks() -> None:
    values = np.zeros(IMAGE.shape, np.uint8)
    found = regions(values)
    assert len(found) == 9
    assert sum(len(region.places) for region in found) == 100


def test_what_is_held_out_stays_so_while_more_is_painted() -> None:
    first = [(0, 0), (0, 256), (256, 0), (256, 256), (512, 0), (512, 256)]
    more = [*first, (0, 512), (256, 512)]
    held = [
        {found[k].places[0].window for k in held_out_regions(found, 0.34, 0)}
        for found in (regions(spots(*first)), regions(spots(*more)))
    ]
    assert len(held[0]) == 2
    assert len(held[1]) == 3
    assert held[0] & held[1]


def test_the_only_region_of_a_class_is_never_held_out() -> None:
    values = spots((0, 0), (0, 256), (256, 0), (256, 256), (512, 512))
    values[values == 1] = 1
    values[512:522, 512:522] = 2
    found = regions(values)
    for seed in range(20):
        (held,) = held_out_regions(found, 0.2, seed)
        assert found[held].all_kinds == {1}


def test_fewer_than_four_regions_are_all_learnt() -> None:
    assert held_out_regions(regions(spots((0, 0), (0, 256), (256, 0))), 0.5, 0) == set()


def test_a_choice_of_crops_has_the_rare_class() -> None:
    places = [Place(0, Window(k, 0, SIDE, SIDE)) for k in range(100)]
    kinds = [frozenset({0})] * 99 + [frozenset({1})]
    chosen = choose_evenly(places, kinds, 10, np.random.default_rng(0))
    assert len(set(chosen)) == 10
    assert places[99] in chosen
