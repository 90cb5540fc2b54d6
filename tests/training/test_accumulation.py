"""A batch that is computed in parts teaches what it teaches undivided."""

from __future__ import annotations

from dataclasses import astuple, replace

import numpy as np
import pytest
import torch

from napari_relay.training.descent import Descent
from napari_relay.training.examples import Batch
from napari_relay.training.processes import Processes
from napari_relay.training.progress import TrainLoss
from relay_tokens import IGNORE_INDEX
from tests.training.tiny_run import OPTIONS, small_model


def batch(unlabelled: int) -> Batch:
    """Four examples; ``unlabelled`` of them have no label, and the others some more or less."""
    rng = np.random.default_rng(0)
    crops = rng.normal(size=(2, 4, 3, 32, 32)).astype(np.float32)
    labels = rng.integers(0, 3, size=(4, 32, 32))
    for number in range(4):
        labels[number, : 16 * (number % 2) + 8 * (number > 1)] = IGNORE_INDEX
    labels[:unlabelled] = IGNORE_INDEX
    local, wide = torch.from_numpy(crops)
    return Batch(local, wide, torch.from_numpy(labels))


def learn(parts: int, unlabelled: int) -> tuple[TrainLoss, dict[str, torch.Tensor]]:
    model = small_model()
    # Without clipping the length of the gradient shows, too.
    options = replace(OPTIONS, accumulate=parts, gradient_clip=1e6)
    descent = Descent(model, options, Processes())
    loss = descent.step(0, batch(unlabelled))
    gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    return loss, gradients


@pytest.mark.parametrize("unlabelled", [0, 1, 3, 4])
@pytest.mark.parametrize("parts", [2, 4])
def test_losses_and_gradient_of_parts_are_those_of_the_whole_batch(
    parts: int, unlabelled: int
) -> None:
    loss, gradients = learn(1, unlabelled)
    in_parts, summed = learn(parts, unlabelled)
    np.testing.assert_allclose(astuple(in_parts), astuple(loss), rtol=1e-5, atol=1e-6)
    assert gradients.keys() == summed.keys()
    for name, gradient in gradients.items():
        largest = float(gradient.abs().max())
        torch.testing.assert_close(summed[name], gradient, rtol=0, atol=1e-4 * largest + 1e-8)


def test_a_batch_without_labels_teaches_nothing() -> None:
    loss, gradients = learn(2, 4)
    assert loss.total == 0
    assert all(not gradient.any() for gradient in gradients.values())
