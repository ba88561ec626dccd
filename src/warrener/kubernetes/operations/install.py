"""From nothing to a broker that takes connections, with a queue on it; and back."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from warrener.brokers import connect
from warrener.brokers.rabbitmq.access import PARTS, admit
from warrener.errors import (
    BrokerError,
    BrokerUnreachable,
    ClusterError,
    ClusterRefused,
    ClusterUnreachable,
    ObjectMissing,
)
from warrener.kubernetes.diagnosis.diagnosis import diagnose_pod, is_ready
from warrener.kubernetes.manifests.names import BROKER, PART_OF, QUEUE_ANNOTATION, selector
from warrener.kubernetes.manifests.render import render
from warrener.kubernetes.manifests.setup import administrator
from warrener.kubernetes.manifests.users import access_secrets, new_passwords
from warrener.kubernetes.operations.reach import login, reached, read_secret
from warrener.retry import RetryPolicy, delay_schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from warrener.kubernetes.client.cluster import Cluster
    from warrener.kubernetes.diagnosis.diagnosis import Diagnosis
    from warrener.kubernetes.manifests.spec import Spec


PATIENCE: Final = 300.0
# Things that look wrong in the first moments may be on their way.
_SETTLING: Final = 20.0
_LOOK_EVERY: Final = 1.0
_JOBS: Final = ("Job", "ScaledJob", "TriggerAuthentication", "ConfigMap", "NetworkPolicy")
_BROKER_OBJECTS: Final = (
    "RabbitmqCluster",
    "StatefulSet",
    "Service",
    "PodDisruptionBudget",
    "NetworkPolicy",
    "ConfigMap",
)


async def install(cluster: Cluster, spec: Spec, on_progress: Callable[[str], None]) -> None:
    """Apply the broker, wait until it takes connections, and prepare the queue. Harmless when all is there.

    The namespace is made, too, where it is missing.

    Args:
        cluster: Where.
        spec: What.
        on_progress: Told what is being waited for.

    Raises:
        ClusterError: The cluster refuses something, or the broker does not come up; the text says why.
        BrokerError: The broker refuses something.
    """
    await _make_namespace(cluster)
    await _give_passwords(cluster, spec)
    for manifest in render(spec, ["broker"]):
        await cluster.apply(manifest)
    if spec.rabbitmq != "existing":
        await _broker_ready(cluster, spec, on_progress)
    await prepare(cluster, spec, [], on_progress)


async def prepare(
    cluster: Cluster, spec: Spec, delays: Sequence[int], on_progress: Callable[[str], None]
) -> None:
    """Make the queue's users, and the queue, on a broker that is there.

    Args:
        cluster: Where.
        spec: What.
        delays: Delays that the queue must have besides the usual ones, in milliseconds.
        on_progress: Told what is being waited for.

    Raises:
        ObjectMissing: There is no broker.
        ClusterError: It cannot be reached through the cluster.
        BrokerError: It refuses something.
    """
    secret, _ = administrator(spec)
    who = await login(cluster, secret)
    if who is None:
        raise ObjectMissing(
            f"there is no broker in namespace {cluster.namespace} (no Secret {secret}): make one with "
            f"`warrener k8s up --queue {spec.queue} --namespace {cluster.namespace}`"
        )
    users = await _give_passwords(cluster, spec)
    end = asyncio.get_running_loop().time() + PATIENCE
    while True:
        try:
            async with reached(cluster, who, spec.queue) as found:
                address = found.on(spec.broker.vhost)
                await admit(address, users)
                async with connect(address) as broker:
                    await broker.declare(delay_schedule([RetryPolicy()]) + list(delays))
                return
        except (BrokerError, ClusterError) as error:
            # Right after it began to listen, a broker may still refuse.
            if asyncio.get_running_loop().time() > end or not _is_passing(error):
                raise
            on_progress(f"the broker is not reached yet: {error}")
            await asyncio.sleep(_LOOK_EVERY)


async def uninstall(cluster: Cluster, *, purge: bool) -> list[str]:
    """Remove the broker and all workers; what was removed.

    Args:
        cluster: Where.
        purge: Whether to remove the data and the passwords, too. Otherwise a new broker finds them again.
    """
    kinds = [*_JOBS, *_BROKER_OBJECTS, *(("PersistentVolumeClaim", "Secret") if purge else ())]
    removed = []
    for kind in dict.fromkeys(kinds):
        for found in await _ours(cluster, kind):
            name = found["metadata"]["name"]
            await cluster.delete(kind, name)
            removed.append(f"{kind} {name}")
    return removed


async def _make_namespace(cluster: Cluster) -> None:
    with suppress(ClusterRefused):  # whoever may not look has to have been given one
        if await cluster.get("Namespace", cluster.namespace) is None:
            name = {"name": cluster.namespace}
            await cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": name})


async def _ours(cluster: Cluster, kind: str) -> list[dict[str, Any]]:
    try:
        return await cluster.list(kind, PART_OF)
    except ObjectMissing:  # a kind that this cluster does not have
        return []


async def _give_passwords(cluster: Cluster, spec: Spec) -> dict[str, tuple[str, str]]:
    """Create the Secrets that are missing. Existing ones stay: brokers and pods know their passwords."""
    for secret in access_secrets(spec, new_passwords()):
        found = await cluster.get("Secret", secret["metadata"]["name"])
        if found is None:
            await cluster.create(secret)
            continue
        owner = (found["metadata"].get("annotations") or {}).get(QUEUE_ANNOTATION, spec.queue)
        if owner != spec.queue:
            raise ClusterError(
                f"queue {spec.queue!r} would share its objects' names with queue {owner!r} of this namespace: "
                "take another name, or another namespace"
            )
    users = {}
    for part in PARTS:
        entries = await read_secret(cluster, spec.names.secret(part)) or {}
        users[part] = (entries["username"], entries["password"])
    return users


async def _broker_ready(cluster: Cluster, spec: Spec, on_progress: Callable[[str], None]) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    wanted = 3 if spec.rabbitmq == "operator" else 1
    labels = {"app.kubernetes.io/name": BROKER} if spec.rabbitmq == "operator" else selector(BROKER, "broker")
    while True:
        pods = await cluster.list("Pod", labels)
        ready = sum(is_ready(pod) for pod in pods)
        if ready >= wanted:
            return
        diagnoses = [diagnosis for pod in pods for diagnosis in await _diagnoses(cluster, pod)]
        waited = loop.time() - began
        is_hopeless = waited > _SETTLING and any(diagnosis.fatal for diagnosis in diagnoses)
        if is_hopeless or waited > PATIENCE:
            why = diagnoses[0].text if diagnoses else await _silent(cluster, spec)
            raise ClusterError(f"the broker does not come up: {why}")
        seen = f": {diagnoses[0].text}" if diagnoses else ""
        on_progress(f"{ready} of {wanted} broker nodes ready{seen}")
        await asyncio.sleep(_LOOK_EVERY)


async def _diagnoses(cluster: Cluster, pod: dict[str, Any]) -> list[Diagnosis]:
    return diagnose_pod(pod, await cluster.events("Pod", pod["metadata"]["name"]))


async def _silent(cluster: Cluster, spec: Spec) -> str:
    """Why there is no pod, or none that says what it lacks."""
    kind = "RabbitmqCluster" if spec.rabbitmq == "operator" else "StatefulSet"
    told = [event for event in await cluster.events(kind, BROKER) if event.get("type") == "Warning"]
    if told:
        return str(told[-1].get("message", "")).strip()
    return f"{kind} {BROKER} has had {PATIENCE:.0f} s; see `kubectl describe pod` and its log"


def _is_passing(error: Exception) -> bool:
    return isinstance(error, BrokerUnreachable | ClusterUnreachable)
