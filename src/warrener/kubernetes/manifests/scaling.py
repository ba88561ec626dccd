"""A queue that stands: KEDA starts a worker for it whenever there is work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from warrener.errors import UsageError
from warrener.kubernetes.manifests.pods import metadata
from warrener.kubernetes.manifests.workers import failure_policy, worker_template

if TYPE_CHECKING:
    from warrener.kubernetes.commands import Commands
    from warrener.kubernetes.manifests.spec import Spec

_TASKS_PER_JOB: Final = 20


def refuse_standing(spec: Spec, commands: Commands) -> None:
    """Say so where what is wanted is for a queue that stands, which has no end that a batch could wait for.

    Raises:
        UsageError: It is.
    """
    if spec.autoscale:
        raise UsageError(
            "--autoscale is for a queue that stands, and `warrener k8s submit` for a batch that ends: apply what "
            "`warrener k8s render --section workers` writes with the same options, then publish with "
            f"`{commands.on_queue('publish TASKS', spec.queue)}`"
        )


def scaled_job(spec: Spec) -> dict[str, Any]:
    """Up to `parallelism` Jobs of one worker each, as many as the tasks in the queue ask for."""
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledJob",
        "metadata": metadata(spec, spec.names.standing, "worker"),
        "spec": {
            "pollingInterval": 15,
            "maxReplicaCount": spec.parallelism,
            "successfulJobsHistoryLimit": 5,
            "failedJobsHistoryLimit": 20,
            "rollout": {"strategy": "gradual"},
            "jobTargetRef": {
                "completions": 1,
                "parallelism": 1,
                "backoffLimit": 0,
                "podReplacementPolicy": "Failed",
                "podFailurePolicy": failure_policy(spec),
                "activeDeadlineSeconds": spec.deadline,
                "ttlSecondsAfterFinished": spec.ttl,
                "template": worker_template(spec),
            },
            "triggers": [
                {
                    "type": "rabbitmq",
                    "metadata": {
                        "protocol": "http",
                        "mode": "QueueLength",
                        "value": str(_TASKS_PER_JOB),
                        "queueName": spec.queue,
                        "vhostName": spec.broker.vhost,
                    },
                    "authenticationRef": {"name": spec.names.secret("watcher")},
                }
            ],
        },
    }


def authentication(spec: Spec) -> dict[str, Any]:
    """How KEDA reads the queue's length: as the watcher, who may do nothing else."""
    watcher = spec.names.secret("watcher")
    references = [
        {"parameter": parameter, "name": watcher, "key": key}
        for parameter, key in (("host", "management"), ("username", "username"), ("password", "password"))
    ]
    if spec.tls_secret:
        references += [
            {"parameter": "tls", "name": watcher, "key": "tls"},
            {"parameter": "ca", "name": spec.tls_secret, "key": "ca.crt"},
        ]
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "TriggerAuthentication",
        "metadata": metadata(spec, watcher, "watcher"),
        "spec": {"secretTargetRef": references},
    }
