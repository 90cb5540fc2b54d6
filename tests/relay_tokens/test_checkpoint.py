"""Models on disk come back as they were, or say why not."""

from __future__ import annotations

import json

import pytest
import torch

from relay_tokens import (
    Checkpoint,
    ClassSchema,
    ModelMetadata,
    RelayConfig,
    UserError,
    load_checkpoint,
    load_model,
    save_checkpoint,
    zoo_names,
)
from tests.relay_tokens.tiny import crop_pair, tiny_model


def _metadata(**changes) -> ModelMetadata:
    values = {
        "name": "tiny",
        "classes": ClassSchema.from_names(["a", "b", "c", "d"]),
        "bands": ("red", "green", "blue"),
        "mean": (120.0, 110.0, 100.0),
        "std": (60.0, 61.0, 62.0),
        "pixel_size": 0.5,
        "unit": "um",
        "training": {"steps": 3},
    }
    return ModelMetadata(**{**values, **changes})


@pytest.mark.parametrize("kind", ["vit", "swin"])
def test_a_saved_model_comes_back_with_the_same_logits_and_metadata(tmp_path, kind):
    model = tiny_model(kind)
    save_checkpoint(tmp_path / "m", model, _metadata())
    back = load_checkpoint(tmp_path / "m")
    with torch.inference_mode():
        expected, got = model(*crop_pair()), back.model(*crop_pair())
    assert torch.equal(expected.local_logits, got.local_logits)
    assert back.metadata == _metadata()
    assert json.loads(back.model.config.to_json()) == json.loads(model.config.to_json())


def test_a_configuration_survives_its_json():
    config = RelayConfig(
        "vit_tiny_patch16_224", 3, context_factor=None, backbone_options={"depth": 2}
    )
    assert RelayConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("field", "value"),
    [("num_classes", 0), ("exchange", "both"), ("context_factor", 1), ("crop_size", 2)],
)
def test_an_impossible_configuration_names_the_field(field, value):
    with pytest.raises(UserError, match=field):
        RelayConfig(**{"backbone": "vit_tiny_patch16_224", "num_classes": 2, field: value})


def test_weights_of_another_model_name_the_tensor(tmp_path):
    save_checkpoint(tmp_path / "m", tiny_model("vit"), _metadata())
    path = tmp_path / "m" / "config.json"
    document = json.loads(path.read_text())
    document["model"]["num_relay_tokens"] = 2
    path.write_text(json.dumps(document))
    with pytest.raises(UserError, match=r"backbone\.relay_tokens"):
        load_checkpoint(tmp_path / "m")


def test_damaged_weights_are_one_sentence(tmp_path):
    save_checkpoint(tmp_path / "m", tiny_model("vit"), _metadata())
    weights = tmp_path / "m" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(UserError, match="cannot be read"):
        load_checkpoint(tmp_path / "m")


def test_a_folder_without_a_model_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match="holds no model"):
        load_checkpoint(tmp_path)


def test_metadata_that_does_not_fit_the_model_names_the_field():
    with pytest.raises(UserError, match="num_classes"):
        Checkpoint(tiny_model("vit"), _metadata(classes=ClassSchema.from_names(["a"])))


def test_a_model_that_exists_nowhere_is_answered_with_the_zoo():
    with pytest.raises(UserError, match="no model 'unheard-of'"):
        load_model("unheard-of")


def test_every_model_of_the_zoo_loads_and_runs():
    for name in zoo_names():
        checkpoint = load_model(name)
        config = checkpoint.model.config
        crop = torch.zeros(1, config.in_channels, config.crop_size, config.crop_size)
        with torch.inference_mode():
            logits = checkpoint.model(crop, crop).local_logits
        assert logits.shape[1] == len(checkpoint.metadata.classes)
        assert sum(p.numel() for p in checkpoint.model.parameters()) <= 6e6
