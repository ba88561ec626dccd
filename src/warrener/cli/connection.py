"""A queue's broker, wherever it is."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from warrener.address import Address
    from warrener.brokers import Broker


@asynccontextmanager
async def connected(address: Address) -> AsyncIterator[Broker]:
    """The open broker of an address, through port-forwards where it is in a cluster."""
    from warrener.brokers import connect

    if address.place is None:
        async with connect(address) as broker:
            yield broker
        return
    from warrener.kubernetes.operations.reach import queue_in

    async with queue_in(address.place, address.queue) as found, connect(found) as broker:
        yield broker
