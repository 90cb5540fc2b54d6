"""Gleason 2019 (MICCAI challenge; Nir et al., Medical Image Analysis 2018): prostate cores.

Up to six pathologists drew each core. The meaning of the values and the split
are those of ``gleason_datamodule.py`` in the code of Perron et al. (TMLR 2026):
the challenge never released labels of its own test images.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from napari_relay.tissues.labels import GLEASON_CLASSES
from napari_relay.training.datasets.dataset import RGB, SPLITS, Dataset, Sample, Split
from napari_relay.training.datasets.layout import listed, not_laid_out
from napari_relay.training.datasets.majority_map import ExpertMaps
from relay_tokens import UserError

NAME = "gleason"
LAYOUT = (
    "Gleason 2019: 'Train Imgs/slideXXX_coreYYY.jpg' and "
    "'MapsN_T/slideXXX_coreYYY_classimg_nonconvex.png' for the experts N = 1 to 6"
)
MAP_END = "_classimg_nonconvex.png"
VALUES: Mapping[int, int] = {0: 0, 1: 0, 2: 0, 6: 0, 3: 1, 4: 2, 5: 3}
"""Class of each value of a map; 0, 1, 2 and 6 all mean that there is no cancer."""
TEST_SLIDE = 7
"""Number of the slide whose cores are tested on."""
LAST_VALIDATION_CORE = 15
"""Number of the last core that is validated on, on every other slide."""


def open_gleason(folder: Path) -> Dataset:
    """Find the training images of Gleason 2019 and the experts' maps.

    Parameters
    ----------
    folder
        Holds the unpacked ``Train Imgs`` and ``Maps1_T`` to ``Maps6_T``.

    Raises
    ------
    UserError
        When the folder is laid out otherwise.
    """
    images = _images(folder)
    maps = _maps(folder)
    mapped = [path for path in images if path.stem in maps]
    lost = [path.stem for path in images if path.stem not in maps]
    if not mapped:
        raise not_laid_out(folder, "no image has a map", LAYOUT)
    samples = [_sample(path, maps[path.stem]) for path in mapped]
    return Dataset(
        name=NAME,
        folder=folder,
        classes=GLEASON_CLASSES,
        bands=RGB,
        samples=tuple(sorted(samples, key=lambda s: (SPLITS.index(s.split), s.name))),
        source="Gleason 2019 (Nir et al., 2018), majority of the experts",
        notes=(f"{listed(lost)} has no map and is left out.",) if lost else (),
    )


def _images(folder: Path) -> list[Path]:
    """Training images; the folder is spelt with a space or an underscore."""
    found = [part for part in folder.iterdir() if part.name.lower() in ("train imgs", "train_imgs")]
    images = sorted(path for part in found for path in part.rglob("[!.]*.jpg"))
    if not images:
        raise not_laid_out(folder, "there are no images in 'Train Imgs'", LAYOUT)
    return images


def _maps(folder: Path) -> dict[str, tuple[Path, ...]]:
    """Maps of each image, by its name, expert by expert."""
    found: dict[str, tuple[Path, ...]] = {}
    for expert in sorted(folder.glob("Maps[0-9]*")):
        for path in sorted(expert.rglob(f"[!.]*{MAP_END}")):
            name = path.name.removesuffix(MAP_END)
            found[name] = (*found.get(name, ()), path)
    if not found:
        raise not_laid_out(folder, "there are no maps in 'Maps1_T' or its like", LAYOUT)
    return found


def _sample(path: Path, maps: tuple[Path, ...]) -> Sample:
    return Sample(path.stem, _split(path), (path,), RGB, ExpertMaps(maps, VALUES))


def _split(path: Path) -> Split:
    """Split of an image, from its name."""
    match = re.fullmatch(r"slide(\d+)_core(\d+)", path.stem)
    if match is None:
        raise UserError(
            f"{path} is not named slideXXX_coreYYY.jpg, which decides what it is used for; "
            "give it the name that it has in Gleason 2019, or move it elsewhere."
        )
    slide, core = map(int, match.groups())
    if slide == TEST_SLIDE:
        return "test"
    return "val" if core <= LAST_VALIDATION_CORE else "train"
