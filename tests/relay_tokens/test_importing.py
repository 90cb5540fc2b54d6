"""Checkpoints of the authors' code of any size become models, or the reason is said."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from relay_tokens import RelayConfig, RelaySegmenter, UserError, import_checkpoint
from relay_tokens.authors_masks import authors_mask
from tests.relay_tokens.authors import Run, plain_names, swin_run, vit_run

RUNS = {
    "vit": vit_run,
    "vit, 8-px patches, 2 tokens, 1 band, context 2": lambda: vit_run(
        patch=8, tokens=2, bands=1, factor=2, depth=1
    ),
    "vit, 8 tokens, 7 bands, 2 classes, crop 80": lambda: vit_run(
        crop=80, tokens=8, bands=7, classes=2, factor=5, width=32, heads=4
    ),
    "vit with a class token": lambda: vit_run(class_token=True),
    "vit with layer scale, narrow MLPs and no qkv bias": lambda: vit_run(
        init_values=0.1, mlp_ratio=1.7, qkv_bias=False
    ),
    "vit with normed queries": lambda: vit_run(qk_norm=True),
    "swin": swin_run,
    "swin of three stages, crop 96, windows that do not fill the grid": lambda: swin_run(
        crop=96, tokens=8, bands=7, factor=2, depths=(1, 2, 2), heads=(1, 2, 4)
    ),
    "swin of one stage, 2 tokens, 1 band": lambda: swin_run(
        crop=48, tokens=2, bands=1, depths=(2,), heads=(2,), window=8, patch_size=8
    ),
    "swin without relay tokens": lambda: swin_run(tokens=0),
    "swin without qkv bias, wide MLPs": lambda: swin_run(qkv_bias=False, mlp_ratio=5),
}


def crops(config: RelayConfig) -> tuple[torch.Tensor, torch.Tensor]:
    shape = (1, config.in_channels, config.crop_size, config.crop_size)
    local, global_ = torch.randn(2, *shape, generator=torch.Generator().manual_seed(1))
    return local, global_


def assert_same(got: RelaySegmenter, run: Run) -> None:
    assert not got.training
    with torch.inference_mode():
        mine, theirs = got(*crops(run.model.config)), run.model(*crops(run.model.config))
    for branch in ("local_logits", "global_logits"):
        ours = getattr(theirs, branch)
        assert ours.std() > 1e-3
        torch.testing.assert_close(getattr(mine, branch), ours, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", RUNS)
def test_a_model_written_as_the_authors_do_comes_back_the_same(name):
    run = RUNS[name]()
    assert_same(import_checkpoint(run.state, run.settings), run)


@pytest.mark.parametrize("make", [vit_run, swin_run])
def test_the_configuration_of_an_import_builds_the_same_model(make):
    run = make()
    model = import_checkpoint(run.state, run.settings)
    again = RelaySegmenter(RelayConfig.from_json(model.config.to_json())).eval()
    again.load_state_dict(model.state_dict())
    assert_same(again, run)


@pytest.mark.parametrize("suffix", [".safetensors", ".ckpt", ".pth"])
def test_every_kind_of_file_is_read(tmp_path, suffix):
    run = vit_run()
    path, settings = tmp_path / f"last{suffix}", tmp_path / "run.json"
    settings.write_text(json.dumps(run.settings))
    state = {name: value.contiguous() for name, value in run.state.items()}
    if suffix == ".safetensors":
        save_file(state, path)
    else:
        metrics = {"criterion.weight": torch.ones(4), "val_acc.tp": torch.ones(4)}
        torch.save({"epoch": 3, "state_dict": state | metrics}, path)
    assert_same(import_checkpoint(path, settings), run)


def test_names_without_prefix_and_of_a_compiled_network_are_read():
    run = vit_run()
    assert_same(import_checkpoint(plain_names(run.state), run.settings), run)
    compiled = {n.replace("net.", "net._orig_mod."): v for n, v in run.state.items()}
    assert_same(import_checkpoint(compiled, run.settings), run)


def test_a_position_embedding_of_patches_only_adds_nothing_to_the_relay_tokens():
    run = vit_run()
    for name in ("net.model.pos_embed.0", "net.model.pos_embed.1"):
        run.state[name] = run.state[name][:, 4:]
    with torch.no_grad():
        run.model.backbone.relay_tokens.copy_(run.state["net.model.reg_token"])
    assert_same(import_checkpoint(run.state, run.settings), run)


def share_embedding(run: Run) -> Run:
    """Give both branches the local embedding, as the authors' ViT saves it."""
    state = {n: v for n, v in run.state.items() if not re.search(r"_embed\.1\b", n)}
    state = {n.replace("patch_embed.0", "patch_embed"): v for n, v in state.items()}
    backbone = run.model.backbone
    backbone.global_embedding.load_state_dict(backbone.local_embedding.state_dict())
    if "net.model.reg_token" in state:
        tokens = state["net.model.reg_token"] + state["net.model.pos_embed.0"][:, :4]
        with torch.no_grad():
            backbone.relay_tokens.copy_(tokens)
    return Run(run.model, state, run.settings | {"share_patch_embed": True})


