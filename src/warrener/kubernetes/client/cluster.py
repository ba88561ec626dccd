"""A Kubernetes cluster: a narrow interface whose objects are plain dicts and whose errors are ours."""

from __future__ import annotations

import asyncio
import os
import ssl
from contextlib import aclosing, contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeAlias

import msgspec

from warrener.errors import ClusterError, ClusterRefused, ClusterUnreachable, ObjectMissing, UsageError
from warrener.kubernetes.client import kubeconfig as kubeconfigs
from warrener.kubernetes.client.refusals import refusal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Mapping

    from lightkube import AsyncClient
    from lightkube.config.kubeconfig import SingleConfig

FIELD_MANAGER: Final = "warrener"
# A watch that has been silent for so long may be dead without our knowing: a list shows what it missed.
QUIET_SECONDS: Final = 60.0
PAUSE_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = 300.0
_TIMEOUT: Final = 10.0

Object: TypeAlias = dict[str, Any]
Objects: TypeAlias = list[Object]
Propagation: TypeAlias = Literal["Background", "Foreground", "Orphan"]

# Kind -> API group and version, plural. Every one but Namespace lives in a namespace.
_KINDS: Final[dict[str, tuple[str, str, str]]] = {
    "ConfigMap": ("", "v1", "configmaps"),
    "Event": ("", "v1", "events"),
    "Namespace": ("", "v1", "namespaces"),
    "PersistentVolumeClaim": ("", "v1", "persistentvolumeclaims"),
    "Pod": ("", "v1", "pods"),
    "Secret": ("", "v1", "secrets"),
    "Service": ("", "v1", "services"),
    "ServiceAccount": ("", "v1", "serviceaccounts"),
    "StatefulSet": ("apps", "v1", "statefulsets"),
    "Job": ("batch", "v1", "jobs"),
    "NetworkPolicy": ("networking.k8s.io", "v1", "networkpolicies"),
    "PodDisruptionBudget": ("policy", "v1", "poddisruptionbudgets"),
    "RabbitmqCluster": ("rabbitmq.com", "v1beta1", "rabbitmqclusters"),
    "ScaledJob": ("keda.sh", "v1alpha1", "scaledjobs"),
    "TriggerAuthentication": ("keda.sh", "v1alpha1", "triggerauthentications"),
}


class Change(msgspec.Struct, frozen=True):
    """One thing that a watch saw.

    Args:
        type: What happened to the object.
        object: The object after it; for `deleted`, the last that was known of it.
    """

    type: Literal["added", "modified", "deleted"]
    object: Object


class Endpoint(msgspec.Struct, frozen=True):
    """How to reach a path of the API server by other means than a request.

    Args:
        url: The whole address, with the scheme `ws` or `wss`.
        headers: What proves who we are.
        tls: Whom to trust, and our certificate; None without TLS.
    """

    url: str
    headers: dict[str, str]
    tls: ssl.SSLContext | None


