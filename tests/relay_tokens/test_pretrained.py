"""Pretrained weights: adapted to the crop and the bands, or refused in one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.layers import resample_abs_pos_embed

from relay_tokens import RelayConfig, RelaySegmenter, UserError

VIT = {"embed_dim": 48, "depth": 1, "num_heads": 3}
SWIN = {"embed_dim": 24, "depths": (1, 2), "num_heads": (1, 2)}
OPTIONS = {
    "vit_tiny_patch16_224": VIT,
    "deit3_small_patch16_224": VIT,
    "deit_small_distilled_patch16_224": VIT,
    "vit_base_patch16_clip_224": VIT,
    "vit_small_patch14_reg4_dinov2": VIT,
    "vit_small_patch16_dinov3": VIT,
    "eva02_tiny_patch14_224": VIT,
    "swin_tiny_patch4_window7_224": SWIN,
    "swinv2_tiny_window8_256": SWIN,
}
# timm resamples Swin's bias tables with SciPy-like code that torch and NumPy warn of.
RESAMPLING = pytest.mark.filterwarnings("ignore:.*:UserWarning:timm.layers.interpolate")


def source(backbone: str) -> torch.nn.Module:
    """The whole classifier that the weights come from, at its own crop size."""
    torch.manual_seed(5)
    return timm.create_model(backbone, **OPTIONS[backbone])


def saved(model: torch.nn.Module, folder: Path) -> Path:
    file = folder / "weights.safetensors"
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, file)
    return file


def config(backbone: str, crop_size: int = 56, in_channels: int = 3) -> RelayConfig:
    if "patch16" in backbone or "swin" in backbone:
        crop_size = 64
    return RelayConfig(
        backbone,
        2,
        in_channels=in_channels,
        crop_size=crop_size,
        backbone_options=OPTIONS[backbone],
    )


@RESAMPLING
@pytest.mark.parametrize("backbone", OPTIONS)
def test_pretrained_weights_of_every_family_are_taken_over_at_another_crop_size(backbone, tmp_path):
    classifier = source(backbone)
    model = RelaySegmenter(config(backbone), pretrained=saved(classifier, tmp_path)).backbone
    blocks = model.stages[0].blocks if "swin" in backbone else model.blocks
    pretrained = (classifier.layers[0] if "swin" in backbone else classifier).blocks
    for name, value in pretrained.named_parameters():
        if "relative_position_bias_table" not in name:
            assert torch.equal(blocks.get_parameter(name), value), name
    for embedding in (model.local_embedding, model.global_embedding):
        projection = getattr(embedding, "patch_embed", embedding).proj.weight
        assert torch.equal(projection, classifier.patch_embed.proj.weight)


@pytest.mark.parametrize("backbone", [name for name in OPTIONS if "swin" not in name])
def test_the_tokens_before_the_first_block_are_those_of_timm(backbone, tmp_path):
    file = saved(source(backbone), tmp_path)
    chosen = config(backbone)
    model = RelaySegmenter(chosen, pretrained=file).backbone
    reference = timm.create_model(
        backbone,
        pretrained=True,
        pretrained_cfg_overlay={"file": str(file)},
        img_size=chosen.crop_size,
        dynamic_img_size=False,
        **OPTIONS[backbone],
    )
    image = torch.randn(1, 3, chosen.crop_size, chosen.crop_size)
    expected = reference._pos_embed(reference.patch_embed(image))
    expected = reference.norm_pre(expected[0] if isinstance(expected, tuple) else expected)
    for embedding in (model.local_embedding, model.global_embedding):
        torch.testing.assert_close(embedding(image), expected)


@pytest.mark.parametrize("prefix", [0, 1])
def test_position_embeddings_are_resampled_to_the_crop(prefix, tmp_path):
    name = "vit_tiny_patch16_224" if prefix else "deit3_small_patch16_224"
    classifier = source(name)
    model = RelaySegmenter(config(name), pretrained=saved(classifier, tmp_path)).backbone
    expected = resample_abs_pos_embed(
        classifier.pos_embed, [4, 4], num_prefix_tokens=prefix, verbose=False
    )
    for embedding in (model.local_embedding, model.global_embedding):
        torch.testing.assert_close(embedding.positions, expected[:, prefix:])
        first = classifier.cls_token + (expected[:, :1] if prefix else 0)
        torch.testing.assert_close(embedding.prefix, first)


@RESAMPLING
def test_swins_bias_tables_are_resampled_to_the_attention_windows(tmp_path):
    name = "swin_tiny_patch4_window7_224"
    classifier = source(name)
    with torch.no_grad():
        # A bias that grows with the row offset, to be found again at another size.
        attention = classifier.layers[0].blocks[0].attn
        offsets = torch.arange(-6.0, 7.0)[:, None].expand(13, 13)
        attention.relative_position_bias_table.copy_(offsets.reshape(-1, 1))
    model = RelaySegmenter(config(name), pretrained=saved(classifier, tmp_path)).backbone
    attention = model.stages[0].blocks[0].attn
    assert attention.window_size == (8, 8)
    table = attention.relative_position_bias_table.reshape(15, 15)
    assert (table[1:] > table[:-1]).all()
    torch.testing.assert_close(table[7], torch.zeros(15), rtol=0, atol=1e-4)


@pytest.mark.parametrize("backbone", ["vit_tiny_patch16_224", "vit_small_patch16_dinov3"])
@pytest.mark.parametrize("bands", [1, 2, 4, 5, 16])
def test_pretrained_rgb_weights_are_adapted_to_any_number_of_bands(backbone, bands, tmp_path):
    classifier = source(backbone)
    file = saved(classifier, tmp_path)
    model = RelaySegmenter(config(backbone, in_channels=bands), pretrained=file).backbone
    rgb = classifier.patch_embed.proj.weight
    if bands == 1:
        expected = rgb.sum(dim=1, keepdim=True)
    else:
        expected = torch.stack([rgb[:, band % 3] for band in range(bands)], dim=1) * 3 / bands
    for embedding in (model.local_embedding, model.global_embedding):
        torch.testing.assert_close(embedding.patch_embed.proj.weight, expected)


def test_weights_for_as_many_bands_are_taken_as_they_are(tmp_path):
    classifier = timm.create_model("vit_tiny_patch16_224", in_chans=5, **VIT)
    chosen = config("vit_tiny_patch16_224", in_channels=5)
    model = RelaySegmenter(chosen, pretrained=saved(classifier, tmp_path)).backbone
    own = model.local_embedding.patch_embed.proj.weight
    assert torch.equal(own, classifier.patch_embed.proj.weight)


@pytest.mark.parametrize(
    ("other", "options", "problem"),
    [
        (
            "vit_tiny_patch16_224",
            {**VIT, "embed_dim": 96},
            r"blocks\.0\.\S+ has shape \(96,\), not \(48,\)",
        ),
        ("vit_tiny_patch16_224", {**VIT, "depth": 2}, r"blocks\.1\.\S+ is not a part of it"),
        ("deit3_small_patch16_224", VIT, r"blocks\.0\.ls1\.gamma is not a part of it"),
        ("resnet18", {}, r"\S+ is (missing|not a part of it)"),
    ],
)
def test_weights_of_another_model_are_refused_naming_what_does_not_fit(
    other, options, problem, tmp_path
):
    file = saved(timm.create_model(other, **options), tmp_path)
    expected = f"weights {file} are not those of vit_tiny_patch16_224: .*{problem}; give"
    with pytest.raises(UserError, match=expected) as refusal:
        RelaySegmenter(config("vit_tiny_patch16_224"), pretrained=file)
    assert "\n" not in str(refusal.value)


def test_weights_that_lack_a_tensor_are_refused(tmp_path):
    state = source("swinv2_tiny_window8_256").state_dict()
    del state["norm.weight"]
    save_file(state, tmp_path / "weights.safetensors")
    with pytest.raises(UserError, match=r"norm\.weight is missing"):
        RelaySegmenter(
            config("swinv2_tiny_window8_256"), pretrained=tmp_path / "weights.safetensors"
        )


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pth"])
@pytest.mark.parametrize("content", [b"", b"these are no weights", None])
def test_a_file_without_weights_is_refused_naming_it(name, content, tmp_path):
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(
        UserError, match=f"vit_tiny_patch16_224 cannot be loaded from {file}"
    ) as refusal:
        RelaySegmenter(config("vit_tiny_patch16_224"), pretrained=file)
    assert "\n" not in str(refusal.value)


def in_own_process(cache: Path) -> str:
    """Ask for timm's weights where the hub is an address at which nobody answers."""
    code = (
        "import time; from relay_tokens import *; start = time.monotonic()\n"
        f"chosen = RelayConfig('vit_tiny_patch16_224', 2, crop_size=64, backbone_options={VIT})\n"
        "try: print(RelaySegmenter(chosen, pretrained=True).backbone.relay_tokens.shape)\n"
        "except UserError as error: print(error)\n"
        "assert time.monotonic() - start < 15\n"
    )
    environment = {
        **os.environ,
        "HF_ENDPOINT": "http://127.0.0.1:9",
        "HF_HUB_CACHE": str(cache),
        "NO_PROXY": "127.0.0.1",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_a_hub_that_cannot_be_reached_is_one_sentence_and_soon_said(tmp_path):
    (sentence,) = in_own_process(tmp_path).splitlines()
    assert "weights of vit_tiny_patch16_224 cannot be loaded from the hub" in sentence
    assert "give the path of a downloaded weights file instead" in sentence


def test_weights_in_the_hubs_cache_need_no_hub(tmp_path):
    classifier = source("vit_tiny_patch16_224")
    repository = classifier.pretrained_cfg["hf_hub_id"].replace("/", "--")
    revision = tmp_path / f"models--{repository}" / "snapshots" / "1"
    revision.mkdir(parents=True)
    (revision.parents[1] / "refs").mkdir()
    (revision.parents[1] / "refs" / "main").write_text("1")
    saved(classifier, tmp_path).rename(revision / "model.safetensors")
    assert in_own_process(tmp_path) == "torch.Size([1, 4, 48])\n"
