"""`warrener status`: what the queue is doing."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import click

from warrener.cli.connection import connected
from warrener.cli.ending import finish
from warrener.cli.holding import hold_text, types_text
from warrener.cli.options import json_option, looks_at
from warrener.cli.printing import say
from warrener.cli.progress import Progress
from warrener.codec import encode
from warrener.completion import Completion
from warrener.errors import BrokerUnreachable
from warrener.exit_codes import Exit
from warrener.monitor import Status, watching
from warrener.status_line import eta, percent, rate, status_line
from warrener.text import plain

if TYPE_CHECKING:
    from warrener.address import Address
    from warrener.journal import JournalState

_LOOK_EVERY_SECONDS: Final = 1.0


@click.command()
@click.option("--watch", is_flag=True, help="Go on until all is done; exit 0 if nothing failed, else 1.")
@json_option
@looks_at
def status(watch: bool, as_json: bool, address: Address) -> None:
    """How many tasks are ready, processing, delayed, completed and failed; rate and ETA.

    Example: warrener status --watch --queue images
    """
    raise click.exceptions.Exit(finish(_status(address, watch, as_json)))


async def _status(address: Address, watch: bool, as_json: bool) -> int:
    async with connected(address) as open_broker, watching(open_broker) as monitor:
        seen = await monitor.look()
        for note in [*seen.counts.notes, *_shared(monitor.journal)]:
            say(f"note: {note}")
        if not watch:
            if not seen.is_finished:
                await asyncio.sleep(_LOOK_EVERY_SECONDS)  # a rate needs two looks
                seen = await monitor.look()
            click.echo(encode(members(seen)) if as_json else table(address, seen))
            return 0
        completion = Completion(open_broker)
        with Progress(address.queue) as progress:
            while True:
                if as_json:
                    click.echo(encode(members(seen)))
                else:
                    progress.show(status_line(seen), seen.done, seen.total, _held_up(address, seen))
                if await completion.is_proven_by(seen.counts, is_cancelled=seen.cancelled > 0):
                    return Exit.FAILED if seen.counts.failed or seen.cancelled else Exit.OK
                await asyncio.sleep(_LOOK_EVERY_SECONDS)
                try:
                    seen = await monitor.look()
                except BrokerUnreachable as error:
                    progress.show(f"{error}; trying again", seen.done, seen.total)


def _shared(journal: JournalState | None) -> list[str]:
    if journal is None or len(journal.totals) < 2:  # noqa: PLR2004 - one batch is what there usually is
        return []
    batches = ", ".join(f"{source} ({total:,} tasks)" for source, total in journal.totals.items())
    return [f"{len(journal.totals)} batches share this queue, and are counted as one: {batches}"]


def members(seen: Status) -> dict[str, object]:
    """A look at a queue as JSON has it."""
    counts = seen.counts
    return {
        "at": time.time(),
        "ready": counts.ready,
        "processing": counts.processing,
        "delayed": counts.delayed,
        "completed": counts.completed,
        "failed": counts.failed,
        "cancelled": seen.cancelled,
        "total": seen.total,
        "progress": seen.progress,
        "rate": seen.rate,
        "eta": seen.eta,
        "workers": counts.workers,
        "hold": seen.hold,
        "cancelled_types": seen.cancelled_types,
    }


def table(address: Address, seen: Status) -> str:
    """A look at a queue for people."""
    counts = seen.counts
    rows = [
        ("queue", f"{address.queue} on {address.shown}"),
        ("ready", counts.ready),
        ("processing", counts.processing),
        ("delayed", counts.delayed),
        ("completed", counts.completed),
        ("failed", counts.failed),
        *([("cancelled", seen.cancelled)] if seen.cancelled else []),
        ("progress", f"{seen.done:,} of {seen.total:,} ({percent(seen)})"),
        ("rate", None if seen.rate is None else rate(seen.rate)),
        ("ETA", eta(seen)),
        ("workers", counts.workers),
    ]
    if text := _held_up(address, seen):
        rows.append(("orders", text))
    if seen.cancelled_types:
        rows.append(("orders", types_text(seen.cancelled_types)))
    return "\n".join(plain(f"{name:<11}{_cell(value)}") for name, value in rows)


def _held_up(address: Address, seen: Status) -> str | None:
    return hold_text(seen.hold, f"warrener resume{address.flags()}") if seen.hold else None


def _cell(value: object) -> str:
    if value is None:
        return "unknown"
    return f"{value:,}" if isinstance(value, int) else str(value)
