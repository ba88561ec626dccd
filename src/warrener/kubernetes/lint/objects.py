"""Rules for any object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from warrener.kubernetes.lint.problem import DNS_LABEL, DNS_NAME, Problem, mapping

if TYPE_CHECKING:
    from collections.abc import Iterator

# Of a Secret, or of a ConfigMap.
MAX_BYTES: Final = 1024 * 1024


def name(found: dict[str, Any]) -> Iterator[Problem]:
    """Names are DNS names; those of Services are labels of such names."""
    given = str(found["metadata"].get("name", ""))
    pattern, what = (DNS_LABEL, "a DNS label") if found["kind"] == "Service" else (DNS_NAME, "a DNS name")
    if not pattern.fullmatch(given):
        yield Problem("metadata.name", f"{given!r} is not {what}")


def size(found: dict[str, Any]) -> Iterator[Problem]:
    """Secrets and ConfigMaps have a limit."""
    match found["kind"]:
        case "Secret":
            plain, packed = {}, mapping(found.get("data"))
        case "ConfigMap":
            plain, packed = mapping(found.get("data")), mapping(found.get("binaryData"))
        case _:
            return
    total = sum(len(text.encode()) for text in plain.values()) + sum(map(_unpacked, packed.values()))
    if total > MAX_BYTES:
        yield Problem("data", f"has {total:,} bytes, more than the {MAX_BYTES:,} that Kubernetes takes")


def selector(found: dict[str, Any]) -> Iterator[Problem]:
    """A StatefulSet must select its own pods."""
    match found:
        case {
            "kind": "StatefulSet",
            "spec": {
                "selector": {"matchLabels": dict(wanted)},
                "template": {"metadata": {"labels": dict(labels)}},
            },
        } if not wanted.items() <= labels.items():
            yield Problem("spec.selector", "does not match the labels of the pod template")


def _unpacked(text: str) -> int:
    """Base64 takes four characters for three bytes."""
    return len(text) * 3 // 4 - text.count("=")
