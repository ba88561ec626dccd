"""Writes figures into the documentation: `python -m benchmarks.page FILE...`, files as `make bench JSON=FILE` leaves them.

Between `<!-- NAME -->` and `<!-- /NAME -->` go that scenario's table in docs/benchmarks.md, and its plot in docs/performance.md;
between those of `run` the machine and the versions. A scenario that is in no file keeps what the pages have.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.plot import svg
from benchmarks.scenario import Measured, Report
from benchmarks.stage import ROOT
from benchmarks.table import caption, markdown, verdicts

_DOCS: Final = ROOT / "docs"
_TABLES: Final = _DOCS / "benchmarks.md"
_PLOTS: Final = _DOCS / "performance.md"
# What a plot shows where that is not all; where it is empty, there is none.
_PLOTTED: Final = {
    "latency": ("p50 at 50 %", "p99 at 50 %", "burst"),
    "large": ("results",),
    "load": ("p50 at 400/s", "p50 at 1,600/s", "burst"),
    "race": ("drain", "enqueue"),
    "scale": ("publish", "drain", "results"),
    "slots": ("drain",),
    "start": ("wait",),
    "tail": ("tail / longest",),
    "urgent": ("done",),
    "window": ("run MiB", "child MiB", "broker MiB"),
}


def main() -> None:
    tables, plots = _TABLES.read_text(), _PLOTS.read_text()
    for file in sys.argv[1:]:
        report = msgspec.json.decode(Path(file).read_bytes(), type=Report)
        tables = replaced(tables, _TABLES, "run", about(report))
        for measured in report.scenarios:
            if not measured.values:
                continue
            name = f"performance-{measured.name}.svg"
            (_DOCS / name).write_text(svg(measured, _PLOTTED.get(measured.name)))
            tables = replaced(tables, _TABLES, measured.name, section(measured, report))
            plots = replaced(plots, _PLOTS, measured.name, f"![{measured.title}]({name})")
    _TABLES.write_text(tables)
    _PLOTS.write_text(plots)


def about(report: Report) -> str:
    return f"{report.machine}; {', '.join(f'{name} {version}' for name, version in report.versions.items())}."


def section(measured: Measured, report: Report) -> str:
    told = [f"- {'held' if held else '**missed**'}: {text}" for held, text in verdicts(measured)]
    how = f"{report.date}. {measured.tasks:,} tasks. `{report.command}`. {caption(measured)}"
    return "\n\n".join([how, markdown(measured), *(["\n".join(told)] if told else [])])


def replaced(page: str, path: Path, name: str, text: str) -> str:
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if begin not in page:
        sys.exit(f"{path} has no place for {name}: write {begin} and {end} where it belongs")
    return re.sub(f"{begin}.*?{end}", lambda _: f"{begin}\n{text}\n{end}", page, flags=re.DOTALL)


if __name__ == "__main__":
    main()
