"""The authors' weights: read, with one name for each tensor, and what they tell."""

from __future__ import annotations

import math
import pickle
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from relay_tokens.errors import UserError

Kind = Literal["vit", "swin"]

# Of the training: loss weights and metrics of the Lightning module.
_TRAINING = r"criterion\.|auxloss\.|(eval_)?train_|val_"
# timm's classifier and its norms, which the authors' code builds and never runs;
# buffers that are computed anew. A ViT's blocks are read before its final norm.
_UNUSED = {
    "vit": r"model\.(head|fc_norm|norm)\.",
    "swin": r"model\.head\.|.*\.(relative_\w+|attn_mask\w*|k_bias)$",
}


@dataclass(frozen=True)
class AuthorsWeights:
    """A state dict of the authors' two-branch ViT or Swin, and what its shapes tell.

    Names are theirs, without ``net.``; both branches' embeddings are numbered
    (``patch_embed.0``: local, ``.1``: global) even where one serves both.
    """

    source: str
    """Where they were read, for messages."""
    kind: Kind
    """Which of the authors' two backbones they are of."""
    tensors: Mapping[str, Tensor]
    """Every tensor of the model, leftovers excluded."""
    has_one_embedding: bool
    """Whether the file names one embedding only; both branches then hold it."""

    def __getitem__(self, name: str) -> Tensor:
        if name not in self.tensors:
            raise UserError(
                f"{self.source} lacks tensor {name}; it must be a whole checkpoint of the "
                "authors' RT_ViT or Swin_v2_module with a one-layer segmentation head."
            )
        return self.tensors[name]

    def __contains__(self, name: str) -> bool:
        return name in self.tensors

    @property
    def in_channels(self) -> int:
        """Image bands."""
        return self._patch_shape[1]

    @property
    def patch_size(self) -> int:
        """Side of a patch, in pixels."""
        return self._patch_shape[2]

    @property
    def embed_dim(self) -> int:
        """Channels of the tokens before the first block."""
        return self._patch_shape[0]

    @property
    def num_classes(self) -> int:
        """Classes the segmentation head tells apart."""
        return self["seg_head.layers.0.weight"].shape[1]

    @property
    def num_relay_tokens(self) -> int:
        """Relay tokens; the authors call them register tokens."""
        name = "model.reg_token" if self.kind == "vit" else "model.register_token"
        return self[name].shape[1] if name in self else 0

    @property
    def has_class_token(self) -> bool:
        """Whether a ViT has a class token."""
        return "model.cls_token" in self

    @property
    def depth(self) -> int | None:
        """Blocks of a ViT; None for a Swin."""
        return self._count(r"model\.blocks\.(\d+)\.") if self.kind == "vit" else None

    @property
    def depths(self) -> tuple[int, ...] | None:
        """Blocks of each stage of a Swin; None for a ViT."""
        if self.kind == "vit":
            return None
        stages = range(self._count(r"model\.layers\.(\d+)\."))
        return tuple(self._count(rf"model\.layers\.{i}\.blocks\.(\d+)\.") for i in stages)

    @property
    def num_heads(self) -> tuple[int, ...] | None:
        """Attention heads of each stage of a Swin; a ViT's weights do not tell."""
        if self.depths is None:
            return None
        names = (f"model.layers.{i}.blocks.0.attn.logit_scale" for i in range(len(self.depths)))
        return tuple(self[name].shape[0] for name in names)

    @property
    def crop_sizes(self) -> tuple[int, ...]:
        """Crop sizes that a ViT's position embedding may be of, the likeliest first.

        Its places are ``[class token | relay tokens | patches]``, or the patches
        alone. Empty for a Swin, whose weights do not tell.
        """
        if self.kind == "swin":
            return ()
        places = self["model.pos_embed.0"].shape[1]
        patches = (places - self.num_relay_tokens - self.has_class_token, places)
        sides = (math.isqrt(n) for n in patches if n > 0 and math.isqrt(n) ** 2 == n)
        return tuple(side * self.patch_size for side in sides)

    @property
    def mlp_ratio(self) -> float:
        """Width of the blocks' MLPs over that of their tokens."""
        width, hidden = self.embed_dim, self[f"{self.first_block}.mlp.fc1.weight"].shape[0]
        ratio = hidden / width
        # timm rounds down: the next number up where division has lost a bit.
        return ratio if int(width * ratio) == hidden else math.nextafter(ratio, math.inf)

    @property
    def first_block(self) -> str:
        """Name of the first transformer block."""
        return "model.blocks.0" if self.kind == "vit" else "model.layers.0.blocks.0"

    @property
    def _patch_shape(self) -> tuple[int, ...]:
        return tuple(self["model.patch_embed.0.proj.weight"].shape)

    def _count(self, pattern: str) -> int:
        numbers = (int(m[1]) for name in self.tensors if (m := re.match(pattern, name)))
        return max(numbers, default=-1) + 1


