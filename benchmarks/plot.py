"""A scenario's outcome as bars: plain SVG, no background, in tones that can be read on light and on dark pages."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from benchmarks.table import heading, number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.scenario import Figure, Measured

_WIDTH: Final = 760
_LABELS: Final = 230
_NUMBERS: Final = 90
_BARS: Final = _WIDTH - _LABELS - _NUMBERS
_ROW: Final = 22
_HEAD: Final = 30
_BAR: Final = "#7f9ab8"
_OURS: Final = "#e07b39"
_SPREAD: Final = "#5b6068"

_OPEN: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"
 font-family="system-ui, sans-serif" font-size="13" fill="#7a7f87" role="img">"""


def svg(measured: Measured, shown: Sequence[str] | None = None) -> str:
    """One panel for each figure, one bar for each contestant: the median, and a line from least to most.

    Args:
        measured: What was measured.
        shown: The figures, in the order of their panels; all of them unless given.
    """
    panels, top = [], 0
    by_name = {figure.name: figure for figure in measured.figures}
    for figure in by_name.values() if shown is None else (by_name[name] for name in shown):
        if any(by.get(figure.name) for by in measured.values.values()):
            panels += list(_panel(measured, figure, top))
            top += _HEAD + _ROW * len(measured.values) + 8
    return "\n".join(
        (
            _OPEN.format(width=_WIDTH, height=top),
            f"<title>{escape(measured.title)}</title>",
            *panels,
            "</svg>\n",
        )
    )


def _panel(measured: Measured, figure: Figure, top: int) -> Iterator[str]:
    found = {name: by[figure.name] for name, by in measured.values.items() if by.get(figure.name)}
    scale = _BARS / (max(max(values) for values in found.values()) or 1)
    yield f'<text x="{_LABELS}" y="{top + 20}" font-weight="600">{escape(heading(figure))}</text>'
    for row, (contestant, values) in enumerate(found.items()):
        y = top + _HEAD + row * _ROW
        colour = _OURS if "warrener" in contestant.lower() else _BAR
        length, middle = median(values) * scale, y + _ROW / 2 - 2
        left, right = (_LABELS + value * scale for value in (min(values), max(values)))
        yield f'<text x="{_LABELS - 8}" y="{y + 14}" text-anchor="end">{escape(contestant)}</text>'
        yield f'<rect x="{_LABELS}" y="{y + 1}" width="{length:.1f}" height="{_ROW - 6}" rx="2" fill="{colour}"/>'
        if right - left >= 1:
            line = f'x1="{left:.1f}" x2="{right:.1f}" y1="{middle}" y2="{middle}"'
            yield f'<line {line} stroke="{_SPREAD}" stroke-width="2"/>'
        yield f'<text x="{right + 6:.1f}" y="{y + 14}">{number(median(values), figure)}</text>'
