from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.batch import eventually
from warrener import Publisher, publisher
from warrener.errors import QueueMismatch
from warrener.publisher import Position

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from warrener.address import Address
    from warrener.brokers import Broker


def is_open(path: Path) -> bool:
    descriptors = Path("/proc/self/fd").iterdir()
    return str(path) in {str(descriptor.readlink()) for descriptor in descriptors if descriptor.is_symlink()}


async def test_publisher_that_finds_the_queue_wrong_leaves_nothing_open(
    sqlite_address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ensure(broker: Broker, delays: Sequence[int]) -> None:
        await broker.declare(delays)
        assert is_open(sqlite_address.path)
        raise QueueMismatch("other arguments")

    monkeypatch.setattr(publisher, "ensure", ensure)
    with pytest.raises(QueueMismatch):
        async with Publisher(sqlite_address.broker, sqlite_address.queue):
            pass

    assert not is_open(sqlite_address.path)


async def test_publisher_that_is_cancelled_while_it_opens_leaves_nothing_open(
    sqlite_address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ensure(broker: Broker, delays: Sequence[int]) -> None:
        await broker.declare(delays)
        await asyncio.Event().wait()

    async def has_opened() -> bool:
        return is_open(sqlite_address.path)

    monkeypatch.setattr(publisher, "ensure", ensure)
    opening = asyncio.create_task(Publisher(sqlite_address.broker, sqlite_address.queue).__aenter__())
    await eventually(has_opened)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening

    assert not is_open(sqlite_address.path)


def test_stop_while_a_line_is_noted_skips_it_never() -> None:
    position = Position()
    seen = []

    def look(frame: FrameType, event: str, _: object) -> Any:
        if event == "line" and frame.f_code is Position.note.__code__:
            seen.append(position.resume_line)
        return look

    sys.settrace(look)
    try:
        position.note(1)
    finally:
        sys.settrace(None)

    assert len(seen) >= 2
    assert set(seen) == {1}


def test_line_that_is_noted_while_somebody_asks_is_skipped_never() -> None:
    steps = 0

    def asked_while_noted(at: int) -> int:
        nonlocal steps
        position, steps = Position(), 0

        def step(frame: FrameType, event: str, _: object) -> Any:
            nonlocal steps
            frame.f_trace_opcodes = True
            if event == "opcode":
                steps += 1
                if steps == at:
                    position.note(1)
            return step

        code = type(position).resume_line.fget.__code__  # type: ignore[attr-defined]
        sys.settrace(lambda frame, event, _: step(frame, event, None) if frame.f_code is code else None)
        try:
            return position.resume_line
        finally:
            sys.settrace(None)

    asked_while_noted(0)
    count = steps
    assert count > 4
    assert {asked_while_noted(at) for at in range(1, count + 1)} == {1}
