"""What the API server refuses, as one of our errors: one sentence, with the way out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from warrener.errors import (
    ClusterError,
    ClusterRefused,
    ClusterUnreachable,
    ObjectConflict,
    ObjectInvalid,
    ObjectMissing,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


_ERRORS: Final[dict[int, type[ClusterError]]] = {
    401: ClusterRefused,
    403: ClusterRefused,
    404: ObjectMissing,
    409: ObjectConflict,
    410: ObjectMissing,
    422: ObjectInvalid,
    429: ClusterUnreachable,
}


_FORBIDDEN: Final = re.compile(
    r'User "([^"]+)" cannot (\w+) resource "([^"]+)" in API group "[^"]*"(?: in the namespace "([^"]+)")?'
)


def refusal(code: int, status: Mapping[str, Any], deed: str, server: str) -> ClusterError:
    """The error for an answer.

    Args:
        code: Its HTTP status.
        status: Its body, the API's `Status` object; empty when it had another one.
        deed: What was asked, for the sentence: `apply Job render`.
        server: The API server's address.
    """
    by_default = ClusterUnreachable if code >= 500 else ClusterError  # noqa: PLR2004 - the server's own failures
    return _ERRORS.get(code, by_default)(f"cannot {deed}: {_why(code, status, server)}")


def _why(code: int, status: Mapping[str, Any], server: str) -> str:
    message = " ".join(str(status.get("message") or f"{server} answers with HTTP status {code}").split())
    match code:
        case 401:
            return f"{server} does not accept the kubeconfig's credentials: log in again"
        case 403:
            return _forbidden(message) or message
        case 404:
            message = _missing(status.get("details") or {}) or message
        case 409 if owned := _conflicts(_causes(status)):
            return (
                f"{owned}: change it the way it was made, or take it over with "
                "`kubectl apply --server-side --force-conflicts --field-manager=warrener`"
            )
        case 409 if status.get("reason") == "AlreadyExists":
            message = "it exists already"
        case 422:
            return _faults(_causes(status)) or message
    return message


def _forbidden(message: str) -> str | None:
    if not (found := _FORBIDDEN.search(message)):
        return None
    user, verb, resource, namespace = found.groups()
    where = f" in namespace {namespace}" if namespace else ""
    return f"user {user!r} has no right to {verb} {resource}{where}: ask for it, with the Role that docs/kubernetes.md lists"


def _missing(details: Mapping[str, str]) -> str | None:
    if not (name := details.get("name")):  # only a missing object is named
        return "the cluster does not know this kind: install what brings it, an operator say"
    if details.get("kind") == "namespaces":
        return f"there is no namespace {name}: make it with `kubectl create namespace {name}`"
    return None


def _causes(status: Mapping[str, Any]) -> list[Mapping[str, str]]:
    return (status.get("details") or {}).get("causes") or []


def _conflicts(causes: Iterable[Mapping[str, str]]) -> str:
    """Who manages which fields: `spec.parallelism is managed by "kubectl-edit"`."""
    owners: dict[str, list[str]] = {}
    for cause in causes:
        if cause.get("reason") == "FieldManagerConflict":
            owner = re.search(r'conflict with "([^"]+)"', cause.get("message", ""))
            fields = owners.setdefault(owner[1] if owner else "someone else", [])
            fields.append(cause.get("field", "").lstrip("."))
    return " and ".join(
        f'{", ".join(fields)} {"is" if len(fields) == 1 else "are"} managed by "{owner}"'
        for owner, fields in owners.items()
    )


def _faults(causes: Iterable[Mapping[str, str]]) -> str:
    """Which fields are wrong, and why."""
    # Field and message can each be absent, and a union of types repeats its causes.
    faults = [": ".join(filter(None, (cause.get("field"), cause.get("message")))) for cause in causes]
    return "; ".join(dict.fromkeys(filter(None, faults)))
