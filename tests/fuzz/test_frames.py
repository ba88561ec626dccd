"""Frames between the supervisor and its children: nothing is lost on the way, however the bytes come."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warrener.codec import encode, open_envelope
from warrener.handler import Handler
from warrener.models import Task
from warrener.retry import RetryPolicy
from warrener.worker import frames
from warrener.worker.child.reports import _seconds
from warrener.worker.frames import NoFrame, Report, Unpacker, WorkBatch, WorkItem, pack

unicode = st.text(st.characters(codec="utf-8"))
data = st.dictionaries(
    unicode,
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | unicode,
        lambda inner: st.lists(inner) | st.dictionaries(unicode, inner),
        max_leaves=10,
    ),
)
reports = st.builds(
    Report,
    st.integers(0, 2**63 - 1),
    st.sampled_from(["completed", "failed", "permanent", "invalid"]),
    st.floats(allow_nan=False),
    st.floats(allow_nan=False),
    st.integers(0, 2**63 - 1),
    st.binary(),
    unicode,
    unicode,
    unicode,
    st.none() | st.floats(allow_nan=False),
)


def _whole(task: Task, **rest: object) -> None: ...


WHOLE = Handler("whole", _whole, policy=RetryPolicy())


@pytest.mark.parametrize("small", [20, frames.READ])
@given(st.lists(st.binary(max_size=50) | st.binary(min_size=250, max_size=300), max_size=8), st.data())
def test_any_split_of_the_stream_gives_the_same_frames(
    small: int, bodies: list[bytes], more: st.DataObject
) -> None:
    stream = b"".join(map(pack, bodies))
    cuts = sorted(more.draw(st.lists(st.integers(0, len(stream)), max_size=20)))

    unpacker = Unpacker(msgspec.msgpack.Decoder(bytes))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frames, "READ", small)
        found = [
            frame
            for start, end in pairwise([0, *cuts, len(stream)])
            for frame in unpacker.feed(stream[start:end])
        ]

    assert found == bodies


@given(st.lists(st.integers(0, 300_000), max_size=4))
def test_messages_of_any_size_come_over_a_socket_one_by_one(sizes: list[int]) -> None:
    bodies = [bytes([number]) * size for number, size in enumerate(sizes)]
    ours, theirs = socket.socketpair()
    with ours, theirs:

        def send() -> None:
            ours.sendall(b"".join(map(pack, bodies)))
            ours.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        unpacker = Unpacker(msgspec.msgpack.Decoder(bytes))
        found: list[bytes] = []
        while (messages := unpacker.receive(theirs)) is not None:
            found += messages
        sender.join()
    assert found == bodies


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=60), data, st.integers(0, 9))
def test_task_reaches_its_handler_as_it_was_published(
    task_id: str, arguments: dict[str, Any], priority: int
) -> None:
    envelope = open_envelope(encode(Task(task_id, "whole", arguments, priority)), "", None)
    item = WorkItem(1, envelope.type, envelope.id, envelope.priority or 0, bytes(envelope.data))

    (batch,) = Unpacker(msgspec.msgpack.Decoder(WorkBatch)).feed(pack(WorkBatch([item])))
    (received,) = batch.items
    bound = WHOLE.bind(received.id, received.type, received.priority, received.data)

    assert received == item
    assert bound.pop("task") == Task(task_id, "whole", arguments, priority)
    assert bound == {name: value for name, value in arguments.items() if name != "task"}


@given(reports)
def test_report_comes_as_it_was_sent(report: Report) -> None:
    (received,) = Unpacker(msgspec.msgpack.Decoder(Report)).feed(pack(report))
    assert received == report


@given(st.binary(min_size=1))
def test_whatever_a_handler_writes_to_its_socket_is_messages_or_no_frame(garbage: bytes) -> None:
    with suppress(NoFrame):
        list(Unpacker(msgspec.msgpack.Decoder(Report)).feed(garbage))


@given(st.none() | st.integers() | st.floats() | st.text() | st.just(10**400) | st.just(object()))
def test_delay_that_a_handler_asks_for_is_seconds_or_none(after: object) -> None:
    assert isinstance(_seconds(after), float | None)
