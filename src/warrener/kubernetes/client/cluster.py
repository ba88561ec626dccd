"""A Kubernetes cluster: a narrow interface whose objects are plain dicts and whose errors are ours."""

from __future__ import annotations

from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Final, Self

from warrener.errors import ObjectMissing, UsageError
from warrener.kubernetes.client import internals, kinds
from warrener.kubernetes.client import kubeconfig as kubeconfigs
from warrener.kubernetes.client.endpoint import Endpoints
from warrener.kubernetes.client.requests import TIMEOUT_SECONDS, Requests
from warrener.kubernetes.client.watching import watch
from warrener.kubernetes.commands import Commands
from warrener.kubernetes.lint.problem import DNS_LABEL

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from lightkube import AsyncClient

    from warrener.kubernetes.client.endpoint import Endpoint
    from warrener.kubernetes.client.watching import Change
    from warrener.kubernetes.objects import Object, Objects

FIELD_MANAGER: Final = "warrener"
# Where more has happened, the rest says much the same.
MAX_EVENTS: Final = 1000


class Cluster:
    """A cluster and, in it, one namespace. Made with `open`; use it with `async with`.

    Every method raises `ClusterError` (see `warrener.errors`), with a sentence that says what was refused and why.
    """

    def __init__(self, client: AsyncClient, commands: Commands) -> None:
        self._client = client
        self._commands = commands
        self._requests = Requests(client)
        self._endpoints = Endpoints(self._requests)

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
            UsageError: There is no usable kubeconfig, the namespace's name is none, or the extra packages are not
                installed.
        """
        config = kubeconfigs.load(context, kubeconfig)
        from httpx2 import AsyncHTTPTransport, InvalidURL, Timeout
        from lightkube import AsyncClient, ConfigError

        try:
            client = AsyncClient(
                config,
                namespace,
                Timeout(TIMEOUT_SECONDS),
                field_manager=FIELD_MANAGER,
                transport=AsyncHTTPTransport(verify=internals.trust(config)),
            )
        # ValueError: a certificate not in base64
        except (ConfigError, InvalidURL, OSError, ValueError) as error:
            raise UsageError(
                f"context {config.context_name!r} of the kubeconfig cannot be used: {error}"
            ) from error
        if not DNS_LABEL.fullmatch(client.namespace):  # it becomes part of every path
            raise UsageError(f"{client.namespace!r} is not the name of a namespace: use a-z, 0-9 and '-'")
        return cls(client, Commands(client.namespace, context, kubeconfig))

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
        return self._requests.namespace

    @property
    def server(self) -> str:
        """The API server's address."""
        return self._requests.server

    @property
    def commands(self) -> Commands:
        """Commands that lead a person here."""
        return self._commands

    async def apply(self, obj: Object) -> Object:
        """Create the object, or change the fields it names, with server-side apply; it, as the cluster has it now.

        Raises:
            ObjectConflict: Others manage some of the fields.
        """
        typed = kinds.resource(obj["kind"])(obj)
        with self._requests.translated(f"apply {kinds.title(obj)}"):
            return dict(await self._client.apply(typed))

    async def create(self, obj: Object) -> Object:
        """Create the object.

        Raises:
            ObjectConflict: It exists.
        """
        typed = kinds.resource(obj["kind"])(obj)
        with self._requests.translated(f"create {kinds.title(obj)}"):
            return dict(await self._client.create(typed))

    async def get(self, kind: str, name: str) -> Object | None:
        """The object, or None when there is none of that name."""
        try:
            with self._requests.translated(f"get {kind} {name}"):
                return dict(await self._client.get(kinds.resource(kind), name))
        except ObjectMissing:
            return None

    async def list(self, kind: str, labels: Mapping[str, str] | None = None) -> Objects:
        """The objects that carry all the labels; without labels, all of the kind."""
        return (await self._requests.list(kind, labels))[0]

    def watch(self, kind: str, labels: Mapping[str, str] | None = None) -> AsyncGenerator[Change, None]:
        """What is there, each as `added`, and from then on every change.

        Lost connections and lost history are made up for by listing again: changes in between arrive as one,
        none is told twice, and deletions are not missed.

        Raises:
            ClusterUnreachable: The first list was not answered, or nothing was for five minutes.
        """
        return watch(self._requests, kind, labels)

    async def patch(self, kind: str, name: str, changes: Object) -> Object:
        """Merge changes into an object: what they name is replaced, null deletes, lists are replaced whole."""
        from lightkube.types import PatchType

        with self._requests.translated(f"change {kind} {name}"):
            patched = await self._client.patch(
                kinds.resource(kind), name, changes, patch_type=PatchType.MERGE
            )
            return dict(patched)

    async def delete(self, kind: str, name: str) -> None:
        """Delete an object, and soon after it what belongs to it, a Job's pods say; harmless when it is missing."""
        from lightkube.types import CascadeType

        with suppress(ObjectMissing), self._requests.translated(f"delete {kind} {name}"):
            # The API's own default for Jobs leaves the pods running.
            await self._client.delete(kinds.resource(kind), name, cascade=CascadeType.BACKGROUND)

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
        path = f"{kinds.path('Pod', self.namespace)}/{pod}/log"
        with self._requests.translated(f"read the log of Pod {pod}"):
            async with aclosing(self._requests.lines(path, wanted)) as lines:
                async for line in lines:
                    yield line.removesuffix(b"\r").decode(errors="replace")

    async def events(self, kind: str, name: str | None = None, *, reason: str | None = None) -> Objects:
        """What the cluster has noted in the last hour or so, the oldest first, and not more than `MAX_EVENTS`.

        Args:
            kind: The kind of objects that it is about.
            name: The one object that it is about; by default all of the kind, in one request.
            reason: Kubernetes' word for what has happened; by default anything.
        """
        fields = {"involvedObject.kind": kind, "involvedObject.name": name, "reason": reason}
        wanted = {field: value for field, value in fields.items() if value is not None}
        events, _ = await self._requests.list("Event", None, wanted, at_most=MAX_EVENTS)
        return sorted(events, key=_event_time)

    async def endpoint(self, path: str) -> Endpoint:
        """How to open a websocket at a path. Call another method first, so that the login is fresh."""
        return await self._endpoints.at(path)


def _event_time(event: Object) -> str:
    # Old and new reporters write different fields; all are RFC 3339 in UTC, which sorts as text.
    series = event.get("series") or {}
    times = (event.get("lastTimestamp"), series.get("lastObservedTime"), event.get("eventTime"))
    return next((time for time in times if time), event["metadata"].get("creationTimestamp") or "")
