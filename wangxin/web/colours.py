"""A shop's own colour, made dark enough to carry white words. Pure."""

from __future__ import annotations

import re

_HEX = re.compile(r"^#?([0-9a-fA-F]{6})$")
CONTRAST = 4.5
"""WCAG 2.2 AA for words."""
DEFAULT = "#b3420e"


def luminance(red: int, green: int, blue: int) -> float:
    """Relative luminance of sRGB, 0 (black) to 1 (white)."""
    parts = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast_with_white(red: int, green: int, blue: int) -> float:
    return 1.05 / (luminance(red, green, blue) + 0.05)


def accent(colour: str) -> str:
    """``#rrggbb`` of the same hue, darkened until white words on it keep a contrast of 4.5:1."""
    match = _HEX.match(colour.strip()) or _HEX.match(DEFAULT)
    assert match is not None
    red, green, blue = (int(match[1][at : at + 2], 16) for at in (0, 2, 4))
    for step in range(101):
        share = 1 - step / 100
        darker = round(red * share), round(green * share), round(blue * share)
        if contrast_with_white(*darker) >= CONTRAST:
            return "#{:02x}{:02x}{:02x}".format(*darker)
    raise AssertionError("black has contrast enough")
