"""Labels, training, fine-tuning and scores."""

from __future__ import annotations

from napari_relay.images.band_statistics import BandStatistics
from napari_relay.training.card import model_card
from napari_relay.training.corrected_image import CorrectedImage
from napari_relay.training.evaluation import evaluate
from napari_relay.training.finetune_options import FinetuneOptions
from napari_relay.training.finetuning import FinetuneProgress, FinetuneResult, finetune
from napari_relay.training.held_out import held_out_examples
from napari_relay.training.labelled_image import ExampleReaders, LabelledImage, labelled_image
from napari_relay.training.labels import ArrayLabels, LabelSource, compute_labels
from napari_relay.training.mask_labels import MaskLabels
from napari_relay.training.metrics import Scores, confusion_matrix
from napari_relay.training.normalization import estimate_normalization
from napari_relay.training.options import TrainOptions
from napari_relay.training.recipes import LabelRecipe, label_recipe, recipe_names
from napari_relay.training.runs import ModelOptions, train_model
from napari_relay.training.splits import SpatialSplit, split_image
from napari_relay.training.training import TrainLoss, TrainProgress, train
from napari_relay.training.training_data import TrainingData, dataset_data, image_data

__all__ = [
    "ArrayLabels",
    "BandStatistics",
    "CorrectedImage",
    "ExampleReaders",
    "FinetuneOptions",
    "FinetuneProgress",
    "FinetuneResult",
    "LabelRecipe",
    "LabelSource",
    "LabelledImage",
    "MaskLabels",
    "ModelOptions",
    "Scores",
    "SpatialSplit",
    "TrainLoss",
    "TrainOptions",
    "TrainProgress",
    "TrainingData",
    "compute_labels",
    "confusion_matrix",
    "dataset_data",
    "estimate_normalization",
    "evaluate",
    "finetune",
    "held_out_examples",
    "image_data",
    "label_recipe",
    "labelled_image",
    "model_card",
    "recipe_names",
    "split_image",
    "train",
    "train_model",
]
