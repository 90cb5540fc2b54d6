"""Models on disk come back as they were, or say why not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from relay_tokens import (
    Checkpoint,
    ClassSchema,
    ModelMetadata,
    RelayConfig,
    UserError,
    load_checkpoint,
    load_metadata,
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
    [
        ("num_classes", 0),
        ("num_classes", "four"),
        ("in_channels", True),
        ("exchange", "both"),
        ("context_factor", 1),
        ("context_factor", 2.5),
        ("crop_size", 2),
        ("backbone", None),
        ("backbone_options", [1]),
    ],
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


@pytest.mark.parametrize(
    ("part", "field", "value"),
    [
        ("model", "num_classes", "four"),
        ("model", "depth", 2),
        ("model", "backbone", ...),
        ("metadata", "std", ...),
        ("metadata", "mean", [0.0]),
        ("metadata", "std", [1.0, "a", 1.0]),
        ("metadata", "std", [1.0, 0.0, 1.0]),
        ("metadata", "bands", "rgb"),
        ("metadata", "normalization", "global"),
        ("metadata", "normalization", ["fixed", "local"]),
        ("metadata", "normalization", ["fixed", "local", "global"]),
        ("metadata", "normalization", [["fixed"], "local", "image"]),
        ("metadata", "normalization", []),
        ("metadata", "normalization", 1),
        ("metadata", "pixel_size", -0.5),
        ("metadata", "unit", "inch"),
        ("metadata", "training", []),
        ("metadata", "colour", "red"),
        ("metadata", "classes", {"classes": [{"name": "a", "colour": "red"}]}),
    ],
)
def test_a_configuration_with_a_wrong_field_names_the_file_and_the_field(
    tmp_path, part, field, value
):
    save_checkpoint(tmp_path / "m", tiny_model("vit"), _metadata())
    path = tmp_path / "m" / "config.json"
    document = json.loads(path.read_text())
    if value is ...:
        del document[part][field]
    else:
        document[part][field] = value
    path.write_text(json.dumps(document))
    word = "colour" if field == "classes" else field
    with pytest.raises(UserError, match=rf"config\.json.*{word}"):
        load_checkpoint(tmp_path / "m")


def test_every_band_may_have_a_normalisation_of_its_own(tmp_path):
    words = ("fixed", "image", "local")
    save_checkpoint(tmp_path / "m", tiny_model("vit"), _metadata(normalization=words))
    document = json.loads((tmp_path / "m" / "config.json").read_text())
    assert document["metadata"]["normalization"] == list(words)
    assert load_metadata(tmp_path / "m").normalization == words


def test_one_word_of_normalisation_means_all_bands():
    metadata = _metadata(normalization="local")
    assert metadata.normalization == "local"
    assert metadata.band_normalization == ("local",) * 3
    assert _metadata(normalization=("local",) * 3) == metadata


@pytest.mark.parametrize("words", [None, "fixed"])
def test_a_file_from_before_bands_had_their_own_is_read(tmp_path, words):
    save_checkpoint(tmp_path / "m", tiny_model("vit"), _metadata())
    path = tmp_path / "m" / "config.json"
    document = json.loads(path.read_text())
    del document["metadata"]["normalization"]
    if words is not None:
        document["metadata"]["normalization"] = words
    path.write_text(json.dumps(document))
    assert load_metadata(tmp_path / "m") == _metadata()


@pytest.mark.parametrize("name", ["bands", "classes"])
def test_metadata_that_does_not_fit_the_stored_model_names_the_field(tmp_path, name):
    save_checkpoint(tmp_path / "m", tiny_model("vit"), _metadata())
    path = tmp_path / "m" / "config.json"
    document = json.loads(path.read_text())
    if name == "bands":
        document["metadata"].update(bands=["grey"], mean=[0.0], std=[1.0])
    else:
        document["metadata"]["classes"]["classes"].pop()
    path.write_text(json.dumps(document))
    with pytest.raises(UserError, match={"bands": "in_channels", "classes": "num_classes"}[name]):
        load_checkpoint(tmp_path / "m")


def test_weights_of_another_shape_name_the_tensor_and_both_shapes(tmp_path):
    save_checkpoint(tmp_path / "m", tiny_model("vit"), _metadata())
    save_checkpoint(tmp_path / "grey", tiny_model("vit", in_channels=4), _metadata_of_four_bands())
    (tmp_path / "grey" / "model.safetensors").replace(tmp_path / "m" / "model.safetensors")
    with pytest.raises(
        UserError, match=r"patch_embed\.proj\.weight.*\(48, 4, 16, 16\).*\(48, 3, 16, 16\)"
    ):
        load_checkpoint(tmp_path / "m")


def _metadata_of_four_bands() -> ModelMetadata:
    return _metadata(bands=("r", "g", "b", "height"), mean=(0.0,) * 4, std=(1.0,) * 4)


class _Harm:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_in_place_of_the_weights_is_refused_and_never_run(tmp_path):
    save_checkpoint(tmp_path / "m", tiny_model("vit"), _metadata())
    torch.save({"head.weight": _Harm(tmp_path / "harmed")}, tmp_path / "m" / "model.safetensors")
    with pytest.raises(UserError, match="cannot be read"):
        load_checkpoint(tmp_path / "m")
    assert not (tmp_path / "harmed").exists()


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
