"""Commands that a sentence tells a person to run: whole, so that they can be pasted and lead to the same place."""

from __future__ import annotations

import shlex

import msgspec


class Commands(msgspec.Struct, frozen=True):
    """Commands that lead to one namespace of one cluster.

    Args:
        namespace: The namespace.
        context: The kubeconfig's context, if one was chosen.
        kubeconfig: The kubeconfig's file, if one was chosen.
    """

    namespace: str
    context: str | None = None
    kubeconfig: str | None = None

    def k8s(self, verb: str, queue: str | None = None) -> str:
        """A verb of `warrener k8s`, with its own options, for a queue."""
        return f"warrener k8s {verb}{_options(queue=queue)}{self._where}"

    def on_queue(self, verb: str, queue: str) -> str:
        """Any other verb of `warrener`, with its own options, on a queue of the cluster."""
        variable = f"KUBECONFIG={shlex.quote(self.kubeconfig)} " if self.kubeconfig else ""
        return f"{variable}warrener {verb}{_options(broker=self.place, queue=queue)}"

    def kubectl(self, verb: str) -> str:
        """A verb of kubectl, with its own arguments."""
        return f"kubectl {verb}{self._where}"

    @property
    def place(self) -> str:
        """The namespace as a broker's address names it."""
        return f"k8s:{self.context}/{self.namespace}" if self.context else f"k8s:{self.namespace}"

    @property
    def _where(self) -> str:
        return _options(namespace=self.namespace, context=self.context, kubeconfig=self.kubeconfig)


def _options(**given: str | None) -> str:
    return "".join(f" --{name} {shlex.quote(value)}" for name, value in given.items() if value is not None)
