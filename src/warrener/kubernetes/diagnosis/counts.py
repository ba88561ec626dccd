"""Pods by what they are doing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from warrener.exit_codes import Exit
from warrener.kubernetes.diagnosis.pods import disrupted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from warrener.kubernetes.objects import Object


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


def count_pods(pods: Iterable[Object], wanted: int) -> PodCounts:
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
        was_stopped = any(ended.get("exitCode") == Exit.STOPPED for ended in ended_containers(pod))
        return "disrupted" if was_stopped or any(disrupted(pod)) else "failed"
    if pod["metadata"].get("deletionTimestamp"):
        return "stopping"
    return "running" if phase == "Running" else "pending"


def ended_containers(pod: Object) -> Iterator[Object]:
    """What a pod's status says of each of its containers that has ended."""
    for container in pod.get("status", {}).get("containerStatuses") or ():
        yield container.get("state", {}).get("terminated") or {}
