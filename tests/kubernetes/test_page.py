"""The page of a namespace's queues."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest

from tests.batch import publish, task
from tests.kubernetes.double import Double
from tests.kubernetes.specs import PASSWORDS, small_spec
from warrener.cli.k8s.ui import house_of
from warrener.errors import ObjectMissing
from warrener.kubernetes.manifests.names import object_names
from warrener.kubernetes.manifests.users import access_secrets

if TYPE_CHECKING:
    from warrener.address import Address


async def test_it_lists_the_queues_and_opens_each_as_its_own_user(rabbit_address: Address) -> None:
    await publish(rabbit_address, [task("echo", "a")])
    cluster, queue = Double(), rabbit_address.queue
    for secret in access_secrets(small_spec(queue=queue), PASSWORDS):
        cluster.objects["Secret", secret["metadata"]["name"]] = secret
    url = urlsplit(rabbit_address.broker)
    cluster.objects["Secret", object_names(queue).secret("setup")]["data"] |= _entries(
        url=rabbit_address.broker,
        host=url.hostname or "",
        username=url.username or "",
        password=url.password or "",
        vhost=unquote(url.path[1:]),
    )
    house = house_of(cluster, None, can_act=False)

    assert (house.shown, await house.names()) == ("k8s:batch", [queue])
    async with house.open(queue) as broker:
        assert (await broker.counts()).ready == 1
    with pytest.raises(ObjectMissing, match="no queue 'other'"):
        async with house.open("other"):
            pass


def _entries(**entries: str) -> dict[str, str]:
    return {name: b64encode(value.encode()).decode() for name, value in entries.items()}
