"""What stands in the way of pods and Jobs: read from their objects and events, said in one sentence each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Object: TypeAlias = dict[str, Any]

EXIT_STOPPED: Final = 75
EXIT_NEVER: Final = 78

IMAGE_REASONS: Final = {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"}
# What a registry or a runtime says when asking again will bring nothing else.
_NO_SUCH_IMAGE: Final = re.compile(
    r"not found|manifest unknown|does not exist|unauthorized|denied|authentication required|Never",
    re.IGNORECASE,
)
_DISRUPTIONS: Final = {
    "EvictionByEvictionAPI": "it was evicted, as `kubectl drain` does",
    "DeletionByTaintManager": "its node got a taint that it does not tolerate",
    "PreemptionByScheduler": "a pod of higher priority took its place",
    "DeletionByPodGC": "its node is gone",
    "TerminationByKubelet": "its node ran short of something, or shut down",
}


class Diagnosis(msgspec.Struct, frozen=True):
    """One thing in the way.

    Args:
        reason: Kubernetes' word for it: `ImagePullBackOff`. Stable, for scripts.
        text: A sentence for people: what is wrong, and what to do.
        fatal: Whether waiting cannot help: somebody has to mend something first.
        pods: The pods it holds for; none for a Job's.
    """

    reason: str
    text: str
    fatal: bool = False
    pods: tuple[str, ...] = ()


class PodCounts(msgspec.Struct, frozen=True):
    """Pods by what they are doing.

    Args:
        wanted: How many are to be.
        running: How many run.
        pending: How many have not started.
        stopping: How many were told to end and have not yet.
        succeeded: How many ended because nothing was left to do.
        failed: How many ended by their own fault.
        disrupted: How many ended because they were evicted or stopped; no failures.
    """

    wanted: int
    running: int = 0
    pending: int = 0
    stopping: int = 0
    succeeded: int = 0
    failed: int = 0
    disrupted: int = 0


def diagnose(job: Object, pods: Sequence[Object], events: Iterable[Object] = ()) -> list[Diagnosis]:
    """All that is in the way of a Job, what is fatal first; what several pods have in common once.

    Args:
        job: The Job.
        pods: Its pods.
        events: Those of the Job and of its pods.
    """
    told = list(events)
    found = diagnose_job(job, _about(job, told))
    for pod in pods:
        found += diagnose_pod(pod, _about(pod, told))
    merged: dict[tuple[str, str], Diagnosis] = {}
    for each in found:
        before = merged.get((each.reason, each.text))
        known = before.pods if before else ()
        merged[each.reason, each.text] = msgspec.structs.replace(each, pods=known + each.pods)
    return sorted(merged.values(), key=lambda diagnosis: not diagnosis.fatal)


def diagnose_job(job: Object, events: Iterable[Object] = ()) -> list[Diagnosis]:
    """What is in the way of a Job, apart from its pods."""
    match job_state(job):
        case "failed":
            return [_ended(job)]
        case "suspended":
            return [_suspended(job)]
        case "running" if _lacks_pods(job):
            # Events stay for an hour, so they count only while this is so.
            refusals = [_said(event) for event in events if event.get("reason") == "FailedCreate"]
            return (
                [_not_created(refusals[-1], job["metadata"].get("namespace", "default"))] if refusals else []
            )
    return []


def job_state(job: Object) -> Literal["running", "suspended", "finishing", "complete", "failed"]:
    """How far a Job is. `finishing` is decided, but its pods still stop: not the end yet."""
    conditions = {c["type"] for c in _conditions(job) if c.get("status") == "True"}
    if "Complete" in conditions:
        return "complete"
    if "Failed" in conditions:
        return "failed"
    if conditions & {"SuccessCriteriaMet", "FailureTarget"}:
        return "finishing"
    return "suspended" if "Suspended" in conditions or job["spec"].get("suspend") else "running"


def diagnose_pod(pod: Object, events: Iterable[Object] = ()) -> list[Diagnosis]:
    """What is in the way of a pod, or has ended it."""
    found = [*_disrupted(pod)]
    if not found:
        found = [*_unscheduled(pod), *_containers(pod)]
    if not found and pod.get("status", {}).get("phase") == "Pending":
        found = [*_unmounted(events)]
    return [msgspec.structs.replace(each, pods=(pod["metadata"]["name"],)) for each in found]


def is_ready(pod: Object) -> bool:
    """Whether a pod takes connections."""
    return any(c["type"] == "Ready" and c["status"] == "True" for c in _conditions(pod))


def pods_summary(pods: Iterable[Object], wanted: int) -> PodCounts:
    """Count pods by what they are doing."""
    counts = dict.fromkeys(PodCounts.__struct_fields__[1:], 0)
    for pod in pods:
        counts[_doing(pod)] += 1
    return PodCounts(wanted, **counts)


def _doing(pod: Object) -> str:
    phase = pod.get("status", {}).get("phase", "Pending")
    if phase == "Succeeded":
        return "succeeded"
    if phase == "Failed":
        was_stopped = any(ended.get("exitCode") == EXIT_STOPPED for ended in _endings(pod))
        return "disrupted" if was_stopped or any(_disrupted(pod)) else "failed"
    if pod["metadata"].get("deletionTimestamp"):
        return "stopping"
    return "running" if phase == "Running" else "pending"


# Jobs


def _ended(job: Object) -> Diagnosis:
    condition = next(c for c in _conditions(job) if c["type"] == "Failed")
    reason, message = condition.get("reason", "Failed"), _plain(condition.get("message", ""))
    name, spec = job["metadata"]["name"], job["spec"]
    text = {
        "DeadlineExceeded": f"Job {name} ran into its time limit of {spec.get('activeDeadlineSeconds')} s: "
        "go on with a longer --deadline",
        "FailedIndexes": f"worker slots {job.get('status', {}).get('failedIndexes', '')} of Job {name} failed more "
        f"than {spec.get('backoffLimitPerIndex')} times each: see their logs",
        "MaxFailedIndexesExceeded": f"more than {spec.get('maxFailedIndexes')} worker slots of Job {name} failed for "
        "good, so it was stopped: see their logs",
        "BackoffLimitExceeded": f"the pods of Job {name} failed more than {spec.get('backoffLimit')} times: "
        "see their logs",
        "PodFailurePolicy": f"Job {name} was stopped because a worker can never work ({message}): see its log",
    }.get(reason, f"Job {name} failed: {message or reason}")
    return Diagnosis(reason, text, fatal=True)


def _suspended(job: Object) -> Diagnosis:
    name = job["metadata"]["name"]
    if queue := (job["metadata"].get("labels") or {}).get("kueue.x-k8s.io/queue-name"):
        return Diagnosis(
            "NotAdmitted",
            f"Job {name} waits until Kueue's queue {queue!r} admits it: see `kubectl describe localqueue {queue}` "
            "for what is ahead of it, or whether there is such a queue",
        )
    return Diagnosis("Suspended", f"Job {name} is suspended: go on with `warrener k8s resume`")


def _not_created(message: str, namespace: str) -> Diagnosis:
    if found := re.search(r'violates PodSecurity "([^":]+)[^"]*": (.+)', message):
        rules = ", ".join(re.split(r" \([^)]*\)(?:, )?", found[2].rstrip(". "))).rstrip(", ")
        return Diagnosis(
            "PodSecurity",
            f"namespace {namespace} has the label pod-security.kubernetes.io/enforce={found[1]}, which forbids these "
            f"pods ({rules}): take what asks for this out of --patch, or use another namespace",
            fatal=True,
        )
    if found := re.search(r"exceeded quota: ([^,]+), (requested: .+)", message):
        return Diagnosis(
            "QuotaExceeded",
            f"quota {found[1]} of namespace {namespace} is used up ({found[2]}): wait until others end, or go on with "
            "fewer workers (`warrener k8s scale`)",
        )
    if found := re.search(r"failed quota: ([^:]+): must specify (.+?)(?: for: .*)?$", message):
        return Diagnosis(
            "QuotaExceeded",
            f"quota {found[1]} of namespace {namespace} demands that pods say {found[2]}: add it with --patch",
            fatal=True,
        )
    if found := re.search(r'serviceaccount "([^"]+)" not found', message):
        return Diagnosis(
            "ServiceAccountMissing",
            f"namespace {namespace} has no service account {found[1]}: create it",
            fatal=True,
        )
    return Diagnosis("FailedCreate", f"the cluster creates no pods: {message}")


def _lacks_pods(job: Object) -> bool:
    spec, status = job["spec"], job.get("status", {})
    wanted = spec.get("parallelism", 1)
    if "completions" in spec:
        wanted = min(wanted, spec["completions"] - (status.get("succeeded") or 0))
    return bool((status.get("active") or 0) < wanted)


# Pods


def _disrupted(pod: Object) -> Iterator[Diagnosis]:
    status = pod.get("status", {})
    for condition in _conditions(pod):
        if condition["type"] == "DisruptionTarget" and condition.get("status") == "True":
            reason = str(condition.get("reason", "DisruptionTarget"))
            why = _DISRUPTIONS.get(reason) or _plain(condition.get("message", reason))
            if status.get("message"):
                why += f" ({_plain(status['message'])})"
            yield Diagnosis(reason, f"a pod was disrupted, which costs no attempt: {why}; it is replaced")


def _unscheduled(pod: Object) -> Iterator[Diagnosis]:
    for condition in _conditions(pod):
        if condition["type"] != "PodScheduled" or condition.get("status") != "False":
            continue
        if condition.get("reason") == "SchedulingGated":
            gates = ", ".join(gate["name"] for gate in pod["spec"].get("schedulingGates", ()))
            yield Diagnosis(
                "SchedulingGated", f"a pod waits until {gates or 'whoever holds it'} lets it be scheduled"
            )
        elif condition.get("reason") == "Unschedulable":
            yield Diagnosis("Unschedulable", _why_no_node(_plain(condition.get("message", ""))))


def _why_no_node(message: str) -> str:
    # The second half, on preemption, repeats the first.
    counted = message.partition(" preemption:")[0].rstrip(". ")
    if found := re.search(r'persistentvolumeclaim "([^"]+)" not found', message):
        return f"a pod's volume claim {found[1]} does not exist: create it"
    if "unbound" in message and "PersistentVolumeClaim" in message:
        return (
            "a pod's volume claim is not bound: no volume fits, or its storage class cannot make one; see "
            "`kubectl describe pvc`, or choose another --storage-class"
        )
    ways = []
    if lacking := sorted(set(re.findall(r"Insufficient ([\w./-]+)", counted))):
        sizes = [f"--{resource}" for resource in lacking if resource in {"cpu", "memory"}]
        ask = f"ask for less ({', '.join(sizes)}), take fewer workers" if sizes else "take fewer workers"
        ways.append(f"{ask}, or add nodes")
    if taints := sorted(set(re.findall(r"taints? (?:\{([^:}]+))", counted))):
        ways.append(f"tolerate {', '.join(taints)} with --patch")
    if "affinity" in counted or "selector" in counted:
        ways.append("mend the node selector or affinity of your --patch")
    return f"no node takes a pod ({counted}): {'; '.join(ways) or 'see `kubectl describe pod`'}"


def _containers(pod: Object) -> Iterator[Diagnosis]:
    status, spec = pod.get("status", {}), pod["spec"]
    for is_init, states, specs in (
        (True, status.get("initContainerStatuses"), spec.get("initContainers")),
        (False, status.get("containerStatuses"), spec.get("containers")),
    ):
        limits = {c["name"]: c.get("resources", {}).get("limits", {}).get("memory") for c in specs or ()}
        for container in states or ():
            name, state = container["name"], container.get("state", {})
            if waiting := state.get("waiting"):
                yield from _waiting(container, waiting, limits.get(name))
            elif ended := state.get("terminated"):
                will_stay = spec.get("restartPolicy") == "Never"
                yield from _terminated(name, ended, limits.get(name), is_init=is_init, will_stay=will_stay)


def _waiting(container: Object, waiting: Object, limit: str | None) -> Iterator[Diagnosis]:
    name, reason, message = container["name"], waiting.get("reason", ""), _plain(waiting.get("message", ""))
    if reason in IMAGE_REASONS:
        yield _no_image(container["image"], reason, message)
    elif reason == "CreateContainerConfigError":
        yield Diagnosis(reason, _misconfigured(name, message), fatal=True)
    elif reason in {"CreateContainerError", "RunContainerError"}:
        yield Diagnosis(reason, f"container {name} does not start: {message}", fatal=True)
    elif reason == "CrashLoopBackOff":
        last = container.get("lastState", {}).get("terminated", {})
        why = next(_terminated(name, last, limit, is_init=False, will_stay=False), None)
        text = why.text if why else f"container {name} ended with exit code {last.get('exitCode', 'unknown')}"
        yield Diagnosis(
            reason, f"{text} (it keeps restarting: {container.get('restartCount', 0)} times so far)"
        )


def _no_image(image: str, reason: str, message: str) -> Diagnosis:
    if reason == "InvalidImageName":
        return Diagnosis(reason, f"{image!r} is no name of an image: correct --image", fatal=True)
    if reason == "ErrImageNeverPull":
        return Diagnosis(
            reason, f"image {image} is not on the node, and may not be pulled: load it there", fatal=True
        )
    if _NO_SUCH_IMAGE.search(message.replace(image, "")):
        way_out = "correct --image, push it, or give the pods an imagePullSecret with --patch"
        return Diagnosis(reason, f"image {image} is not there or not for us to pull: {way_out}", fatal=True)
    why = f" ({message})" if message else ""
    return Diagnosis(reason, f"image {image} cannot be pulled{why}: check that the nodes reach its registry")


def _misconfigured(container: str, message: str) -> str:
    if found := re.search(r'\b(secret|configmap) "([^"]+)" not found', message, re.IGNORECASE):
        return f"{_kind(found[1])} {found[2]} does not exist: create it, or run `warrener k8s up`"
    if found := re.search(r"find key (\S+) in (Secret|ConfigMap) (?:\S+/)?(\S+)", message):
        return f"{found[2]} {found[3]} has no key {found[1]}: add it"
    if "runAsNonRoot" in message:
        return (
            f"the image of container {container} runs as root, which is not allowed: build it with USER 10001"
        )
    return f"container {container} cannot be made: {message}"


def _unmounted(events: Iterable[Object]) -> Iterator[Diagnosis]:
    failures = [_said(event) for event in events if event.get("reason") == "FailedMount"]
    if not failures:
        return
    message = failures[-1]
    if found := re.search(r'\b(secret|configmap) "([^"]+)" not found', message, re.IGNORECASE):
        text = f"{_kind(found[1])} {found[2]}, which the pods mount, does not exist: create it, or run `warrener k8s up`"
        yield Diagnosis("FailedMount", text, fatal=True)
    elif found := re.search(r"references non-existent (secret|config) key: (\S+)", message):
        text = f"a {'Secret' if found[1] == 'secret' else 'ConfigMap'} that the pods mount has no key {found[2]}: add it"
        yield Diagnosis("FailedMount", text, fatal=True)
    else:
        yield Diagnosis("FailedMount", f"a volume cannot be mounted: {message}")


def _terminated(
    name: str, ended: Object, limit: str | None, *, is_init: bool, will_stay: bool
) -> Iterator[Diagnosis]:
    code, reason = ended.get("exitCode", 0), ended.get("reason", "Error")
    if code in {0, EXIT_STOPPED}:
        return
    said = _last_line(ended.get("message", ""))
    why = f": {said}" if said else ", see its log"
    if reason == "OOMKilled":
        most = f"its limit of {limit}" if limit else "its node has"
        text = f"container {name} was killed (OOMKilled) for using more memory than {most}: raise --memory"
        yield Diagnosis(reason, text, fatal=is_init and will_stay)
    elif reason in {"StartError", "ContainerCannotRun"}:
        yield Diagnosis(reason, f"container {name} does not start{why}", fatal=True)
    elif is_init:
        text = f"init container {name} failed with exit code {code}{why}"
        yield Diagnosis("InitContainerFailed", text, fatal=will_stay)
    elif code == EXIT_NEVER:
        yield Diagnosis("CannotWork", f"container {name} can never work{why}", fatal=True)
    else:
        yield Diagnosis(reason, f"container {name} ended with exit code {code}{why}")


# Reading objects


def _conditions(obj: Object) -> list[Object]:
    return obj.get("status", {}).get("conditions") or []


def _endings(pod: Object) -> Iterator[Object]:
    for container in pod.get("status", {}).get("containerStatuses") or ():
        yield container.get("state", {}).get("terminated") or {}


def _about(obj: Object, events: Iterable[Object]) -> list[Object]:
    # Events outlive their object: a new one of the same name has another uid.
    name, uid = obj["metadata"]["name"], obj["metadata"].get("uid")
    return [
        event
        for event in events
        if (it := event.get("involvedObject", {})).get("name") == name and it.get("uid") in (uid, None)
    ]


def _said(event: Object) -> str:
    return _plain(event.get("message", ""))


def _kind(word: str) -> str:
    return "Secret" if word.lower() == "secret" else "ConfigMap"


def _plain(text: str) -> str:
    """One line that a terminal may have."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _last_line(text: str) -> str:
    """The end of an output, where Python and we say what went wrong."""
    lines = [_plain(line) for line in text.splitlines()]
    return next((line for line in reversed(lines) if line), "")
