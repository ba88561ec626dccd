"""What Kubernetes refuses or fails to run although it fits the schema, found before a cluster is asked.

Each rule is a function that yields problems. They follow Kubernetes' own validation, and Pod Security's level
`restricted`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from warrener.kubernetes.lint import jobs, objects, pods, security
from warrener.kubernetes.lint.problem import Problem, maps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_OBJECT_RULES: Final = (objects.name, objects.size, objects.selector)
_JOB_RULES: Final = (jobs.indexed, jobs.restart, jobs.failure_policy)
_POD_RULES: Final = (pods.unique, pods.mounts, pods.resources, pods.probes, security.restricted)


def check(manifests: Sequence[dict[str, Any]]) -> list[str]:
    """Every problem of these objects, one sentence each."""
    return [
        f"{found['kind']} {found['metadata'].get('name')}: {problem.path}: {problem.text}"
        for found in manifests
        for problem in _problems(found)
    ]


def _problems(found: dict[str, Any]) -> Iterator[Problem]:
    for object_rule in _OBJECT_RULES:
        yield from object_rule(found)
    for path, spec in _jobs(found):
        for job_rule in _JOB_RULES:
            for problem in job_rule(found, spec):
                yield Problem(f"{path}.{problem.path}", problem.text)
    for path, spec in _pods(found):
        for pod_rule in _POD_RULES:
            for problem in pod_rule(spec):
                yield Problem(f"{path}.{problem.path}", problem.text)


def _jobs(found: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    match found:
        case {"kind": "Job", "spec": dict(spec)}:
            yield "spec", spec
        case {"kind": "ScaledJob", "spec": {"jobTargetRef": dict(spec)}}:
            yield "spec.jobTargetRef", spec
        case {"kind": "CronJob", "spec": {"jobTemplate": {"spec": dict(spec)}}}:
            yield "spec.jobTemplate.spec", spec


def _pods(found: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    match found:
        case {"kind": "Pod", "spec": dict(spec)}:
            yield "spec", spec
        case {
            "kind": "StatefulSet",
            "spec": {"template": {"spec": dict(spec)}, "volumeClaimTemplates": list(claims)},
        }:
            volumes = [{"name": claim["metadata"]["name"]} for claim in claims]
            yield "spec.template.spec", {**spec, "volumes": maps(spec.get("volumes")) + volumes}
        case {"spec": {"template": {"spec": dict(spec)}}}:
            yield "spec.template.spec", spec
        case {"spec": {"jobTemplate": {"spec": {"template": {"spec": dict(spec)}}}}}:
            yield "spec.jobTemplate.spec.template.spec", spec
        case {"spec": {"jobTargetRef": {"template": {"spec": dict(spec)}}}}:
            yield "spec.jobTargetRef.template.spec", spec
