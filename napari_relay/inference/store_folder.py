"""Which folder keeps a prediction."""

from __future__ import annotations

from pathlib import Path

from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference.fingerprints import model_fingerprint
from napari_relay.inference.header import FORMAT_VERSION, StoreHeader
from napari_relay.inference.options import PredictOptions
from relay_tokens import Checkpoint


def store_folder(
    parent: Path, image: PyramidImage, checkpoint: Checkpoint, options: PredictOptions
) -> Path:
    """Folder in ``parent`` for a prediction by these weights with these settings.

    Predictions with other settings for the halo, attention or probabilities
    have folders of their own beside each other. The usual settings have the
    plain name, unless what is there has other ones.

    Raises
    ------
    UserError
        When the settings do not fit the model.
    """
    plain = parent / f"{model_fingerprint(checkpoint)}-v{FORMAT_VERSION}"
    wanted = StoreHeader.of(image, checkpoint, options).settings_digest
    if (plain / "zarr.json").exists():
        kept = StoreHeader.read(plain).settings_digest
    else:
        kept = StoreHeader.of(image, checkpoint, PredictOptions()).settings_digest
    return plain if wanted == kept else plain.with_name(f"{plain.name}-{wanted}")
