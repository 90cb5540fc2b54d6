"""Any backbone: what each timm family claims to be when relay tokens pass through it."""

from __future__ import annotations

import pytest
import timm
import torch
from timm.layers import apply_rot_embed_cat
from torch.nn import functional as F  # noqa: N812

from relay_tokens import RelayConfig, RelaySegmenter, UserError
from relay_tokens.swin import current_windows, fitting_windows

VIT = {"embed_dim": 48, "depth": 2, "num_heads": 3}
SWIN = {"embed_dim": 24, "depths": (2, 2, 2, 2), "num_heads": (1, 2, 3, 4)}
SHALLOW = {"depth": 1}
TABLE = {
    # AugReg and its kin, patch 8 to 32, with and without class token
    "vit_tiny_patch16_224": (VIT, 32),
    "vit_small_patch8_224": (VIT, 32),
    "vit_base_patch8_224": (VIT, 32),
    "vit_base_patch32_224": (VIT, 64),
    "vit_base_patch16_gap_224": (VIT, 32),
    "vit_medium_patch16_reg4_gap_256": (VIT, 32),
    "vit_so150m_patch16_reg4_map_256": (VIT, 32),
    "flexivit_small": (VIT, 32),
    # DeiT, with a distillation token, and DeiT-3
    "deit_tiny_patch16_224": (VIT, 32),
    "deit_small_distilled_patch16_224": (VIT, 32),
    "deit3_small_patch16_224": (VIT, 32),
    # CLIP and SigLIP, AIMv2, InternViT, BEiT-3, RADIO
    "vit_base_patch16_clip_224": (VIT, 32),
    "vit_base_patch16_siglip_224": (VIT, 32),
    "aimv2_large_patch14_224": (VIT, 28),
    "vit_intern300m_patch14_448": (VIT, 28),
    "beit3_base_patch16_224": (VIT, 32),
    "vit_base_patch16_radio_v3": (VIT, 32),
    # norms after the attention; attention and MLP beside each other; a convolutional stem
    "vit_base_patch16_rpn_224": (VIT, 32),
    "vit_base_patch16_xp_224": (VIT, 32),
    "vit_tiny_r_s16_p8_224": (VIT, 32),
    # DINOv2 and DINOv3
    "vit_small_patch14_dinov2": (VIT, 28),
    "vit_small_patch14_reg4_dinov2": (VIT, 28),
    "vit_small_patch16_dinov3": (VIT, 32),
    "vit_small_plus_patch16_dinov3": (VIT, 32),
    "vit_small_patch16_dinov3_qkvb": (VIT, 32),
    # EVA, EVA-02 and other rotary embeddings
    "eva_giant_patch14_clip_224": (VIT, 28),
    "eva02_tiny_patch14_224": (VIT, 28),
    "eva02_base_patch16_clip_224": (VIT, 32),
    "eva02_enormous_patch14_clip_224": (VIT, 28),
    "vit_small_patch16_rope_224": (VIT, 32),
    "vit_small_patch16_rope_mixed_ape_224": (VIT, 32),
    "vit_pe_core_tiny_patch16_384": (VIT, 32),
    "vit_base_patch16_sapiens2": ({**VIT, "num_heads": 4, "num_kv_heads": (2, 4)}, 32),
    # Swin
    "swin_tiny_patch4_window7_224": (SWIN, 64),
    "swin_large_patch4_window12_384": (SWIN, 64),
    "swin_s3_tiny_224": (SWIN, 64),
    "swinv2_tiny_window8_256": (SWIN, 64),
    "swinv2_small_window16_256": (SWIN, 64),
    "swinv2_base_window12to16_192to256": (SWIN, 96),
    "swinv2_large_window12to24_192to384": (SWIN, 64),
}
EVERY = pytest.mark.parametrize("backbone", TABLE)


def config(backbone: str, **changes: object) -> RelayConfig:
    options, crop = TABLE[backbone]
    settings = {"num_classes": 3, "crop_size": crop, "backbone_options": options, **changes}
    return RelayConfig(backbone, **settings)


