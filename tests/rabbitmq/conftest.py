"""A RabbitMQ that may be broken."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

import pytest

from tests.rabbitmq_server import RabbitMQ
from warrener.address import Address

if TYPE_CHECKING:
    from collections.abc import Iterator

SMALL_LIMIT: Final = 2_000_000
_CONFIG: Final = f"""\
consumer_timeout = 5000
max_message_size = {SMALL_LIMIT}
"""


@pytest.fixture(scope="package")
def server() -> Iterator[RabbitMQ]:
    """Its consumer timeout is shorter than a task, and its messages must be small."""
    with RabbitMQ(extra_config=_CONFIG) as server:
        yield server


@pytest.fixture
def breakable(server: RabbitMQ) -> Address:
    """A queue of the test's own on it, not yet declared."""
    return Address(server.url, f"test-{uuid.uuid4().hex[:12]}", server.management_url)
