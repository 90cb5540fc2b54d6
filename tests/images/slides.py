"""Writers of tiny slides for the tests."""

from __future__ import annotations

import struct
from pathlib import Path

import imagecodecs
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

SLIDE_ID = "0123456789ABCDEF0123456789ABCDEF"
WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"


def frames(pixels: np.ndarray, tile: int) -> list[np.ndarray]:
    """Tiles ``(tile, tile, 3)`` row by row; those at the edges are filled up with white."""
    rows, cols = (-(-side // tile) * tile for side in pixels.shape[:2])
    full = np.full((rows, cols, 3), 255, np.uint8)
    full[: pixels.shape[0], : pixels.shape[1]] = pixels
    return [
        full[y : y + tile, x : x + tile] for y in range(0, rows, tile) for x in range(0, cols, tile)
    ]


def write_dicom(
    path: Path,
    pixels: np.ndarray,
    *,
    tile: int = 64,
    series: str = "1.2.3.4",
    spacing: tuple[float, float] | None = (0.0005, 0.00025),
    encode=None,
    syntax: str = ExplicitVRLittleEndian,
    kind: str = "NONE",
) -> None:
    """One level of a whole-slide image, tiled in full; spacing in mm, rows first."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = WHOLE_SLIDE
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = syntax
    made = Dataset()
    made.file_meta = meta
    made.SOPClassUID, made.SOPInstanceUID = WHOLE_SLIDE, meta.MediaStorageSOPInstanceUID
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.3", series
    made.FrameOfReferenceUID, made.Modality = "1.2.3.5", "SM"
    made.ImageType = ["ORIGINAL" if kind == "NONE" else "DERIVED", "PRIMARY", "VOLUME", kind]
    made.DimensionOrganizationType = "TILED_FULL"
    made.TotalPixelMatrixRows, made.TotalPixelMatrixColumns = pixels.shape[:2]
    made.TotalPixelMatrixFocalPlanes, made.NumberOfOpticalPaths = 1, 1
    made.Rows = made.Columns = tile
    made.SamplesPerPixel, made.PlanarConfiguration = 3, 0
    made.PhotometricInterpretation = "RGB"
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit, made.PixelRepresentation = 7, 0
    if spacing is not None:
        measures, shared = Dataset(), Dataset()
        measures.PixelSpacing = list(spacing)
        shared.PixelMeasuresSequence = Sequence([measures])
        made.SharedFunctionalGroupsSequence = Sequence([shared])
    tiles = frames(pixels, tile)
    made.NumberOfFrames = len(tiles)
    if encode is None:
        made.PixelData = b"".join(one.tobytes() for one in tiles)
    else:
        made.PixelData = encapsulate([encode(one) for one in tiles])
        made["PixelData"].is_undefined_length = True
    made.save_as(path, enforce_file_format=True)


def write_mrxs(
    path: Path,
    pixels: np.ndarray,
    *,
    tile: int,
    left_out: tuple[int, int],
    background: tuple[int, int, int],
) -> None:
    """A MIRAX slide of one level; the tile in row, column ``left_out`` was not scanned."""
    folder = path.with_suffix("")
    folder.mkdir()
    path.write_bytes(imagecodecs.jpeg8_encode(pixels[:8, :8]))
    across, down = pixels.shape[1] // tile, pixels.shape[0] // tile
    encoded = {
        number: imagecodecs.jpeg8_encode(one, level=90, colorspace="RGB", outcolorspace="RGB")
        for number, one in enumerate(frames(pixels, tile))
        if divmod(number, across) != left_out
    }
    (folder / "Data0000.dat").write_bytes(b"".join(encoded.values()))
    (folder / "Index.dat").write_bytes(_mrxs_index(encoded))
    blue_first = background[2] << 16 | background[1] << 8 | background[0]
    (folder / "Slidedat.ini").write_text(_mrxs_text(across, down, tile, blue_first))


def _mrxs_index(encoded: dict[int, bytes]) -> bytes:
    """Version, slide, two roots, then for the level a list of (tile, offset, length, file)."""
    start = b"01.02" + SLIDE_ID.encode()
    at = len(start)
    words = [at + 8, 0, at + 12, 0, at + 20, len(encoded), 0]
    offset = 0
    for number, content in encoded.items():
        words += [number, offset, len(content), 0]
        offset += len(content)
    return start + struct.pack(f"<{len(words)}i", *words)


def _mrxs_text(across: int, down: int, tile: int, background: int) -> str:
    sections = {
        "GENERAL": {
            "SLIDE_ID": SLIDE_ID,
            "IMAGENUMBER_X": across,
            "IMAGENUMBER_Y": down,
            "OBJECTIVE_MAGNIFICATION": 20,
        },
        "HIERARCHICAL": {
            "HIER_COUNT": 1,
            "NONHIER_COUNT": 0,
            "INDEXFILE": "Index.dat",
            "HIER_0_NAME": "Slide zoom level",
            "HIER_0_COUNT": 1,
            "HIER_0_VAL_0_SECTION": "LEVEL_0",
        },
        "DATAFILE": {"FILE_COUNT": 1, "FILE_0": "Data0000.dat"},
        "LEVEL_0": {
            "OVERLAP_X": 0,
            "OVERLAP_Y": 0,
            "MICROMETER_PER_PIXEL_X": 0.25,
            "MICROMETER_PER_PIXEL_Y": 0.25,
            "IMAGE_FORMAT": "JPEG",
            "IMAGE_FILL_COLOR_BGR": background,
            "DIGITIZER_WIDTH": tile,
            "DIGITIZER_HEIGHT": tile,
            "IMAGE_CONCAT_FACTOR": 0,
        },
    }
    return "\n".join(
        f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in fields.items())
        for name, fields in sections.items()
    )
