"""A study as a picture: one panel a figure, one row a policy, a dot for the mean, a whisker for its 95 % interval."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape  # text is escaped, nothing is parsed # nosec B406

from dispatcher.whatif import Interval, Study

Titles = Mapping[str, tuple[str, float]]
"""What a figure is called, and what it is multiplied by."""
_PANEL, _ROW, _NAMES, _HEAD, _FOOT, _ACROSS = 260, 26, 210, 44, 34, 2
_INK, _PALE, _DOT = "#1f2329", "#6b7280", "#1764c0"


def svg(study: Study, titles: Titles, title: str) -> str:
    """The picture as SVG text, readable on white."""
    height = _HEAD + _ROW * len(study.policies) + _FOOT
    lines = -(-len(titles) // _ACROSS)
    width = _ACROSS * (_NAMES + _PANEL + 30) + 20
    whole = 50 + lines * height
    found = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{whole}" viewBox="0 0 {width} {whole}"'
        ' font-family="sans-serif" font-size="13" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{whole}" fill="#ffffff"/>',
        f'<text x="20" y="30" font-size="16" font-weight="600" fill="{_INK}">{escape(title)}</text>',
    ]
    for at, (figure, (name, by)) in enumerate(titles.items()):
        left, top = 20 + (at % _ACROSS) * (_NAMES + _PANEL + 30), 50 + (at // _ACROSS) * height
        rows = {policy: seen.figures[figure] for policy, seen in study.policies.items()}
        found += _panel(name, {key: _times(one, by) for key, one in rows.items()}, left, top)
    return "\n".join([*found, "</svg>", ""])


def _times(one: Interval, by: float) -> Interval:
    return Interval(one.mean * by, one.low * by, one.high * by)


def _panel(name: str, rows: Mapping[str, Interval], left: int, top: int) -> list[str]:
    low, high = min(0.0, *(one.low for one in rows.values())), max(one.high for one in rows.values())
    reach = (high - low) or 1.0
    start = left + _NAMES

    def x(value: float) -> float:
        return round(start + (value - low) / reach * _PANEL, 1)

    end = top + _HEAD + _ROW * len(rows)
    found = [
        f'<text x="{start}" y="{top + 20}" font-weight="600" fill="{_INK}">{escape(name)}</text>',
        f'<line x1="{x(0.0)}" y1="{top + 30}" x2="{x(0.0)}" y2="{end}" stroke="#c9ced6"/>',
    ]
    for at, (policy, one) in enumerate(rows.items()):
        y = top + _HEAD + _ROW * at + 4
        found += [
            f'<text x="{start - 10}" y="{y + 4}" text-anchor="end" fill="{_INK}">{escape(policy)}</text>',
            f'<line x1="{x(one.low)}" y1="{y}" x2="{x(one.high)}" y2="{y}" stroke="{_DOT}" stroke-width="2"/>',
            f'<circle cx="{x(one.mean)}" cy="{y}" r="4" fill="{_DOT}"/>',
        ]
    for value, anchor in ((low, "start"), (high, "end")):
        found.append(f'<text x="{x(value)}" y="{end + 14}" text-anchor="{anchor}" fill="{_PALE}">{value:.1f}</text>')
    return found