@pytest.mark.parametrize("make", [vit_run, swin_run])
def test_one_patch_embedding_serves_both_branches_where_it_is_shared(make):
    run = share_embedding(make())
    assert_same(import_checkpoint(run.state, run.settings), run)


def test_a_shared_embedding_may_be_saved_once_for_each_branch():
    run = share_embedding(swin_run())
    state = {n.replace("patch_embed.", "patch_embed.0."): v for n, v in run.state.items()}
    second = {n.replace("patch_embed.0", "patch_embed.1"): v for n, v in state.items()}
    assert_same(import_checkpoint(state | second, run.settings), run)


CONFIG = """
data:
  imagesize: 224
  patch_size: 999
  factors_m: [2]
  num_channels: 3
  num_classes: 4
model:
  context_factor_m: ${data.factors_m}
  optimizer: {_partial_: true, lr: 1.0e-03}
  net:
    num_classes: ${data.num_classes}
    num_channels: ["${data.num_channels}", "${data.num_channels}"]
    img_size: [48, 48]
    pretrained_path: ${paths.data_dir}/Models/vit.pth
    patch_size: 16
    num_heads: 2
    segmentation_head: {_partial_: true, decoder_stride: "${model.net.patch_size}"}
    multi_scale: true
    num_register_tokens: 4
    share_patch_embed: false
  num_classes: ${oc.env:NOT_SET}
paths: {data_dir: "${oc.env:DATA}"}
loop: ${loop}
"""


def test_the_configuration_of_a_hydra_run_is_understood(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    run = vit_run(factor=2)
    model = import_checkpoint(run.state, path)
    assert model.config.context_factor == 2
    assert_same(model, run)


@pytest.mark.parametrize(
    ("make", "field", "value", "told"),
    [
        (vit_run, "num_classes", 5, "4"),
        (vit_run, "in_channels", 4, "3"),
        (vit_run, "num_relay_tokens", 2, "4"),
        (vit_run, "crop_size", 64, "48"),
        (vit_run, "depth", 3, "2"),
        (vit_run, "kind", "swin", "vit"),
        (vit_run, "patch_size", 8, "16"),
        (vit_run, "share_patch_embed", True, "False"),
        (swin_run, "depths", [2, 6], "(2, 2)"),
        (swin_run, "num_heads", [2, 8], "(2, 4)"),
        (swin_run, "embed_dim", 32, "16"),
        (swin_run, "share_patch_embed", True, "False"),
    ],
)
def test_a_setting_that_contradicts_the_weights_is_named_with_both_values(make, field, value, told):
    run = make()
    said = tuple(value) if isinstance(value, list) else value
    with pytest.raises(UserError, match=f"^{field} is ") as error:
        import_checkpoint(run.state, run.settings | {field: value})
    assert told in str(error.value)
    assert str(said) in str(error.value)


@pytest.mark.parametrize(
    ("make", "missing"),
    [
        (vit_run, ["context_factor", "num_heads"]),
        (swin_run, ["context_factor", "crop_size", "window_size"]),
    ],
)
def test_what_neither_weights_nor_settings_tell_is_asked_for_in_one_sentence(make, missing):
    with pytest.raises(UserError, match=", ".join(missing)):
        import_checkpoint(make().state, {})


def test_weights_of_one_embedding_need_word_that_it_is_shared():
    run = share_embedding(vit_run())
    del run.settings["share_patch_embed"]
    with pytest.raises(UserError, match="share_patch_embed"):
        import_checkpoint(run.state, run.settings)
    with pytest.raises(UserError, match=r"share_patch_embed is True .* and False"):
        import_checkpoint(run.state, run.settings | {"share_patch_embed": False})


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"img_size": [48, 96]}, r"crop_size is \[48, 96\]"),
        ({"num_heads": 5}, "num_heads is 5"),
        ({"num_heads": "two"}, "num_heads is 'two'"),
        ({"context_factor": 2.5}, "context_factor is 2.5"),
        ({"context_factor": 1}, "context_factor is 1"),
        ({"multi_scale": False}, "multi_scale is false"),
        ({"share_patch_embed": "no"}, "share_patch_embed is 'no'"),
        ({"kind": "cnn"}, "kind is 'cnn'"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(settings, says):
    run = vit_run()
    known = {"crop_size"} if "img_size" in settings else set()
    others = {name: v for name, v in run.settings.items() if name not in known}
    with pytest.raises(UserError, match=says):
        import_checkpoint(run.state, others | settings)


def test_a_swin_crop_must_be_whole_cells_of_its_last_grid():
    run = swin_run()
    with pytest.raises(UserError, match=r"crop_size is 60 .* multiple of 8"):
        import_checkpoint(run.state, run.settings | {"crop_size": 60})


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (vit_run, "model.blocks.1.mlp.fc2.bias"),
        (vit_run, "model.pos_embed.1"),
        (vit_run, "model.patch_embed.1.proj.bias"),
        (swin_run, "model.layers.1.downsample_token.bias"),
        (swin_run, "model.layers.0.blocks.1.attn.logit_scale"),
        (swin_run, "seg_head.layers.0.weight"),
    ],
)
def test_a_missing_tensor_is_named(make, name):
    run = make()
    state = plain_names(run.state)
    del state[name]
    with pytest.raises(UserError, match=re.escape(f"lacks tensor {name};")):
        import_checkpoint(state, run.settings)


