"""Rules for the spec of a Job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from warrener.kubernetes.lint.problem import DNS_LABEL, Problem, containers, mapping, maps

if TYPE_CHECKING:
    from collections.abc import Iterator

_ACTIONS: Final = ("Ignore", "FailJob", "FailIndex", "Count")
_ONLY_INDEXED: Final = ("backoffLimitPerIndex", "maxFailedIndexes", "successPolicy")
_MOST: Final = 255


def indexed(found: dict[str, Any], spec: dict[str, Any]) -> Iterator[Problem]:
    """Slots, and what only a Job with slots can have."""
    completions, parallelism = spec.get("completions"), spec.get("parallelism")
    if spec.get("completionMode") != "Indexed":
        for key in _ONLY_INDEXED:
            if key in spec:
                yield Problem(key, "needs completionMode Indexed")
        return
    if not isinstance(completions, int) or not isinstance(parallelism, int):
        yield Problem("completions", "an Indexed Job must have completions and parallelism")
        return
    pod = f"{found['metadata'].get('name')}-{max(completions - 1, 0)}"
    if not DNS_LABEL.fullmatch(pod):
        yield Problem(
            "completions", f"the pod's name {pod!r} would not be a DNS label of up to 63 characters"
        )
    if spec.get("maxFailedIndexes", 0) > completions:
        yield Problem("maxFailedIndexes", f"must be at most completions, which is {completions}")
    if "maxFailedIndexes" in spec and "backoffLimitPerIndex" not in spec:
        yield Problem("maxFailedIndexes", "needs backoffLimitPerIndex")


def restart(_: dict[str, Any], spec: dict[str, Any]) -> Iterator[Problem]:
    """A Job's pods restart in place or never, and some policies see only those that never do."""
    policy = _pod(spec).get("restartPolicy")
    if policy not in ("Never", "OnFailure"):
        yield Problem("template.spec.restartPolicy", f"must be Never or OnFailure, not {policy}")
    if policy != "Never":
        for key in ("podFailurePolicy", "backoffLimitPerIndex"):
            if key in spec:
                yield Problem(key, "needs restartPolicy Never")


def failure_policy(_: dict[str, Any], spec: dict[str, Any]) -> Iterator[Problem]:
    """The policy's rules."""
    if "podFailurePolicy" not in spec:
        return
    if spec.get("podReplacementPolicy", "Failed") != "Failed":
        yield Problem("podReplacementPolicy", "must be Failed where there is a podFailurePolicy")
    names = {container.get("name") for _, container in containers(_pod(spec))}
    for number, rule in enumerate(maps(mapping(spec["podFailurePolicy"]).get("rules"))):
        for text in _rule(rule, spec, names):
            yield Problem(f"podFailurePolicy.rules[{number}]", text)


def _rule(rule: dict[str, Any], spec: dict[str, Any], names: set[Any]) -> Iterator[str]:
    action = rule.get("action")
    if action not in _ACTIONS:
        yield f"action {action!r} is none of {', '.join(_ACTIONS)}"
    if action == "FailIndex" and "backoffLimitPerIndex" not in spec:
        yield "action FailIndex needs backoffLimitPerIndex"
    if ("onExitCodes" in rule) == ("onPodConditions" in rule):
        yield "must have either onExitCodes or onPodConditions"
    if "onExitCodes" in rule:
        yield from _exit_codes(mapping(rule["onExitCodes"]), names)


def _exit_codes(codes: dict[str, Any], names: set[Any]) -> Iterator[str]:
    values, operator, container = codes.get("values") or [], codes.get("operator"), codes.get("containerName")
    if container is not None and container not in names:
        yield f"there is no container {container!r}"
    if operator not in ("In", "NotIn"):
        yield f"operator {operator!r} is neither In nor NotIn"
    if not values or values != sorted(set(values)):
        yield f"exit codes {values} must be in order, each once"
    if operator == "In" and 0 in values:
        yield "0 is no failure: it cannot be among exit codes with In"
    if any(not 0 <= value <= _MOST for value in values):
        yield f"exit codes {values} must be from 0 to {_MOST}"


def _pod(spec: dict[str, Any]) -> dict[str, Any]:
    return mapping(mapping(spec.get("template")).get("spec"))
