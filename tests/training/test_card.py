"""What a model card says."""

from __future__ import annotations

from dataclasses import replace

from napari_relay.training import model_card
from tests.training.scenes import METADATA, tiny_model

HELD_OUT = {
    "miou": 0.5,
    "accuracy": 0.75,
    "iou": {"dark": 0.4, "light": 0.6, "red": None},
    "pixels": 12345,
}


def card(**record: object) -> str:
    return model_card(tiny_model().config, replace(METADATA, training=record), 12_345)


def test_scores_say_what_they_were_measured_on() -> None:
    text = card(held_out=HELD_OUT, measured_on="the 3 images of the dataset's split `val`")
    assert "| dark | 0.400 |" in text
    assert "| red | does not occur |" in text
    assert "| **mIoU** | **0.500** |" in text
    assert "12,345 labelled pixels of the 3 images of the dataset's split `val`" in text


def test_the_single_scale_baseline_stands_beside_the_model() -> None:
    test = {**HELD_OUT, "miou": 0.8, "data": "2 landscapes"}
    baseline = {"held_out": HELD_OUT, "test": {**HELD_OUT, "miou": 0.55}}
    text = card(held_out=HELD_OUT, test=test, baseline=baseline)
    assert "| class | IoU | single-scale baseline |" in text
    assert "| **mIoU** | **0.800** | **0.550** |" in text
    assert "of 2 landscapes; pixel accuracy 0.750. Nothing was chosen by them." in text


def test_a_model_without_scores_says_so() -> None:
    assert "Not measured." in card()
