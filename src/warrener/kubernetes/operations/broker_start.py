"""The broker of a namespace on its way up: waited for, and what keeps it from that."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from warrener.errors import ClusterError
from warrener.kubernetes.diagnosis.diagnosis import Diagnosis
from warrener.kubernetes.diagnosis.pods import diagnose_pod, is_bound, is_pending, unbound
from warrener.kubernetes.diagnosis.reading import about, plain, said
from warrener.kubernetes.diagnosis.refused import not_created
from warrener.kubernetes.manifests.names import BROKER, PART_OF, labels, selector
from warrener.kubernetes.objects import conditions, is_ready

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from warrener.kubernetes.client.cluster import Cluster
    from warrener.kubernetes.manifests.spec import Spec
    from warrener.kubernetes.objects import Object, Objects

PATIENCE: Final = 300.0
# Things that look wrong in the first moments may be on their way.
_SETTLING: Final = 20.0
_LOOK_EVERY: Final = 1.0


async def until_ready(cluster: Cluster, spec: Spec, on_progress: Callable[[str], None]) -> None:
    """Wait until all nodes of Warrener's broker take connections.

    Raises:
        ClusterError: They do not come up; the text says why.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    wanted = 3 if spec.rabbitmq == "operator" else 1
    wanted_labels = (
        {"app.kubernetes.io/name": BROKER} if spec.rabbitmq == "operator" else selector(BROKER, "broker")
    )
    while True:
        revision = await _revision(cluster, spec, wanted_labels)
        pods = await cluster.list("Pod", wanted_labels)
        ready = (
            sum(is_ready(pod) and _is_current(pod, revision) for pod in pods) if revision is not None else 0
        )
        if ready >= wanted:
            return
        diagnoses = await _diagnoses(cluster, spec, pods)
        waited = loop.time() - began
        is_hopeless = waited > _SETTLING and any(diagnosis.fatal for diagnosis in diagnoses)
        if is_hopeless or waited > PATIENCE:
            why = diagnoses[0].text if diagnoses else await _silent(cluster, spec)
            raise ClusterError(f"the broker does not come up: {why}")
        seen = f": {diagnoses[0].text}" if diagnoses else ""
        on_progress(f"{ready} of {wanted} broker nodes ready{seen}")
        await asyncio.sleep(_LOOK_EVERY)


async def _revision(cluster: Cluster, spec: Spec, node_labels: Mapping[str, str]) -> str | None:
    """What nodes are to be made of by now, as Kubernetes names it; None while that is not known yet.

    Until then the nodes that are there are those of before, ready as they may be.
    """
    owned = [] if spec.rabbitmq != "operator" else await cluster.list("RabbitmqCluster", PART_OF)
    sets = [found for found in await cluster.list("StatefulSet", node_labels) if not _is_going(found)]
    if not sets or not all(map(_is_seen, [*owned, *sets])):
        return None
    return str(sets[0].get("status", {}).get("updateRevision") or "")


def _is_seen(obj: Object) -> bool:
    """Whether a controller has read what an object is now."""
    return bool(obj.get("status", {}).get("observedGeneration", 0) >= obj["metadata"].get("generation", 0))


def _is_current(pod: Object, revision: str) -> bool:
    made_of = (pod["metadata"].get("labels") or {}).get("controller-revision-hash", revision)
    return bool(made_of == revision) and not _is_going(pod)


def _is_going(obj: Object) -> bool:
    return "deletionTimestamp" in obj["metadata"]


async def _diagnoses(cluster: Cluster, spec: Spec, pods: Objects) -> list[Diagnosis]:
    """What is in the way of the nodes, what is fatal first."""
    if not pods:
        return await _not_created(cluster, spec)
    is_waiting = any(is_pending(pod) for pod in pods)
    events = await cluster.events("Pod") if is_waiting else []
    found = [each for pod in pods for each in diagnose_pod(pod, about(pod, events), cluster.commands)]
    if is_waiting and not found:
        found = await _slow(cluster, pods, events)
    if spec.rabbitmq == "operator" and not found:
        found = await _of_operator(cluster)
    return sorted(found, key=lambda diagnosis: not diagnosis.fatal)


async def _of_operator(cluster: Cluster) -> list[Diagnosis]:
    """What keeps RabbitMQ's operator from being done with nodes that may be ready."""
    return [
        Diagnosis("ReconcileFailed", f"RabbitMQ's operator cannot get on: {plain(condition['message'])}")
        for owner in await cluster.list("RabbitmqCluster", PART_OF)
        for condition in conditions(owner)
        if (condition["type"], condition["status"]) == ("ReconcileSuccess", "False")
        and condition.get("message")
    ]


async def _not_created(cluster: Cluster, spec: Spec) -> list[Diagnosis]:
    name = BROKER if spec.rabbitmq == "statefulset" else f"{BROKER}-server"
    told = [
        event for event in await cluster.events("StatefulSet", name) if event.get("reason") == "FailedCreate"
    ]
    owner = {"metadata": {"name": name, "labels": labels(BROKER, "broker")}}
    return [not_created(owner, said(told[-1]), cluster.commands)] if told else []


async def _slow(cluster: Cluster, pods: Objects, events: Objects) -> list[Diagnosis]:
    """What nodes wait for that do not say it themselves: their volumes, and their image."""
    claims = [claim for claim in await cluster.list("PersistentVolumeClaim", PART_OF) if not is_bound(claim)]
    for claim in claims:
        told = await cluster.events("PersistentVolumeClaim", claim["metadata"]["name"])
        return [unbound(claim, told, "choose another --storage-class, or see to what makes its volumes")]
    for pod in pods:
        told = about(pod, events)
        if told and told[-1].get("reason") == "Pulling":
            text = "the node is still pulling the broker's image: if that does not end, check that it reaches the registry"
            return [Diagnosis("Pulling", f"{text}, or choose another --rabbitmq-image")]
    return []


async def _silent(cluster: Cluster, spec: Spec) -> str:
    """Why there is no pod, or none that says what it lacks."""
    kind = "RabbitmqCluster" if spec.rabbitmq == "operator" else "StatefulSet"
    told = [event for event in await cluster.events(kind, BROKER) if event.get("type") == "Warning"]
    if told:
        return said(told[-1])
    describe = cluster.commands.kubectl("describe pod")
    return f"{kind} {BROKER} has had {PATIENCE:.0f} s; see `{describe}` and its log"
