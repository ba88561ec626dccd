"""Every broker in turn: whoever adds one adds it here."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

import pytest

from warrener.address import Address
from warrener.brokers import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

SHARED = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("sqlite", "rabbitmq")]


@pytest.fixture(autouse=True)
def _few(few_delays: None) -> None:
    """In all tests here."""


@pytest.fixture
def memory_address() -> Iterator[Address]:
    """A queue of the test's own in this process, not yet declared."""
    address = Address(f"memory:{uuid.uuid4().hex}", "test")
    yield address
    asyncio.run(_delete(address))


@pytest.fixture(params=["memory", *SHARED])
def address(request: pytest.FixtureRequest) -> Address:
    """A queue of the test's own, on each broker in turn."""
    found: Address = request.getfixturevalue(
        {"memory": "memory_address", "sqlite": "sqlite_address", "rabbitmq": "rabbit_address"}[request.param]
    )
    return found


@pytest.fixture(params=SHARED)
def shared_address(request: pytest.FixtureRequest) -> Address:
    """The same, on each broker that other processes can reach."""
    found: Address = request.getfixturevalue(
        {"sqlite": "sqlite_address", "rabbitmq": "rabbit_address"}[request.param]
    )
    return found


async def _delete(address: Address) -> None:
    async with connect(address) as broker:
        await broker.delete()
