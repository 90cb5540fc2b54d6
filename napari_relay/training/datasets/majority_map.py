"""Several experts' masks of one image, and what most of them say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_relay.geometry import Window
from napari_relay.images import PyramidImage
from napari_relay.training.datasets.mask_file import ClassTable, MaskFile, RemappedMask
from napari_relay.training.labels import Labels
from relay_tokens import IGNORE_INDEX


@dataclass(frozen=True)
class ExpertMaps:
    """Masks of the same image by several people."""

    paths: tuple[Path, ...]
    """One mask of one band a person; at least one."""
    table: Mapping[int, int]
    """Class of each value that a mask may have."""

    def open(self, image: PyramidImage) -> MajorityMap:
        """Open all masks lazily.

        Raises
        ------
        UserError
            When a mask cannot be opened or does not fit the image.
        """
        values = sorted(self.table)
        numbers = ClassTable({value: number for number, value in enumerate(values)})
        masks = tuple(MaskFile(path, numbers).open(image) for path in self.paths)
        return MajorityMap(masks, tuple(self.table[value] for value in values))


@dataclass(frozen=True, eq=False)
class MajorityMap:
    """The value that most masks give a pixel, as a class.

    Values are counted before they become classes. Of values that are equally
    frequent the lowest one is taken.
    """

    masks: tuple[RemappedMask, ...]
    """Each gives the number of a value, 255 where it has none that is known."""
    classes: tuple[int, ...]
    """Class of each value, the values in rising order."""

    def read(self, window: Window) -> Labels:
        """Read ``(height, width)`` classes; 255 where no mask has a known value."""
        marks = np.stack([mask.read(window) for mask in self.masks])
        votes = np.stack([(marks == number).sum(axis=0) for number in range(len(self.classes))])
        # argmax gives the first of equal counts.
        winners = np.array(self.classes, dtype=np.uint8)[votes.argmax(axis=0)]
        return np.where(votes.any(axis=0), winners, IGNORE_INDEX).astype(np.uint8)
