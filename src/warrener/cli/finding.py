"""The queue that a verb looks at where none is named."""

from __future__ import annotations

import asyncio
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from warrener.address import EMBEDDED
from warrener.cli.printing import say
from warrener.errors import BrokerError, UsageError

if TYPE_CHECKING:
    from warrener.address import Address


def found(address: Address, *, for_change: bool = False) -> Address:
    """The same broker with a queue that it has: the only one, the newest of the embedded broker's, or the default one.

    Where there are several it says which one. To change something on a RabbitMQ, which may be others' too, it takes none of several.

    Raises:
        UsageError: There are several, none of them the default one, or one is to be changed.
    """
    if address.broker == EMBEDDED:
        return _newest(address)
    if address.is_embedded or address.is_in_memory or address.place is not None:
        return address
    try:
        names = asyncio.run(queues_on(address))
    except BrokerError:  # without the management API nobody can tell
        return address
    if len(names) > 1 and address.queue in names and not for_change:
        say(
            f"queue {address.queue!r}, the default one of {len(names)} on {address.shown}; --queue NAME for another one"
        )
    elif len(names) > 1:
        raise UsageError(
            f"{address.shown} has {len(names)} queues: say which one with --queue ({', '.join(sorted(names)[:10])}"
            f"{', ...' if len(names) > 10 else ''}); `warrener batches` says more"  # noqa: PLR2004 - enough for a line
        )
    return replace(address, queue=names[0]) if len(names) == 1 else address


def embedded_queues() -> list[str]:
    """The queues of the embedded broker in this directory, the one that was written to last first; an empty file is none."""
    files = [file for file in Path(".warrener").glob("*.db") if _size(file)]
    return [file.stem for file in sorted(files, key=_written_at, reverse=True)]


async def queues_on(address: Address) -> list[str]:
    """The queues of Warrener's on a RabbitMQ.

    Raises:
        BrokerError: The management API is not there, or refuses this user.
    """
    from warrener.brokers.rabbitmq.management import Management

    with closing(Management(address)) as management:
        return await management.journaled_queues()


def _newest(address: Address) -> Address:
    names = embedded_queues()
    if not names:
        return address
    if len(names) > 1:
        say(f"queue {names[0]!r}, the newest of {len(names)} in .warrener; --queue NAME for another one")
    return replace(address, queue=names[0])


def _size(file: Path) -> int:
    with suppress(OSError):
        return file.stat().st_size
    return 1  # whoever opens it says what is wrong


def _written_at(file: Path) -> float:
    """When a queue's file was written to last: for as long as somebody uses it, that is seen at its write-ahead log."""
    times = [0.0]
    for path in (file, file.with_name(f"{file.name}-wal")):
        with suppress(FileNotFoundError):
            times.append(path.stat().st_mtime)
    return max(times)
