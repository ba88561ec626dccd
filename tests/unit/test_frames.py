"""What goes over a connection is what pika would have written, and what comes is what pika would have read."""

from __future__ import annotations

import asyncio
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import pika
import pytest
from pika.connection import Connection
from pika.exceptions import InvalidFrameError
from pika.frame import Body, Header, Heartbeat, Method
from pika.spec import Basic

from warrener.brokers.rabbitmq.amqp import frames
from warrener.brokers.rabbitmq.amqp.bulk import StreamConsumer
from warrener.brokers.rabbitmq.amqp.frames import Frames
from warrener.brokers.rabbitmq.amqp.properties import Properties, pack

if TYPE_CHECKING:
    from collections.abc import Sequence

FRAME_MAX = 100


class Bare(Frames):
    """A connection without a socket: it keeps what is written, and what it tells pika."""

    def __init__(self) -> None:
        self.sent = b""
        self.bytes_sent = self.frames_sent = 0
        with suppress(RuntimeError):  # whoever only reads needs none
            self._own_loop = asyncio.get_running_loop()
        self.corked_for = 0.0
        self._corked = []
        self._uncorking = None
        self._uncorked_at = 0.0
        self._handed_over = 0

        self._counted = 0
        self._counted_from = 0.0
        self._are_many = False
        self._transport = self
        self.told: list[Any] = []
        self.messages: list[tuple[int, bool, str, bytes]] = []
        self.on_confirm = {}
        self.bytes_received = 0
        self._frame_buffer = b""
        self._to_come = 0
        self._methods = {}
        self._body_max_length = FRAME_MAX
        self._channels = {7: self}
        self._consumers: dict[str, Any] = {"mine": self._on_message}

    @property
    def written(self) -> bytes:
        """What was sent, and what is about to be."""
        return self.sent + b"".join(self._corked)

    def write(self, data: bytes) -> None:
        """As the transport does it."""
        self.sent += data

    def _process_frame(self, frame: Any) -> None:
        self.told.append(frame)

    def _on_message(self, channel: Self, method: Any, properties: Properties, body: bytes) -> None:
        assert channel is self
        self.messages.append((method.delivery_tag, method.redelivered, properties.id, body))


