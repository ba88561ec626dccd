"""HTTP over a connection that is kept for the next request.

A page asks every second, and over a port-forward each new connection goes through the cluster's API server.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping
    from http.client import HTTPConnection


class Answer(NamedTuple):
    """What a server answers."""

    status: int
    body: bytes


class KeepAlive:
    """Asks one server; for any number of threads.

    A request has a connection to itself, so that none waits for another; one connection is kept for the next request. It
    goes straight there, as AMQP does, whatever proxy the environment names, and follows no redirect: with each request
    goes a password.

    Args:
        url: The server, with what all paths begin with.
        headers: What each request is sent with.
        make_tls: Makes what verifies the server, where it is an `https` one.
    """

    def __init__(self, url: str, headers: Mapping[str, str], make_tls: Callable[[], ssl.SSLContext]) -> None:
        self._url = url
        self._headers = headers
        self._make_tls = make_tls
        self._lock = threading.Lock()
        self._idle: HTTPConnection | None = None
        self._is_closed = False

    def ask(self, method: str, path: str, body: bytes | None, timeout: float) -> Answer:
        """The answer to a request, whatever its status.

        The kept connection may be closed by now, by the server or by whatever is between. Nobody can tell then whether the
        request has arrived, so it is sent again, once, over a new one.

        Args:
            method: One that may be sent twice: GET, PUT or DELETE.
            path: After the server's.
            body: What to send, if anything.
            timeout: Seconds to connect within, and to wait for each piece of the answer.

        Raises:
            OSError: There is no answer.
            http.client.HTTPException: What answers speaks no HTTP.
            ValueError: The server's address is none.
        """
        from http.client import HTTPException

        if kept := self._take():
            try:
                return self._exchange(kept, method, path, body, timeout)
            except TimeoutError:
                raise
            except (OSError, HTTPException):
                pass
        return self._exchange(self._new(), method, path, body, timeout)

    def close(self) -> None:
        """Close what is kept, and keep nothing more; whatever is under way comes to its end."""
        with self._lock:
            self._is_closed = True
        if kept := self._take():
            kept.close()

    def _exchange(
        self, connection: HTTPConnection, method: str, path: str, body: bytes | None, timeout: float
    ) -> Answer:
        connection.timeout = timeout
        if connection.sock:
            connection.sock.settimeout(timeout)
        try:
            connection.request(method, f"{urlsplit(self._url).path}/{path}", body, dict(self._headers))
            answer = connection.getresponse()
            found = Answer(answer.status, answer.read())
        except BaseException:
            connection.close()
            raise
        self._keep(connection)
        return found

    def _new(self) -> HTTPConnection:
        # Not before: it takes as long to load as pika, and a worker's first task needs no HTTP.
        from http.client import HTTPConnection, HTTPSConnection

        place = urlsplit(self._url)
        host = place.hostname or ""
        # With a port always: without one the end of an IPv6 address is taken for it.
        if place.scheme == "https":
            return HTTPSConnection(host, place.port or HTTPSConnection.default_port, context=self._make_tls())
        return HTTPConnection(host, place.port or HTTPConnection.default_port)

    def _take(self) -> HTTPConnection | None:
        with self._lock:
            kept, self._idle = self._idle, None
        return kept

    def _keep(self, connection: HTTPConnection) -> None:
        """Keep it, unless another one is kept, or its server has said that it closes it."""
        if connection.sock is None:
            return
        with self._lock:
            is_kept = self._idle is None and not self._is_closed
            if is_kept:
                self._idle = connection
        if not is_kept:
            connection.close()
