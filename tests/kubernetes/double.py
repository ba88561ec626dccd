"""A namespace in a dict, behind the cluster's interface: it keeps what it is given and refuses what Kubernetes would.

Nothing happens by itself: a test says what becomes of an object, in `on_create` or by changing it.
"""

from __future__ import annotations

import copy
import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from warrener.errors import ObjectConflict, ObjectInvalid, ObjectMissing
from warrener.kubernetes import lint
from warrener.kubernetes.client.cluster import Cluster
from warrener.kubernetes.client.endpoint import Endpoint
from warrener.kubernetes.commands import Commands

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from warrener.kubernetes.objects import Object, Objects

_WRITTEN = ("controller-uid", "job-name")


class Double(Cluster):
    """One namespace.

    Attributes:
        objects: What there is, by kind and name.
        told: Events.
        output: What each pod has written.
        lacks: Kinds that this cluster does not know.
        asked: How often events were asked for.
        deeds: Every change, in order: verb, kind, name.
        on_create: Called with each new object, as it is kept.
    """

    def __init__(self, websockets: str = "ws://127.0.0.1:1") -> None:
        namespace = {"kind": "Namespace", "metadata": {"name": "batch"}}
        self.objects: dict[tuple[str, str], Object] = {("Namespace", "batch"): namespace}
        self.told: Objects = []
        self.asked = 0
        self.output: dict[str, list[str]] = defaultdict(list)
        self.lacks = {"RabbitmqCluster", "ScaledJob", "TriggerAuthentication"}
        self.deeds: list[tuple[str, str, str]] = []
        self.on_create: Callable[[Object], None] = lambda _: None
        self._websockets = websockets
        self._count = 0

    async def close(self) -> None:
        """There is nothing to close."""

    @property
    def namespace(self) -> str:
        return "batch"

    @property
    def server(self) -> str:
        return "https://double"

    @property
    def commands(self) -> Commands:
        return Commands("batch")

    async def apply(self, obj: Object) -> Object:
        self._know(obj["kind"])
        if found := self.objects.get((obj["kind"], obj["metadata"]["name"])):
            self._deed("apply", obj["kind"], obj["metadata"]["name"])
            if obj["kind"] == "Job" and found["spec"]["template"] != obj["spec"]["template"]:
                raise ObjectInvalid("spec.template: field is immutable")
            _merge(found, obj)
            return copy.deepcopy(found)
        return await self.create(obj)

    async def create(self, obj: Object) -> Object:
        kind, name = obj["kind"], obj["metadata"]["name"]
        self._know(kind)
        if (kind, name) in self.objects:
            raise ObjectConflict(f"cannot create {kind} {name}: it exists already")
        if problems := lint.check([obj]):
            raise ObjectInvalid("; ".join(problems))
        kept = copy.deepcopy(obj)
        self._count += 1
        kept["metadata"] |= {
            "uid": f"uid-{self._count}",
            "creationTimestamp": f"2026-11-24T{self._count:06}Z",
        }
        if kind == "Job":
            _written(kept)
        self.objects[kind, name] = kept
        self._deed("create", kind, name)
        self.on_create(kept)
        return copy.deepcopy(kept)

    async def get(self, kind: str, name: str) -> Object | None:
        return copy.deepcopy(self.objects.get((kind, name)))

    async def list(self, kind: str, labels: Mapping[str, str] | None = None) -> Objects:
        self._know(kind)
        return [
            copy.deepcopy(found)
            for (kind_, _), found in self.objects.items()
            if kind_ == kind and (labels or {}).items() <= (found["metadata"].get("labels") or {}).items()
        ]

    async def patch(self, kind: str, name: str, changes: Object) -> Object:
        if (kind, name) not in self.objects:
            raise ObjectMissing(f"cannot change {kind} {name}: it is not there")
        found = copy.deepcopy(self.objects[kind, name])
        _merge(found, changes)
        if problems := lint.check([found]):
            raise ObjectInvalid("; ".join(problems))
        if kind == "Job" and found["spec"]["completions"] != found["spec"]["parallelism"]:
            raise ObjectInvalid("spec.completions: field is immutable unless it equals parallelism")
        self.objects[kind, name] = found
        self._deed("patch", kind, name)
        return copy.deepcopy(found)

    async def delete(self, kind: str, name: str) -> None:
        if gone := self.objects.pop((kind, name), None):
            self._deed("delete", kind, name)
            if kind == "Job":
                for pod in await self.list(
                    "Pod", {"batch.kubernetes.io/controller-uid": gone["metadata"]["uid"]}
                ):
                    del self.objects["Pod", pod["metadata"]["name"]]

    async def logs(
        self, pod: str, container: str | None = None, *, follow: bool = False
    ) -> AsyncGenerator[str, None]:
        for line in self.output[pod]:
            yield line

    async def events(self, kind: str, name: str | None = None, *, reason: str | None = None) -> Objects:
        self.asked += 1
        return [
            event
            for event in self.told
            if event["involvedObject"]["kind"] == kind
            and name in (None, event["involvedObject"]["name"])
            and reason in (None, event["reason"])
        ]

    async def endpoint(self, path: str) -> Endpoint:
        return Endpoint(self._websockets + path, {}, None)

    def tell(self, kind: str, name: str, reason: str, message: str) -> None:
        """Write an event."""
        about = {"kind": kind, "name": name}
        self.told.append({"type": "Warning", "reason": reason, "message": message, "involvedObject": about})

    def end(self, job: str, condition: str, reason: str = "") -> None:
        """Let a Job end: `Complete` or `Failed`."""
        told = {"type": condition, "status": "True", "reason": reason, "message": ""}
        self.objects["Job", job].setdefault("status", {}).setdefault("conditions", []).append(told)

    def pod(self, job: str, phase: str = "Running", *, name: str = "", **status: Any) -> Object:
        """Make a pod of a Job."""
        owner = self.objects["Job", job]
        template = owner["spec"]["template"]
        name = name or f"{job}-0-{sum(kind == 'Pod' for kind, _ in self.objects)}"
        pod = {
            "metadata": {"name": name, "namespace": "batch", **template["metadata"]},
            "spec": template["spec"],
            "status": {"phase": phase, **status},
        }
        self.objects["Pod", name] = pod
        return pod

    def _know(self, kind: str) -> None:
        if kind in self.lacks:
            raise ObjectMissing("the cluster does not know this kind")

    def _deed(self, verb: str, kind: str, name: str) -> None:
        self.deeds.append((verb, kind, name))


