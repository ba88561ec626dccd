"""`warrener logs`: what tasks have printed."""

from __future__ import annotations

import sys
from contextlib import aclosing
from typing import TYPE_CHECKING

import click

from warrener.cli.connection import connected
from warrener.cli.ending import failed, finish
from warrener.cli.options import looks_at
from warrener.cli.printing import say
from warrener.errors import QueueMissing, UsageError
from warrener.exit_codes import Exit
from warrener.text import for_terminal, plain

if TYPE_CHECKING:
    from warrener.address import Address
    from warrener.brokers import Broker
    from warrener.logs import LogPiece


@click.command()
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option(
    "--follow", "-f", is_flag=True, help="Wait for more, until the tasks named have ended, or Ctrl-C."
)
@click.option("--failed", "only_failed", is_flag=True, help="Of the tasks that have failed.")
@looks_at
def logs(ids: tuple[str, ...], follow: bool, only_failed: bool, address: Address) -> None:
    """Write what tasks have printed, where that is kept (`--keep-logs`), of every attempt.

    Of one task, it is written as it was printed; of several, or of all without an ID, each line is led by its task's id.

    Example: warrener logs image-17 --follow
    """
    if only_failed and (ids or follow):
        raise failed(
            "--failed is for all tasks that have failed so far: give it without an ID and --follow",
            Exit.USAGE,
        )
    finish(_logs(address, ids, follow=follow, only_failed=only_failed))


async def _logs(address: Address, ids: tuple[str, ...], *, follow: bool, only_failed: bool) -> None:
    async with connected(address) as open_broker:
        wanted = await _failed_ids(open_broker) if only_failed else set(ids)
        if only_failed and not wanted:
            say("no task has failed")
            return
        writer = _Writer(is_shared=only_failed or len(wanted) != 1)
        try:
            await _write(open_broker, writer, wanted, follow=follow)
        except QueueMissing as error:
            await open_broker.counts()  # which says so where there is no queue at all
            raise UsageError(
                f"queue {address.queue!r} keeps no logs: give --keep-logs to what works on it, or `warrener failures show ID` "
                "for the end of what failed attempts have printed"
            ) from error
    if missing := sorted(set(ids) - writer.seen):
        raise failed(
            f"nothing is kept that task {', '.join(map(repr, missing))} has printed on queue {address.queue!r}",
            Exit.FAILED,
        )


async def _write(broker: Broker, writer: _Writer, wanted: set[str], *, follow: bool) -> None:
    from warrener.logs import read

    running = set(wanted)
    async with aclosing(read(broker, wanted or None, follow=follow)) as pieces:
        async for piece in pieces:
            writer.write(piece)
            if piece.outcome in {"completed", "failed"}:
                running.discard(piece.task_id)
                if follow and wanted and not running:
                    return


async def _failed_ids(broker: Broker) -> set[str]:
    from warrener.failures import read

    return {found.task_id async for found in read(broker)}


class _Writer:
    """Writes pieces to stdout.

    Args:
        is_shared: Whether they are of several tasks.
    """

    def __init__(self, *, is_shared: bool) -> None:
        self.seen: set[str] = set()
        self._is_shared = is_shared
        self._is_terminal = sys.stdout.isatty()
        self._attempt: int | None = None

    def write(self, piece: LogPiece) -> None:
        """Write one."""
        self.seen.add(piece.task_id)
        printed = piece.printed
        if not self._is_shared and piece.attempt != self._attempt:
            if self._attempt is not None:
                say(f"attempt {piece.attempt}:")
            self._attempt = piece.attempt
        if not printed:
            return
        # The end of an attempt is the end of its last line.
        lines = printed.removesuffix(b"\n").split(b"\n")
        if self._is_terminal:
            lines = [*map(for_terminal, lines)]
        lead = f"{plain(piece.task_id)} | ".encode() if self._is_shared else b""
        sys.stdout.buffer.write(b"".join(lead + line + b"\n" for line in lines))
        sys.stdout.buffer.flush()
