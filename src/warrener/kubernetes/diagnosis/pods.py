"""What is in the way of a pod, or has ended it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from warrener.kubernetes.diagnosis.containers import diagnose_containers
from warrener.kubernetes.diagnosis.diagnosis import Diagnosis
from warrener.kubernetes.diagnosis.reading import about, is_brokers, kind, plain, queue_of, said
from warrener.kubernetes.objects import conditions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from warrener.kubernetes.commands import Commands
    from warrener.kubernetes.objects import Object

NOT_MOUNTED: Final = "FailedMount"
"""The one reason of an event that says more of a pod than the pod does."""
PULLING: Final = "Pulling"
"""What a node notes when it begins to fetch an image; until that is here, the pod says nothing of it."""

_DISRUPTIONS: Final = {
    "EvictionByEvictionAPI": "it was evicted, as `kubectl drain` does",
    "DeletionByTaintManager": "its node got a taint that it does not tolerate",
    "PreemptionByScheduler": "a pod of higher priority took its place",
    "DeletionByPodGC": "its node is gone",
    "TerminationByKubelet": "its node ran short of something, or shut down",
}


def diagnose_pod(pod: Object, events: Iterable[Object], commands: Commands) -> list[Diagnosis]:
    """What is in the way of a pod, or has ended it."""
    found = [*disrupted(pod)]
    if not found:
        found = [*_unscheduled(pod, commands), *diagnose_containers(pod, commands)]
    if not found and is_pending(pod):
        found = [*_unmounted(pod, events, commands)]
    return [msgspec.structs.replace(each, pods=(pod["metadata"]["name"],)) for each in found]


def pulling(pods: Iterable[Object], events: Iterable[Object]) -> list[Diagnosis]:
    """What pods may wait for that do not say it themselves: their image, which a node still fetches."""
    names = {pod["metadata"]["name"]: pod for pod in pods}
    for event in events:
        name = event["involvedObject"].get("name")
        if event.get("reason") == PULLING and name in names:
            image = names[name]["spec"]["containers"][0].get("image", "")
            text = f"a node is still pulling image {image}: if that does not end, check that it reaches the registry"
            return [Diagnosis(PULLING, text, pods=(name,))]
    return []


def claims_of(pods: Iterable[Object]) -> set[str]:
    """The names of the volume claims that pods mount."""
    volumes = [volume for pod in pods for volume in pod["spec"].get("volumes") or ()]
    return {
        volume["persistentVolumeClaim"]["claimName"]
        for volume in volumes
        if "persistentVolumeClaim" in volume
    }


def is_bound(claim: Object) -> bool:
    """Whether a volume claim has its volume."""
    return bool(claim.get("status", {}).get("phase", "Bound") == "Bound")


def unbound(claim: Object, events: Iterable[Object], way_out: str) -> Diagnosis:
    """A volume claim that has no volume yet: a pod that waits for it says so only where its class does not wait for that pod.

    Args:
        claim: The claim.
        events: Its own, the newest last.
        way_out: What to do.
    """
    told = about(claim, events)
    why = f" ({said(told[-1])})" if told else ""
    return Diagnosis(
        "Unbound", f"the volume claim {claim['metadata']['name']} is not bound yet{why}: {way_out}"
    )


def is_pending(pod: Object) -> bool:
    """Whether a pod has not started yet."""
    return bool(pod.get("status", {}).get("phase") == "Pending")


def disrupted(pod: Object) -> Iterator[Diagnosis]:
    """What has ended a pod that did nothing wrong."""
    status = pod.get("status", {})
    for condition in conditions(pod):
        if condition["type"] == "DisruptionTarget" and condition.get("status") == "True":
            reason = str(condition.get("reason", "DisruptionTarget"))
            why = _DISRUPTIONS.get(reason) or plain(condition.get("message", reason))
            if status.get("message"):
                why += f" ({plain(status['message'])})"
            yield Diagnosis(reason, f"a pod was disrupted, which costs no attempt: {why}; it is replaced")


def _unscheduled(pod: Object, commands: Commands) -> Iterator[Diagnosis]:
    for condition in conditions(pod):
        if condition["type"] != "PodScheduled" or condition.get("status") != "False":
            continue
        if condition.get("reason") == "SchedulingGated":
            gates = ", ".join(gate["name"] for gate in pod["spec"].get("schedulingGates", ()))
            yield Diagnosis(
                "SchedulingGated", f"a pod waits until {gates or 'whoever holds it'} lets it be scheduled"
            )
        elif condition.get("reason") == "Unschedulable":
            yield Diagnosis(
                "Unschedulable",
                _why_no_node(plain(condition.get("message", "")), commands, is_broker=is_brokers(pod)),
            )


def _why_no_node(message: str, commands: Commands, *, is_broker: bool) -> str:
    # The second half, on preemption, repeats the first.
    counted = message.partition(" preemption:")[0].rstrip(". ")
    if found := re.search(r'persistentvolumeclaim "([^"]+)" not found', message):
        return f"a pod's volume claim {found[1]} does not exist: create it"
    if "unbound" in message and "PersistentVolumeClaim" in message:
        way_out = ", or choose another --storage-class" if is_broker else ""
        return (
            "a pod's volume claim is not bound: no volume fits, or its storage class cannot make one; see "
            f"`{commands.kubectl('describe pvc')}`{way_out}"
        )
    describe = commands.kubectl("describe pod")
    ways = []
    if lacking := sorted(set(re.findall(r"Insufficient ([\w./-]+)", counted))):
        if is_broker:
            sizes = [f"--broker-{resource}" for resource in lacking if resource in {"cpu", "memory"}]
            ways.append(f"ask for less ({', '.join(sizes)}), or add nodes" if sizes else "add nodes")
        else:
            sizes = [f"--{resource}" for resource in lacking if resource in {"cpu", "memory"}]
            ask = f"ask for less ({', '.join(sizes)}), take fewer workers" if sizes else "take fewer workers"
            ways.append(f"{ask}, or add nodes")
    if taints := sorted(set(re.findall(r"taints? (?:\{([^:}]+))", counted))):
        ways.append(f"tolerate {', '.join(taints)} with --patch")
    if "affinity" in counted or "selector" in counted:
        ways.append("mend the node selector or affinity of your --patch")
    return f"no node takes a pod ({counted}): {'; '.join(ways) or f'see `{describe}`'}"


def _unmounted(pod: Object, events: Iterable[Object], commands: Commands) -> Iterator[Diagnosis]:
    failures = [said(event) for event in events if event.get("reason") == NOT_MOUNTED]
    if not failures:
        return
    message = failures[-1]
    if found := re.search(r'\b(secret|configmap) "([^"]+)" not found', message, re.IGNORECASE):
        up = commands.k8s("up", queue_of(pod))
        text = f"{kind(found[1])} {found[2]}, which the pods mount, does not exist: create it, or run `{up}`"
        yield Diagnosis(NOT_MOUNTED, text, fatal=True)
    elif found := re.search(r"references non-existent (secret|config) key: (\S+)", message):
        text = f"a {'Secret' if found[1] == 'secret' else 'ConfigMap'} that the pods mount has no key {found[2]}: add it"
        yield Diagnosis(NOT_MOUNTED, text, fatal=True)
    else:
        yield Diagnosis(NOT_MOUNTED, f"a volume cannot be mounted: {message}")
