"""Published datasets, and folders of images with masks, as labelled samples."""

from __future__ import annotations

from napari_relay.training.datasets.dataset import Dataset, LabelFile, Sample, Split
from napari_relay.training.datasets.opening import dataset_names, open_dataset

__all__ = ["Dataset", "LabelFile", "Sample", "Split", "dataset_names", "open_dataset"]
