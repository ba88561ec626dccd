"""The quick part of the chaos suite: `make chaos` has the whole."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.chaos import arenas
from tests.chaos.fault import EMBEDDED, RABBITMQ, Fault
from tests.chaos.suite import FAULTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.chaos.trial import Arena
    from tests.rabbitmq_server import RabbitMQ


@pytest.fixture(scope="module")
def server() -> Iterator[RabbitMQ]:
    with arenas.node() as node:
        yield node


@pytest.fixture
async def rabbitmq_arena(server: RabbitMQ) -> AsyncIterator[Arena]:
    async with arenas.ours(server) as arena:
        yield arena


@pytest.fixture
def chance() -> random.Random:
    seed = random.randrange(10**6)
    print(f"seed {seed}")  # noqa: T201 - shown when it fails
    return random.Random(seed)


def _quick(broker: str) -> pytest.MarkDecorator:
    """Those that are quick on this broker; among the long tests, those that are so on another one."""
    return pytest.mark.parametrize(
        "fault",
        [
            pytest.param(
                fault,
                id=fault.name.replace(" ", "-"),
                marks=[] if broker in fault.quick_on else [pytest.mark.long],
            )
            for fault in FAULTS
            if fault.quick_on and broker in fault.on
        ],
    )


@_quick(EMBEDDED)
async def test_on_the_embedded_broker(fault: Fault, tmp_path: Path, chance: random.Random) -> None:
    async with arenas.embedded() as arena:
        row = await fault.try_on(arena, tmp_path, chance)
    assert row.is_good, row


@_quick(RABBITMQ)
async def test_on_rabbitmq(
    fault: Fault, rabbitmq_arena: Arena, tmp_path: Path, chance: random.Random
) -> None:
    row = await fault.try_on(rabbitmq_arena, tmp_path, chance)
    assert row.is_good, row
