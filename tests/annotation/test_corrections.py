from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_relay.annotation import CorrectionStore
from napari_relay.geometry import Window
from relay_tokens import ClassSchema, SegmentationClass, UserError

SHAPE = (3001, 2003)


def paint(store: CorrectionStore, window: Window, label: int) -> None:
    store.write(window, np.full((window.height, window.width), label, np.uint8))


def test_nothing_is_corrected_at_first(store: CorrectionStore) -> None:
    assert store.is_empty
    assert not store.dirty
    assert (store.read(Window(-5, -5, 20, 20)) == 255).all()
    assert store.corrected_windows(256) == []
    assert store.class_counts().tolist() == [0, 0, 0]


def test_corrections_survive_closing_and_opening(store: CorrectionStore) -> None:
    paint(store, Window(100, 200, 700, 30), 0)
    paint(store, Window(2990, 1990, 50, 50), 2)
    assert store.dirty
    assert store.flush() > 0
    assert not store.dirty
    again = CorrectionStore.open(store.folder, "slide-1")
    assert again.shape == SHAPE
    assert again.schema == store.schema
    assert again.class_counts().tolist() == [21000, 0, 11 * 13]
    for a, b in zip(store.pyramid.levels, again.pyramid.levels, strict=True):
        np.testing.assert_array_equal(a[:, :], b[:, :])


def test_erasing_takes_a_correction_away(store: CorrectionStore) -> None:
    paint(store, Window(0, 0, 600, 600), 1)
    store.flush()
    paint(store, Window(0, 0, 600, 600), 255)
    store.flush()
    assert store.is_empty
    assert CorrectionStore.open(store.folder).is_empty


def test_a_label_that_is_no_class_is_refused(store: CorrectionStore) -> None:
    with pytest.raises(ValueError, match="label 3 of 3 classes"):
        paint(store, Window(0, 0, 2, 2), 3)
    with pytest.raises(ValueError, match="are no labels"):
        store.write(Window(0, 0, 2, 2), np.zeros((3, 2), np.uint8))


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    size=st.integers(50, 700),
    pixels=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 2002)), max_size=5),
)
def test_corrected_windows_are_exactly_the_blocks_with_a_correction(
    size: int, pixels: list[tuple[int, int]], store: CorrectionStore
) -> None:
    paint(store, Window(0, 0, *SHAPE), 255)
    for row, col in pixels:
        paint(store, Window(row, col, 1, 1), 0)
    expected = sorted({(row // size, col // size) for row, col in pixels})
    assert store.corrected_windows(size) == [
        Window(i * size, j * size, size, size) for i, j in expected
    ]


def test_a_huge_store_is_made_read_and_searched_without_reading_it_all(
    tmp_path: Path, schema: ClassSchema
) -> None:
    store = CorrectionStore.create(tmp_path / "huge", (100_000, 100_000), schema, "huge")
    paint(store, Window(99_990, 99_990, 10, 10), 1)
    store.flush()
    assert store.corrected_windows(256) == [Window(390 * 256, 390 * 256, 256, 256)]
    assert store.class_counts().tolist() == [0, 100, 0]
    size = sum(path.stat().st_size for path in store.folder.rglob("*") if path.is_file())
    assert size < 100_000


def test_another_images_corrections_are_refused(store: CorrectionStore) -> None:
    with pytest.raises(UserError, match=r"store belong to slide-1, not to slide-2"):
        CorrectionStore.open(store.folder, "slide-2")


def test_open_or_create_opens_what_is_there(store: CorrectionStore, schema: ClassSchema) -> None:
    paint(store, Window(0, 0, 3, 3), 1)
    store.flush()
    recoloured = ClassSchema(tuple(SegmentationClass(n, "#123456") for n in schema.names))
    again = CorrectionStore.open_or_create(store.folder, SHAPE, recoloured, "slide-1")
    assert again.class_counts().tolist() == [0, 9, 0]
    other = ClassSchema.from_names(["a", "b"])
    with pytest.raises(UserError, match="background, tissue, nuclei, not a, b"):
        CorrectionStore.open_or_create(store.folder, SHAPE, other, "slide-1")
    with pytest.raises(UserError, match="3001 × 2003 pixels"):
        CorrectionStore.open_or_create(store.folder, (5, 5), schema, "slide-1")


def test_open_or_create_creates_what_is_missing(tmp_path: Path, schema: ClassSchema) -> None:
    folder = tmp_path / "deep" / "inside"
    assert CorrectionStore.open_or_create(folder, (7, 9), schema, "tiny").shape == (7, 9)


def test_a_folder_of_something_else_is_named(tmp_path: Path, store: CorrectionStore) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(UserError, match="photos does not hold corrections"):
        CorrectionStore.open(tmp_path / "photos")
    metadata = store.folder / "zarr.json"
    metadata.write_text(metadata.read_text().replace('"format": 2', '"format": 99'))
    with pytest.raises(UserError, match="format 99 instead of 2"):
        CorrectionStore.open(store.folder)


def test_an_existing_folder_is_never_overwritten(tmp_path: Path, schema: ClassSchema) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(UserError, match="exists already"):
        CorrectionStore.create(tmp_path / "photos", (5, 5), schema, "x")


def test_a_folder_that_cannot_be_made_leaves_nothing_behind(
    tmp_path: Path, schema: ClassSchema
) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UserError, match="No corrections can be kept"):
        CorrectionStore.create(tmp_path / "file" / "store", (5, 5), schema, "x")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


KILLED = """
import os, sys
import numpy as np
from napari_relay.annotation import CorrectionStore
from napari_relay.geometry import Window

store = CorrectionStore.open(sys.argv[1])
store.write(Window(10, 10, 300, 300), np.full((300, 300), 1, np.uint8))
store.flush()
store.write(Window(1200, 1200, 40, 40), np.full((40, 40), 2, np.uint8))
cache = store.pyramid._cache
write, count = cache._store, 0

def write_some(key, chunk):
    global count
    if count == int(sys.argv[2]):
        os._exit(9)
    count += 1
    write(key, chunk)

cache._store = write_some
store.flush()
"""


@pytest.mark.parametrize("chunks", [0, 1])
def test_a_process_killed_while_saving_leaves_a_store_that_opens_and_agrees(
    store: CorrectionStore, chunks: int
) -> None:
    arguments = [sys.executable, "-c", KILLED, str(store.folder), str(chunks)]
    assert subprocess.run(arguments, check=False).returncode == 9
    again = CorrectionStore.open(store.folder)
    counts = again.class_counts()
    assert counts[1] == 300 * 300
    assert counts[2] == (40 * 40 if chunks else 0)
    assert len(again.corrected_windows(512)) == (2 if chunks else 1)
    assert not again.pyramid._cache.marker.exists()
