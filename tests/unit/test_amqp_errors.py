"""What pika does not tell is told."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct

import pytest
from pika.exceptions import (
    ChannelClosedByBroker,
    ConnectionClosedByBroker,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
    StreamLostError,
)

from warrener.address import Address
from warrener.brokers.rabbitmq.amqp.connection import Connection
from warrener.brokers.rabbitmq.amqp.errors import translate
from warrener.errors import AccessRefused, BrokerError, BrokerUnreachable, QueueMissing


async def test_connection_that_is_reset_at_once_is_an_error_at_once() -> None:
    def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        own = writer.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    unhandled: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
    async with await asyncio.start_server(reset, "127.0.0.1", 0) as balancer:
        port = balancer.sockets[0].getsockname()[1]
        for _ in range(30):
            with pytest.raises(BrokerUnreachable, match=r"reset|was lost"):
                await Connection(Address(f"amqp://u:p@127.0.0.1:{port}"), lambda _: None, lambda: None).open()
    assert unhandled == []


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        # As pika has them, for a connection that ends while it is made, whoever ended it.
        (ProbableAuthenticationError(repr(StreamLostError("EOF"))), BrokerUnreachable),
        (ProbableAccessDeniedError(repr(StreamLostError("EOF"))), BrokerUnreachable),
        (ProbableAuthenticationError(repr(ConnectionClosedByBroker(403, "ACCESS_REFUSED"))), AccessRefused),
        (ProbableAccessDeniedError(repr(ConnectionClosedByBroker(530, "NOT_ALLOWED"))), AccessRefused),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), BrokerUnreachable),
        (ssl.SSLCertVerificationError(1, "certificate verify failed"), AccessRefused),
    ],
)
def test_only_a_refusal_is_a_refusal(error: Exception, kind: type[BrokerError]) -> None:
    assert type(translate(error, Address("amqp://u:p@host"))) is kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("NOT_FOUND - no queue 'q' in vhost '/'", QueueMissing),
        ("NOT_FOUND - no exchange 'q' in vhost '/'", QueueMissing),
        # Of a queue that another client is just making (seen on RabbitMQ 4.3).
        (
            "NOT_FOUND - home node 'n' of durable queue 'q' in vhost '/' is down or inaccessible",
            BrokerUnreachable,
        ),
        (
            "NOT_FOUND - failed to perform operation on queue 'q' in vhost '/' due to timeout",
            BrokerUnreachable,
        ),
    ],
)
def test_queue_that_is_away_is_not_missing(text: str, kind: type[BrokerError]) -> None:
    error = translate(ChannelClosedByBroker(404, text), Address("amqp://u:p@host"))
    assert isinstance(error, kind)
    assert "in vhost '/'" in str(error)
