"""What becomes of publishing whose notes cannot be written."""

from __future__ import annotations

import itertools
import time
import uuid
from typing import TYPE_CHECKING, NoReturn

import pytest

from warrener import publication
from warrener.address import Address
from warrener.brokers import connect
from warrener.errors import BrokerError
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


async def test_publishing_ends_when_it_cannot_be_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publication, "note_published", refuse)
    publishing = Publication(Begun("run", "here:/tasks.jsonl", 0.0))
    async with connect(Address(f"memory:{uuid.uuid4().hex}", "test")) as broker:
        await broker.declare([])
        await publishing.begin(broker)

        with pytest.raises(BrokerError, match="no more notes"):
            await publishing.publish(broker, endless())
