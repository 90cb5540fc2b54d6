"""Checkpoints of the authors' code (RelayToken) as models of this package.

Their state dict, and where each tensor goes:

=====================================  ==============================================
theirs (after ``net.``)                ours
=====================================  ==============================================
``model.patch_embed.0``, ``.1``        the local, the global branch's patch embedding
``model.pos_embed.0``, ``.1`` (ViT)    ``positions``; the places before the patches
                                       are added to the tokens they belong to
``model.reg_token`` (ViT)              ``backbone.relay_tokens``, plus the *global*
                                       branch's position embedding of those places
``model.blocks.N.attn.0`` (ViT)        ``backbone.blocks.N.attn``; norms, MLP alike
``model.register_token`` (Swin)        ``backbone.relay_tokens``
``model.layers.S`` (Swin)              ``backbone.stages.S``
``model.layers.S.downsample_token``    ``backbone.relay_downsamples.(S-1)``
``model.norm`` (Swin)                  ``backbone.norm``
``seg_head.layers.0``                  ``head``
=====================================  ==============================================

Their classifier and a ViT's ``norm`` and ``fc_norm`` are never run and left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor

from relay_tokens.authors_settings import AuthorsSettings, read_settings
from relay_tokens.authors_weights import AuthorsWeights, read_weights
from relay_tokens.config import RelayConfig
from relay_tokens.errors import UserError
from relay_tokens.segmenter import RelaySegmenter

# Any timm model of the class would do: every size is given.
_BACKBONES = {"vit": "vit_tiny_patch16_224", "swin": "swinv2_tiny_window8_256"}
_BRANCHES = ("local", "global")


def import_checkpoint(
    weights: Mapping[str, Tensor] | str | Path, settings: Mapping[str, Any] | str | Path
) -> RelaySegmenter:
    """Make a model of the weights of the authors' code, computing the same numbers.

    Parameters
    ----------
    weights
        A state dict, or the path of a ``.safetensors``, a Lightning ``.ckpt`` or
        a ``.pth``; nothing but tensors is unpickled.
    settings
        A mapping, or the path of a ``.json`` or of the run's Hydra
        ``config.yaml``. What the weights tell is taken from them; of the
        settings a ViT needs ``num_heads`` and ``context_factor``, a Swin
        ``crop_size``, ``context_factor`` and ``window_size``, by these names or
        the authors' own (``img_size``, ``context_factor_m``), and
        ``share_patch_embed: true`` where the weights hold one patch embedding.

    Returns
    -------
    RelaySegmenter
        With ``exchange="mean"``, on the CPU and in eval mode.

    Raises
    ------
    UserError
        When a file cannot be read, a setting is missing or contradicts the
        weights, or a tensor is missing, unknown or of another shape.
    """
    told = read_weights(weights)
    said = read_settings(settings)
    model = RelaySegmenter(_config(told, said))
    model.load_state_dict(_state(told, model))
    return model.eval()


def _config(told: AuthorsWeights, said: AuthorsSettings) -> RelayConfig:
    _check_branches(told, said)
    _check_agreement(told, said)
    own = ("num_heads",) if told.kind == "vit" else ("crop_size", "window_size")
    _require(told, said, "context_factor", *own)
    return RelayConfig(
        _BACKBONES[told.kind],
        num_classes=told.num_classes,
        in_channels=told.in_channels,
        crop_size=_crop_size(told, said),
        context_factor=said.context_factor,
        num_relay_tokens=told.num_relay_tokens,
        exchange="mean",
        backbone_options=_options(told, said),
    )


def _check_branches(told: AuthorsWeights, said: AuthorsSettings) -> None:
    if said.multi_scale is False:
        raise UserError(
            f"multi_scale is false in {said.source}; only models of two branches can be imported."
        )
    if told.has_one_embedding:
        # Single-scale weights have the same names.
        _require(told, said, "share_patch_embed")
    elif said.share_patch_embed and not _embeddings_are_alike(told):
        _contradict("share_patch_embed", False, True, told, said)
    if told.has_one_embedding and said.share_patch_embed is False:
        _contradict("share_patch_embed", True, False, told, said)
    for name in ("model.patch_embed.0.proj.weight", "model.pos_embed.0"):
        if name in told:
            other = name.replace("embed.0", "embed.1")
            _check_shape(told, other, told[other], told[name])


def _embeddings_are_alike(told: AuthorsWeights) -> bool:
    names = [name for name in told.tensors if name.startswith("model.patch_embed.0.")]
    others = (name.replace("patch_embed.0.", "patch_embed.1.") for name in names)
    return all(torch.equal(told[a], told[b]) for a, b in zip(names, others, strict=True))


def _check_agreement(told: AuthorsWeights, said: AuthorsSettings) -> None:
    """Compare every field that the weights tell and the settings say."""
    for field in (f.name for f in fields(said)):
        mine, theirs = getattr(told, field, None), getattr(said, field)
        if field != "source" and None not in (mine, theirs) and mine != theirs:
            _contradict(field, mine, theirs, told, said)


def _contradict(
    field: str, mine: object, theirs: object, told: AuthorsWeights, said: AuthorsSettings
) -> NoReturn:
    raise UserError(
        f"{field} is {mine} by the weights ({told.source}) and {theirs} in {said.source}; "
        "give the settings of the run that made these weights."
    )


def _require(told: AuthorsWeights, said: AuthorsSettings, *names: str) -> None:
    if missing := [name for name in names if getattr(said, name) is None]:
        raise UserError(
            f"The weights ({told.source}) do not tell {', '.join(missing)}; "
            f"add {'it' if len(missing) == 1 else 'them'} to {said.source}."
        )


def _crop_size(told: AuthorsWeights, said: AuthorsSettings) -> int:
    """Side of the crops: a ViT's weights tell, a Swin's do not."""
    if told.kind == "vit":
        return _vit_crop_size(told, said)
    size, cell = int(said.crop_size or 0), told["seg_head.layers.0.weight"].shape[2]
    if size <= 0 or size % cell:
        raise UserError(
            f"crop_size is {size} in {said.source}; these weights ({told.source}) need a "
            f"multiple of {cell}."
        )
    return size


def _vit_crop_size(told: AuthorsWeights, said: AuthorsSettings) -> int:
    if not told.crop_sizes:
        places = told["model.pos_embed.0"].shape[1]
        raise UserError(
            f"{told.source} holds a position embedding of {places} places, which are no square "
            "of patches; only models of square crops can be imported."
        )
    if said.crop_size is None or said.crop_size in told.crop_sizes:
        return said.crop_size or told.crop_sizes[0]
    _contradict("crop_size", told.crop_sizes[0], said.crop_size, told, said)


def _options(told: AuthorsWeights, said: AuthorsSettings) -> dict[str, Any]:
    """Arguments of ``timm.create_model`` for the sizes of these weights."""
    sizes = {
        "embed_dim": told.embed_dim,
        "patch_size": told.patch_size,
        "mlp_ratio": told.mlp_ratio,
    }
    return sizes | (_vit_options(told, said) if told.kind == "vit" else _swin_options(told, said))


def _vit_options(told: AuthorsWeights, said: AuthorsSettings) -> dict[str, Any]:
    if not isinstance(said.num_heads, int) or told.embed_dim % max(said.num_heads, 1):
        raise UserError(
            f"num_heads is {said.num_heads} in {said.source}; it must be one number that divides "
            f"embed_dim, {told.embed_dim}."
        )
    block = told.first_block
    return {
        "depth": told.depth,
        "num_heads": said.num_heads,
        "qkv_bias": f"{block}.attn.qkv.bias" in told,
        "qk_norm": f"{block}.attn.q_norm.weight" in told,
        "proj_bias": f"{block}.attn.proj.bias" in told,
        # Any number: it only says that there is a scale, which the weights fill.
        "init_values": 1e-5 if f"{block}.ls1.gamma" in told else None,
        "class_token": told.has_class_token,
        "global_pool": "avg",
    }


def _swin_options(told: AuthorsWeights, said: AuthorsSettings) -> dict[str, Any]:
    return {
        "depths": told.depths,
        "num_heads": told.num_heads,
        "window_size": said.window_size,
        "qkv_bias": f"{told.first_block}.attn.q_bias" in told,
    }


def _state(told: AuthorsWeights, model: RelaySegmenter) -> dict[str, Tensor]:
    """Fill every name of the model's state dict, and use every tensor."""
    made = _vit_tokens(told, model) if told.kind == "vit" else _swin_tokens(told)
    used = {"model.reg_token", "model.cls_token", "model.register_token"}
    used |= {f"model.pos_embed.{i}" for i in range(len(_BRANCHES))}
    state: dict[str, Tensor] = {}
    for name, expected in model.state_dict().items():
        theirs = authors_name(name, told.kind)
        state[name] = made[name] if name in made else told[theirs]
        used.add(theirs)
        _check_shape(told, theirs, state[name], expected)
    if unknown := sorted(set(told.tensors) - used):
        raise UserError(
            f"{told.source} holds tensors that no relay-token model has ({', '.join(unknown[:4])}"
            f"{', ...' if len(unknown) > 4 else ''}); name a checkpoint of the authors' RT_ViT "
            "or Swin_v2_module whose blocks both branches share."
        )
    return state


