"""What objects and events say, as text for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warrener.kubernetes.manifests.names import BROKER, QUEUE_ANNOTATION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warrener.kubernetes.objects import Object, Objects


def about(obj: Object, events: Iterable[Object]) -> Objects:
    """Those of some events that are about this very object."""
    # Events outlive their object: a new one of the same name has another uid.
    name, uid = obj["metadata"]["name"], obj["metadata"].get("uid")
    return [
        event
        for event in events
        if (it := event.get("involvedObject", {})).get("name") == name and it.get("uid") in (uid, None)
    ]


def said(event: Object) -> str:
    """What an event says."""
    return plain(event.get("message", ""))


def queue_of(obj: Object) -> str | None:
    """The queue that an object belongs to."""
    return (obj["metadata"].get("annotations") or {}).get(QUEUE_ANNOTATION)


def is_brokers(obj: Object) -> bool:
    """Whether an object is the broker's, or its operator's for it."""
    labels = obj["metadata"].get("labels") or {}
    return BROKER in (labels.get("app.kubernetes.io/instance"), labels.get("app.kubernetes.io/name"))


def kind(word: str) -> str:
    """`Secret` or `ConfigMap`, however a message writes it."""
    return "Secret" if word.lower() == "secret" else "ConfigMap"


def plain(text: str) -> str:
    """One line that a terminal may have."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def last_line(text: str) -> str:
    """The end of an output, where Python and we say what went wrong."""
    lines = [plain(line) for line in text.splitlines()]
    return next((line for line in reversed(lines) if line), "")
