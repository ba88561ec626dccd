"""The broker of a namespace on its way up: waited for, and what keeps it from that."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from warrener.errors import ClusterError
from warrener.kubernetes.diagnosis.pods import NOT_MOUNTED, diagnose_pod, is_pending
from warrener.kubernetes.diagnosis.reading import about, said
from warrener.kubernetes.manifests.names import BROKER, selector
from warrener.kubernetes.objects import is_ready

if TYPE_CHECKING:
    from collections.abc import Callable

    from warrener.kubernetes.client.cluster import Cluster
    from warrener.kubernetes.diagnosis.diagnosis import Diagnosis
    from warrener.kubernetes.manifests.spec import Spec
    from warrener.kubernetes.objects import Objects

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
    labels = {"app.kubernetes.io/name": BROKER} if spec.rabbitmq == "operator" else selector(BROKER, "broker")
    while True:
        pods = await cluster.list("Pod", labels)
        ready = sum(is_ready(pod) for pod in pods)
        if ready >= wanted:
            return
        diagnoses = await _diagnoses(cluster, pods)
        waited = loop.time() - began
        is_hopeless = waited > _SETTLING and any(diagnosis.fatal for diagnosis in diagnoses)
        if is_hopeless or waited > PATIENCE:
            why = diagnoses[0].text if diagnoses else await _silent(cluster, spec)
            raise ClusterError(f"the broker does not come up: {why}")
        seen = f": {diagnoses[0].text}" if diagnoses else ""
        on_progress(f"{ready} of {wanted} broker nodes ready{seen}")
        await asyncio.sleep(_LOOK_EVERY)


async def _diagnoses(cluster: Cluster, pods: Objects) -> list[Diagnosis]:
    """What is in the way of the nodes, what is fatal first."""
    is_waiting = any(is_pending(pod) for pod in pods)
    events = await cluster.events("Pod", reason=NOT_MOUNTED) if is_waiting else []
    found = [each for pod in pods for each in diagnose_pod(pod, about(pod, events), cluster.commands)]
    return sorted(found, key=lambda diagnosis: not diagnosis.fatal)


async def _silent(cluster: Cluster, spec: Spec) -> str:
    """Why there is no pod, or none that says what it lacks."""
    kind = "RabbitmqCluster" if spec.rabbitmq == "operator" else "StatefulSet"
    told = [event for event in await cluster.events(kind, BROKER) if event.get("type") == "Warning"]
    if told:
        return said(told[-1])
    describe = cluster.commands.kubectl("describe pod")
    return f"{kind} {BROKER} has had {PATIENCE:.0f} s; see `{describe}` and its log"
