"""A batch that runs by itself: a CronJob whose pod does what `k8s submit` does, and what it needs for that.

The pod makes the workers' Job instead of being one of its pods: only it has the volume, which may be on one node alone, and the
rights to drop and publish tasks; the app's code runs with a worker's rights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from warrener.errors import UsageError
from warrener.exit_codes import Exit
from warrener.kubernetes.manifests.arguments import literal
from warrener.kubernetes.manifests.cron import DATA
from warrener.kubernetes.manifests.pods import CONTAINER, metadata, pod_template
from warrener.kubernetes.manifests.workers import DISRUPTED, exit_code

if TYPE_CHECKING:
    from warrener.kubernetes.manifests.cron import Schedule
    from warrener.kubernetes.manifests.spec import Spec

COMPONENT: Final = "schedule"
SPEC_FILE: Final = "spec.json"
# So many past runs are kept with their logs, of those that went well and of the others.
_KEPT: Final = 7
# Kubernetes puts eleven digits behind a CronJob's name.
_MAX_NAME: Final = 52
_LATE: Final = 3600  # seconds that a run may begin late, where the controller was down
# What it may do, no more than a person needs for `k8s submit`; Secrets and port-forwards are not among it.
_RULES: Final[list[dict[str, Any]]] = [
    {
        "apiGroups": ["batch"],
        "resources": ["jobs"],
        "verbs": ["get", "list", "create", "patch", "delete"],
    },
    {"apiGroups": [""], "resources": ["pods", "events"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
]


def scheduled(spec: Spec, schedule: Schedule) -> list[dict[str, Any]]:
    """The CronJob, what its pod reads, and who it is for Kubernetes.

    Raises:
        UsageError: The queue's name is too long for a CronJob's.
    """
    name = spec.names.schedule
    if len(name) > _MAX_NAME:
        raise UsageError(
            f"--queue {spec.queue!r} is too long for a CronJob, whose name ends at {_MAX_NAME} characters: shorten it"
        )
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(spec, name, COMPONENT)},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": metadata(spec, name, COMPONENT),
            "rules": _RULES,
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": metadata(spec, name, COMPONENT),
            "roleRef": role,
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": spec.namespace}],
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata(spec, name, COMPONENT),
            "data": {SPEC_FILE: _written(spec)},
        },
        _cron_job(spec, schedule),
    ]


def _written(spec: Spec) -> str:
    """The spec of each night's workers."""
    plain = msgspec.structs.replace(spec, schedule=None)
    return msgspec.json.format(msgspec.json.encode(plain, order="sorted"), indent=2).decode() + "\n"


def _cron_job(spec: Spec, schedule: Schedule) -> dict[str, Any]:
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": metadata(spec, spec.names.schedule, COMPONENT),
        "spec": {
            "schedule": schedule.cron,
            **({"timeZone": schedule.time_zone} if schedule.time_zone else {}),
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": _LATE,
            "successfulJobsHistoryLimit": _KEPT,
            "failedJobsHistoryLimit": _KEPT,
            "jobTemplate": {
                "metadata": {
                    key: value for key, value in metadata(spec, "", COMPONENT).items() if key == "labels"
                },
                "spec": {
                    "completions": 1,
                    "parallelism": 1,
                    "backoffLimit": 6,
                    "podReplacementPolicy": "Failed",
                    "podFailurePolicy": {
                        "rules": [
                            DISRUPTED,
                            {"action": "Ignore", "onExitCodes": exit_code(CONTAINER, "In", Exit.STOPPED)},
                            {
                                "action": "FailJob",
                                "onExitCodes": exit_code(CONTAINER, "In", Exit.FAILED, Exit.USAGE),
                            },
                        ]
                    },
                    "activeDeadlineSeconds": spec.deadline,
                    "template": _pod(spec, schedule),
                },
            },
        },
    }


def _pod(spec: Spec, schedule: Schedule) -> dict[str, Any]:
    results = (
        ["-o", f"{DATA}/results/$(RUN).jsonl", "--report", f"{DATA}/results/$(RUN).html"]
        if schedule.volume
        else []
    )
    # Settings before tasks, whose words may be any.
    args = [
        "k8s",
        "scheduled",
        "--spec",
        f"/etc/warrener/{COMPONENT}/{SPEC_FILE}",
        "--run",
        "$(RUN)",
        *results,
        *(["--max-failures", schedule.max_failures] if schedule.max_failures else []),
    ]
    args += map(literal, schedule.tasks)
    template = pod_template(
        _small(spec),
        COMPONENT,
        args,
        (spec.names.secret("setup"), "url"),
        {"name": COMPONENT, "configMap": {"name": spec.names.schedule}},
    )
    pod, container = template["spec"], template["spec"]["containers"][0]
    pod["serviceAccountName"] = spec.names.schedule
    pod["automountServiceAccountToken"] = True
    run = {"fieldRef": {"fieldPath": "metadata.labels['batch.kubernetes.io/job-name']"}}
    container["env"].append({"name": "RUN", "valueFrom": run})
    if schedule.volume:
        pod["volumes"].append({"name": "data", "persistentVolumeClaim": {"claimName": schedule.volume}})
        container["volumeMounts"].append({"name": "data", "mountPath": DATA})
    return template


def _small(spec: Spec) -> Spec:
    """What its own pod is made of: it runs no app, and needs neither the workers' code nor their memory."""
    patch = spec.patch or {}
    own = {
        key: value
        for key, value in (patch.get("spec") or {}).items()
        if key not in ("containers", "initContainers", "volumes")
    }
    return msgspec.structs.replace(
        spec,
        code=None,
        memory="256Mi",
        max_memory=None,
        cpu="100m",
        patch={**patch, "spec": own} if patch else None,
    )
