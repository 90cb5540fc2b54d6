"""What a session says about itself: one JSON file, ``session.json``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from napari_relay.sessions.references import FileReference

FORMAT = 1
"""Version of the layout on disk; see :mod:`napari_relay.sessions.formats`."""

LayerKind = Literal["image", "relief", "prediction", "score", "corrections"]
"""The layers of an image that a session remembers."""


@dataclass(frozen=True)
class ImageReference:
    """Which image, and how it is told from others."""

    files: tuple[FileReference, ...]
    """Its file or folder, or the rasters of one place that it was put together from; none
    where it is not known, in a session of a version that did not write it down."""
    fingerprint: str
    """As :func:`~napari_relay.inference.fingerprints.image_fingerprint` tells it."""
    pixel_size: tuple[float, float] | None = None
    """``(row, col)`` that a person gave because the file does not say it; None: it does."""
    unit: str | None = None
    """Unit of :attr:`pixel_size`."""


@dataclass(frozen=True)
class ModelReference:
    """Which model is used, and how it is told from others of its name."""

    name: str
    """Name of the model."""
    folder: FileReference | None
    """Where it is; None: in the zoo, under its name."""
    digest: str
    """Fingerprint of its weights as they were loaded (version 0)."""
    lineage: tuple[int, ...] = (0,)
    """The version in use, the one it was fine-tuned from, and so on to version 0."""

    @property
    def version(self) -> int:
        """Number of the version in use."""
        return self.lineage[0] if self.lineage else 0


@dataclass(frozen=True)
class ClassLook:
    """A class as it is shown."""

    name: str
    """Its name."""
    color: str
    """``#rrggbb``."""


@dataclass(frozen=True)
class LayerLook:
    """How a layer is shown."""

    visible: bool = True
    """Whether it is."""
    opacity: float = 1.0
    """0 to 1."""
    contour: int = 0
    """Width of the outlines in pixels; 0: areas are filled."""


@dataclass(frozen=True)
class AttentionLook:
    """Which attention is shown, or would be."""

    direction: str = "relay_to_patch"
    """Who reads whom."""
    branches: tuple[str, ...] = ()
    """The branches that are seen; none: attention is hidden."""
    blocks: tuple[int, ...] | None = None
    """Transformer blocks, from 0; None: the mean of all."""
    token: int | None = None
    """Relay token, from 0; None: the mean of all."""
    head: int | None = None
    """Attention head, from 0; None: the mean of all."""


@dataclass(frozen=True)
class ImageView:
    """How an image is shown."""

    bands: tuple[int, ...] | None = None
    """Indices of the bands that are seen; None: as it was opened."""
    contrast: tuple[float, float] | None = None
    """Percentages of the pixels between which bands are stretched; None: as it was opened."""
    relief: str | None = None
    """Label of the relief that is seen; None: none."""
    score: str | None = None
    """The score that is seen: confidence, entropy or disagreement; None: none."""
    attention: AttentionLook = field(default_factory=AttentionLook)
    """Which attention is chosen."""
    layers: dict[LayerKind, LayerLook] = field(default_factory=dict)
    """How the layers that there are look."""


@dataclass(frozen=True)
class ImageEntry:
    """An image of a session, with what belongs to it."""

    name: str
    """What a person reads."""
    folder: str
    """Of its corrections, predictions and model versions: from the session's folder, with ``/``."""
    image: ImageReference
    """Which image it is."""
    model: ModelReference | None = None
    """The model in use; None: none is chosen."""
    classes: tuple[ClassLook, ...] = ()
    """Names and colours of the model's classes."""
    every_head: bool = False
    """Whether predictions keep the attention of every head."""
    skip_glass: bool | None = None
    """Whether predictions leave out bare glass; None: as usual for such an image."""
    view: ImageView = field(default_factory=ImageView)
    """How it is shown."""


@dataclass(frozen=True)
class Camera:
    """What of the canvas is seen."""

    center: tuple[float, float]
    """``(y, x)`` of the canvas's middle, in the viewer's world units."""
    zoom: float
    """Screen pixels a world unit."""


@dataclass(frozen=True)
class Manifest:
    """All that a session remembers besides what lies in its images' folders."""

    images: tuple[ImageEntry, ...] = ()
    """In the order of opening."""
    current: int = 0
    """Index of the image that is worked on."""
    camera: Camera | None = None
    """What is seen; None: not known."""
    format: int = FORMAT
    """Version of the layout on disk."""


_ADAPTER = TypeAdapter(Manifest)


def to_json(manifest: Manifest) -> str:
    """The text of ``session.json``."""
    return _ADAPTER.dump_json(manifest, indent=1).decode() + "\n"


def from_document(document: object) -> Manifest:
    """The inverse of :func:`to_json`, of a document of the present format.

    Raises
    ------
    ValueError
        When it is not one; the text names the first field that does not fit.
    """
    try:
        return _ADAPTER.validate_python(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise ValueError(f"{place}: {first['msg']}") from error
