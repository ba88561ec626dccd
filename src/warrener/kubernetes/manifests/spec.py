"""What is wanted on Kubernetes, checked: the one thing that all manifests are made of."""

from __future__ import annotations

import ipaddress
import re
from typing import Any, Final, Literal, get_args

import msgspec

from warrener.address import DEFAULT_QUEUE, Address
from warrener.errors import UsageError
from warrener.kubernetes.lint.problem import DNS_LABEL, DNS_NAME
from warrener.kubernetes.manifests.code import Code  # noqa: TC001 - a spec is read from JSON, too
from warrener.kubernetes.manifests.cron import Schedule  # noqa: TC001 - likewise
from warrener.kubernetes.manifests.names import (
    BROKER,
    MAX_PARALLELISM,
    MAX_ROUND,
    VHOST,
    ObjectNames,
    object_names,
)
from warrener.kubernetes.manifests.record import OF_NODES
from warrener.kubernetes.quantities import quantity
from warrener.version import VERSION
from warrener.worker.manifest import ChildSettings

RabbitMQ = Literal["statefulset", "operator", "existing"]
Autoscale = Literal["keda"]

DEFAULT_IMAGE: Final = f"warrener:{VERSION}"
RABBITMQ_IMAGE: Final = "rabbitmq:4.3.5-management"

