"""What a file or folder is, when it is no image: facts for the command ``info``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from napari_relay.annotation import CorrectionStore
from napari_relay.exporting.reporting.facts import percent
from napari_relay.inference import PredictionStore
from napari_relay.inference.header import is_prediction
from napari_relay.inference.selection import area_of
from napari_relay.sessions import is_session, read_manifest
from napari_relay.training.imported import VECTOR_SUFFIXES
from relay_tokens import UserError, load_metadata

Facts = list[tuple[str, str]]
_GEOJSON = (".geojson", ".json")


def other_facts(path: Path) -> Facts | None:
    """What is known of a path that is no image; None: it may be one.

    Raises
    ------
    UserError
        When it is damaged, or a package that is needed is missing.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist; check the path.")
    if is_session(path):
        return _session(path)
    if is_prediction(path):
        return _prediction(path)
    if (path / "config.json").is_file() and (path / "model.safetensors").is_file():
        return _model(path)
    if path.is_dir() and _is_corrections(path):
        return _corrections(path)
    if path.suffix.lower() in VECTOR_SUFFIXES or path.suffix.lower() in _GEOJSON:
        return _vectors(path)
    return None


def _session(path: Path) -> Facts:
    manifest = read_manifest(path)
    rows = [("what", "session of napari-relay"), ("file", str(path))]
    for entry in manifest.images:
        model = entry.model
        used = "no model chosen"
        if model is not None:
            used = f"{model.name}, version {model.version}" if model.version else model.name
        rows.append(("image", f"{entry.name}: {used}"))
    rows.append(("to go on", f"napari-relay app {path}"))
    return rows


def _prediction(path: Path) -> Facts:
    store = PredictionStore.open(path)
    header, grid = store.header, store.grid
    done = area_of(grid, store.finished) / (grid.height * grid.width)
    skipped = area_of(grid, store.skipped & ~store.finished) / (grid.height * grid.width)
    left_out = f", {percent(skipped)} left out as background" if skipped else ""
    kept = [("attention", store.has_attention), ("probabilities", store.has_probabilities)]
    also = [name for name, there in kept if there]
    return [
        ("what", "prediction store of napari-relay"),
        ("file", str(path)),
        ("of the image", header.image_name),
        ("by the model", header.model_name),
        ("size", f"{grid.width} × {grid.height} px (width × height)"),
        ("predicted", f"{percent(done)}{left_out}"),
        ("classes", ", ".join(store.classes.names)),
        ("keeps", ", ".join(["classes", "confidence", "entropy", *also])),
        ("to export", f"napari-relay export {path} --format gpkg,report --output FOLDER"),
    ]


def _model(path: Path) -> Facts:
    metadata = load_metadata(path)
    size = f"{metadata.pixel_size:g} {metadata.unit}" if metadata.pixel_size else "any"
    score = metadata.training.get("held_out", {}).get("miou")
    return [
        ("what", "model of napari-relay"),
        ("file", str(path)),
        ("name", metadata.name),
        ("bands", ", ".join(metadata.bands)),
        ("classes", ", ".join(metadata.classes.names)),
        ("pixel size", size.replace("um", "µm")),
        ("held-out mIoU", "not measured" if score is None else f"{score:.3f}"),
        ("to use", f"napari-relay predict IMAGE --model {path} --output mask.tif"),
    ]


def _is_corrections(path: Path) -> bool:
    try:
        attributes = json.loads((path / "zarr.json").read_text(encoding="utf-8"))["attributes"]
        return "napari_relay_corrections" in attributes
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _corrections(path: Path) -> Facts:
    store = CorrectionStore.open(path, read_only=True)
    height, width = store.shape
    return [
        ("what", "corrections painted in napari-relay"),
        ("file", str(path)),
        ("size", f"{width} × {height} px (width × height)"),
        ("classes", ", ".join(store.schema.names)),
        ("corrected", f"{int(store.value_counts().sum()):_} px".replace("_", "\u2009")),
    ]


def _vectors(path: Path) -> Facts:
    """Layers, features, columns and CRS of a vector file."""
    rows = [("what", "vector file"), ("file", str(path))]
    return [*rows, *_layers(path)]


def _layers(path: Path) -> Iterator[tuple[str, str]]:
    try:
        import pyogrio
        from pyogrio.errors import DataLayerError, DataSourceError
    except ImportError as error:
        raise UserError(
            f'Vector files such as {path} need pyogrio; run: pip install "napari-relay[geo]".'
        ) from error
    try:
        for name, kind in pyogrio.list_layers(path):
            found = pyogrio.read_info(path, layer=name, force_feature_count=True)
            yield "layer", f"{name}: {found['features']} features ({kind or 'no geometry'})"
            yield "columns", ", ".join(map(str, found["fields"])) or "none"
            yield "CRS", str(found["crs"] or "none")
    except (DataSourceError, DataLayerError) as error:
        raise UserError(f"{path} is no vector file that can be read; export it again.") from error
