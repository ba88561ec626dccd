"""What goes over the wire is what pika would have written."""

from __future__ import annotations

from typing import Any

import pika
import pytest
from pika.connection import Connection
from pika.spec import Basic

from warren.brokers.rabbitmq.link import _CorkedConnection

FRAME_MAX = 100


class Written(_CorkedConnection):
    """A connection that keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self._publishes: dict[tuple[int, str, str], bytes] = {}
        self._body_max_length = FRAME_MAX

    def _output_marshaled_frames(self, frames: list[bytes]) -> None:
        self.written += b"".join(frames)


@pytest.mark.parametrize("size", [0, 1, FRAME_MAX, FRAME_MAX + 1, 3 * FRAME_MAX])
@pytest.mark.parametrize("more", [{}, {"headers": {"warren": "{}"}, "priority": 9}])
def test_messages_are_written_as_pika_writes_them(size: int, more: dict[str, Any]) -> None:
    properties = pika.BasicProperties(content_type="application/json", message_id="t", **more)
    publish = Basic.Publish(exchange="q", routing_key="work", mandatory=True)
    ours, theirs = Written(), Written()

    for _ in range(2):
        ours._send_message(7, publish, (properties, b"x" * size))
        Connection._send_message(theirs, 7, publish, (properties, b"x" * size))

    assert ours.written == theirs.written
