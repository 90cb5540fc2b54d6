"""napari-relay: relay-token segmentation of ultra-high-resolution images in napari.

The names of :mod:`napari_relay.api` are offered here; it is loaded when the first is used.
"""

from __future__ import annotations

from importlib import import_module

__version__ = "0.1.0"

_OFFERED = (
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
)


def __getattr__(name: str) -> object:
    # By name: an import statement would count as one of every module of the package.
    if name in _OFFERED:
        return getattr(import_module("napari_relay.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_OFFERED})
