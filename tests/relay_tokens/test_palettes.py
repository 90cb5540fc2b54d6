"""The classes of every shipped model can be told apart by colour-blind people."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, rgb2lab

from relay_tokens import load_metadata, zoo_folder, zoo_names
from relay_tokens.schema import PALETTE

# Machado, Oliveira & Fernandes (2009), severity 1: linear RGB as each kind of eye sees it.
EYES = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
PLAINLY_DIFFERENT = 10.0
"""CIEDE2000; a just noticeable difference is about 1."""


def _seen(colors: tuple[str, ...], eye: str) -> NDArray[np.float64]:
    """CIE Lab ``(color, 3)``."""
    encoded = np.array([list(bytes.fromhex(color[1:])) for color in colors]) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(EYES[eye]).T, 0, 1)
    again = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    return np.asarray(rgb2lab(again))


def _closest(colors: tuple[str, ...], eye: str) -> float:
    lab = _seen(colors, eye)
    return min(float(deltaE_ciede2000(a, b)) for a, b in combinations(lab, 2))


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("name", zoo_names())
def test_no_two_classes_of_a_shipped_model_look_alike(name: str, eye: str) -> None:
    assert _closest(load_metadata(zoo_folder(name)).classes.colors, eye) >= PLAINLY_DIFFERENT


@pytest.mark.parametrize("eye", EYES)
def test_no_two_colours_that_new_classes_get_look_alike(eye: str) -> None:
    assert _closest(PALETTE, eye) >= PLAINLY_DIFFERENT
