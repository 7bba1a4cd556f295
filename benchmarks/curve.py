"""A curve over sizes that grow tenfold, as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape  # text is escaped, nothing is parsed # nosec B406

_WIDTH, _HEIGHT, _LEFT, _TOP, _FOOT, _RIGHT = 640, 340, 60, 60, 50, 150
_INK, _PALE, _COLOURS = "#1f2329", "#6b7280", ("#1764c0", "#b3541e", "#2e7d4f", "#7a3fa0")


def svg(title: str, sizes: Sequence[int], curves: Mapping[str, Sequence[float]], across: str, up: str) -> str:
    """One point a size for each curve, from zero upwards; sizes by their logarithm."""
    high = max(max(ys) for ys in curves.values()) * 1.1
    first, last = math.log10(sizes[0]), math.log10(sizes[-1])

    def x(size: int) -> float:
        share = (math.log10(size) - first) / ((last - first) or 1.0)
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(value: float) -> float:
        return round(_HEIGHT - _FOOT - value / high * (_HEIGHT - _FOOT - _TOP), 1)

    found = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}"'
        ' font-family="sans-serif" font-size="13" role="img">',
        f'<title>{escape(title)}</title><rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="20" y="26" font-size="16" font-weight="600" fill="{_INK}">{escape(title)}</text>',
        f'<text x="20" y="46" fill="{_PALE}">{escape(up)}</text>',
        f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 10}" text-anchor="end" fill="{_PALE}">{escape(across)}</text>',
    ]
    for step in range(5):
        value = high * step / 4
        found.append(
            f'<line x1="{_LEFT}" y1="{y(value)}" x2="{_WIDTH - _RIGHT}" y2="{y(value)}" stroke="#e3e6ea"/>'
            f'<text x="{_LEFT - 8}" y="{y(value) + 4}" text-anchor="end" fill="{_PALE}">{value:,.0f}</text>'
        )
    found += [
        f'<text x="{x(size)}" y="{_HEIGHT - _FOOT + 18}" text-anchor="middle" fill="{_PALE}">{size:,}</text>'
        for size in sizes
    ]
    for colour, (name, ys) in zip(_COLOURS, curves.items(), strict=False):
        points = [(x(size), y(value)) for size, value in zip(sizes, ys, strict=True)]
        path = " ".join(f"{a},{b}" for a, b in points)
        found.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        found += [f'<circle cx="{a}" cy="{b}" r="4" fill="{colour}"/>' for a, b in points]
        found.append(f'<text x="{points[-1][0] + 10}" y="{points[-1][1] + 4}" fill="{colour}">{escape(name)}</text>')
    return "\n".join([*found, "</svg>", ""])
