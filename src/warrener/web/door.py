"""Who may come in: how the server is reached, by which names, and what a visitor has to show."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from contextlib import suppress
from hashlib import blake2b
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Final

from warrener.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Door:
    """What is checked of each request before anything else.

    Args:
        host: The address that is listened on.
        proxy: The name by which a proxy is reached that lets nobody in but who may; None where there is none.
    """

    def __init__(self, host: str = "127.0.0.1", proxy: str | None = None) -> None:
        self.host = host
        self.proxy = proxy
        self.token: str | None = None
        """What a visitor shows once, in the link; None where the address alone keeps strangers out."""
        if not is_loopback(host) and proxy is None:
            self.token = secrets.token_urlsafe(32)
        self._names = _LOCAL | {host} | ({proxy} if proxy else set())

    def is_known_as(self, host: str) -> bool:
        """Whether a `Host` header names us: a stranger's name that leads here is a trick to read what is here (DNS rebinding).

        Where there is a token an IP address or the machine's name will do, too: the cookie comes under no other name.
        """
        name = name_in(host)
        if name in self._names:
            return True
        return self.token is not None and (_is_ip(name) or name in {socket.gethostname(), socket.getfqdn()})

    def admits(self, headers: Mapping[str, str], port: int) -> bool:
        """Whether the visitor has been let in before, or need not be."""
        if self.token is None:
            return True
        kind, _, told = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self.knows(told):  # a program, as Prometheus
            return True
        shown = ""
        with suppress(CookieError):
            cookies = SimpleCookie(headers.get("cookie", ""))
            shown = cookies[self.cookie(port)].value if self.cookie(port) in cookies else ""
        return hmac.compare_digest(shown.encode(), self._pass.encode())

    def knows(self, token: str) -> bool:
        """Whether this is the token."""
        return self.token is not None and hmac.compare_digest(token.encode(), self.token.encode())

    def cookie(self, port: int) -> str:
        """The name of the cookie: browsers send cookies to all ports of a host."""
        return f"warrener-{port}"

    def let_in(self, port: int) -> str:
        """The `Set-Cookie` header for who has shown the token: no script reads it, and no other site has it sent."""
        return f"{self.cookie(port)}={self._pass}; Path=/; HttpOnly; SameSite=Strict"

    @property
    def _pass(self) -> str:
        return blake2b((self.token or "").encode(), digest_size=24, person=b"warrener cookie").hexdigest()


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address.

    Raises:
        UsageError: It is none.
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        raise UsageError(
            f"--host {host!r} is not an address of this machine: use 127.0.0.1, ::1, 0.0.0.0, or one of its own"
        ) from None


def name_in(host: str) -> str:
    """The name or address in a `Host` header, without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
