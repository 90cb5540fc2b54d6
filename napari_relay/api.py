"""The work in five lines of Python: open, load a model, predict, take polygons, fine-tune.

Everything here is offered by ``import napari_relay`` too, which loads it when it is first used.
What these functions hide can be had from the packages that they call.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_relay.annotation.correction_files import read_corrected
from napari_relay.exporting import export_mask
from napari_relay.exporting.vectors import (
    ObjectOptions,
    ObjectPolygon,
    export_objects,
    iter_polygons,
)
from napari_relay.geometry import Window
from napari_relay.images import PyramidImage, open_stack
from napari_relay.images.relief import matching_bands
from napari_relay.inference import (
    Area,
    PredictionReport,
    PredictionStore,
    PredictOptions,
    WithReport,
    can_show_glass,
    check_fit,
)
from napari_relay.inference import predict as predict_tiles
from napari_relay.training import (
    ArrayLabels,
    CorrectedImage,
    FinetuneOptions,
    FinetuneResult,
    LabelSource,
)
from napari_relay.training import finetune as finetune_steps
from relay_tokens import Checkpoint, UserError, load_model

__all__ = [
    "FinetuneOptions",
    "ObjectOptions",
    "PredictOptions",
    "Prediction",
    "Window",
    "finetune",
    "load_model",
    "open_image",
    "polygons",
    "predict",
    "save",
]

Progress = Callable[[int, int], None]
"""Called with what is done and what there is to do; an exception from it ends the work."""
Corrections = str | Path | NDArray[np.uint8] | LabelSource
"""Where corrections come from: a folder that the app keeps, a mask file, an array ``(row, col)``
on the image's grid, or anything that reads windows."""
_VECTORS = (".gpkg", ".geojson", ".json", ".shp")


@dataclass(frozen=True)
class Prediction:
    """What a model says of an image."""

    image: PyramidImage
    """With the bands that the model reads."""
    model: Checkpoint
    """What predicted."""
    store: PredictionStore
    """Labels, confidence and attention on disk, at several resolutions."""
    report: PredictionReport
    """What was predicted and what was left out."""

    def labels(self, window: Window | None = None) -> NDArray[np.uint8]:
        """Class of each pixel.

        Parameters
        ----------
        window
            Level-0 pixels inside the image; None: all of it, which must fit into memory.

        Returns
        -------
        NDArray
            ``(row, col)`` uint8 in the order of the model's classes; 255: not predicted.
        """
        return self.store.read_labels(window or self.image.window)


def open_image(*paths: str | Path, progress: Progress | None = None) -> PyramidImage:
    """Open an image lazily, or several rasters of one place as one image.

    Parameters
    ----------
    paths
        Files or folders that :func:`napari_relay.images.open_image` opens.
    progress
        Called with blocks done and blocks in all while levels are built that a file lacks.

    Returns
    -------
    PyramidImage
        Levels ``(row, col, band)``, pixel size, CRS.

    Raises
    ------
    UserError
        When a file cannot be opened, or the rasters show different places.

    Examples
    --------
    >>> from napari_relay.samples import sample_slide
    >>> image = open_image(sample_slide())
    >>> image.shape, image.bands, image.unit
    ((2967, 2220), ('red', 'green', 'blue'), 'um')
    """
    if not paths:
        raise UserError("No image was named; give the path of one, or of several rasters.")
    return open_stack(paths, progress=progress)


def predict(
    image: PyramidImage,
    model: Checkpoint,
    folder: str | Path | None = None,
    windows: Window | Sequence[Area] | None = None,
    options: PredictOptions | None = None,
    progress: Progress | None = None,
) -> Prediction:
    """Segment an image, tile by tile.

    Parameters
    ----------
    image
        From :func:`open_image`; bands that can be worked out (relief of an elevation) are.
    model
        From :func:`load_model`.
    folder
        Where the prediction is kept, ends in ``.zarr``; the same folder again does
        only what is missing. None: a temporary one, which goes with the result.
    windows
        A window, or windows and polygons, level-0 pixels; all tiles that meet one are
        predicted. None: the image.
    options
        Device, batch size and more; None: the usual ones, without bare glass on slides.
    progress
        Called with tiles done and tiles in all.

    Raises
    ------
    UserError
        When image and model do not fit each other, the folder holds another
        prediction, or it cannot be written.

    Examples
    --------
    >>> from napari_relay.samples import sample_slide
    >>> image, model = open_image(sample_slide()), load_model("tissue-vit-tiny")
    >>> prediction = predict(image, model, windows=Window(1000, 900, 90, 90))
    >>> prediction.labels(Window(1000, 900, 90, 90)).shape
    (90, 90)
    """
    image = matching_bands(image, model.metadata.bands)
    check_fit(image, model.metadata)
    options = options or PredictOptions(skip_glass=can_show_glass(image))
    scratch = None if folder is not None else tempfile.mkdtemp(prefix="relay-prediction-")
    areas = [windows] if isinstance(windows, Window) else windows
    try:
        place = Path(folder) if folder is not None else Path(scratch or "") / "prediction.zarr"
        store = PredictionStore.open_or_create(place, image, model, options)
        report = _run(model, image, store, areas, options, progress)
    except BaseException:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)
        raise
    prediction = Prediction(image, model, store, report)
    if scratch is not None:
        weakref.finalize(prediction, shutil.rmtree, scratch, ignore_errors=True)
    return prediction


