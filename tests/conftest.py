"""The brokers that tests talk to: a file of their own, and a real RabbitMQ.

`WARRENER_FUZZ=long pytest tests/fuzz` goes on for hours, and tries something new each time.
"""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING, Any, Final

import pika
import pytest
from hypothesis import HealthCheck, settings

from tests.batch import DELAYS
from tests.forked.fork_server import use_none, use_template
from tests.operator import Operator
from tests.place import Place
from tests.rabbitmq_server import OLDEST, RabbitMQ
from tests.schedule import Scheduler
from warrener.address import Address
from warrener.brokers.names import Names
from warrener.brokers.rabbitmq.topology import OUTPUT_KEY, exchanges, queue_arguments
from warrener.retry import RetryPolicy, delay_schedule

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# In each directory, whichever are run: an example has no deadline, and takes as long as a busy machine makes it take,
# the making of values included.
_PATIENT: Final = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", _PATIENT, derandomize=True, max_examples=100, database=None)
settings.register_profile("long", _PATIENT, max_examples=20_000)
settings.load_profile(os.environ.get("WARRENER_FUZZ", "ci"))

# Images of Python may set it; users' streams have buffers, and so have those of what tests start.
os.environ.pop("PYTHONUNBUFFERED", None)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduler:
    """What runs where, with several processes."""
    return Scheduler(config, log)


@pytest.fixture(scope="session", autouse=True)
def _forked_fork_servers() -> None:
    """Workers in this process start in a tenth of the time; those of commands that are begun afresh do not."""
    use_template()


@pytest.fixture
def fresh_fork_servers() -> Iterator[None]:
    """As users have them."""
    use_none()
    yield
    use_template()


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[tuple[str, str]]:
    """URL and management URL of a RabbitMQ; without one the tests fail with a sentence that says how to get it."""
    url = os.environ.get("WARRENER_TEST_BROKER")
    if url:
        yield url, os.environ.get("WARRENER_TEST_MANAGEMENT", "")
        return
    with RabbitMQ(in_memory=True) as server:
        yield server.url, server.management_url


@pytest.fixture
def rabbit_address(rabbitmq: tuple[str, str]) -> Iterator[Address]:
    """A queue of the test's own on RabbitMQ, not yet declared."""
    url, management = rabbitmq
    address = Address(url, f"test-{uuid.uuid4().hex[:12]}", management or None)
    yield address
    delete_queue(address)


@pytest.fixture
def few_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is declared in this process has one of the six delays that every queue has: each takes time to make."""
    monkeypatch.setattr("warrener.retry.COMMON_DELAYS", (DELAYS[-1],))
    for module in ("admin", "counting"):
        monkeypatch.setattr(f"warrener.brokers.rabbitmq.{module}.DEFAULT_DELAYS", tuple(DELAYS))


@pytest.fixture
def operator(rabbitmq: tuple[str, str]) -> Operator:
    """The administrator of the RabbitMQ that all tests share: what is done to more than a test's own breaks others."""
    return Operator(*rabbitmq)


@pytest.fixture
def sqlite_address(tmp_path: Path) -> Address:
    """A queue of the test's own in a file, not yet declared."""
    return Address(f"sqlite:{tmp_path / 'queue.db'}", "test")


@pytest.fixture(params=["sqlite", "rabbitmq"])
def address(request: pytest.FixtureRequest) -> Address:
    """A queue of the test's own, on each broker in turn."""
    found: Address = request.getfixturevalue(
        "sqlite_address" if request.param == "sqlite" else "rabbit_address"
    )
    return found


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A directory, on the embedded broker."""
    with Place(tmp_path) as place:
        yield place


def delete_queue(address: Address) -> None:
    """Delete what a queue has; by its names, since to ask which there are takes longer than all of it."""
    names = Names(address.queue)
    delays = {*DELAYS, *delay_schedule([RetryPolicy()])}
    with pika.BlockingConnection(pika.URLParameters(address.broker)) as connection:
        channel = connection.channel()
        for queue in (*queue_arguments(names, OLDEST, [*delays]), names.log(OUTPUT_KEY)):
            channel.queue_delete(queue)
        for exchange in exchanges(names):
            channel.exchange_delete(exchange)