class Stream(StreamConsumer):
    """Keeps what comes, one by one and many at once, with what is told of the last one."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.last: tuple[int, str] = 0, ""
        self.at_once = 0

    def __call__(self, _: Any, method: Any, properties: Properties, body: bytes) -> None:
        self.bodies.append(body)
        self.last = method.delivery_tag, properties.id

    def more(self, bodies: Sequence[bytes], method: Any, properties: Properties) -> None:
        self.bodies += bodies
        self.at_once += len(bodies)
        self.last = method.delivery_tag, properties.id


def delivery(
    body: bytes, *, tag: int = 1, consumer: str = "mine", channel: int = 7, is_again: bool | None = None
) -> list[bytes]:
    """The frames of a message that comes."""
    redelivered = tag % 2 == 0 if is_again is None else is_again
    method = Basic.Deliver(consumer, tag, redelivered=redelivered, exchange="q", routing_key="work")
    properties = pika.BasicProperties(headers={"x": "y"}, message_id=f"t{tag}", priority=3)
    return [
        Method(channel, method).marshal(),
        Header(channel, len(body), properties).marshal(),
        *(Body(channel, body[at : at + FRAME_MAX]).marshal() for at in range(0, len(body), FRAME_MAX)),
    ]


@pytest.mark.parametrize("size", [0, 1, FRAME_MAX, FRAME_MAX + 1, 3 * FRAME_MAX])
@pytest.mark.parametrize(
    ("priority", "record"), [(None, None), (9, None), (None, "{}"), (0, '{"attempts":1}')]
)
async def test_messages_are_written_as_pika_writes_them(
    size: int, priority: int | None, record: str | None
) -> None:
    properties = pika.BasicProperties(
        content_type="application/json",
        headers={"warrener": record} if record else None,
        delivery_mode=2,
        priority=priority,
        message_id="t",
    )
    publish = Basic.Publish(exchange="q", routing_key="work", mandatory=True)
    ours, theirs = Bare(), Bare()

    for _ in range(2):
        ours.publish(7, "q", "work", pack("t", priority, record.encode() if record else None), b"x" * size)
        Connection._send_message(theirs, 7, publish, (properties, b"x" * size))

    assert ours.written == theirs.written


@pytest.mark.parametrize("multiple", [True, False])
async def test_acknowledgements_are_written_as_pika_writes_them(multiple: bool) -> None:
    connection = Bare()
    connection.ack(7, 2**40, multiple=multiple)
    assert connection.written == Method(7, Basic.Ack(2**40, multiple)).marshal()


async def test_what_waits_for_company_goes_out_with_it_and_before_any_question() -> None:
    connection = Bare()
    connection.corked_for = 3600.0
    connection._are_many = True
    connection._uncork()
    connection.ack(7, 1, multiple=False)
    connection.publish(7, "q", "work", pack("t", None, None), b"{}")
    await asyncio.sleep(0)
    assert connection.sent == b""

    connection._adapter_emit_data(b"question")
    await asyncio.sleep(0)

    assert connection.sent == connection.written
    assert connection.sent.startswith(Method(7, Basic.Ack(1)).marshal())
    assert connection.sent.endswith(b"question")


@pytest.mark.parametrize(("within", "do_wait"), [(3600.0, True), (0.0, False)])
async def test_only_where_many_come_do_they_wait_for_company(
    within: float, do_wait: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "_MANY_WITHIN", within)
    connection = Bare()
    connection.corked_for = 3600.0
    for tag in range(2 * frames._MANY):  # by the last of which it is known how quickly they come
        connection.ack(7, tag, multiple=False)
    await asyncio.sleep(0)
    connection.sent = b""

    connection.ack(7, 100, multiple=False)
    await asyncio.sleep(0)

    assert (connection.sent == b"") is do_wait


@pytest.mark.parametrize("step", [1, 7, 64, 10_000])
def test_messages_and_confirms_come_however_the_bytes_are_cut(step: int) -> None:
    connection = Bare()
    confirms: list[tuple[int, bool]] = []
    connection.on_confirm[7] = lambda tag, is_multiple: confirms.append((tag, is_multiple))
    frames = [
        *(Method(7, Basic.Ack(5)).marshal(), *delivery(b"one", tag=1), *delivery(b"two", tag=2)),
        *(
            Heartbeat().marshal(),
            Method(7, Basic.Ack(6, multiple=True)).marshal(),
            *delivery(b"three", tag=3),
        ),
    ]
    data = b"".join(frames)

    for at in range(0, len(data), step):
        connection._on_data_available(data[at : at + step])

    assert confirms == [(5, False), (6, True)]
    assert connection.bytes_received == len(data)
    assert connection._frame_buffer == b""
    # What does not come at once is for pika to put together.
    methods = [frame.method for frame in connection.told if isinstance(frame, Method)]
    headers = [frame.properties for frame in connection.told if isinstance(frame, Header)]
    bodies = [frame.fragment for frame in connection.told if isinstance(frame, Body)]
    pieces = zip(methods, headers, bodies, strict=True)
    connection.messages += [(m.delivery_tag, m.redelivered, p.id, body) for m, p, body in pieces]
    assert bool(methods) == (step < len(data))
    assert sorted(connection.messages) == [
        (1, False, "t1", b"one"),
        (2, True, "t2", b"two"),
        (3, False, "t3", b"three"),
    ]


@pytest.mark.parametrize("step", [1, 64, 1000, 100_000])
def test_stream_comes_many_at_once_however_the_bytes_are_cut(step: int) -> None:
    # Given what is alike but for tags, properties and bodies, and one each that is not, in the middle of it
    connection, stream = Bare(), Stream()
    connection._consumers["stream"] = stream
    odd: dict[int, dict[str, Any]] = {40: {"is_again": True}, 60: {"consumer": "mine"}, 80: {"channel": 8}}
    sizes = {20: FRAME_MAX + 1, 30: FRAME_MAX, 50: 0}
    bodies = [b"%03d" % n + b"x" * (sizes.get(n, n % 7) - 3) if n != 50 else b"" for n in range(100)]
    frames: list[bytes] = []
    for n, body in enumerate(bodies):
        more: dict[str, Any] = {"consumer": "stream", "is_again": False, **odd.get(n, {})}
        frames += delivery(body, tag=10_000 + n, **more)
        frames += [Heartbeat().marshal()] if n == 70 else []
    data = b"".join(frames)
    # When it comes
    for at in range(0, len(data), step):
        connection._on_data_available(data[at : at + step])
    # Then each is there once, in its order, but for what is not this consumer's or is for pika to put together
    theirs = [frame.fragment for frame in connection.told if isinstance(frame, Body)]
    own = [body for n, body in enumerate(bodies) if n not in {20, 60, 80} and body not in theirs]
    if step == 100_000:
        assert stream.bodies == [body for n, body in enumerate(bodies) if n not in {20, 50, 60, 80}]
        assert stream.at_once > 80
        assert stream.last == (10_099, "t10099")
    assert [body for body in stream.bodies if body] == [body for body in own if body]
    assert connection._frame_buffer == b""


@pytest.mark.parametrize("which", [3, 4, 5])
def test_frames_of_a_stream_without_their_end_are_refused(which: int) -> None:
    connection = Bare()
    connection._consumers["mine"] = Stream()
    frames = [*delivery(b"one", tag=1, is_again=False), *delivery(b"two", tag=3, is_again=False)]
    frames[which] = frames[which][:-1] + b"\0"

    with pytest.raises(InvalidFrameError):
        connection._on_data_available(b"".join(frames))


@pytest.mark.parametrize(
    "frames",
    [
        delivery(b""),
        delivery(b"x" * (FRAME_MAX + 1)),
        delivery(b"x", consumer="another"),
        delivery(b"x", channel=8),
        [delivery(b"x")[0], Heartbeat().marshal(), *delivery(b"x")[1:]],
        [*delivery(b"x")[:2], Method(9, Basic.Ack(1)).marshal(), delivery(b"x")[2]],
        [Method(7, Basic.Nack(1)).marshal(), Method(9, Basic.Ack(1)).marshal()],
    ],
    ids=[
        "empty",
        "many frames",
        "no consumer",
        "no channel",
        "heartbeat inside",
        "other channel",
        "no confirm",
    ],
)
def test_all_that_is_out_of_the_ordinary_is_told_pika_frame_by_frame(frames: list[bytes]) -> None:
    connection = Bare()

    connection._on_data_available(b"".join(frames))

    assert connection.messages == []
    assert [type(frame) for frame in connection.told] == [
        type(pika.frame.decode_frame(data)[1]) for data in frames
    ]


@pytest.mark.parametrize("which", [0, 1, 2])
def test_frames_without_their_end_are_refused(which: int) -> None:
    frames = delivery(b"one")
    frames[which] = frames[which][:-1] + b"\0"

    with pytest.raises(InvalidFrameError):
        Bare()._on_data_available(b"".join(frames))


def test_broker_that_wants_another_protocol_is_no_frame() -> None:
    connection = Bare()
    connection._on_data_available(b"AMQP\0\1\0\0")
    assert [frame.frame_type for frame in connection.told] == [-1]


def test_properties_are_read_wherever_they_are() -> None:
    everything = pika.BasicProperties(
        *("text/plain", "gzip", {"x": 1, "warrener": "{}"}, 2, 7, "correlation", "reply", "1000", "me"),
        *(1, "type", "user", "app", "cluster"),
    )
    found = Properties(b"".join(everything.encode()))
    assert (found.id, found.priority, found.record, found.header("x"), found.lost) == ("me", 7, "{}", 1, 0)

    nothing = Properties(struct.pack(">H", 0))
    assert (nothing.id, nothing.priority, nothing.record, nothing.header("x"), nothing.lost) == (
        "",
        None,
        None,
        None,
        0,
    )