class Cluster:
    """A cluster and, in it, one namespace. Made with `open`; use it with `async with`.

    Every method raises `ClusterError` (see `warrener.errors`), with a sentence that says what was refused and why.
    """

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        # lightkube has no public way to its HTTP client, which holds the login and reaches what is no object.
        self._http = client._client._client  # noqa: SLF001
        self._http.headers["User-Agent"] = FIELD_MANAGER
        self._tls: ssl.SSLContext | None = None

    @classmethod
    def open(
        cls, *, context: str | None = None, kubeconfig: str | None = None, namespace: str | None = None
    ) -> Self:
        """The cluster of a kubeconfig, or the one this runs in. Nothing is sent yet.

        Args:
            context: The kubeconfig's context; by default its current one.
            kubeconfig: The file; by default found as kubectl does (`KUBECONFIG`, `~/.kube/config`), else the
                service account of the pod this runs in.
            namespace: By default the context's, else `default`.

        Raises:
            UsageError: There is no usable kubeconfig, or the extra packages are not installed.
        """
        config = kubeconfigs.load(context, kubeconfig)
        from httpx2 import InvalidURL, Timeout
        from lightkube import AsyncClient, ConfigError

        try:
            return cls(AsyncClient(config, namespace, Timeout(_TIMEOUT), field_manager=FIELD_MANAGER))
        # ValueError: a certificate not in base64
        except (ConfigError, InvalidURL, OSError, ValueError) as error:
            raise UsageError(
                f"context {config.context_name!r} of the kubeconfig cannot be used: {error}"
            ) from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Drop the connections; harmless when that has happened already."""
        await self._client.close()

    @property
    def namespace(self) -> str:
        """Where everything happens, unless an object names its own namespace."""
        return str(self._client.namespace)

    @property
    def server(self) -> str:
        """The API server's address."""
        return str(self._config.cluster.server)

    async def version(self) -> str:
        """The server's version: `v1.36.2`."""
        with self._translated("ask for the version"):
            answer = await self._http.get("/version")
            answer.raise_for_status()
            return str(answer.json()["gitVersion"])

    async def apply(self, obj: Object, *, force: bool = False) -> Object:
        """Create the object, or change the fields it names, with server-side apply.

        Args:
            obj: The manifest.
            force: Whether to take over fields that others manage.

        Returns:
            The object as the cluster has it now.

        Raises:
            ObjectConflict: Others manage some of the fields, and `force` is not given.
        """
        typed = _resource(obj["kind"])(obj)
        with self._translated(f"apply {_title(obj)}"):
            return dict(await self._client.apply(typed, force=force))

    async def create(self, obj: Object) -> Object:
        """Create the object.

        Raises:
            ObjectConflict: It exists.
        """
        typed = _resource(obj["kind"])(obj)
        with self._translated(f"create {_title(obj)}"):
            return dict(await self._client.create(typed))

    async def get(self, kind: str, name: str) -> Object | None:
        """The object, or None when there is none of that name."""
        try:
            with self._translated(f"get {kind} {name}"):
                return dict(await self._client.get(_resource(kind), name))
        except ObjectMissing:
            return None

    async def list(self, kind: str, labels: Mapping[str, str] | None = None) -> Objects:
        """The objects that carry all the labels; without labels, all of the kind."""
        return (await self._list(kind, labels))[0]

    async def watch(self, kind: str, labels: Mapping[str, str] | None = None) -> AsyncGenerator[Change, None]:
        """What is there, each as `added`, and from then on every change.

        Lost connections and lost history are made up for by listing again: changes in between arrive as one,
        none is told twice, and deletions are not missed.

        Raises:
            ClusterUnreachable: The first list was not answered, or nothing was for five minutes.
        """
        known: dict[str, Object] = {}
        answered_at: float | None = None
        loop = asyncio.get_running_loop()
        while True:
            try:
                present, version = await self._list(kind, labels)
                answered_at = loop.time()
                for change in _differences(known, present):
                    yield change
                async with aclosing(self._follow(kind, labels, version)) as changes:
                    async for change in changes:
                        answered_at = loop.time()
                        if _note(known, change):
                            yield change
            except ClusterUnreachable:
                if answered_at is None or loop.time() - answered_at > PATIENCE_SECONDS:
                    raise
            await asyncio.sleep(PAUSE_SECONDS)

    async def patch(self, kind: str, name: str, changes: Object) -> Object:
        """Merge changes into an object: what they name is replaced, null deletes, lists are replaced whole."""
        from lightkube.types import PatchType

        with self._translated(f"change {kind} {name}"):
            patched = await self._client.patch(_resource(kind), name, changes, patch_type=PatchType.MERGE)
            return dict(patched)

    async def delete(self, kind: str, name: str, propagation: Propagation = "Background") -> None:
        """Delete an object; harmless when it is missing.

        Args:
            kind: Its kind.
            name: Its name.
            propagation: What becomes of what belongs to it, a Job's pods say: `Background` deletes it soon,
                `Foreground` before the object itself, `Orphan` not at all. It is always sent: the API's own
                default for Jobs leaves the pods running.
        """
        from lightkube.types import CascadeType

        with suppress(ObjectMissing), self._translated(f"delete {kind} {name}"):
            await self._client.delete(_resource(kind), name, cascade=CascadeType(propagation))

    async def logs(
        self, pod: str, container: str | None = None, *, follow: bool = False
    ) -> AsyncGenerator[str, None]:
        """A container's output, line by line without line ends.

        Args:
            pod: The pod's name.
            container: The container's; may be left out when there is only one.
            follow: Whether to wait for more until the container ends.
        """
        wanted = {"follow": str(follow).lower()} | ({"container": container} if container else {})
        with self._translated(f"read the log of Pod {pod}"):
            async with aclosing(self._lines(f"{self._path('Pod')}/{pod}/log", wanted)) as lines:
                async for line in lines:
                    yield line

    async def events(self, kind: str, name: str) -> Objects:
        """What the cluster has noted about an object in the last hour or so, the oldest first."""
        fields = {"involvedObject.kind": kind, "involvedObject.name": name}
        return sorted((await self._list("Event", None, fields))[0], key=_event_time)

    async def endpoint(self, path: str) -> Endpoint:
        """How to open a websocket at a path. Call another method first, so that the login is fresh."""
        from lightkube.config.client_adapter import verify_cluster
        from lightkube.config.models import User

        config = self._config
        with self._translated("log in"):
            request = self._http.build_request("GET", path)
            if self._http.auth is not None:
                async with aclosing(self._http.auth.async_auth_flow(request)) as flow:
                    request = await anext(flow)
            if self._tls is None and request.url.scheme == "https":
                user = config.user or User()
                self._tls = verify_cluster(config.cluster, user, config.abs_file)
        headers = (
            {"Authorization": request.headers["Authorization"]} if "Authorization" in request.headers else {}
        )
        return Endpoint("ws" + str(request.url).removeprefix("http"), headers, self._tls)

    @property
    def _config(self) -> SingleConfig:
        return self._client.config

    async def _list(
        self, kind: str, labels: Mapping[str, str] | None, fields: Mapping[str, str] | None = None
    ) -> tuple[Objects, str]:
        resource = _resource(kind)
        with self._translated(f"list {_KINDS[kind][2]}"):
            found = self._client.list(resource, labels=dict(labels or {}), fields=dict(fields or {}))
            # The items of a list come without their kind.
            group, version, _ = _KINDS[kind]
            header = {"apiVersion": f"{group}/{version}" if group else version, "kind": kind}
            items = [{**header, **item} async for item in found]
            return items, found.resourceVersion

    async def _follow(
        self, kind: str, labels: Mapping[str, str] | None, version: str
    ) -> AsyncGenerator[Change, None]:
        """The changes since a version, until the connection ends or all has been quiet for a while."""
        wanted = {"watch": "true", "resourceVersion": version} | _selector(labels)
        deed = f"watch {_KINDS[kind][2]}"
        async with aclosing(self._lines(self._path(kind), wanted)) as lines:
            while True:
                try:
                    async with asyncio.timeout(QUIET_SECONDS):
                        with self._translated(deed):
                            event = msgspec.json.decode(await anext(lines))
                    if event["type"] == "ERROR":
                        raise refusal(event["object"].get("code", 500), event["object"], deed, self.server)
                # ObjectMissing: the cluster has forgotten this version.
                except (TimeoutError, StopAsyncIteration, ObjectMissing):
                    return
                yield Change(event["type"].lower(), event["object"])

    async def _lines(self, path: str, wanted: Mapping[str, str]) -> AsyncGenerator[str, None]:
        """An answer without end, line by line.

        lightkube cannot read the refusal of one, and keeps the connection of one that nobody reads on.
        """
        from httpx2 import Timeout

        patient = Timeout(_TIMEOUT, read=None)
        async with self._http.stream("GET", path, params=wanted, timeout=patient) as answer:
            if answer.is_error:
                await answer.aread()
                answer.raise_for_status()
            async for line in answer.aiter_lines():
                yield line

    def _path(self, kind: str) -> str:
        group, version, plural = _KINDS[kind]
        root = f"/apis/{group}/{version}" if group else f"/api/{version}"
        return f"{root}/{plural}" if kind == "Namespace" else f"{root}/namespaces/{self.namespace}/{plural}"

    @contextmanager
    def _translated(self, deed: str) -> Iterator[None]:
        """Let no error of lightkube or of its HTTP client out: one of ours instead, with its sentence."""
        import httpx2
        from lightkube import ConfigError

        try:
            yield
        except httpx2.HTTPStatusError as error:
            raise refusal(error.response.status_code, _status(error), deed, self.server) from error
        except httpx2.TimeoutException as error:
            raise ClusterUnreachable(f"{self.server} does not answer") from error
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from error
        except (ConfigError, OSError, KeyError) as error:  # of a login plugin, or of a token's file
            raise ClusterRefused(f"cannot log in to {self.server}: {error}") from error
        except (msgspec.MsgspecError, ValueError) as error:
            raise ClusterUnreachable(
                f"{self.server} gives answers that are not Kubernetes': {error}"
            ) from error

    def _unreachable(self, error: Exception) -> ClusterError:
        why = str(error) or type(error).__name__
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return ClusterRefused(f"no trust in {self.server}: {cause.verify_message}")
            if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError):
                # asyncio puts its own words here, unless the name could not be resolved.
                why = os.strerror(cause.errno) if cause.errno and cause.errno > 0 else cause.strerror or why
            cause = cause.__cause__ or cause.__context__
        return ClusterUnreachable(f"{self.server} cannot be reached: {why}")


