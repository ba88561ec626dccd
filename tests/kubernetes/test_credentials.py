"""Users as Secrets keep them, whatever else is in there; and queues that are not there."""

from __future__ import annotations

import base64
import copy
from typing import TYPE_CHECKING

import pytest

from tests.kubernetes.brokers import keep_secret, quiet
from tests.kubernetes.double import Double
from tests.kubernetes.specs import small_spec
from warrener.errors import ObjectMissing
from warrener.kubernetes.operations.credentials import Login, give_passwords, login
from warrener.kubernetes.operations.install import prepare
from warrener.kubernetes.operations.reach import queue_of, reached

if TYPE_CHECKING:
    from warrener.kubernetes.objects import Object


async def test_no_broker_in_the_namespace() -> None:
    with pytest.raises(
        ObjectMissing,
        match=r"no broker in namespace batch \(no Secret warrener-rabbitmq-admin\).*warrener k8s up",
    ):
        await prepare(Double(), small_spec(), [], quiet)


async def test_no_such_queue() -> None:
    with pytest.raises(
        ObjectMissing,
        match="there is no queue 'images' in namespace batch: make it with `warrener k8s up --queue images",
    ):
        async with queue_of(Double(), "images"):
            pass


@pytest.mark.parametrize(
    "entries", [{"url": "amqp://host/jobs"}, {"username": "me", "password": "it"}, {"other": "key"}]
)
async def test_a_secret_without_a_user(entries: dict[str, str]) -> None:
    cluster = Double()
    keep_secret(cluster, "mq", **entries)

    with pytest.raises(ObjectMissing, match="Secret mq has no user, password and host: it needs the key url"):
        await login(cluster, "mq")


async def test_what_is_no_text_in_a_secret_is_left_alone() -> None:
    cluster = Double()
    keep_secret(cluster, "mq", url="amqp://me:pw@mq.example.com/jobs")
    cluster.objects["Secret", "mq"]["data"]["keystore.p12"] = base64.b64encode(b"\xff\xfe").decode()

    assert (await login(cluster, "mq")) == Login(
        "me", "pw", "mq.example.com", "amqp://me:pw@mq.example.com/jobs", "jobs"
    )


async def test_a_secret_with_an_address_that_is_none() -> None:
    cluster = Double()
    keep_secret(cluster, "mq", url="amqp://me:pw@[::1/jobs")

    with pytest.raises(
        ObjectMissing, match=r"^Secret mq has an address that cannot be read: mend its key url$"
    ):
        await login(cluster, "mq")


async def test_secrets_of_all_shapes() -> None:
    cluster = Double()
    keep_secret(cluster, "url", url="amqp://m%40e:p%2Fw@mq.example.com/j%2Fobs")
    operators = {"username": "u", "password": "p", "host": "mq.batch.svc", "port": "5672"}
    keep_secret(cluster, "operator", **operators, connection_string="amqp://u:p@mq.batch.svc:5672/")

    assert await login(cluster, "nothing") is None
    one, other = await login(cluster, "url"), await login(cluster, "operator")
    assert one
    assert (one.username, one.password, one.host, one.vhost) == ("m@e", "p/w", "mq.example.com", "j/obs")
    assert other
    assert (other.username, other.host, other.vhost) == ("u", "mq.batch.svc", "warrener")


async def test_a_host_that_is_no_service_here_is_reached_directly() -> None:
    cluster = Double()
    who = Login(
        "me", "pw", "mq.other.svc", "amqps://me:pw@mq.other.svc/jobs?cacertfile=/etc/warrener/ca/ca.crt"
    )
    async with reached(cluster, who, "images") as address:
        assert address.broker == "amqps://me:pw@mq.other.svc/jobs"  # where the pods' authority is not
    who = Login("me", "pw", "mq", "amqps://me:pw@mq/jobs?cacertfile=mine.crt")
    async with reached(cluster, who, "images") as address:
        assert address.broker == "amqps://me:pw@mq/jobs?cacertfile=mine.crt"


async def test_passwords_that_somebody_else_makes_at_the_same_moment_are_taken() -> None:
    class Meanwhile(Double):
        async def create(self, obj: Object) -> Object:
            obj = copy.deepcopy(obj)
            other = {**obj, "data": {**obj["data"], "password": base64.b64encode(b"theirs").decode()}}
            await super().create(other)
            return await super().create(obj)

    users = await give_passwords(Meanwhile(), small_spec())

    assert users["setup"] == ("images-setup", "theirs")
    assert {password for _, password in users.values()} == {"theirs"}
