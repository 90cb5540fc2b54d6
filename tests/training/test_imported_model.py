"""Checkpoints of the authors' code that are kept as models."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from napari_relay.training import model_card
from napari_relay.training.imported_model import ImportRequest, import_model, imported_models
from relay_tokens import UserError, load_model
from tests.relay_tokens.authors import Run, vit_run


@pytest.fixture
def run() -> Run:
    return vit_run()


@pytest.fixture
def request_(run: Run, tmp_path: Path) -> ImportRequest:
    weights, settings = tmp_path / "relay.safetensors", tmp_path / "run.json"
    save_file({name: value.contiguous() for name, value in run.state.items()}, weights)
    settings.write_text(json.dumps(run.settings))
    classes, bands = ("a", "b", "c", "d"), ("red", "green", "blue")
    return ImportRequest(weights, settings, "theirs", classes, bands)


def test_an_imported_model_computes_the_same_and_is_found_again(
    run: Run, request_: ImportRequest
) -> None:
    folder = import_model(request_)
    assert imported_models() == (folder,)
    kept = load_model(folder)
    crops = torch.randn(2, 1, 3, 48, 48)
    with torch.inference_mode():
        mine, theirs = kept.model(*crops), run.model(*crops)
    torch.testing.assert_close(mine.local_logits, theirs.local_logits, rtol=0, atol=1e-6)
    assert kept.metadata.classes.names == request_.classes
    assert kept.metadata.normalization == "image"


def test_given_mean_and_spread_are_used_as_they_are(request_: ImportRequest) -> None:
    mean, std = (1.0, 2.0, 3.0), (4.0, 5.0, 6.0)
    folder = import_model(replace(request_, mean=mean, std=std, pixel_size=0.5, unit="m"))
    metadata = load_model(folder).metadata
    assert (metadata.normalization, metadata.mean, metadata.std) == ("fixed", mean, std)
    assert (metadata.pixel_size, metadata.unit) == (0.5, "m")


def test_its_card_says_where_it_comes_from_and_no_more_than_is_known(
    request_: ImportRequest,
) -> None:
    kept = load_model(import_model(request_))
    card = model_card(kept.model.config, kept.metadata, 10)
    assert "Imported from: relay.safetensors" in card
    assert "None" not in card.split("## Training")[1]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"classes": ("a", "b")}, "has 4 classes and 2 are named"),
        ({"bands": ("red",)}, "has 3 bands and 1 are named"),
        ({"mean": (1.0,), "std": (1.0,)}, "a mean and a spread for each"),
        ({"mean": (1.0, 2.0, 3.0)}, "a mean and a spread for each"),
        ({"name": "../elsewhere"}, "cannot be a model's name"),
        ({"name": ""}, "cannot be a model's name"),
        ({"name": "tissue-vit-tiny"}, "choose another name"),
        ({"weights": Path("none.safetensors")}, "none.safetensors"),
        ({"settings": Path("none.json")}, "none.json"),
    ],
)
def test_what_does_not_fit_is_one_sentence_and_leaves_nothing(
    request_: ImportRequest, changed: dict[str, object], said: str
) -> None:
    with pytest.raises(UserError, match=said) as error:
        import_model(replace(request_, **changed))  # type: ignore[arg-type]
    assert "\n" not in str(error.value)
    assert imported_models() == ()


def test_a_name_is_taken_once(request_: ImportRequest) -> None:
    import_model(request_)
    with pytest.raises(UserError, match="already"):
        import_model(request_)
