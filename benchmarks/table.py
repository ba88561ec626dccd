"""A scenario's outcome as a table: medians, spreads, ratios, and which targets are held."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.scenario import Figure, Measured


def table(measured: Measured) -> Table:
    """For the terminal."""
    shown = Table(
        title=title(measured), title_justify="left", caption=caption(measured), caption_justify="left"
    )
    head, *rows = cells(measured)
    for column in head:
        shown.add_column(column, justify="left" if column is head[0] else "right")
    for row in rows:
        shown.add_row(*row)
    return shown


def markdown(measured: Measured) -> str:
    """For a page."""
    head, *rows = cells(measured)
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def title(measured: Measured) -> str:
    return f"{measured.name}: {measured.title}; {measured.tasks:,} task{'' if measured.tasks == 1 else 's'}"


def caption(measured: Measured) -> str:
    rounds = max((len(v) for by in measured.values.values() for v in by.values()), default=0)
    before, after = measured.load
    text = f"Median of {rounds} and (least - most); load {before:.1f} before, {after:.1f} after."
    return f"{text} Ratios to {measured.yardstick!r}." if measured.yardstick else text


def verdicts(measured: Measured) -> list[tuple[bool, str]]:
    """Of each target that could be judged: whether it is held, and how it reads."""
    told = []
    for target in measured.targets:
        if judged := target.judge(measured.values):
            held, value = judged
            per = f" of {target.per!r}" if target.per else ""
            wanted = f"{'at most' if target.at_most else 'at least'} {target.bound:g}"
            told.append(
                (held, f"{target.figure} of {target.contestant!r} is {value:.2f}{per}, wanted {wanted}")
            )
    return told


def cells(measured: Measured) -> list[list[str]]:
    """The head, then one row for each contestant."""
    head = [""]
    for figure in measured.figures:
        head.append(heading(figure))
        if has_ratio(measured, figure):
            head.append("x")
    rows = [head]
    for contestant in measured.values:
        row = [contestant]
        for figure in measured.figures:
            values = measured.values[contestant].get(figure.name, [])
            row.append(cell(figure, values))
            if has_ratio(measured, figure):
                unit = measured.values.get(measured.yardstick, {}).get(figure.name, [])
                row.append(f"{median(values) / median(unit):.2f}" if values and unit and median(unit) else "")
        rows.append(row)
    rows += [[contestant, *("failed" for _ in head[1:])] for contestant in measured.broken]
    return rows


def heading(figure: Figure) -> str:
    has_unit = figure.unit and not figure.name.endswith(figure.unit) and figure.unit != "x"
    return f"{figure.name}, {figure.unit}" if has_unit else figure.name


def has_ratio(measured: Measured, figure: Figure) -> bool:
    return bool(measured.yardstick) and figure.is_compared


def cell(figure: Figure, values: Sequence[float]) -> str:
    if not values:
        return ""
    middle, least, most = (number(v, figure) for v in (median(values), min(values), max(values)))
    return middle if least == most else f"{middle} ({least} - {most})"


def number(value: float, figure: Figure) -> str:
    if figure.unit in ("s", "x"):
        return f"{value:.2f}"
    return f"{value:.1f}" if figure.unit in ("%", "ms") else f"{value:,.0f}"
