"""What users may do, tried on a real RabbitMQ that was started with the definitions."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import pika
import pytest
from pika.exceptions import ChannelClosedByBroker

from tests.batch import DELAYS, drain, failures, results, task
from tests.kubernetes.specs import PASSWORDS, SPECS, small_spec
from tests.rabbitmq_server import RabbitMQ
from tests.rabbitmq_server.sources import find
from warrener.address import Address
from warrener.brokers import connect
from warrener.brokers.rabbitmq.access import permissions
from warrener.kubernetes.manifests.names import ADMIN
from warrener.kubernetes.manifests.render import render
from warrener.kubernetes.manifests.statefulset import settings
from warrener.kubernetes.manifests.users import (
    DEFINITIONS,
    access_secrets,
    definitions,
    password_hash,
    user_name,
)
from warrener.retry import RetryPolicy, delay_schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pika.adapters.blocking_connection import BlockingChannel

# A dot in the name, to see that patterns take it for a dot.
SPEC: Final = small_spec(queue="images.v2")
Q: Final = SPEC.queue


def is_hash_of(packed: str, password: str) -> bool:
    """RabbitMQ's guide on passwords: base64 of four bytes of salt and the SHA-256 of the salt and the password."""
    salt, digest = base64.b64decode(packed)[:4], base64.b64decode(packed)[4:]
    return digest == hashlib.sha256(salt + password.encode()).digest()


def test_password_hash_is_as_rabbitmq_documents_it() -> None:
    assert is_hash_of("kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR", "test12")  # the guide's own example
    assert is_hash_of(password_hash("test12"), "test12")
    assert password_hash("test12") != password_hash("test13")


def test_permissions_are_those_of_the_part() -> None:
    assert {part: tuple(may) for part, may in permissions("a.b").items()} == {
        "setup": (r"^a\.b(\..*)?$", r"^a\.b(\..*)?$", r"^a\.b(\..*)?$", ("management",)),
        "producer": ("^$", r"^a\.b$", "^$", ()),
        "worker": ("^$", r"^a\.b\.(outcomes|beats)$", r"^a\.b(\.delay\.\d+|\.journal)?$", ()),
        "collector": ("^$", "^$", r"^a\.b\.(results|failed|journal|logs)$", ()),
        "operator": (
            r"^a\.b\.beats\..+$",
            r"^a\.b\.(control|beats\..+)$",
            r"^a\.b(\..*)?$",
            ("management",),
        ),
        "watcher": (r"^a\.b\.beats\..+$", r"^a\.b\.beats\..+$", r"^a\.b(\..*)?$", ("management",)),
    }


def entries(name: str, secret: str) -> dict[str, str]:
    wanted, parts = SPECS[name]
    (found,) = [each for each in render(wanted, parts, PASSWORDS) if each["metadata"]["name"] == secret]
    return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}


def test_secrets_say_all_that_a_part_needs() -> None:
    assert entries("secrets", "images-worker") == {
        "url": "amqp://images-worker:password-of-worker@warrener-rabbitmq.batch.svc:5672/warrener",
        "username": "images-worker",
        "password": "password-of-worker",
        "host": "warrener-rabbitmq.batch.svc",
        "port": "5672",
        "vhost": "warrener",
    }
    assert entries("secrets", "images-watcher")["management"] == "http://warrener-rabbitmq.batch.svc:15672"
    assert (
        entries("secrets-tls", "images-watcher")["management"] == "https://warrener-rabbitmq.batch.svc:15671"
    )
    assert entries("secrets-tls", "images-worker")["url"].startswith("amqps://images-worker:")
    assert entries("secrets-existing", "images-worker")["url"] == (
        "amqps://images-worker:password-of-worker@mq.example.com:5671/jobs"
    )
    assert entries("secrets", "warrener-rabbitmq-admin")["username"] == "admin"


@pytest.mark.parametrize(
    ("address", "port"), [("amqp://[2001:db8::1]/jobs", "5672"), ("amqps://[2001:db8::1]:99/jobs", "99")]
)
def test_an_address_of_ipv6_keeps_its_brackets(address: str, port: str) -> None:
    wanted = small_spec(rabbitmq="existing", broker_secret="mq", broker_address=address)

    for secret in render(wanted, ["secrets"], PASSWORDS):
        data = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
        assert f"@[2001:db8::1]:{port}/jobs" in data["url"]
        assert data["host"] == "2001:db8::1"
        assert data.get("management", "//[2001:db8::1]:").split("//")[1].startswith("[2001:db8::1]:")


@pytest.fixture(scope="module")
def server() -> Iterator[RabbitMQ]:
    """A node that was blank before it read our definitions, with the settings of our manifests."""
    node = RabbitMQ(in_memory=True)
    home = find().home(node.directory)
    own = urlsplit(node.url)
    found = definitions(SPEC, PASSWORDS)
    # The server's own administrator: with definitions, RabbitMQ makes no user by itself.
    found["users"].append(
        {
            "name": own.username,
            "password_hash": password_hash(own.password or ""),
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": ["administrator"],
        }
    )
    (node.directory / DEFINITIONS).write_text(json.dumps(found))
    node.extra_config = "\n".join(
        line.replace("/etc/rabbitmq/definitions", home)
        for line in settings(SPEC).splitlines()
        if not line.startswith(("listeners.", "management.", "disk_free_limit.", "log."))
    )
    with node:
        yield node


def address(server: RabbitMQ, part: str) -> Address:
    user = ADMIN if part == ADMIN else user_name(Q, part)
    port = urlsplit(server.url).port
    return Address(f"amqp://{user}:{PASSWORDS[part]}@127.0.0.1:{port}/warrener", Q, server.management_url)


