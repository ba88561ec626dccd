"""What we use of pika that is private is still there, and what we leave alone is left alone."""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import sys
from typing import Any

import pika
import pytest
from pika.adapters.asyncio_connection import AsyncioConnection, _AsyncioIOServicesAdapter
from pika.adapters.utils import io_services_utils
from pika.channel import Channel

from warrener.address import Address
from warrener.brokers.rabbitmq.amqp.connection import Connection
from warrener.brokers.rabbitmq.amqp.frames import PRIVATE_PARTS
from warrener.errors import BrokerUnreachable


@pytest.fixture
async def owners() -> dict[str, Any]:
    """One of each kind, as pika makes them, not connected."""

    def nobody(*_: object) -> None:
        """Nobody calls back."""

    connection = AsyncioConnection(pika.ConnectionParameters(), internal_connection_workflow=False)
    ours, theirs = socket.socketpair()
    theirs.close()
    services = _AsyncioIOServicesAdapter(asyncio.get_running_loop())
    return {
        "connection": connection,
        "channel": Channel(connection, 1, nobody),
        "services": services,
        "transport": io_services_utils._AsyncPlaintextTransport(ours, connection, services),
    }


@pytest.mark.parametrize(
    ("owner", "part"), [(o, part) for o, parts in PRIVATE_PARTS.items() for part in parts]
)
async def test_private_part_is_there(owners: dict[str, Any], owner: str, part: str) -> None:
    assert hasattr(owners[owner], part), (
        f"pika {pika.__version__} has no {part!r} of its {owner} any more: mend amqp/frames.py, and pika's cap"
    )


def test_importing_the_broker_leaves_the_log_of_a_host_as_it_was() -> None:
    program = """
import logging, pika
import pika.adapters.asyncio_connection
before = [(name, logger.level, logger.propagate, logger.handlers) for name, logger in
          sorted(logging.root.manager.loggerDict.items()) if isinstance(logger, logging.Logger)]
import warrener.brokers.rabbitmq
after = {name: (name, logger.level, logger.propagate, logger.handlers) for name, logger in
         logging.root.manager.loggerDict.items() if isinstance(logger, logging.Logger)}
assert before == [after[name] for name, *_ in before]
assert logging.getLogger("pika").getEffectiveLevel() == logging.WARNING
"""
    subprocess.run([sys.executable, "-c", program], check=True)


async def test_pika_logs_nothing_of_our_connections_and_all_of_others(
    caplog: pytest.LogCaptureFixture, unused_tcp_port: int
) -> None:
    caplog.set_level(logging.DEBUG, "pika")
    with pytest.raises(BrokerUnreachable):
        await Connection(
            Address(f"amqp://u:p@127.0.0.1:{unused_tcp_port}"), lambda _: None, lambda: None
        ).open()
    assert caplog.messages == []

    failed = asyncio.get_running_loop().create_future()
    AsyncioConnection(
        pika.ConnectionParameters("127.0.0.1", unused_tcp_port),
        on_open_error_callback=lambda _, error: failed.set_result(error),
    )
    await failed
    assert caplog.messages
