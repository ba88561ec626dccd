"""The Job that creates the queue and its users on a broker that does not read them from a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from warrener.brokers.rabbitmq.access import ROLES
from warrener.exit_codes import Exit
from warrener.kubernetes.manifests.names import BROKER
from warrener.kubernetes.manifests.pods import CONTAINER, FILE_MODE, metadata, pod_template
from warrener.kubernetes.manifests.workers import DISRUPTED

if TYPE_CHECKING:
    from warrener.kubernetes.manifests.spec import Spec

SETUP_SECONDS: Final = 1800
_USERS: Final = "/etc/warrener/users"


def setup_job(spec: Spec) -> dict[str, Any]:
    """`warrener setup` as an administrator: the queue with the app's delays, and a user for each role."""
    child = spec.child
    args = ["setup", *([child.app] if child.app else ["--retries", str(child.retries)]), "--users", _USERS]
    args += ["--keep-logs"] if spec.keep_logs else []
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(spec, spec.names.setup, "setup"),
        "spec": {
            "completions": 1,
            "parallelism": 1,
            "backoffLimit": 10,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {
                "rules": [
                    DISRUPTED,
                    {
                        "action": "FailJob",
                        "onExitCodes": {
                            "containerName": CONTAINER,
                            "operator": "In",
                            "values": [int(Exit.USAGE)],
                        },
                    },
                ]
            },
            "activeDeadlineSeconds": SETUP_SECONDS,
            "ttlSecondsAfterFinished": spec.ttl,
            "template": pod_template(spec, "setup", args, administrator(spec), _users(spec)),
        },
    }


def administrator(spec: Spec) -> tuple[str, str]:
    """The Secret and its key that have the URL of somebody who may create users."""
    match spec.rabbitmq:
        case "statefulset":
            return f"{BROKER}-admin", "url"
        case "operator":
            return f"{BROKER}-default-user", "connection_string"
        case "existing":
            name, _, key = (spec.broker_secret or "").partition(":")
            return name, key or "url"


def _users(spec: Spec) -> dict[str, Any]:
    """For each role a directory with what its user is called, its password, and the virtual host it is for."""
    sources = [
        {
            "secret": {
                "name": spec.names.secret(role),
                "items": [{"key": key, "path": f"{role}/{key}"} for key in ("username", "password", "vhost")],
            }
        }
        for role in ROLES
    ]
    return {"name": "users", "projected": {"defaultMode": FILE_MODE, "sources": sources}}
