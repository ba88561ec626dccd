"""All objects of a plan, part by part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from warrener.errors import UsageError
from warrener.kubernetes import lint, operator, scaling, setup, statefulset, workers
from warrener.kubernetes.access import access_secrets, new_passwords
from warrener.kubernetes.network import broker_network

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from warrener.kubernetes.plan import Plan

PARTS: Final = ("secrets", "broker", "setup", "check", "workers")


def usual_parts(plan: Plan) -> list[str]:
    """What is rendered unless parts are chosen.

    A node of our own reads users and queue from its definitions and needs no set-up; an existing broker is there.
    """
    match plan.rabbitmq:
        case "statefulset":
            return ["broker", "workers"]
        case "operator":
            return ["broker", "setup", "workers"]
        case "existing":
            return ["setup", "workers"]


def render(
    plan: Plan, parts: Sequence[str] = (), passwords: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """The objects of some parts, checked, in the order in which they are applied.

    Args:
        plan: What is wanted.
        parts: Which; by default the usual ones. Only `secrets` holds passwords.
        passwords: For `secrets`; by default new ones.

    Raises:
        UsageError: There is no such part; or Kubernetes would not take the objects, or not run them, and the text
            lists why.
    """
    for part in parts:
        if part not in PARTS:
            raise UsageError(f"there is no part {part!r}: use {', '.join(PARTS)}")
    wanted = parts or usual_parts(plan)
    found: list[dict[str, Any]] = []
    if "secrets" in wanted:
        found += access_secrets(plan, passwords or new_passwords())
    if "broker" in wanted:
        found += _broker(plan)
    if (code := workers.code_map(plan)) and {"setup", "check", "workers"} & set(wanted):
        found.append(code)
    if "setup" in wanted:
        found.append(setup.setup_job(plan))
    if "check" in wanted:
        found.append(workers.check_job(plan))
    if "workers" in wanted:
        found += _workers(plan)
    if problems := lint.check(found):
        raise UsageError(
            "Kubernetes would not run this:\n" + "\n".join(f"  {problem}" for problem in problems)
        )
    return found


def _broker(plan: Plan) -> list[dict[str, Any]]:
    match plan.rabbitmq:
        case "statefulset":
            return [
                statefulset.config(plan),
                *statefulset.services(plan),
                statefulset.statefulset(plan),
                broker_network(plan),
            ]
        case "operator":
            return [operator.cluster(plan), operator.disruption_budget(plan), broker_network(plan)]
        case "existing":
            return []


def _workers(plan: Plan) -> list[dict[str, Any]]:
    if plan.autoscale == "keda":
        return [workers.worker_network(plan), scaling.authentication(plan), scaling.scaled_job(plan)]
    return [workers.worker_network(plan), workers.worker_job(plan)]
