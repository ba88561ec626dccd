"""The kinds of objects that Warrener handles, and where the API server has them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from warrener.errors import UsageError
from warrener.kubernetes.client import internals

if TYPE_CHECKING:
    from warrener.kubernetes.objects import Object

# Kind -> API group and version, plural. Every one but Namespace lives in a namespace.
KINDS: Final[dict[str, tuple[str, str, str]]] = {
    "ConfigMap": ("", "v1", "configmaps"),
    "Event": ("", "v1", "events"),
    "Namespace": ("", "v1", "namespaces"),
    "PersistentVolumeClaim": ("", "v1", "persistentvolumeclaims"),
    "Pod": ("", "v1", "pods"),
    "Secret": ("", "v1", "secrets"),
    "Service": ("", "v1", "services"),
    "ServiceAccount": ("", "v1", "serviceaccounts"),
    "StatefulSet": ("apps", "v1", "statefulsets"),
    "CronJob": ("batch", "v1", "cronjobs"),
    "Job": ("batch", "v1", "jobs"),
    "NetworkPolicy": ("networking.k8s.io", "v1", "networkpolicies"),
    "PodDisruptionBudget": ("policy", "v1", "poddisruptionbudgets"),
    "Role": ("rbac.authorization.k8s.io", "v1", "roles"),
    "RoleBinding": ("rbac.authorization.k8s.io", "v1", "rolebindings"),
    "RabbitmqCluster": ("rabbitmq.com", "v1beta1", "rabbitmqclusters"),
    "ScaledJob": ("keda.sh", "v1alpha1", "scaledjobs"),
    "TriggerAuthentication": ("keda.sh", "v1alpha1", "triggerauthentications"),
}


@cache
def resource(kind: str) -> Any:
    """Lightkube's class for a kind.

    Raises:
        UsageError: Warrener has nothing to do with this kind.
    """
    if kind not in KINDS:
        raise UsageError(f"{kind} is not a kind that Warrener handles ({', '.join(KINDS)}): use kubectl")
    group, version, plural_ = KINDS[kind]
    return internals.resource(group, version, kind, plural_, is_namespaced=kind != "Namespace")


def plural(kind: str) -> str:
    """The kind's name for several of it."""
    return KINDS[kind][2]


def header(kind: str) -> Object:
    """What the items of a list lack: their version and kind."""
    group, version, _ = KINDS[kind]
    return {"apiVersion": f"{group}/{version}" if group else version, "kind": kind}


def path(kind: str, namespace: str) -> str:
    """Where a namespace's objects of a kind are."""
    group, version, plural_ = KINDS[kind]
    root = f"/apis/{group}/{version}" if group else f"/api/{version}"
    return f"{root}/{plural_}" if kind == "Namespace" else f"{root}/namespaces/{namespace}/{plural_}"


def title(obj: Object) -> str:
    """An object's kind and name."""
    return f"{obj['kind']} {obj['metadata']['name']}"
