"""A RabbitMQ that may be broken."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

import pytest
import trustme

from tests.rabbitmq_server import RabbitMQ
from warrener.address import Address

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    server = RabbitMQ(extra_config=_CONFIG)
    server.serve_tls(chain, issued.private_key_pem.bytes())
    with server:
        yield server


@pytest.fixture
def breakable(server: RabbitMQ) -> Address:
    """A queue of the test's own on it, not yet declared."""
    return Address(server.url, f"test-{uuid.uuid4().hex[:12]}", server.management_url)
