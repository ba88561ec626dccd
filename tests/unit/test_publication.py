"""What becomes of publishing whose notes cannot be written."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
import uuid
from typing import TYPE_CHECKING, NoReturn

import pytest

from tests.batch import PATIENCE
from warrener import publication
from warrener.address import Address
from warrener.brokers import connect
from warrener.errors import BrokerError, BrokerUnreachable
from warrener.journal import Begun
from warrener.models import Task
from warrener.publication import Publication
from warrener.sources import Line

if TYPE_CHECKING:
    from collections.abc import Iterator


async def refuse(*_: object) -> NoReturn:
    raise BrokerError("no more notes")


def endless() -> Iterator[Line]:
    for number in itertools.count(1):
        yield Line(number, Task(str(number), "echo", {}))
        time.sleep(0.001)  # in a thread of its own


async def test_publishing_goes_on_while_nobody_is_there_to_note_it(monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[bytes] = []
    tries = itertools.count()
    has_ended = threading.Event()

    async def note(_: object, __: str, marks: list[bytes]) -> None:
        if next(tries) < 2:
            raise BrokerUnreachable("the broker is restarted")
        noted.extend(marks)
        has_ended.set()

    def until_noted() -> Iterator[Line]:
        for line in endless():
            yield line
            if has_ended.is_set():
                return

    monkeypatch.setattr(publication, "NOTE_EVERY", 0.01)
    monkeypatch.setattr("warrener.published.note_published", note)
    publishing = Publication(Begun("run", "here:/tasks.jsonl", 0.0))
    async with connect(Address(f"memory:{uuid.uuid4().hex}", "test")) as broker:
        await broker.declare([])
        await publishing.begin(broker)
        async with asyncio.timeout(PATIENCE):
            await publishing.publish(broker, until_noted())

    assert len(noted) == publishing.confirmed


async def test_publishing_ends_when_it_cannot_be_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warrener.published.note_published", refuse)
    publishing = Publication(Begun("run", "here:/tasks.jsonl", 0.0))
    async with connect(Address(f"memory:{uuid.uuid4().hex}", "test")) as broker:
        await broker.declare([])
        await publishing.begin(broker)

        with pytest.raises(BrokerError, match="no more notes"):
            await publishing.publish(broker, endless())
