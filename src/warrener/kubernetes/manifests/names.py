"""The names and labels of the objects that Warrener owns in a namespace."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from warrener.errors import UsageError

# One broker per namespace, shared by all of its queues.
BROKER: Final = "warrener-rabbitmq"
VHOST: Final = "warrener"
ADMIN: Final = "admin"
PART_OF: Final = {"app.kubernetes.io/part-of": "warrener"}
QUEUE_ANNOTATION: Final = "warrener/queue"

MAX_PARALLELISM: Final = 1000
MAX_ROUND: Final = 99
# The longest name is that of a pod of a resumed Job: BASE-workers-99-999, as long as a DNS label may be.
_MAX_BASE: Final = 63 - len(f"-workers-{MAX_ROUND}-{MAX_PARALLELISM - 1}")
_BASE: Final = re.compile(r"[a-z0-9-]+")


class ObjectNames(msgspec.Struct, frozen=True):
    """What belongs to one queue; `base` is the queue's name as a DNS label, with which all names begin."""

    base: str

    def workers(self, round_: int) -> str:
        """The Job of workers; a resumed one carries its number."""
        return self.standing if round_ == 1 else f"{self.standing}-{round_}"

    def round_of(self, job: str) -> int:
        """The number of a Job of workers, by its name."""
        rest = job.removeprefix(self.standing).lstrip("-")
        return int(rest) if rest.isdigit() else 1

    @property
    def standing(self) -> str:
        """What stays the same over the Jobs of workers: their NetworkPolicy, or the ScaledJob."""
        return f"{self.base}-workers"

    @property
    def schedule(self) -> str:
        """The CronJob that runs batches by itself, and what it needs."""
        return f"{self.base}-schedule"

    @property
    def check(self) -> str:
        """The Job that imports the app once."""
        return f"{self.base}-check"

    @property
    def setup(self) -> str:
        """The Job that creates the queue and its users."""
        return f"{self.base}-setup"

    def code(self, digest: str) -> str:
        """The ConfigMap with the app's code."""
        return f"{self.base}-code-{digest}"

    def secret(self, role: str) -> str:
        """The Secret with the credentials of one role."""
        return f"{self.base}-{role}"


def object_names(queue: str) -> ObjectNames:
    """The names for a queue.

    Raises:
        UsageError: The queue's name leaves nothing that Kubernetes takes as a name, or too much.
    """
    base = re.sub(r"[_.]", "-", queue.lower()).strip("-")
    if not (_BASE.fullmatch(base) and len(base) <= _MAX_BASE):
        raise UsageError(
            f"--queue {queue!r} makes no name for Kubernetes objects: "
            f"use 1 to {_MAX_BASE} letters, digits, '_', '.' and '-', at least one of them a letter or a digit"
        )
    return ObjectNames(base)


def labels(instance: str, component: str) -> dict[str, str]:
    """The labels of an object and its pods; `instance` is a queue's base name, or the broker's name."""
    return {**selector(instance, component), "app.kubernetes.io/managed-by": "warrener"}


def selector(instance: str, component: str) -> dict[str, str]:
    """The labels by which pods are found: those that stay whoever manages them."""
    return {
        **PART_OF,
        "app.kubernetes.io/instance": instance,
        "app.kubernetes.io/component": component,
    }


def broker_metadata(namespace: str, name: str = BROKER) -> dict[str, Any]:
    """The metadata of an object that belongs to the broker."""
    return {"name": name, "namespace": namespace, "labels": labels(BROKER, "broker")}
