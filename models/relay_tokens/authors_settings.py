"""The settings of a run of the authors' code, as far as a model depends on them."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relay_tokens.errors import UserError

# Each field's names: ours first, then the authors', then what others call it.
_NAMES: Mapping[str, tuple[str, ...]] = {
    "kind": ("kind",),
    "crop_size": ("crop_size", "img_size", "image_size", "imagesize"),
    "context_factor": ("context_factor", "context_factor_m", "factors_m", "global_scale"),
    "num_relay_tokens": (
        *("num_relay_tokens", "num_register_tokens", "num_registers", "n_registers"),
        *("reg_tokens", "n_reg"),
    ),
    "num_classes": ("num_classes", "n_classes"),
    "in_channels": ("in_channels", "num_channels", "in_chans"),
    "share_patch_embed": ("share_patch_embed",),
    "multi_scale": ("multi_scale",),
    "patch_size": ("patch_size",),
    "embed_dim": ("embed_dim",),
    "depth": ("depth",),
    "depths": ("depths",),
    "num_heads": ("num_heads",),
    "window_size": ("window_size",),
}
# Where a run's config.yaml says a thing twice, the network's own section is right:
# data.imagesize, say, keeps its default when the network is built for other crops.
_SECTIONS = ("net", "model")
# What data, trainer and the like say of the other fields is of something else.
_SAID_ANYWHERE = {"crop_size", "context_factor", "num_classes", "in_channels"}
_OTHER_SECTIONS = {"data", "datamodule", "trainer", "callbacks", "logger", "optimizer", "scheduler"}
_FLAGS = {"share_patch_embed", "multi_scale"}
_LISTS = {"depths", "num_heads"}
_DEEPEST_REFERENCE = 10


@dataclass(frozen=True)
class AuthorsSettings:
    """What a run's settings say; None where they do not say it."""

    source: str
    """Where they were read, for messages."""
    kind: str | None = None
    """``vit`` or ``swin``."""
    crop_size: int | None = None
    """Side of both crops, in pixels."""
    context_factor: int | None = None
    """Side of the global window over that of the local one."""
    num_relay_tokens: int | None = None
    """The authors call them register tokens."""
    num_classes: int | None = None
    """Classes the segmentation head tells apart."""
    in_channels: int | None = None
    """Image bands of both branches."""
    share_patch_embed: bool | None = None
    """Whether both branches have one patch (and position) embedding."""
    multi_scale: bool | None = None
    """False: the run had no global branch."""
    patch_size: int | None = None
    """Side of a patch, in pixels."""
    embed_dim: int | None = None
    """Channels of the tokens before the first block."""
    depth: int | None = None
    """Blocks of a ViT."""
    depths: tuple[int, ...] | None = None
    """Blocks of each stage of a Swin."""
    num_heads: int | tuple[int, ...] | None = None
    """Attention heads of a ViT, or of each stage of a Swin."""
    window_size: int | None = None
    """Side of Swin's attention windows, in patches."""


def read_settings(settings: Mapping[str, Any] | str | Path) -> AuthorsSettings:
    """Find the known fields in a run's settings, however nested.

    Parameters
    ----------
    settings
        A mapping, or the path of a ``.json`` or of Hydra's ``config.yaml``. A
        value such as ``${data.num_classes}`` is looked up in the same settings;
        one that is not found there counts as not said.

    Raises
    ------
    UserError
        When the file cannot be read or a field's value makes no sense.
    """
    source = "the settings" if isinstance(settings, Mapping) else str(settings)
    document = settings if isinstance(settings, Mapping) else _load(Path(settings))
    found: dict[str, Any] = {"source": source}
    for name in _NAMES:
        value = _find(document, name)
        if value is not None:
            found[name] = _typed(name, value, source)
    return AuthorsSettings(**found)


def _load(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"The settings {path} cannot be read ({error}); "
            "name a .json, the run's config.yaml, or give a dictionary."
        ) from error
    document = _parse_json(path, text) if path.suffix == ".json" else _parse_yaml(path, text)
    if not isinstance(document, Mapping):
        raise UserError(f"The settings {path} hold no fields; name the run's config.yaml.")
    return document


def _parse_json(path: Path, text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UserError(f"The settings {path} are no JSON ({error}); mend the file.") from error


def _parse_yaml(path: Path, text: str) -> object:
    try:
        yaml = importlib.import_module("yaml")
    except ImportError as error:
        raise UserError(
            f"Reading {path} needs PyYAML; install it (pip install pyyaml), or give the "
            "settings as .json."
        ) from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise UserError(f"The settings {path} are no YAML ({reason}); mend the file.") from error


def _find(document: Mapping[str, Any], name: str) -> object:
    """Take the best match of a field: by section, then by name, then the first."""
    aliases = _NAMES[name]
    hits = [
        (_section_rank(path), aliases.index(path[-1]), order, value)
        for order, (path, raw) in enumerate(_walk(document))
        if path[-1] in aliases
        and (name in _SAID_ANYWHERE or not _OTHER_SECTIONS.intersection(path))
        and (value := _resolve(document, raw)) is not None
    ]
    return min(hits, key=lambda hit: hit[:3])[3] if hits else None


def _section_rank(path: tuple[str, ...]) -> int:
    ranks = (rank for rank, section in enumerate(_SECTIONS) if section in path[:-1])
    return min(ranks, default=len(_SECTIONS))


def _walk(
    node: Mapping[str, Any], above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in node.items():
        path = (*above, str(key))
        if isinstance(value, Mapping):
            yield from _walk(value, path)
        else:
            yield path, value


def _resolve(document: Mapping[str, Any], value: Any, depth: int = 0) -> Any:
    """Follow ``${a.b}``; None for what leads nowhere, in lists too."""
    if isinstance(value, list | tuple):
        parts = [_resolve(document, part, depth) for part in value]
        return None if not parts or None in parts else parts
    if not isinstance(value, str) or "${" not in value:
        return value
    reference = re.fullmatch(r"\$\{([\w.]+)\}", value)
    if reference is None or depth == _DEEPEST_REFERENCE:
        return None
    node: Any = document
    for key in reference[1].split("."):
        node = node.get(key) if isinstance(node, Mapping) else None
    return _resolve(document, node, depth + 1)


def _typed(name: str, value: Any, source: str) -> object:
    if name == "kind":
        return _kind(value, source)
    if name in _FLAGS:
        if not isinstance(value, bool):
            raise UserError(f"{name} is {value!r} in {source}; it must be true or false.")
        return value
    if isinstance(value, list | tuple):
        parts = tuple(_whole(name, part, source) for part in value)
        return parts if name in _LISTS else _one(name, parts, source)
    return _whole(name, value, source)


def _kind(value: object, source: str) -> str:
    if value not in ("vit", "swin"):
        raise UserError(f"kind is {value!r} in {source}; it must be vit or swin.")
    return str(value)


def _whole(name: str, value: Any, source: str) -> int:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not float(value).is_integer():
        raise UserError(f"{name} is {value!r} in {source}; it must be a whole number.")
    return int(value)


def _one(name: str, parts: tuple[int, ...], source: str) -> int:
    """Both branches' value, where the settings list one a branch."""
    if len(set(parts)) != 1:
        raise UserError(
            f"{name} is {list(parts)} in {source}; "
            "only models whose branches are alike can be imported."
        )
    return parts[0]
