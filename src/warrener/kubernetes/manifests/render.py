"""All objects of a spec, section by section."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from warrener.errors import UsageError
from warrener.kubernetes import lint
from warrener.kubernetes.manifests import (
    monitoring,
    operator,
    page,
    scaling,
    scheduled,
    setup,
    statefulset,
    workers,
)
from warrener.kubernetes.manifests.network import broker_network
from warrener.kubernetes.manifests.record import record
from warrener.kubernetes.manifests.users import access_secrets, new_passwords

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from warrener.kubernetes.manifests.spec import Spec

SECTIONS: Final = ("secrets", "broker", "setup", "check", "workers", "monitoring", "ui")


def usual_sections(spec: Spec) -> list[str]:
    """What is rendered unless sections are chosen.

    A node of our own reads users and queue from its definitions and needs no set-up; of an existing broker there is only the record.
    """
    match spec.rabbitmq:
        case "statefulset":
            return ["broker", "workers"]
        case "operator":
            return ["broker", "setup", "workers"]
        case "existing":
            return ["broker", "setup", "workers"]


def render(
    spec: Spec, sections: Sequence[str] = (), passwords: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """The objects of some sections, checked, in the order in which they are applied.

    Args:
        spec: What is wanted.
        sections: Which; by default the usual ones. Only `secrets` holds passwords.
        passwords: For `secrets`; by default new ones.

    Raises:
        UsageError: There is no such section; or Kubernetes would not take the objects, or not run them, and the text
            lists why.
    """
    for section in sections:
        if section not in SECTIONS:
            raise UsageError(f"there is no section {section!r}: use {', '.join(SECTIONS)}")
    found = _found(spec, sections or usual_sections(spec), passwords)
    if problems := lint.check(found):
        raise UsageError(f"Kubernetes would not run this: {'; '.join(map(str, problems))}")
    return found


def _found(spec: Spec, wanted: Sequence[str], passwords: Mapping[str, str] | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if "secrets" in wanted:
        found += access_secrets(spec, passwords or new_passwords())
    if "broker" in wanted:
        found += _broker(spec)
    if (code := workers.code_map(spec)) and {"setup", "check", "workers"} & set(wanted):
        found.append(code)
    if "setup" in wanted:
        found.append(setup.setup_job(spec))
    if "check" in wanted:
        found.append(workers.check_job(spec))
    if "workers" in wanted:
        found += _workers(spec)
    if "monitoring" in wanted:
        found += [monitoring.pod_monitor(spec), monitoring.rule(spec), monitoring.dashboard(spec)]
    if "ui" in wanted:
        found += [page.network(spec), page.deployment(spec)]
    return found


def _broker(spec: Spec) -> list[dict[str, Any]]:
    match spec.rabbitmq:
        case "statefulset":
            return [
                record(spec),
                statefulset.config(spec),
                *statefulset.services(spec),
                statefulset.statefulset(spec),
                broker_network(spec),
            ]
        case "operator":
            return [
                record(spec),
                operator.cluster(spec),
                operator.disruption_budget(spec),
                broker_network(spec),
            ]
        case "existing":
            return [record(spec)]


def _workers(spec: Spec) -> list[dict[str, Any]]:
    if spec.autoscale == "keda":
        return [workers.worker_network(spec), scaling.authentication(spec), scaling.scaled_job(spec)]
    if spec.schedule:
        return [workers.worker_network(spec), *scheduled.scheduled(spec, spec.schedule)]
    return [workers.worker_network(spec), workers.worker_job(spec)]