_PINNED: Final = re.compile(r".+:(\d+)\.(\d+)[^/]*|.+@sha256:[0-9a-f]{64}")
_MEBIBYTE: Final = 1024 * 1024
_KEYS: Final = ("url", "connection_string")


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """One queue's workers and, unless it exists, their broker.

    Args:
        queue: The queue's name.
        namespace: Where all objects live.
        child: What workers run: an app as they import it, `module` or `module:name`, or a command.
        code: What is sent along with the workers; None when the image has all.
        image: The image of workers: Python, Warrener, and what the app needs.
        parallelism: Workers at a time, from 1 to 1000; with `autoscale`, at most.
        processes: Child processes of each worker.
        memory: Memory of each worker, both its request and its limit.
        max_memory: A child whose memory has peaked over so many MiB is replaced; None for no limit of its own.
        cpu: CPU request of each worker. There is no limit: throttling would delay heartbeats.
        grace: Seconds that running tasks get when a worker is told to stop.
        keep_logs: Whether the queue keeps what tasks print.
        deadline: Seconds until Kubernetes ends the Job whatever it does.
        ttl: Seconds that a finished Job and its logs are kept.
        round: The number of the Job: 1, and one more each time that a queue is resumed.
        rabbitmq: `statefulset`, one node for development and small runs; `operator`, three nodes by RabbitMQ's own
            operator; `existing`, a broker that is there.
        broker_secret: With `existing`: the Secret with the URL of an administrator, as NAME or NAME:KEY; KEY is
            `url` (the default) or `connection_string`.
        broker_address: With `existing`: amqp[s]://HOST:PORT/VHOST, without user and password.
        rabbitmq_image: The broker's image, pinned.
        storage: Size of each broker node's volume.
        storage_class: Its StorageClass; None for the cluster's default.
        broker_memory: Memory of each broker node, both its request and its limit.
        broker_cpu: CPU request of each broker node; None for what its kind asks, half of one, or with `operator` one.
        tls_secret: A Secret with tls.crt, tls.key and ca.crt: the broker then serves TLS, and clients trust ca.crt.
            With `existing` only ca.crt is used.
        egress: What workers may reach besides the broker and DNS, as CIDRs; none means all, because tasks must
            reach their data.
        autoscale: `keda` makes a KEDA ScaledJob instead of a Job, for a queue that stands.
        kueue: The Kueue LocalQueue that admits the Job.
        schedule: When each time a new batch is to run by itself, instead of one now; None for now.
        patch: A pod template that is merged into Warrener's own, as Kubernetes merges.
        named: Those of its options about the broker that somebody chose; for the others, what the namespace has is meant.

    Raises:
        UsageError: An option is wrong; the text names it and the way out.
    """

    queue: str = DEFAULT_QUEUE
    namespace: str = "default"
    child: ChildSettings = ChildSettings("app")
    code: Code | None = None
    image: str = DEFAULT_IMAGE
    parallelism: int = 2
    processes: int = 1
    memory: str = "256Mi"
    max_memory: int | None = None
    cpu: str = "250m"
    grace: int = 25
    keep_logs: bool = False
    deadline: int = 86400
    ttl: int = 86400
    round: int = 1
    rabbitmq: RabbitMQ = "statefulset"
    broker_secret: str | None = None
    broker_address: str | None = None
    rabbitmq_image: str = RABBITMQ_IMAGE
    storage: str = "10Gi"
    storage_class: str | None = None
    broker_memory: str = "2Gi"
    broker_cpu: str | None = None
    tls_secret: str | None = None
    egress: tuple[str, ...] = ()
    autoscale: Autoscale | None = None
    kueue: str | None = None
    schedule: Schedule | None = None
    patch: dict[str, Any] | None = None
    named: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self._check_words()
        self._check_numbers()
        self._check_broker()
        _ = self.broker, self.names  # these check the queue's name
        for cidr in self.egress:
            _check_cidr(cidr)
        if self.autoscale and self.kueue:
            raise UsageError(
                "--autoscale and --kueue exclude each other: KEDA is for a queue that stands, Kueue for a run that ends"
            )

        if self.autoscale and self.schedule:
            raise UsageError(
                "--autoscale and --schedule exclude each other: KEDA starts workers whenever there are tasks"
            )

    @property
    def names(self) -> ObjectNames:
        """The names of this queue's objects."""
        return object_names(self.queue)

    @property
    def broker(self) -> Address:
        """Where clients in the cluster find the broker; without user and password."""
        if self.rabbitmq == "existing":
            return Address(self.broker_address or "", self.queue)
        scheme = "amqps" if self.tls_secret else "amqp"
        host = f"{BROKER}.{self.namespace}.svc"
        return Address(f"{scheme}://{host}:{self.amqp_port}/{VHOST}", self.queue)

    @property
    def amqp_port(self) -> int:
        """The port of Warrener's own broker for AMQP."""
        return 5671 if self.tls_secret else 5672

    @property
    def management_port(self) -> int:
        """The port of Warrener's own broker for the management API."""
        return 15671 if self.tls_secret else 15672

    @property
    def rabbitmq_version(self) -> tuple[int, ...]:
        """The broker's version as its image's tag tells it; a digest is taken for the newest known."""
        found = _PINNED.fullmatch(self.rabbitmq_image)
        return (int(found[1]), int(found[2])) if found and found[1] else (4, 3)

    def _check_words(self) -> None:
        if not DNS_LABEL.fullmatch(self.namespace):
            raise UsageError(
                f"--namespace {self.namespace!r} is not the name of a namespace: use a-z, 0-9 and '-'"
            )
        if not self.image or re.search(r"\s", self.image):
            raise UsageError(f"--image {self.image!r} is not an image: use REGISTRY/NAME:TAG")
        for option, name in (
            ("--tls-secret", self.tls_secret),
            ("--storage-class", self.storage_class),
            ("--kueue", self.kueue),
        ):
            if name is not None and not DNS_NAME.fullmatch(name):
                raise UsageError(
                    f"{option} {name!r} is not the name of a Kubernetes object: use a-z, 0-9, '-' and '.'"
                )
        if self.autoscale not in (None, *get_args(Autoscale)):
            raise UsageError(f"--autoscale {self.autoscale!r} is not known: use keda")

    def _check_numbers(self) -> None:
        for option, value, least, most in (
            ("--parallelism", self.parallelism, 1, MAX_PARALLELISM),
            ("--processes", self.processes, 1, 1024),
            ("--grace", self.grace, 0, 86400),
            ("--deadline", self.deadline, 1, 10**9),
            ("--ttl", self.ttl, 0, 10**9),
            ("--round", self.round, 1, MAX_ROUND),
        ):
            if not least <= value <= most:
                raise UsageError(f"{option} {value} is out of range: use {least} to {most}")
        for option, text, example in (
            ("--memory", self.memory, "512Mi"),
            ("--cpu", self.cpu, "500m"),
            ("--storage", self.storage, "20Gi"),
            ("--broker-memory", self.broker_memory, "4Gi"),
            ("--broker-cpu", self.broker_cpu or "1", "500m"),
        ):
            if not quantity(text):
                raise UsageError(f"{option} {text!r} is not a quantity above 0: write it as {example}")
        if self.max_memory and self.max_memory * _MEBIBYTE >= (quantity(self.memory) or 0):
            raise UsageError(
                f"--max-memory {self.max_memory} (MiB) is never reached: a worker with --memory {self.memory} is killed first"
            )

    def _check_broker(self) -> None:
        if self.rabbitmq not in get_args(RabbitMQ):
            raise UsageError(
                f"--rabbitmq {self.rabbitmq!r} is not known: use statefulset, operator or existing"
            )
        if not _PINNED.fullmatch(self.rabbitmq_image) or "alpine" in self.rabbitmq_image:
            raise UsageError(
                f"--rabbitmq-image {self.rabbitmq_image!r} is not pinned, or an Alpine build, which runs as another "
                f"user: use a tag as in {RABBITMQ_IMAGE}"
            )
        if self.rabbitmq != "existing":
            if self.broker_secret or self.broker_address:
                raise UsageError("--broker-secret and --broker-address are for --rabbitmq existing")
            return
        if unheard := [option for option in OF_NODES if option in self.named]:
            raise UsageError(
                f"--{unheard[0].replace('_', '-')} is for a broker that is made, and this one exists: leave it out"
            )
        name, _, key = (self.broker_secret or "").partition(":")
        if not DNS_NAME.fullmatch(name) or key not in ("", *_KEYS):
            raise UsageError(
                f"--broker-secret {self.broker_secret!r} names no Secret with an administrator's URL: "
                "with --rabbitmq existing, use NAME, NAME:url or NAME:connection_string, or leave both out where `warrener k8s up` "
                "was told before"
            )
        if not re.fullmatch(r"amqps?://[^@\s]+", self.broker_address or ""):
            # Not repeated here: it may hold a password.
            raise UsageError(
                "--broker-address says where the existing broker is, without user and password: "
                "use amqp://HOST:PORT/VHOST or amqps://..."
            )


def _check_cidr(cidr: str) -> None:
    try:
        ipaddress.ip_network(cidr)
    except ValueError as error:
        raise UsageError(f"--egress {cidr!r} is not a network ({error}): write it as 10.0.0.0/8") from error
