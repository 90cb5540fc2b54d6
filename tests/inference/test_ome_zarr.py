from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Node, Reader
from ome_zarr_models.v05.image import Image
from ome_zarr_models.v05.image_label import ImageLabel
from ome_zarr_models.v05.labels import Labels

from napari_relay.inference import PredictionStore

from .tiles import CLASSES, pattern_store, pattern_tile


@pytest.fixture
def store(tmp_path: Path) -> PredictionStore:
    made = pattern_store(tmp_path / "s", 300, 5000, pixel_size=(0.5, 0.25), unit="um")
    made.write([pattern_tile(made, (0, 0)), pattern_tile(made, (4, 60))])
    made.flush_coarse()
    return made


def nodes(folder: Path) -> dict[str, Node]:
    location = parse_url(folder)
    assert location is not None
    return {str(node.zarr): node for node in Reader(location)()}


def assert_same(node: Node, levels: tuple[object, ...]) -> None:
    assert len(node.data) == len(levels)
    for found, mine in zip(node.data, levels, strict=True):
        np.testing.assert_array_equal(found.compute(), np.asarray(mine))


def test_a_reader_of_ome_zarr_finds_the_confidence_and_the_labels(store: PredictionStore) -> None:
    found = list(nodes(store.folder).values())
    assert_same(found[0], store.confidence)
    (labels,) = (node for node in found if "color" in node.metadata)
    assert_same(labels, store.labels)
    properties = labels.metadata["properties"]
    assert properties[1]["class"] == "class 1"
    assert properties[255]["class"] == "not predicted"
    colors = labels.metadata["color"]
    assert colors[255][3] == 0
    red = int(store.classes.colors[1][1:3], 16)
    assert colors[1][0] == pytest.approx(red / 255)


@pytest.mark.parametrize("name", ["confidence", "entropy", "disagreement"])
def test_each_score_is_an_image_of_its_own(store: PredictionStore, name: str) -> None:
    (node,) = nodes(store.folder / name).values()
    assert_same(node, getattr(store, name))


def test_probabilities_and_attention_are_images_with_channels(store: PredictionStore) -> None:
    (node,) = nodes(store.folder / "probabilities").values()
    whole = node.data[0][:, :300, :5000].compute()
    np.testing.assert_array_equal(
        whole,
        store.read_probabilities(
            store.grid.crop(0, 0)._replace(y0=0, x0=0, height=300, width=5000)
        ),
    )
    assert node.metadata["channel_names"] == list(store.classes.names)
    (local,) = nodes(store.folder / "attention" / "local" / "16").values()
    layout = store.header.attention
    assert layout is not None
    channel = layout.channels(16, "patch_to_relay", 1).start
    values = store.attention_map("local", "patch_to_relay", 1, 0).values
    rows, cols = values.shape
    np.testing.assert_array_equal(local.data[0][channel, :rows, :cols].compute(), values)


def test_the_metadata_follow_the_specification(store: PredictionStore) -> None:
    root = zarr.open_group(store.folder, mode="r")
    names = ["", "confidence", "entropy", "disagreement", "probabilities"]
    names += [f"attention/local/{stride}" for stride in (16, 32)]
    for name in names:
        group = root[name] if name else root
        assert isinstance(group, zarr.Group)
        Image.from_zarr(group)
    assert isinstance(root["labels"], zarr.Group)
    Labels.from_zarr(root["labels"])
    assert isinstance(root["labels/classes"], zarr.Group)
    ImageLabel.from_zarr(root["labels/classes"])


def test_levels_lie_where_they_should_in_the_image_s_unit(store: PredictionStore) -> None:
    image = zarr.open_group(store.folder, mode="r").attrs["ome"]["multiscales"][0]
    assert [axis.get("unit") for axis in image["axes"]] == ["micrometer", "micrometer"]
    assert image["metadata"]["image_shape"] == [300, 5000]
    for level, dataset in enumerate(image["datasets"]):
        scale, translation = dataset["coordinateTransformations"]
        factor = 2**level
        assert scale["scale"] == [0.5 * factor, 0.25 * factor]
        assert translation["translation"] == [0.5 * (factor - 1) / 2, 0.25 * (factor - 1) / 2]
    cells = zarr.open_group(store.folder / "attention" / "local" / "32", mode="r").attrs["ome"]
    scale, translation = cells["multiscales"][0]["datasets"][1]["coordinateTransformations"]
    assert scale["scale"] == [1, 32, 16]
    assert translation["translation"] == [0, 0.5 * 63 / 2, 0.25 * 63 / 2]


def test_an_image_without_a_scale_is_in_pixels(tmp_path: Path) -> None:
    store = pattern_store(tmp_path / "s", 90, 90)
    image = zarr.open_group(store.folder, mode="r").attrs["ome"]["multiscales"][0]
    assert image["axes"] == [{"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
    assert image["datasets"][0]["coordinateTransformations"][0]["scale"] == [1, 1]


def test_a_store_can_be_listed_without_a_warning(store: PredictionStore) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        members = dict(zarr.open_group(store.folder, mode="r").members(max_depth=None))
    assert members["probabilities/0"].shape[0] == CLASSES
    assert members["labels/classes/0"].shards == (2048, 2048)
