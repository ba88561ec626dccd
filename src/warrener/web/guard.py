"""The guard: what every request has to satisfy before a route sees it, and what every answer says to the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, Response

from warrener.web.answers import refusal
from warrener.web.door import name_in
from warrener.web.listening import TOKEN
from warrener.web.neighbours import is_stranger

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from warrener.web.door import Door

MAX_BODY: Final = 1024 * 1024
"""Bytes that a request may have."""
_CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_READING: Final = frozenset({"GET", "HEAD"})
_OPEN: Final = "/healthz"
"""What a probe asks, which knows no token."""


class Guard:
    """Stands before the app.

    Args:
        app: What it guards.
        door: Who may come in.
    """

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"the page's server speaks HTTP, not {scope['type']}")

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        refused = self._refused(scope)
        if refused:
            await refused(scope, receive, send_guarded)
        else:
            await self._app(scope, _bounded(receive), send_guarded)

    def _refused(self, scope: Scope) -> Response | None:
        headers, door = Headers(scope=scope), self._door
        if scope["path"] == _OPEN and scope["method"] in _READING:
            return None
        if stranger := self._stranger(scope, headers):
            return stranger
        port = (scope.get("server") or ("", 0))[1] or 0
        if entering := self._entering(scope, port):
            return entering
        if not door.admits(headers, port):
            return refusal(401, "open the link with the token that `warrener ui` printed when it was started")
        if scope["method"] in _READING:
            return _foreign_reading(headers)
        return self._foreign_action(headers) or _too_large(headers)

    def _stranger(self, scope: Scope, headers: Headers) -> Response | None:
        door = self._door
        if not door.is_known_as(headers.get("host", "")):
            return refusal(
                421,
                f"this server does not go by the name {headers.get('host', '')[:200]!r}: open the link that it printed; "
                "a proxy's name is given with --behind-proxy",
            )
        if door.token is None and door.proxy is None and is_stranger(scope):
            return refusal(403, "this page is for the user who started it: start your own with `warrener ui`")
        return None

    def _entering(self, scope: Scope, port: int) -> Response | None:
        """The answer to who shows the token: a cookie, and the page without the token in its address."""
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if TOKEN not in query or scope["path"] != "/":
            return None
        if not self._door.knows(query.pop(TOKEN)[0]):
            return None if self._door.token is None else refusal(401, _OLD_LINK)
        # No redirect: after one that began at another site, a browser would keep the strict cookie to itself.
        target = f"/?{urlencode(query, doseq=True)}".rstrip("?").replace("&", "&amp;")
        page = f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={target}"><title>Warrener</title>'
        entered = HTMLResponse(page, headers={"Cache-Control": "no-store"})
        entered.headers["Set-Cookie"] = self._door.let_in(port)
        return entered

    def _foreign_action(self, headers: Headers) -> Response | None:
        """Only the page itself acts: a browser says where a request comes from, and cannot be made to say otherwise."""
        origin, site = headers.get("origin", ""), headers.get("sec-fetch-site", "same-origin")
        place = urlsplit(origin).netloc.lower() if origin.startswith(("http://", "https://")) else ""
        is_own = bool(place) and (
            place == headers.get("host", "").lower() or name_in(place) == self._door.proxy
        )
        if not is_own or site != "same-origin":
            return refusal(
                403,
                f"this action does not come from the page itself (Origin: {origin[:200] or 'none'}): act on the page, or with "
                "the `warrener` command",
            )
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        return None if kind == "application/json" else refusal(415, "an action is sent as application/json")


_OLD_LINK: Final = "this link's token is of an earlier start: open the link that `warrener ui` printed when it was started last"


def _foreign_reading(headers: Headers) -> Response | None:
    """Another site may lead here, but has nothing from here."""
    site, mode = headers.get("sec-fetch-site", "none"), headers.get("sec-fetch-mode", "navigate")
    if site in {"none", "same-origin"} or mode == "navigate":
        return None
    return refusal(403, "another site asked for this: open the page itself")


def _too_large(headers: Headers) -> Response | None:
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > MAX_BODY:
        return refusal(413, f"a request may have {MAX_BODY:,} bytes, not {length[:20]}")
    return None


def _bounded(receive: Receive) -> Receive:
    """What is received, until it is too much: the length that a request gives may be wrong, or missing."""
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MAX_BODY:
            return {"type": "http.disconnect"}
        return message

    return bounded
