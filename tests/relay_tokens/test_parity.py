"""An imported model computes what the authors' code computes.

``parity/`` holds, for a small ViT and a small SwinV2 with random weights, the
authors' parameters, inputs, labels and results. The whole fixture is used as
well where it lies beside the repository.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from relay_tokens import BranchAttention, RelayLoss, RelayOutput, import_checkpoint

SHIPPED = Path(__file__).parent / "parity"
BESIDE = Path(__file__).parents[2].parent / "shared" / "parity"
FOLDERS = [SHIPPED, *([BESIDE] if BESIDE.is_dir() else [])]
CASES = [
    pytest.param(kind, folder, id=f"{kind}-{'shipped' if folder == SHIPPED else 'whole'}")
    for kind in ("vit", "swin")
    for folder in FOLDERS
]
pytestmark = pytest.mark.parametrize(("kind", "folder"), CASES)


class Parity(NamedTuple):
    settings: dict[str, Any]
    expected: dict[str, Tensor]
    plain: RelayOutput
    recorded: RelayOutput


@lru_cache
def run(kind: str, folder: Path) -> Parity:
    expected = load_file(folder / f"{kind}_expected.safetensors")
    model = import_checkpoint(folder / f"{kind}_weights.safetensors", folder / f"{kind}.json")
    crops = expected["local"], expected["global"]
    with torch.inference_mode():
        plain, recorded = model(*crops), model(*crops, record_attention=True)
    return Parity(json.loads((folder / f"{kind}.json").read_text()), expected, plain, recorded)


@pytest.mark.parametrize("branch", ["local", "global"])
def test_both_branches_give_the_authors_logits(kind, folder, branch):
    parity = run(kind, folder)
    for output in (parity.plain, parity.recorded):
        got = output.local_logits if branch == "local" else output.global_logits
        torch.testing.assert_close(got, parity.expected[f"{branch}_logits"], rtol=0, atol=1e-5)


def test_the_losses_are_the_authors(kind, folder):
    parity = run(kind, folder)
    weights = parity.settings["loss_weights"]
    loss = RelayLoss(
        parity.settings["context_factor"],
        parity.settings["ignore_index"],
        global_weight=weights["global"],
        consistency_weight=weights["consistency"],
    )
    terms = loss(parity.plain, parity.expected["target"])._asdict()
    got = {name.rstrip("_"): value.item() for name, value in terms.items()}
    assert got == pytest.approx(parity.settings["losses"], rel=0, abs=1e-5)


@pytest.mark.parametrize("branch", ["local", "global"])
@pytest.mark.parametrize("direction", ["relay_to_patch", "patch_to_relay"])
def test_every_block_gives_the_authors_attention(kind, folder, branch, direction):
    parity = run(kind, folder)
    attention = parity.recorded.attention
    assert attention is not None
    seen: BranchAttention = attention.local if branch == "local" else attention.global_
    maps = getattr(seen, direction)
    assert len(maps) == sum(name.endswith(f"local.{direction}") for name in parity.expected)
    for index, got in enumerate(maps):
        flat = got.flatten(3) if kind == "vit" else by_window(got, *window(parity, index, got))
        if direction == "patch_to_relay":
            flat = flat.mT
        expected = parity.expected[f"block{index}.{branch}.{direction}"]
        torch.testing.assert_close(flat, expected, rtol=0, atol=1e-6)


def window(parity: Parity, index: int, seen: Tensor) -> tuple[int, int]:
    """Side and shift of a Swin block's attention windows: every second block is shifted."""
    side = min(parity.settings["window_size"], seen.shape[3])
    first = 0
    for depth in parity.settings["depths"]:
        if index < first + depth:
            break
        first += depth
    shifted = (index - first) % 2 == 1 and seen.shape[3] > side
    return side, side // 2 if shifted else 0


def by_window(seen: Tensor, side: int, shift: int) -> Tensor:
    """``(B, head, token, rows, cols)`` to ``(B × attention window, head, token, patch)``."""
    rolled = torch.roll(seen, (-shift, -shift), (3, 4))
    cut = rolled.unflatten(4, (-1, side)).unflatten(3, (-1, side))
    return cut.permute(0, 3, 5, 1, 2, 4, 6).flatten(0, 2).flatten(3)
