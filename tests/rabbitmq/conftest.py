"""A RabbitMQ that may be broken."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec
import pytest
import trustme

from tests.chaos.proxy import Proxy
from tests.rabbitmq_server import RabbitMQ
from warrener.address import Address

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

SMALL_LIMIT: Final = 2_000_000
_CONFIG: Final = f"""\
consumer_timeout = 5000
max_message_size = {SMALL_LIMIT}
"""


@pytest.fixture(autouse=True)
def _few(few_delays: None) -> None:
    """In all tests here."""


@pytest.fixture(scope="package")
def authority() -> trustme.CA:
    """Who vouches for it."""
    return trustme.CA()


@pytest.fixture(scope="package")
def server(authority: trustme.CA) -> Iterator[RabbitMQ]:
    """Its consumer timeout is shorter than a task, and its messages must be small; it speaks TLS, too."""
    issued = authority.issue_cert("127.0.0.1")
    chain = b"".join(each.bytes() for each in issued.cert_chain_pems)
    server = RabbitMQ(extra_config=_CONFIG, in_memory=True)
    server.serve_tls(chain, issued.private_key_pem.bytes())
    with server:
        yield server


@pytest.fixture
async def proxy(rabbit_address: Address) -> AsyncIterator[Proxy]:
    """Between a test and its queue, to be broken."""
    url = urlsplit(rabbit_address.broker)
    async with Proxy([(url.hostname or "", url.port or 5672)]) as proxy:
        yield proxy


@pytest.fixture
def far(rabbit_address: Address, proxy: Proxy) -> Address:
    """The queue through the proxy."""
    url = urlsplit(rabbit_address.broker)
    there = url._replace(netloc=f"{url.username}:{url.password}@127.0.0.1:{proxy.port}")
    return msgspec.structs.replace(rabbit_address, broker=there.geturl())


@pytest.fixture
def breakable(server: RabbitMQ) -> Address:
    """A queue of the test's own on it, not yet declared."""
    return Address(server.url, f"test-{uuid.uuid4().hex[:12]}", server.management_url)
