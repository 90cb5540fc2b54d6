"""A few steps of real runs on tiny landscapes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks.context_plan import planned_runs
from benchmarks.context_results import gathered
from benchmarks.context_run import named_run, trained, write_land, write_result
from benchmarks.context_setting import SMALL
from benchmarks.context_summary import Findings
from benchmarks.context_work import WorkFolder
from benchmarks.unet import UNet, train_unet
from napari_relay.training import TrainOptions, labelled_image, split_image
from relay_tokens import RelayConfig
from tests.training.scenes import METADATA, blobs

TINY = replace(
    SMALL,
    train_side=256,
    measured_side=96,
    train_seeds=(101,),
    test_seeds=(301,),
    model_seeds=(0,),
    backbone_options={"patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 3},
    steps=2,
    batch_size=2,
    evaluate_every=1,
    validation_crops=4,
    context_windows=4,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = WorkFolder.open(tmp_path_factory.mktemp("context"), TINY)
    for split, seed in TINY.lands():
        write_land(made, split, seed)
    return made


@pytest.mark.parametrize("key", ["relay-0", "unet-0"])
def test_a_run_trains_scores_every_test_window_and_is_gathered(folder, key):
    run = named_run(folder, key)
    write_result(folder, run)
    result = json.loads(folder.result(run).read_text())
    assert result["pixels"] == 96 * 96
    assert set(result["iou"]) == {"background", "mound", "hydrology", "temple"}
    assert result["best_step"] in (1, 2)
    assert (result["context"] is not None) == (key == "relay-0")
    found = gathered(folder, planned_runs(TINY))
    name = run.variant.name
    assert found["models"][name]["miou"] == [result["miou"]]
    assert Findings.of(found).models[name].params == result["params"]


def test_training_reads_no_test_land(folder, tmp_path):
    other = WorkFolder.open(tmp_path, TINY)
    other.lands.mkdir()
    for split in ("train", "val"):
        (other.lands / split).symlink_to(folder.lands / split)
    broken = other.land("test", 301)
    broken.mkdir(parents=True)
    for name in ("orthophoto.tif", "elevation.tif", "labels.tif"):
        (broken / name).write_bytes(b"unreadable")
    assert trained(other, named_run(other, "single-0")).metadata.training["steps"] in (1, 2)


def test_a_landscape_that_was_cut_off_is_written_anew(folder, tmp_path):
    other = WorkFolder.open(tmp_path, TINY)
    land = other.land("val", 201)
    land.mkdir(parents=True)
    (land / "orthophoto.tif").write_bytes(b"cut off between two files")
    write_land(other, "val", 201)
    assert other.is_written("val", 201)
    whole = (folder.land("val", 201) / "orthophoto.tif").read_bytes()
    assert (land / "orthophoto.tif").read_bytes() == whole


def test_every_parameter_of_the_unet_that_is_counted_is_trained():
    net = unet()
    net(torch.zeros(2, 3, 32, 32)).local_logits.sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_the_unet_answers_with_logits_over_the_local_crop():
    output = unet().eval()(torch.zeros(2, 3, 32, 32))
    assert output.local_logits.shape == (2, 3, 32, 32)
    assert output.global_logits is None


def test_a_unet_run_that_was_stopped_goes_on_as_if_it_had_not(tmp_path):
    whole, stopped, resumed = unet(), unet(), unet()
    for _ in train_some(whole, tmp_path / "whole"):
        pass
    for step in train_some(stopped, tmp_path / "part"):
        if step == 2:
            break
    steps = list(train_some(resumed, tmp_path / "part"))
    assert steps == [3, 4]
    torch.testing.assert_close(resumed.state_dict(), whole.state_dict(), rtol=0, atol=0)


def unet() -> UNet:
    """A U-Net of three classes and bands, the same every time."""
    torch.manual_seed(0)
    config = RelayConfig("vit_tiny_patch16_224", 3, crop_size=32, context_factor=None)
    return UNet(config, "resnet18", 3)


def train_some(model: nn.Module, folder: Path):
    """Four steps on coloured squares, saved and measured after every second one."""
    image, labels = blobs(side=256)
    split = split_image(image.shape, 32, 0.2, 0, labels)
    options = TrainOptions(
        steps=4,
        batch_size=2,
        schedule="cosine",
        evaluate_every=2,
        save_every=2,
        validation_crops=4,
        scale_jitter=1,
        device="cpu",
    )
    images = [labelled_image(image, labels, split)]
    return train_unet(model, METADATA, images, options, folder)
