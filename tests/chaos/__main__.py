"""Break whatever can break under real batches, count what became of each task, and print a table."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table

from tests.chaos.suite import Suite

if TYPE_CHECKING:
    from tests.chaos.verdict import Row

_COLUMNS: Final = [
    "fault",
    "broker",
    "times",
    "tasks",
    "lost",
    "duplicate rows",
    "wrong attempts",
    "stuck",
    "recovered in s: median",
    "worst",
]


def main() -> int:
    """Exit code 0 if every number that must be 0 is 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="repeat a run's chances")
    parser.add_argument("--minutes", type=float, default=20, help="of the mixed load; 0 leaves it out")
    parser.add_argument("--only", default="", metavar="WORDS", help="faults and brokers with these words")
    given = parser.parse_args()
    console = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    console.print(f"seed {given.seed}")
    rows: list[Row] = []

    def tell(row: Row) -> None:
        rows.append(row)
        console.print("ok " if row.is_good else "BAD", *row.cells(), sep="  ")
        if row.broken:
            console.print(row.broken)

    with tempfile.TemporaryDirectory(prefix="warrener-chaos-") as directory:
        Suite(given.seed, Path(directory), given.only, given.minutes).run(tell)
    table = Table(*_COLUMNS, title=f"seed {given.seed}")
    for row in rows:
        table.add_row(*row.cells(), style="" if row.is_good else "bold red")
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    return 0 if rows and all(row.is_good for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