@pytest.mark.parametrize("name", ["model.blocks.0.attn.1.proj.bias", "model.neck.weight"])
def test_an_unknown_tensor_is_named(name):
    run = vit_run()
    with pytest.raises(UserError, match=re.escape(f"({name})")):
        import_checkpoint(run.state | {f"net.{name}": torch.zeros(3)}, run.settings)


@pytest.mark.parametrize("name", ["model.pos_embed.1", "model.blocks.1.norm1.weight"])
def test_a_tensor_of_another_shape_is_named(name):
    run = vit_run()
    state = plain_names(run.state)
    state[name] = torch.zeros(1, 7, 24) if "pos" in name else torch.zeros(7)
    with pytest.raises(UserError, match=re.escape(f"{name} of shape")):
        import_checkpoint(state, run.settings)


class Malice:
    """What a hostile checkpoint unpickles to."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


@pytest.mark.parametrize("suffix", [".ckpt", ".pth"])
def test_a_checkpoint_that_would_run_a_program_is_refused(tmp_path, suffix):
    run, path, trace = vit_run(), tmp_path / f"evil{suffix}", tmp_path / "trace"
    torch.save({"state_dict": run.state, "hyper_parameters": Malice(trace)}, path)
    with pytest.raises(UserError, match=r"evil.* not read; .* as \.safetensors") as error:
        import_checkpoint(path, run.settings)
    assert not trace.exists()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("none.safetensors", None),
        ("none.ckpt", None),
        ("cut.safetensors", b"\x05\x00\x00"),
        ("cut.ckpt", b"PK\x03\x04 cut short"),
        ("empty.pth", b""),
    ],
)
def test_weights_that_cannot_be_read_are_named(tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=re.escape(name)) as error:
        import_checkpoint(tmp_path / name, {})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [[1, 2], {"state_dict": 3}, {"a": torch.zeros(1)}])
def test_a_file_of_something_else_is_named(tmp_path, content):
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(UserError, match=r"other\.pth"):
        import_checkpoint(tmp_path / "other.pth", {})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("none.json", None),
        ("cut.json", '{"a": '),
        ("list.yaml", "- 1\n- 2"),
        ("bad.yaml", "a: [1\nb: 2"),
        ("program.yaml", "a: !!python/object/apply:os.getcwd []"),
    ],
)
def test_settings_that_cannot_be_read_are_named(tmp_path, name, text):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=re.escape(name)) as error:
        import_checkpoint(vit_run().state, tmp_path / name)
    assert "\n" not in str(error.value)


def test_reading_yaml_without_pyyaml_asks_for_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    (tmp_path / "config.yaml").write_text(CONFIG)
    with pytest.raises(UserError, match="PyYAML"):
        import_checkpoint(vit_run().state, tmp_path / "config.yaml")


def test_weights_of_half_precision_become_a_model_of_single_precision():
    run = vit_run()
    half = {name: value.bfloat16() for name, value in run.state.items()}
    model = import_checkpoint(half, run.settings)
    assert {value.dtype for value in model.state_dict().values()} == {torch.float32}


def test_padding_shares_the_first_regions_number_in_the_authors_mask():
    regions = torch.tensor(
        [
            [0, 0, 1, 1, 2, 2, 0, 0],
            [0, 0, 1, 1, 2, 2, 0, 0],
            [3, 3, 4, 4, 5, 5, 0, 0],
            [3, 3, 4, 4, 5, 5, 0, 0],
            [6, 6, 7, 7, 8, 8, 0, 0],
            [6, 6, 7, 7, 8, 8, 0, 0],
            [0, 0, 0, 0, 0, 0, 0, 0],
            [0, 0, 0, 0, 0, 0, 0, 0],
        ]
    )
    mask = authors_mask((6, 6), (4, 4), (2, 2))
    corners = [(0, 0), (0, 4), (4, 0), (4, 4)]
    for (row, col), got in zip(corners, mask, strict=True):
        flat = regions[row : row + 4, col : col + 4].flatten()
        assert torch.equal(got == 0, flat[:, None] == flat[None, :])
    assert set(mask.unique().tolist()) == {-100.0, 0.0}


def test_where_attention_windows_fill_the_grid_the_mask_is_timms():
    run = swin_run()
    block = run.model.backbone.stages[0].blocks[1]
    timms = block.get_attn_mask()
    assert any(block.shift_size)
    assert torch.equal(authors_mask((16, 16), block.window_size, block.shift_size), timms)