def authors_name(name: str, kind: str) -> str:
    """Name, in the authors' code, of a tensor of :class:`RelaySegmenter`."""
    for index, branch in enumerate(_BRANCHES):
        embedding = r"_embedding\.patch_embed\." if kind == "vit" else r"_embedding\."
        name = re.sub(rf"^backbone\.{branch}{embedding}", f"model.patch_embed.{index}.", name)
    if match := re.match(r"backbone\.relay_downsamples\.(\d+)\.(.*)", name):
        return f"model.layers.{int(match[1]) + 1}.downsample_token.{match[2]}"
    name = re.sub(r"^backbone\.stages\.", "model.layers.", name)
    name = re.sub(r"^backbone\.", "model.", name)
    return re.sub(r"^head\.", "seg_head.layers.0.", name)


def _swin_tokens(told: AuthorsWeights) -> dict[str, Tensor]:
    name = "model.register_token"
    tokens = told[name] if told.num_relay_tokens else torch.zeros(1, 0, told.embed_dim)
    return {"backbone.relay_tokens": tokens}


def _vit_tokens(told: AuthorsWeights, model: RelaySegmenter) -> dict[str, Tensor]:
    """Tokens that start at a constant, with their position embedding added.

    The authors put ``[class token | relay tokens]`` before the patches and take
    the first as many as there are relay tokens to be exchanged. With a class
    token that is one of them, and the last relay token stays in its branch.
    """
    count = told.num_relay_tokens
    starts = [told[n] for n in ("model.cls_token", "model.reg_token") if n in told]
    start = torch.cat(starts, dim=1) if starts else torch.zeros(1, 0, told.embed_dim)
    patches = (model.config.crop_size // told.patch_size) ** 2
    made: dict[str, Tensor] = {}
    for index, branch in enumerate(_BRANCHES):
        places = told[f"model.pos_embed.{index}"]
        own = places[:, : places.shape[1] - patches]
        tokens = start + own if own.shape[1] else start
        made[f"backbone.{branch}_embedding.positions"] = places[:, own.shape[1] :]
        made[f"backbone.{branch}_embedding.prefix"] = tokens[:, count:]
        # Of the two branches' relay tokens the global one's are used: it comes last.
        made["backbone.relay_tokens"] = tokens[:, :count]
    return made


def _check_shape(told: AuthorsWeights, name: str, value: Tensor, expected: Tensor) -> None:
    if value.shape != expected.shape:
        raise UserError(
            f"{told.source} holds {name} of shape {tuple(value.shape)}, where its other tensors "
            f"ask for {tuple(expected.shape)}; only models of one size throughout can be imported."
        )
