"""Requests to the API server that the parts of a cluster's interface share: lists, and answers without end."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from warrener.kubernetes.client import internals, kinds
from warrener.kubernetes.client.translation import translated

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from contextlib import AbstractContextManager

    from httpx2 import AsyncClient as HttpClient
    from lightkube import AsyncClient

    from warrener.kubernetes.objects import Objects

TIMEOUT_SECONDS: Final = 10.0
USER_AGENT: Final = "warrener"


class Requests:
    """One client's requests, all in one namespace unless an object names its own.

    Args:
        client: lightkube's.
    """

    def __init__(self, client: AsyncClient) -> None:
        self.client = client
        self.http: HttpClient = internals.http_client(client)
        self.http.headers["User-Agent"] = USER_AGENT

    @property
    def namespace(self) -> str:
        """Where everything happens."""
        return str(self.client.namespace)

    @property
    def server(self) -> str:
        """The API server's address."""
        return str(self.client.config.cluster.server)

    def translated(self, deed: str) -> AbstractContextManager[None]:
        """Let only our errors out of a block that does this deed."""
        return translated(deed, self.server)

    async def list(
        self,
        kind: str,
        labels: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
        *,
        at_most: int | None = None,
    ) -> tuple[Objects, str]:
        """Objects of a kind, and the version of the cluster that they were read at.

        Args:
            kind: Their kind.
            labels: What they carry, all of it.
            fields: What their fields are, all of them.
            at_most: How many are read; by default all. A part of them comes in the order of their names.
        """
        resource = kinds.resource(kind)
        items: Objects = []
        with self.translated(f"list {kinds.plural(kind)}"):
            found: Any = self.client.list(
                resource, labels=dict(labels or {}), fields=dict(fields or {}), chunk_size=at_most
            )
            async with aclosing(aiter(found)) as each:
                async for item in each:
                    items.append({**kinds.header(kind), **item})
                    if len(items) == at_most:
                        break
            return items, str(found.resourceVersion)

    async def lines(self, path: str, wanted: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        r"""An answer without end, line by line, without line ends.

        lightkube cannot read the refusal of one, and keeps the connection of one that nobody reads on. A line ends at
        "\n" alone: texts have other characters in them that Python takes for line ends, too.
        """
        from httpx2 import Timeout

        patient = Timeout(TIMEOUT_SECONDS, read=None)
        async with self.http.stream("GET", path, params=wanted, timeout=patient) as answer:
            if answer.is_error:
                await answer.aread()
                answer.raise_for_status()
            begun: list[bytes] = []
            async for data in answer.aiter_bytes():
                first, *others = data.split(b"\n")
                begun.append(first)
                for other in others:
                    yield b"".join(begun)
                    begun = [other]
            if any(begun):
                yield b"".join(begun)
