"""The broker and the workers removed from a namespace."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from warrener.errors import ClusterRefused, ObjectMissing
from warrener.kubernetes.diagnosis.jobs import job_state
from warrener.kubernetes.manifests.names import object_names
from warrener.kubernetes.manifests.record import RECORD
from warrener.kubernetes.operations.credentials import queues_of
from warrener.kubernetes.operations.installed import installed, known
from warrener.kubernetes.operations.look import is_kueues, newest_job
from warrener.kubernetes.operations.remembered import needs, remembered

if TYPE_CHECKING:
    from warrener.kubernetes.client.cluster import Cluster

_JOBS: Final = ("CronJob", "ScaledJob", "Job", "TriggerAuthentication", "ConfigMap", "NetworkPolicy")
_BROKER_OBJECTS: Final = (
    "RabbitmqCluster",
    "StatefulSet",
    "Service",
    "PodDisruptionBudget",
    "NetworkPolicy",
    "ConfigMap",
)
_OF_SCHEDULES: Final = ("RoleBinding", "Role", "ServiceAccount")
_KEPT: Final = ("PersistentVolumeClaim", "Secret")


class Removed(msgspec.Struct, frozen=True):
    """What became of a namespace's objects.

    Args:
        names: What was removed, each with its kind.
        outcome: What is kept, and what is not, as the end of a sentence.
    """

    names: list[str]
    outcome: str


async def loses_data(cluster: Cluster) -> bool:
    """Whether the broker's data goes with its objects whatever is asked: RabbitMQ's operator deletes the volumes.

    Raises:
        ObjectMissing: There is no such namespace.
    """
    await check_namespace(cluster)
    return bool(await known(cluster, "RabbitmqCluster"))


async def uninstall(cluster: Cluster, *, purge: bool) -> Removed:
    """Remove the broker and all workers.

    Args:
        cluster: Where.
        purge: Whether to remove the data and the passwords, too. Otherwise a new broker finds them again, as far as it
            has data that outlive it, and workers that had not done all can be resumed on it.

    Raises:
        ObjectMissing: There is no such namespace.
    """
    await check_namespace(cluster)
    found = await installed(cluster)
    kept = set() if purge else {("ConfigMap", RECORD), *await _put_workers_by(cluster)}
    # Many may not even look for Roles; who has made none need not.
    rights = _OF_SCHEDULES if await known(cluster, "CronJob") else ()
    names = []
    for kind in dict.fromkeys([*_JOBS, *rights, *_BROKER_OBJECTS, *(_KEPT if purge else ())]):
        for one in await known(cluster, kind):
            name = one["metadata"]["name"]
            if (kind, name) not in kept:
                await cluster.delete(kind, name)
                names.append(f"{kind} {name}")
    return Removed(names, await _outcome(cluster, found.kind if found else "", purge=purge))


async def check_namespace(cluster: Cluster) -> None:
    """Say so where there is no such namespace: lists of one that is not there are empty, and no error.

    Raises:
        ObjectMissing: There is none.
    """
    with suppress(ClusterRefused):  # whoever may not look is told what he may not by what he does next
        if await cluster.get("Namespace", cluster.namespace) is None:
            raise ObjectMissing(
                f"there is no namespace {cluster.namespace}: choose another one with --namespace"
            )


async def _outcome(cluster: Cluster, kind: str, *, purge: bool) -> str:
    if kind == "existing":
        there = "the queues on the existing broker stay, and so do their users"
        return f"{there}; passwords are removed" if purge else f"{there}; passwords are kept"
    if purge:
        return ""
    if kind == "operator":
        return "passwords are kept; RabbitMQ's operator deletes the volumes, and with them all data"
    if await known(cluster, "PersistentVolumeClaim"):
        return "data and passwords are kept"
    return "passwords are kept; there is no data" if await known(cluster, "Secret") else ""


async def _put_workers_by(cluster: Cluster) -> set[tuple[str, str]]:
    """Stop the workers of all queues, and keep what `resume` makes new ones of; kinds and names of what that needs.

    Of each queue that is what its workers were last made of, with its code and its NetworkPolicy, and the newest Job unless that
    is complete or Kueue's: it has its pods' logs.
    """
    kept: set[tuple[str, str]] = set()
    for queue in await queues_of(cluster):
        names = object_names(queue)
        if former := await remembered(cluster, names):
            kept |= set(needs(names, former))
        job = await newest_job(cluster, names)
        if job is None or job_state(job) == "complete" or is_kueues(job):
            continue
        name = str(job["metadata"]["name"])
        if job_state(job) == "running":
            await cluster.patch("Job", name, {"spec": {"suspend": True}})
        kept |= {("Job", name), *needs(names, job)}
    return kept