def stirred(model: torch.nn.Module) -> torch.nn.Module:
    """Let every parameter matter: many start at nought, layer scales near it."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for value in model.parameters():
            value.add_(torch.randn(value.shape, generator=generator), alpha=0.1)
    return model.eval()


def crops(side: int, bands: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    local, global_ = torch.randn(2, 2, bands, side, side, generator=torch.manual_seed(1))
    return local, global_


@EVERY
def test_a_backbone_runs_forward_and_backward_with_finite_gradients(backbone):
    model = stirred(RelaySegmenter(config(backbone))).train()
    local, global_ = crops(model.config.crop_size)
    output = model(local, global_)
    assert output.local_logits.shape == (2, 3, *local.shape[2:])
    (output.local_logits.square().mean() + output.global_logits.square().mean()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@EVERY
def test_the_global_crop_reaches_the_local_logits_and_recording_changes_nothing(backbone):
    model = stirred(RelaySegmenter(config(backbone)))
    local, global_ = crops(model.config.crop_size)
    with torch.inference_mode():
        plain = model(local, global_)
        other = model(local, global_.flip(0))
        recorded = model(local, global_, record_attention=True)
    assert (plain.local_logits - other.local_logits).abs().max() > 1e-4
    torch.testing.assert_close(recorded.local_logits, plain.local_logits)
    torch.testing.assert_close(recorded.global_logits, plain.global_logits)
    grids = [model.config.crop_size // stride for stride in model.attention_strides]
    for branch in (recorded.attention.local, recorded.attention.global_):
        for maps in (branch.relay_to_patch, branch.patch_to_relay):
            assert [m.shape[2:] for m in maps] == [(4, g, g) for g in grids]
            assert all(m.min() >= 0 and m.max() <= 1 and m.max() > 0 for m in maps)


@pytest.mark.parametrize(
    "backbone", ["vit_tiny_patch16_224", "vit_small_patch16_dinov3", "swin_tiny_patch4_window7_224"]
)
def test_attention_recorded_with_gradients_is_that_recorded_without(backbone):
    model = stirred(RelaySegmenter(config(backbone)))
    pair = crops(model.config.crop_size)
    followed = model(*pair, record_attention=True)
    assert followed.attention.local.patch_to_relay[0].requires_grad
    with torch.inference_mode():
        plain = model(*pair, record_attention=True)
    torch.testing.assert_close(followed.local_logits, plain.local_logits)
    for branch in ("local", "global_"):
        for maps in ("relay_to_patch", "patch_to_relay"):
            both = (getattr(getattr(o.attention, branch), maps) for o in (followed, plain))
            for a, b in zip(*both, strict=True):
                torch.testing.assert_close(a, b)


@EVERY
def test_without_a_global_branch_the_features_are_those_of_timm(backbone):
    model = stirred(RelaySegmenter(config(backbone, context_factor=None)))
    options, crop = TABLE[backbone]
    windows = {}
    if "swin" in backbone:
        stages = model.backbone.stages
        windows["window_size"] = tuple(stage.blocks[0].window_size for stage in stages)
    reference = timm.create_model(backbone, num_classes=0, img_size=crop, **options, **windows)
    reference = copy_weights(model, reference.eval())
    local, _ = crops(crop)
    with torch.inference_mode():
        expected = reference.forward_intermediates(
            local, intermediates_only=True, norm="swin" in backbone
        )
        features = model.backbone(local, None, False).local
    torch.testing.assert_close(features, expected[-1], rtol=1e-4, atol=1e-4)


def copy_weights(model: RelaySegmenter, reference: torch.nn.Module) -> torch.nn.Module:
    """Give a timm model the weights of a single-scale one."""
    own = model.backbone
    state = {
        k: v
        for k, v in reference.state_dict().items()
        if k.startswith(("norm.", "head", "fc_", "attn_pool"))
    }
    if "swin" in model.config.backbone:
        state |= prefixed("layers.", own.stages) | prefixed("norm.", own.norm)
        state |= prefixed("patch_embed.", own.local_embedding)
    else:
        state |= prefixed("blocks.", own.blocks) | vit_embedding(own.local_embedding, reference)
        state |= {k: v for k, v in own.state_dict().items() if k.startswith("rope.")}
    reference.load_state_dict(state)
    return reference


def prefixed(prefix: str, module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {prefix + name: value for name, value in module.state_dict().items()}


def vit_embedding(
    embedding: torch.nn.Module, reference: torch.nn.Module
) -> dict[str, torch.Tensor]:
    state = prefixed("patch_embed.", embedding.patch_embed) | prefixed(
        "norm_pre.", embedding.norm_pre
    )
    start = 0
    for name in ("cls_token", "dist_token", "reg_token"):
        token = getattr(reference, name, None)
        if token is not None:
            state[name] = embedding.prefix[:, start : start + token.shape[1]]
            start += token.shape[1]
    if reference.pos_embed is not None:
        # Positions of prefix tokens are folded into the tokens: nought is left of them.
        rest = reference.pos_embed.shape[1] - embedding.positions.shape[1]
        state["pos_embed"] = F.pad(embedding.positions, (0, 0, rest, 0))
    return state


@pytest.mark.parametrize("backbone", ["vit_small_patch16_dinov3", "eva02_tiny_patch14_224"])
def test_only_patches_are_rotated(backbone):
    model = stirred(RelaySegmenter(config(backbone)))
    local, global_ = crops(model.config.crop_size)
    backbone_, relay = model.backbone, model.backbone.relay_tokens.expand(2, -1, -1)
    block, count, grid = backbone_.blocks[0], 4, backbone_.grid
    with torch.inference_mode():
        seen = model(local, global_, record_attention=True).attention.global_
        joined = block.norm1(torch.cat([relay, backbone_.global_embedding(global_)], dim=1))
        q, k = queries_and_keys(block.attn, joined)
        rotated = apply_rot_embed_cat(
            k[:, :, -grid[0] * grid[1] :], backbone_.rope.get_embed(), half=block.attn.rotate_half
        )
        keys = torch.cat([k[:, :, : -grid[0] * grid[1]], rotated], dim=2)
        rows = (q[:, :, :count] @ keys.mT * block.attn.scale).softmax(dim=-1)
    expected = rows[..., -grid[0] * grid[1] :].unflatten(3, grid)
    torch.testing.assert_close(seen.relay_to_patch[0], expected)


def queries_and_keys(attn: torch.nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Before rotation, ``(B, head, token, channel)``; by timm's formulas for EVA attention."""
    if attn.qkv is None:
        q, k = attn.q_proj(x), attn.k_proj(x)
    else:
        bias = None if attn.q_bias is None else torch.cat([attn.q_bias, attn.k_bias, attn.v_bias])
        q, k, _ = F.linear(x, attn.qkv.weight, bias).chunk(3, dim=2)
    return tuple(y.unflatten(2, (attn.num_heads, -1)).transpose(1, 2) for y in (q, k))


