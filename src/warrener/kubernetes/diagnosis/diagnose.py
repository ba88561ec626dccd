"""All that is in the way of a Job and its pods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from warrener.kubernetes.diagnosis.jobs import diagnose_job
from warrener.kubernetes.diagnosis.pods import diagnose_pod
from warrener.kubernetes.diagnosis.reading import about

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from warrener.kubernetes.commands import Commands
    from warrener.kubernetes.diagnosis.diagnosis import Diagnosis
    from warrener.kubernetes.objects import Object


def diagnose(
    job: Object, pods: Sequence[Object], events: Iterable[Object], commands: Commands
) -> list[Diagnosis]:
    """All that is in the way of a Job, what is fatal first; what several pods have in common once.

    Args:
        job: The Job.
        pods: Its pods.
        events: Those of the Job and of its pods.
        commands: What to tell people to run.
    """
    told = list(events)
    found = diagnose_job(job, about(job, told), commands)
    for pod in pods:
        found += diagnose_pod(pod, about(pod, told), commands)
    merged: dict[tuple[str, str], Diagnosis] = {}
    for each in found:
        before = merged.get((each.reason, each.text))
        known = before.pods if before else ()
        merged[each.reason, each.text] = msgspec.structs.replace(each, pods=known + each.pods)
    return sorted(merged.values(), key=lambda diagnosis: not diagnosis.fatal)
