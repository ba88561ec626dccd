"""How far a Job is, and what is in its way, apart from its pods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from warrener.kubernetes.diagnosis.diagnosis import Diagnosis
from warrener.kubernetes.diagnosis.reading import plain, queue_of, said
from warrener.kubernetes.diagnosis.refused import not_created
from warrener.kubernetes.objects import conditions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warrener.kubernetes.commands import Commands
    from warrener.kubernetes.objects import Object

JobState: TypeAlias = Literal["running", "suspended", "finishing", "complete", "failed"]


def job_state(job: Object) -> JobState:
    """How far a Job is. `finishing` is decided, but its pods still stop: not the end yet."""
    true = {c["type"] for c in conditions(job) if c.get("status") == "True"}
    if "Complete" in true:
        return "complete"
    if "Failed" in true:
        return "failed"
    if true & {"SuccessCriteriaMet", "FailureTarget"}:
        return "finishing"
    return "suspended" if "Suspended" in true or job["spec"].get("suspend") else "running"


def diagnose_job(job: Object, events: Iterable[Object], commands: Commands) -> list[Diagnosis]:
    """What is in the way of a Job, apart from its pods."""
    match job_state(job):
        case "failed":
            return [_ended(job)]
        case "suspended":
            return [_suspended(job, commands)]
        case "running" if _lacks_pods(job):
            # Events stay for an hour, so they count only while this is so.
            refusals = [said(event) for event in events if event.get("reason") == "FailedCreate"]
            return [not_created(job, refusals[-1], commands)] if refusals else []
    return []


def _ended(job: Object) -> Diagnosis:
    condition = next(c for c in conditions(job) if c["type"] == "Failed")
    reason, message = condition.get("reason", "Failed"), plain(condition.get("message", ""))
    name, spec = job["metadata"]["name"], job["spec"]
    text = {
        "DeadlineExceeded": f"Job {name} ran into its time limit of {spec.get('activeDeadlineSeconds')} s: "
        "submit again with a longer --deadline",
        "FailedIndexes": f"worker slots {job.get('status', {}).get('failedIndexes', '')} of Job {name} failed more "
        f"than {spec.get('backoffLimitPerIndex')} times each: see their logs",
        "MaxFailedIndexesExceeded": f"more than {spec.get('maxFailedIndexes')} worker slots of Job {name} failed for "
        "good, so it was stopped: see their logs",
        "BackoffLimitExceeded": f"the pods of Job {name} failed more than {spec.get('backoffLimit')} times: "
        "see their logs",
        "PodFailurePolicy": f"Job {name} was stopped because a worker can never work ({message}): see its log",
    }.get(reason, f"Job {name} failed: {message or reason}")
    return Diagnosis(reason, text, fatal=True)


def _suspended(job: Object, commands: Commands) -> Diagnosis:
    name = job["metadata"]["name"]
    if queue := (job["metadata"].get("labels") or {}).get("kueue.x-k8s.io/queue-name"):
        return Diagnosis(
            "NotAdmitted",
            f"Job {name} waits until Kueue's queue {queue!r} admits it: see "
            f"`{commands.kubectl(f'describe localqueue {queue}')}` "
            "for what is ahead of it, or whether there is such a queue",
        )
    return Diagnosis(
        "Suspended", f"Job {name} is suspended: go on with `{commands.k8s('resume', queue_of(job))}`"
    )


def _lacks_pods(job: Object) -> bool:
    spec, status = job["spec"], job.get("status", {})
    wanted = spec.get("parallelism", 1)
    if "completions" in spec:
        wanted = min(wanted, spec["completions"] - (status.get("succeeded") or 0))
    return bool((status.get("active") or 0) < wanted)
