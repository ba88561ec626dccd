"""How to reach a path of the API server by other means than a request: a websocket, say."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

import msgspec

from warrener.kubernetes.client import internals

if TYPE_CHECKING:
    import ssl

    from warrener.kubernetes.client.requests import Requests


class Endpoint(msgspec.Struct, frozen=True):
    """A path of the API server.

    Args:
        url: The whole address, with the scheme `ws` or `wss`.
        headers: What proves who we are.
        tls: Whom to trust, and our certificate; None without TLS.
    """

    url: str
    headers: dict[str, str]
    tls: ssl.SSLContext | None


class Endpoints:
    """Makes endpoints; reads the certificates once."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._tls: ssl.SSLContext | None = None

    async def at(self, path: str) -> Endpoint:
        """The endpoint of a path.

        Raises:
            ClusterRefused: The login cannot be had: its plugin fails, or a file is missing.
        """
        http = self._requests.http
        with self._requests.translated("log in"):
            request = http.build_request("GET", path)
            if http.auth is not None:
                async with aclosing(http.auth.async_auth_flow(request)) as flow:
                    request = await anext(flow)
            if self._tls is None and request.url.scheme == "https":
                self._tls = internals.trust(self._requests.client.config)
        who = request.headers.get("Authorization")
        headers = {"Authorization": who} if who else {}
        return Endpoint("ws" + str(request.url).removeprefix("http"), headers, self._tls)