def ended(code: int, message: str = "") -> dict[str, Any]:
    """What a pod's status says of a worker that has ended."""
    state = {
        "terminated": {"exitCode": code, "reason": "Completed" if code == 0 else "Error", "message": message}
    }
    return {"containerStatuses": [{"name": "worker", "image": "i", "restartCount": 0, "state": state}]}


def waiting(reason: str, message: str) -> dict[str, Any]:
    """What a pod's status says of a worker that cannot start."""
    state = {"waiting": {"reason": reason, "message": message}}
    return {
        "containerStatuses": [{"name": "worker", "image": "warrener:1", "restartCount": 0, "state": state}]
    }


def _written(job: Object) -> None:
    """Write into a Job what Kubernetes writes, and refuse what only it may write."""
    labels = job["spec"]["template"].setdefault("metadata", {}).setdefault("labels", {})
    if "selector" in job["spec"] or any(key.rpartition("/")[2] in _WRITTEN for key in labels):
        raise ObjectInvalid("spec.selector and its labels are Kubernetes' own")
    uid, name = job["metadata"]["uid"], job["metadata"]["name"]
    written = {
        "controller-uid": uid,
        "job-name": name,
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
    }
    job["spec"]["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    labels |= written
    json.dumps(job)  # only what JSON carries comes to a cluster


def _merge(into: Object, changes: Mapping[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        elif value is None:
            into.pop(key, None)
        else:
            into[key] = copy.deepcopy(value)
