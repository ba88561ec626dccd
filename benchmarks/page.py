"""Writes figures into docs/performance.md: `python -m benchmarks.page FILE...`, files as `make bench JSON=FILE` leaves them.

Between `<!-- NAME -->` and `<!-- /NAME -->` goes that scenario's table with its bars, and between those of `run` the
machine and the versions. A scenario that is in no file keeps what the page has.
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
_PAGE: Final = _DOCS / "performance.md"


def main() -> None:
    page = _PAGE.read_text()
    for file in sys.argv[1:]:
        report = msgspec.json.decode(Path(file).read_bytes(), type=Report)
        page = replaced(page, "run", about(report))
        for measured in report.scenarios:
            if not measured.values:
                continue
            name = f"performance-{measured.name}.svg"
            (_DOCS / name).write_text(svg(measured))
            page = replaced(page, measured.name, section(measured, name, report.command))
    _PAGE.write_text(page)


def about(report: Report) -> str:
    return f"{report.machine}; {', '.join(f'{name} {version}' for name, version in report.versions.items())}."


def section(measured: Measured, picture: str, command: str) -> str:
    told = [f"- {'held' if held else '**missed**'}: {text}" for held, text in verdicts(measured)]
    parts = [f"{measured.tasks:,} tasks. `{command}`. {caption(measured)}", markdown(measured)]
    return "\n\n".join([*parts, *(["\n".join(told)] if told else []), f"![{measured.title}]({picture})"])


def replaced(page: str, name: str, text: str) -> str:
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if begin not in page:
        sys.exit(f"{_PAGE} has no place for {name}: write {begin} and {end} where it belongs")
    return re.sub(f"{begin}.*?{end}", lambda _: f"{begin}\n{text}\n{end}", page, flags=re.DOTALL)


if __name__ == "__main__":
    main()
