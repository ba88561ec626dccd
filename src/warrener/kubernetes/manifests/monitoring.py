"""What Prometheus and Grafana need to see all workers of a namespace, whichever queue is theirs."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from warrener.kubernetes.manifests.names import PART_OF, labels

if TYPE_CHECKING:
    from warrener.kubernetes.manifests.spec import Spec

PORT: Final = 9464
PORT_NAME: Final = "metrics"

_NAME: Final = "warrener"
_COMPONENT: Final = "monitoring"
_SERIES: Final = re.compile(r"(warrener_\w+)(\{)?")
# What Prometheus knows of a pod of a Job: the Job, and the slot.
_JOB: Final = "__meta_kubernetes_pod_label_batch_kubernetes_io_job_name"
_SLOT: Final = "__meta_kubernetes_pod_label_batch_kubernetes_io_job_completion_index"


def serving(container: dict[str, Any]) -> dict[str, Any]:
    """A worker's container that serves metrics and probes."""
    return {
        **container,
        "ports": [{"name": PORT_NAME, "containerPort": PORT}],
        "readinessProbe": _probe("/readyz", every=10, failures=3),
        "livenessProbe": _probe("/livez", every=15, failures=4),
    }


def pod_monitor(spec: Spec) -> dict[str, Any]:
    """Has Prometheus's operator scrape every worker."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": _metadata(spec, "workers"),
        "spec": {
            "selector": {"matchLabels": {**PART_OF, "app.kubernetes.io/component": "worker"}},
            "podMetricsEndpoints": [
                {
                    "port": PORT_NAME,
                    "relabelings": [
                        {
                            "sourceLabels": [_JOB, _SLOT],
                            "separator": "/",
                            "regex": "(.+/.+)",
                            "targetLabel": "instance",
                        },
                        {"action": "labeldrop", "regex": "pod"},
                    ],
                }
            ],
        },
    }


def rule(spec: Spec) -> dict[str, Any]:
    """The alerts, about this namespace."""
    import yaml

    groups = yaml.safe_load(_text("alerts.yaml"))["groups"]
    for group in groups:
        for alert in group["rules"]:
            alert["expr"] = within(spec.namespace, alert["expr"])
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": _metadata(spec, "alerts"),
        "spec": {"groups": groups},
    }


def dashboard(spec: Spec) -> dict[str, Any]:
    """The dashboard, where Grafana's sidecar looks for it."""
    about = _metadata(spec, "dashboard")
    about["labels"]["grafana_dashboard"] = "1"
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": about,
        "data": {"warrener.json": _text("dashboard.json")},
    }


def within(namespace: str, expression: str) -> str:
    """An expression of PromQL about what one namespace has."""
    scope = f'namespace="{namespace}"'
    return _SERIES.sub(lambda found: f"{found[1]}{{{scope}{', ' if found[2] else '}'}", expression)


def _probe(path: str, *, every: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": PORT_NAME},
        "periodSeconds": every,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }


def _metadata(spec: Spec, what: str) -> dict[str, Any]:
    return {
        "name": f"{_NAME}-{what}",
        "namespace": spec.namespace,
        "labels": labels(_NAME, _COMPONENT),
    }


def _text(name: str) -> str:
    return (files("warrener.metrics") / "prometheus" / name).read_text("utf-8")
