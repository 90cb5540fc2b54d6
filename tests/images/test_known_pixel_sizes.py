from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_relay.folders import data_folder
from napari_relay.images import open_image
from napari_relay.images.known_pixel_sizes import remember_pixel_size, with_known_pixel_size
from relay_tokens import UserError


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, np.zeros((40, 50, 3), np.uint8), photometric="rgb", metadata=None)
    return path


def test_a_given_pixel_size_is_found_again_also_where_the_file_was_moved_to(slide: Path) -> None:
    image = open_image(slide)
    assert with_known_pixel_size(image).pixel_size is None
    remember_pixel_size(replace(image, pixel_size=(0.25, 0.25), unit="um"))
    moved = slide.rename(slide.with_name("moved.tif"))
    again = with_known_pixel_size(open_image(moved))
    assert (again.pixel_size, again.unit) == ((0.25, 0.25), "um")


def test_another_file_has_none(slide: Path, tmp_path: Path) -> None:
    image = open_image(slide)
    remember_pixel_size(replace(image, pixel_size=(0.25, 0.25), unit="um"))
    other = tmp_path / "other.tif"
    tifffile.imwrite(other, np.ones((40, 50, 3), np.uint8), photometric="rgb", metadata=None)
    assert with_known_pixel_size(open_image(other)).pixel_size is None


def test_what_a_file_says_itself_is_kept(slide: Path) -> None:
    image = replace(open_image(slide), pixel_size=(0.25, 0.25), unit="um")
    remember_pixel_size(replace(image, pixel_size=(9.0, 9.0)))
    assert with_known_pixel_size(image).pixel_size == (0.25, 0.25)


def test_a_folder_that_cannot_be_written_is_named(slide: Path) -> None:
    image = replace(open_image(slide), pixel_size=(0.25, 0.25), unit="um")
    data_folder().parent.mkdir(parents=True, exist_ok=True)
    data_folder().write_text("in the way")
    with pytest.raises(UserError, match="pixel-sizes"):
        remember_pixel_size(image)
