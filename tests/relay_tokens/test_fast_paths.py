"""Compiled and in half precision, the models compute the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from tests.relay_tokens.tiny import crop_pair, tiny_model


@pytest.fixture(autouse=True)
def _fresh_compiler() -> Iterator[None]:
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@pytest.mark.parametrize("exchange", ["sequential", "mean"])
@pytest.mark.parametrize("record", [False, True])
def test_a_vit_is_one_graph_without_breaks(exchange: str, record: bool) -> None:
    model = tiny_model("vit", exchange=exchange)
    # "eager" runs what was captured as it is: capturing is what is tested here.
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    with torch.no_grad():
        expected = model(*crop_pair(), record_attention=record)
        got = compiled(*crop_pair(), record_attention=record)
    torch.testing.assert_close(got.local_logits, expected.local_logits)
    torch.testing.assert_close(got.global_logits, expected.global_logits)


def test_a_swin_can_be_compiled() -> None:
    model = tiny_model("swin")
    with torch.no_grad():
        expected = model(*crop_pair()).local_logits
        got = torch.compile(model, backend="eager")(*crop_pair()).local_logits
    torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("kind", ["vit", "swin"])
def test_bfloat16_autocast_gives_nearly_the_same_probabilities(kind: str) -> None:
    model = tiny_model(kind)
    with torch.inference_mode():
        expected = model(*crop_pair()).local_logits.softmax(1)
        with torch.autocast("cpu", torch.bfloat16):
            got = model(*crop_pair()).local_logits.float().softmax(1)
    assert (got - expected).abs().mean() < 0.02