@cache
def _resource(kind: str) -> Any:
    """The class of lightkube's for a kind: a dict that knows where it lives."""
    from lightkube.generic_resource import GenericGlobalResource, GenericNamespacedResource, create_api_info

    if kind not in _KINDS:
        raise UsageError(f"{kind} is no kind that Warrener handles ({', '.join(_KINDS)}): use kubectl")
    group, version, plural = _KINDS[kind]
    base = GenericGlobalResource if kind == "Namespace" else GenericNamespacedResource
    # Not registered with lightkube, which would then take it for its own typed class of the same kind.
    return type(kind, (base,), {"_api_info": create_api_info(group, version, kind, plural)})


def _title(obj: Object) -> str:
    return f"{obj['kind']} {obj['metadata']['name']}"


def _status(error: Any) -> Object:
    """The `Status` object of an answer, empty when it is something else, a proxy's page say."""
    try:
        status = error.response.json()
    except ValueError:
        return {}
    return status if isinstance(status, dict) else {}


def _selector(labels: Mapping[str, str] | None) -> dict[str, str]:
    return {"labelSelector": ",".join(f"{key}={value}" for key, value in labels.items())} if labels else {}


def _differences(known: dict[str, Object], present: Objects) -> list[Change]:
    """What a new list tells beyond what is known, which it becomes."""
    names = {obj["metadata"]["name"] for obj in present}
    gone = [Change("deleted", known.pop(name)) for name in known.keys() - names]
    changes = [Change("modified" if obj["metadata"]["name"] in known else "added", obj) for obj in present]
    return gone + [change for change in changes if _note(known, change)]


def _note(known: dict[str, Object], change: Change) -> bool:
    """Keep a change in mind; say whether it is new."""
    name = change.object["metadata"]["name"]
    if change.type == "deleted":
        return known.pop(name, None) is not None
    before = known.get(name)
    known[name] = change.object
    return before is None or _version(before) != _version(change.object)


def _version(obj: Object) -> object:
    return obj["metadata"].get("resourceVersion")


def _event_time(event: Object) -> str:
    # Old and new reporters write different fields; all are RFC 3339 in UTC, which sorts as text.
    series = event.get("series") or {}
    times = (event.get("lastTimestamp"), series.get("lastObservedTime"), event.get("eventTime"))
    return next((time for time in times if time), event["metadata"].get("creationTimestamp") or "")