def polygons(
    prediction: Prediction, options: ObjectOptions | None = None
) -> Iterator[ObjectPolygon]:
    """Connected objects of a prediction, with outline, class, area and confidence.

    Parameters
    ----------
    prediction
        From :func:`predict`.
    options
        Which classes, how large, how sure, how simple; None: every class but one named
        background, exact outlines.

    Yields
    ------
    ObjectPolygon
        From top to bottom, in the order in which they end.

    Examples
    --------
    >>> from napari_relay.samples import sample_slide
    >>> image, model = open_image(sample_slide()), load_model("tissue-vit-tiny")
    >>> prediction = predict(image, model, windows=Window(1000, 900, 90, 90))
    >>> found = polygons(prediction, ObjectOptions(classes=("nuclei",), minimum_area=20))
    >>> all(each.polygon.is_valid and each.object.area >= 20 for each in found)
    True
    """
    return iter_polygons(prediction.store, prediction.image, options or ObjectOptions())


def save(prediction: Prediction, path: str | Path, options: ObjectOptions | None = None) -> Path:
    """Write a prediction for other programs: a mask (``.tif``) or its objects.

    Parameters
    ----------
    prediction
        From :func:`predict`.
    path
        ``.tif`` for the class mask, georeferenced where the image is; ``.gpkg``,
        ``.geojson`` or ``.shp`` for the objects.
    options
        Which objects are written; a mask takes none.

    Returns
    -------
    Path
        The path, whole; nothing is left behind after an error.

    Raises
    ------
    UserError
        When the suffix is another one, a package is missing, or it cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() in _VECTORS:
        for _ in export_objects(
            prediction.store, prediction.image, path, options or ObjectOptions()
        ):
            pass
    elif path.suffix.lower() in (".tif", ".tiff"):
        export_mask(prediction.store, prediction.image, path)
    else:
        raise UserError(f"{path} is no mask and no file of objects; end it in .tif or .gpkg.")
    return path


def finetune(
    model: Checkpoint,
    image: PyramidImage,
    corrections: Corrections,
    options: FinetuneOptions | None = None,
    progress: Progress | None = None,
) -> FinetuneResult:
    """Teach a copy of a model the corrections of an image.

    Parameters
    ----------
    model
        The model to start from; left as it is.
    image
        What was corrected.
    corrections
        Class ids where something was said, 255 elsewhere; see
        :mod:`napari_relay.training.correction_values` for what else can be said.
    options
        How long and how; None: about 20 s.
    progress
        Called with steps done and steps in all.

    Returns
    -------
    FinetuneResult
        The new model as ``state``, the scores before and after, and whether it is
        ``recommended``.

    Raises
    ------
    UserError
        When nothing was corrected, or image, model and corrections do not fit.

    Examples
    --------
    >>> from napari_relay.samples import sample_slide
    >>> image, model = open_image(sample_slide()), load_model("tissue-vit-tiny")
    >>> said = np.full(image.shape, 255, np.uint8)
    >>> said[1000:1040, 900:940] = model.metadata.classes.names.index("tissue")
    >>> result = finetune(model, image, said, FinetuneOptions(trains="head", steps=1, replayed=1))
    >>> result.steps, result.state.metadata.name
    (1, 'tissue-vit-tiny')
    """
    image = matching_bands(image, model.metadata.bands)
    corrected = _corrected(model, image, corrections)
    result = None
    for step in finetune_steps(model, corrected, options):
        if progress is not None:
            progress(step.step, step.steps)
        result = step.result
    assert result is not None  # the last step has one, unless it was asked to stop
    return result


def _run(
    model: Checkpoint,
    image: PyramidImage,
    store: PredictionStore,
    areas: Sequence[Area] | None,
    options: PredictOptions,
    progress: Progress | None,
) -> PredictionReport:
    """Predict to the end."""
    tiles = WithReport(predict_tiles(model, image, store, areas, options))
    with closing(tiles):
        for tile in tiles:
            if progress is not None:
                progress(tile.done, tile.total)
    assert tiles.report is not None
    return tiles.report


def _corrected(model: Checkpoint, image: PyramidImage, corrections: Corrections) -> CorrectedImage:
    if isinstance(corrections, str | Path):
        return read_corrected(image, Path(corrections), model.metadata)
    if not isinstance(corrections, np.ndarray):
        return CorrectedImage(image, corrections)
    if corrections.shape != image.shape or corrections.dtype != np.uint8:
        raise UserError(
            f"The corrections are {corrections.dtype} of shape {corrections.shape}; for "
            f"{image.source} they must be uint8 of shape {image.shape}, 255 where nothing is said."
        )
    return CorrectedImage(image, ArrayLabels(corrections))
