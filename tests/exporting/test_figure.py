from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import imageio.v3
import numpy as np
import pytest

from napari_relay.exporting.figure import FigureBar, FigureContent, export_figure
from napari_relay.exporting.figure_drawing import FigureLine, FigurePoint
from napari_relay.exporting.scale_bar import scale_bar
from relay_tokens import UserError

SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"


@pytest.fixture
def content() -> FigureContent:
    picture = np.zeros((300, 400, 3), np.uint8)
    picture[:, :, 1] = 200
    picture[100:200, 100:300] = (255, 0, 0)
    ramp = np.linspace(0, 1, 256)[:, None].repeat(4, axis=1)
    return FigureContent(
        picture,
        size=(150.0, 200.0),
        unit="um",
        classes=(("tissue", "#ff8800"), ("nuclei $5", "#0000ff")),
        bars=(FigureBar("Attention (local)", ramp, 0.001, 0.25),),
        caption=("slide.svs: rows 0 to 299", "Model: tiny · version 2", "long " * 60),
    )


def words(path: Path) -> list[str]:
    return ["".join(t.itertext()).strip() for t in ElementTree.parse(path).iter(f"{SVG}text")]


def test_an_svg_has_text_that_can_be_edited_and_the_image_as_a_picture(
    content: FigureContent, tmp_path: Path
) -> None:
    path = export_figure(content, tmp_path / "f.svg")
    said = words(path)
    for expected in (
        "50 µm",
        "tissue",
        "nuclei $5",
        "Attention (local)",
        "0.001",
        "0.25",
        "slide.svs: rows 0 to 299",
        "Model: tiny · version 2",
    ):
        assert expected in said
    pictures = [embedded(e) for e in ElementTree.parse(path).iter(f"{SVG}image")]
    assert any(np.array_equal(p[..., :3], content.picture) for p in pictures)


def embedded(element: ElementTree.Element) -> np.ndarray:
    data = base64.b64decode(element.attrib[LINK].partition(",")[2])
    return flipped(imageio.v3.imread(io.BytesIO(data)), element)


def flipped(pixels: np.ndarray, element: ElementTree.Element) -> np.ndarray:
    """As it is seen: a negative scale turns it upside down."""
    scale = re.search(r"scale\(\S+ (-?)", element.attrib.get("transform", ""))
    return pixels[::-1] if scale is not None and scale.group(1) else pixels


def test_a_png_shows_the_image_upright_and_loses_no_pixel(
    content: FigureContent, tmp_path: Path
) -> None:
    # Larger than a screen: every pixel is there all the same.
    large = replace(content, picture=content.picture.repeat(5, 0).repeat(5, 1))
    drawn = imageio.v3.imread(export_figure(large, tmp_path / "f.png"))[..., :3].astype(int)
    red = np.argwhere((drawn[..., 0] > 240) & (drawn[..., 1] < 15) & (drawn[..., 2] < 15))
    assert len(red) == pytest.approx(500 * 1000, rel=0.02)
    green = np.argwhere((np.abs(drawn - [0, 200, 0])).max(axis=-1) < 10)
    (top, left), (bottom, right) = green.min(axis=0), green.max(axis=0)
    assert (bottom - top, right - left) == pytest.approx((1500, 2000), abs=4)
    share = (red.mean(axis=0) - (top, left)) / (bottom - top, right - left)
    np.testing.assert_allclose(share, (0.5, 0.5), atol=0.01)


def test_the_scale_bar_is_as_long_as_it_says(content: FigureContent, tmp_path: Path) -> None:
    # 200 µm are 2000 px: the bar of 50 µm is 500 px of white.
    large = replace(content, picture=content.picture.repeat(5, 0).repeat(5, 1), classes=(), bars=())
    drawn = imageio.v3.imread(export_figure(large, tmp_path / "f.png"))[..., :3]
    white = (drawn > 240).all(axis=-1)
    inside = white[1300:1520, 60:1900]  # in the image's lower part
    longest = max(inside.sum(axis=1))
    assert longest == pytest.approx(500, abs=3)


def test_lines_and_points_are_drawn_where_they_are(content: FigureContent, tmp_path: Path) -> None:
    clear, blue, white = (0.0, 0.0, 0.0, 0.0), (0.0, 0.0, 1.0, 1.0), (1.0, 1.0, 1.0, 1.0)
    box = np.array([(15.0, 20.0), (15.0, 180.0), (45.0, 180.0), (45.0, 20.0)])
    drawn = replace(
        content,
        picture=np.zeros((300, 400, 3), np.uint8),
        classes=(),
        bars=(),
        lines=(
            FigureLine(box, blue, clear, width=1.0),
            FigureLine(box + np.array([60, 0]), blue, blue, width=1.0),
            FigureLine(box[:2] + np.array([40, 0]), white, white, width=1.0, is_closed=False),
        ),
        points=(FigurePoint((30.0, 100.0), white, white, size=8.0),),
    )
    seen = imageio.v3.imread(export_figure(drawn, tmp_path / "f.png"))[..., :3].astype(int)
    dark = np.argwhere(seen.max(axis=-1) < 250)
    (top, left), right = dark.min(axis=0), dark[:, 1].max()
    pixels = (right - left) / 200

    def at(row: float, col: float) -> list[int]:
        return seen[round(top + row * pixels), round(left + col * pixels)].tolist()

    assert at(15, 60) == at(30, 20) == at(45, 60) == at(90, 60) == [0, 0, 255]
    assert at(30, 100) == at(55, 60) == [255, 255, 255]
    assert at(30, 60) == at(60, 60) == [0, 0, 0]  # not filled, and not closed


@pytest.mark.parametrize(
    ("width", "unit", "text"),
    [
        (4000, "um", "1 mm"),
        (200, "um", "50 µm"),
        (1.9, "um", "200 nm"),
        (650.5, "m", "100 m"),
        (90_000, "m", "20 km"),
        (3, "m", "50 cm"),
        (900, None, "200 px"),
    ],
)
def test_a_scale_bar_has_a_round_length_in_a_fitting_unit(
    width: float, unit: str | None, text: str
) -> None:
    bar = scale_bar(width, unit)
    assert bar.text == text
    assert width / 10 <= bar.length <= width / 4


def test_the_same_figure_has_the_same_bytes(content: FigureContent, tmp_path: Path) -> None:
    first, second = (export_figure(content, tmp_path / f"{k}.svg") for k in (1, 2))
    assert first.read_bytes() == second.read_bytes()


def test_a_figure_of_nothing_but_an_image_is_possible(
    content: FigureContent, tmp_path: Path
) -> None:
    bare = FigureContent(content.picture, (300.0, 400.0))
    assert "100 px" in words(export_figure(bare, tmp_path / "f.svg"))


def test_mistakes_are_one_sentence_and_what_was_there_stays(
    content: FigureContent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=r"ends in \.png or \.svg"):
        export_figure(content, tmp_path / "f.jpg")
    with pytest.raises(UserError, match="cannot be written"):
        export_figure(content, tmp_path / "missing" / "f.png")
    kept = tmp_path / "f.svg"
    kept.write_text("what was there")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_relay.exporting.figure._save", full)
    with pytest.raises(UserError, match="free some space"):
        export_figure(content, kept)
    assert kept.read_text() == "what was there"
    assert list(tmp_path.iterdir()) == [kept]
