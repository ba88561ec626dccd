"""A stranger's channel, and places where commands run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pika
import pytest

from tests.place import Place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pika.adapters.blocking_connection import BlockingChannel

    from warrener.address import Address


@pytest.fixture
def channel(rabbit_address: Address) -> Iterator[BlockingChannel]:
    with pika.BlockingConnection(pika.URLParameters(rabbit_address.broker)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        yield channel


@pytest.fixture
def rabbit_place(tmp_path: Path, rabbit_address: Address) -> Iterator[Place]:
    """A directory, on RabbitMQ."""
    with Place(tmp_path, rabbit_address) as place:
        yield place