@pytest.mark.parametrize(
    ("crop", "windows"),
    [(64, (8, 8, 4, 2)), (224, (7, 7, 7, 7)), (256, (8, 8, 8, 8)), (1024, (8, 8, 8, 8))],
)
def test_swin_gets_attention_windows_that_divide_the_grid_of_any_crop(crop, windows):
    with torch.device("meta"):
        swin = timm.create_model("swin_tiny_patch4_window7_224", img_size=crop, **SWIN)
        model = RelaySegmenter(
            RelayConfig("swin_tiny_patch4_window7_224", 2, crop_size=crop, backbone_options=SWIN)
        )
    assert fitting_windows(swin) == tuple((size, size) for size in windows)
    assert [stage.blocks[0].window_size[0] for stage in model.backbone.stages] == list(windows)
    assert all(
        s.blocks[0].attn.window_size == s.blocks[0].window_size for s in model.backbone.stages
    )


@pytest.mark.parametrize("backbone", ["swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256"])
def test_attention_windows_of_ones_own_that_do_not_divide_the_grid_are_padded_as_timm_does(
    backbone,
):
    options = {**SWIN, "window_size": 5}
    model = stirred(RelaySegmenter(config(backbone, backbone_options=options, context_factor=None)))
    reference = timm.create_model(backbone, num_classes=0, img_size=64, **options)
    assert current_windows(reference)[:2] == ((5, 5), (5, 5))
    reference = copy_weights(model, reference.eval())
    local, global_ = crops(64)
    with torch.inference_mode():
        expected = reference.forward_features(local).permute(0, 3, 1, 2)
        torch.testing.assert_close(
            model.backbone(local, None, False).local, expected, rtol=1e-4, atol=1e-4
        )
        relay = stirred(RelaySegmenter(config(backbone, backbone_options=options)))
        attention = relay(local, global_, record_attention=True).attention.local
    assert attention.patch_to_relay[1].shape[-2:] == (16, 16)


@pytest.mark.parametrize(
    ("backbone", "crop", "advice"),
    [
        ("vit_small_patch14_dinov2", 64, "multiple of 14.*choose 56 or 70"),
        ("vit_tiny_patch16_224", 40, "multiple of 16.*choose 32 or 48"),
        ("swin_tiny_patch4_window7_224", 80, "multiple of 32.*choose 64 or 96"),
        ("vit_tiny_patch16_224", 8, "multiple of 16.*choose 16"),
    ],
)
def test_a_crop_that_is_no_multiple_of_the_cell_is_refused_with_those_that_are(
    backbone, crop, advice
):
    with pytest.raises(UserError, match=advice):
        RelaySegmenter(config(backbone, crop_size=crop))


@pytest.mark.parametrize(
    ("backbone", "kind"),
    [
        ("vit_small_patch16_18x2_224", "ParallelThingsBlock"),
        ("vit_dwee_patch16_reg1_gap_256", "DiffAttention"),
        ("vit_dpwee_patch16_reg1_gap_256", "DiffParallelScalingBlock"),
    ],
)
def test_blocks_of_another_kind_are_refused_by_name(backbone, kind):
    with pytest.raises(UserError, match=f"{backbone} has blocks .*{kind}.*choose"):
        RelaySegmenter(RelayConfig(backbone, 2, crop_size=32, backbone_options={"depth": 1}))


@pytest.mark.parametrize("backbone", ["resnet18", "beit_base_patch16_224", "swinv2_cr_tiny_ns_224"])
def test_a_family_without_relay_tokens_is_refused_with_those_that_have_them(backbone):
    with pytest.raises(UserError, match=rf"{backbone} is of timm's family .*vit_.*swinv2_"):
        RelaySegmenter(RelayConfig(backbone, 2))


def test_an_option_that_the_backbone_does_not_have_is_refused():
    with pytest.raises(UserError, match=r"does not fit .*no_such_option"):
        RelaySegmenter(
            RelayConfig("vit_tiny_patch16_224", 2, backbone_options={"no_such_option": 1})
        )
