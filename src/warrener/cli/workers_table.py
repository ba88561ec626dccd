"""Workers as `status --workers` shows them: what each of them has told of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warrener.status_line import span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warrener.beats import Beat

_HEADER: Final = ("WORKER", "SLOTS", "RUNNING", "COMPLETED", "RETRIED", "FAILED", "MEMORY", "UP", "STATE")
_LEFT: Final = (0, 8)  # columns of text
_MIB: Final = 1 << 20


def workers_table(workers: Sequence[Beat]) -> list[str]:
    """One line for each worker, below a header."""
    rows = [_HEADER, *map(_cells, workers)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if column in _LEFT else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def busy_text(workers: Sequence[Beat]) -> str:
    """How many of their slots are in use."""
    slots, running = sum(beat.slots for beat in workers), sum(map(_running, workers))
    return f"{running:,} of {slots:,} slots run a task" if workers else ""


def _cells(beat: Beat) -> tuple[str, ...]:
    counts = (beat.slots, _running(beat), beat.completed, beat.delayed, beat.failed)
    memory = "-" if beat.memory is None else f"{beat.memory / _MIB:,.0f} MiB"
    state = "stopping" if beat.is_stopping else "paused" if beat.is_paused else "works"
    return beat.worker, *(f"{count:,}" for count in counts), memory, span(beat.seconds), state


def _running(beat: Beat) -> int:
    return len(beat.running) + beat.omitted
