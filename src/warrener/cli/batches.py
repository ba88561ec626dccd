"""`warrener batches`: what is on a broker."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click
from msgspec.structs import replace

from warrener.address import EMBEDDED, Address
from warrener.cli.connection import connected
from warrener.cli.ending import failed, finish, guarded
from warrener.cli.options import broker_option, json_option, management_option
from warrener.cli.printing import print_json, say
from warrener.errors import BrokerError, BrokerUnreachable, UsageError
from warrener.exit_codes import Exit
from warrener.text import plain

if TYPE_CHECKING:
    from warrener.journal import JournalState
    from warrener.monitor import Status

_HEADER: Final = ("BATCH", "STATE", "TASKS", "DONE", "FAILED", "BEGAN", "SOURCE")


@click.command()
@json_option
@broker_option
@management_option
def batches(as_json: bool, broker: str, management: str | None) -> None:
    """List the batches on a broker: how many tasks, how far, when begun, and from which file.

    Example: warrener batches
    """
    with guarded():
        address = Address(broker, management=management)
    rows, unread = finish(_batches(address))
    if as_json:
        for row in rows:
            print_json(row)
    elif rows:
        cells = [_HEADER, *(_cells(row) for row in rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        for row_cells in cells:
            line = "  ".join(cell.ljust(width) for cell, width in zip(row_cells, widths, strict=True))
            click.echo(plain(line.rstrip()))
    where = ".warrener" if address.broker == EMBEDDED else address.shown
    say(f"{len(rows):,} {'batch' if len(rows) == 1 else 'batches'} on {where}")
    if unread:
        raise failed(f"not listed, since they cannot be read: {'; '.join(unread)}", Exit.BROKER)


async def _batches(address: Address) -> tuple[list[dict[str, Any]], list[str]]:
    """The batches, and a sentence for each queue that cannot be read, which keeps no other one from being listed."""
    from warrener.cli.finding import embedded_queues, queues_on
    from warrener.monitor import watching

    if address.broker == EMBEDDED:
        names = embedded_queues()
    elif address.is_embedded or address.is_in_memory or address.place is not None:
        raise UsageError(f"{address.shown} cannot list its queues; name one: warrener status --queue NAME")
    else:
        names = await queues_on(address)
    rows, unread = [], []
    for name in names:
        try:
            async with (
                connected(replace(address, queue=name)) as open_broker,
                watching(open_broker) as monitor,
            ):
                rows.append(_row(name, await monitor.look(), monitor.journal))
        except BrokerUnreachable:
            raise
        except (BrokerError, UsageError) as error:
            unread.append(f"{error}")
    return rows, unread


def _row(name: str, status: Status, journal: JournalState | None) -> dict[str, Any]:
    from warrener.monitor import origin

    return {
        "name": name,
        "state": status.state,
        "tasks": status.total,
        "done": status.counts.completed,
        "failed": status.counts.failed,
        "cancelled": status.cancelled,
        **origin(journal),
    }


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    began = (
        datetime.fromtimestamp(row["began"]).astimezone().strftime("%Y-%m-%d %H:%M") if row["began"] else "-"
    )
    numbers = (f"{row[name]:,}" for name in ("tasks", "done", "failed"))
    return row["name"], row["state"], *numbers, began, row["source"] or "-"
