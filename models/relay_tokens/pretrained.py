"""Pretrained weights for a timm backbone, from its hub or a local file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

from huggingface_hub import model_info, try_to_load_from_cache
from timm.models import eva, swin_transformer, swin_transformer_v2, vision_transformer
from timm.models import load_pretrained as timm_load
from torch import Tensor, nn

from relay_tokens.errors import UserError

HUB_TIMEOUT = 5.0
"""Seconds in which the hub must answer before a download is begun."""

Weights = dict[str, Tensor]


def load_weights(model: nn.Module, source: bool | Path) -> None:
    """Load pretrained weights into a timm model.

    timm resamples position embeddings and Swin's bias tables to the model's
    crop, and adapts the first layer to its number of bands: summed over RGB for
    one band, repeated and scaled for more.

    Parameters
    ----------
    model
        Made by ``timm.create_model`` with ``num_classes=0``; changed in place.
    source
        True: timm's hub, or its cache on disk. A path: a ``.safetensors`` or
        ``.pth`` file of the same timm model; nothing in it is unpickled but tensors.

    Raises
    ------
    UserError
        When the hub does not answer, or the file is absent, damaged or
        another model's; what does not fit is named.
    """
    cfg = _pretrained_cfg(model)
    name = str(cfg["architecture"])
    file = source if isinstance(source, Path) else _hub_file(cfg, name)
    if file is not None and not file.is_file():
        raise _refusal(name, f"from {file}", FileNotFoundError("there is no such file"))
    if file is not None:
        cfg |= {"file": str(file), "custom_load": False, "source": ""}
    else:
        _require_hub(cfg, name)
    check, bands = partial(_fitted, name, str(file or "the hub")), cast(int, model.in_chans)
    try:
        timm_load(model, cfg, num_classes=0, in_chans=bands, filter_fn=check, strict=False)
    except UserError:
        raise
    except Exception as error:
        # Of files that are something else, timm's conversion may raise anything.
        raise _refusal(name, f"from {file or 'the hub'}", error) from error


def _pretrained_cfg(model: nn.Module) -> dict[str, Any]:
    """What timm knows of the model's weights; it sets this on every model it makes."""
    return dict(cast(Mapping[str, Any], model.pretrained_cfg))


def _hub_file(cfg: Mapping[str, object], name: str) -> Path | None:
    """The weights in the hub's cache on disk; None where they must be fetched."""
    repository, _, revision = str(cfg.get("hf_hub_id") or name).partition("@")
    filename = str(cfg.get("hf_hub_filename") or "model.safetensors")
    found = try_to_load_from_cache(repository, filename, revision=revision or None)
    return Path(found) if isinstance(found, str) else None


def _require_hub(cfg: Mapping[str, object], name: str) -> None:
    """Ask the hub once: timm would try for most of a minute before giving up."""
    repository, _, revision = str(cfg.get("hf_hub_id") or "").partition("@")
    if not repository:
        return
    try:
        model_info(repository, revision=revision or None, timeout=HUB_TIMEOUT)
    except Exception as error:
        # Which classes a dead connection raises depends on the hub client's version.
        raise _refusal(name, "from the hub", error) from error


def _refusal(name: str, origin: str, error: Exception) -> UserError:
    reason = str(error).strip().split("\n")[0].rstrip(".:") or type(error).__name__
    return UserError(
        f"The pretrained weights of {name} cannot be loaded {origin} ({reason}); "
        "give the path of a downloaded weights file instead, or train without them."
    )


def _fitted(name: str, origin: str, weights: Weights, model: nn.Module) -> Weights:
    """Convert weights to the model's names and sizes; refuse those of another model."""
    try:
        converted = _converter(model)(weights, model)
    except Exception:
        # Over another model's weights timm's conversion may stumble; below they are told apart.
        converted = weights
    kept = _used(converted, model)
    if problem := _mismatch(kept, model):
        raise UserError(
            f"The weights {origin} are not those of {name}: {problem}; "
            f"give a file of timm's {name}, or name the backbone that the file is of."
        )
    return kept


def _converter(model: nn.Module) -> Callable[[Weights, Any], Weights]:
    """Timm's own conversion for the model's family."""
    if isinstance(model, eva.Eva):
        return eva.checkpoint_filter_fn
    if isinstance(model, swin_transformer.SwinTransformer):
        return swin_transformer.checkpoint_filter_fn
    if isinstance(model, swin_transformer_v2.SwinTransformerV2):
        return swin_transformer_v2.checkpoint_filter_fn
    # The layer scales of DeiT-3's first weights have other names; elsewhere it changes nothing.
    return partial(vision_transformer.checkpoint_filter_fn, adapt_layer_scale=True)


def _used(weights: Weights, model: nn.Module) -> Weights:
    """Leave out what serves classification: heads, pooling, a ViT's final norm."""
    unused = ["head", "fc_norm", "attn_pool", "mask_token"]
    if isinstance(model, vision_transformer.VisionTransformer | eva.Eva):
        unused.append("norm.")
    return {key: value for key, value in weights.items() if not key.startswith(tuple(unused))}


def _mismatch(weights: Weights, model: nn.Module) -> str | None:
    """Say what does not fit, in a few words."""
    expected = _used(model.state_dict(), model)
    first = f"{_pretrained_cfg(model)['first_conv']}.weight"
    for key in sorted(expected.keys() ^ weights.keys()):
        return f"{key} is missing" if key in expected else f"{key} is not a part of it"
    for key in sorted(expected.keys() & weights.keys()):
        shape, wanted = tuple(weights[key].shape), tuple(expected[key].shape)
        if key == first:
            shape, wanted = shape[:1] + shape[2:], wanted[:1] + wanted[2:]
        if shape != wanted:
            return f"{key} has shape {tuple(weights[key].shape)}, not {tuple(expected[key].shape)}"
    return None