def read_weights(weights: Mapping[str, Tensor] | str | Path) -> AuthorsWeights:
    """Read a checkpoint of the authors' code, unpickling nothing but tensors.

    Parameters
    ----------
    weights
        A state dict, or the path of a ``.safetensors``, a Lightning ``.ckpt`` or
        a ``.pth``; tensors under ``state_dict`` or not, named ``net.*`` or not.

    Raises
    ------
    UserError
        When the file cannot be read, holds more than tensors, or is of another model.
    """
    source = "The state dict" if isinstance(weights, Mapping) else str(weights)
    content: object = weights if isinstance(weights, Mapping) else _load(Path(weights))
    if isinstance(content, Mapping):
        content = content.get("state_dict", content)
    if not isinstance(content, Mapping):
        raise UserError(f"{source} holds a {type(content).__name__}; name a file of a state dict.")
    tensors = dict(_own_names(content))
    kind = _kind(tensors, source)
    kept = {name: t for name, t in tensors.items() if not re.match(_UNUSED[kind], name)}
    one = not any(name.startswith("model.patch_embed.1.") for name in kept)
    both = {**kept, **_second_embedding(kept)} if one else kept
    return AuthorsWeights(source, kind, both, one)


def _load(path: Path) -> object:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} is damaged or holds Python objects besides tensors, which could run a "
            "program of its own and are not read; where you trust the file, save its state_dict "
            "alone as .safetensors and import that."
        ) from error
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, SafetensorError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"The weights {path} cannot be read ({reason}); copy or download them again."
        ) from error


def _own_names(state: Mapping[Any, Any]) -> Iterator[tuple[str, Tensor]]:
    """Give each tensor the one name that the rest of the import knows it by."""
    for raw, value in state.items():
        # torch.compile and DataParallel add a part of their own.
        name = str(raw).replace("_orig_mod.", "").removeprefix("module.").removeprefix("net.")
        if not isinstance(value, Tensor) or re.match(_TRAINING, name):
            continue
        # A list of one, where a run keeps it (share_scale_parameters).
        name = re.sub(r"^(model\.blocks\.\d+\.(?:norm\d|attn|mlp|ls\d))\.0\.", r"\1.", name)
        name = re.sub(r"^model\.patch_embed\.(?=\D)", "model.patch_embed.0.", name)
        yield re.sub(r"^model\.pos_embed$", "model.pos_embed.0", name), value.detach().float()


def _kind(tensors: Mapping[str, Tensor], source: str) -> Kind:
    if any(name.startswith("model.blocks.") for name in tensors):
        return "vit"
    if any(name.startswith("model.layers.") for name in tensors):
        return "swin"
    raise UserError(
        f"{source} holds neither model.blocks.* nor model.layers.*; "
        "name a checkpoint of the authors' RT_ViT or Swin_v2_module."
    )


def _second_embedding(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Hold the one patch (and position) embedding of both branches twice."""
    return {
        re.sub(r"^(model\.\w+_embed)\.0", r"\1.1", name): value
        for name, value in tensors.items()
        if re.match(r"model\.(patch|pos)_embed\.0", name)
    }
