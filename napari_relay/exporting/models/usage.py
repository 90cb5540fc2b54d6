"""What a program must do around a model's graph, in words: no format of models says all of it."""

from __future__ import annotations

from relay_tokens import Checkpoint, ModelMetadata


def usage_text(checkpoint: Checkpoint) -> str:
    """Write the section of a package's card that says how to run the model.

    Parameters
    ----------
    checkpoint
        The model.

    Returns
    -------
    str
        Markdown.
    """
    steps = [*_crops(checkpoint), *beforehand(checkpoint.metadata), *_after(checkpoint)]
    listed = "\n".join(f"{number}. {step}" for number, step in enumerate(steps, start=1))
    return f"""## Use in other programs

The weights are an ONNX graph from crops to logits. A program that runs it over an image does this:

{listed}

`napari-relay` does all of it: `relay_tokens.load_model` reads this package as it is.

## Validation

The graph was run by onnxruntime and agrees with the model's own code; how well the model does is in
the scores above.
"""


def beforehand(metadata: ModelMetadata) -> list[str]:
    """What is done to values before ``(value - mean) / std`` of the package, a sentence each."""
    pairs = list(zip(metadata.bands, metadata.band_normalization, strict=True))
    own = ", ".join(band for band, how in pairs if how == "image")
    local = ", ".join(band for band, how in pairs if how == "local")
    sentences = []
    if own:
        sentences.append(
            f"In {own}: subtract the mean of the whole image, divide by its standard deviation."
        )
    if local:
        sentences.append(
            f"In {local}: subtract the mean over the valid pixels of the global crop from both "
            "crops (of the one crop, where a model reads but one)."
        )
    return sentences


def _crops(checkpoint: Checkpoint) -> list[str]:
    config, metadata = checkpoint.model.config, checkpoint.metadata
    bands = ", ".join(metadata.bands)
    size = f" of {metadata.pixel_size:g} {metadata.unit}" if metadata.pixel_size else ""
    steps = [f"Read a local crop of {config.crop_size} × {config.crop_size} px{size}: {bands}."]
    if config.context_factor is not None:
        steps.append(
            f"Read the window {config.context_factor} times wider around the same middle, averaged "
            f"down to as many pixels: the global crop. Beyond the image both are reflected."
        )
    return steps


def _after(checkpoint: Checkpoint) -> list[str]:
    words = checkpoint.metadata.normalization
    scaled = "Subtract the package's mean from each band and divide by its standard deviation"
    given = [] if words == "image" else [f"{scaled}."]
    return [
        *given,
        "Set pixels without data to 0.",
        "Run the graph; the softmax of its first output is the probability of each class, "
        f"in this order: {', '.join(checkpoint.metadata.classes.names)}.",
    ]
