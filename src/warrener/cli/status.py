"""`warrener status`: what the queue is doing."""

from __future__ import annotations

import asyncio
import time
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from warrener.beats import listening
from warrener.cli.connection import connected
from warrener.cli.ending import failed, finish
from warrener.cli.history_reading import history_of
from warrener.cli.holding import hold_text, types_text
from warrener.cli.options import json_option, looks_at
from warrener.cli.printing import say
from warrener.cli.progress import Progress
from warrener.cli.running import longest, running_members, running_rows
from warrener.cli.taken import Lately, history_rows, pace_line, recent_members, recent_rows
from warrener.cli.workers_table import busy_text, workers_table
from warrener.codec import encode
from warrener.completion import Completion
from warrener.errors import BrokerError, BrokerUnreachable
from warrener.exit_codes import Exit
from warrener.history import History, Recent, recent
from warrener.monitor import Monitor, Status, watching
from warrener.status_line import eta, percent, rate, status_line
from warrener.text import plain
from warrener.unpublished import Unpublished

if TYPE_CHECKING:
    from warrener.address import Address
    from warrener.beats import Heard
    from warrener.brokers import Broker
    from warrener.journal import JournalState

_LOOK_EVERY_SECONDS: Final = 1.0
_HEAR_FOR: Final = 2.5  # a beat, and some for its way


@click.command()
@click.option("--watch", is_flag=True, help="Go on until all is done; exit 0 if nothing failed, else 1.")
@json_option
@click.option(
    "--running",
    is_flag=True,
    help="With --json: what runs, too, and on which workers; takes up to 2.5 s more.",
)
@click.option("--workers", is_flag=True, help="Each worker: its slots, what it has done, its memory.")
@click.option(
    "--history",
    is_flag=True,
    help="Read all rows and failures, not only the newest: exact percentiles, the slowest tasks.",
)
@looks_at
def status(watch: bool, as_json: bool, running: bool, workers: bool, history: bool, address: Address) -> None:
    """How many tasks are ready, processing, delayed, completed and failed; rate and ETA; how long tasks took; what runs.

    Example: warrener status --watch --queue images
    """
    if watch and (workers or history):
        raise failed(f"--watch and {'--workers' if workers else '--history'} do not go together", Exit.USAGE)
    wanted = _Wanted(
        as_json=as_json, is_heard=running or workers or not as_json, workers=workers, history=history
    )
    raise click.exceptions.Exit(finish(_status(address, watch, wanted)))


class _Wanted(NamedTuple):
    as_json: bool
    is_heard: bool
    workers: bool
    history: bool


async def _status(address: Address, watch: bool, wanted: _Wanted) -> int:
    async with (
        connected(address) as open_broker,
        watching(open_broker) as monitor,
        listening(open_broker) if wanted.is_heard else nullcontext() as heard,
    ):
        seen = await monitor.look()
        for note in [*seen.counts.notes, *_shared(monitor.journal)]:
            say(f"note: {note}")
        if seen.has_unknown_rest and not watch:
            unpublished = Unpublished(open_broker)
            await unpublished.look(_known(seen))
            say(f"note: {unpublished}")
        if watch:
            return await _watch(address, open_broker, monitor, seen, heard, as_json=wanted.as_json)
        looked_at = time.monotonic()
        past = await _past(open_broker, seen, address.queue, has_all=wanted.history)
        if not seen.is_finished:  # a rate needs two looks
            await asyncio.sleep(max(0.0, looked_at + _LOOK_EVERY_SECONDS - time.monotonic()))
            seen = await monitor.look()
        if heard and has_workers(seen):
            await hear(heard, seen)
        if wanted.as_json:
            click.echo(encode({**members(seen, heard), **_past_members(past)}))
            return 0
        click.echo(table(address, seen, past, heard))
        if heard and has_workers(seen):
            for row in running_rows(heard, seen.counts.processing):
                click.echo(line(*row))
        if wanted.workers and heard and heard.workers:
            click.echo("\n".join(map(plain, ["", *workers_table(heard.workers)])))
        return 0


async def _past(broker: Broker, seen: Status, queue: str, *, has_all: bool) -> History | Recent | None:
    """What its rows tell: all of them, or the newest; None where this user may not see any."""
    if not has_all:
        return await recent(broker, seen.counts.completed)
    with Progress(queue) as progress:
        return await history_of(broker, progress)


