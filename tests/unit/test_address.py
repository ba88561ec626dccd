from __future__ import annotations

import pytest

from warrener.address import Address
from warrener.errors import UsageError


@pytest.mark.parametrize(
    "queue", ["", "a b", "-a", "amq.x", "q.results", "q.failed", "q.outcomes", "q.delay.5", "x" * 201]
)
def test_wrong_queue_names_are_refused(queue: str) -> None:
    with pytest.raises(UsageError, match="queue name"):
        Address(queue=queue)


@pytest.mark.parametrize("broker", ["http://host", "amqp://", "amqp://host:99999", "amqp://host:x", "host"])
def test_wrong_addresses_are_refused_without_repeating_them(broker: str) -> None:
    with pytest.raises(UsageError, match="use amqp://") as caught:
        Address(broker.replace("://", "://user:secret@"))
    assert "secret" not in str(caught.value)


def test_shown_address_has_no_password() -> None:
    address = Address("amqp://user:secret@host:5673/team")
    assert address.shown == "amqp://host:5673/team"
    assert address.credentials == ("user", "secret")
    assert address.vhost == "team"
    assert address.management_url == "http://host:15672"
    assert "secret" not in address.flags()
