"""What a namespace's broker was made with, kept beside it: what the next command is not told again, it reads here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from warrener.kubernetes.manifests.names import BROKER, broker_metadata

if TYPE_CHECKING:
    from warrener.kubernetes.manifests.spec import Spec

RECORD: Final = f"{BROKER}-options"
# Of a spec, what describes the broker, in the order in which it is told.
OPTIONS: Final = (
    "rabbitmq",
    "broker_secret",
    "broker_address",
    "tls_secret",
    "rabbitmq_image",
    "storage",
    "storage_class",
    "broker_memory",
    "broker_cpu",
)


OF_NODES: Final = ("rabbitmq_image", "storage", "storage_class", "broker_memory", "broker_cpu")
"""Those of them that say something of a broker that Warrener makes alone."""


def record(spec: Spec) -> dict[str, Any]:
    """The ConfigMap with the broker's options; an option that is not set is empty."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": broker_metadata(spec.namespace, RECORD),
        "data": {option: getattr(spec, option) or "" for option in OPTIONS},
    }
