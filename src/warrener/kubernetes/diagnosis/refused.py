"""Why the cluster creates no pods, or no volumes, for a Job or for a broker."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from warrener.kubernetes.diagnosis.diagnosis import Diagnosis
from warrener.kubernetes.diagnosis.reading import is_brokers, queue_of

if TYPE_CHECKING:
    from warrener.kubernetes.commands import Commands
    from warrener.kubernetes.objects import Object


def not_created(owner: Object, message: str, commands: Commands) -> Diagnosis:
    """What an event says that the cluster refuses.

    Args:
        owner: The Job or StatefulSet whose pods are refused.
        message: The event's.
        commands: What to tell people to run.
    """
    found = (
        _by_quota(owner, message, commands)
        or _by_limits(owner, message, commands.namespace)
        or _by_name(message, commands.namespace)
    )
    return found or Diagnosis("FailedCreate", f"the cluster creates no pods: {message}")


def _by_name(message: str, namespace: str) -> Diagnosis | None:
    if found := re.search(r'violates PodSecurity "([^":]+)[^"]*": (.+)', message):
        rules = ", ".join(re.split(r" \([^)]*\)(?:, )?", found[2].rstrip(". "))).rstrip(", ")
        return Diagnosis(
            "PodSecurity",
            f"namespace {namespace} has the label pod-security.kubernetes.io/enforce={found[1]}, which forbids these "
            f"pods ({rules}): take what asks for this out of --patch, or use another namespace",
            fatal=True,
        )
    if found := re.search(r"no PriorityClass with name (\S+) was found", message):
        return Diagnosis(
            "PriorityClassMissing",
            f"there is no PriorityClass {found[1]}: correct priorityClassName in --patch, or create it",
            fatal=True,
        )
    if found := re.search(r'serviceaccount "([^"]+)" not found', message):
        return Diagnosis(
            "ServiceAccountMissing",
            f"namespace {namespace} has no service account {found[1]}: create it",
            fatal=True,
        )
    return None


def _by_quota(owner: Object, message: str, commands: Commands) -> Diagnosis | None:
    namespace, memory = commands.namespace, _memory(owner)
    if found := re.search(r"exceeded quota: ([^,]+), (requested: .+)", message):
        if is_brokers(owner):
            size = "--storage" if "storage" in found[2] else memory
            way_out = f"ask for less ({size}), or have it raised"
        else:
            fewer = commands.k8s("scale N", queue_of(owner))
            way_out = f"wait until others end, ask for less ({memory}, --cpu), or go on with fewer workers (`{fewer}`)"
        return Diagnosis(
            "QuotaExceeded", f"quota {found[1]} of namespace {namespace} is used up ({found[2]}): {way_out}"
        )
    if found := re.search(r"failed quota: ([^:]+): must specify (.+?)(?: for: .*)?$", message):
        way_out = "have it changed" if is_brokers(owner) else "add it with --patch"
        return Diagnosis(
            "QuotaExceeded",
            f"quota {found[1]} of namespace {namespace} demands that pods say {found[2]}: {way_out}",
            fatal=True,
        )
    return None


def _by_limits(owner: Object, message: str, namespace: str) -> Diagnosis | None:
    memory = _memory(owner)
    if found := re.search(r"((?:maximum|minimum|\w+ max limit) [^:]*? per (?:Container|Pod)\b.*)", message):
        size = memory if "memory" in found[1] else "--storage" if "storage" in found[1] else "--cpu"
        return Diagnosis(
            "LimitRange",
            f"a LimitRange of namespace {namespace} forbids these pods ({found[1].rstrip('. ]')}): choose another {size}, or "
            "have it changed",
            fatal=True,
        )
    if found := re.search(r"(?:maximum|minimum) storage usage per PersistentVolumeClaim.*", message):
        return Diagnosis(
            "LimitRange",
            f"a LimitRange of namespace {namespace} forbids this volume ({found[0]}): choose another --storage",
            fatal=True,
        )
    return None


def _memory(owner: Object) -> str:
    return "--broker-memory" if is_brokers(owner) else "--memory"
