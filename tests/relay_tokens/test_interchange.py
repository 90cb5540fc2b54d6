"""Models as ONNX files and torch.export programs, and packages read back."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from relay_tokens import (
    Checkpoint,
    ClassSchema,
    ModelMetadata,
    RelaySegmenter,
    UserError,
    load_model,
    save_checkpoint,
)
from relay_tokens.interchange import TOLERANCE, write_onnx, write_program
from relay_tokens.interchange.sameness import largest_difference
from relay_tokens.interchange.traced import LogitsOfCrops, random_crops
from tests.relay_tokens.tiny import tiny_model

ort = pytest.importorskip("onnxruntime")


def of(model: RelaySegmenter) -> Checkpoint:
    config = model.config
    count = config.in_channels
    metadata = ModelMetadata(
        "tiny",
        ClassSchema.from_names([f"class {k}" for k in range(config.num_classes)]),
        ("red", "green", "blue")[:count],
        (120.0,) * count,
        (50.0,) * count,
        pixel_size=0.5,
        unit="um",
    )
    return Checkpoint(model, metadata)


def small(kind: str, options: dict) -> RelaySegmenter:
    """Of Swin a shifted block, a block that is not, and a downsampling: tracing takes seconds."""
    return tiny_model(kind, **options, depths=(2, 1) if kind == "swin" else None)


def expected(model: RelaySegmenter, batch: int) -> list[np.ndarray]:
    with torch.no_grad():
        return [out.numpy() for out in LogitsOfCrops(model)(*random_crops(model.config, batch))]


KINDS = [
    pytest.param("vit", {}, id="vit"),
    pytest.param("vit", {"exchange": "mean"}, id="vit, mean"),
    pytest.param("vit", {"context_factor": None}, id="vit, one scale"),
    pytest.param("swin", {}, id="swin", marks=pytest.mark.slow),
    pytest.param("swin", {"exchange": "mean"}, id="swin, mean", marks=pytest.mark.slow),
    pytest.param(
        "swin",
        {"context_factor": None, "num_relay_tokens": 0},
        id="swin, one scale",
        marks=pytest.mark.slow,
    ),
]


@pytest.mark.parametrize(("kind", "options"), KINDS)
def test_an_onnx_file_computes_what_the_model_does_for_any_batch(
    kind: str, options: dict, tmp_path: Path
) -> None:
    model = small(kind, options)
    write_onnx(of(model), tmp_path / "m.onnx")
    session = ort.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    assert names == (["local"] if model.config.context_factor is None else ["local", "global"])
    assert session.get_inputs()[0].shape == ["batch", 3, 64, 64]
    for batch in (1, 5):
        crops = random_crops(model.config, batch)
        found = session.run(None, dict(zip(names, (c.numpy() for c in crops), strict=True)))
        for one, other in zip(found, expected(model, batch), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("kind", "options"), KINDS[:4])
def test_a_program_computes_what_the_model_does_for_any_batch(
    kind: str, options: dict, tmp_path: Path
) -> None:
    model = small(kind, options)
    write_program(of(model), tmp_path / "m.pt2")
    described = {"config.json": ""}
    program = torch.export.load(tmp_path / "m.pt2", extra_files=described).module()
    assert json.loads(described["config.json"])["metadata"]["name"] == "tiny"
    for batch in (1, 5):
        found = [out.numpy() for out in program(*random_crops(model.config, batch))]
        assert largest_difference(found, expected(model, batch)) <= TOLERANCE


def test_an_onnx_file_says_what_its_bands_and_classes_are(tmp_path: Path) -> None:
    write_onnx(of(tiny_model("vit")), tmp_path / "m.onnx")
    session = ort.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    described = json.loads(session.get_modelmeta().custom_metadata_map["config.json"])
    assert described["metadata"]["bands"] == ["red", "green", "blue"]
    assert described["model"]["context_factor"] == 4


def test_exporting_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    model = tiny_model("vit").train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    write_program(of(model), tmp_path / "m.pt2")
    assert model.training
    assert all(value.requires_grad for value in model.parameters())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_a_difference_is_relative_only_to_logits_beyond_one() -> None:
    ten, half = np.full(3, 10, np.float32), np.full(3, 0.5, np.float32)
    assert largest_difference([ten + 1], [ten]) == pytest.approx(0.1)
    assert largest_difference([half + 1], [half]) == pytest.approx(1.0)
    assert largest_difference([ten[:2]], [ten]) == np.inf
    assert largest_difference([ten, ten], [ten]) == np.inf


def test_a_file_that_computes_other_numbers_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay_tokens.interchange.sameness.TOLERANCE", -1.0)
    with pytest.raises(UserError, match=r"program of tiny computes other numbers .* not kept"):
        write_program(of(tiny_model("vit")), tmp_path / "m.pt2")


def test_weights_beyond_what_a_file_holds_are_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay_tokens.interchange.onnx_file._LARGEST", 1000)
    with pytest.raises(UserError, match=r"more than an ONNX file holds; export it as \.pt2"):
        write_onnx(of(tiny_model("vit")), tmp_path / "m.onnx")


def test_a_missing_package_is_named_with_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay_tokens.interchange.extra.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs onnx, .*pip install 'napari-relay\[interchange\]'"):
        write_onnx(of(tiny_model("vit")), tmp_path / "m.onnx")


def packed(path: Path, folder: Path, *more: str) -> Path:
    """A package of the files of a model's folder."""
    with zipfile.ZipFile(path, "w") as package:
        for file in folder.iterdir():
            package.write(file, file.name)
        for name in more:
            package.writestr(name, "type: model\n")
    return path


def test_a_package_of_our_own_kind_is_a_model_wherever_one_is_named(tmp_path: Path) -> None:
    kept = of(tiny_model("vit"))
    tiles = tmp_path / "tiles.npz"
    tiles.write_bytes(b"tiles")
    save_checkpoint(tmp_path / "m", kept.model, kept.metadata, tiles)
    found = load_model(packed(tmp_path / "m.bioimageio.zip", tmp_path / "m", "rdf.yaml"))
    assert found.metadata == kept.metadata
    assert found.model.config == replace(
        kept.model.config, backbone_options=found.model.config.backbone_options
    )
    for name, value in kept.model.state_dict().items():
        assert torch.equal(found.model.state_dict()[name], value)
    assert found.base_tiles is not None
    assert found.base_tiles.read_bytes() == b"tiles"


def test_a_package_of_another_program_is_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    path = packed(tmp_path / "other.zip", tmp_path / "other", "rdf.yaml", "weights.onnx")
    with pytest.raises(UserError, match=r"other\.zip is a BioImage\.IO package of another kind"):
        load_model(path)


def test_what_is_no_package_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(UserError, match=r"text\.zip is damaged or no zip file"):
        load_model(tmp_path / "text.zip")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"no BioImage\.IO package"):
        load_model(packed(tmp_path / "e.zip", tmp_path / "empty"))
    with pytest.raises(UserError, match=r"There is no model package"):
        load_model(tmp_path / "gone.zip")


def test_a_package_with_damaged_weights_is_one_sentence(tmp_path: Path) -> None:
    kept = of(tiny_model("vit"))
    save_checkpoint(tmp_path / "m", kept.model, kept.metadata)
    (tmp_path / "m" / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(UserError, match="cannot be read"):
        load_model(packed(tmp_path / "m.zip", tmp_path / "m"))