def _past_members(past: History | Recent | None) -> dict[str, object]:
    return {"history": past.members()} if isinstance(past, History) else recent_members(past)


async def _watch(
    address: Address,
    broker: Broker,
    monitor: Monitor,
    seen: Status,
    heard: Heard | None,
    *,
    as_json: bool,
) -> int:
    completion, lately, took, past = Completion(broker), Lately(broker), "", recent_members(None)
    unpublished = Unpublished(broker)
    with Progress(address.queue) as progress:
        while True:
            if as_json:
                with suppress(BrokerError):
                    past = await lately.members(seen.counts.completed)
                click.echo(encode({**members(seen, heard), **past}))
            else:
                with suppress(BrokerError):  # the next look says so
                    took = await lately.text()
                text = f"{status_line(seen)}{took}{longest(heard) if heard else ''}"
                progress.show(text, seen.done, seen.total, _held_up(address, seen))
            is_cancelled = seen.cancelled > 0
            have_ended = await completion.is_proven_by(seen.counts, is_cancelled=is_cancelled)
            if (
                have_ended
                if is_cancelled
                else await unpublished.are_over(_known(seen), have_ended=have_ended)
            ):
                break
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
            try:
                seen = await monitor.look()
            except BrokerUnreachable as error:
                progress.show(f"{error}; trying again", seen.done, seen.total)
    if unpublished and not is_cancelled:
        say(str(unpublished))
    return Exit.FAILED if seen.counts.failed or seen.cancelled or unpublished else Exit.OK


def _known(seen: Status) -> int:
    return seen.done + seen.counts.waiting


def _shared(journal: JournalState | None) -> list[str]:
    if journal is None or len(journal.totals) < 2:  # noqa: PLR2004 - one batch is what there usually is
        return []
    batches = ", ".join(f"{source} ({total:,} tasks)" for source, total in journal.totals.items())
    return [f"{len(journal.totals)} batches share this queue, and are counted as one: {batches}"]


async def hear(heard: Heard, seen: Status) -> None:
    """Listen for what runs, where anything may, until all workers were heard that there are, or for a beat."""
    if has_workers(seen):
        await heard.have(seen.counts.workers or None, _HEAR_FOR)


def has_workers(seen: Status) -> bool:
    """Whether anything may run."""
    counts = seen.counts
    return not seen.is_finished and bool(counts.workers or counts.processing or counts.processing is None)


def members(seen: Status, heard: Heard | None = None) -> dict[str, object]:
    """A look at a queue as JSON has it.

    Args:
        seen: The look.
        heard: What runs, where that is wanted.
    """
    return {**seen.members(), **(running_members(heard) if heard else {})}


def table(
    address: Address, seen: Status, past: History | Recent | None = None, heard: Heard | None = None
) -> str:
    """A look at a queue for people.

    Args:
        address: The queue.
        seen: The look.
        past: What its rows tell, where they were read.
        heard: What runs, where somebody listened.
    """
    counts = seen.counts
    pace = pace_line(past.pace or []) if isinstance(past, Recent) and not seen.is_finished else ""
    busy = busy_text(heard.workers) if heard else ""
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
        *([("", pace)] if pace else []),
        ("ETA", eta(seen)),
        ("workers", f"{_cell(counts.workers)}{f'; {busy}' if busy else ''}"),
    ]
    if text := _held_up(address, seen):
        rows.append(("orders", text))
    if seen.cancelled_types:
        rows.append(("orders", types_text(seen.cancelled_types)))
    if past:
        rows += recent_rows(past) if isinstance(past, Recent) else history_rows(past)
    return "\n".join(line(name, _cell(value)) for name, value in rows)


def line(name: str, text: str) -> str:
    """A row of such a table."""
    return plain(f"{name:<11}{text}")


def _held_up(address: Address, seen: Status) -> str | None:
    return hold_text(seen.hold, f"warrener resume{address.flags()}") if seen.hold else None


def _cell(value: object) -> str:
    if value is None:
        return "unknown"
    return f"{value:,}" if isinstance(value, int) else str(value)
