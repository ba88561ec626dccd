"""What an operator does to a RabbitMQ, told to its management API: `rabbitmqctl` takes a second of CPU for each word."""

from __future__ import annotations

import base64
import http.client
import json
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator


class Operator:
    """An administrator of a broker.

    Args:
        url: The broker's address, with the administrator's name and password.
        management_url: The address of its management API.
    """

    def __init__(self, url: str, management_url: str) -> None:
        self.url = urlsplit(url)
        self.management_url = management_url
        self.vhost = unquote(self.url.path[1:]) or "/"

    def put(self, *path: str, **fields: object) -> None:
        """Make or set what this path names."""
        self._ask("PUT", path, fields)

    def delete(self, *path: str) -> None:
        """Remove what this path names, if it is there."""
        self._ask("DELETE", path)

    def get(self, *path: str) -> Any:
        """What it says of what this path names."""
        return json.loads(self._ask("GET", path))

    @contextmanager
    def policy(self, pattern: str, definition: dict[str, object]) -> Iterator[None]:
        """One for the queues whose names fit the pattern, meanwhile."""
        path = ("policies", self.vhost, f"of {pattern}")
        self.put(*path, pattern=f"^{pattern}$", definition=definition, **{"apply-to": "all"})
        try:
            yield
        finally:
            self.delete(*path)

    def _ask(self, method: str, path: tuple[str, ...], fields: dict[str, object] | None = None) -> bytes:
        user, password = (unquote(part or "") for part in (self.url.username, self.url.password))
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
        where = "/api/" + "/".join(quote(part, safe="") for part in path)
        with closing(http.client.HTTPConnection(urlsplit(self.management_url).netloc, timeout=60)) as http_:
            http_.request(method, where, json.dumps(fields) if fields is not None else None, headers)
            answer = http_.getresponse()
            body = answer.read()
        assert answer.status < 300 or (method, answer.status) == ("DELETE", 404), (
            f"{where}: {answer.status} {body!r}"
        )
        return body
