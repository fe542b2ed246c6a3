"""Pictures without a display: a small anti-aliased canvas over Pillow."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Point = tuple[float, float]

#: One palette for the whole suite.
PALETTE: dict[str, Colour] = {
    "red": (224, 82, 79),
    "green": (92, 184, 108),
    "blue": (78, 132, 224),
    "purple": (150, 98, 202),
    "yellow": (240, 196, 74),
    "grey": (122, 128, 140),
    "ink": (32, 36, 46),
    "night": (44, 49, 62),
    "stone": (86, 93, 110),
    "sand": (214, 218, 226),
    "paper": (248, 248, 246),
    "white": (255, 255, 255),
}

_OVERSAMPLING = 3


class Canvas:
    """A picture under construction, in units of pixels with the origin at the top left.

    Args:
        width, height: size in pixels.
        background: a colour of `PALETTE`, or an RGB triple.
    """

    def __init__(self, width: int, height: int, background: str | Colour = "night"):
        self.size = (width, height)
        scaled = (width * _OVERSAMPLING, height * _OVERSAMPLING)
        self._image = Image.new("RGB", scaled, _colour(background))
        self._draw = ImageDraw.Draw(self._image)

    def rectangle(self, x: float, y: float, w: float, h: float, fill: str | Colour) -> None:
        """A filled rectangle with its top left corner at (x, y)."""
        box = _scale([(x, y), (x + w, y + h)])
        self._draw.rectangle([box[0], (box[1][0] - 1, box[1][1] - 1)], fill=_colour(fill))

    def circle(
        self,
        x: float,
        y: float,
        radius: float,
        fill: str | Colour | None,
        outline: Any = None,
        width: float = 1,
    ) -> None:
        """A disc around (x, y), filled or outlined."""
        self._draw.ellipse(
            _scale([(x - radius, y - radius), (x + radius, y + radius)]),
            fill=_colour(fill) if fill else None,
            outline=_colour(outline) if outline else None,
            width=round(width * _OVERSAMPLING),
        )

    def polygon(self, points: Sequence[Point], fill: str | Colour) -> None:
        """A filled polygon."""
        self._draw.polygon(_scale(points), fill=_colour(fill))

    def line(self, points: Sequence[Point], fill: str | Colour, width: float = 1) -> None:
        """A line through the points."""
        width = max(1, round(width * _OVERSAMPLING))
        self._draw.line(_scale(points), fill=_colour(fill), width=width, joint="curve")

    def text(
        self,
        x: float,
        y: float,
        words: str,
        fill: str | Colour,
        size: float = 12,
        anchor: str = "mm",
    ) -> None:
        """Words at (x, y); `anchor` as Pillow names it, "mm" for centred, "la" for top left."""
        font = ImageFont.load_default(size * _OVERSAMPLING)
        place = _scale([(x, y)])[0]
        self._draw.text(place, words, fill=_colour(fill), font=font, anchor=anchor)

    def pixels(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """The finished picture, (height, width, 3) `uint8`."""
        return np.asarray(self._image.resize(self.size, Image.Resampling.BOX)).copy()


def _colour(name: str | Colour) -> Colour:
    return PALETTE[name] if isinstance(name, str) else name


def _scale(points: Sequence[Point]) -> list[Point]:
    return [(x * _OVERSAMPLING, y * _OVERSAMPLING) for x, y in points]