@pytest.fixture
def channel(server: RabbitMQ, part: str) -> Iterator[BlockingChannel]:
    connection = pika.BlockingConnection(pika.URLParameters(address(server, part).broker))
    channel = connection.channel()
    channel.confirm_delivery()
    yield channel
    connection.close()


def publish(exchange: str, key: str) -> Callable[[BlockingChannel], Any]:
    return lambda channel: channel.basic_publish(exchange, key, b"{}", mandatory=True)


def look(queue: str) -> Callable[[BlockingChannel], Any]:
    return lambda channel: channel.queue_declare(queue, passive=True)


def consume(queue: str) -> Callable[[BlockingChannel], Any]:
    def do(channel: BlockingChannel) -> None:
        channel.basic_qos(prefetch_count=1)
        channel.basic_cancel(channel.basic_consume(queue, lambda *_: None))

    return do


def declare(channel: BlockingChannel) -> Any:
    return channel.queue_declare(f"{Q}.delay.1", durable=True, arguments={"x-queue-type": "quorum"})


def listen(channel: BlockingChannel) -> None:
    own = channel.queue_declare(f"{Q}.beats.own", exclusive=True, auto_delete=True).method.queue
    channel.queue_bind(own, f"{Q}.beats")
    channel.basic_cancel(channel.basic_consume(own, lambda *_: None))


ACTS: Final[dict[str, Callable[[BlockingChannel], Any]]] = {
    "publish a task": publish(Q, "work"),
    "publish a result": publish(f"{Q}.outcomes", "results"),
    "publish a failure": publish(f"{Q}.outcomes", "failed"),
    "publish a delay": publish(f"{Q}.outcomes", "delay.1000"),
    "tell what runs": lambda channel: channel.basic_publish(f"{Q}.beats", "", b"{}"),
    "hear what runs": listen,
    "publish past the exchange": publish("", Q),
    "consume tasks": consume(Q),
    "consume results": consume(f"{Q}.results"),
    "consume failures": consume(f"{Q}.failed"),
    "consume a delay": consume(f"{Q}.delay.1000"),
    "read the journal": consume(f"{Q}.journal"),
    "write the journal past the exchange": publish("", f"{Q}.journal"),
    "look at tasks": look(Q),
    "look at a delay": look(f"{Q}.delay.1000"),
    "look at results": look(f"{Q}.results"),
    "declare a queue": declare,
    "purge tasks": lambda channel: channel.queue_purge(Q),
    "delete tasks": lambda channel: channel.queue_delete(Q),
    "touch another queue": consume("imagesXv2"),
}
ALLOWED: Final = {
    "producer": {"publish a task", "look at tasks"},
    "worker": {
        "publish a result",
        "publish a failure",
        "publish a delay",
        "tell what runs",
        "consume tasks",
        "consume a delay",
        "read the journal",
        "look at tasks",
        "look at a delay",
        "purge tasks",
    },
    "collector": {"consume results", "consume failures", "read the journal", "look at results"},
    "watcher": {
        "hear what runs",
        "consume tasks",
        "consume results",
        "consume failures",
        "consume a delay",
        "read the journal",
        "look at tasks",
        "look at a delay",
        "look at results",
        "purge tasks",
    },
}


@pytest.fixture(scope="module", autouse=True)
def other_queue(server: RabbitMQ) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(address(server, ADMIN).broker))
    connection.channel().queue_declare("imagesXv2", durable=True, arguments={"x-queue-type": "quorum"})
    connection.close()


@pytest.mark.parametrize("part", ALLOWED)
@pytest.mark.parametrize("act", ACTS)
def test_each_part_can_do_its_own_and_nothing_else(channel: BlockingChannel, part: str, act: str) -> None:
    if act in ALLOWED[part]:
        ACTS[act](channel)
        return
    with pytest.raises(ChannelClosedByBroker) as refused:
        ACTS[act](channel)
    assert refused.value.reply_code == 403


async def test_queue_is_as_warrener_wants_it(server: RabbitMQ) -> None:
    async with connect(address(server, ADMIN)) as broker:
        await broker.declare(delay_schedule([RetryPolicy()]))
        findings = await broker.inspect()
    assert [finding.text for finding in findings if not finding.ok] == []
    async with connect(address(server, "setup")) as broker:
        await broker.declare(DELAYS)
    async with connect(address(server, "watcher")) as broker:
        assert (await broker.counts()).notes == ()


async def test_a_batch_goes_through_with_each_part_on_its_own(server: RabbitMQ) -> None:
    async with connect(address(server, ADMIN)) as broker:
        await broker.purge()
    async with connect(address(server, "producer")) as broker:
        session = broker.publish_session()
        await session.publish([task("echo", "good"), task("permanent", "bad")])
        await session.flush()

    await drain(address(server, "worker"))

    assert [row["task_id"] for row in await results(address(server, "collector"))] == ["good"]
    assert set(await failures(address(server, "collector"))) == {"bad"}
    async with connect(address(server, "watcher")) as broker:
        counts = await broker.counts()
    assert (counts.ready, counts.completed, counts.failed) == (0, 1, 1)


def test_nobody_gets_in_as_guest(server: RabbitMQ) -> None:
    parameters = pika.URLParameters(address(server, ADMIN).broker)
    parameters.credentials = pika.PlainCredentials("guest", "guest")
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        pika.BlockingConnection(parameters)


def test_access_is_the_same_for_the_same_passwords() -> None:
    assert access_secrets(SPEC, PASSWORDS) == access_secrets(SPEC, PASSWORDS)
